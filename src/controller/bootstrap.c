/*
 * bootstrap.c - the first records of a new cluster: those of bootstrap.checkpoint
 *
 * Whoever formatted the directory has chosen them: this node itself, ottla-initdb, or Kafka's own tool. Control records of the
 * file are ignored, as Kafka does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/bootstrap.h"

#include <stdio.h>

#include "controller/features.h"
#include "controller/metalog.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/record_frame.h"

#define TRANSACTION_METADATA_VERSION 13 /* the first that has them */
#define RECORDS_MAX                  10000

typedef struct Bootstrap {
    RecordList *list;
    int16_t metadata_version;
    bool elr;
} Bootstrap;

/* What a level in the file means for the rest; one that this version does not offer ends the start. */
static int
note_level(Bootstrap *b, const FeatureLevelRecord *record, ErrInfo *err)
{
    const FeatureRow *row = feature_find(record->name);

    if (row == NULL || record->feature_level < row->min || record->feature_level > row->max)
        return err_set(err, OT_E_UNSUPPORTED_VERSION,
                       "feature %.*s at level %d, which this version does not support",
                       (int)record->name.len, record->name.ptr, record->feature_level);
    if (strview_equal(record->name, STRVIEW("metadata.version")))
        b->metadata_version = record->feature_level;
    else if (strview_equal(record->name, STRVIEW("eligible.leader.replicas.version")))
        b->elr = record->feature_level > 0;
    return 0;
}

static int
take_record(Bootstrap *b, BytesView value, ErrInfo *err)
{
    Arena *arena = b->list->arena;
    uint8_t *copy = arena_alloc(arena, (size_t)value.len);
    FeatureLevelRecord record;
    const MessageDesc *desc;
    int16_t version;
    WireReader r;

    if (copy == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for records");
    if (b->list->count == RECORDS_MAX)
        return err_set(err, OT_E_LIMIT, "more than %d records", RECORDS_MAX);
    memcpy(copy, value.ptr, (size_t)value.len);
    record_list_add_raw(b->list, (BytesView){copy, value.len});
    wire_reader_init(&r, copy, (size_t)value.len, arena);
    desc = record_frame_read(&r, MESSAGE_METADATA, &version);
    if (desc == NULL)
        return err_set(err, OT_E_CORRUPT, "a record of an unknown kind");
    if (desc != &feature_level_record_desc)
        return 0;
    feature_level_record_init(&record);
    desc->read(&r, version, &record);
    return r.err != 0 ? err_set(err, OT_E_CORRUPT, "a feature level that cannot be read")
                      : note_level(b, &record, err);
}

static int
take_batch(void *arg, BytesView batch, bool from_snapshot, ErrInfo *err)
{
    Bootstrap *b = arg;
    RecordStatus status = RECORD_OK;
    RecordIter *iter;
    Record record;
    int rc = 0;

    (void)from_snapshot; /* it is one */
    if (batch_is_control(batch.ptr))
        return 0;
    iter = record_iter_open(batch, b->list->arena);
    if (iter == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to read a batch");
    while (rc == 0 && (status = record_iter_next(iter, &record)) == RECORD_OK)
        rc = take_record(b, record.value, err);
    if (rc == 0 && status != RECORD_END)
        rc =
            err_set(err, OT_E_CORRUPT, "a batch that cannot be read: %s", record_iter_reason(iter));
    record_iter_close(iter);
    return rc;
}

static void
add_min_insync(const Bootstrap *b, int32_t min_insync_replicas)
{
    ConfigRecord config;
    char value[16];

    snprintf(value, sizeof value, "%d", min_insync_replicas);
    config_record_init(&config);
    config.resource_type = IMAGE_CONFIG_BROKER;
    config.resource_name = STRVIEW("");
    config.name = STRVIEW("min.insync.replicas");
    config.value = strview_from(value);
    record_list_add(b->list, &config_record_desc, 0, &config);
}

/* The records of the file into their own list; without the file those of a fresh node. */
static int
read_file(const char *metadata_dir, Bootstrap *b, ErrInfo *err)
{
    const MetaReader reader = {take_batch, b};
    char path[LIMIT_PATH_BYTES];
    int rc;

    snprintf(path, sizeof path, "%s/bootstrap.checkpoint", metadata_dir);
    rc = metalog_read_checkpoint(path, &reader, err);
    if (rc == OT_E_NOT_FOUND) {
        features_bootstrap(NULL, b->list);
        b->metadata_version = feature_find(STRVIEW("metadata.version"))->fresh;
        b->elr = true;
        return 0;
    }
    if (rc == 0 && b->metadata_version == 0)
        rc = err_set(err, OT_E_CORRUPT, "no metadata.version");
    if (rc != 0)
        err_prefix(err, "%s", path);
    return rc;
}

int
bootstrap_records(const char *metadata_dir, int32_t min_insync_replicas, RecordList *ret,
                  ErrInfo *err)
{
    BeginTransactionRecord begin;
    EndTransactionRecord end;
    RecordList inner;
    Bootstrap b = {.list = &inner};
    bool transaction;
    int rc;

    record_list_init(&inner, ret->arena);
    rc = read_file(metadata_dir, &b, err);
    if (rc != 0)
        return rc;
    if (b.elr)
        add_min_insync(&b, min_insync_replicas);
    transaction = b.metadata_version >= TRANSACTION_METADATA_VERSION;
    if (transaction) {
        begin_transaction_record_init(&begin);
        begin.name = STRVIEW("Bootstrap records");
        record_list_add(ret, &begin_transaction_record_desc, 0, &begin);
    }
    for (int32_t i = 0; i < inner.count; i++)
        record_list_add_raw(ret, inner.items[i]);
    if (transaction) {
        end_transaction_record_init(&end);
        record_list_add(ret, &end_transaction_record_desc, 0, &end);
    }
    return inner.no_memory ? err_set(err, OT_E_NO_MEMORY, "no memory for records") : 0;
}
