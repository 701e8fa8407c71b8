/*
 * grammar_int.h - grammars as texts, and a matcher for them
 *
 * A grammar is written as in a manual:
 *   WORD          this keyword, in any case        ( ) , =     these signs
 *   [ a | b ]     one of them or nothing           { a | b }   one of them
 *   x ,...        x once or more, with commas      [ a | b ]*  each at most once, in any order
 *   x ...         x once or more
 *   <name:WANT>   a value: the item's name (ITEM_..., in lower case) and what it may be (WANT_...)
 *   @name         notes that this place was passed, as an item
 * Alternatives are tried in order and the first that fits is taken; a list ends before a comma that no further
 * element follows. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_GRAMMAR_INT_H
#define OTTLA_STATEMENT_GRAMMAR_INT_H

#include "scan_int.h"

typedef struct GrammarRow {
    StatementKind kind;
    const char *name; /* for \h; rows of one name follow each other */
    const char *grammar;
    const char *summary;
} GrammarRow;

extern const GrammarRow grammar_rows[];
extern const int32_t grammar_row_count;

/* Different things that may be expected at one place. */
#define EXPECTED_MAX 96

/* The farthest place that a match came to, and what could have stood there. */
typedef struct Expected {
    int32_t token;
    StatementHint list[EXPECTED_MAX];
    int32_t count;
} Expected;

/*
 * Matches all tokens from index `first` to the end with a row. True: the items are in *ret. Else *expected is
 * as far as any match came since it was cleared (token -1).
 */
bool grammar_match(int32_t row, const Tokens *tokens, int32_t first, Arena *arena, Statement *ret,
                   Expected *expected);

/* A grammar as people read it: values as their names, notes left out. */
void grammar_show(const char *grammar, StrBuf *out);

/* What is wanted, for messages: "topic name". */
const char *grammar_want_text(StatementWant want);

/* Name of the first row of a kind. */
const char *grammar_name(StatementKind kind);

bool grammar_word_equal(StrView text, const char *word);

#endif
