/*
 * test_retention.c - the rules of retention (log.md 10.2), and when a segment is full (6.7)
 *
 * Proves: each reason appears exactly when it is the reason; the rules follow each other as Kafka's do;
 * sizes keep at least retention.bytes; nothing above the high watermark goes; due times are right to
 * the millisecond; numbers at their bounds do not wrap.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "ottla/storage/retention.h"
#include "ottla/storage/roll.h"
#include "storage_kit.h"

#define NOW INT64_C(1000000)

static TopicSettings
settings_of(int64_t retention_ms, int64_t retention_bytes)
{
    return (TopicSettings){
        .retention_ms = retention_ms, .retention_bytes = retention_bytes, .cleanup_delete = true};
}

/* Segments of ten offsets each; the last one is active. */
typedef struct Case {
    TopicSettings settings;
    int64_t log_start;
    int64_t high_watermark; /* -1: the end */
    int count;
    int64_t bytes[8];
    int64_t largest[8];
} Case;

static void
judge_all(const Case *c, RetentionVerdict *ret)
{
    RetentionLog log = {.now_ms = NOW,
                        .log_start = c->log_start,
                        .high_watermark =
                            c->high_watermark < 0 ? c->count * 10 : c->high_watermark};
    RetentionWalk walk;

    for (int i = 0; i < c->count; i++)
        log.total_bytes += c->bytes[i];
    retention_begin(&walk, &c->settings, &log);
    for (int i = 0; i < c->count; i++)
        ret[i] = retention_judge(&walk, &(RetentionSegment){.end_offset = (i + 1) * 10,
                                                            .largest_timestamp_ms = c->largest[i],
                                                            .bytes = c->bytes[i],
                                                            .active = i == c->count - 1});
}

static void
expect(const Case *c, const char *letters)
{
    static const char names[RETENTION_REASON_COUNT] = {'S', 'B', 'T', 'e', 'u',
                                                       'n', 'l', 'f', 'w', 'o'};
    RetentionVerdict verdicts[8];
    char got[9] = "";

    judge_all(c, verdicts);
    for (int i = 0; i < c->count; i++)
        got[i] = names[verdicts[i].reason];
    assert_string_equal(got, letters);
}

static void
start_rule(void **state)
{
    Case c = {settings_of(-1, -1), 20, -1, 4, {5, 5, 5, 5}, {1, 1, 1, 1}};

    (void)state;
    expect(&c, "SSlo");
    c.log_start = 19;
    expect(&c, "Sloo");
    c.log_start = 40; /* DeleteRecords of everything leaves the active one */
    expect(&c, "SSSl");
    c.settings.cleanup_delete = false; /* always */
    expect(&c, "SSSn");
    c.log_start = 0;
    expect(&c, "nooo");
}

static void
size_rule(void **state)
{
    Case c = {settings_of(-1, 250), 0, -1, 5, {100, 100, 100, 100, 50}, {1, 1, 1, 1, 1}};

    (void)state;
    expect(&c, "BBwoo"); /* 450 - 100 - 100 = 250 remain */
    c.settings.retention_bytes = 251;
    expect(&c, "Bwooo");
    c.settings.retention_bytes = 450;
    expect(&c, "woooo");
    c.settings.retention_bytes = 0; /* everything, the active one too */
    expect(&c, "BBBBB");
    c.bytes[4] = 0; /* but not an empty one */
    expect(&c, "BBBBe");
    c.settings.retention_bytes = INT64_MAX;
    expect(&c, "woooe");
    c.settings.retention_bytes = 0;
    c.settings.cleanup_delete = false;
    expect(&c, "noooe");
    c.settings.retention_bytes = -2; /* any negative value: no limit */
    c.settings.cleanup_delete = true;
    expect(&c, "loooe");
}

static void
time_rule(void **state)
{
    Case c = {settings_of(1000, -1), 0, -1, 3, {5, 5, 5}, {NOW - 1001, NOW - 1001, NOW - 1000}};
    RetentionVerdict v[8];

    (void)state;
    expect(&c, "TTw");
    judge_all(&c, v);
    assert_true(v[0].due_ms == NOW && v[2].due_ms == NOW + 1);
    c.largest[1] = NOW; /* the newer one behind it waits for it */
    expect(&c, "Two");
    c.largest[1] = NOW + 1;
    expect(&c, "Tfo");
    judge_all(&c, v);
    assert_true(v[1].due_ms == NOW + 1002);
    c.largest[1] = c.largest[2] = NOW - 5000; /* all of it */
    expect(&c, "TTT");
    c.settings.retention_ms = INT64_MAX;
    expect(&c, "woo");
    judge_all(&c, v);
    assert_true(v[0].due_ms == RETENTION_NEVER);
    c.settings.retention_ms = -1;
    expect(&c, "loo");
    c.settings.retention_ms = 0;
    c.largest[2] = NOW;
    expect(&c, "TTw");
}

static void
high_watermark_and_order(void **state)
{
    Case c = {settings_of(1000, 20), 10, 30, 5, {10, 10, 10, 10, 10}, {0, 0, 0, 0, 0}};

    (void)state;
    /* start takes one, size two (50 - 10 - 20 = 20), the high watermark ends it */
    expect(&c, "SBBuo");
    c.high_watermark = -1;
    c.largest[4] = NOW;
    expect(&c, "SBBTw");
    /* a segment that the size rule leaves to the time rule; size does not begin again behind it */
    c = (Case){settings_of(1000, 25), 0, -1, 4, {30, 5, 5, 10}, {0, NOW, NOW, NOW}};
    expect(&c, "Twoo");
    c.high_watermark = 9;
    expect(&c, "uooo");
}

static void
texts(void **state)
{
    char text[RETENTION_TEXT_MAX];

    (void)state;
    for (int r = 0; r < RETENTION_REASON_COUNT; r++) {
        RetentionVerdict v = {(RetentionReason)r, RETENTION_NEVER};

        assert_memory_equal(retention_text(&v, text), retention_goes(v.reason) ? "goes:" : "stays",
                            5);
    }
    assert_string_equal(retention_text(&(RetentionVerdict){RETENTION_WITHIN, 1500}, text),
                        "stays: within the limits; by time from 1970-01-01T00:00:01Z");
    assert_string_equal(retention_text(&(RetentionVerdict){RETENTION_TOO_OLD, 1500}, text),
                        "goes: older than retention.ms");
}

/* ---- rolling ------------------------------------------------------------------------------------ */

static void
roll_rules(void **state)
{
    TopicSettings s = {.segment_ms = 1000, .segment_bytes = 500, .segment_index_bytes = 240};
    RollQuestion q = {.active_base = 100,
                      .first_timestamp = 5000,
                      .created_ms = 0,
                      .now_ms = 90000,
                      .batch_last_offset = 120,
                      .batch_max_timestamp = 6000,
                      .active_size = 400,
                      .batch_size = 100};

    (void)state;
    assert_false(roll_needed(&s, &q));
    q.batch_size = 101;
    assert_true(roll_needed(&s, &q));
    q.active_size = 0; /* an empty segment never ends */
    assert_false(roll_needed(&s, &q));
    q.active_size = 1;
    assert_false(roll_needed(&s, &q));
    q.batch_max_timestamp = 6001; /* message time, not the clock */
    assert_true(roll_needed(&s, &q));
    q.batch_max_timestamp = 5901;
    q.jitter_ms = 100;
    assert_true(roll_needed(&s, &q));
    q.jitter_ms = 0;
    q.first_timestamp = -1; /* no timestamps: the clock since creation */
    assert_true(roll_needed(&s, &q));
    q.created_ms = 89000;
    assert_false(roll_needed(&s, &q));
    s.cleanup_compact = true;
    s.max_compaction_lag_ms = 500;
    assert_true(roll_needed(&s, &q));
    s.cleanup_compact = false;
    q.index_count = 30;
    assert_true(roll_needed(&s, &q));
    q.index_count = 29;
    q.time_count = 19; /* one is kept for the last entry */
    assert_true(roll_needed(&s, &q));
    q.time_count = 18;
    assert_false(roll_needed(&s, &q));
    q.batch_last_offset = 100 + INT64_C(0x80000000);
    assert_true(roll_needed(&s, &q));
}

static void
jitter(void **state)
{
    TopicSettings s = {.segment_ms = 1000, .segment_jitter_ms = 0};

    (void)state;
    assert_int_equal(roll_jitter_ms(&s, 12345), 0);
    s.segment_jitter_ms = 10;
    assert_int_equal(roll_jitter_ms(&s, 12345), 5);
    s.segment_jitter_ms = 5000; /* never above segment.ms */
    assert_int_equal(roll_jitter_ms(&s, 12345), 345);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_rule), cmocka_unit_test(size_rule),
        cmocka_unit_test(time_rule),  cmocka_unit_test(high_watermark_and_order),
        cmocka_unit_test(texts),      cmocka_unit_test(roll_rules),
        cmocka_unit_test(jitter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
