/*
 * test_gate.c - memory for large requests and producer ids, shared by forked backends
 *
 * Proves that the budget holds across processes, that a death gives back what was held, that who
 * waits is woken, that one request alone is always let in, and that no producer id is given out
 * twice while processes are killed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/gate_int.h"
#include "ipc/shm_kit.h"
#include "ottla/backend/gate.h"
#include "ottla/backend/producer_ids.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/slot.h"

#define BUDGET    100
#define ID_BLOCKS 64
#define IDS_MAX   (ID_BLOCKS * PRODUCER_ID_BLOCK)

/* Lies in kit_scratch behind the two regions. */
typedef struct Board {
    AtomicU32 stage;
    AtomicU32 taken;
    AtomicI64 next_block;
    AtomicU32 given[IDS_MAX];
} Board;

static Board *board;

static int
setup(void **state)
{
    ShmLimits limits;
    char *at;

    if (kit_setup(state) != 0)
        return 1;
    kit_limits(&limits);
    at = kit_scratch;
    memset(at, 0, KIT_SCRATCH);
    backend_gate_shm_init(at, &limits);
    at += region_round(backend_gate_shm_size(&limits));
    producer_ids_shm_init(at, &limits);
    at += region_round(producer_ids_shm_size(&limits));
    board = (Board *)at;
    assert_true(at + sizeof *board <= (char *)kit_scratch + KIT_SCRATCH);
    return 0;
}

static void
await_stage(uint32_t stage)
{
    KIT_WAIT_UNTIL(atomic_u32_load(&board->stage) >= stage);
}

static void
hold_and_wait(void *arg)
{
    assert_true(gate_take((intptr_t)arg, BUDGET));
    atomic_u32_store(&board->stage, 1);
    while (atomic_u32_load(&board->stage) < 2)
        (void)mainloop_wait(clock_mono_us() + 5000000, WAIT_EV_CLIENT_READ);
    gate_release();
    atomic_u32_store(&board->stage, 3);
}

static void
test_death_gives_back(void **state)
{
    pid_t holder;

    (void)state;
    kit_become(0);
    holder = kit_fork_slot(1, hold_and_wait, (void *)60);
    await_stage(1);
    assert_false(gate_take(41, BUDGET));
    assert_true(gate_take(40, BUDGET));
    gate_release();
    assert_false(gate_take(60, BUDGET));
    kit_kill(holder);
    assert_true(gate_take(60, BUDGET));
    gate_release();
    assert_true(gate_take(BUDGET * 5, BUDGET)); /* alone */
    gate_forget();
}

static void
test_release_wakes(void **state)
{
    pid_t holder;
    int64_t begin;

    (void)state;
    kit_become(0);
    holder = kit_fork_slot(1, hold_and_wait, (void *)90);
    await_stage(1);
    assert_false(gate_take(50, BUDGET));
    atomic_u32_store(&board->stage, 2);
    latch_set_index(1); /* the holder goes on and gives back */
    begin = clock_mono_us();
    while (!gate_take(50, BUDGET))
        (void)mainloop_wait(begin + 5000000, WAIT_EV_REQUEST_MEMORY);
    assert_true(clock_mono_us() - begin < 4000000); /* woken, not timed out */
    gate_forget();
    kit_join(holder);
}

static void
test_lines(void **state)
{
    uint32_t dropped;
    int allowed = 0;

    (void)state;
    for (int i = 0; i < 50; i++)
        allowed += gate_line_allowed(7000000, &dropped);
    assert_int_equal(allowed, 10);
    assert_true(gate_line_allowed(8000000, &dropped));
    assert_int_equal(dropped, 40);
    assert_true(gate_line_allowed(8000001, &dropped));
    assert_int_equal(dropped, 0);
}

static void
take_ids(void *arg)
{
    (void)arg;
    for (;;) {
        int64_t id;

        if (!producer_ids_take(&id)) {
            int64_t block = atomic_i64_add(&board->next_block, 1);

            if (block >= ID_BLOCKS)
                return;
            id = producer_ids_refill(block * PRODUCER_ID_BLOCK);
        }
        if (atomic_u32_add(&board->given[id], 1) != 0)
            abort();
        (void)atomic_u32_add(&board->taken, 1);
    }
}

static void
test_ids_once(void **state)
{
    pid_t pids[6];

    (void)state;
    for (int i = 0; i < 6; i++)
        pids[i] = kit_fork(take_ids, NULL);
    KIT_WAIT_UNTIL(atomic_u32_load(&board->taken) >= 2000);
    kit_kill(pids[0]);
    for (int i = 1; i < 6; i++)
        kit_join(pids[i]);
    assert_true(atomic_u32_load(&board->taken) > IDS_MAX / 2);
    for (int i = 0; i < IDS_MAX; i++)
        assert_true(atomic_u32_load(&board->given[i]) <= 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_death_gives_back, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_release_wakes, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_lines, setup, kit_teardown),
        cmocka_unit_test_setup_teardown(test_ids_once, setup, kit_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
