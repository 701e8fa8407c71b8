/*
 * stat_groups.c - the views group_lag, groups and coordinator_shards
 *
 * Runs in: backend. Their rows come from the coordinator workers (stat_walk.c), as far as this node coordinates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/coordinator/lag.h"
#include "backend/stat_walk_int.h"
#include "ottla/coordinator/requests.h"
#include "ottla/ipc/node.h"

/* Negative: not known, null. */
static void
put_known(StatScan *scan, int32_t column, int64_t value)
{
    if (value >= 0)
        stat_integer(scan, column, value);
}

/* Null stays null. */
static void
put_text(StatScan *scan, int32_t column, StrView value)
{
    if (value.ptr != NULL)
        stat_text(scan, column, value);
}

/* Rows of the table from the cursor until the page is full. */
static int64_t
show(StatScan *scan, int64_t cursor, void (*put)(StatScan *scan, const StatTable *t, int32_t row))
{
    const StatTable *t = scan->work;
    int32_t row = (int32_t)cursor;

    for (; row < t->count && stat_look(scan); row++) {
        put(scan, t, row);
        stat_end(scan);
    }
    return stat_walk_cursor(t, row);
}

/* A filter on the group is the workers' to apply. */
static StrView
only_group(const StatScan *scan, int32_t column)
{
    return (scan->filtered >> column & 1) == 0 ? (StrView){NULL, 0} : scan->filters[column].text;
}

/* ---- group_lag ---------------------------------------------------------------------------------- */

enum {
    L_GROUP_ID,
    L_TOPIC,
    L_PARTITION,
    L_COMMITTED,
    L_END_OFFSET,
    L_LAG,
    L_LAG_BYTES,
    L_LAG_MS,
    L_START_OFFSET,
    L_BEHIND_START,
    L_MEMBER_ID,
    L_CLIENT_ID,
    L_HOST,
};

static const StatColumn lag_columns[] = {
    [L_GROUP_ID] = {"group_id", STAT_TEXT},
    [L_TOPIC] = {"topic", STAT_TEXT},
    [L_PARTITION] = {"partition", STAT_INTEGER},
    [L_COMMITTED] = {"committed", STAT_INTEGER},
    [L_END_OFFSET] = {"end_offset", STAT_INTEGER},
    [L_LAG] = {"lag", STAT_INTEGER},
    [L_LAG_BYTES] = {"lag_bytes", STAT_INTEGER},
    [L_LAG_MS] = {"lag_ms", STAT_INTEGER},
    [L_START_OFFSET] = {"start_offset", STAT_INTEGER},
    [L_BEHIND_START] = {"behind_start", STAT_BOOLEAN},
    [L_MEMBER_ID] = {"member_id", STAT_TEXT},
    [L_CLIENT_ID] = {"client_id", STAT_TEXT},
    [L_HOST] = {"host", STAT_TEXT},
};

static StatReady
prepare_lag(StatScan *scan, int64_t *cursor)
{
    StatWalkAsk ask = {.kind = STAT_WALK_LAG,
                       .costly = stat_wants(scan, L_LAG_BYTES) || stat_wants(scan, L_LAG_MS),
                       .only = only_group(scan, L_GROUP_ID)};

    return stat_walk_prepare(scan, &ask, cursor);
}

static void
put_lag(StatScan *scan, const StatTable *t, int32_t row)
{
    const LagRow *r = (const LagRow *)t->rows + row;

    stat_text(scan, L_GROUP_ID, r->group);
    stat_text(scan, L_TOPIC, r->topic);
    stat_integer(scan, L_PARTITION, r->partition);
    stat_integer(scan, L_COMMITTED, r->committed);
    put_known(scan, L_END_OFFSET, r->end);
    put_known(scan, L_LAG, r->records);
    put_known(scan, L_LAG_BYTES, r->bytes);
    put_known(scan, L_LAG_MS, r->ms);
    put_known(scan, L_START_OFFSET, r->start);
    if (r->start >= 0)
        stat_boolean(scan, L_BEHIND_START, r->behind_start);
    put_text(scan, L_MEMBER_ID, r->member_id);
    put_text(scan, L_CLIENT_ID, r->client_id);
    put_text(scan, L_HOST, r->client_host);
}

static int64_t
scan_lag(StatScan *scan, int64_t cursor)
{
    return show(scan, cursor, put_lag);
}

const StatView stat_group_lag_view = {.name = "group_lag",
                                      .columns = lag_columns,
                                      .column_count = sizeof lag_columns / sizeof lag_columns[0],
                                      .scan = scan_lag,
                                      .prepare = prepare_lag,
                                      .drop = stat_walk_drop};

/* ---- groups ------------------------------------------------------------------------------------- */

enum {
    G_GROUP_ID,
    G_TYPE,
    G_PROTOCOL_TYPE,
    G_PROTOCOL,
    G_STATE,
    G_COORDINATOR,
    G_MEMBERS,
    G_EPOCH,
    G_TOPICS,
    G_OFFSETS,
    G_TOTAL_LAG,
    G_IS_SIMPLE,
    G_MEMORY_BYTES,
};

static const StatColumn group_columns[] = {
    [G_GROUP_ID] = {"group_id", STAT_TEXT},
    [G_TYPE] = {"type", STAT_TEXT},
    [G_PROTOCOL_TYPE] = {"protocol_type", STAT_TEXT},
    [G_PROTOCOL] = {"protocol", STAT_TEXT},
    [G_STATE] = {"state", STAT_TEXT},
    [G_COORDINATOR] = {"coordinator", STAT_INTEGER},
    [G_MEMBERS] = {"members", STAT_INTEGER},
    [G_EPOCH] = {"epoch", STAT_INTEGER},
    [G_TOPICS] = {"topics", STAT_INTEGER},
    [G_OFFSETS] = {"offsets", STAT_INTEGER},
    [G_TOTAL_LAG] = {"total_lag", STAT_INTEGER},
    [G_IS_SIMPLE] = {"is_simple", STAT_BOOLEAN},
    [G_MEMORY_BYTES] = {"memory_bytes", STAT_INTEGER},
};

static StatReady
prepare_groups(StatScan *scan, int64_t *cursor)
{
    StatWalkAsk ask = {.kind = STAT_WALK_GROUPS,
                       .costly = stat_wants(scan, G_TOTAL_LAG),
                       .only = only_group(scan, G_GROUP_ID)};

    return stat_walk_prepare(scan, &ask, cursor);
}

static void
put_group(StatScan *scan, const StatTable *t, int32_t row)
{
    const GroupRow *r = (const GroupRow *)t->rows + row;

    stat_text(scan, G_GROUP_ID, r->group);
    stat_text(scan, G_TYPE, r->type);
    stat_text(scan, G_PROTOCOL_TYPE, r->protocol_type);
    stat_text(scan, G_PROTOCOL, r->protocol);
    stat_text(scan, G_STATE, r->state);
    stat_integer(scan, G_COORDINATOR, node_info.node_id);
    stat_integer(scan, G_MEMBERS, r->members);
    stat_integer(scan, G_EPOCH, r->epoch);
    stat_integer(scan, G_TOPICS, r->topics);
    stat_integer(scan, G_OFFSETS, r->offsets);
    if (t->ask.costly)
        stat_integer(scan, G_TOTAL_LAG, r->total_lag);
    stat_boolean(scan, G_IS_SIMPLE, r->is_simple);
    stat_integer(scan, G_MEMORY_BYTES, r->bytes);
}

static int64_t
scan_groups(StatScan *scan, int64_t cursor)
{
    return show(scan, cursor, put_group);
}

const StatView stat_groups_view = {.name = "groups",
                                   .columns = group_columns,
                                   .column_count = sizeof group_columns / sizeof group_columns[0],
                                   .scan = scan_groups,
                                   .prepare = prepare_groups,
                                   .drop = stat_walk_drop};

/* ---- coordinator_shards ----------------------------------------------------------------------------- */

enum {
    S_NODE_ID,
    S_WORKER,
    S_PARTITION,
    S_STATE,
    S_GROUPS,
    S_MEMBERS,
    S_OFFSETS,
    S_MEMORY_BYTES,
    S_LOAD_MS,
    S_LOADED_RECORDS,
};

static const StatColumn shard_columns[] = {
    [S_NODE_ID] = {"node_id", STAT_INTEGER},
    [S_WORKER] = {"worker", STAT_INTEGER},
    [S_PARTITION] = {"partition", STAT_INTEGER},
    [S_STATE] = {"state", STAT_TEXT},
    [S_GROUPS] = {"groups", STAT_INTEGER},
    [S_MEMBERS] = {"members", STAT_INTEGER},
    [S_OFFSETS] = {"offsets", STAT_INTEGER},
    [S_MEMORY_BYTES] = {"memory_bytes", STAT_INTEGER},
    [S_LOAD_MS] = {"load_ms", STAT_INTEGER},
    [S_LOADED_RECORDS] = {"loaded_records", STAT_INTEGER},
};

static StatReady
prepare_shards(StatScan *scan, int64_t *cursor)
{
    StatWalkAsk ask = {.kind = STAT_WALK_SHARDS};

    return stat_walk_prepare(scan, &ask, cursor);
}

static void
put_shard(StatScan *scan, const StatTable *t, int32_t row)
{
    const ShardRow *r = (const ShardRow *)t->rows + row;

    stat_integer(scan, S_NODE_ID, node_info.node_id);
    stat_integer(scan, S_WORKER, r->partition % coordinator_worker_count());
    stat_integer(scan, S_PARTITION, r->partition);
    stat_text(scan, S_STATE, r->state);
    stat_integer(scan, S_GROUPS, r->groups);
    stat_integer(scan, S_MEMBERS, r->members);
    stat_integer(scan, S_OFFSETS, r->offsets);
    stat_integer(scan, S_MEMORY_BYTES, r->bytes);
    if (r->load_us >= 0)
        stat_integer(scan, S_LOAD_MS, r->load_us / 1000);
    stat_integer(scan, S_LOADED_RECORDS, r->loaded_records);
}

static int64_t
scan_shards(StatScan *scan, int64_t cursor)
{
    return show(scan, cursor, put_shard);
}

const StatView stat_coordinator_shards_view = {.name = "coordinator_shards",
                                               .columns = shard_columns,
                                               .column_count =
                                                   sizeof shard_columns / sizeof shard_columns[0],
                                               .scan = scan_shards,
                                               .prepare = prepare_shards,
                                               .drop = stat_walk_drop};
