/*
 * move_wish.h - in which log directory of the node a log shall be
 *
 * A wish (AlterReplicaLogDirs) stands in two places: in the partition's slot, where the worker that moves logs looks,
 * and on disk as the folder of the copy, TARGET/NAME-PARTITION.<topic id>-future with its partition.metadata, which
 * a start takes for the wish. So a wish that was answered, and one that was taken back, survive kill -9. A loss of
 * power may undo what was answered within the last moment.
 *
 *   W1  such a folder is there only while the slot names its directory, but for one instant under the names lock of
 *       that directory: the word changes first when a wish comes, the folder first when it goes
 *   W2  wishes of a log come and go under its append lock, which the switch of the move holds, too: a log does
 *       not arrive where it was told not to go
 *
 * Runs in: backend (ask, question), retention (the rest).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_MOVE_WISH_H
#define OTTLA_STORAGE_MOVE_WISH_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/limits.h"
#include "ottla/storage/partition_slot.h"

/*
 * The log shall be in this directory. Where it is already: a move elsewhere ends. Replaces an earlier wish; blocks for
 * the append lock and for changes of names.
 * OT_E_UNKNOWN_TOPIC_OR_PARTITION: stale reference; OT_E_REQUEST_TIMED_OUT: the append lock is held;
 * OT_E_KAFKA_STORAGE_ERROR, OT_E_NO_SPACE ...: of the directory; no wish stands then.
 */
int move_wish_ask(PartitionRef ref, int dir, ErrInfo *err);

/* The copy as DescribeLogDirs shows it. */
typedef struct MoveFuture {
    int dir;            /* where it grows */
    int64_t bytes;      /* of its .log files */
    int64_t end_offset; /* 0: nothing was copied yet */
} MoveFuture;

/* False: the log is where it shall be. No lock: the numbers are those of a moment ago. */
bool move_wish_future(const PartitionSlot *slot, MoveFuture *ret);

/* ---- the worker ----------------------------------------------------------------------------------- */

/*
 * The wish cannot come true. ret_folder: the copy's folder, renamed to -delete, "": none. False: another wish stands
 * now, or none, and nothing was done.
 */
bool move_wish_drop(PartitionRef ref, PslotWish wish, char ret_folder[LIMIT_PATH_BYTES]);

/*
 * After a start: a -future folder of this partition in this directory. Becomes the wish if there is none, else is
 * renamed to -delete, unless it is that of the wish.
 */
void move_wish_take_up(PartitionRef ref, int dir, const char *folder);

#endif
