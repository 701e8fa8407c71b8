/*
 * plog_move.h - one log moves to another log directory of the node while it is used
 *
 * The wish is made by whoever is asked (move_wish.h), and the folder of the copy with it. The retention worker copies
 * what is published, without the append lock, and when little is left takes the lock, copies the rest and switches:
 *
 *   the copy and its folder flushed -> folder gets its final name, synced -> the old folder is renamed to -delete,
 *   synced -> tuple with recovery point LEO, then the slot's directory
 *
 *   V1  nothing is appended between the copy of the last byte and the switch: the lock is held
 *   V2  when the slot names the target, all of the log is on the target's disk, and no folder of the final
 *       name is left in the source, not even after a loss of power
 *   V3  where both directories hold the folder, the one that the metadata names counts: a switch begins only when that
 *       is the source. Where only one does, that one counts, whatever the metadata says
 *
 * A copy that a start finds is emptied, and the move begins anew (Kafka goes on with it).
 * Runs in: retention.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_PLOG_MOVE_H
#define OTTLA_STORAGE_PLOG_MOVE_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/limits.h"
#include "ottla/storage/partition_slot.h"

/* A move on its way; private memory. */
typedef struct PlogMove PlogMove;

/* May be copied with the append lock held; more after attempts during which more was appended. */
#define PLOG_MOVE_LAST_BYTES (1024 * 1024)

/*
 * The wish is one of this log that stands. The log is opened if nobody did, and the copy's folder emptied.
 * OT_E_NOT_LEADER_OR_FOLLOWER: the log is being recovered; OT_E_KAFKA_STORAGE_ERROR: one of the directories, or the log,
 * cannot be used; OT_E_NOT_FOUND: the folder is gone; OT_E_NO_SPACE.
 */
int plog_move_begin(PartitionRef ref, PslotWish wish, PlogMove **ret, ErrInfo *err);

/* Copies at most max_bytes. *ret_left: bytes that were published and not copied then. Blocks for writes. */
int plog_move_copy(PlogMove *m, int64_t max_bytes, int64_t *ret_copied, int64_t *ret_left,
                   ErrInfo *err);

/*
 * The rest, and the switch. ret_old: a folder that is left behind as -delete, "": none.
 * OT_E_AGAIN: the append lock is held, too much was appended meanwhile, the metadata does not name the source yet, or
 * another wish stands: copy on, or end. Any other code: the log goes on where it is, the move has to end.
 */
int plog_move_finish(PlogMove *m, char ret_old[LIMIT_PATH_BYTES], ErrInfo *err);

/* Leaves the copy's folder, which is the wish's, to move_wish_drop. NULL-safe. */
void plog_move_end(PlogMove *m);

PartitionRef plog_move_ref(const PlogMove *m);
PslotWish plog_move_wish(const PlogMove *m);
int64_t plog_move_bytes(const PlogMove *m);

#endif
