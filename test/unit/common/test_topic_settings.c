/*
 * test_topic_settings.c - overrides, dynamic, static and default values in their order
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/topic_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define PAIR(name, value)             \
    {                                 \
        STRVIEW(name), STRVIEW(value) \
    }
#define COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

/* With the defaults that a lookup of dynamic values gives. */
static int
resolve(const ConfPair *overrides, int count, const ConfLookup *lookup, TopicSettings *ret)
{
    Arena *arena = arena_new(1024, 65536);
    TopicDefaults defaults;
    int bad;

    topic_defaults_init(&defaults, lookup, arena);
    bad = topic_settings_resolve(overrides, count, &defaults, ret);
    arena_free(arena);
    return bad;
}

static int
check(const ConfPair *overrides, int count, const ConfLookup *lookup, ErrInfo *err)
{
    Arena *arena = arena_new(1024, 65536);
    TopicDefaults defaults;
    int rc;

    topic_defaults_init(&defaults, lookup, arena);
    rc = topic_settings_check(overrides, count, &defaults, err);
    arena_free(arena);
    return rc;
}

static void
set(const char *one, const char *two)
{
    const char *assignments[] = {one, two};
    ConfArgs args = {.assignments = assignments, .assignment_count = two == NULL ? 1 : 2};
    ConfReport report;

    conf_report_init(&report);
    assert_int_equal(conf_load(&args, &report), 0);
    conf_report_release(&report);
}

static void
kafkas_defaults(void **state)
{
    TopicSettings s;

    (void)state;
    conf_reset();
    assert_int_equal(resolve(NULL, 0, NULL, &s), 0);
    assert_int_equal(s.segment_bytes, 1073741824);
    assert_int_equal(s.segment_ms, 604800000);
    assert_int_equal(s.retention_ms, 604800000);
    assert_int_equal(s.retention_bytes, -1);
    assert_int_equal(s.max_message_bytes, 1048588);
    assert_int_equal(s.compression_type, TOPIC_COMPRESSION_PRODUCER);
    assert_int_equal(s.timestamp_type, TOPIC_CREATE_TIME);
    assert_int_equal(s.timestamp_after_max_ms, 3600000);
    assert_true(s.flush_ms == INT64_MAX && s.flush_messages == INT64_MAX);
    assert_true(s.cleanup_delete && !s.cleanup_compact);
    assert_int_equal(s.min_insync_replicas, 1);
}

static void
overrides_win(void **state)
{
    const ConfPair pairs[] = {PAIR("segment.bytes", " 2097152 "), PAIR("compression.type", "zstd"),
                              PAIR("cleanup.policy", "compact, delete"),
                              PAIR("message.timestamp.type", "LogAppendTime"),
                              PAIR("preallocate", "True")};
    const ConfPair small[] = {PAIR("internal.segment.bytes", "1000")};
    TopicSettings s;

    (void)state;
    set("log.segment.bytes=3MB", "compression.type=lz4");
    assert_int_equal(resolve(NULL, 0, NULL, &s), 0);
    assert_int_equal(s.segment_bytes, 3 << 20);
    assert_int_equal(s.compression_type, 3);
    assert_int_equal(check(pairs, COUNT(pairs), NULL, NULL), 0);
    assert_int_equal(resolve(pairs, COUNT(pairs), NULL, &s), 0);
    assert_int_equal(s.segment_bytes, 2097152);
    assert_int_equal(s.compression_type, 4);
    assert_true(s.cleanup_delete && s.cleanup_compact && s.preallocate);
    assert_int_equal(s.timestamp_type, TOPIC_LOG_APPEND_TIME);
    assert_int_equal(resolve(small, 1, NULL, &s), 0);
    assert_int_equal(s.segment_bytes, 1000);
    conf_reset();
}

static void
synonyms_in_their_order(void **state)
{
    TopicSettings s;

    (void)state;
    set("log.retention.hours=2", NULL);
    (void)resolve(NULL, 0, NULL, &s);
    assert_int_equal(s.retention_ms, 7200000);
    set("log.retention.hours=2", "log.retention.minutes=3");
    (void)resolve(NULL, 0, NULL, &s);
    assert_int_equal(s.retention_ms, 180000);
    set("log.retention.ms=5", "log.retention.minutes=3");
    (void)resolve(NULL, 0, NULL, &s);
    assert_int_equal(s.retention_ms, 5);
    set("log.retention.hours=-1", NULL);
    (void)resolve(NULL, 0, NULL, &s);
    assert_int_equal(s.retention_ms, -1);
    set("log.flush.scheduler.interval.ms=77", "log.roll.hours=1");
    (void)resolve(NULL, 0, NULL, &s);
    assert_int_equal(s.flush_ms, 77);
    assert_int_equal(s.segment_ms, 3600000);
    conf_reset();
}

/* Pretends dynamic values: message.max.bytes for the node and for all, log.retention.ms for all. */
static StrView
find_dynamic(void *arg, ConfSource source, const char *name)
{
    (void)arg;
    if (source == CONF_SOURCE_DYNAMIC_BROKER && strcmp(name, "message.max.bytes") == 0)
        return STRVIEW("100");
    if (source == CONF_SOURCE_DYNAMIC_CLUSTER && strcmp(name, "message.max.bytes") == 0)
        return STRVIEW("200");
    if (source == CONF_SOURCE_DYNAMIC_CLUSTER && strcmp(name, "log.retention.ms") == 0)
        return STRVIEW("300");
    return (StrView){NULL, 0};
}

static void
dynamic_values_beat_static_ones(void **state)
{
    const ConfLookup lookup = {find_dynamic, NULL};
    Arena *arena = arena_new(1024, 0);
    TopicSettings s;
    ConfValue value;

    (void)state;
    set("message.max.bytes=9", "log.roll.hours=5");
    (void)resolve(NULL, 0, &lookup, &s);
    assert_int_equal(s.max_message_bytes, 100);
    assert_int_equal(s.retention_ms, 300);
    value = conf_resolve_default(TCONF_MAX_MESSAGE_BYTES, &lookup, arena);
    assert_int_equal(value.source, CONF_SOURCE_DYNAMIC_BROKER);
    assert_string_equal(value.name, "message.max.bytes");
    value = conf_resolve_default(TCONF_RETENTION_MS, &lookup, arena);
    assert_int_equal(value.source, CONF_SOURCE_DYNAMIC_CLUSTER);
    value = conf_resolve_default(TCONF_SEGMENT_MS, &lookup, arena);
    assert_int_equal(value.source, CONF_SOURCE_STATIC);
    assert_string_equal(value.name, "log.roll.hours");
    assert_true(strview_equal(value.text, STRVIEW("18000000")));
    value = conf_resolve_default(TCONF_SEGMENT_BYTES, &lookup, arena);
    assert_int_equal(value.source, CONF_SOURCE_DEFAULT);
    value = conf_resolve_broker(CONF_MESSAGE_MAX_BYTES, NULL);
    assert_int_equal(value.source, CONF_SOURCE_STATIC);
    arena_free(arena);
    conf_reset();
}

static void
bad_overrides(void **state)
{
    const ConfPair unknown[] = {PAIR("retention.mss", "5")};
    const ConfPair broker_name[] = {PAIR("log.retention.ms", "5")};
    const ConfPair gone[] = {PAIR("message.format.version", "3.0")};
    const ConfPair lag[] = {PAIR("min.compaction.lag.ms", "10"),
                            PAIR("max.compaction.lag.ms", "5")};
    const ConfPair null_value[] = {{STRVIEW("retention.ms"), {NULL, 0}}};
    const ConfPair range[] = {PAIR("segment.bytes", "5"), PAIR("retention.ms", "7")};
    TopicSettings s;
    ErrInfo err;

    (void)state;
    assert_int_equal(check(unknown, 1, NULL, &err), OT_E_INVALID_CONFIG);
    assert_non_null(strstr(err.text, "did you mean \"retention.ms\"?"));
    assert_int_equal(check(broker_name, 1, NULL, &err), OT_E_INVALID_CONFIG);
    assert_int_equal(check(gone, 1, NULL, &err), OT_E_INVALID_CONFIG);
    assert_int_equal(check(lag, 2, NULL, &err), OT_E_INVALID_CONFIG);
    assert_int_equal(check(null_value, 1, NULL, &err), OT_E_INVALID_CONFIG);
    assert_int_equal(check(range, 2, NULL, &err), OT_E_INVALID_CONFIG);
    assert_int_equal(resolve(range, 2, NULL, &s), 1);
    assert_int_equal(s.segment_bytes, 1073741824);
    assert_int_equal(s.retention_ms, 7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kafkas_defaults),
        cmocka_unit_test(overrides_win),
        cmocka_unit_test(synonyms_in_their_order),
        cmocka_unit_test(dynamic_values_beat_static_ones),
        cmocka_unit_test(bad_overrides),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
