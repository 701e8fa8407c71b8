/*
 * power_loss.c - random work on a node, a loss of power at a random instant, a start, a comparison with what
 * was promised; again and again
 *
 * A run follows from its seed: some *lives*, each a start on what the last loss left, random work, kills and
 * ordered stops, and a loss at a random operation on the disk, those of the start itself included.
 *
 *   power_loss [-f FOLDER] [-d DEFECT] FIRST COUNT    seeds FIRST ... FIRST+COUNT-1
 *   power_loss [-f FOLDER] [-d DEFECT] -v SEED        one seed, with all that happens
 *
 * FOLDER lies on a memory file system (default /dev/shm). DEFECT plants one, to see that it is found.
 * Exit status: 0 all promises held; 1 one did not, and a line says how to replay the run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "maintenance/checkpoint_int.h"
#include "maintenance/commit_int.h"
#include "maintenance/folders_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/log.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/plock.h"
#include "ottla/replica/replica.h"
#include "ottla/storage/logdirs.h"
#include "ottla/storage/plog_commit.h"
#include "ottla/storage/plog_retention.h"
#include "ottla/storage/segment_scan.h"
#include "promises.h"
#include "storage/move_int.h"

#define LIVES_MAX        4
#define STEPS_MAX        60
#define FAILURES_MAX     3 /* seeds that fail before we stop looking for more */
#define SEED_SECONDS_MAX 120

typedef struct Sim {
    RandomSeq random; /* of the work */
    Promises promises;
    Arena *arena;
    char base[200]; /* folder of this process; lives are 0, 1, ... below it */
    char root[256]; /* of this life */
    int64_t clock;  /* timestamps of records */
    int life;
    bool syncfs;
    bool within; /* inside a crashpoint: no second one */
    bool moving; /* inside one of the retention worker, which does nothing else meanwhile */
} Sim;

static Sim sim;
static RandomSeq kernel_random = {1}; /* what the product draws */
static uint64_t seed;
static bool verbose;
static const char *program, *folder = "/dev/shm", *defect = "none";

/* What goes wrong on purpose. The disk's own are in disk.h. */
static bool durable_before_flush, no_checksums, move_without_flush;

static const struct {
    const char *name;
    DiskFault fault;
    bool *flag;
} defects[] = {
    {"none", DISK_GOOD, NULL},
    {"no-folder-sync", DISK_FOLDER_SYNC_LOST, NULL},
    {"no-file-sync", DISK_FILE_SYNC_LOST, NULL},
    {"no-index-sync", DISK_INDEX_SYNC_LOST, NULL},
    {"durable-before-flush", DISK_GOOD, &durable_before_flush},
    {"no-checksums", DISK_GOOD, &no_checksums},
    {"move-without-flush", DISK_GOOD, &move_without_flush},
};

/* ---- seams: by --wrap of the linker ------------------------------------------------------------ */

int __wrap_segment_scan_check_crc(SegmentScan *scan, const ScannedBatch *batch, bool *ret_ok,
                                  ErrInfo *err);
int __real_segment_scan_check_crc(SegmentScan *scan, const ScannedBatch *batch, bool *ret_ok,
                                  ErrInfo *err);
int __wrap_move_flush_files(PlogMove *m, ErrInfo *err);
int __real_move_flush_files(PlogMove *m, ErrInfo *err);
bool __wrap_flush_wants_syncfs(int dir, int32_t partitions, int32_t all_from);
uint64_t __wrap_random_u64(void);
Uuid __wrap_random_uuid(void);

/* The file system is one whose syncfs can be relied upon, or it is not. */
bool
__wrap_flush_wants_syncfs(int dir, int32_t partitions, int32_t all_from)
{
    (void)dir;
    (void)all_from;
    return sim.syncfs && partitions >= 2;
}

int
__wrap_segment_scan_check_crc(SegmentScan *scan, const ScannedBatch *batch, bool *ret_ok,
                              ErrInfo *err)
{
    if (!no_checksums)
        return __real_segment_scan_check_crc(scan, batch, ret_ok, err);
    *ret_ok = true;
    return 0;
}

int
__wrap_move_flush_files(PlogMove *m, ErrInfo *err)
{
    return move_without_flush ? 0 : __real_move_flush_files(m, err);
}

uint64_t
__wrap_random_u64(void)
{
    return random_seq_next(&kernel_random);
}

Uuid
__wrap_random_uuid(void)
{
    uint64_t words[2] = {random_seq_next(&kernel_random), random_seq_next(&kernel_random)};
    Uuid id;

    memcpy(id.b, words, sizeof id.b);
    id.b[0] = 1;
    return id;
}

/* ---- failure ------------------------------------------------------------------------------------ */

void
sim_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    printf("# seed %" PRIu64 ", life %d: ", seed, sim.life);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    (void)fflush(stdout);
    _exit(1);
}

static void
say(const char *format, ...)
{
    va_list args;

    if (!verbose)
        return;
    va_start(args, format);
    printf("# %6" PRId64 " ", disk_now());
    vprintf(format, args);
    va_end(args);
    printf("\n");
    (void)fflush(stdout);
}

static uint64_t
below(uint64_t bound)
{
    return random_seq_below(&sim.random, bound);
}

/* ---- folders ------------------------------------------------------------------------------------ */

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void
remove_tree(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS); /* what is not there needs no removal */
}

/* ---- work --------------------------------------------------------------------------------------- */

/* A topic that is there; NULL: none. */
static SimTopic *
some_topic(void)
{
    SimTopic *live[SIM_TOPICS * 4];
    uint64_t count = 0;

    for (size_t i = 0; i < sizeof live / sizeof live[0]; i++) {
        SimTopic *t = &sim.promises.topics[i];

        if (t->name[0] != '\0' && t->deleted == NEVER)
            live[count++] = t;
    }
    return count == 0 ? NULL : live[below(count)];
}

static void
choose_batch(const SimPartition *part, NodeBatch *ret)
{
    const SimBatch *last;

    *ret = (NodeBatch){.count = 1 + (int32_t)below(4),
                       .value_bytes = 1 + (int32_t)below(below(4) == 0 ? 400 : 80),
                       .producer_id = (int64_t)below(SIM_PRODUCERS + 1)};
    sim.clock += (int64_t)below(50);
    ret->timestamp = sim.clock - (below(5) == 0 ? (int64_t)below(200) : 0);
    sim.clock += 5;
    last = ret->producer_id == 0 ? NULL : promises_last_of(part, ret->producer_id);
    if (last == NULL)
        return;
    ret->epoch = last->what.epoch;
    ret->sequence = last->what.sequence + last->what.count;
    if (below(20) == 0) {
        ret->epoch++;
        ret->sequence = 0;
    }
}

static void
append(SimTopic *t, int32_t number)
{
    SimPartition *part = &t->parts[number];
    ReplicaAppendArgs args = {.acks = below(3) == 0 ? 1 : -1};
    ReplicaAppendResult result;
    int64_t begun = disk_now();
    ErrInfo err = {0};
    NodeBatch what;
    Batch batch;

    arena_reset(sim.arena);
    choose_batch(part, &what);
    node_batch(&what, sim.arena, &batch);
    args.batch = &batch;
    if (replica_append(node_partition(t->name, number), &args, &result, &err) != 0)
        sim_fail("%s-%d: append of producer %" PRId64 ", sequence %d: %s", t->name, (int)number,
                 what.producer_id, (int)what.sequence, err.text);
    if (result.log.duplicate || result.log.base_offset != promises_log_end(part))
        sim_fail("%s-%d: appended at %" PRId64 " instead of %" PRId64 "%s", t->name, (int)number,
                 result.log.base_offset, promises_log_end(part),
                 result.log.duplicate ? ", a repetition" : "");
    say("append %s-%d at %" PRId64 " epoch %d, %d records, producer %" PRId64 " sequence %d",
        t->name, (int)number, result.log.base_offset, (int)batch_leader_epoch(batch.header),
        (int)what.count, what.producer_id, (int)what.sequence);
    *promises_add_batch(part) = (SimBatch){.what = what,
                                           .base = result.log.base_offset,
                                           .begun = begun,
                                           .leader_epoch = batch_leader_epoch(batch.header),
                                           .wait = result.wait,
                                           .crc = batch_crc(batch.header)};
}

static void
append_some(void)
{
    SimTopic *t = some_topic();
    int32_t number;

    if (t == NULL)
        return;
    number = (int32_t)below((uint64_t)t->partitions);
    for (uint64_t n = 1 + below(8); n > 0; n--)
        append(t, number);
}

static void
create_topic(void)
{
    char name[16];
    SimTopic *t;
    int code;

    (void)snprintf(name, sizeof name, "topic%d", (int)below(SIM_TOPICS));
    for (size_t i = 0; i < sizeof sim.promises.topics / sizeof sim.promises.topics[0]; i++) {
        if (strcmp(sim.promises.topics[i].name, name) == 0 &&
            sim.promises.topics[i].deleted == NEVER)
            return;
    }
    t = promises_new_topic(&sim.promises, name);
    if (t == NULL)
        return;
    t->partitions = 1 + (int32_t)below(SIM_PARTITIONS);
    code = node_create_topic(name, t->partitions, &t->id);
    if (code != 0)
        sim_fail("creation of %s: error %d", name, code);
    t->created = disk_now();
    say("created %s with %d partitions", name, (int)t->partitions);
}

/* What retention does when the controller wakes it. */
static void
bury(void)
{
    int32_t removed = 0;

    for (int32_t i = 0; i < pslot_high(); i++) {
        char path[LIMIT_PATH_BYTES];
        ErrInfo err = {0};

        if (plog_bury(i, path, &err) != 0)
            sim_fail("burial: %s", err.text);
        if (path[0] != '\0')
            folders_note_deleted(path, NODE_NOW_MS);
    }
    if (below(2) == 0)
        (void)folders_remove_deleted(INT64_MAX / 2, 0, &removed);
}

static void
delete_topic(void)
{
    SimTopic *t = some_topic();
    int code;

    if (t == NULL)
        return;
    t->delete_begun = disk_now();
    code = node_delete_topic(t->name);
    if (code != 0)
        sim_fail("deletion of %s: error %d", t->name, code);
    t->deleted = disk_now();
    say("deleted %s", t->name);
    if (!sim.moving && below(4) != 0)
        bury();
}

static void
delete_records(void)
{
    SimTopic *t = some_topic();
    SimPartition *part;
    int64_t end, to;
    ErrInfo err = {0};
    int32_t number;

    if (t == NULL)
        return;
    number = (int32_t)below((uint64_t)t->partitions);
    part = &t->parts[number];
    end = promises_log_end(part);
    to = part->start_now + (int64_t)below((uint64_t)(end - part->start_now) + 1);
    rises_add(&part->start_asked, disk_now(), to);
    if (replica_delete_records(node_partition(t->name, number), to, &part->start_now, &err) != 0)
        sim_fail("%s-%d: DeleteRecords: %s", t->name, (int)number, err.text);
    if (part->start_now != to)
        sim_fail("%s-%d: DeleteRecords to %" PRId64 " gave %" PRId64, t->name, (int)number, to,
                 part->start_now);
    say("records of %s-%d below %" PRId64 " deleted", t->name, (int)number, to);
}

static void
retain(SimTopic *t, int32_t number)
{
    SimPartition *part = &t->parts[number];
    bool all = below(12) == 0;
    int64_t now_ms = NODE_NOW_MS + (all ? INT64_C(30) * 86400 * 1000 : 0);
    PartitionRef ref = node_partition(t->name, number);
    PlogRetention report;
    ErrInfo err = {0};
    char path[LIMIT_PATH_BYTES];

    if (pslot_state(pslot_at(ref.slot)) != PSLOT_OPEN)
        return;
    if (all)
        rises_add(&part->start_asked, disk_now(), promises_log_end(part));
    if (plog_apply_retention(ref, now_ms, &report, &err) != 0)
        sim_fail("retention: %s", err.text);
    if (report.segments == 0)
        return;
    part->start_now = report.log_start;
    say("%d segments of %s-%d dropped, log start %" PRId64, (int)report.segments, t->name,
        (int)number, report.log_start);
    plog_folder_path(pslot_at(ref.slot), path);
    if (below(2) == 0)
        (void)folders_remove_deleted_files(path, report.log_start);
}

/* Retention: what lies below the log start, sometimes everything by its age. */
static void
drop_segments(void)
{
    for (size_t i = 0; i < sizeof sim.promises.topics / sizeof sim.promises.topics[0]; i++) {
        SimTopic *t = &sim.promises.topics[i];

        for (int32_t n = 0; t->name[0] != '\0' && t->deleted == NEVER && n < t->partitions; n++)
            retain(t, n);
    }
}

static void
note_starts(int64_t starts[SIM_TOPICS * 4][SIM_PARTITIONS], bool promise)
{
    for (int i = 0; i < SIM_TOPICS * 4; i++) {
        for (int n = 0; n < SIM_PARTITIONS; n++) {
            SimPartition *part = &sim.promises.topics[i].parts[n];

            if (promise)
                rises_add(&part->start, disk_now(), starts[i][n]);
            else
                starts[i][n] = part->start_now;
        }
    }
}

static void commit(void);

/* Work of others in the middle of a checkpoint or commit. */
static void
interrupt(const char *point)
{
    if (plock_held_count() > 0)
        return; /* the last bytes of a move: others wait for its lock */
    sim.within = true;
    say("meanwhile, at %s", point);
    for (uint64_t n = below(3); n > 0; n--)
        append_some();
    if (below(3) == 0)
        delete_records();
    if (below(3) == 0)
        commit();
    if (!sim.moving && below(3) == 0)
        drop_segments();
    if (below(8) == 0)
        create_topic();
    if (below(8) == 0)
        delete_topic();
    say("back");
    sim.within = false;
}

/* What a node would do that tells its clients "on disk" before it is. */
static void
promise_all(void)
{
    for (int i = 0; i < SIM_TOPICS * 4; i++) {
        for (int n = 0; n < SIM_PARTITIONS; n++) {
            SimPartition *part = &sim.promises.topics[i].parts[n];

            rises_add(&part->durable, disk_now(), promises_log_end(part));
        }
    }
}

static void
checkpoint_one(int dir, PlogCheckpointKind kind)
{
    static const char *const points[] = {"checkpoint.flushed", "checkpoint.log_start",
                                         "checkpoint.recovery_point", "plog.snapshot.written"};
    CheckpointReport report;
    ErrInfo err = {0};

    if (below(2) == 0)
        crashpoint_arm(points[below(sizeof points / sizeof points[0])], 1);
    if (checkpoint_run(dir, kind, NULL, &report, &err) != 0)
        sim_fail("checkpoint: %s", err.text);
    crashpoint_arm(NULL, 0);
    say("%s checkpoint of %d partitions in %d", kind == PLOG_CHECKPOINT_EARLY ? "early" : "full",
        (int)report.partitions, dir);
}

/* Of all directories, or of one: then nothing is promised. */
static void
checkpoint(void)
{
    int64_t starts[SIM_TOPICS * 4][SIM_PARTITIONS];
    int first = (int)below(NODE_DIRS);
    bool all = below(4) != 0;
    PlogCheckpointKind kind = below(2) == 0 ? PLOG_CHECKPOINT_EARLY : PLOG_CHECKPOINT_FULL;

    if (sim.within)
        return;
    note_starts(starts, false);
    if (durable_before_flush)
        promise_all();
    checkpoint_one(first, kind);
    for (int dir = 0; all && dir < NODE_DIRS; dir++)
        if (dir != first)
            checkpoint_one(dir, kind);
    if (all && kind == PLOG_CHECKPOINT_FULL) /* an early one may leave the records before a start */
        note_starts(starts, true);
}

static void
commit_one(int dir)
{
    Committer *committer = committer_new(dir);
    CommitReport report;
    ErrInfo err = {0};

    ot_assert(committer != NULL);
    if (!sim.within && below(2) == 0)
        crashpoint_arm("plog.commit.flushed", 1);
    if (commit_run(committer, 0, false, &report, &err) != 0)
        sim_fail("commit: %s", err.text);
    if (!sim.within)
        crashpoint_arm(NULL, 0);
    say("commit of %d partitions in %d", (int)report.partitions, dir);
    committer_free(committer);
}

/* Some who appended ask for a commit, and it comes. */
static void
commit(void)
{
    for (int32_t i = 0; i < pslot_high(); i++) {
        WakeBatch wake;

        if (pslot_state(pslot_at(i)) != PSLOT_OPEN || below(4) != 0)
            continue; /* appends with acks=all asked already */
        wake_batch_init(&wake);
        plog_request_commit(pslot_at(i), FLUSH_NOW, &wake);
    }
    for (int dir = 0; dir < NODE_DIRS; dir++)
        commit_one(dir);
    promises_note_durable(&sim.promises);
}

/* Logs move while others work, as far as the locks let them. */
static void
move_logs(void)
{
    static const char *const points[] = {"plog.move.copied", "plog.move.sealed"};

    if (sim.within)
        return;
    sim.moving = true;
    if (below(2) == 0)
        crashpoint_arm(points[below(2)], 1 + (int)below(4));
    if (!node_move_logs())
        sim_fail("logs cannot be moved");
    crashpoint_arm(NULL, 0);
    sim.moving = false;
    say("moves");
}

/* A log is to be in a directory, perhaps in that where it is. */
static void
wish_to_move(void)
{
    SimTopic *t = some_topic();
    int dir = (int)below(NODE_DIRS);
    ErrInfo err = {0};
    int32_t number;

    if (t == NULL)
        return;
    number = (int32_t)below((uint64_t)t->partitions);
    if (move_wish_ask(node_partition(t->name, number), dir, &err) != 0)
        sim_fail("%s-%d: wish: %s", t->name, (int)number, err.text);
    say("%s-%d shall be in %d", t->name, (int)number, dir);
    if (below(2) == 0)
        move_logs();
}

static void
metadata_work(void)
{
    ErrInfo err = {0};
    int64_t ids;
    int rc;

    switch (below(3)) {
    case 0:
        ids = node_producer_ids();
        if (ids < 0)
            sim_fail("producer ids were refused");
        rises_add(&sim.promises.producer_ids, disk_now(), ids);
        say("producer ids below %" PRId64, ids);
        break;
    case 1:
        rc = controller_snapshot(&node_controller, NODE_NOW_MS, &err);
        if (rc != 0 && rc != OT_E_EXISTS)
            sim_fail("snapshot: %s", err.text);
        say("snapshot");
        break;
    default:
        if (controller_housekeep(&node_controller, NODE_NOW_MS, &err) != 0)
            sim_fail("housekeeping: %s", err.text);
        say("housekeeping");
        break;
    }
}

/* Where each log is, or is to be. */
static void
note_wishes(int ret[SIM_TOPICS * 4][SIM_PARTITIONS])
{
    for (int i = 0; i < SIM_TOPICS * 4; i++) {
        const SimTopic *t = &sim.promises.topics[i];

        for (int n = 0; n < SIM_PARTITIONS; n++) {
            PartitionRef ref = t->name[0] == '\0' || t->deleted != NEVER || n >= t->partitions
                                   ? PARTITION_REF_NONE
                                   : node_partition(t->name, n);
            int wanted = ref.slot == PSLOT_NONE ? -1 : pslot_wanted_dir(pslot_at(ref.slot));

            ret[i][n] =
                wanted < 0 && ref.slot != PSLOT_NONE ? pslot_dir(pslot_at(ref.slot)) : wanted;
        }
    }
}

/* What was answered outlives the node's death. */
static void
check_wishes(int wishes[SIM_TOPICS * 4][SIM_PARTITIONS])
{
    int now[SIM_TOPICS * 4][SIM_PARTITIONS];

    note_wishes(now);
    for (int i = 0; i < SIM_TOPICS * 4; i++)
        for (int n = 0; n < SIM_PARTITIONS; n++)
            if (now[i][n] != wishes[i][n])
                sim_fail("%s-%d was to be in %d, and now in %d", sim.promises.topics[i].name, n,
                         wishes[i][n], now[i][n]);
}

/* The node is killed or stopped in order and starts again: nothing may be lost. */
static void
restart(void)
{
    int wishes[SIM_TOPICS * 4][SIM_PARTITIONS];
    bool in_order = below(2) == 0;

    if (sim.within)
        return;
    note_wishes(wishes);
    say(in_order ? "ordered stop" : "kill");
    if (!in_order)
        node_kill();
    else if (!node_stop())
        sim_fail("no ordered stop");
    if (!node_start(sim.root))
        sim_fail("does not start again");
    check_wishes(wishes);
    promises_check(&sim.promises, disk_now(), true, &sim.random);
    say("started again");
}

static void
step(void)
{
    uint64_t what = below(100);

    if (what < 50)
        append_some();
    else if (what < 57)
        checkpoint();
    else if (what < 64)
        commit();
    else if (what < 69)
        delete_records();
    else if (what < 74)
        drop_segments();
    else if (what < 78)
        move_logs();
    else if (what < 85)
        wish_to_move();
    else if (what < 90)
        create_topic();
    else if (what < 92)
        delete_topic();
    else if (what < 96)
        metadata_work();
    else if (what < 98)
        bury();
    else
        restart();
    promises_note_durable(&sim.promises);
}

/* ---- lives -------------------------------------------------------------------------------------- */

/* Starts on what the last loss left; moment: of the loss. */
static void
begin_life(int64_t moment)
{
    disk_begin(sim.root);
    sim.syncfs = below(2) == 0;
    if (!node_start(sim.root))
        sim_fail("does not start");
    say("started");
    promises_check(&sim.promises, moment, false, &sim.random);
    promises_note_durable(&sim.promises);
    say("checked");
}

/* Power fails at a random moment of this life, more often late. Returns the moment. */
static int64_t
end_life(void)
{
    int64_t now = disk_now();
    int64_t moment = now - (int64_t)below((uint64_t)(below(2) == 0 ? now + 1 : now / 8 + 1));
    char next[sizeof sim.root];

    (void)snprintf(next, sizeof next, "%s/%d", sim.base, sim.life + 1);
    say("power fails at %" PRId64, moment);
    node_kill();
    disk_power_loss(moment, &sim.random, next);
    if (verbose)
        disk_print(moment);
    disk_end();
    remove_tree(sim.root);
    memcpy(sim.root, next, sizeof next);
    sim.life++;
    return moment;
}

static void
run_seed(void)
{
    int lives;
    int64_t moment = 0;

    sim = (Sim){.random = {seed}, .clock = NODE_NOW_MS, .arena = arena_new(65536, 0)};
    kernel_random.state = seed ^ 0x5eed;
    (void)snprintf(sim.base, sizeof sim.base, "%s/ottla-power-%d", folder, (int)getpid());
    (void)snprintf(sim.root, sizeof sim.root, "%s/0", sim.base);
    remove_tree(sim.base);
    ot_assert(mkdir(sim.base, 0750) == 0 && mkdir(sim.root, 0750) == 0);
    node_format(sim.root);
    lives = 2 + (int)below(LIVES_MAX - 1);
    while (sim.life < lives) {
        begin_life(moment);
        for (uint64_t n = below(STEPS_MAX); n > 0 && sim.life + 1 < lives; n--)
            step();
        moment = end_life();
    }
    promises_free(&sim.promises);
    arena_free(sim.arena);
    remove_tree(sim.base);
}

/* ---- program ------------------------------------------------------------------------------------ */

/* A seed takes a fraction of a second; one that takes as long as SEED_SECONDS_MAX does not end. */
static void
on_alarm(int signo)
{
    (void)signo;
    ot_assert(!"the seed hangs");
}

static void
prepare(void)
{
    latch_block_signals();
    ot_assert(signal(SIGALRM, on_alarm) != SIG_ERR);
    (void)alarm(SEED_SECONDS_MAX);
    log_set_threshold(verbose ? LL_INFO : LL_PANIC);
    crashpoint_hook = interrupt;
}

/*
 * A child runs one seed: a failed assertion is a failed seed, and nothing a run leaves in memory changes the
 * next one.
 */
static bool
run_in_child(void)
{
    char base[256];
    int status = 0;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    ot_assert(pid >= 0);
    if (pid == 0) {
        prepare();
        run_seed();
        (void)fflush(NULL);
        _exit(0);
    }
    ot_assert(waitpid(pid, &status, 0) == pid);
    if (status == 0)
        return true;
    if (WIFSIGNALED(status))
        printf("# seed %" PRIu64 ": died of signal %d\n", seed, WTERMSIG(status));
    (void)snprintf(base, sizeof base, "%s/ottla-power-%d", folder, (int)pid);
    if (verbose)
        printf("# its files are in %s\n", base);
    else
        remove_tree(base);
    return false;
}

static int
run_all(uint64_t first, uint64_t count)
{
    int failures = 0;

    for (seed = first; seed < first + count && failures < FAILURES_MAX; seed++) {
        if (run_in_child())
            continue;
        failures++;
        printf("# replay: %s -f %s -d %s -v %" PRIu64 "\n", program, folder, defect, seed);
    }
    printf("# %" PRIu64 " seeds, %d failed\n", count, failures);
    return failures == 0 ? 0 : 1;
}

static bool
plant(const char *name)
{
    for (size_t i = 0; i < sizeof defects / sizeof defects[0]; i++) {
        if (strcmp(defects[i].name, name) != 0)
            continue;
        defect = defects[i].name;
        disk_set_fault(defects[i].fault);
        if (defects[i].flag != NULL)
            *defects[i].flag = true;
        return true;
    }
    return false;
}

int
main(int argc, char **argv)
{
    int option;

    program = argv[0];
    while ((option = getopt(argc, argv, "f:d:v")) != -1) {
        if (option == 'f')
            folder = optarg;
        else if (option == 'v')
            verbose = true;
        else if (option != 'd' || !plant(optarg))
            argc = 0;
    }
    if (verbose && argc == optind + 1)
        return run_all(strtoull(argv[optind], NULL, 10), 1);
    if (!verbose && argc == optind + 2)
        return run_all(strtoull(argv[optind], NULL, 10), strtoull(argv[optind + 1], NULL, 10));
    fprintf(stderr, "usage: %s [-f FOLDER] [-d DEFECT] (FIRST COUNT | -v SEED); see its head\n",
            program);
    return 2;
}
