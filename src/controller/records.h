/*
 * records.h - records of the metadata log: encoding them, applying them to the image, writing the image as them
 *
 * Runs in: controller.
 *
 *   R1  a record that a Kafka replica could not replay is never made here (cluster.md 3.1)
 *   R2  what was read is kept, acted upon yet or not, and comes back in the next snapshot
 *   R3  an unknown record or version is an error before anything is changed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_RECORDS_H
#define OTTLA_CONTROLLER_RECORDS_H

#include "controller/image_int.h"
#include "ottla/common/arena.h"
#include "ottla/protocol/messages.h"
#include "ottla/protocol/msg_metadata_records.h"

/* ---- making records ---------------------------------------------------------------------------- */

/* Records of one decision: they go into one batch or nowhere. Lives in an arena. */
typedef struct RecordList {
    Arena *arena;
    BytesView *items; /* frame and body: the value of a log record */
    int32_t count;
    int32_t room;
    int64_t bytes;
    bool no_memory; /* sticky */
} RecordList;

void record_list_init(RecordList *list, Arena *arena);
void record_list_add(RecordList *list, const MessageDesc *desc, int16_t version, const void *msg);
void record_list_add_raw(RecordList *list, BytesView record);

/* Takes the records from count on back; for a part of a request that fails. */
void record_list_cut(RecordList *list, int32_t count);

/* A list of node ids as the codec's mutable pointer: writers only read it. */
static inline int32_t *
record_ids(const int32_t *list)
{
    union {
        const int32_t *in;
        int32_t *out;
    } same = {list};

    return same.out;
}

/* Versions of records by metadata.version (features.tsv). */
int16_t partition_record_version(int16_t metadata_version);
int16_t register_broker_record_version(int16_t metadata_version);

/* ---- what changed ------------------------------------------------------------------------------- */

typedef enum ChangeKind {
    CHANGE_PARTITION,      /* new or changed: topic_id, partition */
    CHANGE_TOPIC_GONE,     /* refs of its partitions */
    CHANGE_TOPIC_SETTINGS, /* of topic_id */
    CHANGE_NODE_SETTINGS,  /* of one node or all */
} ChangeKind;

typedef struct Change {
    ChangeKind kind;
    int32_t partition;
    int32_t ref_count;
    Uuid topic_id;
    PartitionRef *refs;
    uint64_t settings; /* CHANGE_TOPIC_GONE: its settings record */
} Change;

/* In the order of the records; in the arena of the turn. */
typedef struct ChangeList {
    Arena *arena;
    Change *items;
    int32_t count;
    int32_t room;
    bool no_memory;
} ChangeList;

void change_list_init(ChangeList *list, Arena *arena);

/* ---- applying ----------------------------------------------------------------------------------- */

/* Metadata transactions of the log (KIP-868). */
typedef struct ApplyState {
    bool in_transaction;
} ApplyState;

/*
 * Applies one data record. changes: NULL while a log is replayed. Memory of the decoded record comes
 * from scratch, which is not the arena of changes, and is given back.
 * OT_E_UNSUPPORTED_VERSION: unknown record or version [R3]. OT_E_CORRUPT: cannot be applied to this
 * image. OT_E_FULL, OT_E_NO_MEMORY. After any of them the generation is fit for image_abort() only.
 */
int record_apply(ImageWriter *w, ApplyState *state, BytesView record, Arena *scratch,
                 ChangeList *changes, ErrInfo *err) __attribute__((warn_unused_result));

/* Sets the level of kraft.version, which lies in a control record. */
int record_apply_kraft_version(ImageWriter *w, int16_t level) __attribute__((warn_unused_result));

/* ---- the image as records ------------------------------------------------------------------------- */

/* Called with each record in turn; another result than 0 ends the walk. */
typedef int (*RecordSink)(void *arg, BytesView record);

/*
 * The image as the data records of a snapshot, in Kafka's order (cluster.md 2.10). Each record's memory
 * comes from scratch and is given back behind it.
 */
int image_to_records(const Image *image, Arena *scratch, RecordSink sink, void *arg);

/* A partition as a record; lists are shared with p. */
void partition_to_record(const ImagePartition *p, Uuid topic_id, PartitionRecord *ret);

#endif
