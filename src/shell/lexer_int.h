/*
 * lexer_int.h - cuts input into statements and backslash commands, puts variables in
 *
 * Lines go in one by one; what belongs to a statement is appended to the caller's buffer until its end,
 * the end of the line, or a backslash. Behind a backslash the same line is read as the name and the
 * arguments of a command. Knows quotes, nested comments, $tag$ quotes and parentheses, and nothing of
 * statements otherwise. Pure: values of variables and the output of `commands` come from the caller.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_LEXER_INT_H
#define OTTLA_SHELL_LEXER_INT_H

#include <stdbool.h>
#include <stddef.h>

#include "ottla/common/strbuf.h"
#include "ottla/common/view.h"

/* A line, with the values of its variables; and the text between two dollar signs. */
#define LEX_LINE_BYTES_MAX (64 << 20)
#define LEX_TAG_BYTES_MAX  63

/* Variables in values of variables. */
#define LEX_EXPANSIONS_MAX 16

/* Values put into one line; beyond it variables stay as they are written. */
#define LEX_EXPANSIONS_LINE_MAX 10000

typedef struct LexEnv {
    /* The value of a variable, NULL: not defined, and left as it stands. May be NULL: nothing is looked up. */
    const char *(*lookup)(void *arg, StrView name);
    /* Appends what a command of `...` prints; says itself what went wrong. */
    void (*run)(void *arg, const char *command, StrBuf *out);
    void *arg;
} LexEnv;

typedef enum LexEnd {
    LEX_END_LINE,      /* the line is used up */
    LEX_END_STATEMENT, /* a semicolon ended the statement */
    LEX_END_COMMAND,   /* a backslash: lexer_command_name() is next */
} LexEnd;

typedef enum LexArg {
    LEX_ARG_WORD, /* up to a blank or backslash; quotes, variables, `commands` */
    LEX_ARG_PIPE, /* likewise, but from '|' on the rest of the line as it stands */
    LEX_ARG_REST, /* the rest of the line as it stands, without blanks around it */
} LexArg;

typedef enum LexFound {
    LEX_NONE,
    LEX_FOUND,
    LEX_UNTERMINATED, /* a quote or backtick that is not closed; the line is used up */
} LexFound;

typedef struct LexExpansion {
    size_t end; /* where its value ends in the line */
    char name[64];
} LexExpansion;

typedef struct Lexer {
    LexEnv env;
    StrBuf line;
    size_t pos;
    char quote;                      /* 0: none; '\'', 'E', '"', '$' */
    char tag[LEX_TAG_BYTES_MAX + 3]; /* "$tag$" */
    int comment_depth;
    bool comment_hidden; /* it began before the statement */
    int paren_depth;
    LexExpansion expansions[LEX_EXPANSIONS_MAX];
    int expansions_count;
    int expansions_line;
} Lexer;

void lexer_init(Lexer *lexer, const LexEnv *env);
void lexer_fini(Lexer *lexer);

/* Forgets quotes, comments and parentheses that are open, not the rest of the line. */
void lexer_reset(Lexer *lexer);

/* Forgets the rest of the line, too. */
void lexer_clear(Lexer *lexer);

/* The next line, without its end. False: too long or no memory; the line is empty then. */
bool lexer_start_line(Lexer *lexer, StrView line);

/* Goes on in the line; blanks and comments before a statement are dropped. */
LexEnd lexer_scan(Lexer *lexer, StrBuf *statement);

/* Nothing left of the line but blanks? */
bool lexer_line_is_done(const Lexer *lexer);

/* What is open: ' (also of E'), " $ * (comment) ( or 0. */
char lexer_open(const Lexer *lexer);

/* The name behind the backslash; may be empty. */
void lexer_command_name(Lexer *lexer, StrBuf *ret);

/* The next argument; *ret is cleared first. An empty one in quotes is found, too. */
LexFound lexer_argument(Lexer *lexer, LexArg kind, StrBuf *ret);

/* Arguments that nobody wants, without running anything; rest_of_line: the command takes it whole. */
void lexer_skip_arguments(Lexer *lexer, bool rest_of_line);

/* Behind the last argument: blanks, and "\\" if it stands there. */
void lexer_end_command(Lexer *lexer);

#endif
