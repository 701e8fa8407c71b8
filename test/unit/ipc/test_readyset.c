/*
 * test_readyset.c - no set bit is lost, and taking costs O(set bits)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/readyset.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/common/clock.h"

#define BITS 10000

static ReadySet *set;

static int
setup(void **state)
{
    (void)state;
    set = aligned_alloc(CACHE_LINE_BYTES, ready_size(BITS));
    assert_non_null(set);
    memset(set, 0, ready_size(BITS));
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    free(set);
    return 0;
}

static void
takes_each_bit_once_in_order(void **state)
{
    static const int32_t bits[] = {0, 63, 64, 4095, 4096, 9999};
    ReadyCursor cursor;

    (void)state;
    for (size_t i = 0; i < 6; i++)
        assert_true(ready_set(set, bits[i]));
    assert_false(ready_set(set, 64));
    ready_begin(&cursor, set, BITS, false);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(ready_next(&cursor), bits[i]);
    assert_int_equal(ready_next(&cursor), -1);
    assert_int_equal(ready_next(&cursor), -1);
    assert_true(cursor.looked <= 6);
}

static void
put_back_keeps_what_was_not_returned(void **state)
{
    ReadyCursor cursor;
    int seen = 0;

    (void)state;
    for (int32_t bit = 0; bit < BITS; bit += 7)
        (void)ready_set(set, bit);
    ready_begin(&cursor, set, BITS, false);
    for (; seen < 100; seen++)
        assert_int_equal(ready_next(&cursor), seen * 7);
    ready_put_back(&cursor);
    assert_int_equal(ready_next(&cursor), -1);
    ready_begin(&cursor, set, BITS, false);
    for (; seen < (BITS + 6) / 7; seen++)
        assert_int_equal(ready_next(&cursor), seen * 7);
    assert_int_equal(ready_next(&cursor), -1);
}

/* What a setter killed between bit and summary leaves. */
static void
bit_without_summary_is_found_by_looking_at_all(void **state)
{
    ReadyCursor cursor;

    (void)state;
    (void)atomic_u64_or(&set->words[77], (uint64_t)1 << 5);
    ready_begin(&cursor, set, BITS, false);
    assert_int_equal(ready_next(&cursor), -1);
    ready_begin(&cursor, set, BITS, true);
    assert_int_equal(ready_next(&cursor), 77 * 64 + 5);
    assert_int_equal(ready_next(&cursor), -1);
    /* Or by the next who sets the same bit. */
    (void)atomic_u64_or(&set->words[77], (uint64_t)1 << 5);
    assert_false(ready_set(set, 77 * 64 + 5));
    ready_begin(&cursor, set, BITS, false);
    assert_int_equal(ready_next(&cursor), 77 * 64 + 5);
}

/* Setters count up a word per bit, then set the bit; the taker must see every last count [Y2]. */
#define SETTERS 3
#define TURNS   20000

static AtomicU32 counts[BITS];
static AtomicU32 setters_left;

static void *
set_bits(void *arg)
{
    RandomSeq seq = {(uint64_t)(uintptr_t)arg};

    for (int i = 0; i < TURNS; i++) {
        int32_t bit = (int32_t)random_seq_below(&seq, 700) * 13;

        (void)atomic_u32_add(&counts[bit], 1);
        (void)ready_set(set, bit);
    }
    (void)atomic_u32_add(&setters_left, UINT32_MAX);
    return NULL;
}

static void
taker_sees_what_every_bit_announced(void **state)
{
    static uint32_t seen[BITS];
    pthread_t threads[SETTERS];
    bool last_walk = false;

    (void)state;
    atomic_u32_store(&setters_left, SETTERS);
    for (uintptr_t i = 0; i < SETTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, set_bits, (void *)(i + 1)), 0);
    for (;;) {
        ReadyCursor cursor;
        int32_t bit;

        last_walk = atomic_u32_load(&setters_left) == 0;
        ready_begin(&cursor, set, BITS, false);
        while ((bit = ready_next(&cursor)) >= 0)
            seen[bit] = atomic_u32_load(&counts[bit]);
        if (last_walk)
            break;
    }
    for (int i = 0; i < SETTERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < BITS; i++)
        assert_int_equal(seen[i], atomic_u32_load(&counts[i]));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_each_bit_once_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(put_back_keeps_what_was_not_returned, setup, teardown),
        cmocka_unit_test_setup_teardown(bit_without_summary_is_found_by_looking_at_all, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(taker_sees_what_every_bit_announced, setup, teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
