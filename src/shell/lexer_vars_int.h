/*
 * lexer_vars_int.h - variables in input: :name, :'name', :"name", :{?name}
 *
 * Shared by the scan of statements and that of arguments. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_LEXER_VARS_INT_H
#define OTTLA_SHELL_LEXER_VARS_INT_H

#include "lexer_int.h"

/*
 * At a colon: puts the value of :name into the line in its place (to be read again), the quoted forms and
 * the answer of :{?name} to the end of *out, and goes on behind them. False: no variable stands here, or
 * none that is defined; nothing is changed.
 */
bool lexer_expand(Lexer *lexer, StrBuf *out);

/* The same at a colon in an argument: a plain value goes to *out, too. */
bool lexer_expand_argument(Lexer *lexer, StrBuf *out);

#endif
