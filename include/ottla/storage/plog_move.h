/*
 * plog_move.h - one log moves to another log directory of the node while it is used
 *
 * Whoever is asked (AlterReplicaLogDirs) notes the wanted directory in the partition's slot; the retention worker
 * copies what is published, without the append lock, into TARGET/NAME-PARTITION.<32 hex>-future, and when
 * little is left takes the lock, copies the rest and switches:
 *
 *   the copy and its folder flushed -> folder gets its final name, synced -> the old folder is renamed to -delete,
 *   synced -> tuple with recovery point LEO, then the slot's directory
 *
 *   V1  nothing is appended between the copy of the last byte and the switch: the lock is held
 *   V2  when the slot names the target, all of the log is on the target's disk, and no folder of the final
 *       name is left in the source, not even after a loss of power
 *   V3  where both directories hold the folder, the switch did not come about: the one that the metadata
 *       names counts, or any; where only one does, that one counts, whatever the metadata says
 *
 * A -future folder that a start finds is removed, and the move begins anew (Kafka goes on with it).
 * Runs in: backend (request, question), retention (the rest).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_PLOG_MOVE_H
#define OTTLA_STORAGE_PLOG_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/limits.h"
#include "ottla/storage/partition_slot.h"

/* ---- asking --------------------------------------------------------------------------------------- */

/*
 * The log shall be in this directory: a move begins or, where it is already, a move elsewhere ends. Wakes the worker.
 * False: stale reference.
 */
bool plog_move_ask(PartitionRef ref, int dir);

/* The copy as DescribeLogDirs shows it. */
typedef struct PlogFuture {
    int dir;            /* where it grows */
    int64_t bytes;      /* of its .log files */
    int64_t end_offset; /* 0: nothing was copied yet */
} PlogFuture;

/* False: the log is where it shall be. No lock: the numbers are those of a moment ago. */
bool plog_move_future(const PartitionSlot *slot, PlogFuture *ret);

/* ---- the worker ----------------------------------------------------------------------------------- */

/* A move on its way; private memory. */
typedef struct PlogMove PlogMove;

/* May be copied with the append lock held; more after attempts during which more was appended. */
#define PLOG_MOVE_LAST_BYTES (1024 * 1024)

/*
 * Makes the folder of the copy. The log is opened if nobody did.
 * OT_E_KAFKA_STORAGE_ERROR: one of the directories, or the log, cannot be used; OT_E_NO_SPACE.
 */
int plog_move_begin(PartitionRef ref, int to, PlogMove **ret, ErrInfo *err);

/* Copies at most max_bytes. *ret_left: bytes that were published and not copied then. Blocks for writes. */
int plog_move_copy(PlogMove *m, int64_t max_bytes, int64_t *ret_copied, int64_t *ret_left,
                   ErrInfo *err);

/*
 * The rest, and the switch. ret_old: the folder that is left behind as -delete, "": none.
 * OT_E_AGAIN: the append lock is held, or too much was appended meanwhile: copy on.
 * Any other code: the log goes on where it is, the move has to end.
 */
int plog_move_finish(PlogMove *m, char ret_old[LIMIT_PATH_BYTES], ErrInfo *err);

/* ret_folder: the copy's folder, to be removed; "" after the switch. NULL-safe. */
void plog_move_end(PlogMove *m, char ret_folder[LIMIT_PATH_BYTES]);

PartitionRef plog_move_ref(const PlogMove *m);
int plog_move_target(const PlogMove *m);
int64_t plog_move_bytes(const PlogMove *m);

#endif
