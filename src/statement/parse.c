/*
 * parse.c - one statement from its text, or what is wrong in it and where
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/statement/parse.h"

#include <stdio.h>
#include <string.h>

#include "grammar_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/text.h"

/* Things that a hint names at most; more would be no hint. */
#define HINT_WORDS_MAX 12

/* Bytes of memory for looking at the first words only. */
#define PEEK_ARENA_BYTES ((size_t)1 << 16)

static bool
token_is(const Tokens *tokens, int32_t at, const char *word)
{
    return at < tokens->count && tokens->list[at].kind == TOKEN_WORD &&
           grammar_word_equal(tokens->list[at].text, word);
}

/* Is this the first word of some statement? */
static bool
first_word_known(StrView word)
{
    for (int32_t i = 0; i < grammar_row_count; i++) {
        const char *name = grammar_rows[i].name;
        StrView first = {name, (int32_t)strcspn(name, " ")};

        if (text_equal_nocase(first, word))
            return true;
    }
    return false;
}

static void
hint_nearest(StrView word, StatementError *error)
{
    int best = 3;

    for (int32_t i = 0; i < grammar_row_count; i++) {
        const char *name = grammar_rows[i].name;
        char upper[64];
        int32_t n = 0;
        StrView first = {name, (int32_t)strcspn(name, " ")};
        int distance;

        for (; n < word.len && n < (int32_t)sizeof upper; n++)
            upper[n] =
                (char)(word.ptr[n] >= 'a' && word.ptr[n] <= 'z' ? word.ptr[n] - 32 : word.ptr[n]);
        distance = text_distance(first, (StrView){upper, n}, best - 1);
        if (distance < best) {
            best = distance;
            (void)snprintf(error->hint, sizeof error->hint, "Perhaps you meant %.*s.",
                           (int)first.len, first.ptr);
        }
    }
}

/* "Expected PARTITIONS, REPLICATION or WITH." */
static void
hint_expected(const Expected *e, StatementError *error)
{
    size_t used = 0, size = sizeof error->hint;
    int32_t shown = 0, total = 0;

    for (int32_t i = 0; i < e->count; i++)
        total += e->list[i].keyword == NULL || strcmp(e->list[i].keyword, ";") != 0;
    if (total == 0 || total > HINT_WORDS_MAX)
        return;
    for (int32_t i = 0; i < e->count && used < size; i++) {
        const StatementHint *h = &e->list[i];
        const char *before = shown == 0 ? "Expected " : shown + 1 == total ? " or " : ", ";
        int n;

        if (h->keyword != NULL && strcmp(h->keyword, ";") == 0)
            continue;
        if (h->keyword != NULL && h->keyword[1] == '\0')
            n = snprintf(error->hint + used, size - used, "%s\"%s\"", before, h->keyword);
        else if (h->keyword != NULL)
            n = snprintf(error->hint + used, size - used, "%s%s", before, h->keyword);
        else
            n = snprintf(error->hint + used, size - used, "%s%s %s", before,
                         strchr("aeiou", *grammar_want_text(h->want)) != NULL ? "an" : "a",
                         grammar_want_text(h->want));
        used += (size_t)n;
        shown++;
    }
    if (used + 1 < size)
        (void)snprintf(error->hint + used, size - used, ".");
}

/* Says that the word at this place is wrong, as psql does. */
static int
syntax_error(StrView text, const Token *at, StatementError *error)
{
    int32_t len = at->end - at->pos;

    error->position = at->pos;
    if (at->kind == TOKEN_END)
        (void)snprintf(error->message, sizeof error->message, "syntax error at end of input");
    else
        (void)snprintf(error->message, sizeof error->message, "syntax error at or near \"%.*s%s\"",
                       (int)(len > 60 ? 60 : len), text.ptr + at->pos, len > 60 ? "..." : "");
    return -1;
}

int
statement_parse(StrView text, Arena *arena, Statement *ret, StatementError *ret_error)
{
    Tokens tokens;
    Expected *expected = arena_alloc(arena, sizeof *expected);
    int32_t wrong;

    if (expected == NULL) {
        *ret_error = (StatementError){.message = "out of memory"};
        return -1;
    }
    if (!tokens_scan(text, false, arena, &tokens, ret_error))
        return -1;
    expected->token = -1;
    expected->count = 0;
    *ret = (Statement){.text = text};
    for (int32_t first = 0; first <= (token_is(&tokens, 0, "EXPLAIN") ? 1 : 0); first++) {
        for (int32_t row = 0; row < grammar_row_count; row++) {
            if (grammar_match(row, &tokens, first, arena, ret, expected)) {
                ret->explain = first == 1;
                return 0;
            }
        }
    }
    ot_assert(expected->token >= 0 && expected->token < tokens.count);
    wrong = expected->token;
    if (wrong == 0 && tokens.list[0].kind == TOKEN_WORD && !first_word_known(tokens.list[0].text))
        hint_nearest(tokens.list[0].text, ret_error);
    else
        hint_expected(expected, ret_error);
    return syntax_error(text, &tokens.list[wrong], ret_error);
}

bool
statement_knows(StrView text)
{
    Arena *arena = arena_new(4096, PEEK_ARENA_BYTES);
    StatementError error;
    Tokens tokens;
    StrView head = {text.ptr, text.len < 256 ? text.len : 256};
    bool known = false;

    if (arena == NULL)
        return false;
    for (;;) {
        if (!tokens_scan(head, true, arena, &tokens, &error))
            break;
        /* comments before the first words may be longer than what was looked at */
        if (tokens.count < 3 && head.len < text.len && head.len < (1 << 14)) {
            head.len = text.len < head.len * 4 ? text.len : head.len * 4;
            continue;
        }
        known = tokens.list[0].kind == TOKEN_WORD && first_word_known(tokens.list[0].text);
        if (token_is(&tokens, 0, "EXPLAIN"))
            known = !token_is(&tokens, 1, "SELECT") && !token_is(&tokens, 1, "WITH") &&
                    !token_is(&tokens, 1, "VALUES") && !token_is(&tokens, 1, "QUERY");
        if (token_is(&tokens, 0, "CREATE"))
            known = !token_is(&tokens, 1, "TEMP") && !token_is(&tokens, 1, "TEMPORARY") &&
                    !token_is(&tokens, 1, "TABLE") && !token_is(&tokens, 1, "VIEW") &&
                    !token_is(&tokens, 1, "INDEX");
        break;
    }
    arena_free(arena);
    return known;
}

int32_t
statement_find(const Statement *s, StatementItemName name, int32_t from)
{
    for (int32_t i = from; i < s->count; i++) {
        if (s->items[i].name == name)
            return i;
    }
    return -1;
}

StrView
statement_text_of(const Statement *s, StatementItemName name)
{
    int32_t at = statement_find(s, name, 0);

    return at < 0 ? (StrView){0} : s->items[at].text;
}

int64_t
statement_number_of(const Statement *s, StatementItemName name, int64_t otherwise)
{
    int64_t number = otherwise;
    int32_t at = statement_find(s, name, 0);

    if (at >= 0)
        ot_assert(text_to_int64(s->items[at].text, &number));
    return number;
}

int32_t
statement_count_of(const Statement *s, StatementItemName name)
{
    int32_t count = 0;

    for (int32_t i = 0; i < s->count; i++)
        count += s->items[i].name == name;
    return count;
}
