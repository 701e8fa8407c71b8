/*
 * metalog_replay.c - reading the metadata log at the start: newest snapshot, then the segments
 *
 * Recovery takes the files as hostile. Nothing is changed here [M2]: what is found is written down
 * in the MetaLog, and metalog_make_writable() acts upon it when the whole log could be applied.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/metalog_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/vfs.h"
#include "ottla/protocol/batch.h"

#define WALK_BUFFER_BYTES (1024 * 1024)
#define WALK_BATCH_MAX    (64 * 1024 * 1024) /* Kafka writes 8 MiB at most */

int
file_walk_open(FileWalk *walk, const char *path, ErrInfo *err)
{
    int64_t size;
    int rc = vfs_open(path, O_RDONLY, 0, err);

    *walk = (FileWalk){.fd = -1};
    if (rc < 0)
        return rc;
    walk->fd = rc;
    size = vfs_size(walk->fd, err);
    if (size < 0) {
        file_walk_close(walk);
        return (int)size;
    }
    walk->size = size;
    walk->room = WALK_BUFFER_BYTES;
    walk->buffer = malloc(walk->room);
    if (walk->buffer == NULL) {
        file_walk_close(walk);
        return err_set(err, OT_E_NO_MEMORY, "no memory to read %s", path);
    }
    return 0;
}

void
file_walk_close(FileWalk *walk)
{
    vfs_close(walk->fd);
    free(walk->buffer);
    *walk = (FileWalk){.fd = -1};
}

/* At least want bytes from pos on in the buffer, or all that are left. */
static int
fill(FileWalk *walk, size_t want, ErrInfo *err)
{
    int64_t got;

    if (walk->have - walk->at >= want || walk->pos + (int64_t)(walk->have - walk->at) >= walk->size)
        return 0;
    if (want > walk->room) {
        uint8_t *wider = realloc(walk->buffer, want);

        if (wider == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for a batch of %zu bytes", want);
        walk->buffer = wider;
        walk->room = want;
    }
    got = vfs_pread(walk->fd, walk->buffer, walk->room, walk->pos, err);
    if (got < 0)
        return (int)got;
    walk->at = 0;
    walk->have = (size_t)got;
    return 0;
}

int
file_walk_next(FileWalk *walk, BytesView *ret, ErrInfo *err)
{
    int64_t size, left = walk->size - walk->pos;
    int rc = fill(walk, BATCH_HEADER_BYTES, err);

    if (rc != 0)
        return rc;
    if (walk->have - walk->at < BATCH_HEADER_BYTES ||
        batch_scan((BytesView){walk->buffer + walk->at, (int32_t)(walk->have - walk->at)}, left,
                   &size) != BATCH_SCAN_OK ||
        size > WALK_BATCH_MAX)
        return 0;
    rc = fill(walk, (size_t)size, err);
    if (rc != 0)
        return rc;
    if (walk->have - walk->at < (size_t)size ||
        (walk->check_crc && !batch_crc_ok(walk->buffer + walk->at, (size_t)size)))
        return 0;
    *ret = (BytesView){walk->buffer + walk->at, (int32_t)size};
    return 1;
}

void
file_walk_past(FileWalk *walk, int32_t bytes)
{
    walk->pos += bytes;
    walk->at += (size_t)bytes;
}

/* ---- snapshot ---- */

static bool
is_footer(BytesView batch)
{
    return batch_is_control(batch.ptr) && batch_record_count(batch.ptr) == 1 &&
           batch.len > BATCH_HEADER_BYTES + 10 &&
           /* key of the only record: version 0, type; behind length, attributes, deltas, key length */
           memcmp(batch.ptr + BATCH_HEADER_BYTES + 5, "\0\0\0\4", 4) == 0;
}

/* Is the file whole? Checks every batch and the footer; reads it once more than needed, on purpose. */
static int
snapshot_is_whole(const char *path, bool *ret, ErrInfo *err)
{
    FileWalk walk;
    BytesView batch;
    bool footer = false;
    int rc = file_walk_open(&walk, path, err);

    if (rc != 0)
        return rc;
    walk.check_crc = true;
    while ((rc = file_walk_next(&walk, &batch, err)) == 1) {
        footer = is_footer(batch);
        file_walk_past(&walk, batch.len);
    }
    *ret = rc == 0 && footer && walk.pos == walk.size;
    file_walk_close(&walk);
    return rc;
}

static int
replay_snapshot(const char *path, const MetaReader *reader, ErrInfo *err)
{
    FileWalk walk;
    BytesView batch;
    int rc = file_walk_open(&walk, path, err);

    if (rc != 0)
        return rc;
    while ((rc = file_walk_next(&walk, &batch, err)) == 1) {
        rc = reader->batch(reader->arg, batch, true, err);
        if (rc != 0)
            break;
        file_walk_past(&walk, batch.len);
    }
    file_walk_close(&walk);
    return rc;
}

int
metalog_read_checkpoint(const char *path, const MetaReader *reader, ErrInfo *err)
{
    bool whole = false;
    int rc = snapshot_is_whole(path, &whole, err);

    if (rc == 0 && !whole)
        rc = err_set(err, OT_E_CORRUPT, "the file is not whole");
    return rc != 0 ? rc : replay_snapshot(path, reader, err);
}

/* The newest whole snapshot; -1: none. */
static int
choose_snapshot(MetaLog *log, int32_t *ret_index, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    bool whole = false;
    int rc;

    for (int32_t i = log->snapshot_count - 1; i >= 0; i--) {
        metalog_snapshot_path(log->folder, log->snapshots[i].id, path);
        rc = snapshot_is_whole(path, &whole, err);
        if (rc != 0)
            return rc;
        if (whole) {
            *ret_index = i;
            return 0;
        }
    }
    *ret_index = -1;
    return 0;
}

/* ---- log ---- */

static int
note_epoch(MetaLog *log, int32_t epoch, int64_t offset, ErrInfo *err)
{
    if (log->epoch_count > 0 && log->epochs[log->epoch_count - 1].epoch >= epoch)
        return 0;
    if (!metalog_list_room(log, (void **)&log->epochs, log->epoch_count, &log->epoch_room,
                           sizeof *log->epochs))
        return err_set(err, OT_E_NO_MEMORY, "no memory for epochs");
    log->epochs[log->epoch_count++] = (EpochEntry){epoch, offset};
    return 0;
}

/* One batch that is in the log: the books of the log, then the reader if it is behind the snapshot. */
static int
replay_batch(MetaLog *log, BytesView batch, int64_t from, const MetaReader *reader, ErrInfo *err)
{
    int64_t next = batch_next_offset(batch.ptr);
    int rc = note_epoch(log, batch_leader_epoch(batch.ptr), batch_base_offset(batch.ptr), err);

    if (rc != 0)
        return rc;
    log->end_offset = next;
    log->last_epoch = batch_leader_epoch(batch.ptr);
    log->last_timestamp = batch_max_timestamp(batch.ptr);
    if (next <= from)
        return 0;
    log->bytes_since_snapshot += batch.len;
    return reader->batch(reader->arg, batch, false, err);
}

static int
replay_segment(MetaLog *log, MetaSegment *segment, int64_t from, const MetaReader *reader,
               ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    FileWalk walk;
    BytesView batch;
    int rc;

    metalog_file(log, segment->base, "log", path);
    rc = file_walk_open(&walk, path, err);
    if (rc != 0)
        return rc;
    metalog_index_reset(log);
    while ((rc = file_walk_next(&walk, &batch, err)) == 1) {
        /* Below the snapshot nothing is applied: its bytes need no checksum. */
        walk.check_crc = batch_next_offset(batch.ptr) > from;
        if (walk.check_crc && !batch_crc_ok(batch.ptr, (size_t)batch.len)) {
            rc = 0;
            break;
        }
        if (batch_base_offset(batch.ptr) != log->end_offset ||
            batch_last_offset_delta(batch.ptr) < 0 ||
            batch_leader_epoch(batch.ptr) < log->last_epoch) {
            rc = 0;
            break;
        }
        rc = metalog_index_batch(log, batch, walk.pos, err);
        if (rc == 0)
            rc = replay_batch(log, batch, from, reader, err);
        if (rc != 0)
            break;
        file_walk_past(&walk, batch.len);
    }
    segment->size = walk.pos;
    log->cut_bytes = walk.size - walk.pos;
    file_walk_close(&walk);
    return rc;
}

static int
replay_segments(MetaLog *log, int64_t from, const MetaReader *reader, ErrInfo *err)
{
    int rc = 0;

    log->end_offset = log->segments[0].base;
    for (int32_t i = 0; rc == 0 && i < log->segment_count; i++) {
        if (log->cut_bytes > 0 || log->segments[i].base != log->end_offset)
            return err_set(err, OT_E_CORRUPT,
                           "segment %020" PRId64 ".log does not continue the one before it, which "
                           "ends at %" PRId64,
                           log->segments[i].base, log->end_offset);
        rc = replay_segment(log, &log->segments[i], from, reader, err);
    }
    return rc;
}

int
metalog_replay(MetaLog *log, const MetaReader *reader, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    SnapshotId from = {0, 0};
    int32_t chosen;
    int rc = choose_snapshot(log, &chosen, err);

    if (rc != 0)
        return rc;
    if (chosen >= 0) {
        from = log->snapshots[chosen].id;
        metalog_snapshot_path(log->folder, from, path);
        rc = replay_snapshot(path, reader, err);
        if (rc != 0) {
            err_prefix(err, "snapshot %s", path);
            return rc;
        }
    }
    log->end_offset = from.offset;
    log->last_epoch = from.epoch;
    if (log->segment_count == 0)
        return 0;
    if (log->segments[0].base > from.offset)
        return err_set(err, OT_E_CORRUPT,
                       "the metadata log begins at %" PRId64
                       " and no snapshot covers what is before",
                       log->segments[0].base);
    log->last_epoch = 0;
    rc = replay_segments(log, from.offset, reader, err);
    if (rc == 0 && log->end_offset < from.offset)
        rc = err_set(err, OT_E_CORRUPT,
                     "the metadata log ends at %" PRId64 ", before its snapshot %" PRId64,
                     log->end_offset, from.offset);
    return rc;
}
