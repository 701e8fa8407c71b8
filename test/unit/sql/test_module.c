/*
 * test_module.c - tables of its own under the framework: what is pushed down, how often a table is read, streaming, INSERT
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "sql/sql_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define GROUPS  60 /* of numbers, each with MEMBERS */
#define MEMBERS 20

static SqlEnv env = {.timezone = "UTC"};
static Sql *sql;
static int scans;          /* readings of the snapshot table */
static int rows_made;      /* by all of them */
static uint64_t last_used; /* by the last one */
static int64_t last_limit;
static char last_keys[256];
static int streamed; /* batches */
static int closed;
static char inserted[256];
static int flushed;

/* ---- a table of numbers in groups ---- */

enum { NUM_GROUP, NUM_MEMBER, NUM_COSTLY };

static const SqlColumnDef num_columns[] = {
    {"grp", SQL_DECL_TEXT, SQL_COLUMN_KEY},
    {"member", SQL_DECL_INTEGER, SQL_COLUMN_KEY | SQL_COLUMN_RANGE},
    {"costly", SQL_DECL_INTEGER, 0},
};

static void
note_keys(const SqlScan *scan)
{
    static const char *const ops[] = {"=", "<", "<=", ">", ">="};

    last_keys[0] = '\0';
    for (int32_t i = 0; i < scan->key_count; i++) {
        size_t len = strlen(last_keys);

        snprintf(last_keys + len, sizeof last_keys - len, "%s%s%d",
                 scan->table->columns[scan->keys[i].column].name, ops[scan->keys[i].op],
                 scan->keys[i].count);
    }
}

static int
scan_numbers(SqlScan *scan, Fault *f)
{
    scans++;
    last_used = scan->used;
    last_limit = scan->limit;
    note_keys(scan);
    for (int g = 0; g < GROUPS; g++) {
        char name[16];

        snprintf(name, sizeof name, "g%02d", g);
        if (!scan_admits(scan, NUM_GROUP, strview_from(name)))
            continue;
        for (int m = 0; m < MEMBERS; m++) {
            SqlValue *row =
                scan_row(scan); /* members are not looked at: the framework drops the others */

            if (row == NULL)
                return scan_end(scan, f);
            rows_made++;
            row_text(scan, row, NUM_GROUP,
                     (StrView){arena_strdup(scan->arena, strview_from(name)), 3});
            row_int(scan, row, NUM_MEMBER, m);
            row_int(scan, row, NUM_COSTLY, g * 100 + m);
        }
    }
    return scan_end(scan, f);
}

static const SqlTable numbers = {
    .name = "numbers", SQL_COLUMNS(num_columns), .rows_guess = 100, .scan = scan_numbers};

/* ---- a table that streams, and takes rows ---- */

enum { STREAM_TOPIC, STREAM_OFFSET, STREAM_VALUE };

static const SqlColumnDef stream_columns[] = {
    {"topic", SQL_DECL_TEXT, SQL_COLUMN_KEY | SQL_COLUMN_REQUIRED | SQL_COLUMN_ONE},
    {"offset", SQL_DECL_INTEGER, SQL_COLUMN_KEY | SQL_COLUMN_RANGE},
    {"value", SQL_DECL_TEXT, 0},
};

static int
open_stream(SqlScan *scan, Fault *f)
{
    if (scan_key(scan, STREAM_TOPIC) == NULL)
        return fault_set(f, FAULT_SYNTAX, "topic is missing");
    note_keys(scan);
    streamed = 0;
    return 0;
}

static int
next_batch(SqlScan *scan, Fault *f)
{
    (void)f;
    for (int i = 0; i < 10 && streamed < 100; i++) {
        SqlValue *row = scan_row(scan);

        assert_non_null(row);
        row_text(scan, row, STREAM_TOPIC, scan_key(scan, STREAM_TOPIC)->values[0].bytes);
        row_int(scan, row, STREAM_OFFSET, streamed * 10 + i);
        row_cstr(scan, row, STREAM_VALUE, "same");
    }
    streamed++;
    return streamed > 100 ? fault_set(f, FAULT_LIMIT, "too far") : 0;
}

static void
close_it(SqlScan *scan)
{
    (void)scan;
    closed++;
}

static int
insert_row(Sql *session, const SqlValue *values, int64_t *ret_rowid, Fault *f)
{
    size_t len = strlen(inserted);

    (void)session;
    if (values[STREAM_TOPIC].type != SQL_TEXT)
        return fault_set(f, FAULT_BAD_PARAMETER, "no topic");
    snprintf(inserted + len, sizeof inserted - len, "%.*s/%d ", values[STREAM_TOPIC].bytes.len,
             values[STREAM_TOPIC].bytes.ptr, (int)values[STREAM_VALUE].type);
    *ret_rowid = 77;
    return 0;
}

static int
flush_rows(Sql *session, Fault *f)
{
    (void)session, (void)f;
    flushed++;
    return 0;
}

static const SqlTable stream = {.name = "stream",
                                SQL_COLUMNS(stream_columns),
                                .scan = open_stream,
                                .next = next_batch,
                                .close = close_it,
                                .order_column = STREAM_OFFSET,
                                .order_key = STREAM_TOPIC,
                                .insert = insert_row,
                                .flush = flush_rows};

/* ---- running ---- */

static int
no_columns(void *arg, const SqlColumn *columns, int32_t count)
{
    (void)arg, (void)columns, (void)count;
    return 0;
}

static int
last_number(void *arg, const SqlValue *values, int32_t count)
{
    assert_int_equal(count, 1);
    *(int64_t *)arg = values[0].type == SQL_INTEGER ? values[0].integer : -1;
    return 0;
}

/* The number that the statement gives in its last row; "" as state: it succeeds. */
static int64_t
number_of(const char *text, const char *state)
{
    int64_t number = -2;
    SqlSink sink = {no_columns, last_number, &number};
    char tag[SQL_TAG_MAX];
    Fault f;
    int rc;

    scans = rows_made = 0;
    rc = sql_run(sql, strview_from(text), &sink, tag, &f);
    if ((rc == 0) != (state[0] == '\0') || (rc != 0 && strcmp(f.sqlstate, state) != 0))
        fail_msg("%s: %s %s", text, rc == 0 ? "" : f.sqlstate, rc == 0 ? "succeeded" : f.message);
    return number;
}

static int
set_up(void **state)
{
    Fault f;

    (void)state;
    assert_int_equal(sql_open(&env, &sql, &f), 0);
    assert_int_equal(module_register(sql, &numbers, &f), 0);
    return module_register(sql, &stream, &f);
}

static int
tear_down(void **state)
{
    (void)state;
    sql_close(sql);
    return 0;
}

static void
keys_are_pushed_down(void **state)
{
    (void)state;
    assert_int_equal(number_of("SELECT count(*) FROM numbers WHERE grp = 'g01' AND member = 3", ""),
                     1);
    assert_string_equal(last_keys, "grp=1member=1");
    assert_int_equal(rows_made, MEMBERS);
    assert_int_equal(
        number_of("SELECT count(*) FROM numbers WHERE grp IN ('g01', 'g02', 'nix', NULL, 4)", ""),
        2 * MEMBERS);
    assert_string_equal(last_keys, "grp=4");
    assert_int_equal(
        number_of("SELECT count(*) FROM numbers WHERE member > 17.5 AND member <= 18", ""), GROUPS);
    assert_string_equal(last_keys, "member<=1member>1");
    assert_int_equal(number_of("SELECT count(*) FROM numbers WHERE member = '3'", ""), GROUPS);
    assert_int_equal(number_of("SELECT count(*) FROM numbers WHERE member = 'x'", ""), 0);
    assert_int_equal(scans, 0); /* nothing can equal it */
    assert_int_equal(number_of("SELECT count(*) FROM numbers WHERE grp = NULL", ""), 0);
    assert_int_equal(number_of("SELECT count(*) FROM numbers WHERE grp = 'G01' COLLATE NOCASE", ""),
                     MEMBERS);
    assert_string_equal(last_keys, "");
    assert_int_equal(number_of("SELECT count(*) FROM numbers WHERE grp IS NULL", ""), 0);
    assert_int_equal(number_of("SELECT count(*) FROM numbers WHERE grp = 'g01' OR member = 3", ""),
                     MEMBERS + GROUPS - 1);
}

static void
columns_are_lazy(void **state)
{
    (void)state;
    number_of("SELECT member FROM numbers WHERE grp = 'g01'", "");
    assert_int_equal(last_used, 3);
    number_of("SELECT costly FROM numbers", "");
    assert_int_equal(last_used, 4);
}

static void
limits_are_pushed_down(void **state)
{
    (void)state;
    number_of("SELECT member FROM numbers WHERE grp = 'g01' LIMIT 3 OFFSET 2", "");
    assert_int_equal(last_limit, 5);
    assert_int_equal(rows_made, 5);
    number_of("SELECT member FROM numbers WHERE costly > 5 LIMIT 3", "");
    assert_true(last_limit == INT64_MAX); /* others drop rows afterwards */
    number_of("SELECT member FROM numbers ORDER BY costly LIMIT 3", "");
    assert_true(last_limit == INT64_MAX);
    assert_int_equal(
        number_of("SELECT count(*) FROM (SELECT * FROM numbers LIMIT 7 OFFSET 1195)", ""), 5);
}

/* However many keys come, a table is read a bounded number of times, and the answer is the same. */
static void
joins_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(
        number_of("SELECT sum(b.costly) FROM numbers a JOIN numbers b USING (grp, member)", ""),
        number_of("SELECT sum(costly) FROM numbers", ""));
    number_of("SELECT sum(b.costly) FROM numbers a CROSS JOIN numbers b ON b.grp = a.grp AND "
              "b.member = a.member",
              "");
    assert_in_range(scans, 2, 1 + 4 + 32 + 1);
    assert_int_equal(
        number_of("SELECT count(*) FROM numbers a CROSS JOIN numbers b ON b.grp = a.grp "
                  "AND b.member IN (1, 2, a.member)",
                  ""),
        GROUPS * (MEMBERS * 3 - 2));
    assert_int_equal(number_of("SELECT sum((SELECT costly FROM numbers b WHERE b.grp = a.grp AND "
                               "b.member >= a.member LIMIT 1)) "
                               "FROM numbers a",
                               ""),
                     number_of("SELECT sum(costly) FROM numbers", ""));
    number_of("SELECT sum((SELECT costly FROM numbers b WHERE b.grp = a.grp AND b.member >= "
              "a.member LIMIT 1)) FROM numbers a",
              "");
    assert_in_range(scans, 2, 60);
}

static void
streams_go_on_and_end(void **state)
{
    (void)state;
    closed = 0;
    assert_int_equal(
        number_of("SELECT count(*) FROM (SELECT * FROM stream WHERE topic = 't' LIMIT 25)", ""),
        25);
    assert_int_equal(streamed, 3);
    assert_int_equal(closed, 1);
    number_of("SELECT count(*) FROM stream WHERE topic = 't'", FAULT_LIMIT);
    assert_int_equal(closed, 2); /* after a fault, too */
    number_of("SELECT count(*) FROM stream", FAULT_SYNTAX);
    assert_int_equal(closed, 3);
    /* In the order of offsets, so that it ends early. */
    assert_int_equal(
        number_of("SELECT \"offset\" FROM stream WHERE topic = 't' ORDER BY \"offset\" LIMIT 31",
                  ""),
        30);
    assert_int_equal(streamed, 4);
    /* A topic that comes from another table: that is read first. */
    assert_int_equal(number_of("SELECT count(*) FROM (SELECT * FROM stream JOIN (SELECT 't' AS "
                               "topic) USING (topic) LIMIT 5)",
                               ""),
                     5);
}

static void
rows_are_inserted(void **state)
{
    (void)state;
    inserted[0] = '\0';
    flushed = 0;
    number_of("INSERT INTO stream(topic, value) VALUES ('a', 'x'), ('b', NULL), ('c', x'00')", "");
    assert_string_equal(inserted, "a/3 b/0 c/4 ");
    assert_int_equal(flushed, 1);
    assert_int_equal(number_of("SELECT last_insert_rowid()", ""), 77);
    number_of("INSERT INTO stream(value) VALUES ('x')", FAULT_BAD_PARAMETER);
    number_of("UPDATE stream SET value = 'y' WHERE topic = 't'", "42501");
    number_of("DELETE FROM stream WHERE topic = 't'", "42501");
    number_of("INSERT INTO numbers(grp) VALUES ('x')", "42501");
    assert_int_equal(flushed, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keys_are_pushed_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(columns_are_lazy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(limits_are_pushed_down, set_up, tear_down),
        cmocka_unit_test_setup_teardown(joins_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(streams_go_on_and_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(rows_are_inserted, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
