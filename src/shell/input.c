/*
 * input.c - where lines come from: a terminal, a file, a string
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "input_int.h"

#include <errno.h>

#include "edit_int.h"
#include "interrupt_int.h"

InputGot
input_file_line(Input *input, StrBuf *line)
{
    int c;

    for (;;) {
        errno = 0;
        c = getc_unlocked(input->file);
        if (c == EOF && errno == EINTR) {
            clearerr(input->file);
            if (shell_interrupted())
                return INPUT_INTERRUPTED;
            continue; /* SIGWINCH, SIGCHLD, SIGCONT */
        }
        if (c == EOF || c == '\n')
            break;
        strbuf_add_char(line, (char)c);
    }
    if (strbuf_failed(line))
        return INPUT_TOO_LONG;
    return c == EOF && line->len == 0 ? INPUT_END : INPUT_LINE;
}

static InputGot
string_line(Input *input, StrBuf *line)
{
    const char *end;
    int32_t len;

    if (input->rest.len == 0)
        return INPUT_END;
    end = memchr(input->rest.ptr, '\n', (size_t)input->rest.len);
    len = end == NULL ? input->rest.len : (int32_t)(end - input->rest.ptr);
    strbuf_add(line, input->rest.ptr, (size_t)len);
    len += end != NULL;
    input->rest.ptr += len;
    input->rest.len -= len;
    return strbuf_failed(line) ? INPUT_TOO_LONG : INPUT_LINE;
}

InputGot
input_line(Shell *shell, Input *input, const char *prompt, StrBuf *line)
{
    InputGot got = INPUT_END;

    strbuf_clear(line);
    switch (input->kind) {
    case INPUT_TERMINAL:
        got = edit_line(shell, input, prompt, line);
        break;
    case INPUT_FILE:
        got = input_file_line(input, line);
        break;
    case INPUT_STRING:
        got = string_line(input, line);
        break;
    }
    return got;
}
