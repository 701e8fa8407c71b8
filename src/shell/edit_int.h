/*
 * edit_int.h - lines typed at the terminal: editing, history
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_EDIT_INT_H
#define OTTLA_SHELL_EDIT_INT_H

#include "input_int.h"

/* Before the first line: loads the library and the history, unless -n. */
void edit_begin(Shell *shell);

/* At the end of the session: writes the history. */
void edit_end(Shell *shell);

/* Do prompts go to the line editor (and its marks in them mean something)? */
bool edit_is_active(const Shell *shell);

/* A line with a prompt, without its end. */
InputGot edit_line(Shell *shell, Input *input, const char *prompt, StrBuf *line);

/* A statement as it was typed, all its lines, for the history. */
void edit_remember(Shell *shell, StrView text);

#endif
