/*
 * test_conf.c - settings are found, checked as Kafka checks them, read from all sources
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/common/vfs.h"

static char dir[] = "/tmp/ottla-test-conf-XXXXXX";

static const char *
write_file(const char *name, const char *text)
{
    static char path[200];
    ErrInfo err;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(vfs_replace_file(path,
                                      (BytesView){(const uint8_t *)text, (int32_t)strlen(text)},
                                      0600, VFS_NOT_SYNCED, &err),
                     0);
    return path;
}

static int
load(const ConfArgs *args, ConfReport *report)
{
    conf_report_init(report);
    return conf_load(args, report);
}

static int
load_assignment(const char *assignment)
{
    ConfArgs args = {.assignments = &assignment, .assignment_count = 1};
    ConfReport report;
    int rc = load(&args, &report);

    conf_report_release(&report);
    return rc;
}

static void
rows_are_sorted_and_their_defaults_valid(void **state)
{
    (void)state;
    for (int id = 0; id < CONF_ID_COUNT; id++) {
        const ConfRow *row = &conf_rows[id];
        ErrInfo err = {0};

        assert_non_null(row->name);
        assert_int_equal(conf_find(row->scope, strview_from(row->name)), id);
        if (row->default_text != NULL &&
            conf_check(row, strview_from(row->default_text), &err) != 0)
            assert_string_equal(err.text, "");
        assert_true(strlen(row->help) > 10);
    }
    assert_int_equal(conf_find(CONF_SCOPE_BROKER, STRVIEW("no.such")), -1);
    assert_int_equal(conf_find(CONF_SCOPE_TOPIC, STRVIEW("log.retention.ms")), -1);
    assert_int_equal(conf_find_loose(STRVIEW("LOG_Retention_ms")), CONF_LOG_RETENTION_MS);
    assert_int_equal(conf_find_loose(STRVIEW("huge.pages")), CONF_HUGE_PAGES);
}

static void
defaults_without_any_file(void **state)
{
    (void)state;
    conf_reset();
    assert_int_equal(conf_int32(CONF_NUM_PARTITIONS), 1);
    assert_int_equal(conf_int64(CONF_LOG_RETENTION_BYTES), -1);
    assert_true(conf_bool(CONF_AUTO_CREATE_TOPICS_ENABLE));
    assert_true(conf_double(CONF_LOG_CLEANER_MIN_CLEANABLE_RATIO) == 0.5);
    assert_string_equal(conf_str(CONF_LISTENERS), "PLAINTEXT://localhost:9092");
    assert_null(conf_str(CONF_LOG_DIRS));
    assert_string_equal(conf_str(CONF_SUPER_USERS), "");
    assert_false(conf_is_set(CONF_NUM_PARTITIONS));
    assert_null(conf_place(CONF_NUM_PARTITIONS));
    assert_int_equal(conf_int32(CONF_BROKER_SESSION_TIMEOUT_MS), 3000);
}

/* As recorded from Kafka in conformance/expected/configs.json. */
static void
topic_values_are_checked_as_kafka_does(void **state)
{
    static const struct {
        ConfId id;
        const char *good[6];
        const char *bad[6];
    } rows[] = {
        {TCONF_CLEANUP_POLICY,
         {"delete", "compact,delete", " compact , delete ", "", "delete,delete"},
         {"Compact", "compact,,delete", "none"}},
        {TCONF_RETENTION_MS,
         {"-1", "0", "9223372036854775807", "+5", " 5000 ", "0005000"},
         {"9223372036854775808", "1.5", "1e3", "0x10", "-2", ""}},
        {TCONF_RETENTION_BYTES, {"-1", "-2", "0"}, {"1GB"}},
        {TCONF_SEGMENT_BYTES, {"1048576", "2147483647"}, {"1048575", "2147483648", "0"}},
        {TCONF_COMPRESSION_TYPE, {"producer", "gzip", "uncompressed"}, {"none", "GZIP", ""}},
        {TCONF_MIN_CLEANABLE_DIRTY_RATIO, {"0", "1", "0.5", "NaN"}, {"1.01", "-0.1", "x"}},
        {TCONF_UNCLEAN_LEADER_ELECTION_ENABLE, {"true", "TRUE", "false"}, {"1", "", "on"}},
        {TCONF_MESSAGE_TIMESTAMP_TYPE, {"CreateTime", "LogAppendTime"}, {"createtime"}},
        {TCONF_COMPRESSION_GZIP_LEVEL, {"1", "9", "-1"}, {"0", "10"}},
        {TCONF_COMPRESSION_ZSTD_LEVEL, {"22", "-131072"}, {"23", "-131073"}},
        {TCONF_COMPRESSION_LZ4_LEVEL, {"17", "1"}, {"18", "0"}},
        {TCONF_LEADER_REPLICATION_THROTTLED_REPLICAS,
         {"*", "0:1,1:1", "", "0:1,"},
         {"0:", "abc", ":1", "1:x"}},
        {GCONF_SHARE_AUTO_OFFSET_RESET,
         {"latest", "by_duration:PT1H", "by_duration:P1DT2H3M4.5S"},
         {"Latest", "by_duration:", "by_duration:1h", "by_duration:P1H", "by_duration:PT"}},
        {MCONF_INTERVAL_MS, {"100", "3600000"}, {"99", "3600001"}},
        {CONF_GROUP_CONSUMER_MIGRATION_POLICY, {"Upgrade"}, {"up"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const ConfRow *row = &conf_rows[rows[i].id];

        for (int j = 0; j < 6 && rows[i].good[j] != NULL; j++)
            assert_int_equal(conf_check(row, strview_from(rows[i].good[j]), NULL), 0);
        for (int j = 0; j < 6 && rows[i].bad[j] != NULL; j++) {
            ErrInfo err;

            assert_int_equal(conf_check(row, strview_from(rows[i].bad[j]), &err),
                             OT_E_INVALID_CONFIG);
            assert_non_null(strstr(err.text, row->name));
        }
    }
    assert_int_equal(conf_check(&conf_rows[TCONF_RETENTION_MS], (StrView){NULL, 0}, NULL),
                     OT_E_INVALID_CONFIG);
    assert_int_equal(err_to_kafka(OT_E_INVALID_CONFIG), 40);
}

static void
canonical_forms_are_described(void **state)
{
    static const struct {
        ConfId id;
        const char *text, *shown;
    } rows[] = {{TCONF_CLEANUP_POLICY, "delete,delete", "delete"},
                {TCONF_CLEANUP_POLICY, " compact , delete ", "compact,delete"},
                {TCONF_CLEANUP_POLICY, "", ""},
                {TCONF_RETENTION_MS, " 0005000 ", "5000"},
                {TCONF_RETENTION_MS, "+5000", "5000"},
                {TCONF_PREALLOCATE, "TRUE", "true"},
                {TCONF_MIN_CLEANABLE_DIRTY_RATIO, "1", "1.0"}};
    Arena *arena = arena_new(1024, 0);

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_true(
            strview_equal(conf_canonical(&conf_rows[rows[i].id], strview_from(rows[i].text), arena),
                          strview_from(rows[i].shown)));
    arena_free(arena);
}

/* Long lists are no trouble; only what must not repeat is said once. */
static void
lists_have_no_bound_of_their_own(void **state)
{
    Arena *arena = arena_new(1024, 0);
    char text[32768];
    size_t len = 0;

    (void)state;
    while (len + 4 < sizeof text) {
        memcpy(text + len, "1:1,", 4);
        len += 4;
    }
    text[len - 1] = '\0';
    assert_int_equal(conf_check(&conf_rows[TCONF_LEADER_REPLICATION_THROTTLED_REPLICAS],
                                strview_from(text), NULL),
                     0);
    assert_true(
        strview_equal(conf_canonical(&conf_rows[TCONF_LEADER_REPLICATION_THROTTLED_REPLICAS],
                                     strview_from(text), arena),
                      strview_from(text)));
    memset(text, ',', len - 1);
    for (size_t i = 0; i < len - 1; i += 2)
        text[i] = i % 4 == 0 ? 'a' : 'b';
    text[len - 2] = 'a';
    assert_true(strview_equal(conf_canonical(&conf_rows[MCONF_METRICS], strview_from(text), arena),
                              STRVIEW("a,b")));
    arena_free(arena);
}

static StrView
find_some(void *arg, ConfSource source, const char *name)
{
    (void)arg;
    if (source == CONF_SOURCE_DYNAMIC_CLUSTER && strcmp(name, "log.retention.ms") == 0)
        return STRVIEW("2000");
    if (source == CONF_SOURCE_DYNAMIC_BROKER &&
        strcmp(name, "listener.name.a.max.connections") == 0)
        return STRVIEW("4");
    return (StrView){NULL, 0};
}

/* What Kafka 4.3.1 listed in the same situations. */
static void
synonyms_as_kafka_lists_them(void **state)
{
    const ConfLookup lookup = {find_some, NULL};
    ConfValue v[CONF_SYNONYMS_MAX];

    (void)state;
    assert_int_equal(load_assignment("log.retention.hours=1"), 0);
    assert_int_equal(conf_synonyms("log.retention.ms", NULL, v), 0);
    assert_int_equal(conf_synonyms("log.retention.ms", &lookup, v), 3);
    assert_string_equal(v[0].name, "log.retention.ms");
    assert_int_equal(v[0].source, CONF_SOURCE_DYNAMIC_CLUSTER);
    assert_string_equal(v[1].name, "log.retention.hours");
    assert_int_equal(v[1].source, CONF_SOURCE_STATIC);
    assert_int_equal(v[2].source, CONF_SOURCE_DEFAULT);
    assert_int_equal(conf_synonyms("log.retention.hours", &lookup, v), 2);
    assert_int_equal(conf_synonyms("listener.name.a.max.connections", &lookup, v), 2);
    assert_string_equal(v[1].name, "max.connections");
    assert_int_equal(conf_synonyms("no.such", &lookup, v), 0);
    conf_reset();
}

static void
live_values_lie_over_the_files(void **state)
{
    (void)state;
    assert_int_equal(load_assignment("log.segment.bytes=2MB"), 0);
    conf_live_put(STRVIEW("log.segment.bytes"), STRVIEW(" 3145728 "));
    conf_live_put(STRVIEW("log.cleaner.io.buffer.load.factor"), STRVIEW("0.5"));
    assert_int_equal(conf_int32(CONF_LOG_SEGMENT_BYTES), 3145728);
    assert_true(conf_double(CONF_LOG_CLEANER_IO_BUFFER_LOAD_FACTOR) == 0.5);
    assert_string_equal(conf_str(CONF_LOG_SEGMENT_BYTES), "3145728");
    /* What the files say is still known beneath. */
    assert_true(
        strview_equal(conf_resolve_static(CONF_LOG_SEGMENT_BYTES).text, STRVIEW("2097152")));
    conf_live_put(STRVIEW("log.segment.bytes"), STRVIEW("4194304"));
    assert_int_equal(conf_int32(CONF_LOG_SEGMENT_BYTES), 4194304);
    /* Left out: not valid, not to be changed, not known. */
    conf_live_put(STRVIEW("log.segment.bytes"), STRVIEW("5"));
    conf_live_put(STRVIEW("num.partitions"), STRVIEW("9"));
    conf_live_put(STRVIEW("no.such"), STRVIEW("9"));
    assert_int_equal(conf_int32(CONF_LOG_SEGMENT_BYTES), 4194304);
    assert_int_equal(conf_int32(CONF_NUM_PARTITIONS), 1);
    conf_live_put(STRVIEW("listener.name.a.max.connections"), STRVIEW("4"));
    conf_live_put(STRVIEW("listener.name.a.max.connections"), STRVIEW("5"));
    conf_live_put(STRVIEW("listener.name.a.max.connections"), STRVIEW("-5"));
    assert_string_equal(conf_extra_find("listener.name.a.max.connections"), "5");
    conf_live_clear();
    assert_int_equal(conf_int32(CONF_LOG_SEGMENT_BYTES), 2097152);
    assert_null(conf_extra_find("listener.name.a.max.connections"));
    conf_reset();
}

static void
passwords_are_never_shown(void **state)
{
    const char *assignment = "sasl.jaas.config=secret\x01";
    char big[40000];
    ErrInfo err;

    (void)state;
    memset(big, 's', sizeof big);
    assert_true(conf_check(&conf_rows[CONF_SASL_JAAS_CONFIG], (StrView){big, sizeof big}, &err) <
                0);
    assert_null(strstr(err.text, "sss"));
    assert_int_equal(load_assignment(assignment), 0);
    conf_reset();
}

static void
arguments_take_units_and_loose_names(void **state)
{
    (void)state;
    assert_int_equal(load_assignment("log.segment.bytes=1GB"), 0);
    assert_int_equal(conf_int32(CONF_LOG_SEGMENT_BYTES), 1 << 30);
    assert_string_equal(conf_str(CONF_LOG_SEGMENT_BYTES), "1073741824");
    assert_string_equal(conf_place(CONF_LOG_SEGMENT_BYTES), "command line");
    assert_int_equal(load_assignment("LOG_RETENTION_MS = 1.5d"), 0);
    assert_int_equal(conf_int64(CONF_LOG_RETENTION_MS), 129600000);
    assert_int_equal(conf_int32(CONF_LOG_SEGMENT_BYTES), 1 << 30);
    assert_false(conf_is_set(CONF_LOG_SEGMENT_BYTES));
    assert_int_equal(load_assignment("log.retention.hours=2d"), 0);
    assert_int_equal(conf_int32(CONF_LOG_RETENTION_HOURS), 48);
    assert_int_equal(load_assignment("auto.create.topics.enable=off"), 0);
    assert_false(conf_bool(CONF_AUTO_CREATE_TOPICS_ENABLE));
    assert_int_equal(load_assignment("acks.durability=DISK"), 0);
    assert_string_equal(conf_str(CONF_ACKS_DURABILITY), "disk");
    assert_int_equal(load_assignment("log.segment.bytes=1gb"), OT_E_CONFIG);
    assert_int_equal(load_assignment("log.segment.bytes=5"), OT_E_CONFIG);
    assert_int_equal(load_assignment("leader.replication.throttled.rate=5"), OT_E_CONFIG);
    assert_int_equal(load_assignment("log.roll.ms=0"), OT_E_CONFIG);
    assert_int_equal(load_assignment("log.roll.jitter.ms=-1"), OT_E_CONFIG);
    assert_int_equal(load_assignment("log.retention.ms=0"), OT_E_CONFIG);
    assert_int_equal(load_assignment("max.connections.per.ip=0"), OT_E_CONFIG);
    assert_int_equal(load_assignment("max.connections.per.ip.overrides=a"), OT_E_CONFIG);
    assert_int_equal(load_assignment("novalue"), OT_E_CONFIG);
    /* [C2] */
    assert_string_equal(conf_str(CONF_ACKS_DURABILITY), "disk");
    conf_reset();
}

static void
errors_name_file_line_setting_and_range(void **state)
{
    ConfArgs args = {0};
    ConfReport report;

    (void)state;
    args.file = write_file("bad.conf", "# comment\n"
                                       "num.partitions = 0\n"
                                       "log.retention.mss = 5\n"
                                       "log_dirs '/a''b'   # two spellings\n"
                                       "socket.request.max.bytes = 'open\n"
                                       "\n"
                                       "log.segment.bytes = 10kB\n");
    assert_int_equal(load(&args, &report), OT_E_CONFIG);
    assert_int_equal(report.error_count, 4);
    assert_non_null(
        strstr(report.errors.ptr, "bad.conf:2: num.partitions = \"0\": must be at least 1\n"));
    assert_non_null(strstr(report.errors.ptr, "bad.conf:3: unknown setting \"log.retention.mss\"; "
                                              "did you mean \"log.retention.ms\"?\n"));
    assert_non_null(strstr(report.errors.ptr, "bad.conf:5: "));
    assert_non_null(strstr(report.errors.ptr, "bad.conf:7: log.segment.bytes = \"10240\": must be "
                                              "at least 1048576; units: B, kB, MB, GB, TB\n"));
    conf_report_release(&report);
}

static void
sources_have_an_order(void **state)
{
    const char *assignments[] = {"num.partitions=7"};
    char properties[200], main_file[200], auto_file[200];
    ConfArgs args = {.properties = properties,
                     .file = main_file,
                     .auto_file = auto_file,
                     .assignments = assignments,
                     .assignment_count = 1,
                     .environment = true};
    ConfReport report;

    (void)state;
    (void)write_file("more.conf", "log.retention.bytes = 4\n");
    strcpy(properties, write_file("server.properties",
                                  "num.partitions=2\nlog.retention.bytes=2\nmessage.max.bytes=2\n"
                                  "log.roll.ms=2\n"));
    strcpy(main_file,
           write_file("ottla.conf", "log.retention.bytes 3\ninclude 'more.conf'\n"
                                    "message.max.bytes = 4kB\ninclude_if_exists 'none'\n"));
    strcpy(auto_file, write_file("ottla.auto.conf", "message.max.bytes = '5'\n"));
    setenv("OTTLA_CONF_LOG_ROLL_MS", "1", 1);
    setenv("OTTLA_CONF_LOG_INDEX_INTERVAL_BYTES", "1kB", 1);
    assert_int_equal(load(&args, &report), 0);
    assert_int_equal(conf_int32(CONF_NUM_PARTITIONS), 7);
    assert_int_equal(conf_int64(CONF_LOG_RETENTION_BYTES), 4);
    assert_int_equal(conf_int32(CONF_MESSAGE_MAX_BYTES), 5);
    assert_int_equal(conf_int64(CONF_LOG_ROLL_MS), 2);
    assert_int_equal(conf_int32(CONF_LOG_INDEX_INTERVAL_BYTES), 1024);
    assert_non_null(strstr(conf_place(CONF_LOG_RETENTION_BYTES), "more.conf:1"));
    conf_report_release(&report);
    unsetenv("OTTLA_CONF_LOG_ROLL_MS");
    unsetenv("OTTLA_CONF_LOG_INDEX_INTERVAL_BYTES");
    conf_reset();
}

static void
properties_follow_javas_rules(void **state)
{
    ConfArgs args = {0};
    ConfReport report;

    (void)state;
    args.properties = write_file("java.properties",
                                 "! comment\n  # another \\\nnum.partitions : 3\r\n"
                                 "log.dirs /a,\\\n    /b\n"
                                 "super.users=User\\:alice\\u0041;\\\n!no comment\n"
                                 "broker.rack = tail \n"
                                 "num.partitions=4\n"
                                 "no.such.thing=1\n"
                                 "log.segment.bytes=1048576\n"
                                 "zookeeper.connect=x\n"
                                 "process.roles=broker\n"
                                 "listener.name.plaintext.scram-sha-256.sasl.jaas.config=a b;\n"
                                 "listener.name.internal.ssl.client.auth=required\n");
    assert_int_equal(load(&args, &report), 0);
    assert_int_equal(conf_int32(CONF_NUM_PARTITIONS), 4);
    assert_string_equal(conf_str(CONF_LOG_DIRS), "/a,/b");
    assert_string_equal(conf_str(CONF_SUPER_USERS), "User:aliceA;!no comment");
    assert_string_equal(conf_extra_find("no.such.thing"), "1");
    assert_string_equal(conf_extra_find("listener.name.plaintext.scram-sha-256.sasl.jaas.config"),
                        "a b;");
    assert_int_equal(report.warning_count, 4); /* blank at the end, twice, unknown, gone */
    assert_non_null(strstr(report.warnings.ptr, "java.properties:10: unknown setting"));
    assert_null(strstr(report.later.ptr, "super.users"));
    assert_non_null(strstr(report.later.ptr, "listener.name.internal.ssl.client.auth"));
    assert_null(strstr(report.later.ptr, "log.segment.bytes"));
    conf_report_release(&report);

    args.properties = write_file("units.properties", "log.segment.bytes=1GB\nbroker.rack=\\u12\n"
                                                     "listener.name.x.ssl.client.auth=maybe\n");
    assert_int_equal(load(&args, &report), OT_E_CONFIG);
    assert_int_equal(report.error_count, 3);
    conf_report_release(&report);
    conf_reset();
}

#define CLASSES "org.apache.kafka.common.config.provider."

/* Providers may stand anywhere in the file; what they do not have stays as it is. */
static void
providers_fill_in_values(void **state)
{
    ConfArgs args = {0};
    ConfReport report;
    char text[2000], secrets[200];

    (void)state;
    snprintf(secrets, sizeof secrets, "%s",
             write_file("secrets.properties", "rack = wrong\nrack = r\\u0031\n"));
    setenv("OTTLA_TEST_BYTES", "123456", 1);
    snprintf(text, sizeof text,
             "broker.rack=a-${f:%s:rack}-${f:%s:none}-${other:x}-${open\n"
             "log.index.size.max.bytes=${env:OTTLA_TEST_BYTES}\n"
             "log.dirs=/x/${d:%s:one}\n"
             "super.users=${env:OTTLA_TEST_NOT_THERE}\n"
             "config.providers=env, f,d\n"
             "config.providers.env.class=" CLASSES "EnvVarConfigProvider\n"
             "config.providers.f.class=" CLASSES "FileConfigProvider\n"
             "config.providers.f.param.allowed.paths=/nowhere,%s/\n"
             "config.providers.d.class=" CLASSES "DirectoryConfigProvider\n",
             secrets, secrets, dir, dir);
    write_file("one", "first\n");
    args.properties = write_file("java.properties", text);
    assert_int_equal(load(&args, &report), 0);
    snprintf(text, sizeof text, "a-r1-${f:%s:none}-${other:x}-${open", secrets);
    assert_string_equal(conf_str(CONF_BROKER_RACK), text);
    assert_int_equal(conf_int32(CONF_LOG_INDEX_SIZE_MAX_BYTES), 123456);
    assert_string_equal(conf_str(CONF_LOG_DIRS), "/x/first");
    assert_string_equal(conf_str(CONF_SUPER_USERS), "${env:OTTLA_TEST_NOT_THERE}");
    assert_int_equal(report.warning_count, 2); /* what is not there */
    conf_report_release(&report);

    snprintf(text, sizeof text,
             "config.providers=f,x,n\n"
             "config.providers.f.class=" CLASSES "FileConfigProvider\n"
             "config.providers.f.param.allowed.paths=%s/below,/\n"
             "config.providers.x.class=com.example.Vault\n"
             "config.providers.y.class=" CLASSES "FileConfigProvider\n"
             "broker.rack=${f:%s/../secrets:rack}\n"
             "super.users=${f:/not/there:rack}\n",
             dir, dir);
    args.properties = write_file("java.properties", text);
    assert_int_equal(load(&args, &report), OT_E_CONFIG);
    assert_int_equal(report.error_count, 5);
    assert_non_null(strstr(report.errors.ptr, "java.properties:4: provider \"x\": no class"));
    assert_non_null(strstr(report.errors.ptr, "is not below its allowed.paths"));
    assert_non_null(strstr(report.errors.ptr, "java.properties:7: provider \"f\": "));
    conf_report_release(&report);
    unsetenv("OTTLA_TEST_BYTES");
    conf_reset();
}

/* A line that is no UTF-8 is ISO-8859-1; those around it are not. */
static void
old_files_are_read_as_latin1(void **state)
{
    ConfArgs args = {0};
    ConfReport report;

    (void)state;
    args.properties = write_file("java.properties", "broker.rack=\xe4\\\n \xc3\xb6\n"
                                                    "super.users=User:\xc3\xb6\n");
    assert_int_equal(load(&args, &report), 0);
    assert_string_equal(conf_str(CONF_BROKER_RACK), "\xc3\xa4\xc3\xb6");
    assert_string_equal(conf_str(CONF_SUPER_USERS), "User:\xc3\xb6");
    assert_int_equal(report.warning_count, 1);
    conf_report_release(&report);
    conf_reset();
}

static void
includes_end(void **state)
{
    ConfArgs args = {0};
    ConfReport report;

    (void)state;
    args.file = write_file("loop.conf", "include 'loop.conf'\n");
    assert_int_equal(load(&args, &report), OT_E_CONFIG);
    assert_int_equal(report.error_count, 1);
    assert_non_null(strstr(report.errors.ptr, "includes itself"));
    conf_report_release(&report);
    args.file = "/no/such/file";
    assert_int_equal(load(&args, &report), 0);
    conf_report_release(&report);
    args.file_required = true;
    assert_int_equal(load(&args, &report), OT_E_CONFIG);
    conf_report_release(&report);
    conf_reset();
}

static void
reload_keeps_what_needs_a_restart(void **state)
{
    ConfArgs args = {0};
    ConfReport report;

    (void)state;
    args.file = write_file("reload.conf", "max.partitions = 100\nnum.partitions = 2\n");
    assert_int_equal(load(&args, &report), 0);
    conf_report_release(&report);
    args.file = write_file("reload.conf", "max.partitions = 200\nnum.partitions = 3\n"
                                          "message.max.bytes = 9\n");
    conf_report_init(&report);
    assert_int_equal(conf_reload(&args, &report), 0);
    assert_int_equal(conf_int32(CONF_MAX_PARTITIONS), 100);
    assert_int_equal(conf_int32(CONF_NUM_PARTITIONS), 3);
    assert_int_equal(conf_int32(CONF_MESSAGE_MAX_BYTES), 9);
    assert_non_null(strstr(report.changes.ptr, "max.partitions needs a restart, still 100\n"));
    assert_non_null(strstr(report.changes.ptr, "num.partitions: 2 -> 3 ("));
    conf_report_release(&report);
    assert_true(conf_pending_restart(CONF_MAX_PARTITIONS));
    assert_false(conf_pending_restart(CONF_NUM_PARTITIONS));
    args.file = write_file("reload.conf", "max.partitions = 100\nnum.partitions = 3\n");
    conf_report_init(&report);
    assert_int_equal(conf_reload(&args, &report), 0);
    assert_false(conf_pending_restart(CONF_MAX_PARTITIONS));
    assert_non_null(strstr(report.changes.ptr, "message.max.bytes: 9 -> 1048588 (default)\n"));
    conf_report_release(&report);
    conf_reset();
}

/* What a running node makes of files with mistakes: bad values alone are left out, anything else stops it all. */
static void
reload_with_mistakes(void **state)
{
    ConfArgs args = {0};
    ConfReport report;

    (void)state;
    args.file = write_file("mend.conf", "num.partitions = 2\nlog.level.backend = debug1\n");
    assert_int_equal(load(&args, &report), 0);
    conf_report_release(&report);
    args.file = write_file("mend.conf", "num.partitions = x\nlog.level.backend = loud\n"
                                        "message.max.bytes = 9\nlog.level.raft = info\n");
    conf_report_init(&report);
    assert_int_equal(conf_reload(&args, &report), 0);
    assert_int_equal(report.error_count, 2);
    assert_int_equal(report.skipped_count, 2);
    assert_int_equal(conf_int32(CONF_NUM_PARTITIONS), 2);
    assert_int_equal(conf_int32(CONF_MESSAGE_MAX_BYTES), 9);
    assert_string_equal(conf_extra_find("log.level.backend"), "debug1");
    assert_non_null(strstr(report.changes.ptr, "log.level.raft: null -> info ("));
    assert_null(strstr(report.changes.ptr, "num.partitions"));
    conf_report_release(&report);
    static const char *const fatal[] = {"num.partitions = 5\nlog.dirs = 'open\n",
                                        "num.partitions = 5\nno.such.name = 1\n",
                                        "num.partitions = 5\ninclude 'gone.conf'\n",
                                        "num.partitions = 5\ngroup.min.session.timeout.ms = 1h\n"};
    for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
        args.file = write_file("mend.conf", fatal[i]);
        conf_report_init(&report);
        assert_int_equal(conf_reload(&args, &report), OT_E_CONFIG);
        assert_int_equal(conf_int32(CONF_NUM_PARTITIONS), 2);
        conf_report_release(&report);
    }
    args.file = write_file("mend.conf", "");
    conf_report_init(&report);
    assert_int_equal(conf_reload(&args, &report), 0);
    assert_non_null(strstr(report.changes.ptr, "log.level.backend: debug1 -> null (default)\n"));
    conf_report_release(&report);
    conf_reset();
}

/* A file of a broker under ZooKeeper is refused; one of a migrated broker, which names it still, is not. */
static void
zookeeper_files(void **state)
{
    ConfArgs args = {0};
    ConfReport report;

    (void)state;
    args.properties = write_file("zk.properties", "broker.id=3\nzookeeper.connect=zk:2181\n");
    assert_int_equal(load(&args, &report), OT_E_CONFIG);
    assert_non_null(strstr(report.errors.ptr, "zk.properties:2: zookeeper.connect without"));
    conf_report_release(&report);
    args.properties = write_file("zk.properties", "node.id=3\nzookeeper.connect=zk:2181\n"
                                                  "process.roles=broker,controller\n");
    assert_int_equal(load(&args, &report), 0);
    conf_report_release(&report);
    conf_reset();
}

static void
nearest_names(void **state)
{
    (void)state;
    assert_string_equal(conf_nearest(CONF_SCOPE_TOPIC, STRVIEW("retention.m")), "retention.ms");
    assert_string_equal(conf_nearest(CONF_SCOPE_BROKER, STRVIEW("listners")), "listeners");
    assert_null(conf_nearest(CONF_SCOPE_BROKER, STRVIEW("xyzzy.plugh.foo")));
}

static int
make_dir(void **state)
{
    (void)state;
    return mkdtemp(dir) == NULL;
}

static int
remove_dir(void **state)
{
    static const char *const names[] = {
        "bad.conf",           "more.conf", "server.properties", "ottla.conf",  "ottla.auto.conf",
        "java.properties",    "loop.conf", "units.properties",  "reload.conf", "one",
        "secrets.properties", "mend.conf", "zk.properties"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[200];

        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_their_defaults_valid),
        cmocka_unit_test(defaults_without_any_file),
        cmocka_unit_test(topic_values_are_checked_as_kafka_does),
        cmocka_unit_test(canonical_forms_are_described),
        cmocka_unit_test(lists_have_no_bound_of_their_own),
        cmocka_unit_test(synonyms_as_kafka_lists_them),
        cmocka_unit_test(live_values_lie_over_the_files),
        cmocka_unit_test(passwords_are_never_shown),
        cmocka_unit_test(arguments_take_units_and_loose_names),
        cmocka_unit_test(errors_name_file_line_setting_and_range),
        cmocka_unit_test(sources_have_an_order),
        cmocka_unit_test(properties_follow_javas_rules),
        cmocka_unit_test(providers_fill_in_values),
        cmocka_unit_test(old_files_are_read_as_latin1),
        cmocka_unit_test(includes_end),
        cmocka_unit_test(reload_keeps_what_needs_a_restart),
        cmocka_unit_test(reload_with_mistakes),
        cmocka_unit_test(zookeeper_files),
        cmocka_unit_test(nearest_names),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
