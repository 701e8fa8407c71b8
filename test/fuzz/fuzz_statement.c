/*
 * fuzz_statement.c - any text as a statement of the shell
 *
 * Claims: parsing ends with items that lie in the text or are no longer than it, or with an error whose place lies in the
 * text; completion at every byte says where a word begins that ends there; values convert or stay.
 *
 * Corpus: test/fuzz/corpus/statement, made by test/fuzz/seed_statement.pl.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/statement/parse.h"
#include "statement/values_int.h"

#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
count_hint(void *arg, const StatementHint *h)
{
    int *count = arg;

    ot_assert((h->want == WANT_KEYWORD) == (h->keyword != NULL));
    (*count)++;
}

static void
check_values(StrView text, Arena *arena)
{
    int64_t number;
    StrView raw = value_for_config(CONF_SCOPE_TOPIC, STRVIEW("retention.ms"), text, arena);

    ot_assert(raw.len <= text.len || raw.len <= 20);
    (void)value_duration_ms(text, &number);
    (void)value_timestamp_ms(text, 1700000000000, "UTC", &number);
    (void)value_rate(text, &number);
    ot_assert(glob_matches(STRVIEW("*"), text));
    (void)glob_matches(text, STRVIEW("aaaaaaaaaaaaaaaaaaaaaaaaaaaaab"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy;
    StrView text;
    Arena *arena;
    Statement s;
    StatementError error;

    if (size > TEXT_MAX)
        return 0;
    copy = malloc(size + 1); /* exactly as long, so that a byte too far is seen */
    arena = arena_new(4096, (size_t)64 << 20);
    ot_assert(copy != NULL && arena != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    text = (StrView){copy, (int32_t)size};
    if (statement_parse(text, arena, &s, &error) == 0) {
        ot_assert(s.kind < STATEMENT_COUNT && statement_knows(text));
        for (int32_t i = 0; i < s.count; i++) {
            ot_assert(s.items[i].name < ITEM_COUNT && s.items[i].pos < text.len);
            ot_assert(s.items[i].text.len <= text.len);
            check_values(s.items[i].text, arena);
        }
    } else {
        ot_assert(error.position >= 0 && error.position <= text.len && error.message[0] != '\0');
    }
    for (int32_t pos = text.len > 8 ? text.len - 8 : 0; pos <= text.len; pos++) {
        int count = 0;
        int32_t start = statement_complete(text, pos, count_hint, &count);

        ot_assert(start >= 0 && start <= pos);
    }
    arena_free(arena);
    free(copy);
    return 0;
}
