/*
 * t_replicas.c - replicas, and reassignments that are under way
 *
 * What a broker knows of its own log comes from DescribeLogDirs; its lag there is that behind the leader's high watermark.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/client/consume.h"
#include "ottla/common/clock.h"
#include "sql/cache_int.h"
#include "sql/progress_int.h"
#include "sql/tables_int.h"

#define BIT(column) (UINT64_C(1) << (column))

static bool
is_in(const int32_t *ids, int32_t count, int32_t id)
{
    for (int32_t i = 0; i < count; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static const ListPartitionReassignmentsResponsePartition *
find_reassignment(const ListPartitionReassignmentsResponse *all, StrView topic, int32_t partition)
{
    for (int32_t i = 0; all != NULL && i < all->topics_count; i++) {
        if (!strview_equal(all->topics[i].name, topic))
            continue;
        for (int32_t j = 0; j < all->topics[i].partitions_count; j++)
            if (all->topics[i].partitions[j].partition_index == partition)
                return &all->topics[i].partitions[j];
    }
    return NULL;
}

/* ---- replicas ---- */

enum {
    REP_TOPIC,
    REP_PARTITION,
    REP_BROKER,
    REP_DIRECTORY,
    REP_IS_LEADER,
    REP_IN_ISR,
    REP_IS_FUTURE,
    REP_LOG_END,
    REP_LAG,
    REP_LAG_MS,
    REP_SIZE,
    REP_ADDING,
    REP_REMOVING
};

static const SqlColumnDef rep_columns[] = {
    [REP_TOPIC] = {"topic", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [REP_PARTITION] = {"partition", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [REP_BROKER] = {"broker_id", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [REP_DIRECTORY] = {"directory", SQL_DECL_TEXT, 0},
    [REP_IS_LEADER] = {"is_leader", SQL_DECL_BOOLEAN, 0},
    [REP_IN_ISR] = {"in_isr", SQL_DECL_BOOLEAN, 0},
    [REP_IS_FUTURE] = {"is_future", SQL_DECL_BOOLEAN, 0},
    [REP_LOG_END] = {"log_end_offset", SQL_DECL_INTEGER, 0},
    [REP_LAG] = {"lag_records", SQL_DECL_INTEGER, 0},
    [REP_LAG_MS] = {"lag_ms", SQL_DECL_MILLIS, 0},
    [REP_SIZE] = {"size_bytes", SQL_DECL_BYTES, 0},
    [REP_ADDING] = {"adding", SQL_DECL_BOOLEAN, 0},
    [REP_REMOVING] = {"removing", SQL_DECL_BOOLEAN, 0},
};

#define REP_ENDS   (BIT(REP_LOG_END) | BIT(REP_LAG_MS))
#define REP_MOVING (BIT(REP_ADDING) | BIT(REP_REMOVING))

static const SqlCallDef rep_calls[] = {{"Metadata", 0},
                                       {"DescribeLogDirs", 0},
                                       {"ListOffsets", REP_ENDS},
                                       {"Fetch", BIT(REP_LAG_MS)},
                                       {"ListPartitionReassignments", REP_MOVING}};

typedef struct RepScan {
    SqlScan *scan;
    const ListPartitionReassignmentsResponse *moving;
    bool interrupted; /* *f is filled */
    Fault *f;
} RepScan;

/* How old the record there is; false: it cannot be read. */
static bool
age_of(RepScan *r, const CacheTopic *topic, int32_t partition, int64_t offset, int64_t *ret)
{
    ClientScanOptions options = CLIENT_SCAN_DEFAULTS;
    ClientScan *scan = NULL;
    ClientRecord record;
    bool found = false;
    Fault ignored;

    options.topic = topic->name;
    options.partitions = &partition;
    options.partition_count = 1;
    options.offset_min = offset;
    options.limit = 1;
    options.partition_bytes = 1; /* one batch comes all the same */
    options.uncommitted = true;
    if (client_scan_open(*r->scan->sql->env->client, &options, &scan, &ignored) == 0) {
        int got = client_scan_next(scan, &record, &ignored);

        found = got == 1 && record.record.timestamp >= 0;
        if (found)
            *ret = clock_wall_ms() - record.record.timestamp;
        client_scan_close(scan);
        if (got >= 0)
            return found;
    }
    if (strcmp(ignored.sqlstate, FAULT_CANCELED) == 0) {
        *r->f = ignored;
        r->interrupted = true;
    }
    return false;
}

static void
set_lag_ms(RepScan *r, SqlValue *row, const CacheTopic *topic, const CachePartition *p, int64_t lag)
{
    int64_t end = p->offsets[CACHE_OFFSET_END];
    int64_t age = 0;

    if (!scan_uses(r->scan, REP_LAG_MS) || r->interrupted || lag < 0)
        return;
    if (lag == 0 || (lag <= end && age_of(r, topic, p->partition, end - lag, &age)))
        row_int(r->scan, row, REP_LAG_MS, age < 0 ? 0 : age);
}

static void
add_replica(RepScan *r, const CacheTopic *topic, const CachePartition *p, int32_t broker,
            const DescribeLogDirsResponseResult *dir, const DescribeLogDirsResponsePartition *log)
{
    SqlScan *scan = r->scan;
    SqlValue *row = scan_row(scan);
    const ListPartitionReassignmentsResponsePartition *moving =
        find_reassignment(r->moving, topic->name, p->partition);
    int64_t end = p->offsets[CACHE_OFFSET_END];

    if (row == NULL)
        return;
    row_text(scan, row, REP_TOPIC, topic->name);
    row_int(scan, row, REP_PARTITION, p->partition);
    row_int(scan, row, REP_BROKER, broker);
    row_bool(scan, row, REP_IS_LEADER, p->leader == broker);
    row_bool(scan, row, REP_IN_ISR, is_in(p->isr, p->isr_count, broker));
    row_bool(scan, row, REP_IS_FUTURE, log != NULL && log->is_future_key);
    if (dir != NULL)
        row_text(scan, row, REP_DIRECTORY, dir->log_dir);
    if (log != NULL) {
        row_int(scan, row, REP_LAG, log->offset_lag);
        set_lag_ms(r, row, topic, p, log->offset_lag);
        row_int(scan, row, REP_SIZE, log->partition_size);
        if (end >= 0 && !log->is_future_key && p->leader == broker)
            row_int(scan, row, REP_LOG_END, end);
        else if (end >= 0 && log->offset_lag <= end)
            row_int(scan, row, REP_LOG_END, end - log->offset_lag);
    }
    if (scan->used & REP_MOVING) {
        row_bool(scan, row, REP_ADDING,
                 moving != NULL &&
                     is_in(moving->adding_replicas, moving->adding_replicas_count, broker));
        row_bool(scan, row, REP_REMOVING,
                 moving != NULL &&
                     is_in(moving->removing_replicas, moving->removing_replicas_count, broker));
    }
}

static void
add_replicas(RepScan *r, const CacheTopic *topic, const CachePartition *p)
{
    for (int32_t i = 0; i < p->replica_count; i++) {
        const CacheLog *log;

        if (!scan_admits_int(r->scan, REP_BROKER, p->replicas[i]))
            continue;
        log = cache_logs(r->scan->sql, topic->name, p->partition, p->replicas[i]);
        if (log == NULL)
            add_replica(r, topic, p, p->replicas[i], NULL, NULL);
        for (; log != NULL; log = log->next)
            add_replica(r, topic, p, p->replicas[i], log->dir, log->log);
    }
}

static int
ask_for_ends(SqlScan *scan, const CacheTopics *topics, Fault *f)
{
    for (int32_t i = 0; i < topics->count; i++) {
        CacheTopic *topic = topics->topics[i];
        CachePart *parts =
            arena_calloc(scan->sql->arena, (size_t)topic->partition_count + 1, sizeof *parts);
        int32_t count = 0;

        if (parts == NULL)
            return fault_set(f, FAULT_NO_MEMORY, "out of memory");
        for (int32_t p = 0; p < topic->partition_count; p++)
            if (scan_admits_int(scan, REP_PARTITION, topic->partitions[p].partition))
                parts[count++] = (CachePart){topic, &topic->partitions[p]};
        if (cache_offsets(scan->sql, parts, count, CACHE_OFFSET_END, f) != 0)
            return -1;
    }
    return 0;
}

static int
scan_replicas(SqlScan *scan, Fault *f)
{
    RepScan r = {.scan = scan, .f = f};
    CacheTopics topics;
    CacheDirs *dirs;
    int32_t dir_count;

    if (cache_topics(scan->sql, scan_key(scan, REP_TOPIC), &topics, f) != 0 ||
        cache_dirs(scan->sql, scan_key(scan, REP_BROKER), &dirs, &dir_count, f) != 0)
        return -1;
    if ((scan->used & REP_ENDS) != 0 && ask_for_ends(scan, &topics, f) != 0)
        return -1;
    if ((scan->used & REP_MOVING) != 0 && cache_reassignments(scan->sql, &r.moving, f) != 0)
        return -1;
    for (int32_t i = 0; i < topics.count; i++)
        for (int32_t p = 0; p < topics.topics[i]->partition_count; p++)
            if (scan_admits_int(scan, REP_PARTITION, topics.topics[i]->partitions[p].partition))
                add_replicas(&r, topics.topics[i], &topics.topics[i]->partitions[p]);
    return r.interrupted ? -1 : scan_end(scan, f);
}

const SqlTable table_replicas = {.name = "replicas",
                                 .help = "replicas: where they lie, how far they are behind",
                                 SQL_COLUMNS(rep_columns),
                                 SQL_CALLS(rep_calls),
                                 .rows_of = SQL_ROWS_PARTITIONS,
                                 .rows_guess = 2,
                                 .scan = scan_replicas};

/* ---- reassignments ---- */

enum {
    MOVE_TOPIC,
    MOVE_PARTITION,
    MOVE_REPLICAS,
    MOVE_ADDING,
    MOVE_REMOVING,
    MOVE_DONE,
    MOVE_TOTAL,
    MOVE_ETA
};

static const SqlColumnDef move_columns[] = {
    [MOVE_TOPIC] = {"topic", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    [MOVE_PARTITION] = {"partition", SQL_DECL_INTEGER, SQL_COLUMN_KEY},
    [MOVE_REPLICAS] = {"replicas", SQL_DECL_JSON, 0},
    [MOVE_ADDING] = {"adding", SQL_DECL_JSON, 0},
    [MOVE_REMOVING] = {"removing", SQL_DECL_JSON, 0},
    [MOVE_DONE] = {"bytes_done", SQL_DECL_BYTES, 0},
    [MOVE_TOTAL] = {"bytes_total", SQL_DECL_BYTES, 0},
    [MOVE_ETA] = {"eta_ms", SQL_DECL_MILLIS, 0},
};

#define MOVE_BYTES (BIT(MOVE_DONE) | BIT(MOVE_TOTAL) | BIT(MOVE_ETA))

static const SqlCallDef move_calls[] = {
    {"ListPartitionReassignments", 0}, {"Metadata", MOVE_BYTES}, {"DescribeLogDirs", MOVE_BYTES}};

/* What the new replicas have of what the leader has. */
static void
set_progress(SqlScan *scan, SqlValue *row, StrView topic,
             const ListPartitionReassignmentsResponsePartition *moving)
{
    const CachePartition *p = cache_partition(scan->sql, topic, moving->partition_index);
    int64_t whole = p == NULL || p->leader < 0
                        ? -1
                        : cache_replica_bytes(scan->sql, topic, p->partition, p->leader);
    int64_t done = 0, left_ms;

    if (whole < 0 || whole > INT64_MAX / (moving->adding_replicas_count + 1))
        return;
    for (int32_t i = 0; i < moving->adding_replicas_count; i++) {
        int64_t bytes = cache_replica_bytes(scan->sql, topic, moving->partition_index,
                                            moving->adding_replicas[i]);

        done += bytes < 0 ? 0 : bytes < whole ? bytes : whole;
    }
    row_int(scan, row, MOVE_DONE, done);
    row_int(scan, row, MOVE_TOTAL, whole * moving->adding_replicas_count);
    left_ms =
        progress_look(&scan->sql->progress,
                      &(ProgressLook){topic, moving->partition_index, done,
                                      whole * moving->adding_replicas_count, clock_mono_ms()});
    if (left_ms >= 0)
        row_int(scan, row, MOVE_ETA, left_ms);
}

static void
forget_moves(Sql *sql)
{
    progress_free(sql->progress);
    sql->progress = NULL;
}

/* What was seen at another server says nothing here. */
static void
keep_to_server(Sql *sql)
{
    uint64_t session = client_info(*sql->env->client)->session;

    if (session != sql->progress_of)
        forget_moves(sql);
    sql->progress_of = session;
}

static int
scan_reassignments(SqlScan *scan, Fault *f)
{
    const ListPartitionReassignmentsResponse *all;
    CacheTopics topics;
    CacheDirs *dirs;
    int32_t dir_count;

    if (cache_reassignments(scan->sql, &all, f) != 0)
        return -1;
    keep_to_server(scan->sql);
    if ((scan->used & MOVE_BYTES) != 0 && all->topics_count > 0 &&
        (cache_topics(scan->sql, NULL, &topics, f) != 0 ||
         cache_dirs(scan->sql, NULL, &dirs, &dir_count, f) != 0))
        return -1;
    for (int32_t i = 0; i < all->topics_count; i++) {
        for (int32_t j = 0; j < all->topics[i].partitions_count; j++) {
            const ListPartitionReassignmentsResponsePartition *p = &all->topics[i].partitions[j];
            SqlValue *row = scan_row(scan);

            if (row == NULL)
                return scan_end(scan, f);
            row_text(scan, row, MOVE_TOPIC, all->topics[i].name);
            row_int(scan, row, MOVE_PARTITION, p->partition_index);
            row_ints_json(scan, row, MOVE_REPLICAS, p->replicas, p->replicas_count);
            row_ints_json(scan, row, MOVE_ADDING, p->adding_replicas, p->adding_replicas_count);
            row_ints_json(scan, row, MOVE_REMOVING, p->removing_replicas,
                          p->removing_replicas_count);
            if ((scan->used & MOVE_BYTES) != 0)
                set_progress(scan, row, all->topics[i].name, p);
        }
    }
    return scan_end(scan, f);
}

const SqlTable table_reassignments = {.name = "reassignments",
                                      .help = "partitions whose replicas are being moved",
                                      SQL_COLUMNS(move_columns),
                                      SQL_CALLS(move_calls),
                                      .scan = scan_reassignments,
                                      .forget = forget_moves};
