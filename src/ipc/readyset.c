/*
 * readyset.c - which of n things need a look: bits that many set and one takes
 *
 * Runs in: every process.
 *
 * Crash argument. Setter killed between bit and summary: the bit waits for the taker's next look at
 * every word, which rescan_epoch orders after any abnormal death. Taker killed with taken bits in
 * private memory: the taker was the owner of what they stand for, and its successor begins by
 * looking at everything.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/readyset.h"

#include "ottla/common/assert.h"

static const uint64_t one = 1;

bool
ready_set(ReadySet *set, int32_t bit)
{
    int32_t word = bit >> 6;
    uint64_t mask = one << (bit & 63);
    uint64_t summary = one << (word & 63);
    AtomicU64 *top = &set->summary[word >> 6];
    bool fresh;

    ot_assert_slow(bit >= 0 && bit < READY_BITS_MAX);
    /* Set already, and not taken yet: the taker looks at the data after it took the bit [Y2]. */
    if ((atomic_u64_load_seq(&set->words[word]) & mask) != 0 &&
        (atomic_u64_load_seq(top) & summary) != 0)
        return false;
    fresh = (atomic_u64_or(&set->words[word], mask) & mask) == 0;
    /* [Y1] even when the bit was there: its setter may have died before the summary. */
    if ((atomic_u64_load_seq(top) & summary) == 0)
        (void)atomic_u64_or(top, summary);
    return fresh;
}

void
ready_begin(ReadyCursor *cursor, ReadySet *set, int32_t bits, bool all)
{
    ot_assert(bits > 0 && bits <= READY_BITS_MAX);
    *cursor = (ReadyCursor){
        .set = set,
        .word_count = (int32_t)ready_words(bits),
        .summary_index = -1,
        .all = all,
    };
}

/* Takes the next summary word. False: there is none. */
static bool
next_summary(ReadyCursor *cursor)
{
    int32_t words_left;

    cursor->summary_index++;
    words_left = cursor->word_count - cursor->summary_index * 64;
    if (words_left <= 0)
        return false;
    if (atomic_u64_load_seq(&cursor->set->summary[cursor->summary_index]) != 0)
        cursor->summary_left = atomic_u64_swap(&cursor->set->summary[cursor->summary_index], 0);
    else
        cursor->summary_left = 0;
    if (cursor->all)
        cursor->summary_left = words_left >= 64 ? UINT64_MAX : (one << words_left) - 1;
    return true;
}

int32_t
ready_next(ReadyCursor *cursor)
{
    int bit;

    while (cursor->word_left == 0) {
        AtomicU64 *word;

        if (cursor->summary_left == 0) {
            if (cursor->summary_index * 64 >= cursor->word_count || !next_summary(cursor))
                return -1;
            continue;
        }
        bit = __builtin_ctzll(cursor->summary_left);
        cursor->summary_left &= cursor->summary_left - 1;
        cursor->word_index = cursor->summary_index * 64 + bit;
        word = &cursor->set->words[cursor->word_index];
        cursor->looked++;
        if (atomic_u64_load_seq(word) != 0)
            cursor->word_left = atomic_u64_swap(word, 0);
        fence_full(); /* [Y2] taken before the caller looks at the data */
    }
    bit = __builtin_ctzll(cursor->word_left);
    cursor->word_left &= cursor->word_left - 1;
    return cursor->word_index * 64 + bit;
}

void
ready_put_back(ReadyCursor *cursor)
{
    if (cursor->word_left != 0) {
        (void)atomic_u64_or(&cursor->set->words[cursor->word_index], cursor->word_left);
        cursor->summary_left |= one << (cursor->word_index & 63);
        cursor->word_left = 0;
    }
    if (cursor->summary_left != 0) {
        (void)atomic_u64_or(&cursor->set->summary[cursor->summary_index], cursor->summary_left);
        cursor->summary_left = 0;
    }
    cursor->summary_index = cursor->word_count; /* a walk ends here */
}

void
ready_clear(ReadySet *set, int32_t bits)
{
    int32_t words = (int32_t)ready_words(bits);

    for (int32_t i = 0; i * 64 < words; i++)
        atomic_u64_store_seq(&set->summary[i], 0);
    /* Reading an untouched page maps the zero page only: write where something stands. */
    for (int32_t i = 0; i < words; i++)
        if (atomic_u64_load_relaxed(&set->words[i]) != 0)
            atomic_u64_store_seq(&set->words[i], 0);
}
