/*
 * input_int.h - where lines come from: a terminal, a file, a string
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_INPUT_INT_H
#define OTTLA_SHELL_INPUT_INT_H

#include "shell_int.h"

typedef enum InputKind { INPUT_TERMINAL, INPUT_FILE, INPUT_STRING } InputKind;

typedef struct Input {
    InputKind kind;
    FILE *file;
    StrView rest;           /* of a string */
    const char *shown_name; /* before errors; NULL: none */
    const char *folder_of;  /* path of the file, for \ir; NULL: none */
    int64_t line;
    struct Input *outer;
    /* the loop's */
    Lexer lexer;
    CondStack conds;
    bool stop_at_error; /* whatever ON_ERROR_STOP says: strings of -c */
    bool single;        /* one backslash command, no more */
    bool left;          /* by \\q */
    int eof_count;      /* Ctrl-D in a row */
} Input;

typedef enum InputGot { INPUT_LINE, INPUT_END, INPUT_INTERRUPTED, INPUT_TOO_LONG } InputGot;

/* The next line without its end, into *line. prompt: shown at a terminal. */
InputGot input_line(Shell *shell, Input *input, const char *prompt, StrBuf *line);

/* The next line of input->file. */
InputGot input_file_line(Input *input, StrBuf *line);

/* ---- loop.c ---- */

/* Reads and runs everything; an exit code. */
int shell_run_input(Shell *shell, Input *input);

/* A file by its name, "-" is stdin; relative: to the file that is being read (\ir). An exit code; 1 when it cannot be read. */
int shell_run_file(Shell *shell, const char *path, bool relative);

/* The text of a -c. */
int shell_run_string(Shell *shell, const char *text);

#endif
