/*
 * commit.c - what one group commit of many partitions costs
 *
 *     commit DIR RUNS COUNT...
 *
 * Hosts the partitions of a node in this process, on DIR; for each COUNT appends 16 KiB to so many of them
 * RUNS times and commits them, and in turn appends as much to as many plain files and makes them durable
 * in the way that is best for so many. Prints for each COUNT the median milliseconds of the commits and
 * of the plain files, each of which has a folder of its own, as partitions have. (`files flush` of the
 * floor writes new files in few folders, which lie side by side on the disk: that is cheaper.)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "maintenance/commit_int.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/waitlist.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/replica/replica.h"
#include "ottla/storage/flush_requests.h"
#include "ottla/storage/logdirs.h"

#include "bench_kit.h"

#define PARTITIONS_MAX 16384
#define BATCH_BYTES    16384
#define PLAIN_BYTES    (BATCH_BYTES + 77) /* with the headers of a batch and a record */
#define RUNS_MAX       99

#define FILES_BY_FDATASYNC 3 /* more are cheaper by syncfs */

static const RegionRow rows[] = {
    {"shared_page", shared_page_shm_size, shared_page_shm_init, "", "", ""},
    {"proc_slot", proc_slot_shm_size, proc_slot_shm_init, "", "", ""},
    {"waiter", waiter_shm_size, waiter_shm_init, "", "", ""},
    {"partition_table", partition_table_shm_size, partition_table_shm_init, "", "", ""},
    {"topic_settings", topic_settings_shm_size, topic_settings_shm_init, "", "", ""},
    {"segment_pool", segment_pool_shm_size, segment_pool_shm_init, "", "", ""},
    {"producer_pool", producer_pool_shm_size, producer_pool_shm_init, "", "", ""},
    {"log_dirs", log_dirs_shm_size, log_dirs_shm_init, "", "", ""},
    {"flush_requests", flush_requests_shm_size, flush_requests_shm_init, "", "", ""},
};

static PartitionRef partitions[PARTITIONS_MAX];
static int32_t partition_count;
static uint64_t settings;
static Arena *arena;

static void
host(const char *dir)
{
    static Region region;
    static const TopicSettings topic = {.segment_ms = INT64_MAX,
                                        .timestamp_before_max_ms = INT64_MAX,
                                        .timestamp_after_max_ms = INT64_MAX,
                                        .retention_ms = -1,
                                        .retention_bytes = -1,
                                        .flush_messages = INT64_MAX,
                                        .flush_ms = INT64_MAX,
                                        .segment_bytes = 1 << 30,
                                        .segment_index_bytes = 1 << 20,
                                        .index_interval_bytes = 4096,
                                        .max_message_bytes = 1 << 20,
                                        .min_insync_replicas = 1,
                                        .compression_type = TOPIC_COMPRESSION_PRODUCER,
                                        .cleanup_delete = true};
    ShmLimits limits;
    ErrInfo err;
    shm_limits_default(&limits);
    limits.max_partitions = PARTITIONS_MAX;
    latch_block_signals();
    if (logdir_add(dir, (Uuid){{1}}, &err) != 0 ||
        region_map(rows, sizeof rows / sizeof rows[0], &limits, &region, &err) != 0) {
        die(err.text);
    }
    logdir_set_clean(0, true);
    settings = topic_settings_new(&topic);
    arena = arena_new(1 << 20, 0);
}

static void
add_partition(void)
{
    PslotIdentity id = {.topic = STRVIEW("bench"),
                        .topic_id = {{1}},
                        .partition = partition_count,
                        .settings = settings};
    ErrInfo err;
    if (pslot_alloc(&id, &partitions[partition_count], &err) != 0) {
        die(err.text);
    }
    pslot_set_leadership(pslot_at(partitions[partition_count].slot),
                         (PslotLeadership){0, PSLOT_ROLE_LEADER, 1, 1});
    partition_count++;
}

static void
append(PartitionRef ref)
{
    static uint8_t value[BATCH_BYTES];
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    BatchRecord record = {.timestamp = 1, .value = {value, sizeof value}};
    ReplicaAppendArgs args = {.acks = -1};
    ReplicaAppendResult result;
    ErrInfo err = {0};
    BytesView bytes;
    Batch batch;
    arena_reset(arena);
    BatchBuilder *builder = batch_builder_new(&options, arena);
    if (batch_builder_add(builder, &record, &err) != 0 ||
        batch_builder_finish(builder, &bytes, &err) != 0) {
        die(err.text);
    }
    batch_from_bytes(bytes, &batch);
    args.batch = &batch;
    if (replica_append(ref, &args, &result, &err) != 0) {
        die(err.text);
    }
}

/* Milliseconds of one commit of the first count partitions. */
static double
commit(Committer *committer, int32_t count)
{
    CommitReport report;
    ErrInfo err = {0};
    while (partition_count < count) {
        add_partition();
    }
    for (int32_t i = 0; i < count; i++) {
        append(partitions[i]);
    }
    int64_t begin = clock_mono_us();
    if (commit_run(committer, begin, false, &report, &err) != 0 || report.partitions != count) {
        die(err.text);
    }
    return (double)(clock_mono_us() - begin) / 1e3;
}

/* Milliseconds to make so many plain files durable that got as much. */
static double
plain(const char *dir, int32_t count, bool by_syncfs)
{
    static uint8_t value[PLAIN_BYTES];
    static int64_t end[PARTITIONS_MAX];
    int *fds = calloc((size_t)count, sizeof *fds);
    if (fds == NULL) {
        die("no memory");
    }
    for (int32_t i = 0; i < count; i++) {
        char path[512];
        int len = snprintf(path, sizeof path, "%s/plain-%" PRId32, dir, i);
        if (end[i] == 0 && mkdir(path, 0700) != 0) {
            die("a folder cannot be made");
        }
        snprintf(path + len, sizeof path - (size_t)len, "/log");
        fds[i] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fds[i] < 0 || pwrite(fds[i], value, sizeof value, end[i]) != sizeof value) {
            die("a plain file cannot be written");
        }
        end[i] += (int64_t)sizeof value;
    }
    int64_t begin = clock_mono_us();
    bool good = !by_syncfs || syncfs(fds[0]) == 0;
    for (int32_t i = 0; i < count && !by_syncfs; i++) {
        good &= fdatasync(fds[i]) == 0;
    }
    double took = (double)(clock_mono_us() - begin) / 1e3;
    for (int32_t i = 0; i < count; i++) {
        close(fds[i]);
    }
    free(fds);
    if (!good) {
        die("a plain file cannot be flushed");
    }
    return took;
}

int
main(int argc, char **argv)
{
    double ours[RUNS_MAX], theirs[RUNS_MAX];
    Committer *committer;
    int runs = argc < 4 ? 0 : (int)strtol(argv[2], NULL, 10);
    if (runs < 1 || runs > RUNS_MAX) {
        die("usage: commit DIR RUNS COUNT...");
    }
    host(argv[1]);
    committer = committer_new(0);
    for (int i = 3; i < argc; i++) {
        int32_t count = (int32_t)strtol(argv[i], NULL, 10);
        if (count < 1 || count > PARTITIONS_MAX) {
            die("a count is out of range");
        }
        bool by_syncfs = count > FILES_BY_FDATASYNC;
        (void)commit(committer, count); /* makes the files */
        (void)plain(argv[1], count, by_syncfs);
        for (int run = 0; run < runs; run++) {
            ours[run] = commit(committer, count);
            theirs[run] = plain(argv[1], count, by_syncfs);
        }
        sort_figures(ours, (size_t)runs);
        sort_figures(theirs, (size_t)runs);
        printf("%" PRId32 " %.2f %.2f\n", count, percentile(ours, (size_t)runs, 0.5),
               percentile(theirs, (size_t)runs, 0.5));
    }
    return 0;
}
