/*
 * rate.c - how much a second, over the last windows; token buckets
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/rate.h"

#include "ottla/common/assert.h"

#define SECONDS_MAX \
    INT64_C(100000000) /* of one window: three years; the product fits in any case */
#define NUMBER_MASK ((UINT64_C(1) << (64 - RATE_AMOUNT_BITS)) - 1)

static uint64_t
number_of(uint64_t word)
{
    return word >> RATE_AMOUNT_BITS;
}

static int64_t
amount_of(uint64_t word)
{
    return (int64_t)(word & (uint64_t)RATE_AMOUNT_MAX);
}

RateSpans
rate_spans(int32_t windows, int32_t window_seconds)
{
    int64_t merged = ((int64_t)windows + RATE_WINDOWS_MAX - 1) / RATE_WINDOWS_MAX;
    int64_t seconds = merged * window_seconds;

    ot_assert(windows >= 1 && window_seconds >= 1);
    if (seconds > SECONDS_MAX)
        seconds = SECONDS_MAX;
    return (RateSpans){.windows = (int32_t)((windows + merged - 1) / merged),
                       .window_us = seconds * 1000000};
}

bool
rate_word_is_of(uint64_t word, uint64_t window)
{
    return number_of(word) == (window & NUMBER_MASK);
}

uint64_t
rate_word_add(uint64_t word, uint64_t window, int64_t amount)
{
    int64_t sum = rate_word_is_of(word, window) ? amount_of(word) : 0;

    /* Both are at most RATE_AMOUNT_MAX away from 0 afterwards: no overflow. */
    if (amount > RATE_AMOUNT_MAX)
        amount = RATE_AMOUNT_MAX;
    if (amount < -RATE_AMOUNT_MAX)
        amount = -RATE_AMOUNT_MAX;
    sum += amount;
    if (sum < 0)
        sum = 0;
    if (sum > RATE_AMOUNT_MAX)
        sum = RATE_AMOUNT_MAX;
    return (window & NUMBER_MASK) << RATE_AMOUNT_BITS | (uint64_t)sum;
}

RateSum
rate_sum(const uint64_t samples[RATE_SAMPLES], const RateSpans *spans, int64_t now_us)
{
    uint64_t window = rate_window(spans, now_us);
    int64_t oldest_us = now_us;
    RateSum ret = {0};
    int64_t full;

    for (int32_t age = 0; age <= spans->windows && (uint64_t)age <= window; age++) {
        uint64_t word = samples[rate_index(window - (uint64_t)age)];

        if (!rate_word_is_of(word, window - (uint64_t)age) || amount_of(word) == 0)
            continue;
        ret.total += amount_of(word);
        oldest_us = (int64_t)(window - (uint64_t)age) * spans->window_us;
    }
    ret.elapsed_us = now_us - oldest_us;
    full = ret.elapsed_us / spans->window_us;
    /* A young client is measured as if it had been there for all windows but the last. */
    if (full < spans->windows - 1)
        ret.elapsed_us += (spans->windows - 1 - full) * spans->window_us;
    if (ret.elapsed_us < 1000)
        ret.elapsed_us = 1000;
    return ret;
}

int32_t
rate_sample_count(const uint64_t samples[RATE_SAMPLES], const RateSpans *spans, int64_t now_us)
{
    uint64_t window = rate_window(spans, now_us);
    int32_t count = 0;

    for (int32_t age = 0; age <= spans->windows && (uint64_t)age <= window; age++) {
        uint64_t word = samples[rate_index(window - (uint64_t)age)];

        count += rate_word_is_of(word, window - (uint64_t)age) && amount_of(word) != 0;
    }
    return count;
}

/* A time in milliseconds as it stands in an answer: rounded, without what libm would cost (dynlib.h). */
static int32_t
whole_ms(double ms)
{
    if (!(ms > 0))
        return 0;
    return ms >= INT32_MAX ? INT32_MAX : (int32_t)(ms + 0.5);
}

int32_t
rate_throttle_ms(const RateSum *sum, double limit)
{
    ot_assert(limit > 0);
    /* (rate - limit) / limit * elapsed, with rate = total / elapsed */
    return whole_ms((double)sum->total / limit * 1000 - (double)sum->elapsed_us / 1000);
}

int64_t
rate_burst(const RateSpans *spans, double limit)
{
    double burst = limit * (double)(spans->windows - 1) * (double)spans->window_us / 1e6;

    return burst >= (double)INT64_MAX ? INT64_MAX : (int64_t)burst;
}

void
token_bucket_refill(TokenBucket *bucket, const RateSpans *spans, double limit, int64_t now_us)
{
    double most = limit * spans->windows * (double)spans->window_us / 1e6;

    ot_assert(limit > 0);
    if (bucket->at_us == 0)
        bucket->tokens = most;
    else if (now_us > bucket->at_us)
        bucket->tokens += limit * (double)(now_us - bucket->at_us) / 1e6;
    if (bucket->tokens > most)
        bucket->tokens = most;
    bucket->at_us = now_us;
}

int32_t
token_bucket_throttle_ms(const TokenBucket *bucket, double limit)
{
    ot_assert(limit > 0);
    return whole_ms(-bucket->tokens / limit * 1000);
}
