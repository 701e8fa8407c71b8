/*
 * test_fetch_session.c - the table of fetch sessions, used and abandoned by several processes
 *
 * Proves that a session made by one process goes on in another; that ids name their slot and are not
 * repeated; that who is killed with a session's lock, at any moment, costs that session alone: it is
 * gone, its chunks come back, its interest counts for nothing, and the slot serves again; that the
 * rules of eviction are Kafka's.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/fetch_session_int.h"
#include "ipc/shm_kit.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/slot.h"

#define FOREVER_MS FETCH_SESSION_EVICTION_MS

/* What parent and children tell each other. */
typedef struct Talk {
    AtomicI32 id;
    AtomicU32 serial;
    AtomicI32 found;
    AtomicU32 made;
} Talk;

static Region sessions_region;
static Talk *talk;

static const RegionRow rows[] = {
    {"fetch_session", fetch_session_shm_size, fetch_session_shm_init, "", "", ""},
};

static int
setup(void **state)
{
    ShmLimits limits;
    ErrInfo err = {0};

    kit_limits(&limits);
    kit_setup(state);
    if (region_map(rows, 1, &limits, &sessions_region, &err) != 0)
        fail_msg("%s", err.text);
    talk = kit_scratch;
    kit_become(KIT_BACKENDS - 1);
    return 0;
}

static int
teardown(void **state)
{
    region_unmap(&sessions_region);
    return kit_teardown(state);
}

static uint32_t
chunks_taken(void)
{
    const Pool *pool = fetch_session_chunks()->pool;
    uint32_t taken = 0;

    for (uint32_t i = 0; i < pool->count; i++)
        taken += pool_owner(pool, i) != 0;
    return taken;
}

static FetchKey
key_of(int32_t partition)
{
    return (FetchKey){.name = STRVIEW("events"), .partition = partition};
}

static void
add_parts(FetchHold *hold, int32_t from, int32_t count)
{
    for (int32_t i = from; i < from + count; i++) {
        FetchKey key = key_of(i);

        assert_true(fetch_set_add(&hold->session->set, fetch_session_chunks(), &key) >= 0);
    }
}

/* A session with so many parts; its id, 0: refused. */
static int32_t
make(int32_t parts, bool privileged, int64_t now_ms)
{
    FetchSessionNew what = {.part_count = parts, .privileged = privileged, .now_ms = now_ms};
    FetchHold hold;
    int32_t id;

    if (!fetch_session_create(&what, &hold))
        return 0;
    add_parts(&hold, 0, parts);
    id = (int32_t)atomic_u32_load(&hold.session->id);
    fetch_session_unlock(&hold);
    return id;
}

static bool
exists(int32_t id)
{
    FetchHold hold;

    if (!fetch_session_lock(id, &hold))
        return false;
    fetch_session_unlock(&hold);
    return true;
}

/* ---- by several processes ----------------------------------------------------------------------- */

static void
go_on_elsewhere(void *arg)
{
    FetchKey key = key_of(2);
    FetchHold hold;

    (void)arg; /* talk says which */
    if (!fetch_session_lock(atomic_i32_load(&talk->id), &hold))
        return;
    if (hold.session->epoch == 1 && hold.session->set.part_count == 3)
        atomic_i32_store(&talk->found,
                         fetch_set_find(&hold.session->set, fetch_session_chunks(), &key));
    hold.session->epoch = fetch_epoch_next(hold.session->epoch);
    add_parts(&hold, 3, 2);
    fetch_session_unlock(&hold);
}

static void
test_goes_on_in_another_process(void **state)
{
    FetchHold hold;

    (void)state;
    atomic_i32_store(&talk->found, -1);
    atomic_i32_store(&talk->id, make(3, false, 1000));
    assert_true(atomic_i32_load(&talk->id) > 0);
    kit_join(kit_fork(go_on_elsewhere, NULL));
    assert_int_equal(atomic_i32_load(&talk->found), 2);
    assert_true(fetch_session_lock(atomic_i32_load(&talk->id), &hold));
    assert_int_equal(hold.session->epoch, 2);
    assert_int_equal(hold.session->set.part_count, 5);
    fetch_set_check(&hold.session->set, fetch_session_chunks());
    fetch_session_destroy(&hold);
    assert_int_equal(fetch_session_count(), 0);
    assert_int_equal(chunks_taken(), 0);
}

static void
test_ids_and_serials(void **state)
{
    int32_t ids[KIT_SESSIONS];
    uint32_t serial;
    FetchHold hold;

    (void)state;
    assert_false(exists(0));
    assert_false(exists(-1));
    assert_false(exists(INT32_MIN));
    assert_false(exists(INT32_MAX));
    for (int i = 0; i < KIT_SESSIONS; i++) {
        ids[i] = make(1, false, 1000);
        assert_true(ids[i] > 0);
        for (int j = 0; j < i; j++)
            assert_int_not_equal(ids[i], ids[j]);
    }
    assert_int_equal(fetch_session_count(), KIT_SESSIONS);
    assert_false(exists(ids[0] + KIT_SESSIONS)); /* the same slot, another id */

    assert_true(fetch_session_lock(ids[0], &hold));
    serial = atomic_u32_load(&hold.session->serial);
    fetch_session_unlock(&hold);
    assert_true(fetch_session_relock(ids[0] % KIT_SESSIONS, serial, &hold));
    fetch_session_destroy(&hold);
    assert_false(fetch_session_relock(ids[0] % KIT_SESSIONS, serial, &hold));
    assert_false(exists(ids[0]));

    assert_int_not_equal(make(1, false, 1000), ids[0]);
    assert_false(
        fetch_session_relock(ids[0] % KIT_SESSIONS, serial, &hold)); /* not its successor */
}

static void
test_epochs(void **state)
{
    (void)state;
    assert_int_equal(fetch_epoch_next(1), 2);
    assert_int_equal(fetch_epoch_next(INT32_MAX - 1), INT32_MAX);
    assert_int_equal(fetch_epoch_next(INT32_MAX), 1);
    assert_int_equal(fetch_epoch_next(FETCH_EPOCH_INITIAL), 1);
}

/* ---- killed with the lock ------------------------------------------------------------------------- */

static void
die_with_lock(void *arg)
{
    FetchHold hold;

    (void)arg; /* talk says which */
    if (!fetch_session_lock(atomic_i32_load(&talk->id), &hold))
        return;
    add_parts(&hold, 100, 500);
    /* Taken, and named by no table of the set. */
    (void)pool_alloc(fetch_session_chunks()->pool, hold.session->set.owner, 0);
    (void)raise(SIGKILL);
}

static void
test_killed_with_lock(void **state)
{
    int32_t other;
    int32_t id;

    (void)state;
    other = make(200, false, 1000);
    id = make(200, false, 1000);
    atomic_i32_store(&talk->id, id);
    (void)kit_fork(die_with_lock, NULL);
    KIT_WAIT_UNTIL(kit_reap_ended() > 0);
    assert_true(chunks_taken() > 8);
    assert_false(exists(id));
    assert_int_equal(fetch_session_count(), 1);
    assert_true(exists(other));
    assert_true(make(10, false, 1000) > 0);
    assert_int_equal(chunks_taken(), 3 + 2); /* 200 parts and a topic; 10 parts and a topic */
}

static void
die_while_waiting(void *arg)
{
    WaitInterest interest = {.list = arg, .mask = WAIT_ON_ANY, .key = 7};
    int32_t node = WAIT_NODE_NONE;
    FetchHold hold;

    if (!fetch_session_lock(atomic_i32_load(&talk->id), &hold))
        return;
    wait_attach(fetch_session_waiter(&hold));
    if (wait_register(fetch_session_waiter(&hold), &interest, &node) != 0)
        return;
    fetch_session_unlock(&hold);
    (void)raise(SIGKILL);
}

/* Who waits in a session and is killed does not burden the partition for ever. */
static void
test_killed_while_waiting(void **state)
{
    WaitList *list = (WaitList *)(void *)(talk + 1);
    WakeBatch batch;
    WaitTake take;
    FetchHold hold;

    (void)state;
    atomic_i32_store(&talk->id, make(3, false, 1000));
    (void)kit_fork(die_while_waiting, list);
    KIT_WAIT_UNTIL(kit_reap_ended() > 0);
    assert_true(wait_list_in_use(list));
    wake_batch_init(&batch);
    wait_notify(list, 0, WAIT_ON_LOG_END, clock_mono_us(), &batch);
    wake_batch_flush(&batch); /* a dead one is no harm */
    assert_false(wait_list_in_use(list));
    assert_true(fetch_session_lock(atomic_i32_load(&talk->id), &hold)); /* it lives */
    wait_begin_take(&take, fetch_session_waiter(&hold), false);
    assert_true(take.everything); /* and is told that its interest was dropped */
    wait_end_take(&take);
    fetch_session_unlock(&hold);
}

/* Makes, changes and ends sessions until it is killed. */
static void
churn(void *arg)
{
    RandomSeq seq = {random_u64()};
    int32_t id = 0;

    (void)arg; /* needs none */
    for (;;) {
        FetchHold hold;
        int32_t from = (int32_t)random_seq_below(&seq, 1000);

        if (id == 0 || !fetch_session_lock(id, &hold)) {
            id = make((int32_t)random_seq_below(&seq, 300), false, 1000);
            atomic_u32_add(&talk->made, id != 0);
            continue;
        }
        fetch_set_check(&hold.session->set, fetch_session_chunks());
        add_parts(&hold, from, (int32_t)random_seq_below(&seq, 300));
        for (int32_t i = 0; i < 100; i++) {
            FetchKey key = key_of(from + i);
            int32_t index = fetch_set_find(&hold.session->set, fetch_session_chunks(), &key);

            if (index >= 0)
                fetch_set_remove(&hold.session->set, fetch_session_chunks(), index);
        }
        if (random_seq_below(&seq, 4) == 0) {
            fetch_session_destroy(&hold);
            id = 0;
        } else {
            fetch_session_unlock(&hold);
        }
    }
}

/*
 * What the dead left is idle, so there is a place; one whose lock somebody holds this moment is not
 * taken: tried again. Given back at once for the others.
 */
static void
make_in_the_end(void)
{
    int64_t end = clock_mono_us() + 5000000;
    FetchHold hold;
    int32_t id;

    do {
        id = make(5, false, 1001 + FOREVER_MS);
        assert_true(clock_mono_us() < end);
    } while (id == 0);
    if (fetch_session_lock(id, &hold))
        fetch_session_destroy(&hold);
}

static void
test_killed_at_random(void **state)
{
    RandomSeq seq = kit_seed("killed at random");
    int64_t end = clock_mono_us() + kit_stress_us();
    int kills = 0;
    pid_t pid[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        pid[i] = kit_fork(churn, NULL);
    while (clock_mono_us() < end) {
        int i = (int)random_seq_below(&seq, 3);

        kit_pause_us((int64_t)random_seq_below(&seq, 5000));
        kit_kill(pid[i]);
        pid[i] = kit_fork(churn, NULL);
        kills++;
        if (kills % 8 == 0)
            make_in_the_end();
    }
    for (int i = 0; i < 3; i++)
        kit_kill(pid[i]);
    printf("# %d kills, %u sessions\n", kills, atomic_u32_load(&talk->made));
    for (int32_t i = 0; i < 2 * KIT_SESSIONS; i++) /* every slot anew: all locks are looked into */
        assert_true(make(0, false, 1000 + (i + 2) * (FOREVER_MS + 1)) > 0);
    assert_int_equal(chunks_taken(), 0);
}

/* ---- eviction ------------------------------------------------------------------------------------- */

static void
test_eviction_of_idle(void **state)
{
    int32_t ids[KIT_SESSIONS];

    (void)state;
    for (int i = 0; i < KIT_SESSIONS; i++)
        ids[i] = make(10 - i, i == 1, 1000 + i);
    assert_int_equal(make(100, false, 1000 + FOREVER_MS), 0); /* none is idle for longer yet */
    assert_true(make(1, false, 1001 + FOREVER_MS) > 0);       /* the longest idle, smaller or not */
    assert_false(exists(ids[0]));
    assert_true(make(1, false, 1004 + FOREVER_MS) > 0); /* now privileged ones, too */
    assert_false(exists(ids[1]));
    assert_true(exists(ids[2]));
    assert_true(exists(ids[3]));
}

static void
use(int32_t id, int64_t now_ms)
{
    FetchHold hold;

    assert_true(fetch_session_lock(id, &hold));
    atomic_i64_store(&hold.session->used_ms, now_ms);
    fetch_session_unlock(&hold);
}

static void
test_eviction_by_larger(void **state)
{
    int64_t now = 2000 + FOREVER_MS;
    int32_t ids[KIT_SESSIONS];

    (void)state;
    for (int i = 0; i < KIT_SESSIONS; i++)
        ids[i] = make(10 + i, i == 0, 1000);
    for (int i = 0; i < KIT_SESSIONS; i++)
        use(ids[i], now);                      /* old, but in use */
    assert_int_equal(make(11, false, now), 0); /* as large as the smallest: no */
    assert_int_equal(make(5, false, now), 0);
    assert_true(make(12, false, now) > 0);
    assert_false(exists(ids[1]));
    assert_true(exists(ids[0])); /* smaller, but a follower's */
}

static void
test_eviction_by_follower(void **state)
{
    int32_t ids[KIT_SESSIONS];

    (void)state;
    for (int i = 0; i < KIT_SESSIONS; i++)
        ids[i] = make(10 + i, false, 1000);
    assert_int_equal(make(100, false, 1001), 0); /* young ones stay for a consumer */
    for (int i = 0; i < KIT_SESSIONS; i++) {
        assert_true(make(1, true, 1001) > 0); /* not for a follower, whatever the size */
        assert_false(exists(ids[i]));
    }
    assert_int_equal(make(100, true, 1001), 0); /* and followers' young ones stay */
    assert_int_equal(make(100, false, 1001), 0);
}

static void
test_too_many_parts(void **state)
{
    FetchSessionNew what = {.part_count = FETCH_SESSION_PARTS_MAX + 1};
    FetchHold hold;

    (void)state;
    assert_false(fetch_session_create(&what, &hold));
    assert_true(make(FETCH_SESSION_PARTS_MAX, false, 1000) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_goes_on_in_another_process, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ids_and_serials, setup, teardown),
        cmocka_unit_test(test_epochs),
        cmocka_unit_test_setup_teardown(test_killed_with_lock, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_while_waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_at_random, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eviction_of_idle, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eviction_by_larger, setup, teardown),
        cmocka_unit_test_setup_teardown(test_eviction_by_follower, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_parts, setup, teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
