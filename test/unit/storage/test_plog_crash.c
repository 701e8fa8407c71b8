/*
 * test_plog_crash.c - a process dies at each step of an append, of opening, of the repair itself
 *
 * Each case forks a process that is killed at a named instant, then another one does the same work.
 * Proves the crash rules of design.md 4: what was acknowledged is there once, what was not published
 * is not there, the log goes on; idempotent batches are told from repetitions.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/random.h"
#include "ottla/common/vfs_faulty.h"
#include "storage/storage_kit.h"

/* Before the tuple: the batch is not there. From the tuple on: it is. */
static const struct {
    const char *point;
    bool published;
} append_points[] = {
    {"plog.append.begin", false},    {"plog.append.written", false}, {"plog.append.indexed", false},
    {"plog.append.published", true}, {"plog.append.producer", true}, {"plog.append.end", true},
};

static void
each_step_of_an_append(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof append_points / sizeof append_points[0]; i++) {
        PartitionRef ref = kit_partition("step", (int32_t)i);
        KitBatch batch = {.count = 2, .producer_id = 77, .epoch = 1, .value_bytes = 100};
        int64_t end = 0;

        for (int n = 0; n < 100; n++) {
            batch.sequence = n * 2;
            if (n % 10 == 5) {
                assert_true(kit_kill_appending(ref, append_points[i].point, batch));
                assert_int_equal(kit_retry(ref, batch), append_points[i].published ? 3 : 2);
            } else {
                assert_int_equal(kit_append_ok(ref, &batch), end);
            }
            end += 2;
            assert_int_equal(kit_offsets(ref).log_end_offset, end);
        }
        assert_int_equal(kit_verify(ref, 0), end);
        assert_int_equal(kit_file_size(kit_segment(ref, 0, ".log")), kit_tuple(ref).active_size);
    }
}

/* An append while something is wanting. */
typedef struct Want {
    PartitionRef ref;
    int errno_value;
    KitBatch batch;
} Want;

/* Tries to append while every open fails; 0: each try was refused, and the second within the pause asked the disk nothing. */
static int
repair_in_want(void *arg)
{
    const Want *v = arg;
    KitBatch batch = v->batch;
    uint64_t opens;

    fd_cache_reset();
    vfs_faulty_install();
    vfs_faulty_plan((VfsFault){.call = VFS_CALL_OPEN,
                               .nth = 1,
                               .and_later = true,
                               .errno_value = v->errno_value,
                               .short_bytes = -1});
    if (kit_append(v->ref, &batch, NULL) != OT_E_KAFKA_STORAGE_ERROR)
        return 1;
    opens = vfs_faulty_count(VFS_CALL_OPEN);
    if (kit_append(v->ref, &batch, NULL) != OT_E_KAFKA_STORAGE_ERROR)
        return 2;
    if (opens == 0 || vfs_faulty_count(VFS_CALL_OPEN) != opens)
        return 3;
    return pslot_state(pslot_find(v->ref)) == PSLOT_OPEN ? 0 : 4;
}

/* Whoever repairs lacks descriptors or memory: the log is read meanwhile, and repaired when there are some. */
static void
repair_waits_for_what_it_lacks(void **state)
{
    static const int wants[] = {EMFILE, ENFILE, ENOMEM};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof wants / sizeof wants[0]; i++) {
        const char *point = i % 2 == 0 ? "plog.append.written" : "plog.append.published";
        PartitionRef ref = kit_partition("want", (int32_t)i);
        KitBatch batch = {.count = 2, .producer_id = 77, .epoch = 1, .value_bytes = 100};
        Want v = {.ref = ref, .errno_value = wants[i / 2]};
        int64_t until = clock_mono_us() + 10 * 1000000;
        int rc = OT_E_KAFKA_STORAGE_ERROR;

        kit_append_ok(ref, &batch);
        batch.sequence = 2;
        v.batch = batch;
        assert_true(kit_kill_appending(ref, point, batch));
        assert_int_equal(kit_wait(kit_fork(repair_in_want, &v)), 0);
        assert_int_equal(logdir_state(0), LOGDIR_ONLINE);
        assert_int_equal(kit_verify(ref, 0), i % 2 == 0 ? 2 : 4);
        while (rc != 0 && clock_mono_us() < until)
            rc = kit_append(ref, &batch, NULL);
        assert_int_equal(rc, 0);
        assert_int_equal(kit_verify(ref, 0), 4);
        assert_int_equal(kit_file_size(kit_segment(ref, 0, ".log")), kit_tuple(ref).active_size);
    }
}

/* A killed first batch of an unknown producer leaves no entry behind that refuses the next. */
static void
first_batch_of_a_producer(void **state)
{
    PartitionRef ref = kit_partition("new-producer", 0);
    PlogProducer *list;
    ErrInfo err = {0};
    int32_t count;

    (void)state;
    kit_append_ok(ref, &(KitBatch){0});
    assert_true(kit_kill_appending(ref, "plog.append.written",
                                   (KitBatch){.producer_id = 5, .sequence = 3}));
    assert_int_equal(plog_producers(ref, kit_arena, &list, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_int_equal(kit_retry(ref, (KitBatch){.producer_id = 5, .sequence = 3}), 2);
    assert_int_equal(plog_producers(ref, kit_arena, &list, &count, &err), 0);
    assert_int_equal(count, 1);
    assert_int_equal(list[0].last_sequence, 3);
}

static void
epoch_and_roll(void **state)
{
    static const char *const points[] = {"plog.append.epoch", "plog.roll.flushed",
                                         "plog.roll.created", "plog.roll.published"};

    (void)state;
    kit_settings.segment_bytes = 1000;
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        PartitionRef ref = kit_partition("roll", (int32_t)i);
        int64_t end = 0;
        int killed = 0;

        for (int n = 0; n < 60; n++) {
            KitBatch batch = {.value_bytes = 200, .producer_id = 3, .sequence = n};

            if (n == 30)
                kit_set_epoch(ref, 4);
            if (n % 3 == 0 && kit_kill_appending(ref, points[i], batch)) {
                killed++;
                assert_int_equal(kit_offsets(ref).log_end_offset, end);
                assert_int_equal(kit_retry(ref, batch), 2);
            } else if (n % 3 != 0) {
                assert_int_equal(kit_append_ok(ref, &batch), end);
            }
            end++;
            assert_int_equal(kit_offsets(ref).log_end_offset, end);
        }
        assert_true(killed >= 1);
        assert_int_equal(kit_verify(ref, 0), 60);
        /* what is on disk is the same log */
        kit_restart(false);
        ref = kit_partition("roll", (int32_t)i);
        kit_set_epoch(ref, 4);
        assert_int_equal(kit_verify(ref, 0), 60);
        PlogEpochEnd e;
        assert_int_equal(plog_epoch_end_offset(ref, 0, &e, NULL), 0);
        assert_int_equal(e.end_offset, 30);
        assert_int_equal(
            kit_retry(ref, (KitBatch){.value_bytes = 200, .producer_id = 3, .sequence = 59}), 3);
    }
}

static void
making_the_folder(void **state)
{
    static const char *const points[] = {"plog.folder.empty", "plog.folder.made", "plog.files.made",
                                         "plog.append.written"};

    (void)state;
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        PartitionRef ref = kit_partition("folder", (int32_t)i);

        assert_int_equal(kit_offsets(ref).log_end_offset, 0);
        assert_true(kit_kill_appending(ref, points[i], (KitBatch){0}));
        assert_int_equal(kit_offsets(ref).log_end_offset, 0);
        assert_int_equal(kit_retry(ref, (KitBatch){0}), 2);
        assert_int_equal(kit_verify(ref, 0), 1);
        assert_true(kit_kill_appending(ref, "plog.append.end", (KitBatch){0}));
        kit_restart(false);
        ref = kit_partition("folder", (int32_t)i);
        assert_int_equal(kit_verify(ref, 0), 2);
    }
}

static void
opening(void **state)
{
    static const char *const points[] = {"plog.open.begin", "plog.open.loaded"};
    PartitionRef ref;

    (void)state;
    kit_settings.segment_bytes = 1000;
    ref = kit_partition("opening", 0);
    for (int n = 0; n < 100; n++)
        kit_append_ok(ref,
                      &(KitBatch){.value_bytes = 100, .producer_id = n % 7 + 1, .sequence = n / 7});
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        kit_restart(false);
        ref = kit_partition("opening", 0);
        assert_true(kit_kill_appending(ref, points[i], (KitBatch){0}));
        assert_int_equal(kit_verify(ref, 0), 100);
        assert_int_equal(producer_pool_used(), 7);
        assert_int_equal(segment_pool_used(), (kit_tuple(ref).seg_count + 20) / 21);
    }
}

/* The repairer dies, too, at each of its steps. */
typedef struct Repairer {
    PartitionRef ref;
    const char *point;
} Repairer;

static int
die_repairing(void *arg)
{
    Repairer *r = arg;
    PartitionSlot *slot;

    fd_cache_reset();
    crashpoint_arm(r->point, 1);
    if (plog_lock(r->ref, &slot, NULL) != 0)
        return 1;
    plog_unlock(slot);
    return 0;
}

static void
the_repair_itself(void **state)
{
    static const char *const points[] = {"plog.repair.log",       "plog.repair.indexes",
                                         "plog.repair.files",     "plog.repair.links",
                                         "plog.repair.producers", "plog.repair.woken"};
    static const char *const deaths[] = {"plog.append.written", "plog.append.published",
                                         "plog.append.producer"};

    (void)state;
    for (size_t d = 0; d < sizeof deaths / sizeof deaths[0]; d++) {
        PartitionRef ref = kit_partition("repair", (int32_t)d);
        KitBatch batch = {.producer_id = 8, .value_bytes = 50};

        for (int n = 0; n < 10; n++) {
            batch.sequence = n;
            kit_append_ok(ref, &batch);
        }
        batch.sequence = 10;
        assert_true(kit_kill_appending(ref, deaths[d], batch));
        for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
            Repairer r = {ref, points[i]};
            int status = kit_wait(kit_fork(die_repairing, &r));

            assert_true(WIFSIGNALED(status));
        }
        assert_int_equal(kit_retry(ref, batch), d == 0 ? 2 : 3);
        assert_int_equal(kit_verify(ref, 0), 11);
    }
}

static void
burial_and_drop(void **state)
{
    PartitionRef ref;
    PartitionSlot *slot;
    int64_t start;
    pid_t pid;

    (void)state;
    kit_settings.segment_bytes = 300;
    ref = kit_partition("bury", 0);
    for (int n = 0; n < 50; n++)
        kit_append_ok(ref, &(KitBatch){.value_bytes = 100});
    assert_int_equal(plog_lock(ref, &slot, NULL), 0);
    assert_int_equal(plog_delete_records_locked(slot, 25, &start, NULL), 0);
    plog_unlock(slot);
    pid = fork();
    if (pid == 0) {
        crashpoint_arm("plog.retention.unlisted", 1);
        _exit(kit_retain(ref, KIT_NOW_MS) > 0 ? 0 : 1);
    }
    assert_true(WIFSIGNALED(kit_wait(pid)));
    assert_int_equal(kit_verify(ref, 25), 50);
    kit_append_ok(ref, &(KitBatch){.value_bytes = 100});
    pslot_retire(pslot_at(ref.slot));
    pid = fork();
    if (pid == 0) {
        crashpoint_arm("plog.bury.renamed", 1);
        _exit(plog_bury(ref.slot, kit_buried, NULL) == 0 ? 0 : 1);
    }
    assert_true(WIFSIGNALED(kit_wait(pid)));
    assert_int_equal(plog_bury(ref.slot, kit_buried, NULL), 0);
    assert_int_equal(segment_pool_used(), 0);
    assert_int_equal(pslot_state(pslot_at(ref.slot)), PSLOT_FREE);
}

/* ---- stress: random kills ----------------------------------------------------------------------- */

#define WRITERS    4
#define PARTITIONS 3

typedef struct Stress {
    PartitionRef refs[PARTITIONS];
    volatile int64_t acked[WRITERS][PARTITIONS]; /* sequences acknowledged, in shared memory */
} Stress;

static Stress *stress;

/* Appends idempotent batches, repeating from what was acknowledged, until it is killed. */
static int
write_for_ever(void *arg)
{
    int me = (int)(intptr_t)arg;
    RandomSeq seq = {random_u64()};

    fd_cache_reset();
    for (;;) {
        int p = (int)random_seq_below(&seq, PARTITIONS);
        KitBatch batch = {.producer_id = 100 + me,
                          .sequence = (int32_t)stress->acked[me][p],
                          .value_bytes = 20 + (int)random_seq_below(&seq, 400)};

        if (kit_append(stress->refs[p], &batch, NULL) != 0)
            return 1;
        stress->acked[me][p] = stress->acked[me][p] + 1;
    }
}

/* Each producer's sequences stand in the log once and in order. */
static void
check_sequences(PartitionRef ref, int p)
{
    int64_t next[WRITERS] = {0};
    int64_t offset = 0;

    for (;;) {
        PlogReadArgs args = {offset, PLOG_BOUND_HW, INT32_MAX, true};
        PlogReadResult r;
        uint8_t *bytes;
        int64_t pos = 0;

        assert_int_equal(plog_read(ref, &args, &r, NULL), 0);
        if (r.slice.len == 0)
            break;
        bytes = malloc((size_t)r.slice.len);
        assert_int_equal(pread(r.slice.fd, bytes, (size_t)r.slice.len, r.slice.pos), r.slice.len);
        for (; pos < r.slice.len; pos += batch_size(bytes + pos)) {
            int64_t writer = batch_producer_id(bytes + pos) - 100;

            assert_true(batch_crc_ok(bytes + pos, (size_t)batch_size(bytes + pos)));
            assert_int_equal(batch_base_offset(bytes + pos), offset);
            assert_int_equal(batch_base_sequence(bytes + pos), next[writer]);
            next[writer]++;
            offset = batch_next_offset(bytes + pos);
        }
        free(bytes);
        plog_slice_release(&r.slice);
    }
    for (int w = 0; w < WRITERS; w++) {
        assert_true(next[w] >= stress->acked[w][p]);
        assert_true(next[w] <= stress->acked[w][p] + 1);
    }
}

static void
random_kills(void **state)
{
    RandomSeq seq = {random_u64()};
    pid_t pids[WRITERS];
    uint64_t seed = seq.state;

    (void)state;
    print_message("# seed %llu\n", (unsigned long long)seed);
    kit_settings.segment_bytes = 20000;
    kit_settings.index_interval_bytes = 500;
    stress = kit_shared(sizeof *stress);
    for (int p = 0; p < PARTITIONS; p++)
        stress->refs[p] = kit_partition("stress", p);
    for (int w = 0; w < WRITERS; w++)
        pids[w] = kit_fork(write_for_ever, (void *)(intptr_t)w);
    for (int round = 0; round < 300; round++) {
        int w = (int)random_seq_below(&seq, WRITERS);

        (void)usleep((unsigned)random_seq_below(&seq, 10000));
        (void)kill(pids[w], SIGKILL);
        assert_true(WIFSIGNALED(kit_wait(pids[w])));
        pids[w] = kit_fork(write_for_ever, (void *)(intptr_t)w);
    }
    for (int w = 0; w < WRITERS; w++) {
        (void)kill(pids[w], SIGKILL);
        assert_true(WIFSIGNALED(kit_wait(pids[w])));
    }
    for (int p = 0; p < PARTITIONS; p++) {
        PartitionSlot *slot;

        assert_int_equal(plog_lock(stress->refs[p], &slot, NULL), 0); /* repairs */
        plog_unlock(slot);
        assert_true(kit_offsets(stress->refs[p]).log_end_offset > 50);
        check_sequences(stress->refs[p], p);
    }
    /* the machine's processes are gone altogether: the files say the same */
    kit_restart(false);
    for (int p = 0; p < PARTITIONS; p++) {
        stress->refs[p] = kit_partition("stress", p);
        check_sequences(stress->refs[p], p);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_step_of_an_append, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(repair_waits_for_what_it_lacks, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(first_batch_of_a_producer, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(epoch_and_roll, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(making_the_folder, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(opening, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(the_repair_itself, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(burial_and_drop, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(random_kills, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
