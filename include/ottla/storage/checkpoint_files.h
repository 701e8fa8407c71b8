/*
 * checkpoint_files.h - the small text files of a log directory and of a partition folder
 *
 * Kafka's formats (log.md 5.2): offset checkpoints ("topic partition offset" lines),
 * leader-epoch-checkpoint ("epoch start" lines), partition.metadata. Read as hostile input; written
 * as a whole to NAME.tmp and renamed.
 *
 * Runs in: controller (reads once after replay), checkpointer (writes), append lock holder (epochs,
 * partition.metadata).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_CHECKPOINT_FILES_H
#define OTTLA_STORAGE_CHECKPOINT_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/vfs.h"
#include "ottla/common/view.h"
#include "ottla/storage/epochs.h"

#define CHECKPOINT_RECOVERY_POINT "recovery-point-offset-checkpoint"
#define CHECKPOINT_HIGH_WATERMARK "replication-offset-checkpoint"
#define CHECKPOINT_LOG_START      "log-start-offset-checkpoint"
#define CHECKPOINT_PRODUCERLESS   "producerless-offset-checkpoint" /* no file of Kafka */
#define LEADER_EPOCH_FILE         "leader-epoch-checkpoint"
#define PARTITION_METADATA_FILE   "partition.metadata"

/* ---- offset checkpoints ------------------------------------------------------------------- */

typedef struct OffsetCheckpoint OffsetCheckpoint;

typedef struct OffsetCheckpointEntry {
    StrView topic;
    int32_t partition;
    int64_t offset;
} OffsetCheckpointEntry;

/*
 * Reads a whole file into a table for lookups; a missing or empty file gives an empty table.
 * OT_E_CORRUPT: not this format (the caller logs it and goes on with none, as Kafka does); OT_E_IO.
 */
int offset_checkpoint_load(const char *folder, const char *name, OffsetCheckpoint **ret,
                           ErrInfo *err);
void offset_checkpoint_free(OffsetCheckpoint *cp);

/* False: no entry (cp may be NULL). */
bool offset_checkpoint_find(const OffsetCheckpoint *cp, StrView topic, int32_t partition,
                            int64_t *ret_offset);
size_t offset_checkpoint_count(const OffsetCheckpoint *cp);

/* The entries in the order of topic and partition; false: no such index. The topic lives as long as cp. */
bool offset_checkpoint_at(const OffsetCheckpoint *cp, size_t index, OffsetCheckpointEntry *ret);

/*
 * Collects entries and writes the file: NAME.tmp, fsync, rename, fsync of the folder. Entries need
 * not be sorted; topic bytes are copied.
 */
typedef struct OffsetCheckpointWriter OffsetCheckpointWriter;
OffsetCheckpointWriter *offset_checkpoint_writer_new(void);
int offset_checkpoint_add(OffsetCheckpointWriter *w, const OffsetCheckpointEntry *entry);

/*
 * Says that what the file holds of this topic's partitions is of the topic with this id: a line "@ID 0 0",
 * which no topic's name can be. The id is written once when the partitions of a topic come one after the
 * other.
 */
int offset_checkpoint_add_id(OffsetCheckpointWriter *w, Uuid topic_id);
int offset_checkpoint_store(OffsetCheckpointWriter *w, const char *folder, const char *name,
                            ErrInfo *err);
void offset_checkpoint_writer_free(OffsetCheckpointWriter *w);

/* What the files of all log directories say about one partition. */
typedef struct CheckpointedOffsets {
    int64_t recovery_point;   /* 0: none */
    int64_t log_start_offset; /* 0: none (the first segment's base counts) */
    int64_t high_watermark;   /* 0: none */
    int64_t producerless_end; /* no producer is remembered below it; 0: not known */
    bool known;               /* some file named the partition */
    int other_dir;            /* one of another directory did, too; -1: none */
} CheckpointedOffsets;

/*
 * Loads the files of every log directory once (controller, right after replay; logs what it cannot
 * read and takes it as empty). checkpoints_get then answers per partition; checkpoints_free at the end.
 */
typedef struct LogDirCheckpoints LogDirCheckpoints;
LogDirCheckpoints *logdir_checkpoints_load(void);

/*
 * The entries of a deleted topic must not be taken for those of a new one of its name: they count when the
 * recovery point file, the last one written, names the id, or names none at all (Kafka's files).
 */
/*
 * A log that moved may be named by the files of several directories, with its id: each offset only ever grew, and
 * all below a recovery point is on the disk wherever the log was moved to, so the largest one counts.
 */
CheckpointedOffsets logdir_checkpoints_get(const LogDirCheckpoints *all, int dir, StrView topic,
                                           int32_t partition, Uuid topic_id);
void logdir_checkpoints_free(LogDirCheckpoints *all);

/* ---- leader-epoch-checkpoint ---------------------------------------------------------------- */

#define EPOCH_ENTRIES_MAX 65536 /* entries accepted from a file */

/*
 * Entries in file order into malloc'ed memory (*ret NULL when there are none; caller frees).
 * OT_E_CORRUPT: format, order. OT_E_NOT_FOUND: no such file.
 */
int epoch_file_load(const char *folder, EpochEntry **ret, int32_t *ret_count, ErrInfo *err);

/* Renamed into place without fsync (durable with the next commit; recovery completes it). */
int epoch_file_store(const char *folder, const EpochEntry *entries, int32_t count, ErrInfo *err);

/* ---- partition.metadata ------------------------------------------------------------------------ */

/* OT_E_NOT_FOUND: no such file; OT_E_CORRUPT. */
int partition_metadata_load(const char *folder, Uuid *ret_topic_id, ErrInfo *err);
int partition_metadata_store(const char *folder, Uuid topic_id, VfsDurability durability,
                             ErrInfo *err);

/* ---- folder names ------------------------------------------------------------------------------- */

#define PARTITION_DIR_NAME_MAX 272 /* "topic-2147483647" and the suffixes, with the zero */

typedef enum PartitionDirKind {
    PARTITION_DIR_NORMAL,
    PARTITION_DIR_DELETE, /* NAME.<32 hex>-delete */
    PARTITION_DIR_FUTURE,
    PARTITION_DIR_STRAY,
} PartitionDirKind;

void partition_dir_name(StrView topic, int32_t partition, char ret[PARTITION_DIR_NAME_MAX]);

/* Cut in the topic part to 255 bytes where needed (log.md 5.1). */
void partition_dir_name_suffixed(StrView topic, int32_t partition, PartitionDirKind kind,
                                 char ret[PARTITION_DIR_NAME_MAX]);

/* Of the copy that a move makes: its digits are the topic's id, so that everybody finds it. */
void partition_dir_future_name(StrView topic, int32_t partition, Uuid topic_id,
                               char ret[PARTITION_DIR_NAME_MAX]);

/* Is the -future name short enough, which is not cut? */
bool partition_dir_has_future(StrView topic, int32_t partition);

/* False: not the name of a partition folder. */
bool partition_dir_parse(const char *name, StrView *ret_topic, int32_t *ret_partition,
                         PartitionDirKind *ret_kind);

#endif
