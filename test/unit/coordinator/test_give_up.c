/*
 * test_give_up.c - a shard is given up under thousands of parked requests: all are answered, at once, by a real mailbox
 *
 * Clients are processes whose JoinGroups wait in one group; the worker's own functions take and park them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "coordinator/worker_int.h"
#include "ipc/shm_kit.h"
#include "ottla/common/assert.h"
#include "ottla/controller/image.h"
#include "ottla/coordinator/shared.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/protocol/msg_join_group.h"

#define WORKER_SLOT KIT_BACKENDS
#define CLIENTS     90
#define REQUESTS    (CLIENTS * MBOX_CALLS_MAX)
#define CODE_AT     4                /* in a JoinGroup's answer, behind the throttle time */
#define GIVE_UP_US  INT64_C(1000000) /* of this process's own time; far above what it takes */

static const RegionRow rows[] = {
    {"image", image_shm_size, image_shm_init, "", "", ""},
    {"coordinators", coordinators_shm_size, coordinators_shm_init, "", "", ""},
};

static Region region;
static Worker worker;
static Host host;
static Arena *arena;

/* In the kit's scratch memory. */
typedef struct Talk {
    AtomicU32 answered; /* calls, with 16 */
} Talk;

static Talk *talk;

static int
setup(void **state)
{
    ShmLimits limits;
    ErrInfo err = {0};

    (void)state;
    kit_limits(&limits);
    limits.image_bytes = 1 << 20;
    kit_map(&limits);
    if (region_map(rows, sizeof rows / sizeof rows[0], &limits, &region, &err) != 0)
        fail_msg("%s", err.text);
    talk = kit_scratch;
    kit_become(WORKER_SLOT);
    arena = arena_new(1 << 16, 0);
    worker = (Worker){.workers = 1,
                      .mailbox = MBOX_COORDINATOR_FIRST,
                      .arena = arena_new(1 << 16, 0),
                      .memory = {.limit = 1 << 30},
                      .hosts = &host,
                      .host_count = 1,
                      .partitions = 1,
                      .commit_timeout_us = GIVE_UP_US};
    calls_init(&worker.calls);
    coordinator_settings(&worker.settings);
    host = (Host){.state = HOST_ACTIVE,
                  .wait_node = WAIT_NODE_NONE,
                  .shard = shard_new(0, &worker.memory, 1)};
    metadata_view_begin(&worker.view);
    metadata_view_end(&worker.view);
    mbox_worker_open(worker.mailbox);
    return 0;
}

static int
teardown(void **state)
{
    mbox_worker_close(worker.mailbox);
    arena_free(worker.arena);
    arena_free(arena);
    free(worker.calls.list);
    region_unmap(&region);
    return kit_teardown(state);
}

/* ---- clients -------------------------------------------------------------------------------------- */

static BytesView
join_request(Arena *of)
{
    JoinGroupRequestProtocol protocol;
    JoinGroupRequest request;
    WireSizer size = {0};
    WireWriter writer;
    uint8_t *bytes;
    CoordinatorRequest head = {.api_key = 11,
                               .api_version = 3,
                               .client_id = STRVIEW("c"),
                               .client_host = STRVIEW("/127.0.0.1"),
                               .principal = STRVIEW("User:ANONYMOUS"),
                               .listener = STRVIEW("PLAINTEXT")};

    join_group_request_init(&request);
    join_group_request_protocol_init(&protocol);
    protocol.name = STRVIEW("range");
    request.group_id = STRVIEW("g");
    request.session_timeout_ms = 60000;
    request.rebalance_timeout_ms = 60000;
    request.protocol_type = STRVIEW("consumer");
    request.protocols = &protocol;
    request.protocols_count = 1;
    join_group_request_size(&size, 3, &request);
    bytes = arena_alloc(of, size.bytes);
    wire_writer_init(&writer, bytes, size.bytes);
    join_group_request_write(&writer, 3, &request);
    head.body = (BytesView){bytes, (int32_t)size.bytes};
    return coordinator_request_encode(&head, of);
}

/* Takes the answers that are there. The number of calls that still wait. */
static int
poll_all(MboxCall calls[MBOX_CALLS_MAX], bool over[MBOX_CALLS_MAX])
{
    int waiting = 0;

    for (int i = 0; i < MBOX_CALLS_MAX; i++) {
        CoordinatorReply reply;
        MboxStatus status = over[i] ? MBOX_DONE : mbox_poll(&calls[i]);

        waiting += status == MBOX_WAITING;
        if (over[i] || status == MBOX_WAITING)
            continue;
        ot_assert(status == MBOX_DONE);
        ot_assert(coordinator_reply_decode(
            (BytesView){calls[i].reply, (int32_t)calls[i].reply_size}, &reply));
        ot_assert(reply.status == 0 && reply.body.len > CODE_AT + 1);
        ot_assert(wire_load16(reply.body.ptr + CODE_AT) == KERR_NOT_COORDINATOR);
        over[i] = true;
        (void)atomic_u32_add(&talk->answered, 1);
    }
    return waiting;
}

static void
wait_in_a_group(void *arg)
{
    Arena *of = arena_new(1 << 16, 0);
    MboxCall calls[MBOX_CALLS_MAX] = {0};
    bool over[MBOX_CALLS_MAX] = {0};
    ErrInfo err = {0};

    (void)arg;
    for (int i = 0; i < MBOX_CALLS_MAX; i++)
        ot_assert(mbox_submit(&calls[i], MBOX_COORDINATOR_FIRST, join_request(of), of, &err) == 0);
    while (poll_all(calls, over) > 0)
        (void)mainloop_wait(INT64_MAX, WAIT_EV_COORDINATOR_REPLY);
    arena_free(of);
}

/* ---- the worker ------------------------------------------------------------------------------------- */

/* What is in the mailbox; replies go out as there is room. */
static void
turn(void)
{
    uint32_t why = mainloop_wait(clock_mono_us() + 10000, WAIT_EV_COORDINATOR_MAIN);
    MboxRequest request;

    for (bool rescan = (why & WOKE_RESCAN) != 0; mbox_next(worker.mailbox, arena, rescan, &request);
         rescan = false)
        serve_request(&worker, &request, arena);
    arena_reset(arena);
}

static void
park_all(pid_t pids[CLIENTS])
{
    for (int i = 0; i < CLIENTS; i++)
        pids[i] = kit_fork_slot(i, wait_in_a_group, NULL);
    for (int64_t end_us = clock_mono_us() + KIT_PATIENCE_US;
         worker.calls.count < REQUESTS && clock_mono_us() < end_us;)
        turn();
    assert_int_equal(worker.calls.count, REQUESTS);
    assert_int_equal(shard_counts(host.shard).members, REQUESTS);
}

/* What this process has used; clients that it wakes run meanwhile. */
static int64_t
own_time_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * INT64_C(1000000) + t.tv_nsec / 1000;
}

static void
give_up(void)
{
    int64_t begin_us = own_time_us(), took_us;

    host_fail(&worker, &host, KERR_NOT_COORDINATOR, GIVE_UP_US);
    took_us = own_time_us() - begin_us;
    printf("# given up in %lld us\n", (long long)took_us);
    assert_true(took_us < GIVE_UP_US);
    assert_int_equal(worker.calls.count, 0);
    assert_int_equal(worker.memory.used, 0);
    assert_null(host.shard);
}

static void
await_answers(uint32_t count)
{
    for (int64_t end_us = clock_mono_us() + KIT_PATIENCE_US;
         atomic_u32_load(&talk->answered) < count && clock_mono_us() < end_us;)
        turn();
    assert_int_equal(atomic_u32_load(&talk->answered), count);
    assert_int_equal(mbox_replies_waiting(worker.mailbox), 0);
}

static void
everybody_is_answered(void **state)
{
    pid_t pids[CLIENTS];

    (void)state;
    park_all(pids);
    give_up();
    await_answers(REQUESTS);
    for (int i = 0; i < CLIENTS; i++)
        kit_join(pids[i]);
}

/* Those whose clients were killed are forgotten in one look, and the members stay until then. */
static void
the_dead_are_forgotten(void **state)
{
    pid_t pids[CLIENTS];
    int64_t begin_us;

    (void)state;
    park_all(pids);
    for (int i = 0; i < CLIENTS / 2; i++)
        kit_kill(pids[i]);
    begin_us = own_time_us();
    calls_abandon(&worker, true);
    printf("# forgotten in %lld us\n", (long long)(own_time_us() - begin_us));
    assert_true(own_time_us() - begin_us < GIVE_UP_US);
    assert_int_equal(worker.calls.count, REQUESTS / 2);
    assert_int_equal(shard_counts(host.shard).members, REQUESTS);
    give_up();
    await_answers(REQUESTS / 2);
    for (int i = CLIENTS / 2; i < CLIENTS; i++)
        kit_join(pids[i]);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everybody_is_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(the_dead_are_forgotten, setup, teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
