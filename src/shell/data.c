/*
 * data.c - data that stands among statements: the lines behind a command
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "data_int.h"

#include <errno.h>

#include "interrupt_int.h"
#include "prompt_fields_int.h"
#include "prompt_int.h"

static bool
stands_in_string(const Shell *shell)
{
    return shell->input == NULL || shell->input->kind == INPUT_STRING;
}

FILE *
data_bytes(Shell *shell)
{
    if (stands_in_string(shell))
        return stdin;
    return shell->input->kind == INPUT_TERMINAL ? NULL : shell->input->file;
}

void
data_begin(DataLines *d, Shell *shell)
{
    *d = (DataLines){.shell = shell, .input = shell->input};
    d->standard = (Input){.kind = INPUT_FILE, .file = stdin};
    if (stands_in_string(shell))
        d->input = &d->standard;
    strbuf_init(&d->prompt, PROMPT_BYTES_MAX, NULL);
    strbuf_init(&d->line, DATA_LINE_BYTES_MAX, NULL);
    if (d->input->kind == INPUT_TERMINAL && !variables_on(shell->vars, "QUIET"))
        puts("Enter the messages; a line \"\\.\" or Ctrl-D ends them.");
}

InputGot
data_line(DataLines *d, StrBuf *line)
{
    InputGot got = INPUT_END;

    strbuf_clear(line);
    if (d->ended)
        return INPUT_END;
    if (d->input->kind == INPUT_TERMINAL)
        shell_prompt_message(d->shell, d->input, &d->prompt);
    got = input_line(d->shell, d->input, d->prompt.ptr, line);
    d->input->line++;
    if (got == INPUT_LINE && strcmp(line->ptr, "\\.") == 0)
        got = INPUT_END;
    d->ended = got == INPUT_END || got == INPUT_INTERRUPTED;
    return got;
}

/* fopencookie's: a line at a time, so that nothing behind the last one is taken. */
static ssize_t
give(void *arg, char *to, size_t size)
{
    DataLines *d = arg;
    size_t len;

    if (d->given == d->line.len) {
        InputGot got = data_line(d, &d->line);

        d->given = 0;
        if (got == INPUT_LINE)
            strbuf_add_char(&d->line, '\n');
        else
            strbuf_clear(&d->line);
        if (got == INPUT_TOO_LONG || strbuf_failed(&d->line)) {
            strbuf_clear(&d->line);
            errno = EMSGSIZE;
            return -1;
        }
    }
    len = d->line.len - d->given;
    if (len > size)
        len = size;
    memcpy(to, d->line.ptr + d->given, len);
    d->given += len;
    return (ssize_t)len;
}

FILE *
data_stream(DataLines *d)
{
    return fopencookie(d, "r", (cookie_io_functions_t){.read = give});
}

void
data_end(DataLines *d)
{
    while (!d->ended && !shell_interrupted())
        (void)data_line(d, &d->line); /* one that is too long is as good as any */
    if (d->input->kind == INPUT_TERMINAL && d->input->file != NULL)
        clearerr(d->input->file); /* Ctrl-D ended the data, not the session */
    strbuf_release(&d->prompt);
    strbuf_release(&d->line);
}
