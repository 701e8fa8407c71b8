/*
 * t_topics.c - topics, partitions, replicas
 *
 * The size of a partition is that of its leader's log; of one without leader the largest of its replicas. That of a
 * topic is the sum over its partitions, replicas not counted twice.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/strbuf.h"
#include "ottla/common/text.h"
#include "sql/cache_int.h"
#include "sql/tables_int.h"

#define BIT(column) (UINT64_C(1) << (column))

/* The partitions of some topics, for ListOffsets. NULL: no memory. */
static CachePart *
all_parts(SqlScan *scan, const CacheTopics *topics, int32_t *ret_count)
{
    int64_t size = 0;
    CachePart *parts;

    for (int32_t i = 0; i < topics->count; i++)
        size += topics->topics[i]->partition_count;
    parts = arena_calloc(scan->sql->arena, (size_t)size + 1, sizeof *parts);
    *ret_count = 0;
    for (int32_t i = 0; parts != NULL && i < topics->count; i++)
        for (int32_t p = 0; p < topics->topics[i]->partition_count; p++)
            parts[(*ret_count)++] =
                (CachePart){topics->topics[i], &topics->topics[i]->partitions[p]};
    return parts;
}

/* -1: not known. */
static int64_t
partition_bytes(Sql *sql, const CacheTopic *topic, const CachePartition *p)
{
    int64_t largest =
        p->leader < 0 ? -1 : cache_replica_bytes(sql, topic->name, p->partition, p->leader);

    if (largest >= 0)
        return largest;
    for (int32_t i = 0; i < p->replica_count; i++) {
        int64_t bytes = cache_replica_bytes(sql, topic->name, p->partition, p->replicas[i]);

        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

static void
set_known(const SqlScan *scan, SqlValue *row, int32_t column, int64_t value)
{
    if (value >= 0)
        row_int(scan, row, column, value);
}

/* ---- topics ---- */

enum {
    TOPIC_TOPIC,
    TOPIC_ID,
    TOPIC_INTERNAL,
    TOPIC_PARTITIONS,
    TOPIC_FACTOR,
    TOPIC_MIN_ISR,
    TOPIC_LEADERLESS,
    TOPIC_UNDER_REPLICATED,
    TOPIC_SIZE,
    TOPIC_RECORDS,
    TOPIC_CLEANUP,
    TOPIC_RETENTION_MS,
    TOPIC_RETENTION_BYTES,
    TOPIC_SEGMENT_BYTES,
    TOPIC_OVERRIDES
};

static const SqlColumnDef topic_columns[] = {
    [TOPIC_TOPIC] = {"topic", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [TOPIC_ID] = {"topic_id", SQL_DECL_TEXT, 0},
    [TOPIC_INTERNAL] = {"internal", SQL_DECL_BOOLEAN, 0},
    [TOPIC_PARTITIONS] = {"partitions", SQL_DECL_INTEGER, 0},
    [TOPIC_FACTOR] = {"replication_factor", SQL_DECL_INTEGER, 0},
    [TOPIC_MIN_ISR] = {"min_isr", SQL_DECL_INTEGER, 0},
    [TOPIC_LEADERLESS] = {"leaderless", SQL_DECL_INTEGER, 0},
    [TOPIC_UNDER_REPLICATED] = {"under_replicated", SQL_DECL_INTEGER, 0},
    [TOPIC_SIZE] = {"size_bytes", SQL_DECL_BYTES, 0},
    [TOPIC_RECORDS] = {"records_estimate", SQL_DECL_INTEGER, 0},
    [TOPIC_CLEANUP] = {"cleanup_policy", SQL_DECL_TEXT, 0},
    [TOPIC_RETENTION_MS] = {"retention_ms", SQL_DECL_MILLIS, 0},
    [TOPIC_RETENTION_BYTES] = {"retention_bytes", SQL_DECL_BYTES, 0},
    [TOPIC_SEGMENT_BYTES] = {"segment_bytes", SQL_DECL_BYTES, 0},
    [TOPIC_OVERRIDES] = {"overrides", SQL_DECL_JSON, 0},
};

#define TOPIC_CONFIG_COLUMNS                                             \
    (BIT(TOPIC_MIN_ISR) | BIT(TOPIC_CLEANUP) | BIT(TOPIC_RETENTION_MS) | \
     BIT(TOPIC_RETENTION_BYTES) | BIT(TOPIC_SEGMENT_BYTES) | BIT(TOPIC_OVERRIDES))

static const SqlCallDef topic_calls[] = {{"Metadata", 0},
                                         {"DescribeConfigs", TOPIC_CONFIG_COLUMNS},
                                         {"DescribeLogDirs", BIT(TOPIC_SIZE)},
                                         {"ListOffsets", BIT(TOPIC_RECORDS)}};

static void
set_config(const SqlScan *scan, SqlValue *row, int32_t column, const CacheTopic *topic,
           const char *name)
{
    const DescribeConfigsResponseResourceResult *config = cache_topic_config(topic, name);
    int64_t number;

    if (config == NULL || config->value.ptr == NULL)
        return;
    if (column == TOPIC_CLEANUP)
        row_text(scan, row, column, config->value);
    else if (text_to_int64(config->value, &number))
        row_int(scan, row, column, number);
}

/* What was set for the topic itself, as an object. */
static void
set_overrides(SqlScan *scan, SqlValue *row, const CacheTopic *topic)
{
    StrBuf text;
    bool first = true;

    if (topic->configs == NULL || !scan_uses(scan, TOPIC_OVERRIDES))
        return;
    strbuf_init(&text, 1 << 20, scan->arena);
    strbuf_add_char(&text, '{');
    for (int32_t i = 0; i < topic->configs->configs_count; i++) {
        const DescribeConfigsResponseResourceResult *config = &topic->configs->configs[i];

        if (config->config_source != CONFIG_SOURCE_TOPIC)
            continue;
        strbuf_add_cstr(&text, first ? "" : ",");
        strbuf_add_json(&text, config->name);
        strbuf_add_char(&text, ':');
        strbuf_add_json(&text, config->value);
        first = false;
    }
    strbuf_add_char(&text, '}');
    if (strbuf_failed(&text))
        scan->no_memory = true;
    else
        row_text(scan, row, TOPIC_OVERRIDES, strbuf_view(&text));
}

/* What is summed over the partitions. */
static void
set_sums(SqlScan *scan, SqlValue *row, const CacheTopic *topic)
{
    int32_t factor = 0;
    int64_t leaderless = 0, under = 0, bytes = 0, records = 0;
    bool bytes_known = true, records_known = true;

    for (int32_t i = 0; i < topic->partition_count; i++) {
        const CachePartition *p = &topic->partitions[i];
        int64_t size = scan_uses(scan, TOPIC_SIZE) ? partition_bytes(scan->sql, topic, p) : 0;
        int64_t start = p->offsets[CACHE_OFFSET_START];
        int64_t end = p->offsets[CACHE_OFFSET_END];

        factor = p->replica_count > factor ? p->replica_count : factor;
        leaderless += p->leader < 0;
        under += p->isr_count < p->replica_count;
        bytes_known = bytes_known && size >= 0;
        bytes += size;
        records_known = records_known && start >= 0 && end >= 0;
        records += end - start;
    }
    row_int(scan, row, TOPIC_FACTOR, factor);
    row_int(scan, row, TOPIC_LEADERLESS, leaderless);
    row_int(scan, row, TOPIC_UNDER_REPLICATED, under);
    if (bytes_known)
        row_int(scan, row, TOPIC_SIZE, bytes);
    if (records_known)
        row_int(scan, row, TOPIC_RECORDS, records);
}

/* The calls that the used columns need. */
static int
ask_for_topics(SqlScan *scan, const CacheTopics *topics, Fault *f)
{
    CacheDirs *dirs;
    CachePart *parts;
    int32_t count;

    if ((scan->used & TOPIC_CONFIG_COLUMNS) != 0 && cache_topic_configs(scan->sql, topics, f) != 0)
        return -1;
    if (scan_uses(scan, TOPIC_SIZE) && cache_dirs(scan->sql, NULL, &dirs, &count, f) != 0)
        return -1;
    if (!scan_uses(scan, TOPIC_RECORDS))
        return 0;
    parts = all_parts(scan, topics, &count);
    if (parts == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    return cache_offsets(scan->sql, parts, count, CACHE_OFFSET_START, f) != 0 ||
                   cache_offsets(scan->sql, parts, count, CACHE_OFFSET_END, f) != 0
               ? -1
               : 0;
}

static int
scan_topics(SqlScan *scan, Fault *f)
{
    CacheTopics topics;

    if (cache_topics(scan->sql, scan_key(scan, TOPIC_TOPIC), &topics, f) != 0)
        return -1;
    if (topics.count > scan->limit)
        topics.count = (int32_t)scan->limit;
    if (ask_for_topics(scan, &topics, f) != 0)
        return -1;
    for (int32_t i = 0; i < topics.count; i++) {
        const CacheTopic *topic = topics.topics[i];
        SqlValue *row = scan_row(scan);

        if (row == NULL)
            break;
        row_text(scan, row, TOPIC_TOPIC, topic->name);
        row_uuid(scan, row, TOPIC_ID, topic->id);
        row_bool(scan, row, TOPIC_INTERNAL, topic->internal);
        row_int(scan, row, TOPIC_PARTITIONS, topic->partition_count);
        set_sums(scan, row, topic);
        set_config(scan, row, TOPIC_MIN_ISR, topic, "min.insync.replicas");
        set_config(scan, row, TOPIC_CLEANUP, topic, "cleanup.policy");
        set_config(scan, row, TOPIC_RETENTION_MS, topic, "retention.ms");
        set_config(scan, row, TOPIC_RETENTION_BYTES, topic, "retention.bytes");
        set_config(scan, row, TOPIC_SEGMENT_BYTES, topic, "segment.bytes");
        set_overrides(scan, row, topic);
    }
    return scan_end(scan, f);
}

const SqlTable table_topics = {.name = "topics",
                               .help = "topics, with sums over their partitions and main settings",
                               SQL_COLUMNS(topic_columns),
                               SQL_CALLS(topic_calls),
                               .rows_of = SQL_ROWS_TOPICS,
                               .scan = scan_topics};

/* ---- partitions ---- */

enum {
    PART_TOPIC,
    PART_PARTITION,
    PART_LEADER,
    PART_LEADER_EPOCH,
    PART_PREFERRED,
    PART_IS_PREFERRED,
    PART_REPLICAS,
    PART_ISR,
    PART_ELR,
    PART_LAST_KNOWN_ELR,
    PART_OFFLINE,
    PART_N_REPLICAS,
    PART_N_ISR,
    PART_UNDER_REPLICATED,
    PART_UNDER_MIN_ISR,
    PART_START,
    PART_END,
    PART_STABLE,
    PART_MAX_TIMESTAMP,
    PART_MAX_TIMESTAMP_MS,
    PART_SIZE
};

static const SqlColumnDef part_columns[] = {
    [PART_TOPIC] = {"topic", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [PART_PARTITION] = {"partition", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [PART_LEADER] = {"leader", SQL_DECL_INTEGER, 0},
    [PART_LEADER_EPOCH] = {"leader_epoch", SQL_DECL_INTEGER, 0},
    [PART_PREFERRED] = {"preferred_leader", SQL_DECL_INTEGER, 0},
    [PART_IS_PREFERRED] = {"is_preferred", SQL_DECL_BOOLEAN, 0},
    [PART_REPLICAS] = {"replicas", SQL_DECL_JSON, 0},
    [PART_ISR] = {"isr", SQL_DECL_JSON, 0},
    [PART_ELR] = {"elr", SQL_DECL_JSON, 0},
    [PART_LAST_KNOWN_ELR] = {"last_known_elr", SQL_DECL_JSON, 0},
    [PART_OFFLINE] = {"offline", SQL_DECL_JSON, 0},
    [PART_N_REPLICAS] = {"n_replicas", SQL_DECL_INTEGER, 0},
    [PART_N_ISR] = {"n_isr", SQL_DECL_INTEGER, 0},
    [PART_UNDER_REPLICATED] = {"under_replicated", SQL_DECL_BOOLEAN, 0},
    [PART_UNDER_MIN_ISR] = {"under_min_isr", SQL_DECL_BOOLEAN, 0},
    [PART_START] = {"start_offset", SQL_DECL_INTEGER, 0},
    [PART_END] = {"end_offset", SQL_DECL_INTEGER, 0},
    [PART_STABLE] = {"last_stable_offset", SQL_DECL_INTEGER, 0},
    [PART_MAX_TIMESTAMP] = {"max_timestamp", SQL_DECL_TIME, 0},
    [PART_MAX_TIMESTAMP_MS] = {"max_timestamp_ms", SQL_DECL_INTEGER, 0},
    [PART_SIZE] = {"size_bytes", SQL_DECL_BYTES, 0},
};

#define PART_OFFSET_COLUMNS                                                         \
    (BIT(PART_START) | BIT(PART_END) | BIT(PART_STABLE) | BIT(PART_MAX_TIMESTAMP) | \
     BIT(PART_MAX_TIMESTAMP_MS))

static const SqlCallDef part_calls[] = {
    {"Metadata", 0},
    {"DescribeTopicPartitions", BIT(PART_ELR) | BIT(PART_LAST_KNOWN_ELR)},
    {"DescribeConfigs", BIT(PART_UNDER_MIN_ISR)},
    {"ListOffsets", PART_OFFSET_COLUMNS},
    {"DescribeLogDirs", BIT(PART_SIZE)}};

/* Partitions that the keys let through. NULL: no memory. */
static CachePart *
wanted_parts(SqlScan *scan, const CacheTopics *topics, int32_t topic_column, int32_t *ret_count)
{
    int32_t count;
    CachePart *parts = all_parts(scan, topics, &count);
    int32_t kept = 0;

    for (int32_t i = 0; parts != NULL && i < count && kept < scan->limit; i++)
        if (scan_admits_int(scan, topic_column + 1, parts[i].partition->partition))
            parts[kept++] = parts[i];
    *ret_count = kept;
    return parts;
}

static int
ask_for_offsets(SqlScan *scan, const CachePart *parts, int32_t count, Fault *f)
{
    static const struct {
        uint64_t columns;
        CacheOffset what;
    } needs[] = {
        {BIT(PART_START), CACHE_OFFSET_START},
        {BIT(PART_END), CACHE_OFFSET_END},
        {BIT(PART_STABLE), CACHE_OFFSET_STABLE},
        {BIT(PART_MAX_TIMESTAMP) | BIT(PART_MAX_TIMESTAMP_MS), CACHE_OFFSET_MAX_TIMESTAMP}};

    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if ((scan->used & needs[i].columns) != 0 &&
            cache_offsets(scan->sql, parts, count, needs[i].what, f) != 0)
            return -1;
    return 0;
}

static void
set_in_sync(SqlScan *scan, SqlValue *row, const CacheTopic *topic, const CachePartition *p)
{
    const DescribeConfigsResponseResourceResult *config =
        cache_topic_config(topic, "min.insync.replicas");
    int64_t min_isr;

    row_int(scan, row, PART_N_REPLICAS, p->replica_count);
    row_int(scan, row, PART_N_ISR, p->isr_count);
    row_bool(scan, row, PART_UNDER_REPLICATED, p->isr_count < p->replica_count);
    if (config != NULL && config->value.ptr != NULL && text_to_int64(config->value, &min_isr))
        row_bool(scan, row, PART_UNDER_MIN_ISR, p->isr_count < min_isr);
}

static void
set_partition(SqlScan *scan, SqlValue *row, const CacheTopic *topic, const CachePartition *p)
{
    row_text(scan, row, PART_TOPIC, topic->name);
    row_int(scan, row, PART_PARTITION, p->partition);
    if (p->leader >= 0)
        row_int(scan, row, PART_LEADER, p->leader);
    set_known(scan, row, PART_LEADER_EPOCH, p->leader_epoch);
    if (p->replica_count > 0) {
        row_int(scan, row, PART_PREFERRED, p->replicas[0]);
        row_bool(scan, row, PART_IS_PREFERRED, p->replicas[0] == p->leader);
    }
    row_ints_json(scan, row, PART_REPLICAS, p->replicas, p->replica_count);
    row_ints_json(scan, row, PART_ISR, p->isr, p->isr_count);
    row_ints_json(scan, row, PART_OFFLINE, p->offline, p->offline_count);
    if (p->elr_count >= 0)
        row_ints_json(scan, row, PART_ELR, p->elr, p->elr_count);
    if (p->last_known_elr_count >= 0)
        row_ints_json(scan, row, PART_LAST_KNOWN_ELR, p->last_known_elr, p->last_known_elr_count);
    set_in_sync(scan, row, topic, p);
    set_known(scan, row, PART_START, p->offsets[CACHE_OFFSET_START]);
    set_known(scan, row, PART_END, p->offsets[CACHE_OFFSET_END]);
    set_known(scan, row, PART_STABLE, p->offsets[CACHE_OFFSET_STABLE]);
    row_time(scan, row, PART_MAX_TIMESTAMP, p->offsets[CACHE_OFFSET_MAX_TIMESTAMP]);
    set_known(scan, row, PART_MAX_TIMESTAMP_MS, p->offsets[CACHE_OFFSET_MAX_TIMESTAMP]);
    if (scan_uses(scan, PART_SIZE))
        set_known(scan, row, PART_SIZE, partition_bytes(scan->sql, topic, p));
}

static int
scan_partitions(SqlScan *scan, Fault *f)
{
    CacheTopics topics;
    CachePart *parts;
    CacheDirs *dirs;
    int32_t count, dir_count;

    if (cache_topics(scan->sql, scan_key(scan, PART_TOPIC), &topics, f) != 0)
        return -1;
    if ((scan->used & (BIT(PART_ELR) | BIT(PART_LAST_KNOWN_ELR))) != 0 &&
        cache_elr(scan->sql, &topics, f) != 0)
        return -1;
    if (scan_uses(scan, PART_UNDER_MIN_ISR) && cache_topic_configs(scan->sql, &topics, f) != 0)
        return -1;
    if (scan_uses(scan, PART_SIZE) && cache_dirs(scan->sql, NULL, &dirs, &dir_count, f) != 0)
        return -1;
    parts = wanted_parts(scan, &topics, PART_TOPIC, &count);
    if (parts == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    if (ask_for_offsets(scan, parts, count, f) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        SqlValue *row = scan_row(scan);

        if (row == NULL)
            break;
        set_partition(scan, row, parts[i].topic, parts[i].partition);
    }
    return scan_end(scan, f);
}

const SqlTable table_partitions = {.name = "partitions",
                                   .help = "partitions: leader, replicas, offsets, size",
                                   SQL_COLUMNS(part_columns),
                                   SQL_CALLS(part_calls),
                                   .rows_of = SQL_ROWS_PARTITIONS,
                                   .scan = scan_partitions};

/* ---- offsets_at ---- */

enum { AT_TOPIC, AT_PARTITION, AT_OFFSET, AT_TIME };

static const SqlColumnDef at_columns[] = {
    [AT_TOPIC] = {"topic", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [AT_PARTITION] = {"partition", SQL_DECL_INTEGER, 0},
    [AT_OFFSET] = {"offset", SQL_DECL_INTEGER, 0},
    [AT_TIME] = {"at_time", SQL_DECL_TEXT,
                 SQL_COLUMN_KEY | SQL_COLUMN_HIDDEN | SQL_COLUMN_REQUIRED | SQL_COLUMN_ONE},
};

static const SqlCallDef at_calls[] = {{"Metadata", 0}, {"ListOffsets", 0}};

/* The time of the argument: what ts() takes, or a number of milliseconds. */
static int
take_argument(SqlScan *scan, int64_t *ret_ms, Fault *f)
{
    const SqlKey *key = scan_key(scan, AT_TIME);

    if (key != NULL && key->count == 1 && time_from_text(scan->sql, key->values[0].bytes, ret_ms) &&
        *ret_ms >= 0)
        return 0;
    if (key == NULL)
        fault_set(f, FAULT_SYNTAX, "offsets_at needs a point in time");
    else
        fault_set(f, FAULT_BAD_PARAMETER, "\"%.*s\" is no point in time", key->values[0].bytes.len,
                  key->values[0].bytes.ptr);
    fault_hint(f, "Write 2026-03-01T12:00:00, milliseconds since 1970, or -1h for an hour ago.");
    return -1;
}

static int
scan_offsets_at(SqlScan *scan, Fault *f)
{
    CacheTopics topics;
    CachePart *parts;
    int64_t *offsets;
    int64_t ms;
    int32_t count;

    if (take_argument(scan, &ms, f) != 0 ||
        cache_topics(scan->sql, scan_key(scan, AT_TOPIC), &topics, f) != 0)
        return -1;
    parts = all_parts(scan, &topics, &count);
    offsets = arena_calloc(scan->sql->arena, (size_t)count + 1, sizeof *offsets);
    if (parts == NULL || offsets == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    if (cache_offsets_at(scan->sql, parts, count, ms, offsets, f) != 0)
        return -1;
    for (int32_t i = 0; i < count; i++) {
        SqlValue *row = scan_row(scan);

        if (row == NULL)
            break;
        row_text(scan, row, AT_TOPIC, parts[i].topic->name);
        row_int(scan, row, AT_PARTITION, parts[i].partition->partition);
        set_known(scan, row, AT_OFFSET, offsets[i]);
        row_text(scan, row, AT_TIME, scan_key(scan, AT_TIME)->values[0].bytes);
    }
    return scan_end(scan, f);
}

const SqlTable table_offsets_at = {.name = "offsets_at",
                                   .help =
                                       "the first offsets at or after a time: offsets_at('-1h')",
                                   SQL_COLUMNS(at_columns),
                                   SQL_CALLS(at_calls),
                                   .rows_of = SQL_ROWS_PARTITIONS,
                                   .scan = scan_offsets_at};
