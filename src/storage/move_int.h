/*
 * move_int.h - what asking, copying and switching share of a log that moves to another directory
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_MOVE_INT_H
#define OTTLA_STORAGE_MOVE_INT_H

#include "ottla/storage/move_plan.h"
#include "ottla/storage/move_wish.h"
#include "ottla/storage/plog_move.h"
#include "storage/plog_int.h"

/* A file of the segment that is being copied; descriptors -1: not open. */
typedef struct FilePair {
    int from;
    int to;
} FilePair;

struct PlogMove {
    PartitionRef ref;
    PslotWish wish;
    int from;
    int to;
    char folder[LIMIT_PATH_BYTES]; /* of the copy */
    MoveCursor at;
    bool shrunk; /* segments were dropped that the copy may hold */
    FilePair files[SEGMENT_FILE_COUNT];
    uint8_t *buffer;
    int tries; /* of the switch, that found too much was appended meanwhile */
};

/* ---- the wish (move_wish.c) ------------------------------------------------------------------------ */

void move_wish_folder(const PartitionSlot *slot, int dir, char ret[LIMIT_PATH_BYTES]);

/* A write in the target. What lacks space or descriptors ends the move, and harms nobody else. */
int move_target_failed(int dir, int code, ErrInfo *err);

/* To -delete, if it is there; names lock held. ret_path: its new name, "": it was not there. */
int move_folder_aside(const PartitionSlot *slot, int dir, const char *folder,
                      char ret_path[LIMIT_PATH_BYTES], ErrInfo *err);

/* The partition is deleted, and so is the copy that there may be; append lock held. */
void move_wish_bury(const PartitionSlot *slot);

/* ---- the copy (plog_move.c) ------------------------------------------------------------------------- */

int move_target_flush(const PlogMove *m, int fd, ErrInfo *err);

/* Where a file of the log lies in the copy. */
void move_future_path(const PlogMove *m, const char *source_path, char ret[LIMIT_PATH_BYTES]);

/* Bytes of .log files that the copy lacks of what t says. */
int64_t move_bytes_left(const PlogMove *m, const PartitionSlot *slot, const PlogTuple *t);

/* All of t, with the files that are empty; nothing is flushed that is not sealed. t holds still. */
int move_copy_rest(PlogMove *m, PartitionSlot *slot, const PlogTuple *t, ErrInfo *err);

/* What was copied and not yet sealed. */
int move_flush_files(PlogMove *m, ErrInfo *err);

/* Removes what the copy has of segments that the log lost at its start. */
int move_drop_below(const PlogMove *m, int64_t base, ErrInfo *err);

#endif
