/*
 * test_commit.c - group commits: what is flushed before what is acknowledged (plog_commit.h C1 to C3)
 *
 * Proves that nothing is durable before its file, its name and its folder were flushed, that many
 * partitions cost one flush, that a failed flush acknowledges nothing now or later, that neither a
 * killed requester nor a stopped lock holder keeps others waiting, and which acknowledgements wait.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "maintenance/checkpoint_int.h"
#include "maintenance/commit_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/vfs.h"
#include "ottla/common/vfs_faulty.h"
#include "ottla/ipc/slot.h"
#include "ottla/replica/replica.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/plog_commit.h"
#include "ottla/storage/plog_retention.h"
#include "../storage/storage_kit.h"

static Committer *committer;

static int
setup(void **state)
{
    int rc = kit_setup(state);

    committer = committer_new(0);
    if (rc == 0)
        rc = logdir_flush_renames(0, NULL); /* of the time before */
    return committer == NULL ? -1 : rc;
}

static int
teardown(void **state)
{
    vfs_ops = &vfs_real_ops;
    committer_free(committer);
    return kit_teardown(state);
}

static void
request(PartitionRef ref)
{
    WakeBatch wake;

    wake_batch_init(&wake);
    plog_request_commit(pslot_at(ref.slot), FLUSH_NOW, &wake);
}

static PartitionRef
written(const char *topic, int32_t partition)
{
    PartitionRef ref = kit_partition(topic, partition);

    kit_append_ok(ref, &(KitBatch){0});
    request(ref);
    return ref;
}

static CommitReport
commit_at(int64_t now_us)
{
    CommitReport r;
    ErrInfo err = {0};

    if (commit_run(committer, now_us, false, &r, &err) != 0)
        fail_msg("%s", err.text);
    return r;
}

static int64_t
durable(PartitionRef ref)
{
    return kit_offsets(ref).durable_offset;
}

static int
append_for(PartitionRef ref, const KitBatch *what, int16_t acks, ReplicaAppendResult *ret)
{
    ReplicaAppendArgs args = {.acks = acks};
    ErrInfo err = {0};
    Batch batch;

    kit_batch(what, &batch);
    args.batch = &batch;
    return replica_append(ref, &args, ret, &err);
}

/* ---- one flush for many ---------------------------------------------------------------------------- */

static void
many_partitions_cost_one_flush(void **state)
{
    PartitionRef refs[100];
    CommitReport r;

    (void)state;
    for (int i = 0; i < 100; i++)
        refs[i] = written("many", i);
    vfs_faulty_install();
    r = commit_at(0);
    assert_int_equal(r.partitions, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(durable(refs[i]), 1);
    if (r.used_syncfs) {
        assert_int_equal(vfs_faulty_count(VFS_CALL_SYNCFS), 1);
        assert_int_equal(vfs_faulty_count(VFS_CALL_FSYNC), 0);
    }
    assert_int_equal(commit_at(0).partitions, 0); /* nobody asks any more */
    /* the second time no name is new: one flush of one file */
    kit_append_ok(refs[7], &(KitBatch){0});
    kit_append_ok(refs[7], &(KitBatch){0});
    request(refs[7]);
    request(refs[7]);
    vfs_faulty_install();
    assert_int_equal(commit_at(0).partitions, 1);
    assert_int_equal(vfs_faulty_count(VFS_CALL_FSYNC), 1);
    assert_int_equal(durable(refs[7]), 3);
    /* one that nobody waits for is left alone */
    kit_append_ok(refs[8], &(KitBatch){0});
    assert_int_equal(commit_at(0).partitions, 0);
    assert_int_equal(durable(refs[8]), 1);
}

/* ---- the order of flush and acknowledgement [C2] ------------------------------------------------- */

/* What was flushed while the durable offset still stood where it was. */
static struct {
    PartitionRef ref;
    int64_t durable_before;
    int files, folders, log_dirs;
    bool append_meanwhile;
} order;

static void
watch_flush(int fd)
{
    char link[64], path[512];
    ssize_t len;

    assert_int_equal(durable(order.ref), order.durable_before);
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof path - 1);
    assert_true(len > 0);
    path[len] = '\0';
    if (strcmp(path, kit_dir) == 0)
        order.log_dirs++;
    else if (strstr(path, ".log") != NULL)
        order.files++;
    else if (strstr(path, "order-") != NULL && strchr(strstr(path, "order-"), '/') == NULL)
        order.folders++;
    if (order.append_meanwhile) {
        order.append_meanwhile = false;
        kit_append_ok(order.ref, &(KitBatch){0});
        request(order.ref);
    }
}

static int
watched_fsync(int fd)
{
    watch_flush(fd);
    return vfs_real_ops.fsync(fd);
}

static int
watched_fdatasync(int fd)
{
    watch_flush(fd);
    return vfs_real_ops.fdatasync(fd);
}

static int
watched_syncfs(int fd)
{
    watch_flush(fd);
    return vfs_real_ops.syncfs(fd);
}

static void
watch_flushes(PartitionRef ref, bool append_meanwhile)
{
    static VfsOps ops;

    ops = vfs_real_ops;
    ops.fsync = watched_fsync;
    ops.fdatasync = watched_fdatasync;
    ops.syncfs = watched_syncfs;
    memset(&order, 0, sizeof order);
    order.ref = ref;
    order.durable_before = durable(ref);
    order.append_meanwhile = append_meanwhile;
    vfs_ops = &ops;
}

static void
nothing_is_durable_before_its_flush(void **state)
{
    PartitionRef ref = written("order", 0);

    (void)state;
    watch_flushes(ref, true);
    assert_int_equal(commit_at(0).partitions, 1);
    /* the file, its name, and the name of its folder */
    assert_int_equal(order.files, 1);
    assert_int_equal(order.folders, 1);
    assert_int_equal(order.log_dirs, 1);
    /* what came during the flush waits for the next one [C1] */
    assert_int_equal(durable(ref), 1);
    watch_flushes(ref, false);
    assert_int_equal(commit_at(0).partitions, 1);
    assert_int_equal(order.files, 1);
    assert_int_equal(order.folders, 0);
    assert_int_equal(durable(ref), 2);
}

static void
a_roll_flushes_both_files_and_the_name(void **state)
{
    PartitionRef ref;

    (void)state;
    kit_settings.segment_bytes = 300;
    ref = written("order", 1);
    (void)commit_at(0);
    for (int i = 0; i < 4; i++)
        kit_append_ok(ref, &(KitBatch){.value_bytes = 150});
    request(ref);
    watch_flushes(ref, false);
    (void)commit_at(0);
    assert_true(order.files >= 4);
    assert_int_equal(order.folders, 1);
    assert_int_equal(durable(ref), 5);
}

/* Retention may take segments that were never flushed: the rest counts all the same. */
static void
deleted_segments_need_no_flush(void **state)
{
    PlogRetention retention;
    PartitionRef ref;
    int64_t low;

    (void)state;
    kit_settings.segment_bytes = 300;
    ref = kit_partition("order", 2);
    for (int i = 0; i < 10; i++)
        kit_append_ok(ref, &(KitBatch){.value_bytes = 150});
    assert_int_equal(replica_delete_records(ref, 8, &low, NULL), 0);
    assert_int_equal(plog_apply_retention(ref, KIT_NOW_MS, &retention, NULL), 0);
    assert_true(retention.segments > 0);
    request(ref);
    assert_int_equal(commit_at(0).partitions, 1);
    assert_int_equal(durable(ref), 10);
}

/*
 * Who wrote keeps the descriptor until the commit; when it cannot, only syncfs may still tell of an
 * error. What is covered goes silently.
 */
static void
a_descriptor_given_up_asks_for_syncfs(void **state)
{
    PartitionRef ref = kit_partition("kept", 0);
    bool reliable;

    (void)state;
    for (int i = 1; i < 10; i++)
        (void)written("kept", i);
    reliable = commit_at(0).used_syncfs;
    fd_cache_reset(); /* as at the end of a connection */
    request(ref);
    kit_append_ok(ref, &(KitBatch){0});
    assert_false(commit_at(0).used_syncfs);
    fd_cache_reset();
    kit_append_ok(ref, &(KitBatch){0});
    request(ref);
    assert_false(commit_at(0).used_syncfs);
    kit_append_ok(ref, &(KitBatch){0});
    fd_cache_reset();
    request(ref);
    assert_int_equal(commit_at(0).used_syncfs, reliable);
    assert_int_equal(durable(ref), 3);
}

static void
descriptors_are_kept_while_there_is_room(void **state)
{
    PartitionRef refs[40];

    (void)state;
    fd_cache_init(16);
    refs[0] = kit_partition("room", 0);
    kit_append_ok(refs[0], &(KitBatch){0});
    /* the others are covered, and go before it */
    for (int i = 1; i < 40; i++) {
        refs[i] = written("room", i);
        (void)commit_at(0);
    }
    assert_false(logdir_take_given_up(0));
    fd_cache_reset();
    assert_true(logdir_take_given_up(0));
    fd_cache_init(0);
}

static int
slow_syncfs(int fd)
{
    (void)usleep(50000);
    return vfs_real_ops.syncfs(fd);
}

/* Others write much: all at once costs more than some files, as the next commits know. */
static void
make_syncfs_dear(void)
{
    static VfsOps ops;
    PartitionRef ref = written("dear", 0);

    (void)written("dear", 1);
    ops = vfs_real_ops;
    ops.syncfs = slow_syncfs;
    vfs_ops = &ops;
    (void)commit_at(0);
    vfs_ops = &vfs_real_ops;
    kit_append_ok(ref, &(KitBatch){0});
    request(ref);
    (void)commit_at(0);
}

/* Which way a commit goes follows from what the ways have cost here. */
static void
the_cheaper_way_is_taken(void **state)
{
    (void)state;
    make_syncfs_dear();
    (void)written("way", 0);
    (void)written("way", 1);
    assert_false(commit_at(0).used_syncfs);
}

/* ---- failures ---------------------------------------------------------------------------------------- */

static void
a_failed_flush_acknowledges_nothing(void **state)
{
    PartitionRef a = kit_partition("failed", 0), b = kit_partition("failed", 1);
    ReplicaAppendResult first, second;
    CommitReport r;
    ErrInfo err = {0};

    (void)state;
    make_syncfs_dear();
    assert_int_equal(append_for(a, &(KitBatch){0}, -1, &first), 0);
    assert_int_equal(append_for(b, &(KitBatch){0}, -1, &second), 0);
    vfs_faulty_install();
    vfs_faulty_plan((VfsFault){.call = VFS_CALL_FSYNC, .nth = 1, .errno_value = EIO});
    assert_int_equal(commit_run(committer, 0, false, &r, &err), OT_E_KAFKA_STORAGE_ERROR);
    assert_int_equal(logdir_state(0), LOGDIR_FAILED);
    assert_int_equal(durable(a) + durable(b), 0);
    assert_int_equal(replica_check_wait(a, &first.wait, &err), OT_E_KAFKA_STORAGE_ERROR);
    assert_int_equal(replica_check_wait(b, &second.wait, &err), OT_E_KAFKA_STORAGE_ERROR);
    /* The disk says all is well again, as Linux does: it is not. */
    vfs_faulty_remove();
    request(a);
    request(b);
    assert_int_equal(commit_at(0).partitions, 0);
    (void)checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &(CheckpointReport){0}, &err);
    assert_int_equal(durable(a) + durable(b), 0);
    assert_int_equal(append_for(a, &(KitBatch){0}, 1, &first), OT_E_KAFKA_STORAGE_ERROR);
}

static void
a_failed_syncfs_fails_the_directory(void **state)
{
    PartitionRef refs[20];
    CommitReport r;
    ErrInfo err = {0};
    int rc;

    (void)state;
    for (int i = 0; i < 20; i++)
        refs[i] = written("failed", i);
    vfs_faulty_install();
    vfs_faulty_plan((VfsFault){.call = VFS_CALL_SYNCFS, .nth = 1, .errno_value = EIO});
    rc = commit_run(committer, 0, false, &r, &err);
    if (!r.used_syncfs)
        skip(); /* a file system whose syncfs is not relied upon */
    assert_int_equal(rc, OT_E_KAFKA_STORAGE_ERROR);
    for (int i = 0; i < 20; i++)
        assert_int_equal(durable(refs[i]), 0);
}

/* A lack of descriptors says nothing about the disk: tried again. */
static void
a_shortage_is_no_failure(void **state)
{
    PartitionRef ref = written("short", 0);
    CommitReport r;
    ErrInfo err = {0};
    int64_t again_us;

    (void)state;
    vfs_faulty_install();
    vfs_faulty_plan((VfsFault){.call = VFS_CALL_OPEN, .nth = 2, .errno_value = EMFILE});
    assert_int_equal(commit_run(committer, 0, false, &r, &err), 0);
    assert_int_equal(logdir_state(0), LOGDIR_ONLINE);
    assert_int_equal(durable(ref), 0);
    again_us = commit_next_us(committer);
    assert_true(again_us > 0 && again_us < clock_mono_us() + 1000000);
    assert_int_equal(commit_at(again_us).partitions, 1);
    assert_true(vfs_faulty_count(VFS_CALL_FSYNC) >= 3); /* names, too: they are still new */
    assert_int_equal(durable(ref), 1);
}

static PartitionRef failing;

static int
failing_fdatasync(int fd)
{
    (void)pslot_settle_state(pslot_at(failing.slot), PSLOT_FAILED);
    return vfs_real_ops.fdatasync(fd);
}

/* A repair that fails in the middle of a commit costs its partition, not the directory. */
static void
a_log_that_fails_meanwhile_fails_alone(void **state)
{
    static VfsOps ops;
    PartitionRef good;

    (void)state;
    make_syncfs_dear();
    good = written("good", 0);
    failing = written("failing", 0);
    ops = vfs_real_ops;
    ops.fdatasync = failing_fdatasync;
    vfs_ops = &ops;
    assert_false(commit_at(0).used_syncfs);
    vfs_ops = &vfs_real_ops;
    assert_int_equal(logdir_state(0), LOGDIR_ONLINE);
    assert_int_equal(durable(good), 1);
    assert_int_equal(commit_at(clock_mono_us() + 1000000).partitions, 0);
}

/* ---- who dies or stops --------------------------------------------------------------------------------- */

static PartitionRef shared_ref;

static int
die_asking(void *arg)
{
    ReplicaAppendResult r;

    fd_cache_reset();
    crashpoint_arm(arg, 1);
    return append_for(shared_ref, &(KitBatch){0}, -1, &r);
}

static void
a_killed_requester_stops_nobody(void **state)
{
    static const char *const points[] = {"replica.appended", "plog.commit.asked", "replica.asked",
                                         "replica.notified", "replica.unlocked"};

    (void)state;
    shared_ref = kit_partition("killed", 0);
    for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
        ReplicaAppendResult r;
        CommitReport report;
        ErrInfo err = {0};

        assert_true(WIFSIGNALED(kit_wait(kit_fork(die_asking, (void *)(uintptr_t)points[i]))));
        /* the next one asks as if nothing had been */
        assert_int_equal(append_for(shared_ref, &(KitBatch){0}, -1, &r), 0);
        assert_true(r.wait.for_disk);
        assert_int_equal(commit_run(committer, 0, true, &report, &err), 0);
        assert_int_equal(report.partitions, 1);
        assert_int_equal(replica_check_wait(shared_ref, &r.wait, &err), 0);
        assert_false(r.wait.for_disk);
    }
}

static int
stop_with_lock(void *arg)
{
    PartitionSlot *slot;

    (void)arg;
    if (plog_lock(shared_ref, &slot, NULL) != 0)
        return 1;
    (void)raise(SIGSTOP);
    plog_unlock(slot);
    return 0;
}

static void
a_stopped_lock_holder_delays_nobody(void **state)
{
    PartitionRef other = written("stopped", 1);
    WaitInterest interest = {.mask = WAIT_ON_DURABLE};
    WaiterId waiter = wait_session_waiter(0);
    int64_t begin;
    WaitTake take;
    uint32_t key;
    int32_t node = WAIT_NODE_NONE, ready;
    pid_t pid;
    int status;

    (void)state;
    shared_ref = written("stopped", 0);
    (void)wait_renew(waiter);
    interest.list = &pslot_at(shared_ref.slot)->waiters;
    interest.list_id = (uint32_t)shared_ref.slot;
    assert_int_equal(wait_register(waiter, &interest, &node), 0);
    pid = kit_fork(stop_with_lock, NULL);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    begin = clock_mono_us();
    assert_int_equal(commit_at(begin).partitions, 2);
    assert_true(clock_mono_us() - begin < 2000000);
    assert_int_equal(durable(shared_ref), 1);
    assert_int_equal(durable(other), 1);
    /* who waits there is told when the lock is free */
    wait_begin_take(&take, waiter, false);
    assert_false(wait_next(&take, &ready, &key));
    assert_true(commit_next_us(committer) < INT64_MAX);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(kit_wait(pid), 0);
    (void)commit_at(clock_mono_us());
    wait_begin_take(&take, waiter, false);
    assert_true(wait_next(&take, &ready, &key));
    assert_int_equal(commit_next_us(committer), INT64_MAX);
}

/* A slot that serves another partition by now has nothing durable of the one before. */
static void
durable_offsets_belong_to_one_partition(void **state)
{
    PartitionRef ref = written("first", 0), next;

    (void)state;
    (void)commit_at(0);
    assert_int_equal(durable(ref), 1);
    pslot_retire(pslot_at(ref.slot));
    assert_int_equal(plog_bury(ref.slot, kit_buried, NULL), 0);
    next = kit_partition("second", 0);
    assert_int_equal(next.slot, ref.slot);
    kit_append_ok(next, &(KitBatch){.count = 3});
    assert_int_equal(durable(next), 0);
    pslot_publish_durable(ref, 3); /* a commit that comes late */
    assert_int_equal(durable(next), 0);
}

#define OTHER_SLOT 2 /* nobody's here */

static void
stop_there(const char *name)
{
    (void)name; /* the one that is armed */
    (void)raise(SIGSTOP);
}

static int
stop_while_publishing(void *arg)
{
    (void)arg;
    my_slot_index = OTHER_SLOT; /* as a checkpointer has one */
    atomic_i32_store(&slot_at(OTHER_SLOT)->pid, getpid());
    crashpoint_hook = stop_there;
    crashpoint_arm("pslot.durable", 1);
    pslot_publish_durable(shared_ref, 3);
    return 0;
}

/* A checkpointer that is stopped while it says what is durable does not stop that of another directory. */
static void
a_stopped_checkpointer_stops_no_other(void **state)
{
    int64_t begin, cpu;
    int status;
    pid_t pid;

    (void)state;
    shared_ref = written("guarded", 0);
    pid = kit_fork(stop_while_publishing, NULL);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    begin = clock_mono_us();
    cpu = clock_cpu_us();
    (void)alarm(20); /* not for ever */
    pslot_publish_durable(shared_ref, 1);
    (void)alarm(0);
    assert_true(clock_mono_us() - begin < 5000000);
    assert_true(clock_cpu_us() - cpu < 500000); /* it sleeps meanwhile */
    assert_true(WIFSIGNALED(kit_wait(pid)));
    assert_int_equal(durable(shared_ref), 1);
    begin = clock_mono_us();
    pslot_publish_durable(shared_ref, 1); /* the guard is free again */
    assert_true(clock_mono_us() - begin < 500000);
}

/* ---- which acknowledgements wait ------------------------------------------------------------------- */

static void
durability_says_who_waits(void **state)
{
    static const struct {
        TopicDurability durability;
        int replicas, isr;
        bool waits;
    } rows[] = {
        {TOPIC_DURABILITY_AUTO, 1, 1, true},    {TOPIC_DURABILITY_AUTO, 3, 1, true},
        {TOPIC_DURABILITY_AUTO, 3, 2, false},   {TOPIC_DURABILITY_DISK, 3, 3, true},
        {TOPIC_DURABILITY_MEMORY, 1, 1, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ReplicaAppendResult r;
        PartitionRef ref;

        kit_settings.durability = (int8_t)rows[i].durability;
        ref = kit_partition("who", (int32_t)i);
        pslot_set_leadership(pslot_at(ref.slot),
                             (PslotLeadership){0, PSLOT_ROLE_LEADER, (uint8_t)rows[i].replicas,
                                               (uint16_t)rows[i].isr});
        assert_int_equal(append_for(ref, &(KitBatch){0}, -1, &r), 0);
        assert_int_equal(r.wait.for_disk, rows[i].waits);
        assert_int_equal(commit_at(0).partitions, rows[i].waits);
        assert_int_equal(append_for(ref, &(KitBatch){0}, 1, &r), 0);
        assert_false(r.wait.for_disk);
        assert_int_equal(commit_at(0).partitions, 0);
    }
}

static void
a_duplicate_waits_like_its_original(void **state)
{
    PartitionRef ref = kit_partition("twice", 0);
    KitBatch batch = {.producer_id = 5};
    ReplicaAppendResult first, again;
    ErrInfo err = {0};

    (void)state;
    assert_int_equal(append_for(ref, &batch, -1, &first), 0);
    assert_int_equal(append_for(ref, &batch, -1, &again), 0);
    assert_true(again.log.duplicate);
    assert_true(again.wait.for_disk);
    assert_int_equal(again.wait.last_offset, 0);
    assert_int_equal(replica_check_wait(ref, &again.wait, &err), 0);
    assert_true(again.wait.for_disk);
    (void)commit_at(0);
    assert_int_equal(replica_check_wait(ref, &again.wait, &err), 0);
    assert_false(again.wait.for_disk);
    assert_int_equal(append_for(ref, &batch, -1, &again), 0);
    assert_true(again.log.duplicate);
    assert_false(again.wait.for_disk);
}

static void
flush_messages_makes_all_wait(void **state)
{
    ReplicaAppendResult r;
    PartitionRef ref;

    (void)state;
    kit_settings.flush_messages = 3;
    ref = kit_partition("messages", 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(append_for(ref, &(KitBatch){0}, 1, &r), 0);
        assert_false(r.wait.for_disk);
        assert_int_equal(commit_at(0).partitions, 0);
    }
    assert_int_equal(append_for(ref, &(KitBatch){0}, 1, &r), 0);
    assert_true(r.wait.for_disk);
    assert_int_equal(commit_at(0).partitions, 1);
    assert_int_equal(durable(ref), 3);
    assert_int_equal(append_for(ref, &(KitBatch){0}, 1, &r), 0);
    assert_false(r.wait.for_disk);
    /* acks=0 has no answer to hold back, but its flush is made */
    assert_int_equal(append_for(ref, &(KitBatch){.count = 2}, 0, &r), 0);
    assert_false(r.wait.for_disk);
    assert_int_equal(commit_at(0).partitions, 1);
    assert_int_equal(durable(ref), 6);
}

static void
flush_ms_commits_in_time(void **state)
{
    ReplicaAppendResult r;
    PartitionRef slow, fast;

    (void)state;
    kit_settings.flush_ms = 500;
    slow = kit_partition("ms", 0);
    kit_settings.flush_ms = 100;
    fast = kit_partition("ms", 1);
    assert_int_equal(append_for(slow, &(KitBatch){0}, 1, &r), 0);
    assert_int_equal(append_for(fast, &(KitBatch){0}, 1, &r), 0);
    assert_false(r.wait.for_disk);
    assert_int_equal(commit_at(1000).partitions, 0);
    assert_int_equal(commit_next_us(committer), 101000);
    assert_int_equal(append_for(fast, &(KitBatch){0}, 1, &r), 0); /* does not put it off */
    assert_int_equal(commit_at(100999).partitions, 0);
    assert_int_equal(commit_at(101000).partitions, 1);
    assert_int_equal(durable(fast), 2);
    assert_int_equal(durable(slow), 0);
    assert_int_equal(commit_next_us(committer), 501000);
    /* somebody who waits takes it along */
    request(slow);
    assert_int_equal(commit_at(200000).partitions, 1);
    assert_int_equal(commit_next_us(committer), INT64_MAX);
    /* and it begins anew */
    assert_int_equal(append_for(fast, &(KitBatch){0}, 1, &r), 0);
    assert_int_equal(commit_at(300000).partitions, 0);
    assert_int_equal(commit_next_us(committer), 400000);
}

static int commits_at_due;

/* The commit for flush.ms is over before the one that asked for it goes on. */
static void
commit_at_point(const char *name)
{
    (void)commit_at(0);
    commits_at_due += commit_at(1000).partitions;
    if (strcmp(name, "plog.commit.due") == 0)
        crashpoint_arm("plog.commit.asked", 1);
}

static void
a_commit_that_overtakes_its_request_is_not_the_last(void **state)
{
    ReplicaAppendResult r;
    PartitionRef ref;

    (void)state;
    kit_settings.flush_ms = 1;
    ref = kit_partition("overtaken", 0);
    crashpoint_hook = commit_at_point;
    crashpoint_arm("plog.commit.due", 1);
    commits_at_due = 0;
    assert_int_equal(append_for(ref, &(KitBatch){0}, 1, &r), 0);
    crashpoint_hook = NULL;
    crashpoint_arm(NULL, 0);
    assert_int_equal(commits_at_due, 1);
    assert_int_equal(append_for(ref, &(KitBatch){0}, 1, &r), 0);
    (void)commit_at(2000);
    (void)commit_at(3000);
    assert_int_equal(durable(ref), 2);
}

static int
die_due(void *arg)
{
    ReplicaAppendResult r;

    (void)arg;
    fd_cache_reset();
    crashpoint_arm("plog.commit.due", 1);
    return append_for(shared_ref, &(KitBatch){0}, 1, &r);
}

/* Nor does one that died while it asked, or the partition that had the slot before, hold off later ones. */
static void
flush_ms_outlives_who_asked(void **state)
{
    ReplicaAppendResult r;
    CommitReport report;
    ErrInfo err = {0};

    (void)state;
    kit_settings.flush_ms = 1;
    shared_ref = kit_partition("died", 0);
    assert_true(WIFSIGNALED(kit_wait(kit_fork(die_due, NULL))));
    assert_int_equal(append_for(shared_ref, &(KitBatch){0}, 1, &r), 0);
    assert_int_equal(commit_run(committer, 0, true, &report, &err), 0);
    assert_int_equal(commit_at(1000).partitions, 1);
    assert_int_equal(durable(shared_ref), 2);
    /* asked for, and deleted; that the timer would be another directory's stands for a checkpointer that lacks it */
    assert_int_equal(append_for(shared_ref, &(KitBatch){0}, 1, &r), 0);
    pslot_retire(pslot_at(shared_ref.slot));
    assert_int_equal(plog_bury(shared_ref.slot, kit_buried, NULL), 0);
    (void)commit_at(2000);
    shared_ref = kit_partition("after", 0);
    assert_int_equal(append_for(shared_ref, &(KitBatch){0}, 1, &r), 0);
    (void)commit_at(3000);
    assert_int_equal(commit_at(4000).partitions, 1);
    assert_int_equal(durable(shared_ref), 1);
}

/* ---- checkpoints beside commits ------------------------------------------------------------------ */

static int commits_between;

static void
serve(void *arg)
{
    PartitionRef *ref = arg;

    kit_append_ok(*ref, &(KitBatch){0});
    request(*ref);
    commits_between += commit_at(0).partitions;
}

static void
commits_go_on_during_a_checkpoint(void **state)
{
    CheckpointReport r;
    ErrInfo err = {0};
    PartitionRef ref = {0};
    int64_t end;

    (void)state;
    for (int i = 0; i < 10; i++)
        ref = written("beside", i);
    commits_between = 0;
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, &(PlogServe){serve, &ref}, &r, &err),
                     0);
    assert_true(commits_between > 10);
    end = kit_offsets(ref).log_end_offset;
    assert_int_equal(durable(ref), end);
    /* the recovery point is the checkpoint's own, for which indexes and snapshot were flushed */
    assert_true(plog_recovery_point(ref) > 0 && plog_recovery_point(ref) < end);
}

static pid_t stopped;

static void
stop_once(void *arg)
{
    int status;

    (void)arg;
    if (stopped != 0)
        return;
    stopped = kit_fork(stop_with_lock, NULL);
    assert_int_equal(waitpid(stopped, &status, WUNTRACED), stopped);
    assert_true(WIFSTOPPED(status));
}

/* A checkpoint makes durable what somebody waits for, but cannot get at the list of who does. */
static void
whom_a_checkpoint_cannot_tell_the_next_commit_tells(void **state)
{
    WaitInterest interest = {.mask = WAIT_ON_DURABLE};
    WaiterId waiter = wait_session_waiter(0);
    int32_t node = WAIT_NODE_NONE, ready;
    CheckpointReport r;
    ErrInfo err = {0};
    WaitTake take;
    uint32_t key;

    (void)state;
    shared_ref = written("untold", 0);
    (void)wait_renew(waiter);
    interest.list = &pslot_at(shared_ref.slot)->waiters;
    interest.list_id = (uint32_t)shared_ref.slot;
    assert_int_equal(wait_register(waiter, &interest, &node), 0);
    stopped = 0;
    assert_int_equal(
        checkpoint_run(0, PLOG_CHECKPOINT_FULL, &(PlogServe){stop_once, NULL}, &r, &err), 0);
    assert_int_equal(durable(shared_ref), 1);
    assert_int_equal(plog_recovery_point(shared_ref), 0); /* that needs the lock */
    wait_begin_take(&take, waiter, false);
    assert_false(wait_next(&take, &ready, &key));
    assert_int_equal(kill(stopped, SIGCONT), 0);
    assert_int_equal(kit_wait(stopped), 0);
    assert_int_equal(commit_at(0).partitions, 0);
    wait_begin_take(&take, waiter, false);
    assert_true(wait_next(&take, &ready, &key));
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
    assert_int_equal(plog_recovery_point(shared_ref), 1);
}

/* Requests that come while many walks go on are neither lost nor kept (the list of before made rings). */
static void
requests_survive_locks_that_are_held(void **state)
{
    CheckpointReport r;
    ErrInfo err = {0};
    int status;
    pid_t pid;

    (void)state;
    for (int i = 0; i < 5; i++)
        shared_ref = written("held", i);
    pid = kit_fork(stop_with_lock, NULL);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    for (int round = 0; round < 3; round++) {
        assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
        assert_int_equal(r.partitions, round == 0 ? 4 : 0);
        for (int i = 0; round == 2 && i < 4; i++)
            kit_append_ok(pslot_ref(pslot_at(i)), &(KitBatch){0});
    }
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(kit_wait(pid), 0);
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
    assert_int_equal(r.partitions, 5);
    assert_int_equal(checkpoint_run(0, PLOG_CHECKPOINT_FULL, NULL, &r, &err), 0);
    assert_int_equal(r.partitions, 0);
}

/* A folder of a deleted topic gets its new name without a flush; the next turn makes it durable. */
static void
new_names_of_folders_are_flushed(void **state)
{
    PartitionRef ref = written("gone", 0);
    char folder[LIMIT_PATH_BYTES];

    (void)state;
    (void)commit_at(clock_mono_us());
    assert_false(logdir_has_renames(0));
    vfs_faulty_install();
    pslot_retire(pslot_at(ref.slot));
    assert_int_equal(plog_bury(ref.slot, folder, NULL), 0);
    assert_true(strstr(folder, "-delete") != NULL);
    assert_true(logdir_has_renames(0));
    assert_int_equal(vfs_faulty_count(VFS_CALL_FSYNC), 0); /* under an append lock */
    assert_int_equal(commit_at(clock_mono_us()).partitions, 0);
    assert_int_equal(vfs_faulty_count(VFS_CALL_FSYNC), 1);
    assert_false(logdir_has_renames(0));
    assert_int_equal(commit_at(clock_mono_us()).partitions, 0);
    assert_int_equal(vfs_faulty_count(VFS_CALL_FSYNC), 1);
    vfs_faulty_remove();
}

static int
stop_with_names(void *arg)
{
    (void)arg;
    if (logdir_names_lock(0, NULL) != 0)
        return 1;
    (void)raise(SIGSTOP);
    logdir_names_unlock(0);
    return 0;
}

/* Who stands still with the names lock keeps nobody from the disk. */
static void
renames_wait_for_their_lock_elsewhere(void **state)
{
    char folder[LIMIT_PATH_BYTES];
    PartitionRef ref = written("gone", 0), other;
    int64_t begin;
    int status;
    pid_t pid;

    (void)state;
    (void)commit_at(clock_mono_us());
    pslot_retire(pslot_at(ref.slot));
    assert_int_equal(plog_bury(ref.slot, folder, NULL), 0);
    other = written("stays", 0);
    pid = kit_fork(stop_with_names, NULL);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    begin = clock_mono_us();
    assert_int_equal(commit_at(begin).partitions, 1);
    assert_true(clock_mono_us() - begin < 2000000);
    assert_int_equal(durable(other), 1);
    assert_true(logdir_has_renames(0));
    assert_true(commit_next_us(committer) < begin + 1000000);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(kit_wait(pid), 0);
    assert_int_equal(commit_at(clock_mono_us()).partitions, 0);
    assert_false(logdir_has_renames(0));
}

static void
renames_that_cannot_be_flushed_stay(void **state)
{
    PartitionRef ref = written("gone", 0);
    char folder[LIMIT_PATH_BYTES];
    CommitReport r;
    ErrInfo err;

    (void)state;
    (void)commit_at(clock_mono_us());
    pslot_retire(pslot_at(ref.slot));
    assert_int_equal(plog_bury(ref.slot, folder, NULL), 0);
    vfs_faulty_install();
    vfs_faulty_plan((VfsFault){.call = VFS_CALL_FSYNC, .nth = 1, .errno_value = EIO});
    assert_int_equal(commit_run(committer, clock_mono_us(), false, &r, &err),
                     OT_E_KAFKA_STORAGE_ERROR);
    vfs_faulty_remove();
    assert_true(logdir_has_renames(0));
    assert_int_equal(logdir_state(0), LOGDIR_FAILED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(many_partitions_cost_one_flush),
        TEST(new_names_of_folders_are_flushed),
        TEST(renames_wait_for_their_lock_elsewhere),
        TEST(renames_that_cannot_be_flushed_stay),
        TEST(nothing_is_durable_before_its_flush),
        TEST(a_roll_flushes_both_files_and_the_name),
        TEST(deleted_segments_need_no_flush),
        TEST(a_descriptor_given_up_asks_for_syncfs),
        TEST(descriptors_are_kept_while_there_is_room),
        TEST(the_cheaper_way_is_taken),
        TEST(a_failed_flush_acknowledges_nothing),
        TEST(a_failed_syncfs_fails_the_directory),
        TEST(a_shortage_is_no_failure),
        TEST(a_log_that_fails_meanwhile_fails_alone),
        TEST(a_killed_requester_stops_nobody),
        TEST(a_stopped_lock_holder_delays_nobody),
        TEST(durable_offsets_belong_to_one_partition),
        TEST(a_stopped_checkpointer_stops_no_other),
        TEST(durability_says_who_waits),
        TEST(a_duplicate_waits_like_its_original),
        TEST(flush_messages_makes_all_wait),
        TEST(flush_ms_commits_in_time),
        TEST(a_commit_that_overtakes_its_request_is_not_the_last),
        TEST(flush_ms_outlives_who_asked),
        TEST(commits_go_on_during_a_checkpoint),
        TEST(whom_a_checkpoint_cannot_tell_the_next_commit_tells),
        TEST(requests_survive_locks_that_are_held),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
