/*
 * stat_walk_take.c - from a page of the workers to rows: texts are copied, lag is found out
 *
 * Runs in: backend. What a partition holds is looked up by the image (pinned for the look alone) and read
 * from its log without any lock (storage/plog.h: plog_behind).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "ottla/coordinator/lag.h"
#include "backend/meta_int.h"
#include "backend/stat_walk_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/storage/plog.h"

/* Rows that the largest page may add. */
#define PAGE_ROWS_MAX (WALK_PAGE_GROUPS > WALK_PAGE_OFFSETS ? WALK_PAGE_GROUPS : WALK_PAGE_OFFSETS)

bool
stat_table_is_full(const StatTable *table)
{
    return table->count > WALK_ROWS_MAX - PAGE_ROWS_MAX;
}

/* A page on its way into the table. */
typedef struct Taking {
    StatTable *table;
    Arena *scratch;
    int64_t now_ms;
    bool failed;
} Taking;

static size_t
row_size(StatWalkKind kind)
{
    switch (kind) {
    case STAT_WALK_SHARDS:
        return sizeof(ShardRow);
    case STAT_WALK_GROUPS:
        return sizeof(GroupRow);
    case STAT_WALK_LAG:
        return sizeof(LagRow);
    }
    ot_unreachable();
}

/* A copy in the table; null stays null. */
static StrView
keep(Taking *t, StrView text)
{
    const char *copy = text.ptr == NULL ? NULL : arena_strdup(t->table->arena, text);

    t->failed |= text.ptr != NULL && copy == NULL;
    return (StrView){copy, copy == NULL ? 0 : text.len};
}

/* The next row, cleared; NULL: no room. Rows come in one piece, taken with the first. */
static void *
new_row(Taking *t)
{
    StatTable *table = t->table;
    size_t size = row_size(table->ask.kind);

    if (table->rows == NULL)
        table->rows = arena_calloc(table->arena, WALK_ROWS_MAX, size);
    if (table->rows == NULL || table->count >= WALK_ROWS_MAX) {
        t->failed = true;
        return NULL;
    }
    return (char *)table->rows + (size_t)table->count++ * size;
}

/* ---- lag ------------------------------------------------------------------------------------------ */

/* The log that an offset is about; false: none of this node, or the topic of that name is another one. */
static bool
find_log(StrView topic, const GroupWalkResponsePartition *in, PartitionRef *ret)
{
    ImagePin pin = image_pin();
    MetaPartition meta;
    bool found = pin.image != NULL && meta_find(pin.image, topic, in->partition, &meta) &&
                 meta.ref.slot != PSLOT_NONE;

    if (found && !uuid_is_zero(in->topic_id))
        found = uuid_equal(image_topic_id(image_topic_by_name(pin.image, topic)), in->topic_id);
    image_unpin(&pin);
    if (found)
        *ret = meta.ref;
    return found;
}

static void
find_lag(Taking *t, StrView topic, const GroupWalkResponsePartition *in, LagRow *row)
{
    PlogOffsets offsets;
    PlogBehind behind;
    PartitionRef ref;
    ArenaMark mark;
    Lag lag;

    row->partition = in->partition;
    row->committed = in->committed;
    row->start = row->end = row->records = row->bytes = row->ms = LAG_UNKNOWN;
    if (!find_log(topic, in, &ref) || plog_offsets(ref, &offsets, NULL) != 0)
        return;
    lag = lag_of(in->committed, offsets.log_start_offset, offsets.high_watermark);
    row->start = offsets.log_start_offset;
    row->end = offsets.high_watermark;
    row->records = lag.records;
    row->behind_start = lag.behind_start;
    if (!t->table->ask.costly || t->table->ask.kind != STAT_WALK_LAG || lag.records < 0)
        return;
    if (lag.records == 0) {
        row->bytes = row->ms = 0;
        return;
    }
    mark = arena_mark(t->scratch);
    if (plog_behind(ref, lag.from, t->scratch, &behind, NULL) == 0) {
        row->bytes = behind.bytes;
        row->ms = lag_ms(lag.records, behind.timestamp, t->now_ms);
    }
    arena_release(t->scratch, mark);
}

/* ---- rows ----------------------------------------------------------------------------------------- */

static void
take_owner(const GroupWalkResponseOwner *owners, int32_t count, int32_t owner, LagRow *row)
{
    if (owner < 0 || owner >= count)
        return;
    row->member_id = owners[owner].member_id;
    row->client_id = owners[owner].client_id;
    row->client_host = owners[owner].client_host;
}

static void
take_offsets(Taking *t, const GroupWalkResponseGroup *in)
{
    StrView group = keep(t, in->group_id);

    for (int32_t i = 0; i < in->owners_count; i++)
        in->owners[i] = (GroupWalkResponseOwner){.member_id = keep(t, in->owners[i].member_id),
                                                 .client_id = keep(t, in->owners[i].client_id),
                                                 .client_host = keep(t, in->owners[i].client_host)};
    for (int32_t i = 0; i < in->topics_count; i++) {
        const GroupWalkResponseTopic *topic = &in->topics[i];
        StrView name = keep(t, topic->name);

        for (int32_t p = 0; p < topic->partitions_count && !t->failed; p++) {
            LagRow *row = new_row(t);

            if (row == NULL)
                return;
            row->group = group;
            row->topic = name;
            take_owner(in->owners, in->owners_count, topic->partitions[p].owner, row);
            find_lag(t, name, &topic->partitions[p], row);
        }
    }
}

static void
add_total(Taking *t, const GroupWalkResponseGroup *in, GroupRow *row)
{
    for (int32_t i = 0; i < in->topics_count; i++)
        for (int32_t p = 0; p < in->topics[i].partitions_count; p++) {
            LagRow one = {0};

            find_lag(t, in->topics[i].name, &in->topics[i].partitions[p], &one);
            row->total_lag = lag_sum(row->total_lag, one.records);
        }
}

static void
take_group(Taking *t, const GroupWalkResponseGroup *in)
{
    GroupRow *row;

    if (in->continued && t->table->count > 0) { /* a table does not begin within a group */
        row = (GroupRow *)t->table->rows + t->table->count - 1;
        add_total(t, in, row);
        return;
    }
    row = new_row(t);
    if (row == NULL)
        return;
    *row = (GroupRow){.group = keep(t, in->group_id),
                      .type = keep(t, in->type),
                      .protocol_type = keep(t, in->protocol_type),
                      .protocol = keep(t, in->protocol),
                      .state = keep(t, in->state),
                      .bytes = in->bytes,
                      .members = in->members,
                      .epoch = in->epoch,
                      .topics = in->topic_count,
                      .offsets = in->offset_count,
                      .is_simple = in->is_simple};
    add_total(t, in, row);
}

static void
take_shard(Taking *t, const GroupWalkResponseShard *in)
{
    ShardRow *row = new_row(t);

    if (row != NULL)
        *row = (ShardRow){.state = keep(t, in->state),
                          .groups = in->groups,
                          .members = in->members,
                          .offsets = in->offsets,
                          .bytes = in->bytes,
                          .load_us = in->load_us,
                          .loaded_records = in->loaded_records,
                          .partition = in->partition};
}

bool
stat_table_take(StatTable *table, const GroupWalkResponse *page, Arena *scratch)
{
    Taking t = {.table = table, .scratch = scratch, .now_ms = clock_wall_ms()};

    for (int32_t i = 0; i < page->shards_count && !t.failed; i++)
        take_shard(&t, &page->shards[i]);
    for (int32_t i = 0; i < page->groups_count && !t.failed; i++) {
        if (table->ask.kind == STAT_WALK_LAG)
            take_offsets(&t, &page->groups[i]);
        else
            take_group(&t, &page->groups[i]);
    }
    return !t.failed;
}
