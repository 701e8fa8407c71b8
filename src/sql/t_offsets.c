/*
 * t_offsets.c - committed offsets, and how far they are behind the log
 *
 * Lag is what consumers would still be given: the end of the log for them, less the committed offset, or less the start
 * of the log where that came later. Partitions that a member has without an offset are there with a lag that is null.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/text.h"
#include "sql/cache_int.h"
#include "sql/lag_int.h"
#include "sql/tables_int.h"

#define BIT(column) (UINT64_C(1) << (column))

int64_t
partition_lag(const CachePartition *partition, int64_t committed)
{
    int64_t start, end, from;

    if (partition == NULL || committed < 0)
        return -1;
    start = partition->offsets[CACHE_OFFSET_START];
    end = partition->offsets[CACHE_OFFSET_END];
    from = start > committed ? start : committed;
    if (end < 0)
        return -1;
    return end > from ? end - from : 0;
}

static bool
admits_text(const SqlKey *key, StrView value)
{
    for (int32_t i = 0; key != NULL && i < key->count; i++)
        if (strview_equal(key->values[i].bytes, value))
            return true;
    return key == NULL;
}

static bool
admits_int(const SqlKey *key, int64_t value)
{
    for (int32_t i = 0; key != NULL && i < key->count; i++)
        if (key->values[i].integer == value)
            return true;
    return key == NULL;
}

/* Names of topics, each once. */
typedef struct NameSet {
    CacheMap seen;
    SqlValue *values;
    int32_t count;
    int32_t size;
} NameSet;

static bool
add_name(Arena *arena, NameSet *set, StrView name)
{
    if (name.len == 0 || cache_map_get(&set->seen, name) != NULL)
        return true;
    if (set->count == set->size) {
        int32_t size = set->size * 2 + 64;
        SqlValue *values = arena_calloc(arena, (size_t)size, sizeof *values);

        if (values == NULL)
            return false;
        if (set->count > 0)
            memcpy(values, set->values, (size_t)set->count * sizeof *values);
        set->values = values;
        set->size = size;
    }
    set->values[set->count] = (SqlValue){.type = SQL_TEXT, .bytes = name};
    return cache_map_put(&set->seen, arena, name, &set->values[set->count++]);
}

/* Partitions to ask about, each once: the pointer tells them apart. */
typedef struct PartSet {
    CachePart *parts;
    int32_t count;
    int32_t size;
} PartSet;

static bool
add_part(SqlScan *scan, PartSet *set, StrView topic, int32_t number)
{
    CachePartition *partition = cache_partition(scan->sql, topic, number);

    if (partition == NULL || partition->counted)
        return true;
    if (set->count == set->size) {
        int32_t size = set->size * 2 + 256;
        CachePart *parts = arena_calloc(scan->sql->arena, (size_t)size, sizeof *parts);

        if (parts == NULL)
            return false;
        if (set->count > 0)
            memcpy(parts, set->parts, (size_t)set->count * sizeof *parts);
        set->parts = parts;
        set->size = size;
    }
    partition->counted = true;
    set->parts[set->count++] = (CachePart){cache_topic(scan->sql, topic), partition};
    return true;
}

static bool
name_topics(SqlScan *scan, const CacheGroup *group, const SqlKey *topics, NameSet *set)
{
    for (int32_t i = 0; group->offsets != NULL && i < group->offsets->topics_count; i++)
        if (admits_text(topics, group->offsets->topics[i].name) &&
            !add_name(scan->sql->arena, set, group->offsets->topics[i].name))
            return false;
    for (int32_t m = 0; m < group->member_count; m++)
        for (int32_t a = 0; a < group->members[m].assigned_count; a++)
            if (admits_text(topics, group->members[m].assigned[a].topic) &&
                !add_name(scan->sql->arena, set, group->members[m].assigned[a].topic))
                return false;
    return true;
}

static bool
list_parts(SqlScan *scan, const CacheGroup *group, const SqlKey *topics, const SqlKey *partitions,
           PartSet *set)
{
    for (int32_t i = 0; group->offsets != NULL && i < group->offsets->topics_count; i++) {
        const OffsetFetchResponseGroupTopic *topic = &group->offsets->topics[i];

        for (int32_t p = 0; admits_text(topics, topic->name) && p < topic->partitions_count; p++)
            if (admits_int(partitions, topic->partitions[p].partition_index) &&
                !add_part(scan, set, topic->name, topic->partitions[p].partition_index))
                return false;
    }
    for (int32_t m = 0; m < group->member_count; m++) {
        for (int32_t a = 0; a < group->members[m].assigned_count; a++) {
            const CacheAssigned *assigned = &group->members[m].assigned[a];

            for (int32_t p = 0; admits_text(topics, assigned->topic) && p < assigned->count; p++)
                if (admits_int(partitions, assigned->partitions[p]) &&
                    !add_part(scan, set, assigned->topic, assigned->partitions[p]))
                    return false;
        }
    }
    return true;
}

static int
by_topic(const void *a, const void *b)
{
    const CachePart *x = a;
    const CachePart *y = b;

    if (x->topic != y->topic)
        return x->topic < y->topic ? -1 : 1;
    return x->partition->partition - y->partition->partition;
}

int
lag_ask_for_ends(SqlScan *scan, const CacheGroups *groups, const SqlKey *topics,
                 const SqlKey *partitions, Fault *f)
{
    NameSet names = {.count = 0};
    PartSet set = {.count = 0};
    CacheTopics ignored;
    SqlKey key = {.op = SQL_OP_EQ};
    bool fits = true;

    for (int32_t i = 0; fits && i < groups->count; i++)
        fits = name_topics(scan, groups->groups[i], topics, &names);
    key.values = names.values;
    key.count = names.count;
    if (fits && names.count > 0 && cache_topics(scan->sql, &key, &ignored, f) != 0)
        return -1;
    for (int32_t i = 0; fits && i < groups->count; i++)
        fits = list_parts(scan, groups->groups[i], topics, partitions, &set);
    for (int32_t i = 0; i < set.count; i++)
        set.parts[i].partition->counted = false;
    if (!fits)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    if (set.count > 0) /* parts of one topic stand together in a request */
        qsort(set.parts, (size_t)set.count, sizeof *set.parts, by_topic);
    if (cache_offsets(scan->sql, set.parts, set.count, CACHE_OFFSET_START, f) != 0)
        return -1;
    return cache_offsets(scan->sql, set.parts, set.count, CACHE_OFFSET_END, f);
}

/* ---- group_offsets ---- */

enum {
    OFF_GROUP,
    OFF_TOPIC,
    OFF_PARTITION,
    OFF_COMMITTED,
    OFF_LEADER_EPOCH,
    OFF_METADATA,
    OFF_PENDING
};

static const SqlColumnDef off_columns[] = {
    [OFF_GROUP] = {"group_id", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [OFF_TOPIC] = {"topic", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [OFF_PARTITION] = {"partition", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [OFF_COMMITTED] = {"committed", SQL_DECL_INTEGER, 0},
    [OFF_LEADER_EPOCH] = {"leader_epoch", SQL_DECL_INTEGER, 0},
    [OFF_METADATA] = {"metadata", SQL_DECL_TEXT, 0},
    [OFF_PENDING] = {"pending_txn", SQL_DECL_BOOLEAN, 0},
};

static const SqlCallDef off_calls[] = {{"ListGroups", 0}, {"OffsetFetch", 0}};

static int
scan_group_offsets(SqlScan *scan, Fault *f)
{
    CacheGroups groups;

    if (cache_groups(scan->sql, scan_key(scan, OFF_GROUP), false, &groups, f) != 0 ||
        cache_group_offsets(scan->sql, &groups, f) != 0)
        return -1;
    for (int32_t g = 0; g < groups.count; g++) {
        const CacheGroup *group = groups.groups[g];

        for (int32_t i = 0; group->offsets != NULL && i < group->offsets->topics_count; i++) {
            const OffsetFetchResponseGroupTopic *topic = &group->offsets->topics[i];

            for (int32_t p = 0; p < topic->partitions_count; p++) {
                const OffsetFetchResponseGroupPartition *offset = &topic->partitions[p];
                SqlValue *row;

                if (!scan_admits(scan, OFF_TOPIC, topic->name) ||
                    !scan_admits_int(scan, OFF_PARTITION, offset->partition_index))
                    continue;
                row = scan_row(scan);
                if (row == NULL)
                    return scan_end(scan, f);
                row_text(scan, row, OFF_GROUP, group->group_id);
                row_text(scan, row, OFF_TOPIC, topic->name);
                row_int(scan, row, OFF_PARTITION, offset->partition_index);
                if (offset->committed_offset >= 0)
                    row_int(scan, row, OFF_COMMITTED, offset->committed_offset);
                if (offset->committed_leader_epoch >= 0)
                    row_int(scan, row, OFF_LEADER_EPOCH, offset->committed_leader_epoch);
                row_text(scan, row, OFF_METADATA, offset->metadata);
                row_bool(scan, row, OFF_PENDING, offset->error_code != 0);
            }
        }
    }
    return scan_end(scan, f);
}

const SqlTable table_group_offsets = {.name = "group_offsets",
                                      .help = "offsets that groups have committed",
                                      SQL_COLUMNS(off_columns),
                                      SQL_CALLS(off_calls),
                                      .rows_of = SQL_ROWS_GROUPS,
                                      .rows_guess = 20,
                                      .scan = scan_group_offsets};

/* ---- group_lag ---- */

enum {
    LAG_GROUP,
    LAG_TOPIC,
    LAG_PARTITION,
    LAG_COMMITTED,
    LAG_END,
    LAG_LAG,
    LAG_MS,
    LAG_START,
    LAG_BEHIND_START,
    LAG_MEMBER,
    LAG_CLIENT,
    LAG_HOST
};

static const SqlColumnDef lag_columns[] = {
    [LAG_GROUP] = {"group_id", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [LAG_TOPIC] = {"topic", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [LAG_PARTITION] = {"partition", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [LAG_COMMITTED] = {"committed", SQL_DECL_INTEGER, 0},
    [LAG_END] = {"end_offset", SQL_DECL_INTEGER, 0},
    [LAG_LAG] = {"lag", SQL_DECL_INTEGER, 0},
    [LAG_MS] = {"lag_ms", SQL_DECL_MILLIS, 0},
    [LAG_START] = {"start_offset", SQL_DECL_INTEGER, 0},
    [LAG_BEHIND_START] = {"behind_start", SQL_DECL_BOOLEAN, 0},
    [LAG_MEMBER] = {"member_id", SQL_DECL_TEXT, 0},
    [LAG_CLIENT] = {"client_id", SQL_DECL_TEXT, 0},
    [LAG_HOST] = {"host", SQL_DECL_TEXT, 0},
};

static const SqlCallDef lag_calls[] = {
    {"ListGroups", 0}, {"DescribeGroups", 0}, {"ConsumerGroupDescribe", 0}, {"OffsetFetch", 0},
    {"Metadata", 0},   {"ListOffsets", 0},    {"OttlaStat", BIT(LAG_MS)}};

/* How old the first record is that was not consumed, as the nodes say: "group\0topic\0partition" to milliseconds. */
typedef struct LagTimes {
    SqlScan *scan;
    CacheMap map;
    bool failed;
} LagTimes;

static StrView
time_key(Arena *arena, StrView group, StrView topic, int64_t partition)
{
    size_t size = (size_t)group.len + (size_t)topic.len + 24;
    char *text = arena_alloc(arena, size);
    int len;

    if (text == NULL)
        return (StrView){NULL, 0};
    /* The length in front keeps names with blanks apart. */
    len = snprintf(text, size, "%d %.*s%.*s %lld", (int)group.len, group.len, group.ptr, topic.len,
                   topic.ptr, (long long)partition);
    return (StrView){text, len < (int)size ? len : (int32_t)size - 1};
}

static int
take_time(void *arg, const ClientStatCell *cells, int32_t count)
{
    LagTimes *times = arg;
    Arena *arena = times->scan->sql->arena;
    int64_t *ms = arena_alloc(arena, sizeof *ms);
    StrView key;

    if (count < 4 || cells[3].null)
        return 0;
    key = time_key(arena, cells[0].text, cells[1].text, cells[2].number);
    if (ms == NULL || key.ptr == NULL || !cache_map_put(&times->map, arena, key, ms)) {
        times->failed = true;
        return 1;
    }
    *ms = cells[3].number;
    return 0;
}

/* Nothing where the server is not Ottla: lag_ms is null then. */
static int
ask_for_times(SqlScan *scan, const CacheGroups *groups, LagTimes *ret, Fault *f)
{
    static const char *const columns[] = {"group_id", "topic", "partition", "lag_ms"};
    Client *client = sql_client(scan->sql, f);
    const SqlKey *ids = scan_key(scan, LAG_GROUP);
    ClientStatFilter filter = {.column = "group_id"};
    ClientStatQuery query = {.view = "group_lag", .columns = columns, .column_count = 4};
    const DescribeClusterResponse *cluster;

    *ret = (LagTimes){.scan = scan};
    if (client == NULL)
        return -1;
    if (!client_info(client)->is_ottla)
        return 0;
    if (ids != NULL && ids->count == 1 && groups->count == 1) {
        filter.value = ids->values[0].bytes;
        query.filters = &filter;
        query.filter_count = 1;
        if (client_stat(client, groups->groups[0]->coordinator, &query, take_time, ret, f) != 0)
            return -1;
    } else {
        if (cache_cluster(scan->sql, &cluster, f) != 0)
            return -1;
        for (int32_t i = 0; !ret->failed && i < cluster->brokers_count; i++)
            if (!cluster->brokers[i].is_fenced &&
                client_stat(client, cluster->brokers[i].broker_id, &query, take_time, ret, f) != 0)
                return -1;
    }
    return ret->failed ? fault_set(f, FAULT_NO_MEMORY, "out of memory") : 0;
}

/* The member that has the partition; NULL: nobody. For topics that are gone: others are marked. */
static const CacheMember *
owner_of(const CacheGroup *group, StrView topic, int32_t partition)
{
    for (int32_t m = 0; m < group->member_count; m++)
        for (int32_t a = 0; a < group->members[m].assigned_count; a++) {
            const CacheAssigned *assigned = &group->members[m].assigned[a];

            for (int32_t p = 0; p < assigned->count; p++)
                if (assigned->partitions[p] == partition && strview_equal(assigned->topic, topic))
                    return &group->members[m];
        }
    return NULL;
}

/* committed -1: there is no offset. */
static void
add_lag(SqlScan *scan, const CacheGroup *group, StrView topic, int32_t number, int64_t committed,
        const CacheMember *owner, const LagTimes *times)
{
    const CachePartition *partition = cache_partition(scan->sql, topic, number);
    int64_t lag = partition_lag(partition, committed);
    SqlValue *row;

    if (!scan_admits(scan, LAG_TOPIC, topic) || !scan_admits_int(scan, LAG_PARTITION, number))
        return;
    row = scan_row(scan);
    if (row == NULL)
        return;
    row_text(scan, row, LAG_GROUP, group->group_id);
    row_text(scan, row, LAG_TOPIC, topic);
    row_int(scan, row, LAG_PARTITION, number);
    if (committed >= 0)
        row_int(scan, row, LAG_COMMITTED, committed);
    if (lag >= 0)
        row_int(scan, row, LAG_LAG, lag);
    if (partition != NULL && partition->offsets[CACHE_OFFSET_END] >= 0)
        row_int(scan, row, LAG_END, partition->offsets[CACHE_OFFSET_END]);
    if (partition != NULL && partition->offsets[CACHE_OFFSET_START] >= 0) {
        row_int(scan, row, LAG_START, partition->offsets[CACHE_OFFSET_START]);
        if (committed >= 0)
            row_bool(scan, row, LAG_BEHIND_START,
                     committed < partition->offsets[CACHE_OFFSET_START]);
    }
    if (scan_uses(scan, LAG_MS) && times->map.size > 0) {
        StrView key = time_key(scan->sql->arena, group->group_id, topic, number);
        const int64_t *ms = key.ptr == NULL ? NULL : cache_map_get(&times->map, key);

        if (ms != NULL)
            row_int(scan, row, LAG_MS, *ms);
    }
    if (owner != NULL) {
        row_text(scan, row, LAG_MEMBER, owner->member_id);
        row_text(scan, row, LAG_CLIENT, owner->client_id);
        row_text(scan, row, LAG_HOST, owner->host);
    }
}

static bool
has_offset(const CacheGroup *group, StrView topic, int32_t partition)
{
    for (int32_t i = 0; group->offsets != NULL && i < group->offsets->topics_count; i++) {
        const OffsetFetchResponseGroupTopic *t = &group->offsets->topics[i];

        if (!strview_equal(t->name, topic))
            continue;
        for (int32_t p = 0; p < t->partitions_count; p++)
            if (t->partitions[p].partition_index == partition)
                return true;
    }
    return false;
}

/* Who has which partition, at the partitions themselves; NULL: nobody has any more. */
static void
mark_owners(SqlScan *scan, const CacheGroup *group, bool owned)
{
    for (int32_t m = 0; m < group->member_count; m++) {
        for (int32_t a = 0; a < group->members[m].assigned_count; a++) {
            const CacheAssigned *assigned = &group->members[m].assigned[a];

            for (int32_t p = 0; p < assigned->count; p++) {
                CachePartition *partition =
                    cache_partition(scan->sql, assigned->topic, assigned->partitions[p]);

                if (partition != NULL) {
                    partition->owner = owned ? &group->members[m] : NULL;
                    partition->counted = false;
                }
            }
        }
    }
}

/* Partitions with an offset; they are counted. */
static void
add_committed(SqlScan *scan, const CacheGroup *group, const LagTimes *times)
{
    for (int32_t i = 0; group->offsets != NULL && i < group->offsets->topics_count; i++) {
        const OffsetFetchResponseGroupTopic *topic = &group->offsets->topics[i];

        for (int32_t p = 0; p < topic->partitions_count; p++) {
            int32_t number = topic->partitions[p].partition_index;
            CachePartition *partition = cache_partition(scan->sql, topic->name, number);

            if (partition != NULL)
                partition->counted = partition->owner != NULL;
            add_lag(scan, group, topic->name, number, topic->partitions[p].committed_offset,
                    partition != NULL ? partition->owner : owner_of(group, topic->name, number),
                    times);
        }
    }
}

static void
add_group_lag(SqlScan *scan, const CacheGroup *group, const LagTimes *times)
{
    mark_owners(scan, group, true);
    add_committed(scan, group, times);
    for (int32_t m = 0; m < group->member_count; m++) {
        for (int32_t a = 0; a < group->members[m].assigned_count; a++) {
            const CacheAssigned *assigned = &group->members[m].assigned[a];

            for (int32_t p = 0; p < assigned->count; p++) {
                const CachePartition *partition =
                    cache_partition(scan->sql, assigned->topic, assigned->partitions[p]);

                if (partition != NULL
                        ? !partition->counted
                        : !has_offset(group, assigned->topic, assigned->partitions[p]))
                    add_lag(scan, group, assigned->topic, assigned->partitions[p], -1,
                            &group->members[m], times);
            }
        }
    }
    mark_owners(scan, group, false);
}

static int
scan_group_lag(SqlScan *scan, Fault *f)
{
    CacheGroups groups;
    LagTimes times = {.scan = scan};

    if (cache_groups(scan->sql, scan_key(scan, LAG_GROUP), true, &groups, f) != 0 ||
        cache_group_offsets(scan->sql, &groups, f) != 0 ||
        lag_ask_for_ends(scan, &groups, scan_key(scan, LAG_TOPIC), scan_key(scan, LAG_PARTITION),
                         f) != 0)
        return -1;
    if (scan_uses(scan, LAG_MS) && ask_for_times(scan, &groups, &times, f) != 0)
        return -1;
    for (int32_t g = 0; g < groups.count; g++)
        add_group_lag(scan, groups.groups[g], &times);
    return scan_end(scan, f);
}

const SqlTable table_group_lag = {.name = "group_lag",
                                  .help = "how far groups are behind, by partition",
                                  SQL_COLUMNS(lag_columns),
                                  SQL_CALLS(lag_calls),
                                  .rows_of = SQL_ROWS_GROUPS,
                                  .rows_guess = 20,
                                  .scan = scan_group_lag};
