/*
 * edit.c - lines typed at the terminal: editing, history
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "edit_int.h"

void
edit_begin(Shell *shell)
{
    (void)shell;
}

void
edit_end(Shell *shell)
{
    (void)shell;
}

bool
edit_is_active(const Shell *shell)
{
    (void)shell;
    return false;
}

InputGot
edit_line(Shell *shell, Input *input, const char *prompt, StrBuf *line)
{
    (void)shell;
    fputs(prompt, stdout);
    fflush(stdout);
    return input_file_line(input, line);
}

void
edit_remember(Shell *shell, StrView text)
{
    (void)shell;
    (void)text;
}
