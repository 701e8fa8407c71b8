/*
 * storage_kit.h - a region, a log directory and partitions for tests of the partition log
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_STORAGE_KIT_H
#define TEST_STORAGE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "ottla/common/arena.h"
#include "ottla/common/topic_settings.h"
#include "ottla/storage/plog.h"
#include "ottla/storage/plog_retention.h"
#include "storage/plog_int.h"

#define KIT_NOW_MS INT64_C(1700000000000)

/* The log directory of the test, and an arena that each test starts empty. */
extern char kit_dir[256];
extern Arena *kit_arena;

/* cmocka setup and teardown: fresh region and directory; everything removed. */
int kit_setup(void **state);
int kit_teardown(void **state);

/* Forgets all shared memory, keeps the files: as after a crash (clean false) or an ordered stop. */
void kit_restart(bool clean);

/* Settings that new partitions get; changed by tests before kit_partition. */
extern TopicSettings kit_settings;

/* Allocates a slot; leader, epoch 0, alone. Recovery point and log start as told. */
PartitionRef kit_partition(const char *topic, int32_t partition);
PartitionRef kit_partition_at(const char *topic, int32_t partition, int64_t recovery_point,
                              int64_t log_start);
void kit_set_epoch(PartitionRef ref, int32_t leader_epoch);

/* A batch to append. */
typedef struct KitBatch {
    int count;           /* records, default 1 */
    int value_bytes;     /* of each, default 10 */
    int64_t timestamp;   /* of the first; the next ones +1; 0: KIT_NOW_MS */
    int64_t producer_id; /* 0: none */
    int16_t epoch;
    int32_t sequence;
    int16_t attributes;
} KitBatch;

/* Builds it in kit_arena. */
void kit_batch(const KitBatch *what, Batch *ret);

/* Lock, append, unlock. now 0: KIT_NOW_MS. Returns the code. */
int kit_append_at(PartitionRef ref, const KitBatch *what, int64_t now_ms, PlogAppendResult *ret);
int kit_append(PartitionRef ref, const KitBatch *what, PlogAppendResult *ret);

/* Appends or fails the test; returns the base offset. */
int64_t kit_append_ok(PartitionRef ref, const KitBatch *what);

/* Appends, with a sequence that goes up, until the log has rolled; the snapshot, which nobody has written yet. */
PlogSnapshot *kit_roll(PartitionRef ref, KitBatch *what);

/* Where plog_bury says which folder it left. */
extern char kit_buried[LIMIT_PATH_BYTES];

/* Retention at KIT_NOW_MS or later; returns how many segments went. */
int32_t kit_retain(PartitionRef ref, int64_t now_ms);

PlogOffsets kit_offsets(PartitionRef ref);
PlogTuple kit_tuple(PartitionRef ref);

/* Reads from offset to LEO, checks every batch (checksum, offsets go on); returns the end. */
int64_t kit_verify(PartitionRef ref, int64_t from);

/* Path of a file in the partition's folder; static buffers, eight in turn. */
const char *kit_path(PartitionRef ref, const char *name);
const char *kit_segment(PartitionRef ref, int64_t base, const char *suffix);
int64_t kit_file_size(const char *path); /* -1: missing */
void kit_corrupt(const char *path, int64_t pos);
void kit_extend(const char *path, int64_t bytes, unsigned char with);

/* Zeroed memory shared with the children forked later; given back by nobody. */
void *kit_shared(size_t size);

/* Forks; the child runs main and _exits with its result. kit_wait gives the wait status. */
pid_t kit_fork(int (*main)(void *arg), void *arg);
int kit_wait(pid_t pid);

/* What a child of kit_fork is to do, and where it dies. */
typedef struct KitVictim {
    PartitionRef ref;
    const char *point; /* crashpoint; its first passage */
    KitBatch batch;
} KitVictim;

/* Appends in a child; true: it died at the point, false: it never came by there. */
bool kit_kill_appending(PartitionRef ref, const char *point, KitBatch batch);

/* The same batch from another process: 2 appended, 3 a repetition. */
int kit_retry(PartitionRef ref, KitBatch batch);

#endif
