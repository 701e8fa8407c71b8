/*
 * metalog.c - the files of __cluster_metadata-0: opening, appending, rolling, epochs, quorum-state
 *
 * Formats and names are Kafka's (cluster.md 2.1, 2.2, log.md 5), so that either implementation can
 * start on the folder. One process writes it, so nothing here is locked.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/metalog.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/metalog_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/strbuf.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"
#include "ottla/protocol/batch.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/renew.h"

#define FOLDER_ENTRIES_MAX 100000
#define PIECES_MAX         64 /* batches that one pwritev takes */

void
metalog_file(const MetaLog *log, int64_t base, const char *suffix, char ret[LIMIT_PATH_BYTES])
{
    int len = snprintf(ret, LIMIT_PATH_BYTES, "%s/%020" PRId64 ".%s", log->folder, base, suffix);

    ot_assert(len < LIMIT_PATH_BYTES); /* metalog_open left room */
}

bool
metalog_list_room(MetaLog *log, void **items, int32_t count, int32_t *room, size_t bytes)
{
    int32_t more = *room == 0 ? 16 : *room * 2;
    void *wider;

    if (count < *room)
        return true;
    wider = arena_calloc(log->arena, (size_t)more, bytes);
    if (wider == NULL)
        return false;
    if (count > 0)
        memcpy(wider, *items, (size_t)count * bytes);
    *items = wider;
    *room = more;
    return true;
}

static int
remove_file(const MetaLog *log, int64_t base, const char *suffix, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc;

    metalog_file(log, base, suffix, path);
    rc = vfs_unlink(path, err);
    return rc == OT_E_NOT_FOUND ? 0 : rc;
}

/* ---- what is in the folder ---- */

static bool
ends_with(StrView name, const char *suffix)
{
    int32_t len = (int32_t)strlen(suffix);

    return name.len >= len && memcmp(name.ptr + name.len - len, suffix, (size_t)len) == 0;
}

static int
note_file(MetaLog *log, StrView name, ErrInfo *err)
{
    int64_t base, epoch;

    if (name.len == 24 && ends_with(name, ".log") &&
        text_to_int64((StrView){name.ptr, 20}, &base) && base >= 0) {
        if (!metalog_list_room(log, (void **)&log->segments, log->segment_count, &log->segment_room,
                               sizeof *log->segments))
            return err_set(err, OT_E_NO_MEMORY, "no memory for segments");
        log->segments[log->segment_count++] = (MetaSegment){base, 0};
    } else if (name.len == 42 && ends_with(name, ".checkpoint") && name.ptr[20] == '-' &&
               text_to_int64((StrView){name.ptr, 20}, &base) && base >= 0 &&
               text_to_int64((StrView){name.ptr + 21, 10}, &epoch) && epoch >= 0 &&
               epoch <= INT32_MAX) {
        return metalog_add_snapshot(log, (SnapshotId){base, (int32_t)epoch}, 0, err);
    }
    return 0;
}

int
metalog_open(MetaLog *log, const char *metadata_dir, const MetaLogSettings *settings, ErrInfo *err)
{
    Arena *scratch = arena_new(65536, 0);
    StrView *names;
    int32_t count;
    int rc;

    *log = (MetaLog){.settings = *settings, .log_fd = -1, .index_fd = -1, .time_fd = -1};
    metalog_index_reset(log);
    log->arena = arena_new(4096, 0);
    if (log->arena == NULL || scratch == NULL) {
        rc = err_set(err, OT_E_NO_MEMORY, "no memory for the metadata log");
    } else if (snprintf(log->folder, sizeof log->folder, "%s/%s", metadata_dir, METALOG_FOLDER) >=
               LIMIT_PATH_BYTES - LIMIT_FILE_NAME_BYTES) {
        rc = err_set(err, OT_E_CONFIG, "the path %s is too long", metadata_dir);
    } else {
        rc = vfs_list(log->folder, FOLDER_ENTRIES_MAX, scratch, &names, &count, err);
        /* Names are sorted, and so are numbers of equal width. */
        for (int32_t i = 0; rc == 0 && i < count; i++)
            rc = note_file(log, names[i], err);
    }
    for (int32_t i = 0; rc == 0 && i < log->snapshot_count; i++) {
        char path[LIMIT_PATH_BYTES];
        struct stat st;

        metalog_snapshot_path(log->folder, log->snapshots[i].id, path);
        rc = vfs_stat(path, &st, err);
        if (rc == 0)
            log->snapshots[i].bytes = st.st_size;
    }
    arena_free(scratch);
    if (rc != 0)
        metalog_close(log);
    return rc;
}

static void
close_active(MetaLog *log)
{
    vfs_close(log->log_fd);
    vfs_close(log->index_fd);
    vfs_close(log->time_fd);
    log->log_fd = log->index_fd = log->time_fd = -1;
}

void
metalog_close(MetaLog *log)
{
    close_active(log);
    arena_free(log->arena);
    log->arena = NULL;
}

/* ---- indexes: entries as Kafka's append makes them ---- */

void
metalog_index_reset(MetaLog *log)
{
    log->index_entries = log->time_entries = 0;
    log->bytes_since_index = 0;
    log->max_timestamp = log->max_timestamp_offset = -1;
    log->last_time_entry = -1;
    log->first_timestamp = -1;
}

static MetaSegment *
active(MetaLog *log)
{
    return &log->segments[log->segment_count - 1];
}

static int
add_time_entry(MetaLog *log, int64_t base, ErrInfo *err)
{
    uint8_t entry[TIME_ENTRY];
    int rc = 0;

    if (log->max_timestamp <= log->last_time_entry)
        return 0;
    wire_store64(entry, (uint64_t)log->max_timestamp);
    wire_store32(entry + 8, (uint32_t)(log->max_timestamp_offset - base));
    if (log->time_fd >= 0)
        rc = vfs_pwrite(log->time_fd, entry, sizeof entry, log->time_entries * TIME_ENTRY, err);
    if (rc == 0) {
        log->time_entries++;
        log->last_time_entry = log->max_timestamp;
    }
    return rc;
}

int
metalog_index_batch(MetaLog *log, BytesView batch, int64_t pos, ErrInfo *err)
{
    int64_t base = active(log)->base, last = batch_last_offset(batch.ptr);
    int rc = 0;

    if (log->first_timestamp < 0)
        log->first_timestamp = batch_max_timestamp(batch.ptr);
    if (batch_max_timestamp(batch.ptr) > log->max_timestamp) {
        log->max_timestamp = batch_max_timestamp(batch.ptr);
        log->max_timestamp_offset = last;
    }
    if (log->bytes_since_index > META_INDEX_INTERVAL) {
        uint8_t entry[INDEX_ENTRY];

        wire_store32(entry, (uint32_t)(last - base));
        wire_store32(entry + 4, (uint32_t)pos);
        if (log->index_fd >= 0)
            rc = vfs_pwrite(log->index_fd, entry, sizeof entry, log->index_entries * INDEX_ENTRY,
                            err);
        if (rc == 0) {
            log->index_entries++;
            rc = add_time_entry(log, base, err);
        }
        log->bytes_since_index = 0;
    }
    log->bytes_since_index += batch.len;
    return rc;
}

/* Writes the indexes of the active segment anew when their sizes are not what they should be. */
static int
complete_indexes(MetaLog *log, ErrInfo *err)
{
    int64_t index_size = vfs_size(log->index_fd, err), time_size = vfs_size(log->time_fd, err);
    FileWalk walk;
    BytesView batch;
    char path[LIMIT_PATH_BYTES];
    int rc;

    if (index_size < 0 || time_size < 0)
        return OT_E_IO;
    if (index_size == log->index_entries * INDEX_ENTRY &&
        time_size == log->time_entries * TIME_ENTRY)
        return 0;
    rc = vfs_truncate(log->index_fd, 0, err);
    if (rc == 0)
        rc = vfs_truncate(log->time_fd, 0, err);
    metalog_file(log, active(log)->base, "log", path);
    if (rc == 0)
        rc = file_walk_open(&walk, path, err);
    if (rc != 0)
        return rc;
    metalog_index_reset(log);
    while (rc == 0 && walk.pos < active(log)->size && file_walk_next(&walk, &batch, err) == 1) {
        rc = metalog_index_batch(log, batch, walk.pos, err);
        file_walk_past(&walk, batch.len);
    }
    file_walk_close(&walk);
    return rc;
}

/* ---- opening for writing ---- */

/* The files of a segment, in the order in which they are opened. */
typedef struct SegmentFds {
    int log, index, time;
} SegmentFds;

static int
open_part(const MetaLog *log, int64_t base, const char *suffix, int flags, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];

    metalog_file(log, base, suffix, path);
    return vfs_open(path, O_RDWR | O_CREAT | flags, 0640, err);
}

/* All three or none. */
static int
open_parts(const MetaLog *log, int64_t base, int flags, SegmentFds *ret, ErrInfo *err)
{
    SegmentFds fds = {-1, -1, -1};

    fds.log = open_part(log, base, "log", flags, err);
    if (fds.log >= 0)
        fds.index = open_part(log, base, "index", flags, err);
    if (fds.index >= 0)
        fds.time = open_part(log, base, "timeindex", flags, err);
    if (fds.time >= 0) {
        *ret = fds;
        return 0;
    }
    int rc = fds.log < 0 ? fds.log : fds.index < 0 ? fds.index : fds.time;
    vfs_close(fds.log < 0 ? -1 : fds.log);
    vfs_close(fds.index < 0 ? -1 : fds.index);
    return rc;
}

static void
use_parts(MetaLog *log, const SegmentFds *fds)
{
    close_active(log);
    log->log_fd = fds->log;
    log->index_fd = fds->index;
    log->time_fd = fds->time;
}

/*
 * A new segment at the log's end becomes the active one; left-overs of its name never held a batch
 * that counts. On failure the active one stays: a full disk is tried again.
 */
static int
new_segment(MetaLog *log, ErrInfo *err)
{
    SegmentFds fds;
    int rc;

    if (!metalog_list_room(log, (void **)&log->segments, log->segment_count, &log->segment_room,
                           sizeof *log->segments))
        return err_set(err, OT_E_NO_MEMORY, "no memory for segments");
    rc = open_parts(log, log->end_offset, O_TRUNC, &fds, err);
    crashpoint("metalog.segment.made");
    if (rc == 0 && vfs_sync_dir(log->folder, err) != 0) {
        vfs_close(fds.log);
        vfs_close(fds.index);
        vfs_close(fds.time);
        return OT_E_IO; /* a failed flush is never tried again, ENOSPC or not */
    }
    if (rc != 0)
        return rc;
    use_parts(log, &fds);
    log->segments[log->segment_count++] = (MetaSegment){log->end_offset, 0};
    metalog_index_reset(log);
    return 0;
}

static int
remove_leftovers(MetaLog *log, ErrInfo *err)
{
    Arena *scratch = arena_new(65536, 0);
    char path[LIMIT_PATH_BYTES];
    StrView *names;
    int32_t count;
    int rc;

    if (scratch == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for the metadata log");
    rc = vfs_list(log->folder, FOLDER_ENTRIES_MAX, scratch, &names, &count, err);
    for (int32_t i = 0; rc == 0 && i < count; i++)
        if (ends_with(names[i], ".checkpoint.part") || ends_with(names[i], ".deleted") ||
            ends_with(names[i], ".tmp")) {
            snprintf(path, sizeof path, "%.*s/%.*s", LIMIT_PATH_BYTES - LIMIT_FILE_NAME_BYTES - 1,
                     log->folder, (int)names[i].len, names[i].ptr);
            rc = vfs_unlink(path, err);
        }
    arena_free(scratch);
    return rc;
}

/* partition.metadata with the fixed id of the metadata topic. */
static int
store_topic_id(const MetaLog *log, ErrInfo *err)
{
    Uuid id = {{[15] = 1}};
    Uuid found;
    int rc = partition_metadata_load(log->folder, &found, err);

    if (rc == 0 && !uuid_equal(found, id))
        return err_set(err, OT_E_CORRUPT, "%s belongs to another topic", log->folder);
    return rc == OT_E_NOT_FOUND ? partition_metadata_store(log->folder, id, VFS_SYNCED, err) : rc;
}

static int
store_epochs(MetaLog *log, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    StrBuf text;
    int rc;

    strbuf_init(&text, LIMIT_STATE_FILE_BYTES, NULL);
    strbuf_printf(&text, "0\n%" PRId32 "\n", log->epoch_count);
    for (int32_t i = 0; i < log->epoch_count; i++)
        strbuf_printf(&text, "%" PRId32 " %" PRId64 "\n", log->epochs[i].epoch,
                      log->epochs[i].start_offset);
    snprintf(path, sizeof path, "%.*s/" LEADER_EPOCH_FILE,
             LIMIT_PATH_BYTES - LIMIT_FILE_NAME_BYTES - 1, log->folder);
    if (strbuf_failed(&text))
        rc = err_set(err, OT_E_NO_MEMORY, "no memory for " LEADER_EPOCH_FILE);
    else
        rc = vfs_replace_file(
            path, (BytesView){(const uint8_t *)strbuf_view(&text).ptr, strbuf_view(&text).len},
            0640, VFS_SYNCED, err);
    strbuf_release(&text);
    return rc;
}

/*
 * The last segment in new files: a flush of it failed in the run before, and the kernel's memory may show
 * bytes that no later flush would write [M5]. The indexes are made anew.
 */
static int
renew_active(MetaLog *log, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc;

    metalog_file(log, active(log)->base, "log", path);
    rc = renew_file(path, err);
    if (rc == 0)
        rc = remove_file(log, active(log)->base, "index", err);
    if (rc == 0)
        rc = remove_file(log, active(log)->base, "timeindex", err);
    if (rc == 0 && vfs_sync_dir(log->folder, err) != 0)
        rc = OT_E_IO;
    return rc;
}

int
metalog_make_writable(MetaLog *log, ErrInfo *err)
{
    SegmentFds fds;
    int rc = remove_leftovers(log, err);

    if (rc == 0)
        rc = store_topic_id(log, err);
    if (rc != 0)
        return rc;
    log->epoch_count = epochs_truncate_end(log->epochs, log->epoch_count, log->end_offset);
    rc = store_epochs(log, err);
    if (rc != 0)
        return rc;
    if (log->segment_count == 0)
        return new_segment(log, err);
    if (log->settings.renew)
        rc = renew_active(log, err);
    if (rc == 0)
        rc = open_parts(log, active(log)->base, 0, &fds, err);
    if (rc != 0)
        return rc;
    use_parts(log, &fds);
    if (log->cut_bytes > 0) {
        rc = vfs_truncate(log->log_fd, active(log)->size, err);
        if (rc == 0 && vfs_fsync(log->log_fd, err) != 0)
            rc = OT_E_IO;
        log->cut_bytes = 0;
    }
    if (rc != 0)
        return rc;
    return complete_indexes(log, err);
}

/* ---- appending ---- */

static int
roll_if_needed(MetaLog *log, int64_t bytes, int64_t now_ms, ErrInfo *err)
{
    MetaSegment *last = active(log);
    int rc;

    if (last->size == 0 ||
        (last->size + bytes <= log->settings.segment_bytes &&
         (log->first_timestamp < 0 || now_ms - log->first_timestamp < log->settings.segment_ms)))
        return 0;
    rc =
        add_time_entry(log, last->base, err); /* the segment's largest timestamp, as Kafka's roll */
    return rc != 0 ? rc : new_segment(log, err);
}

/* One pwritev per PIECES_MAX batches. */
static int
write_batches(MetaLog *log, const BytesView *batches, int32_t count, ErrInfo *err)
{
    int64_t pos = active(log)->size;
    int rc = 0;

    for (int32_t i = 0; rc == 0 && i < count;) {
        struct iovec iov[PIECES_MAX];
        int64_t bytes = 0;
        int n = 0;

        for (; n < PIECES_MAX && i < count; n++, i++) {
            union {
                const void *in;
                void *out;
            } same = {batches[i].ptr};

            iov[n] = (struct iovec){same.out, (size_t)batches[i].len};
            bytes += batches[i].len;
        }
        rc = vfs_pwritev(log->log_fd, iov, n, pos, err);
        pos += bytes;
    }
    return rc;
}

int
metalog_append(MetaLog *log, const BytesView *batches, int32_t count, int64_t now_ms, ErrInfo *err)
{
    int64_t bytes = 0, size;
    int rc;

    for (int32_t i = 0; i < count; i++)
        bytes += batches[i].len;
    rc = roll_if_needed(log, bytes, now_ms, err);
    if (rc != 0)
        return rc;
    size = active(log)->size;
    rc = write_batches(log, batches, count, err);
    crashpoint("metalog.written");
    if (rc != 0) { /* [M1]; a file that cannot even be cut has failed for good */
        int cut = vfs_truncate(log->log_fd, size, NULL);

        return cut != 0 ? err_set(err, OT_E_IO, "cannot cut the metadata log back") : rc;
    }
    /* A failed flush may have dropped the pages: never tried again (cluster.md 9, 15). */
    rc = vfs_fdatasync(log->log_fd, err);
    if (rc != 0)
        return OT_E_IO;
    crashpoint("metalog.flushed");
    for (int32_t i = 0; i < count; i++) {
        const uint8_t *b = batches[i].ptr;

        ot_assert(batch_base_offset(b) == log->end_offset);
        /* Indexes can be made anew; what fails here fails at the next start, too. */
        (void)metalog_index_batch(log, batches[i], size, NULL);
        size += batches[i].len;
        log->end_offset = batch_next_offset(b);
        log->last_epoch = batch_leader_epoch(b);
        log->last_timestamp = batch_max_timestamp(b);
    }
    active(log)->size = size;
    log->bytes_since_snapshot += bytes;
    return 0;
}

/* ---- epochs, quorum-state ---- */

int
metalog_begin_epoch(MetaLog *log, int32_t epoch, ErrInfo *err)
{
    if (!metalog_list_room(log, (void **)&log->epochs, log->epoch_count, &log->epoch_room,
                           sizeof *log->epochs))
        return err_set(err, OT_E_NO_MEMORY, "no memory for epochs");
    log->epoch_count =
        epochs_assign(log->epochs, log->epoch_count, (EpochEntry){epoch, log->end_offset});
    return store_epochs(log, err);
}

static void
quorum_state_path(const MetaLog *log, char ret[LIMIT_PATH_BYTES])
{
    snprintf(ret, LIMIT_PATH_BYTES, "%.*s/" QUORUM_STATE_FILE,
             LIMIT_PATH_BYTES - LIMIT_FILE_NAME_BYTES - 1, log->folder);
}

int
metalog_load_quorum_state(const MetaLog *log, QuorumState *ret, ErrInfo *err)
{
    Arena *scratch = arena_new(4096, 0);
    char path[LIMIT_PATH_BYTES];
    BytesView text;
    int rc;

    if (scratch == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for " QUORUM_STATE_FILE);
    quorum_state_path(log, path);
    rc = vfs_read_file(path, QUORUM_STATE_MAX, scratch, &text, err);
    if (rc == 0) {
        rc = quorum_state_parse((StrView){(const char *)text.ptr, text.len}, ret, err);
        if (rc != 0)
            err_prefix(err, "%s", path);
    }
    arena_free(scratch);
    return rc;
}

int
metalog_store_quorum_state(const MetaLog *log, const QuorumState *state, int data_version,
                           ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES], text[QUORUM_STATE_MAX];
    int len = quorum_state_print(state, data_version, text);

    quorum_state_path(log, path);
    return vfs_replace_file(path, (BytesView){(const uint8_t *)text, len}, 0640, VFS_SYNCED, err);
}

/* ---- snapshots in the folder ---- */

int
metalog_add_snapshot(MetaLog *log, SnapshotId id, int64_t bytes, ErrInfo *err)
{
    if (!metalog_list_room(log, (void **)&log->snapshots, log->snapshot_count, &log->snapshot_room,
                           sizeof *log->snapshots))
        return err_set(err, OT_E_NO_MEMORY, "no memory for snapshots");
    log->snapshots[log->snapshot_count++] = (MetaSnapshot){id, bytes};
    return 0;
}

/* Segments that lie wholly below the offset go, but never the active one [M4]. */
static int
remove_segments_below(MetaLog *log, int64_t offset, ErrInfo *err)
{
    int32_t gone = 0;
    int rc = 0;

    while (rc == 0 && gone + 1 < log->segment_count && log->segments[gone + 1].base <= offset) {
        rc = remove_file(log, log->segments[gone].base, "log", err);
        if (rc == 0)
            rc = remove_file(log, log->segments[gone].base, "index", err);
        if (rc == 0)
            rc = remove_file(log, log->segments[gone].base, "timeindex", err);
        if (rc == 0)
            gone++;
    }
    memmove(log->segments, log->segments + gone,
            (size_t)(log->segment_count - gone) * sizeof *log->segments);
    log->segment_count -= gone;
    if (gone > 0 && rc == 0) {
        log->epoch_count =
            epochs_truncate_start(log->epochs, log->epoch_count, log->segments[0].base);
        rc = store_epochs(log, err);
    }
    return rc;
}

static int64_t
total_bytes(const MetaLog *log)
{
    int64_t bytes = 0;

    for (int32_t i = 0; i < log->segment_count; i++)
        bytes += log->segments[i].size;
    for (int32_t i = 0; i < log->snapshot_count; i++)
        bytes += log->snapshots[i].bytes;
    return bytes;
}

/* Wall clock of a snapshot's making: that of its first batch. */
static int64_t
snapshot_time(const MetaLog *log, const MetaSnapshot *snapshot, int64_t now_ms)
{
    char path[LIMIT_PATH_BYTES];
    FileWalk walk;
    BytesView batch;
    int64_t time = now_ms;

    metalog_snapshot_path(log->folder, snapshot->id, path);
    if (file_walk_open(&walk, path, NULL) != 0)
        return now_ms;
    if (file_walk_next(&walk, &batch, NULL) == 1)
        time = batch_max_timestamp(batch.ptr);
    file_walk_close(&walk);
    return time;
}

int
metalog_clean(MetaLog *log, int64_t now_ms, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc = 0;

    while (rc == 0 && log->snapshot_count >= 2 &&
           (total_bytes(log) > log->settings.max_retention_bytes ||
            now_ms - snapshot_time(log, &log->snapshots[0], now_ms) >
                log->settings.max_retention_ms)) {
        rc = remove_segments_below(log, log->snapshots[1].id.offset, err);
        if (rc != 0)
            break;
        metalog_snapshot_path(log->folder, log->snapshots[0].id, path);
        rc = vfs_unlink(path, err);
        if (rc == OT_E_NOT_FOUND)
            rc = 0;
        memmove(log->snapshots, log->snapshots + 1,
                (size_t)(log->snapshot_count - 1) * sizeof *log->snapshots);
        log->snapshot_count--;
    }
    return rc;
}
