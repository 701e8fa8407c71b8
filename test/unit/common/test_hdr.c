/*
 * test_hdr.c - percentiles are those of the sorted values, to one part in a thousand
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ottla/common/hdr.h"
#include "ottla/common/random.h"

#define VALUES 20000

static const int32_t quantiles[] = {0, 1, 500000, 900000, 990000, 999000, 999900, 1000000};

static int
compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The percentile as its definition has it. */
static int64_t
exact(const int64_t *sorted, int64_t count, int32_t per_million)
{
    int64_t rank = (count * per_million + 999999) / 1000000;

    return sorted[rank == 0 ? 0 : rank - 1];
}

static void
check(const Hdr *h, int64_t *values, int64_t count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    for (size_t q = 0; q < sizeof quantiles / sizeof quantiles[0]; q++) {
        int64_t want = exact(values, count, quantiles[q]);
        int64_t got = hdr_percentile(h, quantiles[q]);

        assert_true(got >= want);
        assert_true(got - want <= want / 1000);
    }
    assert_int_equal(h->count, count);
    assert_int_equal(h->min, values[0]);
    assert_int_equal(h->max, values[count - 1]);
}

/* Values of every size, added to two histograms that are merged. */
static void
percentiles_are_those_of_the_values(void **state)
{
    int64_t *values = malloc(VALUES * sizeof *values);
    Hdr *h = calloc(2, sizeof *h);
    RandomSeq seq = {.state = 4711};
    int64_t sum = 0;

    (void)state;
    assert_true(values != NULL && h != NULL);
    for (int i = 0; i < VALUES; i++) {
        values[i] = (int64_t)random_seq_below(&seq, UINT64_C(1) << random_seq_below(&seq, 42));
        sum += values[i];
        hdr_add(&h[i % 3 == 0], values[i]);
    }
    hdr_merge(&h[0], &h[1]);
    check(&h[0], values, VALUES);
    assert_int_equal(h[0].sum, sum);
    free(h);
    free(values);
}

/* Each value alone, around every border of buckets. */
static void
every_border(void **state)
{
    Hdr *h = malloc(sizeof *h);

    (void)state;
    assert_non_null(h);
    for (int bit = 0; bit < 42; bit++)
        for (int64_t off = -2; off <= 2; off++) {
            int64_t value = (INT64_C(1) << bit) + off;

            if (value < 0 || value > HDR_VALUE_MAX)
                continue;
            *h = (Hdr){0};
            hdr_add(h, value);
            assert_int_equal(hdr_percentile(h, 500000), value);
        }
    free(h);
}

static void
extremes(void **state)
{
    Hdr *h = calloc(1, sizeof *h);

    (void)state;
    assert_non_null(h);
    assert_int_equal(hdr_percentile(h, 990000), 0);
    hdr_add(h, -5);
    assert_int_equal(h->max, 0);
    hdr_add(h, INT64_MAX);
    assert_int_equal(h->max, HDR_VALUE_MAX);
    assert_int_equal(hdr_percentile(h, 1000000), HDR_VALUE_MAX);
    assert_int_equal(hdr_percentile(h, 500000), 0);
    free(h);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(percentiles_are_those_of_the_values),
        cmocka_unit_test(every_border),
        cmocka_unit_test(extremes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
