/*
 * logdirs.c - the log directories of the node: descriptors, clean marker
 *
 * Runs in: supervisor (add, clean marker), everybody (the rest).
 * Crash rule of region log_dirs: every word is whole by itself. A pusher that dies between marking
 * its partition dirty and linking it is seen by the repair of the append lock, which sets overflow.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/logdirs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ottla/common/arena.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/crashpoint.h"
#include "ottla/common/log.h"
#include "ottla/common/random.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/node.h"
#include "ottla/storage/partition_slot.h"
#include "storage/logdirs_int.h"

#define CLEAN_MARKER ".kafka_cleanshutdown"
#define LOCK_WAIT_US (10 * 1000 * 1000)

static LogDir dirs[LOGDIRS_MAX];
static int dir_count;

/* Region log_dirs. */
typedef struct LogDirsShared {
    LogDirShared dirs[LOGDIRS_MAX];
    PLock control;
    AtomicU32 metadata_failed; /* DIR/control has a row for the metadata log, or shall */
} LogDirsShared;

static LogDirsShared *shared;

/* The next row; NULL: there is no room for it, or for its path. */
static LogDir *
new_row(const char *path, Uuid directory_id, ErrInfo *err)
{
    LogDir *d = &dirs[dir_count];
    size_t len = strlen(path);

    if (dir_count == LOGDIRS_MAX || len >= sizeof d->path) {
        (void)err_set(err, OT_E_LIMIT, "more than %d log directories, or a path of %zu bytes",
                      LOGDIRS_MAX, len);
        return NULL;
    }
    *d = (LogDir){.uuid = directory_id, .fd = -1};
    memcpy(d->path, path, len + 1);
    return d;
}

int
logdir_add(const char *path, Uuid directory_id, ErrInfo *err)
{
    LogDir *d = new_row(path, directory_id, err);

    if (d == NULL)
        return OT_E_LIMIT;
    d->fd = vfs_open(path, O_RDONLY | O_DIRECTORY, 0, err);
    return d->fd < 0 ? d->fd : dir_count++;
}

int
logdir_add_failed(const char *path, const Uuid *directory_id, const char *why, ErrInfo *err)
{
    LogDir *d = new_row(path, directory_id == NULL ? random_uuid() : *directory_id, err);

    if (d == NULL)
        return OT_E_LIMIT;
    d->fd = vfs_open(path, O_RDONLY | O_DIRECTORY, 0, NULL);
    if (d->fd < 0)
        d->fd = -1;
    d->unusable = true;
    d->id_unknown = directory_id == NULL;
    (void)snprintf(d->repair_text, sizeof d->repair_text, "%s", why); /* cut when too long */
    return dir_count++;
}

bool
logdir_id_is_known(int dir)
{
    return !logdir_private(dir)->id_unknown;
}

bool
logdir_is_put_aside(int dir)
{
    return logdir_private(dir)->unusable;
}

bool
logdir_is_offline(int dir)
{
    return logdir_is_put_aside(dir) && !logdir_is_clean(dir);
}

void
logdirs_clear(void)
{
    while (dir_count > 0)
        vfs_close(dirs[--dir_count].fd);
}

int
logdir_count(void)
{
    return dir_count;
}

const char *
logdir_path(int dir)
{
    ot_assert(dir >= 0 && dir < dir_count);
    return dirs[dir].path;
}

int
logdir_fd(int dir)
{
    ot_assert(dir >= 0 && dir < dir_count);
    return dirs[dir].fd;
}

Uuid
logdir_uuid(int dir)
{
    ot_assert(dir >= 0 && dir < dir_count);
    return dirs[dir].uuid;
}

int
logdir_find_uuid(Uuid directory_id)
{
    int dir;

    for (dir = 0; dir < dir_count; dir++) {
        if (uuid_equal(dirs[dir].uuid, directory_id))
            return dir;
    }
    return -1;
}

/* Ids below 100 say where a replica is not. */
static bool
uuid_is_reserved(Uuid id)
{
    int i;

    for (i = 0; i < 15; i++) {
        if (id.b[i] != 0)
            return false;
    }
    return id.b[15] < 100;
}

int
logdir_of_replica(Uuid directory_id)
{
    int dir = logdir_find_uuid(directory_id);

    if (dir >= 0 || uuid_is_reserved(directory_id))
        return dir;
    for (dir = 0; dir < dir_count; dir++) {
        if (dirs[dir].id_unknown)
            return dir;
    }
    return -1;
}

/* ---- the clean-shutdown marker ------------------------------------------------------------------ */

static void
marker_path(int dir, char ret[LIMIT_PATH_BYTES])
{
    (void)snprintf(ret, LIMIT_PATH_BYTES, "%s/%s", logdir_path(dir), CLEAN_MARKER);
}

/* The number behind "brokerEpoch": in the marker's JSON; older ones are empty. */
static int64_t
parse_broker_epoch(BytesView text)
{
    static const char key[] = "\"brokerEpoch\":";
    const char *at = (const char *)text.ptr;
    int64_t epoch;

    at = text.len == 0 ? NULL : strstr(at, key);
    if (at == NULL || sscanf(at + sizeof key - 1, " %" SCNd64, &epoch) != 1)
        return -1;
    return epoch;
}

int
logdir_take_clean_marker(int dir, bool *ret_clean, int64_t *ret_broker_epoch, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    Arena *arena = arena_new(4096, 65536);
    BytesView text;
    int rc;

    *ret_clean = false;
    *ret_broker_epoch = -1;
    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for the clean-shutdown marker");
    marker_path(dir, path);
    rc = vfs_read_file(path, 4096, arena, &text, err);
    if (rc == 0)
        *ret_broker_epoch = parse_broker_epoch(text);
    arena_free(arena);
    if (logdir_private(dir)->unusable) { /* nothing in it will change: the marker stays, and true */
        *ret_clean = rc == 0;
        return 0;
    }
    if (rc == OT_E_NOT_FOUND)
        return 0;
    /* What cannot be read counts as a marker no longer than it can be removed. */
    rc = vfs_unlink(path, err);
    if (rc == 0)
        rc = vfs_sync_dir(logdir_path(dir), err);
    *ret_clean = rc == 0;
    return rc;
}

int
logdir_write_clean_marker(int dir, int64_t broker_epoch, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    char text[64];
    int len =
        snprintf(text, sizeof text, "{\"version\":0,\"brokerEpoch\":%" PRId64 "}", broker_epoch);

    marker_path(dir, path);
    return vfs_replace_file(path, (BytesView){(const uint8_t *)text, len}, 0640, VFS_SYNCED, err);
}

/* ---- shared state ------------------------------------------------------------------------------- */

size_t
log_dirs_shm_size(const ShmLimits *limits)
{
    (void)limits; /* few and small: all that may exist */
    return sizeof(LogDirsShared);
}

void
log_dirs_shm_init(void *base, const ShmLimits *limits)
{
    int dir;

    (void)limits; /* as above */
    shared = base;
    plock_init(&shared->control, PLOCK_RANK_SPACE);
    atomic_u32_store(&shared->metadata_failed, node_info.metadata_failed);
    for (dir = 0; dir < dir_count; dir++) {
        plock_init(&shared->dirs[dir].names, PLOCK_RANK_NAMES);
        plock_init(&shared->dirs[dir].space, PLOCK_RANK_SPACE);
        atomic_u32_store(&shared->dirs[dir].renames, 1); /* whoever died may have left some */
        logdir_state_init(dir);
    }
}

LogDir *
logdir_private(int dir)
{
    ot_assert(dir >= 0 && dir < dir_count);
    return &dirs[dir];
}

LogDirShared *
logdir_shared(int dir)
{
    ot_assert(shared != NULL && dir >= 0 && dir < LOGDIRS_MAX);
    return &shared->dirs[dir];
}

void
logdir_set_clean(int dir, bool clean)
{
    atomic_u32_store(&logdir_shared(dir)->clean, clean);
}

bool
logdir_is_clean(int dir)
{
    return atomic_u32_load(&logdir_shared(dir)->clean) != 0;
}

/* Both locks protect steps that are whole each: one mkdir, one rename. So a dead owner leaves nothing. */
static int
take_lock(PLock *lock, WaitEvent event, const char *what, ErrInfo *err)
{
    pid_t pid;

    switch (plock_lock(lock, clock_mono_us() + LOCK_WAIT_US, event)) {
    case PLOCK_OK:
        return 0;
    case PLOCK_OWNER_DIED:
        plock_consistent(lock);
        return 0;
    case PLOCK_TIMEOUT:
        break;
    }
    pid = plock_kill_stopped_holder(
        lock); /* one stopped process must not keep a directory from all */
    if (pid != 0)
        log_msg(LL_WARNING, "storage", "killed a stopped process that held the lock of %s; pid=%d",
                what, (int)pid);
    return err_set(err, OT_E_TIMEOUT, "the lock of %s is held", what);
}

int
logdir_names_lock(int dir, ErrInfo *err)
{
    return take_lock(&logdir_shared(dir)->names, WAIT_EV_TOPIC_CREATE, logdir_path(dir), err);
}

AtomicU32 *
logdirs_metadata_failed(void)
{
    return &shared->metadata_failed;
}

int
logdirs_control_lock(ErrInfo *err)
{
    return take_lock(&shared->control, WAIT_EV_CONTROL_FILE, "the control file", err);
}

void
logdirs_control_unlock(void)
{
    plock_unlock(&shared->control);
}

void
logdir_names_unlock(int dir)
{
    plock_unlock(&logdir_shared(dir)->names);
}

bool
logdir_lock_at(int index, LogDirLock *ret)
{
    int dir = (index - 1) / 2;

    if (index < 0 || dir >= dir_count)
        return false;
    if (index == 0)
        *ret = (LogDirLock){&shared->control, "control", -1};
    else if (index % 2 == 1)
        *ret = (LogDirLock){&logdir_shared(dir)->names, "names", dir};
    else
        *ret = (LogDirLock){&logdir_shared(dir)->space, "reserve", dir};
    return true;
}

/*
 * Counted first, so that whoever dies in between leaves one too many. A flush reads the count under the
 * lock: what it saw has happened or never will.
 */
int
logdir_rename_folder(int dir, const char *from, const char *to, ErrInfo *err)
{
    int rc;

    (void)atomic_u32_add(&logdir_shared(dir)->renames, 1);
    rc = vfs_rename(from, to, err);
    logdir_wake_checkpointer(dir);
    return rc;
}

bool
logdir_has_renames(int dir)
{
    const LogDirShared *d = logdir_shared(dir);

    return atomic_u32_load(&d->renames) != atomic_u32_load(&d->renames_flushed);
}

int
logdir_flush_renames(int dir, ErrInfo *err)
{
    LogDirShared *d = logdir_shared(dir);
    uint32_t seen;

    switch (plock_trylock(&d->names)) {
    case PLOCK_OK:
        break;
    case PLOCK_OWNER_DIED:
        plock_consistent(&d->names);
        break;
    case PLOCK_TIMEOUT:
        return err_set(err, OT_E_AGAIN, "the names of %s are being changed", logdir_path(dir));
    }
    seen = atomic_u32_load(&d->renames);
    logdir_names_unlock(dir);
    if (vfs_fsync(logdir_fd(dir), err) != 0)
        return logdir_flush_failed(dir, err);
    crashpoint("logdir.renames.flushed");
    atomic_u32_store(&d->renames_flushed, seen);
    return 0;
}

void
logdir_add_bytes(int dir, int64_t bytes)
{
    LogDirShared *d = logdir_shared(dir);
    int64_t before = atomic_i64_add(&d->bytes, bytes);

    if (before / LOGDIR_CHECKPOINT_BYTES != (before + bytes) / LOGDIR_CHECKPOINT_BYTES)
        logdir_wake_checkpointer(dir);
}

void
logdir_wake_checkpointer(int dir)
{
    latch_set(slot_ref_unpack(logdir_checkpointer(dir)));
}

void
logdir_set_checkpointer(int dir, uint64_t packed_slot_ref)
{
    atomic_u64_store(&logdir_shared(dir)->checkpointer, packed_slot_ref);
}

uint64_t
logdir_checkpointer(int dir)
{
    return atomic_u64_load(&logdir_shared(dir)->checkpointer);
}

int64_t
logdir_bytes(int dir)
{
    return atomic_i64_load_relaxed(&logdir_shared(dir)->bytes);
}

void
logdir_give_descriptor_up(int dir)
{
    atomic_u32_store(&logdir_shared(dir)->given_up, 1);
}

bool
logdir_take_given_up(int dir)
{
    AtomicU32 *word = &logdir_shared(dir)->given_up;

    return atomic_u32_load(word) != 0 && atomic_u32_swap(word, 0) != 0;
}

void
logdir_note_waiting(int dir, int64_t now_us)
{
    atomic_i64_store_relaxed(&logdir_shared(dir)->waited_us, now_us);
}

bool
logdir_is_waited_for(int dir)
{
    int64_t waited_us = atomic_i64_load_relaxed(&logdir_shared(dir)->waited_us);

    return waited_us != 0 && clock_mono_us() - waited_us < LOGDIR_WAITED_US;
}
