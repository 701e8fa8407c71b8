/*
 * plog_snapshot.c - producer snapshots: copied under the append lock, written without it, named under it again
 *
 * Runs in: backend and retention (after a roll), checkpointer, whoever opens a log.
 * Order of steps, each of which may be the last one of its process:
 *
 *   copy (lock) -> file of another name -> name, and snapshot_offset (lock)
 *
 * So N.snapshot is whole whenever it is there [S6], as far as kills go, and snapshot_offset names a file that exists.
 * What the name is not given to goes; what a killed process leaves is written over by the next one in its slot, or goes
 * when the log is opened. The log may have got on meanwhile, which makes no copy wrong: nothing published is ever cut.
 * Nor does a name go to a second file when a checkpoint gave it: that one may be on the disk already, ours is not [S7].
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>

#include "ottla/common/assert.h"
#include "ottla/common/crashpoint.h"
#include "ottla/ipc/slot.h"
#include "storage/plog_int.h"

struct PlogSnapshot {
    PlogSnapshotKind kind;
    int dir; /* where the log was */
    int64_t offset;
    int32_t count;
    int32_t len;
    char temporary[LIMIT_PATH_BYTES]; /* nobody else's: kind and process are in it */
    uint8_t file[];                   /* len bytes; no checksum yet */
};

/* ---- the copy ----------------------------------------------------------------------------------- */

static void
encode_entry(ProducerEntry *entry, void *arg)
{
    PlogSnapshot *s = arg;
    ProducerState state;

    producer_get(entry, &state);
    producer_snapshot_put(s->file, s->count++, producer_entry_id(entry), &state);
}

PlogSnapshot *
plog_snapshot_take(const PartitionSlot *slot, int64_t offset, PlogSnapshotKind kind, ErrInfo *err)
{
    static const char *const names[] = {
        [PLOG_SNAPSHOT_ROLL] = "roll", [PLOG_SNAPSHOT_CHECKPOINT] = "checkpoint"};
    size_t size = producer_snapshot_bytes((int32_t)slot->producer_count);
    PlogSnapshot *s = malloc(sizeof *s + size);
    char folder[LIMIT_PATH_BYTES];
    int n;

    if (s == NULL) {
        (void)err_set(err, OT_E_NO_MEMORY, "no memory for a producer snapshot of %zu bytes", size);
        return NULL;
    }
    s->kind = kind;
    s->dir = pslot_dir(slot);
    s->offset = offset;
    s->count = 0;
    s->len = (int32_t)size;
    plog_folder_path(slot, folder);
    n = snprintf(s->temporary, sizeof s->temporary, "%s/%s-%d.snapshot.tmp", folder, names[kind],
                 (int)my_slot_index);
    ot_assert(n > 0 && n < (int)sizeof s->temporary);
    producer_each(slot, encode_entry, s);
    ot_assert((uint32_t)s->count == slot->producer_count);
    return s;
}

/* ---- the file ----------------------------------------------------------------------------------- */

static int
write_temporary(PlogSnapshot *s, ErrInfo *err)
{
    int fd;
    int rc;

    producer_snapshot_seal(s->file, s->count);
    fd = vfs_open(s->temporary, O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE, err);
    if (fd < 0)
        return fd;
    rc = vfs_pwrite(fd, s->file, (size_t)s->len, 0, err);
    vfs_close(fd);
    if (rc != 0)
        err_prefix(err, "\"%s\"", s->temporary);
    crashpoint("plog.snapshot.written");
    return rc;
}

static bool
is_listed_base(const PartitionSlot *slot, const PlogTuple *t, int64_t offset)
{
    SegmentView seg;

    if (offset == t->active_base)
        return true;
    return offset >= 0 && offset < t->active_base && plog_segment_of(slot, t, offset, &seg) &&
           seg.base == offset;
}

/* Append lock held. Those of rolls stay as long as their segments, those of checkpoints until the next one. */
static int
name_locked(PartitionSlot *slot, const PlogSnapshot *s, int64_t *ret_old, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    PlogTuple t;
    int rc;

    (void)pslot_read_tuple(slot, &t); /* the serial does not matter under the lock */
    if (pslot_dir(slot) != s->dir || slot->snapshot_offset >= s->offset ||
        (s->kind == PLOG_SNAPSHOT_ROLL && !is_listed_base(slot, &t, s->offset)))
        return 0;
    plog_file_path(slot, s->offset, SEGMENT_SNAPSHOT, path);
    rc = vfs_rename(s->temporary, path, err);
    crashpoint("plog.snapshot.named");
    if (rc != 0 || s->kind == PLOG_SNAPSHOT_ROLL)
        return rc;
    if (slot->snapshot_offset >= 0 && !is_listed_base(slot, &t, slot->snapshot_offset))
        *ret_old = slot->snapshot_offset;
    slot->snapshot_offset = s->offset;
    return 0;
}

/* The name was given, or the file is of no use. */
static void
discard(PlogSnapshot *s)
{
    if (vfs_unlink(s->temporary, NULL) != 0) {
        /* It has its name, or goes when the log is opened. */
    }
    free(s);
}

int
plog_snapshot_store_locked(PartitionSlot *slot, PlogSnapshot *s, int64_t *ret_old, ErrInfo *err)
{
    int rc;

    if (s == NULL)
        return 0;
    rc = write_temporary(s, err);
    if (rc == 0)
        rc = name_locked(slot, s, ret_old, err);
    discard(s);
    return rc == 0 ? 0 : plog_write_failed(slot, rc, err);
}

int
plog_snapshot_store(PartitionRef ref, PlogSnapshot *s, int64_t wait_us, int64_t *ret_old,
                    ErrInfo *err)
{
    PartitionSlot *slot = pslot_at(ref.slot);
    int dir;
    int rc;

    if (s == NULL)
        return 0;
    dir = s->dir;
    rc = write_temporary(s, err);
    if (rc == 0 && !plog_lock_within(slot, wait_us)) {
        discard(s);
        return err_set(err, OT_E_AGAIN, "append lock is held");
    }
    if (rc == 0) {
        if (pslot_is_current(ref) && pslot_state(slot) == PSLOT_OPEN)
            rc = name_locked(slot, s, ret_old, err);
        plog_unlock(slot);
    }
    discard(s);
    if (!pslot_is_current(ref) || pslot_state(slot) != PSLOT_OPEN)
        return err_set(err, OT_E_UNKNOWN_TOPIC_OR_PARTITION, "log is not open");
    if (rc == 0 || pslot_dir(slot) != dir)
        return 0; /* what is needed of a log that was moved is there */
    return logdir_write_failed(dir, rc, err);
}

void
plog_snapshot_discard(PlogSnapshot *s)
{
    free(s); /* nothing of it is written */
}

void
plog_store_roll(PartitionRef ref, PlogSnapshot *s)
{
    int64_t old = -1;

    if (plog_snapshot_store(ref, s, PLOG_ROLL_LOCK_US, &old, NULL) != 0) {
        /* Replay from an older one does, too; what is wrong with the directory is in its state. */
    }
}

/* ---- loading ------------------------------------------------------------------------------------ */

static int
take_entry(PartitionSlot *slot, BytesView file, int32_t index, ErrInfo *err)
{
    ProducerEntry *entry;
    ProducerState state;
    int64_t id;

    producer_snapshot_get(file, index, &id, &state);
    entry = producer_obtain(slot, id);
    if (entry == NULL)
        return err_set(err, OT_E_LIMIT,
                       "producer.state.entries is too small for open transactions");
    producer_put(entry, &state);
    return 0;
}

int
plog_snapshot_load(PartitionSlot *slot, int64_t offset, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    Arena *arena = arena_new(65536, 0);
    BytesView file;
    int32_t count;
    int32_t i;
    int rc;

    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for a producer snapshot");
    plog_file_path(slot, offset, SEGMENT_SNAPSHOT, path);
    rc = vfs_read_file(path, LIMIT_STATE_FILE_BYTES, arena, &file, err);
    if (rc == 0)
        rc = producer_snapshot_check(file, &count, err);
    for (i = 0; rc == 0 && i < count; i++)
        rc = take_entry(slot, file, i, err);
    arena_free(arena);
    return rc;
}
