/*
 * verify_int.h - what the checkers of one partition share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_INSPECT_VERIFY_INT_H
#define OTTLA_INSPECT_VERIFY_INT_H

#include "ottla/common/arena.h"
#include "ottla/common/limits.h"
#include "ottla/inspect/file_kind.h"
#include "ottla/inspect/log_walk.h"
#include "ottla/inspect/record_decode.h"
#include "ottla/inspect/verify.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/epochs.h"
#include "ottla/storage/producer_state.h"
#include "ottla/storage/segment_format.h"

typedef enum Severity { SEVERITY_NOTE, SEVERITY_DAMAGE } Severity;

/* Where something was found; -1: not at an offset, not at a position. */
typedef struct Place {
    const char *path;
    int64_t offset;
    int64_t position;
} Place;

/* FOLDER/NAME; it fits, because verify_dir_open() bounds the directory's path. Returns ret. */
const char *verify_join(char ret[LIMIT_PATH_BYTES], const char *folder, StrView name);

/* FOLDER/BASE.suffix */
const char *verify_segment_path(char ret[LIMIT_PATH_BYTES], const char *folder, int64_t base,
                                const char *suffix);

void verify_report(Verify *v, Severity severity, Place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

struct VerifyDir {
    Arena *arena;
    char path[LIMIT_PATH_BYTES];
    StrView *names;
    int32_t name_count;
    int32_t *folders; /* indexes into names: partition folders that are served */
    int32_t folder_count;
    bool clean; /* stopped in order: no tail may be torn */
    OffsetCheckpoint *recovery_points;
    OffsetCheckpoint *high_watermarks;
    OffsetCheckpoint *log_starts;
    OffsetCheckpoint *cleaned;
};

/* ---- producers ------------------------------------------------------------------------------------ */

typedef struct ProducerBook ProducerBook;

ProducerBook *producer_book_new(void);
void producer_book_free(ProducerBook *book);

/* NULL: unknown, or with make no memory. */
ProducerState *producer_book_find(ProducerBook *book, int64_t producer_id, bool make);

/* Smallest first offset of an open transaction; -1: none. */
int64_t producer_book_first_open(const ProducerBook *book);

/* ---- one partition -------------------------------------------------------------------------------- */

typedef struct PartitionCheck {
    Verify *v;
    const VerifyDir *dir;
    char folder[LIMIT_PATH_BYTES];
    StrView topic;
    int32_t partition;
    LogContent content;
    bool compacted;      /* offsets may be missing */
    int64_t first_base;  /* of the first segment; -1: none yet */
    int64_t next_offset; /* behind the last batch; -1: none yet */
    int32_t last_epoch;
    EpochEntry *epochs;
    int32_t epoch_count;
    ProducerBook *producers;
    int64_t *snapshots; /* end offsets of producer snapshots, ascending */
    int32_t snapshot_count;
    int32_t snapshot_next;
    Arena *arena;
} PartitionCheck;

/* One segment while it is walked. */
typedef struct SegmentCheck {
    PartitionCheck *p;
    char path[LIMIT_PATH_BYTES]; /* of the .log */
    int64_t base;
    bool last; /* the segment that is written to */
    int64_t max_timestamp;
    int64_t batches;
    BytesView index, time_index, txn_index; /* ptr NULL: no such file */
    int32_t index_at, time_at, txn_at;      /* bytes already compared */
    bool index_wrong, time_wrong;           /* reported once; repaired at the end */
    bool index_pending;                     /* the entry's position was met, its offset not yet */
} SegmentCheck;

int verify_segment(PartitionCheck *p, int64_t base, bool last, ErrInfo *err);

/* Index checks (verify_index.c): load, one batch, the end of the segment. */
int segment_indexes_load(SegmentCheck *s, ErrInfo *err);
void segment_indexes_batch(SegmentCheck *s, const WalkedBatch *batch);
void segment_indexes_abort(SegmentCheck *s, const TxnEntry *aborted);
void segment_indexes_end(SegmentCheck *s);

/* Makes .index and .timeindex anew from the batches (repair_index.c). */
int repair_indexes(SegmentCheck *s, ErrInfo *err);

/* Whole, every record readable by the tables (verify_metadata.c). */
int verify_metadata_snapshots(PartitionCheck *p, const StrView *names, int32_t count, ErrInfo *err);

/* Producer and epoch checks (verify_state.c). */
void check_epoch(SegmentCheck *s, const WalkedBatch *batch);
int check_snapshots_until(PartitionCheck *p, int64_t offset, ErrInfo *err);

#endif
