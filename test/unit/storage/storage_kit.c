/*
 * storage_kit.c - a region, a log directory and partitions for tests of the partition log
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "storage/storage_kit.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ottla/common/crashpoint.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/waitlist.h"
#include "ottla/protocol/batch_builder.h"
#include "ottla/storage/fd_cache.h"
#include "ottla/storage/flush_requests.h"
#include "ottla/storage/logdir_state.h"

char kit_dir[256];
Arena *kit_arena;
TopicSettings kit_settings;
char kit_buried[LIMIT_PATH_BYTES];
static Region region;
static uint64_t settings_handle;

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

static void
map(bool clean)
{
    ShmLimits limits;
    ErrInfo err = {0};

    shm_limits_default(&limits);
    limits.max_partitions = 200;
    limits.backend_slots = 16;
    limits.fetch_sessions = 2;
    limits.producer_entries = 300;
    limits.segment_entries = 12000;
    if (region_map(rows, sizeof rows / sizeof rows[0], &limits, &region, &err) != 0)
        fail_msg("%s", err.text);
    logdir_set_clean(0, clean);
    if (logdir_state(0) == LOGDIR_REPAIRING)
        logdir_hear_old_errors(0); /* as its checkpointer does */
    settings_handle = 0;
}

int
kit_setup(void **state)
{
    const char *tmp = getenv("TMPDIR");
    ErrInfo err = {0};

    (void)state;
    (void)snprintf(kit_dir, sizeof kit_dir, "%s/ottla-storage-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(kit_dir));
    assert_int_equal(logdir_add(kit_dir, (Uuid){{1}}, &err), 0);
    kit_arena = arena_new(1 << 20, 0);
    kit_settings = (TopicSettings){.segment_ms = INT64_C(604800000),
                                   .timestamp_before_max_ms = INT64_MAX,
                                   .timestamp_after_max_ms = 3600000,
                                   .retention_ms = -1,
                                   .retention_bytes = -1,
                                   .file_delete_delay_ms = 60000,
                                   .flush_messages = INT64_MAX,
                                   .flush_ms = INT64_MAX,
                                   .max_compaction_lag_ms = INT64_MAX,
                                   .segment_bytes = 1 << 30,
                                   .segment_index_bytes = 10485760,
                                   .index_interval_bytes = 4096,
                                   .max_message_bytes = 1048588,
                                   .min_insync_replicas = 1,
                                   .compression_type = TOPIC_COMPRESSION_PRODUCER,
                                   .cleanup_delete = true};
    latch_block_signals();
    map(true);
    return 0;
}

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

int
kit_teardown(void **state)
{
    (void)state;
    fd_cache_reset();
    region_unmap(&region);
    logdirs_clear();
    arena_free(kit_arena);
    (void)nftw(kit_dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

void
kit_restart(bool clean)
{
    fd_cache_reset();
    region_unmap(&region);
    map(clean);
}

PartitionRef
kit_partition_at(const char *topic, int32_t partition, int64_t recovery_point, int64_t log_start)
{
    PslotIdentity id = {.topic = strview_from(topic),
                        .topic_id = {{7, (uint8_t)topic[0], (uint8_t)strlen(topic)}},
                        .partition = partition,
                        .recovery_point = recovery_point,
                        .log_start_offset = log_start};
    ErrInfo err = {0};
    PartitionRef ref;

    id.settings = topic_settings_new(&kit_settings);
    assert_int_not_equal(id.settings, 0);
    if (pslot_alloc(&id, &ref, &err) != 0)
        fail_msg("%s", err.text);
    kit_set_epoch(ref, 0);
    return ref;
}

PartitionRef
kit_partition(const char *topic, int32_t partition)
{
    return kit_partition_at(topic, partition, 0, 0);
}

void
kit_set_epoch(PartitionRef ref, int32_t leader_epoch)
{
    pslot_set_leadership(pslot_at(ref.slot), (PslotLeadership){.leader_epoch = leader_epoch,
                                                               .role = PSLOT_ROLE_LEADER,
                                                               .replica_count = 1,
                                                               .isr_count = 1});
}

void
kit_batch(const KitBatch *what, Batch *ret)
{
    BatchBuilderOptions options = BATCH_BUILDER_DEFAULTS;
    int count = what->count == 0 ? 1 : what->count;
    int value_bytes = what->value_bytes == 0 ? 10 : what->value_bytes;
    int64_t timestamp = what->timestamp == 0 ? KIT_NOW_MS : what->timestamp;
    uint8_t *value = arena_calloc(kit_arena, 1, (size_t)value_bytes);
    BatchBuilder *builder;
    ErrInfo err = {0};
    BytesView bytes;

    options.attributes = what->attributes;
    if (what->producer_id != 0) {
        options.producer_id = what->producer_id;
        options.producer_epoch = what->epoch;
        options.base_sequence = what->sequence;
    }
    builder = batch_builder_new(&options, kit_arena);
    assert_non_null(builder);
    for (int i = 0; i < count; i++) {
        BatchRecord record = {.timestamp = timestamp < 0 ? -1 : timestamp + i,
                              .value = {value, value_bytes}};

        assert_int_equal(batch_builder_add(builder, &record, &err), 0);
    }
    assert_int_equal(batch_builder_finish(builder, &bytes, &err), 0);
    batch_from_bytes(bytes, ret);
}

/* A roll's snapshot is left to the caller. */
static int
append(PartitionRef ref, const KitBatch *what, int64_t now_ms, PlogAppendResult *ret)
{
    PlogAppendArgs args = {.now_ms = now_ms, .hw_follows = true};
    ArenaMark mark = arena_mark(kit_arena);
    PartitionSlot *slot;
    ErrInfo err = {0};
    Batch batch;
    int rc;

    kit_batch(what, &batch);
    args.batch = &batch;
    rc = plog_lock(ref, &slot, &err);
    if (rc == 0) {
        args.leader_epoch = pslot_leadership(slot).leader_epoch;
        rc = plog_append(slot, &args, ret, &err);
        plog_unlock(slot);
    }
    arena_release(kit_arena, mark);
    return rc;
}

int
kit_append_at(PartitionRef ref, const KitBatch *what, int64_t now_ms, PlogAppendResult *ret)
{
    PlogAppendResult unused;
    int rc;

    if (ret == NULL)
        ret = &unused;
    rc = append(ref, what, now_ms, ret);
    if (rc == 0)
        plog_store_roll(ref, ret->snapshot);
    return rc;
}

PlogSnapshot *
kit_roll(PartitionRef ref, KitBatch *what)
{
    PlogAppendResult result;

    do {
        assert_int_equal(append(ref, what, KIT_NOW_MS, &result), 0);
        what->sequence++;
    } while (!result.rolled);
    assert_non_null(result.snapshot);
    return result.snapshot;
}

int
kit_append(PartitionRef ref, const KitBatch *what, PlogAppendResult *ret)
{
    return kit_append_at(ref, what, KIT_NOW_MS, ret);
}

int64_t
kit_append_ok(PartitionRef ref, const KitBatch *what)
{
    PlogAppendResult result;

    assert_int_equal(kit_append(ref, what, &result), 0);
    return result.base_offset;
}

int32_t
kit_retain(PartitionRef ref, int64_t now_ms)
{
    PlogRetention r;
    ErrInfo err = {0};

    assert_int_equal(plog_apply_retention(ref, now_ms, &r, &err), 0);
    return r.segments;
}

PlogOffsets
kit_offsets(PartitionRef ref)
{
    PlogOffsets offsets;
    ErrInfo err = {0};

    if (plog_offsets(ref, &offsets, &err) != 0)
        fail_msg("%s", err.text);
    return offsets;
}

PlogTuple
kit_tuple(PartitionRef ref)
{
    PlogTuple tuple;

    (void)kit_offsets(ref); /* opens */
    (void)pslot_read_tuple(pslot_at(ref.slot), &tuple);
    return tuple;
}

/* Checks the batches of a slice from an offset on; returns the next offset. */
static int64_t
verify_slice(const PlogSlice *slice, int64_t next)
{
    uint8_t *bytes = malloc((size_t)slice->len);
    int64_t pos = 0;

    assert_int_equal(pread(slice->fd, bytes, (size_t)slice->len, slice->pos), slice->len);
    while (pos < slice->len) {
        int64_t size = 0;
        BatchScan what = batch_scan((BytesView){bytes + pos, slice->len - (int32_t)pos},
                                    slice->len - pos, &size);

        assert_int_equal(what, BATCH_SCAN_OK);
        assert_true(batch_crc_ok(bytes + pos, (size_t)size));
        assert_int_equal(batch_base_offset(bytes + pos), next);
        next = batch_next_offset(bytes + pos);
        pos += size;
    }
    free(bytes);
    return next;
}

int64_t
kit_verify(PartitionRef ref, int64_t from)
{
    for (;;) {
        PlogReadArgs args = {from, PLOG_BOUND_LEO, INT32_MAX, true};
        PlogReadResult result;
        ErrInfo err = {0};

        if (plog_read(ref, &args, &result, &err) != 0)
            fail_msg("read at %lld: %s", (long long)from, err.text);
        if (result.slice.len == 0) {
            assert_int_equal(result.offsets.log_end_offset, from);
            return from;
        }
        from = verify_slice(&result.slice, from);
        plog_slice_release(&result.slice);
    }
}

const char *
kit_path(PartitionRef ref, const char *name)
{
    static char paths[8][LIMIT_PATH_BYTES + 256];
    static int next;
    char folder[LIMIT_PATH_BYTES];
    char *path = paths[next++ % 8];

    plog_folder_path(pslot_at(ref.slot), folder);
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

const char *
kit_segment(PartitionRef ref, int64_t base, const char *suffix)
{
    char name[64];

    (void)snprintf(name, sizeof name, "%020lld%s", (long long)base, suffix);
    return kit_path(ref, name);
}

int64_t
kit_file_size(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

void
kit_corrupt(const char *path, int64_t pos)
{
    int fd = open(path, O_RDWR);
    unsigned char byte;

    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, pos), 1);
    byte ^= 0x40;
    assert_int_equal(pwrite(fd, &byte, 1, pos), 1);
    (void)close(fd);
}

void
kit_extend(const char *path, int64_t bytes, unsigned char with)
{
    int fd = open(path, O_RDWR | O_APPEND);

    assert_true(fd >= 0);
    while (bytes-- > 0)
        assert_int_equal(write(fd, &with, 1), 1);
    (void)close(fd);
}

void *
kit_shared(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

pid_t
kit_fork(int (*child_main)(void *arg), void *arg)
{
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* some wait for their parent for ever */
        _exit(child_main(arg));
    }
    return pid;
}

int
kit_wait(pid_t pid)
{
    int status;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static int
die_appending(void *arg)
{
    KitVictim *v = arg;

    fd_cache_reset();
    crashpoint_arm(v->point, 1);
    return kit_append(v->ref, &v->batch, NULL) == 0 ? 0 : 1;
}

bool
kit_kill_appending(PartitionRef ref, const char *point, KitBatch batch)
{
    KitVictim v = {.ref = ref, .point = point, .batch = batch};
    int status = kit_wait(kit_fork(die_appending, &v));

    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static int
append_elsewhere(void *arg)
{
    KitVictim *v = arg;
    PlogAppendResult result;

    fd_cache_reset();
    if (kit_append(v->ref, &v->batch, &result) != 0)
        return 1;
    return result.duplicate ? 3 : 2;
}

int
kit_retry(PartitionRef ref, KitBatch batch)
{
    KitVictim v = {.ref = ref, .batch = batch};
    int status = kit_wait(kit_fork(append_elsewhere, &v));

    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}
