/*
 * rate.h - how much a second, over the last windows: the arithmetic of Kafka's quotas
 *
 * A rate is measured over up to windows + 1 samples, one per window of time. A sample is one 64-bit
 * word {number of its window, amount}, so that processes can share it by CAS; samples lie in a ring
 * at number % RATE_SAMPLES, and one whose number is not the one looked for counts nothing. A sample
 * that was idle for as long as the number takes to come round (months) would count once more.
 *
 * Spec: admin-and-security.md 5.3, 5.4. The windows of Kafka begin with the first event in them, ours
 * with the clock: what a new client may send at first differs by less than one window.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_RATE_H
#define OTTLA_COMMON_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define RATE_SAMPLES     32                 /* words of a ring */
#define RATE_WINDOWS_MAX (RATE_SAMPLES - 1) /* and the one that is being filled */
#define RATE_AMOUNT_BITS 40                 /* 1 TiB in one window; more counts as that */
#define RATE_AMOUNT_MAX  ((INT64_C(1) << RATE_AMOUNT_BITS) - 1)

/* Number and length of windows; rate_spans makes one that fits the ring. */
typedef struct RateSpans {
    int32_t windows;
    int64_t window_us;
} RateSpans;

/* Of quota.window.num and quota.window.size.seconds; more windows than fit are merged, their sum stays. */
RateSpans rate_spans(int32_t windows, int32_t window_seconds);

/* The window that a moment of the monotonic clock lies in. */
static inline uint64_t
rate_window(const RateSpans *spans, int64_t now_us)
{
    return (uint64_t)(now_us / spans->window_us);
}

/* Where the sample of a window lies in its ring. */
static inline int
rate_index(uint64_t window)
{
    return (int)(window % RATE_SAMPLES);
}

/* The word with an amount added to its window (below 0: taken back); an older window begins at 0. */
uint64_t rate_word_add(uint64_t word, uint64_t window, int64_t amount);

/* Is this a sample of the window, so that something can be taken back from it? */
bool rate_word_is_of(uint64_t word, uint64_t window);

/* What lies in the samples now. */
typedef struct RateSum {
    int64_t total;
    int64_t elapsed_us; /* that it counts for, above 0 */
} RateSum;

/* Sums up a copy of the ring. */
RateSum rate_sum(const uint64_t samples[RATE_SAMPLES], const RateSpans *spans, int64_t now_us);

static inline double
rate_per_second(const RateSum *sum)
{
    return (double)sum->total * 1e6 / (double)sum->elapsed_us;
}

/* In how many windows of them something was counted. */
int32_t rate_sample_count(const uint64_t samples[RATE_SAMPLES], const RateSpans *spans,
                          int64_t now_us);

/*
 * How long nothing more may come, so that the rate is back at limit (amount per second, above 0): 0
 * when it is not above it. In milliseconds, at most INT32_MAX.
 */
int32_t rate_throttle_ms(const RateSum *sum, double limit);

/* The amount that is free in a burst: what fills all windows but the last. */
int64_t rate_burst(const RateSpans *spans, double limit);

/* A token bucket: tokens come back steadily, a charge may drive them below 0. */
typedef struct TokenBucket {
    double tokens;
    int64_t at_us; /* when they were counted; 0: never, the bucket is full */
} TokenBucket;

/*
 * Counts the tokens that came back: at most windows * length * limit. When limit changes, what is
 * there stays.
 */
void token_bucket_refill(TokenBucket *bucket, const RateSpans *spans, double limit, int64_t now_us);

/* How long until there are none missing, in milliseconds. The bucket was refilled now. */
int32_t token_bucket_throttle_ms(const TokenBucket *bucket, double limit);

#endif
