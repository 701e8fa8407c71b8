/*
 * test_pool.c - a chunk has one owner, and what the dead held is found
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/pool.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/slot.h"

#define CHUNKS 64

static Pool *
new_pool(void *memory)
{
    memset(memory, 0, pool_size(CHUNKS));
    pool_init(memory, CHUNKS);
    return memory;
}

static bool
owner_is_seven(uint32_t chunk, uint64_t owner, void *arg)
{
    (void)chunk;
    (void)arg;
    return owner == 7;
}

static void
takes_frees_transfers_scans(void **state)
{
    static alignas(CACHE_LINE_BYTES) unsigned char memory[4096];
    Pool *pool = new_pool(memory);
    uint32_t position = 10;

    (void)state;
    for (uint32_t i = 0; i < CHUNKS; i++)
        assert_int_equal(pool_alloc(pool, i % 2 == 0 ? 7 : 8, 0), i);
    assert_int_equal(pool_alloc(pool, 9, 0), POOL_NONE);
    assert_false(pool_free(pool, 3, 7));
    assert_true(pool_free(pool, 3, 8));
    assert_int_equal(pool_alloc(pool, 9, 1), 3);
    assert_true(pool_transfer(pool, 3, 9, 7));
    assert_false(pool_transfer(pool, 3, 9, 7));
    assert_int_equal(pool_scan(pool, &position, CHUNKS / 2, owner_is_seven, NULL), 16);
    assert_int_equal(position, 10 + CHUNKS / 2);
    assert_int_equal(pool_scan(pool, &position, CHUNKS * 2, owner_is_seven, NULL), 17);
    assert_int_equal(pool_owner(pool, 3), 0);
    assert_int_equal(pool_owner(pool, 5), 8);
}

static Pool *thread_pool;
static AtomicU64 held_by[CHUNKS];

static void *
take_and_free(void *arg)
{
    uint64_t me = (uint64_t)(uintptr_t)arg;
    RandomSeq seq = {me};
    uint32_t mine[8];
    uint32_t count = 0;

    for (int i = 0; i < 30000; i++) {
        if (count < 8 && random_seq_below(&seq, 2) == 0) {
            uint32_t chunk = pool_alloc(thread_pool, me, 0);

            if (chunk == POOL_NONE)
                continue;
            ot_assert(atomic_u64_swap(&held_by[chunk], me) == 0);
            mine[count++] = chunk;
        } else if (count > 0) {
            uint32_t chunk = mine[--count];

            ot_assert(atomic_u64_swap(&held_by[chunk], 0) == me);
            ot_assert(pool_free(thread_pool, chunk, me));
        }
    }
    while (count > 0) {
        ot_assert(atomic_u64_swap(&held_by[mine[--count]], 0) == me);
        ot_assert(pool_free(thread_pool, mine[count], me));
    }
    return NULL;
}

static void
threads_never_share_a_chunk(void **state)
{
    static alignas(CACHE_LINE_BYTES) unsigned char memory[4096];
    pthread_t threads[4];

    (void)state;
    thread_pool = new_pool(memory);
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_free, (void *)(i + 1)), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t i = 0; i < CHUNKS; i++)
        assert_int_equal(pool_owner(thread_pool, i), 0);
    assert_int_equal(atomic_u32_load(&thread_pool->taken), 0);
}

/* A chunk's holder writes its own mark into it and looks whether somebody else writes there too. */
static void
use_chunks(void *arg)
{
    Pool *pool = arg;
    AtomicU64 *marks = (AtomicU64 *)(void *)((char *)arg + pool_size(CHUNKS));
    uint64_t me = slot_ref_pack(slot_ref_self());
    uint32_t position = 0;

    for (;;) {
        uint32_t chunk = pool_alloc(pool, me, 0);

        if (chunk == POOL_NONE) {
            (void)pool_scan(pool, &position, CHUNKS, pool_owner_is_dead, NULL);
            continue;
        }
        for (int i = 0; i < 20; i++) {
            atomic_u64_store(&marks[chunk], me);
            ot_assert(pool_owner(pool, chunk) == me);
            ot_assert(atomic_u64_load(&marks[chunk]) == me);
        }
        ot_assert(pool_free(pool, chunk, me));
    }
}

static void
chunks_of_the_killed_come_back(void **state)
{
    RandomSeq seq = kit_seed("pool under kill -9");
    int64_t end_us = clock_mono_us() + kit_stress_us();
    Pool *pool = new_pool(kit_scratch);
    pid_t pids[4];
    uint32_t position = 0;
    uint32_t lost = 0;
    int kills = 0;

    (void)state;
    for (int i = 0; i < 4; i++)
        pids[i] = kit_fork(use_chunks, pool);
    while (clock_mono_us() < end_us) {
        uint64_t i = random_seq_below(&seq, 4);

        kit_pause_us((int64_t)random_seq_below(&seq, 1500));
        kit_kill(pids[i]);
        pids[i] = kit_fork(use_chunks, pool);
        kills++;
        assert_int_equal(kit_reap_ended(), 0);
    }
    for (int i = 0; i < 4; i++)
        kit_kill(pids[i]);
    lost = pool_scan(pool, &position, CHUNKS, pool_owner_is_dead, NULL);
    for (uint32_t i = 0; i < CHUNKS; i++)
        assert_int_equal(pool_owner(pool, i), 0);
    printf("# %d killed, %u chunks taken back at the end\n", kills, lost);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_frees_transfers_scans),
        cmocka_unit_test(threads_never_share_a_chunk),
        cmocka_unit_test_setup_teardown(chunks_of_the_killed_come_back, kit_setup, kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
