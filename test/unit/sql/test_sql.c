/*
 * test_sql.c - an SQL session without a server: functions, times, what is refused, faults with their place
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/sql/sql.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

typedef struct Result {
    char text[4096]; /* columns by '|', rows by a line feed */
    int rows;
} Result;

static void
add(Result *result, const char *bytes, size_t len)
{
    size_t used = strlen(result->text);

    assert_true(used + len < sizeof result->text);
    memcpy(result->text + used, bytes, len);
    result->text[used + len] = '\0';
}

static int
take_columns(void *arg, const SqlColumn *columns, int32_t count)
{
    (void)arg, (void)columns, (void)count;
    return 0;
}

static int
take_row(void *arg, const SqlValue *values, int32_t count)
{
    Result *result = arg;
    char number[64];

    if (result->rows++ > 0)
        add(result, "\n", 1);
    for (int32_t i = 0; i < count; i++) {
        if (i > 0)
            add(result, "|", 1);
        if (values[i].type == SQL_INTEGER)
            add(result, number,
                (size_t)snprintf(number, sizeof number, "%lld", (long long)values[i].integer));
        else if (values[i].type == SQL_REAL)
            add(result, number, (size_t)snprintf(number, sizeof number, "%g", values[i].real));
        else if (values[i].type == SQL_NULL)
            add(result, "null", 4);
        else
            add(result, values[i].bytes.ptr, (size_t)values[i].bytes.len);
    }
    return 0;
}

static SqlEnv env = {.timezone = "UTC"};
static Sql *sql;
static char tag[SQL_TAG_MAX];

static int
run(const char *text, Result *result, Fault *f)
{
    SqlSink sink = {take_columns, take_row, result};

    result->text[0] = '\0';
    result->rows = 0;
    return sql_run(sql, strview_from(text), &sink, tag, f);
}

static void
gives(const char *text, const char *wanted)
{
    Result result;
    Fault f;

    if (run(text, &result, &f) != 0)
        fail_msg("%s: %s %s", text, f.sqlstate, f.message);
    assert_string_equal(result.text, wanted);
}

static void
fails(const char *text, const char *sqlstate, int position)
{
    Result result;
    Fault f;

    if (run(text, &result, &f) == 0)
        fail_msg("%s: succeeded", text);
    if (strcmp(f.sqlstate, sqlstate) != 0 || f.position != position)
        fail_msg("%s: %s at %d: %s", text, f.sqlstate, (int)f.position, f.message);
}

static int
set_up(void **state)
{
    Fault f;

    (void)state;
    env.timezone = "UTC";
    return sql_open(&env, &sql, &f);
}

static int
tear_down(void **state)
{
    (void)state;
    sql_close(sql);
    return 0;
}

static void
functions_of_text(void **state)
{
    (void)state;
    gives("SELECT glob_match('o*s', 'orders'), glob_match('o.s', 'oxs'), glob_match('\"*\"', 'a')",
          "1|0|0");
    gives("SELECT glob_match('a?c', 'a\xc3\xa9"
          "c'), glob_match('*', ''), glob_match('', 'a')",
          "1|1|0");
    gives("SELECT glob_match('*a*a*a*b', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')", "0");
    gives("SELECT regexp('^o.*s$', 'orders'), 'orders' REGEXP 'x', NULL REGEXP 'x'", "1|0|null");
    fails("SELECT regexp('(', 'x')", "42000", -1);
    fails("SELECT regexp('(a+)+$', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab')", "42000", -1);
    gives("SELECT error_name(36), error_name(9999999), error_name(NULL)",
          "TOPIC_ALREADY_EXISTS|UNKNOWN|null");
    gives("SELECT header('[[\"a\",\"1\"],[\"a\",\"2\"],[\"b\",null]]', 'a'), header('[]', 'a'), "
          "header('{', 'a')",
          "2|null|null");
}

static void
functions_of_bytes(void **state)
{
    (void)state;
    gives("SELECT base64(x'0102ff'), hex(base64('AQL/')), base64(x''), hex(base64('AQ'))",
          "AQL/|0102FF||01");
    fails("SELECT base64('*')", "42000", -1);
    gives("SELECT unpack('>I', x'00000001'), unpack('<h', x'feff'), unpack('>Ib', x'0000000180')",
          "1|-2|[1,-128]");
    gives("SELECT unpack('>q', x'00'), unpack('>Q', x'ffffffffffffffff')", "null|-1");
    gives("SELECT unpack('>d', x'3ff8000000000000'), unpack('<f', x'0000c03f')", "1.5|1.5");
    fails("SELECT unpack('x', x'00')", "42000", -1);
    gives("SELECT utf8(x'6162'), utf8(x'61ff62'), utf8(NULL)", "ab|a\xef\xbf\xbd"
                                                               "b|null");
    gives("SELECT murmur2('21'), partition_for('21', 3), partition_for('a', 0)",
          "-973932308|0|null");
    gives("SELECT crc32c('123456789')", "3808858755");
}

static void
times(void **state)
{
    (void)state;
    gives("SELECT ts(0), ts(1772362800123), ts(-1)",
          "1970-01-01T00:00:00.000Z|2026-03-01T11:00:00.123Z|null");
    gives("SELECT ts('2026-03-01T12:00:00+01:00'), ts('2026-03-01'), ts('2026-03-01 11:00:00.1')",
          "1772362800000|1772323200000|1772362800100");
    gives("SELECT ts('1772362800123'), ts('now') - now_ms() < 1000, now_ms() - ts('-1h') BETWEEN "
          "3600000 AND 3601000",
          "1772362800123|1|1");
    fails("SELECT ts('2026-13-01')", "42000", -1);
    fails("SELECT ts('')", "42000", -1);
    env.timezone = "Europe/Berlin";
    gives("SELECT ts(1772362800123), ts(1782900000000)",
          "2026-03-01T12:00:00.123+01:00|2026-07-01T12:00:00.000+02:00");
    gives("SELECT ts('2026-03-01 12:00'), ts('2026-07-01 12:00')", "1772362800000|1782900000000");
}

static void
only_reading(void **state)
{
    char dir[] = "/tmp/ottla-sql-XXXXXX";
    char text[200];

    (void)state;
    fails("CREATE TABLE x(a)", "0A000", -1);
    fails("INSERT INTO topics(topic) VALUES('a')", "42501", -1);
    fails("DELETE FROM topics", "42501", -1);
    fails("UPDATE topics SET topic = 'a'", "42501", -1);
    fails("DROP TABLE topics", "0A000", -1);
    fails("SELECT load_extension('x')", "42501", -1);
    fails("PRAGMA journal_mode = off", "0A000", -1);
    fails("PRAGMA writable_schema = on", "0A000", -1);
    fails("PRAGMA user_version = 3", "0A000", -1);
    fails("CREATE VIRTUAL TABLE temp.x USING topics", "0A000", -1);
    gives("SELECT count(*) FROM pragma_table_info('topics') WHERE name = 'topic'", "1");
    gives("CREATE TEMP TABLE x AS SELECT 1 AS a UNION SELECT 2", "");
    assert_string_equal(tag, "CREATE TABLE");
    gives("INSERT INTO x VALUES(3), (4)", "");
    assert_string_equal(tag, "INSERT 2");
    gives("SELECT sum(a) FROM x", "10");
    assert_string_equal(tag, "SELECT 1");
    gives("CREATE TEMP VIEW v AS SELECT topic FROM topics", "");
    assert_non_null(mkdtemp(dir));
    (void)snprintf(text, sizeof text, "ATTACH '%s/f' AS f", dir);
    gives(text, "");
    gives("CREATE TABLE f.t AS SELECT a FROM x", "");
    gives("DETACH f", "");
    gives(text, "");
    gives("SELECT count(*) FROM f.t", "4");
    gives("DETACH f", "");
    (void)snprintf(text, sizeof text, "%s/f", dir);
    assert_int_equal(unlink(text), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void
faults_have_places(void **state)
{
    (void)state;
    fails("SELECT nope FROM topics", "42703", 7);
    fails("SELECT * FROM nope", "42P01", 14);
    fails("SELECT foo(1)", "42883", 7);
    fails("SELEC 1", "42601", 0);
    fails("SELECT 1 +", "42601", 10);
    fails("SELECT 1; SELECT 2", "42601", 9);
    fails("EXPLAIN SELECT nope FROM topics", "42703", 15);
    fails("SELECT 'a", "42601", 7);
    fails("SELECT * FROM topics", "08006", -1); /* not connected */
    fails("SELECT * FROM hba_rules", "0A000", 14);
    fails("SELECT * FROM activity", "08006", 14);
}

static void
plans_are_shown(void **state)
{
    (void)state;
    gives("EXPLAIN SELECT topic FROM topics WHERE topic = 'it''s'",
          "SCAN topics: topic = 'it''s'\n  API calls: Metadata");
    gives(
        "EXPLAIN SELECT size_bytes FROM partitions WHERE topic IN ('a', 'b') AND partition = 3",
        "SCAN partitions: topic in a list, partition = 3\n  API calls: Metadata, DescribeLogDirs");
    gives("EXPLAIN SELECT topic FROM topics LIMIT 3", "SCAN topics: LIMIT\n  API calls: Metadata");
    gives("EXPLAIN SELECT topic FROM topics WHERE topic = 'A' COLLATE NOCASE",
          "SCAN topics\n  API calls: Metadata");
}

static int
stop_at_once(void *arg, const SqlValue *values, int32_t count)
{
    (void)arg, (void)values, (void)count;
    sql_interrupt(sql);
    return 0;
}

static void
interrupted(void **state)
{
    SqlSink sink = {take_columns, stop_at_once, NULL};
    Fault f;

    (void)state;
    assert_int_equal(
        sql_run(
            sql,
            STRVIEW(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n"),
            &sink, tag, &f),
        -1);
    assert_string_equal(f.sqlstate, "57014");
    /* nobody has forgotten it: what came between two statements is not lost */
    fails("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n",
          "57014", -1);
    sql_interrupt_reset(sql);
    gives("SELECT 1", "1");
}

static void
statements_are_told_apart(void **state)
{
    (void)state;
    assert_true(sql_knows(STRVIEW("  -- c\n /* x */ select 1")));
    assert_true(sql_knows(STRVIEW("CREATE TEMP TABLE x(a)")));
    assert_true(sql_knows(STRVIEW("EXPLAIN QUERY PLAN SELECT 1")));
    assert_false(sql_knows(STRVIEW("CREATE TOPIC x")));
    assert_false(sql_knows(STRVIEW("EXPLAIN CREATE TOPIC x")));
    assert_false(sql_knows(STRVIEW("DROP TOPIC x")));
    assert_false(sql_knows(STRVIEW("SHOW TOPICS")));
    assert_false(sql_knows(STRVIEW("")));
}

static int
take_described(void *arg, const SqlColumn *columns, int32_t count)
{
    Result *result = arg;

    for (int32_t i = 0; i < count; i++) {
        add(result, columns[i].name, strlen(columns[i].name));
        add(result, ":", 1);
        add(result, columns[i].declared, strlen(columns[i].declared));
        add(result, columns[i].number ? "# " : " ", columns[i].number ? 2 : 1);
    }
    return 0;
}

static void
take_name(void *arg, const char *table, const char *column, const char *declared)
{
    Result *result = arg;
    const char *name = column == NULL ? table : column;

    (void)declared;
    result->rows++;
    if (result->rows <= 3) {
        add(result, name, strlen(name));
        add(result, " ", 1);
    }
}

static void
names_are_told(void **state)
{
    Result result = {.rows = 0};
    SqlSink sink = {take_described, take_row, &result};
    Fault f;

    (void)state;
    assert_int_equal(sql_describe(sql,
                                  STRVIEW("SELECT topic, size_bytes AS s, internal, 1 FROM topics"),
                                  &sink, &f),
                     0);
    assert_string_equal(result.text, "topic:TEXT s:BYTES INTEGER# internal:BOOLEAN 1: ");
    result = (Result){.rows = 0};
    sql_tables(sql, take_name, &result);
    assert_string_equal(result.text, "topics partitions replicas ");
    result = (Result){.rows = 0};
    sql_columns(sql, "TOPICS", take_name, &result);
    assert_string_equal(result.text, "topic topic_id internal ");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(functions_of_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(functions_of_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_reading, set_up, tear_down),
        cmocka_unit_test_setup_teardown(faults_have_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plans_are_shown, set_up, tear_down),
        cmocka_unit_test_setup_teardown(interrupted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(statements_are_told_apart, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
