/*
 * complete.c - what may follow in an unfinished statement, and \h
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "grammar_int.h"
#include "ottla/common/text.h"
#include "values_int.h"

/* Memory for one completion: unfinished statements are short. */
#define COMPLETE_ARENA_BYTES ((size_t)4 << 20)

static void
tell(const Expected *e, void (*fn)(void *arg, const StatementHint *h), void *arg)
{
    for (int32_t i = 0; i < e->count; i++) {
        if (e->list[i].want != WANT_OPERATION) {
            fn(arg, &e->list[i]);
            continue;
        }
        for (int operation = 3; acl_operation_name(operation) != NULL; operation++)
            fn(arg,
               &(StatementHint){.want = WANT_KEYWORD, .keyword = acl_operation_name(operation)});
    }
}

/* The word that ends at the cursor is what is asked for: not one of the words before it. */
static int32_t
take_partial(Tokens *tokens, int32_t pos)
{
    Token *end = &tokens->list[tokens->count - 1];
    Token *last = tokens->count > 1 ? end - 1 : NULL;

    if (last == NULL || last->end != pos || last->kind == TOKEN_PUNCT ||
        (last->kind != TOKEN_WORD && !last->open))
        return pos;
    pos = last->pos;
    *last = (Token){.text = end->text, .pos = pos, .end = pos, .kind = TOKEN_END};
    tokens->count--;
    return pos;
}

int32_t
statement_complete(StrView text, int32_t pos, void (*fn)(void *arg, const StatementHint *h),
                   void *arg)
{
    Arena *arena = arena_new(1 << 16, COMPLETE_ARENA_BYTES);
    Expected *expected = arena == NULL ? NULL : arena_alloc(arena, sizeof *expected);
    StatementError error;
    Tokens tokens;

    if (pos < 0 || pos > text.len)
        pos = text.len;
    if (expected != NULL && tokens_scan((StrView){text.ptr, pos}, true, arena, &tokens, &error)) {
        bool explain;

        pos = take_partial(&tokens, pos);
        expected->token = -1;
        expected->count = 0;
        explain =
            tokens.list[0].kind == TOKEN_WORD && grammar_word_equal(tokens.list[0].text, "EXPLAIN");
        for (int32_t first = 0; first <= (explain ? 1 : 0); first++) {
            for (int32_t row = 0; row < grammar_row_count; row++) {
                Statement s = {.text = text};

                (void)grammar_match(row, &tokens, first, arena, &s, expected);
            }
        }
        if (tokens.count == 1) /* has no grammar of its own */
            fn(arg, &(StatementHint){.want = WANT_KEYWORD, .keyword = "EXPLAIN"});
        if (expected->token == tokens.count - 1)
            tell(expected, fn, arg);
    }
    arena_free(arena);
    return pos;
}

/* Do the words stand at the beginning of the name, each whole? */
static bool
name_begins(const char *name, StrView words)
{
    StrView w = text_trim(words);
    size_t n = 0;

    while (w.len > 0) {
        int32_t len = 0;
        StrView head;

        while (len < w.len && (unsigned char)w.ptr[len] > ' ')
            len++;
        head.ptr = name + n;
        head.len = (int32_t)strcspn(name + n, " ");
        if (!text_equal_nocase(head, (StrView){w.ptr, len}))
            return false;
        n += (size_t)head.len;
        n += name[n] == ' ';
        w = text_trim((StrView){w.ptr + len, w.len - len});
    }
    return true;
}

bool
statement_help(StrView words, StrBuf *out)
{
    const char *last = NULL;

    for (int32_t i = 0; i < grammar_row_count; i++) {
        const GrammarRow *row = &grammar_rows[i];

        if (!name_begins(row->name, words))
            continue;
        if (last == NULL || strcmp(last, row->name) != 0) {
            if (last != NULL)
                strbuf_add_char(out, '\n');
            strbuf_printf(out, "Command:     %s\nDescription: %s\nSyntax:\n", row->name,
                          row->summary);
        }
        last = row->name;
        grammar_show(row->grammar, out);
        strbuf_add_char(out, '\n');
    }
    return last != NULL;
}

int32_t
statement_names(const char *ret[], int32_t most)
{
    int32_t count = 0;

    for (int32_t i = 0; i < grammar_row_count; i++) {
        int32_t at = count;
        bool twice = false;

        for (int32_t j = 0; j < count && !twice; j++)
            twice = strcmp(ret[j], grammar_rows[i].name) == 0;
        if (twice || count == most)
            continue;
        while (at > 0 && strcmp(ret[at - 1], grammar_rows[i].name) > 0) {
            ret[at] = ret[at - 1];
            at--;
        }
        ret[at] = grammar_rows[i].name;
        count++;
    }
    return count;
}
