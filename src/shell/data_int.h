/*
 * data_int.h - data that stands among statements: the lines behind a command
 *
 * They come from where the command stands: the file that is being run, or the terminal; behind a -c from standard input.
 * A line that is "\." ends them, else the end of the input does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_DATA_INT_H
#define OTTLA_SHELL_DATA_INT_H

#include "input_int.h"

#define DATA_LINE_BYTES_MAX ((size_t)256 << 20)

typedef struct DataLines {
    Shell *shell;
    Input *input;
    Input standard; /* standard input, behind a -c */
    StrBuf prompt;
    StrBuf line;  /* of the stream */
    size_t given; /* bytes of it that were read */
    bool ended;
} DataLines;

/* At a terminal it says how the lines end. */
void data_begin(DataLines *d, Shell *shell);

/* The next line without its end, into *line. INPUT_END: there are no more. */
InputGot data_line(DataLines *d, StrBuf *line);

/* The lines as a stream, to be closed before data_end; NULL: no memory. One that is too long is EMSGSIZE. */
FILE *data_stream(DataLines *d);

/* The bytes behind the command, up to the end of the input, instead of lines. NULL: it stands at a terminal. */
FILE *data_bytes(Shell *shell);

/* What is left is read, so that nobody takes it for statements; not after Ctrl-C. */
void data_end(DataLines *d);

#endif
