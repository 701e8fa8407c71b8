/*
 * snapshot.c - tables as they were when the statement began to look at them
 *
 * A table is read for the keys that a cursor asks for, and what was read is kept for the statement. A join opens the
 * inner table once per outer row: after a few readings for different keys the last key is left out, then the one before
 * it, and rows are found in the larger snapshot by a sorted index. So few rows cost few calls, and many rows no more
 * than the whole table.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/sql_int.h"

#include "ottla/common/hash.h"

#define FULL_READINGS  4  /* for all keys, when there are several, until the last one is left out */
#define LEVEL_READINGS 32 /* for fewer keys */
#define EXACT_READINGS 8  /* with ranges or a limit */
#define INDEX_FROM     16 /* rows from which on an index pays */

typedef struct HashedRow {
    uint64_t hash;
    int32_t row;
} HashedRow;

struct Snapshot {
    Snapshot *next;
    SqlScan scan;
    int32_t eq_count; /* scan.keys begins with them; others are bounds */
    bool limited;
    uint64_t index_keys; /* what the index is over: columns, 0: none */
    uint64_t *hashes;    /* sorted */
    int32_t *order;      /* row of each */
    int64_t *rowids;     /* NULL: nobody asked yet */
};

static bool
value_equal(const SqlValue *a, const SqlValue *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case SQL_INTEGER:
        return a->integer == b->integer;
    case SQL_TEXT:
    case SQL_BLOB:
        return strview_equal(a->bytes, b->bytes);
    case SQL_REAL:
        return !(a->real < b->real) && !(a->real > b->real);
    case SQL_NULL:
    case SQL_TYPE_COUNT:
        break;
    }
    return false;
}

static bool
key_equal(const SqlKey *a, const SqlKey *b)
{
    if (a->column != b->column || a->op != b->op || a->count != b->count)
        return false;
    for (int32_t i = 0; i < a->count; i++)
        if (!value_equal(&a->values[i], &b->values[i]))
            return false;
    return true;
}

/* Does the row fit a constraint? */
static bool
fits_key(const SqlScan *scan, const SqlValue *row, const SqlKey *key)
{
    int16_t slot = scan->slot_of[key->column];
    const SqlValue *value;

    if (slot < 0)
        return true; /* hidden arguments: the scan itself looked at them */
    value = &row[slot];
    if (key->op == SQL_OP_EQ) {
        for (int32_t i = 0; i < key->count; i++)
            if (value_equal(value, &key->values[i]))
                return true;
        return false;
    }
    if (key->count == 0)
        return false;
    if (value->type != SQL_INTEGER || key->values[0].type != SQL_INTEGER)
        return true;
    switch (key->op) {
    case SQL_OP_LT:
        return value->integer < key->values[0].integer;
    case SQL_OP_LE:
        return value->integer <= key->values[0].integer;
    case SQL_OP_GT:
        return value->integer > key->values[0].integer;
    case SQL_OP_GE:
        return value->integer >= key->values[0].integer;
    case SQL_OP_EQ:
        break;
    }
    return true;
}

/* A snapshot of the same table for the same columns and exactly these keys. */
static Snapshot *
find_snapshot(Sql *sql, const SqlScan *wanted, const SqlKey *keys, int32_t count, bool limited)
{
    for (Snapshot *s = sql->snapshots; s != NULL; s = s->next) {
        bool same = s->scan.table == wanted->table && s->scan.used == wanted->used &&
                    s->scan.key_count == count && s->limited == limited &&
                    (!limited || s->scan.limit == wanted->limit);

        for (int32_t i = 0; same && i < count; i++)
            same = key_equal(&s->scan.keys[i], &keys[i]);
        if (same)
            return s;
    }
    return NULL;
}

static int32_t
count_snapshots(const Sql *sql, const SqlScan *wanted, int32_t eq_count)
{
    int32_t count = 0;

    for (const Snapshot *s = sql->snapshots; s != NULL; s = s->next)
        if (s->scan.table == wanted->table && s->scan.used == wanted->used &&
            (eq_count < 0 || (s->eq_count == eq_count && s->scan.key_count == eq_count)))
            count++;
    return count;
}

static bool
has_required(const SqlTable *table)
{
    for (int32_t i = 0; i < table->column_count; i++)
        if ((table->columns[i].flags & (SQL_COLUMN_REQUIRED | SQL_COLUMN_HIDDEN)) != 0)
            return true;
    return false;
}

/* Rows that do not fit the keys are dropped: a scan need not be exact. */
static void
drop_others(SqlScan *scan)
{
    int32_t kept = 0;

    for (int32_t i = 0; i < scan->row_count; i++) {
        bool fits = true;

        for (int32_t k = 0; fits && k < scan->key_count; k++)
            fits = fits_key(scan, scan->rows[i], &scan->keys[k]);
        if (fits)
            scan->rows[kept++] = scan->rows[i];
    }
    scan->row_count = kept;
}

/* Keys of a cursor end with it; those of a snapshot last for the statement. NULL: no memory. */
static const SqlKey *
copy_keys(Arena *arena, const SqlKey *keys, int32_t count)
{
    SqlKey *copy = arena_calloc(arena, (size_t)count + 1, sizeof *copy);

    for (int32_t i = 0; copy != NULL && i < count; i++) {
        SqlValue *values = arena_calloc(arena, (size_t)keys[i].count + 1, sizeof *values);

        if (values == NULL)
            return NULL;
        for (int32_t v = 0; v < keys[i].count; v++) {
            values[v] = keys[i].values[v];
            if (values[v].type == SQL_TEXT || values[v].type == SQL_BLOB) {
                values[v].bytes.ptr = arena_strdup(arena, values[v].bytes);
                if (values[v].bytes.ptr == NULL)
                    return NULL;
            }
        }
        copy[i] = keys[i];
        copy[i].values = values;
    }
    return copy;
}

/* A scan that is not exact may reach its limit with rows that do not fit: then it goes on without. */
static int
read_table(Snapshot *s, Fault *f)
{
    int64_t limit = s->scan.limit;
    bool full;

    if (s->scan.table->scan(&s->scan, f) != 0)
        return -1;
    full = s->scan.row_count >= limit;
    drop_others(&s->scan);
    if (!full || s->scan.row_count >= limit)
        return 0;
    s->scan.limit = INT64_MAX;
    s->scan.rows = NULL;
    s->scan.row_count = s->scan.row_size = 0;
    if (s->scan.table->scan(&s->scan, f) != 0)
        return -1;
    s->scan.limit = limit; /* by which the snapshot is found again */
    drop_others(&s->scan);
    return 0;
}

static Snapshot *
make_snapshot(Sql *sql, const SqlScan *wanted, const SqlKey *keys, int32_t count, Fault *f)
{
    Snapshot *s = arena_calloc(sql->arena, 1, sizeof *s);

    if (s != NULL)
        keys = copy_keys(sql->arena, keys, count);
    if (s == NULL || keys == NULL) {
        fault_set(f, FAULT_NO_MEMORY, "out of memory");
        return NULL;
    }
    s->scan = *wanted;
    s->scan.arena = sql->arena;
    s->scan.keys = keys;
    s->scan.key_count = count;
    s->scan.limit = INT64_MAX;
    for (s->eq_count = 0; s->eq_count < count && keys[s->eq_count].op == SQL_OP_EQ; s->eq_count++) {
    }
    if (wanted->limit != INT64_MAX && count == wanted->key_count) {
        s->limited = true;
        s->scan.limit = wanted->limit;
    }
    if (read_table(s, f) != 0)
        return NULL;
    s->next = sql->snapshots;
    sql->snapshots = s;
    return s;
}

/* ---- finding rows ---- */

static uint64_t
value_hash(const SqlValue *value)
{
    switch (value->type) {
    case SQL_INTEGER:
        return hash_u64((uint64_t)value->integer);
    case SQL_TEXT:
    case SQL_BLOB:
        return hash_str(value->bytes, 7);
    case SQL_REAL:
    case SQL_NULL:
    case SQL_TYPE_COUNT:
        break;
    }
    return 1;
}

static uint64_t
mix(uint64_t seed, uint64_t hash)
{
    return hash_u64(seed * 31 + hash);
}

static int
by_hash(const void *a, const void *b)
{
    const HashedRow *x = a;
    const HashedRow *y = b;

    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->row - y->row;
}

static int
make_index(Sql *sql, Snapshot *s, const SqlKey *keys, int32_t count, uint64_t columns)
{
    int32_t rows = s->scan.row_count;
    HashedRow *hashed = arena_calloc(sql->arena, (size_t)rows + 1, sizeof *hashed);

    s->hashes = arena_calloc(sql->arena, (size_t)rows + 1, sizeof *s->hashes);
    s->order = arena_calloc(sql->arena, (size_t)rows + 1, sizeof *s->order);
    if (hashed == NULL || s->hashes == NULL || s->order == NULL)
        return -1;
    for (int32_t i = 0; i < rows; i++) {
        uint64_t hash = 0;

        for (int32_t k = 0; k < count; k++)
            hash = mix(hash, value_hash(&s->scan.rows[i][s->scan.slot_of[keys[k].column]]));
        hashed[i] = (HashedRow){hash, i};
    }
    qsort(hashed, (size_t)rows, sizeof *hashed, by_hash);
    for (int32_t i = 0; i < rows; i++) {
        s->hashes[i] = hashed[i].hash;
        s->order[i] = hashed[i].row;
    }
    s->index_keys = columns;
    return 0;
}

/* Rows whose hash is that of the keys; SQLite compares once more, so that a rare false one does no harm. */
static void
look_up(const Snapshot *s, const SqlKey *keys, int32_t count, SnapshotRows *ret)
{
    uint64_t hash = 0;
    int32_t lo = 0;
    int32_t hi = s->scan.row_count;
    int32_t end;

    for (int32_t k = 0; k < count; k++)
        hash = mix(hash, value_hash(&keys[k].values[0]));
    while (lo < hi) {
        int32_t middle = lo + (hi - lo) / 2;

        if (s->hashes[middle] < hash)
            lo = middle + 1;
        else
            hi = middle;
    }
    for (end = lo; end < s->scan.row_count && s->hashes[end] == hash; end++) {
    }
    ret->picked = s->order + lo;
    ret->count = end - lo;
}

/* Those of a snapshot that fit keys it was not read for. */
static int
pick(Sql *sql, Snapshot *s, const SqlKey *keys, int32_t count, SnapshotRows *ret)
{
    uint64_t columns = 0;
    bool single = true;
    int32_t *picked;
    int32_t n = 0;

    *ret = (SnapshotRows){&s->scan, s, NULL, s->scan.row_count};
    if (count == 0)
        return 0;
    for (int32_t k = 0; k < count; k++) {
        single = single && keys[k].count == 1 && keys[k].column < 64 &&
                 s->scan.slot_of[keys[k].column] >= 0;
        columns |= UINT64_C(1) << (keys[k].column & 63);
    }
    if (single && s->scan.row_count >= INDEX_FROM) {
        if (s->index_keys != columns && make_index(sql, s, keys, count, columns) != 0)
            return -1;
        look_up(s, keys, count, ret);
        return 0;
    }
    picked = arena_calloc(sql->arena, (size_t)s->scan.row_count + 1, sizeof *picked);
    if (picked == NULL)
        return -1;
    for (int32_t i = 0; i < s->scan.row_count; i++) {
        bool fits = true;

        for (int32_t k = 0; fits && k < count; k++)
            fits = fits_key(&s->scan, s->scan.rows[i], &keys[k]);
        if (fits)
            picked[n++] = i;
    }
    *ret = (SnapshotRows){&s->scan, s, picked, n};
    return 0;
}

/* ---- numbers of rows ---- */

int64_t
snapshot_hash_row(const SqlScan *scan, const SqlValue *row)
{
    uint64_t hash = 0;

    for (int32_t i = 0; i < scan->slot_count; i++) {
        double real = row[i].type == SQL_REAL ? row[i].real : 0;

        hash = mix(hash, row[i].type == SQL_REAL ? hash_bytes(&real, sizeof real, 3)
                                                 : value_hash(&row[i]) + (uint64_t)row[i].type);
    }
    return (int64_t)(hash & INT64_MAX);
}

static int
make_rowids(Sql *sql, Snapshot *s)
{
    int32_t rows = s->scan.row_count;
    HashedRow *hashed = arena_calloc(sql->arena, (size_t)rows + 1, sizeof *hashed);
    int64_t *rowids = arena_calloc(sql->arena, (size_t)rows + 1, sizeof *rowids);
    uint64_t same = 0;

    if (hashed == NULL || rowids == NULL)
        return -1;
    for (int32_t i = 0; i < rows; i++)
        hashed[i] = (HashedRow){(uint64_t)snapshot_hash_row(&s->scan, s->scan.rows[i]), i};
    qsort(hashed, (size_t)rows, sizeof *hashed, by_hash);
    for (int32_t i = 0; i < rows; i++) {
        same = i > 0 && hashed[i].hash == hashed[i - 1].hash ? same + 1 : 0;
        rowids[hashed[i].row] = (int64_t)(mix(hashed[i].hash, same) & INT64_MAX);
    }
    s->rowids = rowids;
    return 0;
}

int64_t
snapshot_rowid(Sql *sql, Snapshot *s, int32_t row)
{
    if (s->rowids == NULL && make_rowids(sql, s) != 0)
        return 0;
    return s->rowids[row];
}

/* How many of the first keys the table is to be read for. */
static int32_t
choose_level(Sql *sql, const SqlScan *wanted, int32_t eq_count)
{
    int32_t level = eq_count;

    if (has_required(wanted->table))
        return level;
    while (level > 0) {
        int32_t allowed = level == eq_count && eq_count > 1 ? FULL_READINGS : LEVEL_READINGS;

        if (find_snapshot(sql, wanted, wanted->keys, level, false) != NULL ||
            count_snapshots(sql, wanted, level) < allowed)
            break;
        level--;
    }
    return level;
}

int
snapshot_open(Sql *sql, const SqlScan *wanted, SnapshotRows *ret, Fault *f)
{
    int32_t eq_count = 0;
    int32_t level;
    bool exact;
    Snapshot *s;

    while (eq_count < wanted->key_count && wanted->keys[eq_count].op == SQL_OP_EQ)
        eq_count++;
    exact = wanted->limit != INT64_MAX || eq_count < wanted->key_count;
    if (exact &&
        (has_required(wanted->table) || count_snapshots(sql, wanted, -1) < EXACT_READINGS)) {
        s = find_snapshot(sql, wanted, wanted->keys, wanted->key_count, wanted->limit != INT64_MAX);
        level = wanted->key_count;
        eq_count = level;
    } else {
        level = choose_level(sql, wanted, eq_count);
        s = find_snapshot(sql, wanted, wanted->keys, level, false);
    }
    if (s == NULL) {
        SqlScan scan = *wanted;

        if (!exact || level != wanted->key_count)
            scan.limit = INT64_MAX;
        s = make_snapshot(sql, &scan, wanted->keys, level, f);
    }
    if (s == NULL)
        return -1;
    if (pick(sql, s, wanted->keys + level, eq_count - level, ret) != 0)
        return fault_set(f, FAULT_NO_MEMORY, "out of memory");
    return 0;
}
