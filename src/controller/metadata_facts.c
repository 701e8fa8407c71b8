/*
 * metadata_facts.c - what a metadata directory says at a glance
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/controller/metadata_facts.h"

#include "controller/features.h"
#include "controller/metalog.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/msg_metadata_records.h"
#include "ottla/protocol/record_frame.h"

typedef struct Walk {
    MetadataFacts *facts;
    Arena *arena;
} Walk;

/* Levels of features; all other records are passed over. */
static void
note_record(Walk *walk, BytesView value)
{
    FeatureLevelRecord record;
    const MessageDesc *desc;
    int16_t version;
    WireReader r;

    wire_reader_init(&r, value.ptr, (size_t)value.len, walk->arena);
    desc = record_frame_read(&r, MESSAGE_METADATA, &version);
    if (desc != &feature_level_record_desc)
        return;
    feature_level_record_init(&record);
    desc->read(&r, version, &record);
    for (int32_t i = 0; r.err == 0 && i < walk->facts->feature_count; i++)
        if (strview_equal(record.name, strview_from(walk->facts->features[i].name)))
            walk->facts->features[i].level = record.feature_level;
}

static int
walk_batch(void *arg, BytesView batch, bool from_snapshot, ErrInfo *err)
{
    Walk *walk = arg;
    ArenaMark mark = arena_mark(walk->arena);
    RecordStatus status = RECORD_OK;
    RecordIter *iter;
    Record record;
    int rc = 0;

    (void)from_snapshot; /* what comes later counts */
    if (batch_is_control(batch.ptr))
        return 0;
    iter = record_iter_open(batch, walk->arena);
    if (iter == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to read a batch");
    while ((status = record_iter_next(iter, &record)) == RECORD_OK)
        note_record(walk, record.value);
    if (status != RECORD_END)
        rc = err_set(err, OT_E_CORRUPT, "a batch of the metadata log cannot be read: %s",
                     record_iter_reason(iter));
    record_iter_close(iter);
    arena_release(walk->arena, mark);
    return rc;
}

int
metadata_facts_load(const char *metadata_dir, MetadataFacts *ret, ErrInfo *err)
{
    const MetaLogSettings unused = {0};
    MetadataFacts facts = {.snapshot_offset = -1, .feature_count = FEATURE_COUNT};
    Walk walk = {&facts, arena_new(256 * 1024, 0)};
    const MetaReader reader = {walk_batch, &walk};
    MetaLog log;
    int rc;

    if (walk.arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to read the metadata log");
    for (int i = 0; i < FEATURE_COUNT; i++)
        facts.features[i] = (MetadataFeature){feature_rows[i].name, -1};
    rc = metalog_open(&log, metadata_dir, &unused, err);
    if (rc == 0) {
        rc = metalog_replay(&log, &reader, err);
        facts.end_offset = log.end_offset;
        facts.epoch = log.last_epoch;
        facts.torn_bytes = log.cut_bytes;
        facts.snapshot_count = log.snapshot_count;
        if (log.snapshot_count > 0) {
            facts.snapshot_offset = log.snapshots[log.snapshot_count - 1].id.offset;
            facts.snapshot_epoch = log.snapshots[log.snapshot_count - 1].id.epoch;
        }
        metalog_close(&log);
    }
    arena_free(walk.arena);
    if (rc == 0)
        *ret = facts;
    return rc;
}
