/*
 * scan_int.h - the words of a statement
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_SCAN_INT_H
#define OTTLA_STATEMENT_SCAN_INT_H

#include "ottla/common/arena.h"
#include "ottla/statement/parse.h"

/* Longest statement; a plan that is larger comes from a file. */
#define STATEMENT_TEXT_MAX (1 << 20)

typedef enum TokenKind {
    TOKEN_END,
    TOKEN_WORD,   /* bare: a keyword, a name, a number, a value with its unit */
    TOKEN_STRING, /* '...', E'...', $tag$...$tag$ */
    TOKEN_IDENT,  /* "..." */
    TOKEN_PUNCT,  /* one character */
} TokenKind;

typedef struct Token {
    StrView text; /* without quotes and escapes */
    int32_t pos;  /* where it begins in the statement */
    int32_t end;  /* behind its last byte */
    uint8_t kind; /* TokenKind */
    bool open;    /* its quote has no end; in partial statements only */
} Token;

typedef struct Tokens {
    Token *list;   /* the last one is TOKEN_END, where the text ends without blanks and semicolon */
    int32_t count; /* with TOKEN_END */
} Tokens;

/*
 * Cuts a text into words. Comments are blanks; a semicolon may stand at the end. partial: a quote or comment
 * that has no end is none of the errors. False: *ret_error says where and why.
 */
bool tokens_scan(StrView text, bool partial, Arena *arena, Tokens *ret, StatementError *ret_error);

#endif
