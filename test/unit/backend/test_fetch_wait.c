/*
 * test_fetch_wait.c - what a waiting fetch over a thousand partitions costs, and who wakes it
 *
 * Real partitions in a temporary directory, the real handler, no socket. Proves that an append to one
 * partition makes a waiting fetch look at that one (O(ready)); that nothing is pinned while it waits;
 * that a session reads what is hot and nothing else (O(hot)), whoever serves it; that interest ends
 * with its time and is found lost; that a fetch with more partitions than nodes still answers; that
 * killing the waker between publication and wake-up delays nobody for more than 100 ms.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <dirent.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/fetch_int.h"
#include "controller/image_build.h"
#include "ipc/shm_kit.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/replica/replica.h"
#include "ottla/storage/fd_cache.h"
#include "ottla/storage/flush_requests.h"
#include "ottla/storage/logdirs.h"

#define PARTITIONS 1000
#define MANY       1100 /* more than a connection has nodes */
#define TOPIC      "events"

static const Uuid topic_id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static const RegionRow rows[] = {
    {"partition_table", partition_table_shm_size, partition_table_shm_init, "", "", ""},
    {"topic_settings", topic_settings_shm_size, topic_settings_shm_init, "", "", ""},
    {"segment_pool", segment_pool_shm_size, segment_pool_shm_init, "", "", ""},
    {"producer_pool", producer_pool_shm_size, producer_pool_shm_init, "", "", ""},
    {"log_dirs", log_dirs_shm_size, log_dirs_shm_init, "", "", ""},
    {"flush_requests", flush_requests_shm_size, flush_requests_shm_init, "", "", ""},
    {"image", image_shm_size, image_shm_init, "", "", ""},
    {"fetch_session", fetch_session_shm_size, fetch_session_shm_init, "", "", ""},
};

static char dir[128];
static Region region;
static PartitionRef refs[MANY];
static Arena *scratch;

/* What parent and children tell each other. */
typedef struct Talk {
    AtomicU32 waits;
    AtomicI64 answered_us;
    AtomicI32 session;
    AtomicI32 answered; /* partitions in an answer */
    AtomicU32 round;
} Talk;

static Talk *talk;

/* ---- partitions --------------------------------------------------------------------------------- */

static void
make_partitions(void)
{
    static const TopicSettings settings = {.segment_ms = INT64_C(604800000),
                                           .timestamp_before_max_ms = INT64_MAX,
                                           .timestamp_after_max_ms = INT64_MAX,
                                           .retention_ms = -1,
                                           .retention_bytes = -1,
                                           .flush_messages = INT64_MAX,
                                           .flush_ms = INT64_MAX,
                                           .segment_bytes = 1 << 30,
                                           .segment_index_bytes = 10485760,
                                           .index_interval_bytes = 4096,
                                           .max_message_bytes = 1048588,
                                           .min_insync_replicas = 1,
                                           .compression_type = TOPIC_COMPRESSION_PRODUCER,
                                           .cleanup_delete = true};
    uint64_t handle = topic_settings_new(&settings);
    const int32_t self = 1;
    ImageWriter writer;
    ErrInfo err = {0};

    image_writer_init(&writer);
    assert_int_equal(build_topic(&writer, STRVIEW(TOPIC), topic_id), 0);
    for (int32_t i = 0; i < MANY; i++) {
        PslotIdentity id = {
            .topic = STRVIEW(TOPIC), .topic_id = topic_id, .partition = i, .settings = handle};
        ImagePartition p = {.partition = i,
                            .leader = 1,
                            .replicas = &self,
                            .isr = &self,
                            .replica_count = 1,
                            .isr_count = 1};

        if (pslot_alloc(&id, &refs[i], &err) != 0)
            fail_msg("%s", err.text);
        pslot_set_leadership(pslot_at(refs[i].slot), (PslotLeadership){.leader_epoch = 0,
                                                                       .role = PSLOT_ROLE_LEADER,
                                                                       .replica_count = 1,
                                                                       .isr_count = 1});
        p.ref = refs[i];
        assert_int_equal(build_partition(&writer, topic_id, &p), 0);
    }
    image_commit(&writer);
    assert_int_equal(image_publish(&writer), 0);
    image_writer_fini(&writer);
}

static int
setup(void **state)
{
    ShmLimits limits;
    ErrInfo err = {0};

    (void)state;
    kit_limits(&limits);
    limits.max_partitions = MANY + 10;
    limits.producer_entries = 300;
    limits.segment_entries = 5000;
    limits.image_bytes = 16 << 20;
    kit_map(&limits);
    snprintf(dir, sizeof dir, "/tmp/ottla-fetch-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(logdir_add(dir, (Uuid){{1}}, &err), 0);
    if (region_map(rows, sizeof rows / sizeof rows[0], &limits, &region, &err) != 0)
        fail_msg("%s", err.text);
    logdir_set_clean(0, true);
    talk = kit_scratch;
    scratch = arena_new(1 << 16, 0);
    kit_become(0);
    make_partitions();
    return 0;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw; /* everything goes */
    return remove(path);
}

static int
teardown(void **state)
{
    fetch_nodes_drop();
    fd_cache_reset();
    (void)kit_teardown(state);
    region_unmap(&region);
    logdirs_clear();
    arena_free(scratch);
    return nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
make_batch(Batch *ret)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    static const uint8_t value[100];
    BatchRecord record = {.timestamp = 1, .value = {value, sizeof value}};
    BatchBuilder *builder = batch_builder_new(&options, scratch);
    ErrInfo err = {0};
    BytesView bytes;

    assert_int_equal(batch_builder_add(builder, &record, &err), 0);
    assert_int_equal(batch_builder_finish(builder, &bytes, &err), 0);
    batch_from_bytes(bytes, ret);
}

static void
append(int32_t partition)
{
    ReplicaAppendResult result;
    ErrInfo err = {0};
    Batch batch;

    make_batch(&batch);
    if (replica_append(refs[partition], &(ReplicaAppendArgs){.batch = &batch, .acks = 1}, &result,
                       &err) != 0)
        fail_msg("%s", err.text);
}

/* ---- a fetch without a connection ----------------------------------------------------------------- */

typedef struct Asked {
    int32_t count; /* partitions from 0 on */
    int64_t offset;
    int32_t first;
    int32_t session;
    int32_t epoch;
    int32_t wait_ms;
} Asked;

typedef struct Running {
    Request rq;
    Conn conn;
    FetchResponse answer;
    size_t bytes; /* of the arena that the handler took */
} Running;

static const Handler handler = {API_Fetch, h_fetch_start, h_fetch_finish, h_fetch_drop};

static BytesView
encode(const Asked *asked, Arena *arena)
{
    FetchRequestPartition *parts = arena_calloc(arena, (size_t)asked->count + 1, sizeof *parts);
    FetchRequestTopic topic;
    FetchRequest request;
    WireSizer size = {0};
    WireWriter w;
    uint8_t *bytes;

    fetch_request_init(&request);
    fetch_request_topic_init(&topic);
    for (int32_t i = 0; i < asked->count; i++) {
        fetch_request_partition_init(&parts[i]);
        parts[i].partition = asked->first + i;
        parts[i].fetch_offset = asked->offset;
        parts[i].partition_max_bytes = 1 << 20;
    }
    topic.topic_id = topic_id;
    topic.partitions = parts;
    topic.partitions_count = asked->count;
    request.topics = &topic;
    request.topics_count = asked->count > 0;
    request.replica_state.replica_id = -1;
    request.max_bytes = 50 << 20;
    request.min_bytes = 1;
    request.max_wait_ms = asked->wait_ms;
    request.session_id = asked->session;
    request.session_epoch = asked->epoch;
    fetch_request_desc.size(&size, 17, &request);
    bytes = arena_alloc(arena, size.bytes);
    wire_writer_init(&w, bytes, size.bytes);
    fetch_request_desc.write(&w, 17, &request);
    return (BytesView){bytes, (int32_t)size.bytes};
}

static void
decode(Running *f)
{
    size_t len = (size_t)f->rq.out.bytes_left;
    uint8_t *bytes = arena_alloc(f->rq.arena, len);
    size_t at = 0;
    WireReader r;

    for (int32_t i = 0; i < f->rq.out.count; i++) {
        const OutPiece *p = &f->rq.out.pieces[i];

        if (p->mem != NULL)
            memcpy(bytes + at, p->mem, p->len);
        else
            assert_int_equal(pread(p->fd, bytes + at, p->len, p->pos), p->len);
        at += p->len;
    }
    wire_reader_init(&r, bytes + 9, len - 9, f->rq.arena); /* size, correlation id, no tags */
    fetch_response_desc.read(&r, 17, &f->answer);
    assert_int_equal(r.err, 0);
}

static ReqResult
settle(Running *f, ReqResult result)
{
    assert_true(result == REQ_DONE || result == REQ_PENDING);
    assert_int_equal(plock_held_count(), 0);
    if (result == REQ_DONE)
        decode(f);
    return result;
}

static ReqResult
start(Running *f, const Asked *asked)
{
    ReqResult result;
    size_t before;

    *f = (Running){0};
    f->rq.arena = arena_new(65536, 64 << 20);
    f->rq.conn = &f->conn;
    f->rq.handler = &handler;
    f->rq.head.api = api_find(API_Fetch);
    f->rq.head.api_version = 17;
    f->rq.body = encode(asked, f->rq.arena);
    f->rq.received_us = f->rq.now_us = clock_mono_us();
    before = arena_bytes(f->rq.arena);
    result = h_fetch_start(&f->rq);
    f->bytes = arena_bytes(f->rq.arena) - before;
    return settle(f, result);
}

static ReqResult
finish(Running *f)
{
    f->rq.now_us = clock_mono_us();
    return settle(f, h_fetch_finish(&f->rq));
}

static void
over(Running *f)
{
    f->rq.release(&f->rq);
    arena_free(f->rq.arena);
}

static int32_t
answered(const Running *f)
{
    int32_t count = 0;

    for (int32_t t = 0; t < f->answer.responses_count; t++)
        count += f->answer.responses[t].partitions_count;
    return count;
}

/* Partitions with records; *ret_one: the last of them. */
static int32_t
with_records(const Running *f, int32_t *ret_one)
{
    int32_t count = 0;

    for (int32_t t = 0; t < f->answer.responses_count; t++)
        for (int32_t p = 0; p < f->answer.responses[t].partitions_count; p++) {
            const FetchResponsePartition *part = &f->answer.responses[t].partitions[p];

            if (part->records.len > 0) {
                count++;
                *ret_one = part->partition_index;
            }
        }
    return count;
}

static int
open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    int count = 0;

    while (readdir(d) != NULL)
        count++;
    closedir(d);
    return count;
}

/* ---- without a session ------------------------------------------------------------------------------ */

static void
test_one_append_one_look(void **state)
{
    Asked asked = {.count = PARTITIONS, .epoch = -1, .wait_ms = 10000};
    uint64_t looks, steps;
    int32_t one = -1;
    Running f;

    (void)state;
    assert_int_equal(start(&f, &asked), REQ_PENDING);
    for (int round = 0; round < 3; round++) {
        looks = fetch_wait_looks;
        assert_int_equal(finish(&f), REQ_PENDING); /* woken for nothing */
        assert_int_equal(fetch_wait_looks, looks);
    }
    steps = wait_steps();
    append(500);
    assert_int_equal(wait_steps() - steps, 1); /* one node in that list */
    assert_int_equal(finish(&f), REQ_DONE);
    assert_int_equal(fetch_wait_looks - looks, 1);
    assert_int_equal(answered(&f), PARTITIONS);
    assert_int_equal(with_records(&f, &one), 1);
    assert_int_equal(one, 500);
    over(&f);
}

static void
test_nothing_pinned(void **state)
{
    Asked asked = {.count = 10, .epoch = -1, .wait_ms = 10000};
    int before = open_files();
    Running f;

    (void)state;
    for (int32_t i = 0; i < 10; i++)
        append(i);
    fd_cache_reset();
    asked.offset = 1;
    assert_int_equal(start(&f, &asked), REQ_PENDING);
    fd_cache_reset();
    assert_int_equal(open_files(), before);
    append(3);
    assert_int_equal(finish(&f), REQ_DONE);
    fd_cache_reset();
    assert_int_equal(open_files(), before + 1); /* what is still to be sent */
    over(&f);
    assert_int_equal(open_files(), before);
}

/* The next fetch uses the same nodes; other partitions take their place when others are named. */
static void
test_interest_is_kept_and_dropped(void **state)
{
    Asked asked = {.count = PARTITIONS, .epoch = -1, .wait_ms = 10000};
    Running f;

    (void)state;
    for (int round = 0; round < 3; round++) {
        assert_int_equal(start(&f, &asked), REQ_PENDING);
        assert_int_equal(fetch_nodes_count(), PARTITIONS);
        h_fetch_drop(&f.rq);
        assert_int_equal(fetch_nodes_count(), 0);
        over(&f);
    }
    assert_int_equal(start(&f, &asked), REQ_PENDING);
    f.rq.cancelled = true;
    assert_int_equal(finish(&f), REQ_DONE);
    assert_ptr_equal(f.conn.idle, fetch_nodes_drop); /* for the connection to call */
    assert_true(f.conn.idle_at_us > clock_mono_us());
    over(&f);
    asked.first = 50;
    asked.count = 100;
    assert_int_equal(start(&f, &asked), REQ_PENDING);
    assert_int_equal(fetch_nodes_count(), 100);
    assert_null(f.conn.idle);
    h_fetch_drop(&f.rq);
    over(&f);
    (void)latch_reset();
    append(60);
    assert_false(latch_reset()); /* nobody is interested any more */
    assert_false(wait_list_in_use(&pslot_at(refs[60].slot)->waiters));
}

static void
test_more_partitions_than_nodes(void **state)
{
    Asked asked = {.count = MANY, .epoch = -1, .wait_ms = 10000};
    int32_t one = -1;
    Running f;

    (void)state;
    assert_int_equal(start(&f, &asked), REQ_PENDING);
    assert_true(f.rq.deadline_us < f.rq.now_us + 1000000); /* looks again by itself */
    append(MANY - 1);
    KIT_WAIT_UNTIL(clock_mono_us() >= f.rq.deadline_us);
    assert_int_equal(finish(&f), REQ_DONE);
    assert_int_equal(with_records(&f, &one), 1);
    assert_int_equal(one, MANY - 1);
    over(&f);
}

/* A partition that a request names costs its bytes there and in the answer, and an entry: no more. */
static void
test_large_fetches(void **state)
{
    Asked asked = {.count = 60000, .epoch = -1};
    Running f;

    (void)state;
    assert_int_equal(start(&f, &asked), REQ_DONE);
    assert_int_equal(answered(&f), 60000);
    print_message("# %zu bytes a partition\n", f.bytes / 60000);
    assert_true(f.bytes <= (1u << 20) + 3 * (size_t)f.rq.body.len);
    over(&f);
}

/* ---- sessions ------------------------------------------------------------------------------------- */

/* A new session over so many partitions, whose first fetch was empty. */
static int32_t
open_session(int32_t count)
{
    Asked asked = {.count = count};
    int32_t id;
    Running f;

    assert_int_equal(start(&f, &asked), REQ_DONE);
    assert_int_equal(answered(&f), count);
    id = f.answer.session_id;
    assert_true(id > 0);
    over(&f);
    return id;
}

/* The next fetch of the session, without waiting: partitions read and answered. */
static void
expect(int32_t id, int32_t epoch, uint64_t read, int32_t news)
{
    Asked asked = {.session = id, .epoch = epoch};
    uint64_t before = fetch_read_looks;
    Running f;

    assert_int_equal(start(&f, &asked), REQ_DONE);
    assert_int_equal(f.answer.error_code, 0);
    assert_int_equal(f.answer.session_id, id);
    assert_int_equal(fetch_read_looks - before, read);
    assert_int_equal(answered(&f), news);
    over(&f);
}

static void
test_session_reads_what_is_hot(void **state)
{
    int32_t id = open_session(PARTITIONS);
    Asked moved = {.count = 1, .first = 7, .offset = 1, .session = id, .epoch = 6};
    Running f;

    (void)state;
    expect(id, 1, PARTITIONS, 0); /* all are new, and cool now */
    expect(id, 2, 0, 0);
    append(7);
    append(8);
    append(9);
    append(9);
    expect(id, 3, 3, 3);
    expect(id, 4, 3, 3); /* still there: the client did not move */
    append(PARTITIONS - 1);
    expect(id, 5, 4, 4);
    assert_int_equal(start(&f, &moved), REQ_DONE); /* past the end of 7 */
    assert_int_equal(answered(&f), 3);
    over(&f);
    expect(id, 7, 3, 3); /* 7 is cool */
    append(7);
    expect(id, 8, 4, 4);
}

static void
test_session_waits(void **state)
{
    int32_t id = open_session(PARTITIONS);
    Asked asked = {.session = id, .epoch = 2, .wait_ms = 10000};
    uint64_t looks, read;
    int32_t one = -1;
    Running f;

    (void)state;
    expect(id, 1, PARTITIONS, 0);
    read = fetch_read_looks;
    looks = fetch_wait_looks;
    assert_int_equal(start(&f, &asked), REQ_PENDING);
    (void)latch_reset();
    append(321);
    assert_true(latch_reset());
    assert_int_equal(finish(&f), REQ_DONE);
    assert_int_equal(fetch_wait_looks - looks, 1);
    assert_int_equal(fetch_read_looks - read, 1);
    assert_int_equal(answered(&f), 1);
    assert_int_equal(with_records(&f, &one), 1);
    assert_int_equal(one, 321);
    over(&f);
    append(322);
    assert_false(latch_reset()); /* nobody serves it now */
    expect(id, 3, 2, 2);         /* but nothing is lost */
}

/* The second fetch of a session, on another connection, while the first still waits. */
static void
test_session_taken_over(void **state)
{
    int32_t id = open_session(3);
    Asked first = {.session = id, .epoch = 1, .wait_ms = 10000};
    Asked second = {.session = id, .epoch = 2, .wait_ms = 10000};
    Running a, b;

    (void)state;
    assert_int_equal(start(&a, &first), REQ_PENDING);
    assert_int_equal(start(&b, &second), REQ_PENDING);
    h_fetch_drop(&a.rq); /* its connection ends: the other's wake-ups stay */
    (void)latch_reset();
    append(1);
    assert_true(latch_reset());
    assert_int_equal(finish(&a), REQ_DONE);
    assert_int_equal(a.answer.error_code, 71);
    assert_int_equal(a.answer.session_id, id);
    assert_int_equal(finish(&b), REQ_DONE);
    assert_int_equal(b.answer.error_code, 0);
    assert_int_equal(answered(&b), 1);
    over(&a);
    over(&b);
}

/* A session that ends while a fetch of it waits: that fetch is answered at once. */
static void
test_session_ends_under_a_wait(void **state)
{
    int32_t id = open_session(3);
    Asked first = {.session = id, .epoch = 1, .wait_ms = 10000};
    Asked last = {.session = id, .epoch = -1};
    Running a, b;

    (void)state;
    assert_int_equal(start(&a, &first), REQ_PENDING);
    (void)latch_reset();
    assert_int_equal(start(&b, &last), REQ_DONE);
    assert_true(latch_reset());
    assert_int_equal(finish(&a), REQ_DONE);
    assert_int_equal(a.answer.error_code, 71);
    over(&a);
    over(&b);
}

/* The same for a session that makes room for another one. */
static void
test_session_evicted_under_a_wait(void **state)
{
    int32_t id = open_session(3);
    Asked asked = {.session = id, .epoch = 1, .wait_ms = 10000};
    FetchSessionNew newcomer = {.part_count = MANY,
                                .by_id = true,
                                .privileged = true,
                                .now_ms = clock_mono_us() / 1000 + 10 * 60 * 1000};
    FetchHold hold;
    Running f;

    (void)state;
    assert_int_equal(start(&f, &asked), REQ_PENDING);
    (void)latch_reset();
    for (int32_t room = KIT_SESSIONS - fetch_session_count(); room > 0; room--) {
        assert_true(fetch_session_create(&newcomer, &hold));
        fetch_session_unlock(&hold);
    }
    assert_false(latch_reset()); /* there was room so far */
    assert_true(fetch_session_create(&newcomer, &hold));
    fetch_session_unlock(&hold);
    assert_true(latch_reset());
    assert_false(fetch_session_lock(id, &hold));
    assert_int_equal(finish(&f), REQ_DONE);
    assert_int_equal(f.answer.error_code, 71);
    over(&f);
}

static void
go_on(void *arg)
{
    Asked asked = {.session = atomic_i32_load(&talk->session), .epoch = 2};
    Running f;

    (void)arg; /* talk says which */
    if (start(&f, &asked) == REQ_DONE && f.answer.error_code == 0)
        atomic_i32_store(&talk->answered, answered(&f));
}

static void
test_session_goes_on_elsewhere(void **state)
{
    int32_t id = open_session(PARTITIONS);

    (void)state;
    expect(id, 1, PARTITIONS, 0);
    append(11);
    append(12);
    atomic_i32_store(&talk->session, id);
    kit_join(kit_fork(go_on, NULL));
    assert_int_equal(atomic_i32_load(&talk->answered), 2);
    expect(id, 3, 2, 2);
}

static void
test_session_interest_runs_out(void **state)
{
    int32_t id = open_session(PARTITIONS);
    FetchHold hold;

    (void)state;
    expect(id, 1, PARTITIONS, 0);
    assert_true(fetch_session_lock(id, &hold));
    wait_detach(fetch_session_waiter(&hold), clock_mono_us() - WAIT_IDLE_DROP_US - 1);
    fetch_session_unlock(&hold);
    append(77);
    assert_false(wait_list_in_use(&pslot_at(refs[77].slot)->waiters)); /* forgotten there */
    expect(id, 2, PARTITIONS, 1);                                      /* and found all the same */
    expect(id, 3, 1, 1);
}

#define ROUNDS 10000 /* the window is narrow */

/* Appends to the next partition each time a round begins, at some instant of the other's start. */
static void
append_in_rounds(void *arg)
{
    RandomSeq seq = {7};

    (void)arg; /* needs none */
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        int64_t until;

        while (atomic_u32_load(&talk->round) < round)
            kit_pause_us(10);
        until = clock_mono_us() + (int64_t)random_seq_below(&seq, 150);
        while (clock_mono_us() < until)
            ;
        arena_reset(scratch);
        append((int32_t)(round % PARTITIONS));
    }
}

/* Whatever the instant of an append: before the look at what is ready, after it, while it sleeps. */
static void
test_session_misses_nothing(void **state)
{
    int32_t id = open_session(PARTITIONS);
    int32_t moved = 0;
    int64_t ends[PARTITIONS] = {0};
    pid_t writer;

    (void)state;
    expect(id, 1, PARTITIONS, 0);
    atomic_u32_store(&talk->round, 0);
    writer = kit_fork(append_in_rounds, NULL);
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        Asked asked = {.count = 1,
                       .first = moved,
                       .offset = ends[moved],
                       .session = id,
                       .epoch = (int32_t)round + 1,
                       .wait_ms = 10000};
        int64_t began = clock_mono_us();
        ReqResult result;
        Running f;

        atomic_u32_store(&talk->round, round);
        result = start(&f, &asked);
        while (result == REQ_PENDING) {
            uint32_t why = mainloop_wait(f.rq.deadline_us, WAIT_EV_FETCH_MIN_BYTES);

            f.rq.rescan = (why & WOKE_RESCAN) != 0;
            result = finish(&f);
        }
        assert_int_equal(f.answer.error_code, 0);
        assert_true(clock_mono_us() - began < 5000000);
        assert_int_equal(with_records(&f, &moved), 1);
        assert_int_equal(moved, round % PARTITIONS);
        ends[moved]++;
        over(&f);
    }
    kit_join(writer);
}

/* ---- killed wakers ---------------------------------------------------------------------------------- */

/* Publishes a batch and is killed before it tells anybody. */
static void
append_and_die(void *arg)
{
    PlogAppendArgs args = {.now_ms = 1, .hw_follows = true};
    PlogAppendResult result;
    PartitionSlot *slot;
    ErrInfo err = {0};
    Batch batch;

    (void)arg; /* always the same partition */
    make_batch(&batch);
    args.batch = &batch;
    if (plog_lock(refs[40], &slot, &err) == 0 && plog_append(slot, &args, &result, &err) == 0)
        (void)raise(SIGKILL);
}

/* Waits as a backend does, until it has its answer. */
static void
wait_for_answer(void *arg)
{
    const Asked *asked = arg;
    ReqResult result;
    Running f;

    result = start(&f, asked);
    while (result == REQ_PENDING) {
        uint32_t why;

        atomic_u32_store(&talk->waits, 1);
        why = mainloop_wait(f.rq.deadline_us, WAIT_EV_FETCH_MIN_BYTES);
        f.rq.rescan = (why & WOKE_RESCAN) != 0;
        result = finish(&f);
    }
    if (answered(&f) > 0)
        atomic_i64_store(&talk->answered_us, clock_mono_us());
}

static void
expect_answer_in_time(Asked asked)
{
    int64_t died;
    pid_t waiter;

    atomic_u32_store(&talk->waits, 0);
    atomic_i64_store(&talk->answered_us, 0);
    waiter = kit_fork(wait_for_answer, &asked);
    KIT_WAIT_UNTIL(atomic_u32_load(&talk->waits) != 0);
    (void)kit_fork(append_and_die, NULL);
    KIT_WAIT_UNTIL(kit_reap_ended() > 0);
    died = clock_mono_us();
    kit_join(waiter);
    printf("# answered %lld us after the death\n",
           (long long)(atomic_i64_load(&talk->answered_us) - died));
    assert_true(atomic_i64_load(&talk->answered_us) > 0);
    assert_true(atomic_i64_load(&talk->answered_us) - died < 100000);
}

static void
test_killed_waker(void **state)
{
    (void)state;
    expect_answer_in_time((Asked){.count = PARTITIONS, .epoch = -1, .wait_ms = 20000});
}

static void
test_killed_waker_of_a_session(void **state)
{
    int32_t id = open_session(PARTITIONS);

    (void)state;
    expect(id, 1, PARTITIONS, 0);
    expect_answer_in_time((Asked){.session = id, .epoch = 2, .wait_ms = 20000});
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_append_one_look, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_pinned, setup, teardown),
        cmocka_unit_test_setup_teardown(test_interest_is_kept_and_dropped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_more_partitions_than_nodes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_large_fetches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_reads_what_is_hot, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_taken_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_ends_under_a_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_evicted_under_a_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_goes_on_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_interest_runs_out, setup, teardown),
        cmocka_unit_test_setup_teardown(test_session_misses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_waker, setup, teardown),
        cmocka_unit_test_setup_teardown(test_killed_waker_of_a_session, setup, teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
