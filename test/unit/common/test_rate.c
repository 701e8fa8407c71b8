/*
 * test_rate.c - rates over windows and token buckets, against the formulas of the spec
 *
 * Proves the free burst of a young client, the steady rate of a client that obeys its throttle time,
 * what falls out of the windows, taking back, saturation, and Kafka's numbers of the token bucket
 * (admin-and-security.md 14, scenario 24).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/common/rate.h"

#define SECOND INT64_C(1000000)

static uint64_t ring[RATE_SAMPLES];
static const RateSpans spans = {.windows = 11, .window_us = SECOND};

static int
clear(void **state)
{
    (void)state;
    memset(ring, 0, sizeof ring);
    return 0;
}

static void
add(int64_t at_us, int64_t amount)
{
    uint64_t *word = &ring[rate_index(rate_window(&spans, at_us))];

    *word = rate_word_add(*word, rate_window(&spans, at_us), amount);
}

static int32_t
throttle(int64_t at_us, double limit)
{
    RateSum sum = rate_sum(ring, &spans, at_us);

    return rate_throttle_ms(&sum, limit);
}

static void
test_young(void **state)
{
    (void)state;
    assert_int_equal(throttle(100 * SECOND, 1), 0); /* nothing was sent */
    add(100 * SECOND, 10000);
    assert_int_equal(throttle(100 * SECOND, 1000), 0); /* ten windows' worth is free */
    add(100 * SECOND, 1000);
    assert_int_equal(throttle(100 * SECOND, 1000), 1000); /* 11000 / 1000 - 10 s */
    add(100 * SECOND, 11000);
    assert_int_equal(throttle(100 * SECOND, 1000), 12000);
    assert_int_equal(rate_burst(&spans, 1000), 10000);
}

/* A client that sends as fast as it is let reaches the limit and stays there. */
static void
test_steady(void **state)
{
    int64_t now = 1000 * SECOND, begin = now, sent = 0, measured_from = 0, measured_us = 0;

    (void)state;
    while (now < begin + 120 * SECOND) {
        add(now, 500);
        if (now >= begin + 30 * SECOND && measured_us == 0)
            measured_us = now, measured_from = sent;
        sent += 500;
        now += 1000 + throttle(now, 1000) * INT64_C(1000);
    }
    double rate = (double)(sent - measured_from) / ((double)(now - measured_us) / 1e6);
    assert_true(rate > 900 && rate < 1100);
}

static void
test_windows_pass(void **state)
{
    (void)state;
    add(50 * SECOND, 7);
    assert_int_equal(rate_sum(ring, &spans, 61 * SECOND).total, 7); /* the 11th window after it */
    assert_int_equal(rate_sum(ring, &spans, 62 * SECOND).total, 0);
    assert_int_equal(rate_sum(ring, &spans, 62 * SECOND).elapsed_us, 10 * SECOND);
    add(82 * SECOND, 3); /* the same place of the ring: starts anew */
    assert_int_equal(rate_sum(ring, &spans, 82 * SECOND).total, 3);
}

static void
test_word(void **state)
{
    uint64_t word = rate_word_add(0, 9, 100);

    (void)state;
    assert_true(rate_word_is_of(word, 9));
    assert_false(rate_word_is_of(word, 10));
    assert_true(rate_word_add(word, 9, -30) == rate_word_add(0, 9, 70));
    assert_true(rate_word_add(word, 9, -300) == rate_word_add(0, 9, 0)); /* never below 0 */
    word = rate_word_add(word, 9, INT64_MAX);
    assert_true(word == rate_word_add(0, 9, RATE_AMOUNT_MAX));
    word = rate_word_add(word, 9, 1); /* full, and the number is untouched */
    assert_true(rate_word_is_of(word, 9));
    assert_true(rate_word_add(word, 9, INT64_MIN) == rate_word_add(0, 9, 0));
}

/* More windows than the ring has become longer ones that last as long in all. */
static void
test_spans(void **state)
{
    RateSpans s = rate_spans(11, 1);

    (void)state;
    assert_int_equal(s.windows, 11);
    assert_int_equal(s.window_us, SECOND);
    s = rate_spans(1000, 2);
    assert_true(s.windows <= RATE_WINDOWS_MAX);
    assert_true(s.windows * s.window_us >= 2000 * SECOND);
    s = rate_spans(1, 1);
    assert_int_equal(s.windows, 1);
    add(10 * SECOND, 100);
    assert_true(rate_sum(ring, &s, 10 * SECOND).elapsed_us >= 1000); /* no division by 0 */
    s = rate_spans(INT32_MAX - 31, INT32_MAX);
    assert_true(s.windows >= 1 && s.window_us > 0);
}

static void
test_tokens(void **state)
{
    TokenBucket bucket = {0};
    int64_t now = 5 * SECOND;

    (void)state;
    token_bucket_refill(&bucket, &spans, 1, now);
    assert_true(bucket.tokens == 11);
    bucket.tokens -= 30; /* a topic of 30 partitions */
    assert_int_equal(token_bucket_throttle_ms(&bucket, 1), 19000);
    token_bucket_refill(&bucket, &spans, 1, now + 10 * SECOND);
    assert_int_equal(token_bucket_throttle_ms(&bucket, 1), 9000);
    token_bucket_refill(&bucket, &spans, 1, now + 19 * SECOND);
    assert_int_equal(token_bucket_throttle_ms(&bucket, 1), 0);
    token_bucket_refill(&bucket, &spans, 1, now + 1000 * SECOND);
    assert_true(bucket.tokens == 11);
    token_bucket_refill(&bucket, &spans, 0.5, now + 1000 * SECOND); /* a lower quota */
    assert_true(bucket.tokens == 5.5);
    token_bucket_refill(&bucket, &spans, 0.5, now); /* a clock that went back */
    assert_true(bucket.tokens == 5.5);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_young, clear),
                                       cmocka_unit_test_setup(test_steady, clear),
                                       cmocka_unit_test_setup(test_windows_pass, clear),
                                       cmocka_unit_test_setup(test_word, clear),
                                       cmocka_unit_test_setup(test_spans, clear),
                                       cmocka_unit_test_setup(test_tokens, clear)};

    return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
