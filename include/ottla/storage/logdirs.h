/*
 * logdirs.h - the log directories of the node (log.dirs): their descriptors, locks and state
 *
 * The private half (paths, descriptors) is opened by the supervisor before the first fork and
 * inherited; the shared half (region log_dirs) says what must be checkpointed, whether the directory
 * takes appends (logdir_state.h), and serialises the rare changes of folder names.
 *
 * Runs in: supervisor (open, clean marker), everybody (read).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_LOGDIRS_H
#define OTTLA_STORAGE_LOGDIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/limits.h"
#include "ottla/common/view.h"
#include "ottla/ipc/plock.h"
#include "ottla/ipc/region.h"

#define LOGDIRS_MAX LIMIT_LOG_DIRS /* entries of log.dirs; each costs a checkpointer process */

/*
 * Adds a directory that exists; opens the descriptor that folder operations and syncfs use.
 * Called by the supervisor (and by tests) before the region is made. Returns its index.
 * OT_E_IO: cannot be opened; OT_E_LIMIT: more than LOGDIRS_MAX.
 */
int logdir_add(const char *path, Uuid directory_id, ErrInfo *err);

/*
 * Adds a directory that cannot be used (EIO, EROFS at the start): it comes up FAILED for this reason.
 * What can be read of it is. directory_id NULL: not known; it gets an id for this run, and partitions that
 * lie in no directory known otherwise are taken to lie there. Returns its index, OT_E_LIMIT as above.
 */
int logdir_add_failed(const char *path, const Uuid *directory_id, const char *why, ErrInfo *err);

/*
 * Was it added so? Then nothing in it is written in this run. When it was closed in order, its logs are read as
 * they lie; when it was not, they would have to be recovered first, which writes: it is offline, and no log of
 * it is opened.
 */
bool logdir_is_put_aside(int dir);
bool logdir_is_offline(int dir);

/* False: logdir_uuid is one for this run, never to be written anywhere. */
bool logdir_id_is_known(int dir);

/* Forgets all directories and closes their descriptors (tests). */
void logdirs_clear(void);

int logdir_count(void);
const char *logdir_path(int dir);
int logdir_fd(int dir); /* O_DIRECTORY|O_CLOEXEC; -1: it could not be opened */
Uuid logdir_uuid(int dir);

/* Index of the directory with this directory.id, or -1. */
int logdir_find_uuid(Uuid directory_id);

/*
 * Where a replica is that the metadata places in this directory: as above, else in one whose id is not
 * known: better offline there than made anew, empty, elsewhere. -1: placed nowhere, or nowhere here.
 */
int logdir_of_replica(Uuid directory_id);

/* ---- the clean-shutdown marker (log.md 9.2, 9.3) ------------------------------------------- */

/*
 * Start: reports whether `.kafka_cleanshutdown` is there and removes it (file and folder are
 * flushed; in a directory that cannot be used it stays). Supervisor, before anything is loaded. Also
 * returns the broker epoch it holds (-1: none).
 */
int logdir_take_clean_marker(int dir, bool *ret_clean, int64_t *ret_broker_epoch, ErrInfo *err);

/* Stop: writes the marker; the last thing a checkpointer does, after everything is flushed. */
int logdir_write_clean_marker(int dir, int64_t broker_epoch, ErrInfo *err);

/* ---- shared state ----------------------------------------------------------------------------- */

/*
 * True: the directory was closed in order and its logs open without a scan. Set by the supervisor
 * after the region is made (false again after a crash cycle, but for one put aside), read by whoever opens a log.
 */
void logdir_set_clean(int dir, bool clean);
bool logdir_is_clean(int dir);

/*
 * The mutex that serialises creating and renaming partition folders of one directory, so that
 * "is this folder still that topic's?" and the rename after it are one step. Rank: inside an append
 * lock. OT_E_TIMEOUT after 10 s; a holder that is stopped is then killed.
 */
int logdir_names_lock(int dir, ErrInfo *err);
void logdir_names_unlock(int dir);

/* A lock that directories have, for statistics. */
typedef struct LogDirLock {
    const PLock *lock;
    const char *what; /* "names", "reserve", "control" */
    int dir;          /* -1: it is for all */
} LogDirLock;

/* From index 0; false: there are no more. */
bool logdir_lock_at(int index, LogDirLock *ret);

/*
 * Gives a partition's folder another name; names lock held. The name becomes durable with the next turn of
 * the checkpointer, which is woken.
 */
int logdir_rename_folder(int dir, const char *from, const char *to, ErrInfo *err)
    __attribute__((warn_unused_result));

/* Are there new names of folders that no flush covered yet? Also after a start, for those of the time before. */
bool logdir_has_renames(int dir);

/*
 * Checkpointer: makes them durable; waits for the disk alone. OT_E_AGAIN: somebody has the names lock.
 * OT_E_KAFKA_STORAGE_ERROR: the flush failed, and so did the directory.
 */
int logdir_flush_renames(int dir, ErrInfo *err) __attribute__((warn_unused_result));

/*
 * Bytes appended in this directory since the region was made. Appenders add; whoever passes a
 * multiple of LOGDIR_CHECKPOINT_BYTES wakes the checkpointer, which named itself.
 */
#define LOGDIR_CHECKPOINT_BYTES (INT64_C(256) << 20)
void logdir_set_checkpointer(int dir, uint64_t packed_slot_ref);
uint64_t logdir_checkpointer(int dir); /* for a wake batch; 0: none yet */
void logdir_add_bytes(int dir, int64_t bytes);
int64_t logdir_bytes(int dir);

/*
 * A descriptor was closed whose file holds what no commit covered yet. With it the file may leave the
 * kernel's memory, and with that an error of its write-back; only syncfs still tells then. Taking it
 * is the checkpointer's.
 */
void logdir_give_descriptor_up(int dir);
bool logdir_take_given_up(int dir);

/*
 * Somebody waited for the disk here within the last LOGDIR_WAITED_US: then write-back begins early, so
 * that a flush carries little that nobody waits for. Said by the checkpointer with each commit.
 */
#define LOGDIR_WAITED_US (10 * 1000 * 1000)
void logdir_note_waiting(int dir, int64_t now_us);
bool logdir_is_waited_for(int dir);

/* Region log_dirs. */
size_t log_dirs_shm_size(const ShmLimits *limits);
void log_dirs_shm_init(void *base, const ShmLimits *limits);

#endif
