/*
 * test_parse.c - every form of every statement, every place where one can be wrong, completion and help
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/statement/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define X(name) #name,
static const char *const item_names[] = {STATEMENT_ITEM_TABLE(X)};
#undef X
#define X(name, form, text) #name,
static const char *const want_names[] = {STATEMENT_WANT_TABLE(X)};
#undef X

/* "TOPIC=a IF PARTITIONS=3", values quoted as they were; notes have no value. */
static void
dump(const Statement *s, StrBuf *out)
{
    for (int32_t i = 0; i < s->count; i++) {
        const StatementItem *item = &s->items[i];

        strbuf_printf(out, "%s%s=%s%.*s%s", i > 0 ? " " : "", item_names[item->name],
                      item->quote == QUOTE_STRING  ? "'"
                      : item->quote == QUOTE_IDENT ? "\""
                                                   : "",
                      (int)item->text.len, item->text.ptr,
                      item->quote == QUOTE_STRING  ? "'"
                      : item->quote == QUOTE_IDENT ? "\""
                                                   : "");
    }
}

static void
every_form(void **state)
{
    static const struct {
        StatementKind kind;
        const char *text, *items;
    } rows[] = {
        {STATEMENT_CREATE_TOPIC, "CREATE TOPIC a", "TOPIC=a"},
        {STATEMENT_CREATE_TOPIC, "create topic if not exists my-topic.v1, b partitions 3;",
         "IF=exists TOPIC=my-topic.v1 TOPIC=b PARTITIONS=3"},
        {STATEMENT_CREATE_TOPIC,
         "CREATE TOPIC x\n-- a comment\nWITH ( retention.ms = 7d, cleanup.policy='compact,delete' "
         ") "
         "REPLICATION FACTOR 2 PARTITIONS 6 VALIDATE ONLY",
         "TOPIC=x CONFIG=retention.ms VALUE=7d CONFIG=cleanup.policy VALUE='compact,delete' "
         "FACTOR=2 "
         "PARTITIONS=6 VALIDATE=ONLY"},
        {STATEMENT_CREATE_TOPIC, "CREATE TOPIC \"a b\" REPLICAS ((1,2),(2,3)) LIKE o",
         "TOPIC=\"a b\" LIST=( REPLICAS=1 REPLICAS=2 LIST=( REPLICAS=2 REPLICAS=3 SOURCE=o"},
        {STATEMENT_ALTER_TOPIC, "ALTER TOPIC a,'b*' ADD PARTITIONS 2 REPLICAS ((1))",
         "TOPIC=a TOPIC='b*' PARTITIONS=2 LIST=( REPLICAS=1"},
        {STATEMENT_ALTER_TOPIC, "ALTER TOPIC a PARTITIONS TO 8 VALIDATE ONLY",
         "TOPIC=a TOTAL=8 VALIDATE=ONLY"},
        {STATEMENT_ALTER_TOPIC, "ALTER TOPIC a SET (retention.bytes = 1GB, segment.ms=DEFAULT)",
         "TOPIC=a SET=SET CONFIG=retention.bytes VALUE=1GB CONFIG=segment.ms VALUE=DEFAULT"},
        {STATEMENT_ALTER_TOPIC, "ALTER TOPIC a RESET (x,y)",
         "TOPIC=a RESET=RESET CONFIG=x CONFIG=y"},
        {STATEMENT_ALTER_TOPIC, "ALTER TOPIC a RESET ALL", "TOPIC=a RESET=ALL ALL=ALL"},
        {STATEMENT_ALTER_TOPIC, "ALTER TOPIC a APPEND (cleanup.policy=compact)",
         "TOPIC=a APPEND=APPEND CONFIG=cleanup.policy VALUE=compact"},
        {STATEMENT_ALTER_TOPIC, "ALTER TOPIC a SUBTRACT (cleanup.policy=compact)",
         "TOPIC=a SUBTRACT=SUBTRACT CONFIG=cleanup.policy VALUE=compact"},
        {STATEMENT_ALTER_TOPIC, "ALTER TOPIC a REASSIGN TO (1,2)",
         "TOPIC=a REASSIGN=REASSIGN REPLICAS=1 REPLICAS=2"},
        {STATEMENT_ALTER_TOPIC, "ALTER TOPIC a REASSIGN PARTITION 0,3 TO (1)",
         "TOPIC=a REASSIGN=REASSIGN PARTITION=0 PARTITION=3 REPLICAS=1"},
        {STATEMENT_ALTER_TOPIC, "ALTER TOPIC a REPLICATION FACTOR 3", "TOPIC=a FACTOR=3"},
        {STATEMENT_ALTER_TOPIC, "ALTER TOPIC a MOVE PARTITION 1 ON BROKER 2 TO DIRECTORY '/d'",
         "TOPIC=a MOVE=MOVE PARTITION=1 BROKER=2 DIRECTORY='/d'"},
        {STATEMENT_DROP_TOPIC, "DROP TOPIC IF EXISTS a, 'tmp-*'",
         "IF=EXISTS TOPIC=a TOPIC='tmp-*'"},
        {STATEMENT_DROP_TOPIC, "DROP TOPIC ID 'x','y'", "ID='x' ID='y'"},
        {STATEMENT_DROP_TOPIC, "DROP TOPIC id", "TOPIC=id"},
        {STATEMENT_DROP_TOPIC, "DROP TOPIC if", "TOPIC=if"},
        {STATEMENT_TRUNCATE_TOPIC, "TRUNCATE TOPIC a", "TOPIC=a"},
        {STATEMENT_TRUNCATE_TOPIC, "TRUNCATE TOPIC a PARTITION 0,1 BEFORE OFFSET 10",
         "TOPIC=a PARTITION=0 PARTITION=1 OFFSET=10"},
        {STATEMENT_TRUNCATE_TOPIC, "TRUNCATE TOPIC a BEFORE TIMESTAMP 2025-01-01T00:00:00+01:00",
         "TOPIC=a TIMESTAMP=2025-01-01T00:00:00+01:00"},
        {STATEMENT_SHOW_LIST, "SHOW TOPICS", "TOPICS=TOPICS"},
        {STATEMENT_SHOW_LIST, "SHOW workers LIKE 'c*'", "WORKERS=workers PATTERN='c*'"},
        {STATEMENT_DESCRIBE, "DESCRIBE TOPIC my-topic.v1;", "TOPICS=TOPIC TOPIC=my-topic.v1"},
        {STATEMENT_DESCRIBE, "DESCRIBE GROUP g", "GROUPS=GROUP GROUP=g"},
        {STATEMENT_DESCRIBE, "DESCRIBE BROKER 1", "BROKERS=BROKER BROKER=1"},
        {STATEMENT_DESCRIBE, "DESCRIBE USER", "USERS=USER"},
        {STATEMENT_DESCRIBE, "DESCRIBE TRANSACTION t", "TRANSACTIONS=TRANSACTION TRANSACTION=t"},
        {STATEMENT_DESCRIBE, "DESCRIBE CLUSTER", "CLUSTER=CLUSTER"},
        {STATEMENT_SHOW_SETTING, "SHOW log.retention.ms", "SETTING=log.retention.ms"},
        {STATEMENT_SHOW_SETTING, "SHOW ALL RAW WITH HELP", "ALL=ALL RAW=RAW HELP=HELP"},
        {STATEMENT_SHOW_CONFIG, "SHOW CONFIG FOR TOPIC t ALL", "TOPIC=t ALL=ALL"},
        {STATEMENT_SHOW_CONFIG, "SHOW CONFIG FOR BROKER 1", "BROKER=1"},
        {STATEMENT_SHOW_CONFIG, "SHOW CONFIG FOR BROKER DEFAULT", "DEFAULT=DEFAULT"},
        {STATEMENT_SHOW_CONFIG, "SHOW CONFIG FOR GROUP g", "GROUP=g"},
        {STATEMENT_SHOW_CONFIG, "SHOW CONFIG FOR LOGGER ON 1", "LOGGER=LOGGER BROKER=1"},
        {STATEMENT_SHOW_CONFIG, "SHOW CONFIG FOR CLIENT METRICS m", "METRICS=m"},
        {STATEMENT_ALTER_CONFIG, "ALTER BROKER 1 SET (a.b=1)",
         "BROKER=1 SET=SET CONFIG=a.b VALUE=1"},
        {STATEMENT_ALTER_CONFIG, "ALTER BROKER DEFAULT RESET (a.b)",
         "DEFAULT=DEFAULT RESET=RESET CONFIG=a.b"},
        {STATEMENT_ALTER_CONFIG, "ALTER GROUP g SET (a=-1)", "GROUP=g SET=SET CONFIG=a VALUE=-1"},
        {STATEMENT_ALTER_CONFIG, "ALTER CLIENT METRICS m APPEND (match='a=b')",
         "METRICS=m APPEND=APPEND CONFIG=match VALUE='a=b'"},
        {STATEMENT_ALTER_LOGGER, "ALTER LOGGER replica ON BROKER 1,2 SET LEVEL DEBUG",
         "LOGGER=replica BROKER=1 BROKER=2 LEVEL=DEBUG"},
        {STATEMENT_ALTER_LOGGER, "ALTER LOGGER root ON ALL RESET",
         "LOGGER=root ALL=ALL RESET=RESET"},
        {STATEMENT_ALTER_SYSTEM, "ALTER SYSTEM SET log.retention.ms = 7d",
         "SETTING=log.retention.ms VALUE=7d"},
        {STATEMENT_ALTER_SYSTEM, "ALTER SYSTEM SET a TO 'b'", "SETTING=a VALUE='b'"},
        {STATEMENT_ALTER_SYSTEM, "ALTER SYSTEM RESET a", "RESET=RESET SETTING=a"},
        {STATEMENT_ALTER_SYSTEM, "ALTER SYSTEM RESET ALL", "RESET=ALL ALL=ALL"},
        {STATEMENT_SET, "SET value_format = hex", "VARIABLE=value_format VALUE=hex"},
        {STATEMENT_SET, "SET TIMEZONE 'Europe/Berlin'", "TIMEZONE=TIMEZONE VALUE='Europe/Berlin'"},
        {STATEMENT_SET, "SET timezone TO UTC", "TIMEZONE=timezone VALUE=UTC"},
        {STATEMENT_SET_THROTTLE, "SET REASSIGN THROTTLE 10MB", "THROTTLE=10MB"},
        {STATEMENT_SET_THROTTLE, "SET REASSIGN THROTTLE NONE", "NONE=NONE"},
        {STATEMENT_RESET_OFFSETS, "ALTER GROUP g RESET OFFSETS TO EARLIEST",
         "GROUP=g RESET=OFFSETS EARLIEST=EARLIEST"},
        {STATEMENT_RESET_OFFSETS,
         "ALTER GROUP g RESET OFFSETS FOR TOPIC t PARTITION 0,1, TOPIC u, v PARTITION 2 TO OFFSET "
         "5 DRY RUN",
         "GROUP=g RESET=OFFSETS TOPIC=t PARTITION=0 PARTITION=1 TOPIC=u TOPIC=v PARTITION=2 "
         "OFFSET=5 DRY=RUN"},
        {STATEMENT_RESET_OFFSETS, "ALTER GROUP g RESET OFFSETS ALL TOPICS TO SHIFT BY -5",
         "GROUP=g RESET=OFFSETS ALL=TOPICS SHIFT=-5"},
        {STATEMENT_RESET_OFFSETS, "ALTER GROUP g RESET OFFSETS TO TIMESTAMP '2025-01-01'",
         "GROUP=g RESET=OFFSETS TIMESTAMP='2025-01-01'"},
        {STATEMENT_RESET_OFFSETS, "ALTER GROUP g RESET OFFSETS TO DURATION 'P1D'",
         "GROUP=g RESET=OFFSETS DURATION='P1D'"},
        {STATEMENT_RESET_OFFSETS, "ALTER GROUP g RESET OFFSETS TO FILE 'x.csv'",
         "GROUP=g RESET=OFFSETS FILE='x.csv'"},
        {STATEMENT_RESET_OFFSETS, "ALTER GROUP g RESET OFFSETS TO LATEST",
         "GROUP=g RESET=OFFSETS LATEST=LATEST"},
        {STATEMENT_RESET_OFFSETS, "ALTER GROUP g RESET OFFSETS TO CURRENT",
         "GROUP=g RESET=OFFSETS CURRENT=CURRENT"},
        {STATEMENT_DELETE_OFFSETS, "ALTER GROUP g DELETE OFFSETS FOR TOPIC t PARTITION 1",
         "GROUP=g TOPIC=t PARTITION=1"},
        {STATEMENT_REMOVE_MEMBER, "ALTER GROUP g REMOVE MEMBER ALL", "GROUP=g ALL=ALL"},
        {STATEMENT_REMOVE_MEMBER, "ALTER GROUP g REMOVE MEMBER INSTANCE 'i'",
         "GROUP=g INSTANCE='i'"},
        {STATEMENT_REMOVE_MEMBER, "ALTER GROUP g REMOVE MEMBER c-1-2", "GROUP=g MEMBER=c-1-2"},
        {STATEMENT_DROP_GROUP, "DROP GROUP IF EXISTS a,b", "IF=EXISTS GROUP=a GROUP=b"},
        {STATEMENT_CREATE_USER, "CREATE USER alice PASSWORD 'x'",
         "USER=alice PROMPT=PASSWORD PASSWORD='x'"},
        {STATEMENT_CREATE_USER,
         "CREATE USER alice WITH ENCRYPTED PASSWORD PROMPT MECHANISM SCRAM-SHA-256 ITERATIONS 4096",
         "USER=alice PROMPT=PASSWORD MECHANISM=SCRAM-SHA-256 ITERATIONS=4096"},
        {STATEMENT_ALTER_USER, "ALTER USER alice PASSWORD 'y' MECHANISM ALL",
         "USER=alice PROMPT=PASSWORD PASSWORD='y'"},
        {STATEMENT_DROP_USER, "DROP USER IF EXISTS a,b CASCADE MECHANISM SCRAM-SHA-512",
         "IF=EXISTS USER=a USER=b CASCADE=CASCADE MECHANISM=SCRAM-SHA-512"},
        {STATEMENT_GRANT_SET, "GRANT CONSUMER ON TOPIC t GROUP g TO alice",
         "CONSUMER=CONSUMER TOPICS=TOPIC NAME=t GROUPS=GROUP NAME=g PRINCIPAL=alice"},
        {STATEMENT_GRANT_SET,
         "GRANT PRODUCER IDEMPOTENT ON TOPIC PREFIX 'p' TO 'User:x' FROM HOST '1.2.3.4'",
         "PRODUCER=PRODUCER IDEMPOTENT=IDEMPOTENT TOPICS=TOPIC PREFIX='p' PRINCIPAL='User:x' "
         "HOST='1.2.3.4'"},
        {STATEMENT_GRANT_SET, "REVOKE CONSUMER ON TOPIC t GROUP g FROM alice",
         "RESET=REVOKE CONSUMER=CONSUMER TOPICS=TOPIC NAME=t GROUPS=GROUP NAME=g PRINCIPAL=alice"},
        {STATEMENT_GRANT,
         "GRANT read, DESCRIBE_CONFIGS ON TOPIC t, \"GROUP\", GROUP g, CLUSTER TO alice, EVERYONE",
         "OPERATION=read OPERATION=DESCRIBE_CONFIGS TOPICS=TOPIC NAME=t NAME=\"GROUP\" "
         "GROUPS=GROUP NAME=g "
         "CLUSTER=CLUSTER PRINCIPAL=alice EVERYONE=EVERYONE"},
        {STATEMENT_GRANT, "GRANT ALL ON TRANSACTIONAL ID ALL TO a",
         "OPERATION=ALL TRANSACTIONAL=ID ALL=ALL PRINCIPAL=a"},
        {STATEMENT_GRANT, "DENY WRITE ON CLUSTER TO a",
         "DENY=DENY OPERATION=WRITE CLUSTER=CLUSTER PRINCIPAL=a"},
        {STATEMENT_GRANT, "GRANT DESCRIBE ON DELEGATION TOKEN x TO a",
         "OPERATION=DESCRIBE TOKEN=TOKEN NAME=x PRINCIPAL=a"},
        {STATEMENT_REVOKE, "REVOKE DENY READ ON USER u FROM a",
         "DENY=DENY OPERATION=READ USERS=USER NAME=u PRINCIPAL=a"},
        {STATEMENT_REVOKE, "REVOKE ALL ON TOPIC t FROM a",
         "OPERATION=ALL TOPICS=TOPIC NAME=t PRINCIPAL=a"},
        {STATEMENT_REVOKE_ALL, "REVOKE ALL FROM a", "PRINCIPAL=a"},
        {STATEMENT_CREATE_TOKEN, "CREATE TOKEN FOR 'User:x' RENEWERS (a,b) LIFETIME '1d'",
         "USER='User:x' RENEWER=a RENEWER=b LIFETIME='1d'"},
        {STATEMENT_RENEW_TOKEN, "RENEW TOKEN 'h' LIFETIME 1d", "HMAC='h' LIFETIME=1d"},
        {STATEMENT_EXPIRE_TOKEN, "EXPIRE TOKEN 'h'", "HMAC='h'"},
        {STATEMENT_ALTER_QUOTA,
         "ALTER QUOTA FOR USER u CLIENT DEFAULT SET (producer_byte_rate=1MB)",
         "USERS=USER USER=u CLIENT=CLIENT DEFAULT=DEFAULT SET=SET QUOTA=producer_byte_rate "
         "VALUE=1MB"},
        {STATEMENT_ALTER_QUOTA, "ALTER QUOTA FOR IP '10.0.0.1' RESET (ALL)",
         "IP=IP HOST='10.0.0.1' RESET=RESET ALL=ALL"},
        {STATEMENT_ALTER_QUOTA, "ALTER QUOTA FOR CLIENT c RESET (a,b)",
         "CLIENT=CLIENT CLIENT=c RESET=RESET QUOTA=a QUOTA=b"},
        {STATEMENT_REASSIGN, "REASSIGN FROM 'p.json' THROTTLE 10MB WAIT",
         "FILE='p.json' THROTTLE=10MB WAIT=WAIT"},
        {STATEMENT_REASSIGN, "REASSIGN TOPIC a,b TO BROKERS (1,2) BATCH 5 PLAN ONLY",
         "TOPIC=a TOPIC=b REPLICAS=1 REPLICAS=2 BATCH=5 PLAN=ONLY"},
        {STATEMENT_REASSIGN, "REASSIGN BROKER 3 DRAIN", "BROKER=3 DRAIN=DRAIN"},
        {STATEMENT_REASSIGN, "REASSIGN BALANCE TOPIC a", "BALANCE=BALANCE TOPIC=a"},
        {STATEMENT_CANCEL_REASSIGN, "CANCEL REASSIGN ALL", "ALL=ALL"},
        {STATEMENT_CANCEL_REASSIGN, "CANCEL REASSIGN TOPIC t PARTITION 1", "TOPIC=t PARTITION=1"},
        {STATEMENT_ELECT, "ELECT PREFERRED LEADER FOR ALL", "PREFERRED=PREFERRED ALL=ALL"},
        {STATEMENT_ELECT, "ELECT UNCLEAN LEADER FOR TOPIC t PARTITION 1, u",
         "UNCLEAN=UNCLEAN TOPIC=t PARTITION=1 TOPIC=u"},
        {STATEMENT_ABORT_TRANSACTION, "ABORT TRANSACTION 'x'", "TRANSACTION='x'"},
        {STATEMENT_ABORT_TRANSACTION, "ABORT TRANSACTION ON t PARTITION 0 PRODUCER 77",
         "TOPIC=t PARTITION=0 PRODUCER=77"},
        {STATEMENT_FIND_HANGING, "FIND HANGING TRANSACTIONS ON BROKER 1 OLDER THAN '15min'",
         "BROKER=1 DURATION='15min'"},
        {STATEMENT_UNREGISTER, "UNREGISTER BROKER 3", "BROKER=3"},
        {STATEMENT_ADD_VOTER, "ADD VOTER 3 DIRECTORY 'u'", "BROKER=3 DIRECTORY='u'"},
        {STATEMENT_REMOVE_VOTER, "REMOVE VOTER 3 DIRECTORY 'u'", "BROKER=3 DIRECTORY='u'"},
        {STATEMENT_FEATURE, "UPGRADE FEATURE group.version TO 1",
         "UPGRADE=UPGRADE FEATURE=group.version LEVEL=1"},
        {STATEMENT_FEATURE, "DOWNGRADE FEATURE x TO 0 UNSAFE",
         "DOWNGRADE=DOWNGRADE FEATURE=x LEVEL=0 UNSAFE=UNSAFE"},
        {STATEMENT_CREATE_METRICS, "CREATE CLIENT METRICS m WITH (metrics='*', interval.ms=10s)",
         "METRICS=m CONFIG=metrics VALUE='*' CONFIG=interval.ms VALUE=10s"},
        {STATEMENT_DROP_METRICS, "DROP CLIENT METRICS m", "METRICS=m"},
        {STATEMENT_PRODUCE, "PRODUCE INTO t PARTITION 1 KEY k HEADER h=v, 'x y'='' VALUE E'a\\nb'",
         "TOPIC=t PARTITION=1 KEY=k HEADER=h VALUE=v HEADER='x y' VALUE='' VALUE='a\nb'"},
        {STATEMENT_PRODUCE, "PRODUCE INTO t VALUE $a$it's $$ here$a$",
         "TOPIC=t VALUE='it's $$ here'"},
        {STATEMENT_EXPLAIN_RETENTION, "EXPLAIN RETENTION FOR TOPIC t PARTITION 0",
         "TOPIC=t PARTITION=0"},
        {STATEMENT_EXPLAIN_REPLICA, "EXPLAIN REPLICA FOR TOPIC t PARTITION 0 ON BROKER 1",
         "TOPIC=t PARTITION=0 BROKER=1"},
    };
    bool seen[STATEMENT_COUNT] = {false};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Arena *arena = arena_new(4096, 0);
        Statement s;
        StatementError error;
        StrBuf out;

        strbuf_init(&out, 4096, NULL);
        if (statement_parse(strview_from(rows[i].text), arena, &s, &error) != 0)
            fail_msg("%s: %d: %s (%s)", rows[i].text, error.position, error.message, error.hint);
        dump(&s, &out);
        assert_string_equal(out.ptr, rows[i].items);
        assert_int_equal(s.kind, rows[i].kind);
        assert_false(s.explain);
        seen[s.kind] = true;
        strbuf_release(&out);
        arena_free(arena);
    }
    for (int kind = 0; kind < STATEMENT_COUNT; kind++)
        assert_true(seen[kind] || kind == STATEMENT_EXPLAIN);
}

static void
explain_stands_before_any(void **state)
{
    Arena *arena = arena_new(4096, 0);
    Statement s;
    StatementError error;

    (void)state;
    assert_int_equal(statement_parse(STRVIEW("EXPLAIN DROP TOPIC a"), arena, &s, &error), 0);
    assert_true(s.explain && s.kind == STATEMENT_DROP_TOPIC);
    assert_int_equal(statement_parse(STRVIEW("EXPLAIN"), arena, &s, &error), -1);
    assert_string_equal(error.message, "syntax error at end of input");
    assert_int_equal(statement_parse(STRVIEW("EXPLAIN EXPLAIN DROP TOPIC a"), arena, &s, &error),
                     -1);
    assert_int_equal(error.position, 16);
    arena_free(arena);
}

static void
every_error_has_its_place(void **state)
{
    static const struct {
        const char *text;
        int32_t position;
        const char *message, *hint;
    } rows[] = {
        {"", 0, "syntax error at end of input", ""},
        {"CREAT TOPIC a", 0, "syntax error at or near \"CREAT\"", "Perhaps you meant CREATE."},
        {"zzz", 0, "syntax error at or near \"zzz\"", ""},
        {"CREATE TOPIC", 12, "syntax error at end of input", "Expected IF or a name."},
        {"CREATE TOPIC ;", 12, "syntax error at end of input", "Expected IF or a name."},
        {"CREATE TOPIC 1a", 13, "syntax error at or near \"1a\"", "Expected IF or a name."},
        {"CREATE TOPIC a PARTITION 3", 15, "syntax error at or near \"PARTITION\"",
         "Expected \",\", PARTITIONS, REPLICATION, REPLICAS, LIKE, WITH or VALIDATE."},
        {"CREATE TOPIC a PARTITIONS x", 26, "syntax error at or near \"x\"", "Expected a number."},
        {"UNREGISTER BROKER 4294967297", 18, "syntax error at or near \"4294967297\"",
         "Expected a broker id."},
        {"CREATE TOPIC a PARTITIONS -1", 26, "syntax error at or near \"-1\"",
         "Expected a number."},
        {"CREATE TOPIC a PARTITIONS 3 PARTITIONS 4", 28, "syntax error at or near \"PARTITIONS\"",
         "Expected REPLICATION, REPLICAS, LIKE, WITH or VALIDATE."},
        {"CREATE TOPIC x WITH (a = 1", 26, "syntax error at end of input",
         "Expected \",\" or \")\"."},
        {"CREATE TOPIC x WITH (a 1)", 23, "syntax error at or near \"1\"", "Expected \"=\"."},
        {"CREATE TOPIC x WITH (a = )", 25, "syntax error at or near \")\"", "Expected a value."},
        {"CREATE TOPIC a REPLICAS (1,2)", 25, "syntax error at or near \"1\"", "Expected \"(\"."},
        {"DROP TOPIC a b", 13, "syntax error at or near \"b\"", "Expected \",\"."},
        {"DROP TOPIC a,", 13, "syntax error at end of input", "Expected a topic name."},
        {"DROP TOPIC tmp-*", 15, "syntax error at or near \"*\"", "Expected \",\"."},
        {"DROP TOPIC IF NOT EXISTS a", 14, "syntax error at or near \"NOT\"", NULL},
        {"ALTER SYSTEM SET a 1", 19, "syntax error at or near \"1\"", "Expected \"=\" or TO."},
        {"ALTER GROUP g RESET OFFSETS TO", 30, "syntax error at end of input", NULL},
        {"ALTER GROUP g RESET OFFSETS TO SHIFT BY x", 40, "syntax error at or near \"x\"",
         "Expected a number."},
        {"CREATE USER a PASSWORD x", 23, "syntax error at or near \"x\"", NULL},
        {"GRANT FLY ON TOPIC t TO a", 6, "syntax error at or near \"FLY\"",
         "Expected PRODUCER, CONSUMER, ALL or an operation."},
        {"GRANT READ ON TOPIC t", 21, "syntax error at end of input", "Expected \",\" or TO."},
        {"PRODUCE INTO t VALUE 'abc", 21, "unterminated quoted string", ""},
        {"PRODUCE INTO t VALUE $x$abc", 21, "unterminated dollar-quoted string", ""},
        {"DROP TOPIC \"a", 11, "unterminated quoted identifier", ""},
        {"DROP TOPIC \"\"", 11, "zero-length quoted identifier", ""},
        {"DROP TOPIC a /* /* x */", 13, "unterminated /* comment", ""},
        {"DROP TOPIC a; DROP TOPIC b", 12, "more than one statement", ""},
        {"EXPLAIN RETENTION FOR t", 22, "syntax error at or near \"t\"", "Expected TOPIC."},
        {"EXPLAIN DROP TOPIC", 18, "syntax error at end of input",
         "Expected IF, ID or a topic name."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Arena *arena = arena_new(4096, 0);
        Statement s;
        StatementError error;

        if (statement_parse(strview_from(rows[i].text), arena, &s, &error) != -1)
            fail_msg("no error: %s", rows[i].text);
        assert_string_equal(error.message, rows[i].message);
        if (error.position != rows[i].position)
            fail_msg("%s: at %d", rows[i].text, error.position);
        if (rows[i].hint != NULL)
            assert_string_equal(error.hint, rows[i].hint);
        arena_free(arena);
    }
}

static void
items_are_found_by_name(void **state)
{
    Arena *arena = arena_new(4096, 0);
    Statement s;
    StatementError error;

    (void)state;
    assert_int_equal(statement_parse(STRVIEW("CREATE TOPIC a, b PARTITIONS 3"), arena, &s, &error),
                     0);
    assert_true(statement_has(&s, ITEM_PARTITIONS) && !statement_has(&s, ITEM_IF));
    assert_int_equal(statement_number_of(&s, ITEM_PARTITIONS, -1), 3);
    assert_int_equal(statement_number_of(&s, ITEM_FACTOR, -1), -1);
    assert_int_equal(statement_count_of(&s, ITEM_TOPIC), 2);
    assert_int_equal(statement_find(&s, ITEM_TOPIC, 1), 1);
    assert_true(strview_equal(statement_text_of(&s, ITEM_TOPIC), STRVIEW("a")));
    assert_null(statement_text_of(&s, ITEM_GROUP).ptr);
    arena_free(arena);
}

/* A statement cut anywhere is an error at its end, or a shorter statement; never more. */
static void
every_prefix_ends(void **state)
{
    static const char text[] =
        "ALTER GROUP g RESET OFFSETS FOR TOPIC t PARTITION 0,1, u TO TIMESTAMP E'2025\\n' DRY RUN";

    (void)state;
    for (int32_t len = 0; len < (int32_t)sizeof text - 1; len++) {
        Arena *arena = arena_new(4096, 0);
        Statement s;
        StatementError error;

        if (statement_parse((StrView){text, len}, arena, &s, &error) != 0)
            assert_true(error.position <= len && error.message[0] != '\0');
        arena_free(arena);
    }
}

static void
collect(void *arg, const StatementHint *h)
{
    strbuf_printf(arg, " %s", h->keyword != NULL ? h->keyword : want_names[h->want]);
    if (h->context.ptr != NULL)
        strbuf_printf(arg, "(%.*s)", (int)h->context.len, h->context.ptr);
}

static void
completion_follows_the_grammar(void **state)
{
    static const struct {
        const char *text;
        int32_t start;
        const char *hints;
    } rows[] = {
        {"ALTER TOPIC ord", 12, " TOPIC"},
        {"ALTER TOPIC orders SET (ret", 24, " TOPIC_CONFIG"},
        {"ALTER TOPIC orders SET (cleanup.policy = ", 41, " CONFIG_VALUE(cleanup.policy)"},
        {"ALTER TOPIC orders SET (cleanup.policy = c", 41, " CONFIG_VALUE(cleanup.policy)"},
        {"DROP ", 5, " CLIENT GROUP TOPIC USER"},
        {"DROP T", 5, " CLIENT GROUP TOPIC USER"},
        {"DESCRIBE TOPIC 'a", 15, " TOPIC ;"},
        {"EXPLAIN DROP GROUP ", 19, " IF GROUP"},
        {"CREATE TOPIC a PARTITIONS 3 ", 28, " REPLICATION REPLICAS LIKE WITH VALIDATE ;"},
        {"REMOVE VOTER 3", 13, " BROKER"},
        {"REVOKE GRANT ", 13,
         " ALL READ WRITE CREATE DELETE ALTER DESCRIBE CLUSTERACTION DESCRIBECONFIGS ALTERCONFIGS "
         "IDEMPOTENTWRITE CREATETOKENS DESCRIBETOKENS"},
        {"no such thing ", 14, ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        StrBuf out;
        int32_t start;

        strbuf_init(&out, 65536, NULL);
        start = statement_complete(strview_from(rows[i].text), (int32_t)strlen(rows[i].text),
                                   collect, &out);
        assert_string_equal(out.ptr, rows[i].hints);
        assert_int_equal(start, rows[i].start);
        strbuf_release(&out);
    }
}

static void
routing_looks_at_the_first_words(void **state)
{
    static const char *const ours[] = {"CREATE TOPIC a",
                                       "  /* x */ drop group g",
                                       "EXPLAIN DROP TOPIC a",
                                       "explain retention for topic t",
                                       "SHOW ALL",
                                       "-- c\nSET a = 1",
                                       "EXPLAIN"};
    static const char *const others[] = {"SELECT 1",
                                         "EXPLAIN SELECT 1",
                                         "EXPLAIN QUERY PLAN SELECT 1",
                                         "CREATE TEMP TABLE a",
                                         "",
                                         "foo",
                                         "EXPLAIN with x as (select 1) select 1"};

    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++)
        assert_true(statement_knows(strview_from(ours[i])));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_false(statement_knows(strview_from(others[i])));
}

static void
help_is_the_grammar(void **state)
{
    const char *names[STATEMENT_NAMES_MAX];
    int32_t count = statement_names(names, STATEMENT_NAMES_MAX);
    StrBuf out;

    (void)state;
    strbuf_init(&out, 65536, NULL);
    assert_true(statement_help(STRVIEW("drop topic"), &out));
    assert_string_equal(out.ptr, "Command:     DROP TOPIC\n"
                                 "Description: remove topics with their records\n"
                                 "Syntax:\n"
                                 "DROP TOPIC [ IF EXISTS ] { ID 'id' [, ...] | topic [, ...] }\n");
    strbuf_clear(&out);
    assert_false(statement_help(STRVIEW("DROP TOPICS"), &out));
    for (int32_t i = 0; i < count; i++) {
        strbuf_clear(&out);
        assert_true(statement_help(strview_from(names[i]), &out));
        assert_null(strpbrk(out.ptr, "@<>*"));
        assert_true(i == 0 || strcmp(names[i - 1], names[i]) < 0);
    }
    assert_true(count > 35);
    strbuf_clear(&out);
    assert_true(statement_help(STRVIEW(""), &out));
    strbuf_release(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form),
        cmocka_unit_test(explain_stands_before_any),
        cmocka_unit_test(every_error_has_its_place),
        cmocka_unit_test(items_are_found_by_name),
        cmocka_unit_test(every_prefix_ends),
        cmocka_unit_test(completion_follows_the_grammar),
        cmocka_unit_test(routing_looks_at_the_first_words),
        cmocka_unit_test(help_is_the_grammar),
    };

    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
