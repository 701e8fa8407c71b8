/*
 * test_mutation_quota.c - tokens of who makes and deletes partitions
 *
 * Proves Kafka's rules (admin-and-security.md 5.4, 14: 24): who owes nothing may take more than there is,
 * strict requests fail while tokens are owed and say for how long, older ones are done and wait;
 * accounts are apart; a full table gives away what is as good as new, and nothing else.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controller/mutation_quota.h"
#include "ottla/protocol/apis.h"

#define SECOND INT64_C(1000000)

static MutationQuotas quotas;
static const RateSpans spans = {.windows = 11, .window_us = SECOND};

static int
setup(void **state)
{
    (void)state;
    memset(&quotas, 0, sizeof quotas);
    quotas.seed = 7;
    return 0;
}

static MutationMeter
meter_of(int n, bool strict, int64_t at_us)
{
    MutationMeter meter = {.limit = 1, .strict = strict};
    char name[2] = {(char)('a' + n % 26), (char)('a' + n / 26)};
    MutationAccount account = {.user = {name, 2}};

    mutation_meter_open(&quotas, &account, &spans, at_us, &meter);
    return meter;
}

static void
test_scenario_24(void **state)
{
    MutationMeter meter = meter_of(0, true, 5 * SECOND);

    (void)state;
    assert_true(mutation_charge(&meter, 30));
    assert_int_equal(meter.throttle_ms, 0); /* it was let in */
    meter = meter_of(0, true, 5 * SECOND);
    assert_false(mutation_charge(&meter, 1));
    assert_int_equal(meter.throttle_ms, 19000);
    meter = meter_of(0, false, 5 * SECOND); /* CreateTopics v5 */
    assert_true(mutation_charge(&meter, 1));
    assert_int_equal(meter.throttle_ms, 20000);
    meter = meter_of(1, true, 5 * SECOND); /* somebody else */
    assert_true(mutation_charge(&meter, 1));
    meter = meter_of(0, true, 25 * SECOND);
    assert_true(mutation_charge(&meter, 5));
    assert_true(mutation_charge(NULL, 1000));
}

static void
test_items(void **state)
{
    MutationMeter meter = meter_of(0, true, SECOND);

    (void)state;
    assert_true(mutation_charge(&meter, 11)); /* none left, none owed */
    assert_true(mutation_charge(&meter, 2));
    assert_false(mutation_charge(&meter, 1)); /* the third item of a request */
    assert_int_equal(meter.throttle_ms, 2000);
}

static void
test_versions(void **state)
{
    (void)state;
    assert_false(mutation_is_strict(API_CreateTopics, 5));
    assert_true(mutation_is_strict(API_CreateTopics, 6));
    assert_false(mutation_is_strict(API_DeleteTopics, 4));
    assert_true(mutation_is_strict(API_DeleteTopics, 5));
    assert_false(mutation_is_strict(API_CreatePartitions, 2));
    assert_true(mutation_is_strict(API_CreatePartitions, 3));
}

static void
test_full_table(void **state)
{
    int limited = 0, later = 0;

    (void)state;
    for (int round = 0; round < 2; round++)
        for (int n = 0; n < 26 * 256; n++) {
            MutationMeter meter = meter_of(n, true, SECOND);

            if (meter.bucket == NULL)
                continue;
            limited++;
            if (round == 0)
                assert_true(mutation_charge(&meter, 100));
            else
                assert_false(mutation_charge(&meter, 1)); /* nobody's debt was given away */
        }
    assert_true(limited >= MUTATION_BUCKETS); /* in two rounds, most of the table */
    for (int n = 0; n < 100; n++)
        later += meter_of(26 * 256 + n, true, 200 * SECOND).bucket != NULL;
    assert_int_equal(later, 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_scenario_24, setup),
                                       cmocka_unit_test_setup(test_items, setup),
                                       cmocka_unit_test_setup(test_versions, setup),
                                       cmocka_unit_test_setup(test_full_table, setup)};

    return cmocka_run_group_tests_name("mutation_quota", tests, NULL, NULL);
}
