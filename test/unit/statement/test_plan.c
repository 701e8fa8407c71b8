/*
 * test_plan.c - plans keep what may stay, spread over racks, and end balanced
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "statement/plan_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "ottla/common/random.h"

#define PARTITIONS 24

static PlanBroker brokers[6];
static PlanPartition partitions[PARTITIONS];
static Plan plan;

/* So many brokers in so many racks; partitions of a factor, one behind the other. */
static void
make(int32_t broker_count, int32_t rack_count, int32_t factor)
{
    static const char *const racks[] = {"a", "b", "c"};

    plan = (Plan){brokers, broker_count, partitions, PARTITIONS};
    for (int32_t i = 0; i < broker_count; i++)
        brokers[i] = (PlanBroker){.id = i + 1,
                                  .rack = rack_count > 0 ? strview_from(racks[i % rack_count])
                                                         : (StrView){0}};
    for (int32_t i = 0; i < PARTITIONS; i++) {
        partitions[i] =
            (PlanPartition){.topic = STRVIEW("t"), .partition = i, .before_count = factor};
        for (int32_t j = 0; j < factor; j++)
            partitions[i].before[j] = (i + j) % broker_count + 1;
    }
    plan_init(&plan);
}

static void
check(int32_t factor)
{
    int32_t replicas[7] = {0}, leaders[7] = {0};

    for (int32_t i = 0; i < PARTITIONS; i++) {
        assert_int_equal(partitions[i].after_count, factor);
        for (int32_t j = 0; j < factor; j++) {
            for (int32_t k = 0; k < j; k++)
                assert_int_not_equal(partitions[i].after[k], partitions[i].after[j]);
            replicas[partitions[i].after[j]]++;
        }
        leaders[partitions[i].after[0]]++;
    }
    for (int32_t i = 0; i < plan.broker_count; i++) {
        assert_int_equal(brokers[i].replicas, replicas[brokers[i].id]);
        assert_int_equal(brokers[i].leaders, leaders[brokers[i].id]);
    }
}

static void
check_even(int32_t allowed)
{
    int32_t least = INT32_MAX, most = 0, least_leaders = INT32_MAX, most_leaders = 0;

    for (int32_t i = 0; i < plan.broker_count; i++) {
        const PlanBroker *b = &brokers[i];

        if (b->barred) {
            assert_int_equal(b->replicas, 0);
            continue;
        }
        least = b->replicas < least ? b->replicas : least;
        most = b->replicas > most ? b->replicas : most;
        least_leaders = b->leaders < least_leaders ? b->leaders : least_leaders;
        most_leaders = b->leaders > most_leaders ? b->leaders : most_leaders;
    }
    assert_true(most - least <= allowed);
    assert_true(most_leaders - least_leaders <= 1);
}

static int32_t
moved(void)
{
    int32_t count = 0;

    for (int32_t i = 0; i < PARTITIONS; i++) {
        for (int32_t j = 0; j < partitions[i].after_count; j++) {
            bool there = false;

            for (int32_t k = 0; k < partitions[i].before_count; k++)
                there = there || partitions[i].before[k] == partitions[i].after[j];
            count += !there;
        }
    }
    return count;
}

static void
a_drained_broker_is_empty(void **state)
{
    int32_t stuck = -1;

    (void)state;
    make(3, 0, 2);
    brokers[2].barred = true;
    assert_true(plan_clear_barred(&plan, &stuck));
    plan_spread_leaders(&plan);
    check(2);
    check_even(0);
    assert_int_equal(moved(), 16); /* what was on broker 3, and nothing else */
}

static void
too_few_brokers_are_said(void **state)
{
    int32_t stuck = -1;

    (void)state;
    make(2, 0, 2);
    brokers[0].barred = true;
    assert_false(plan_clear_barred(&plan, &stuck));
    assert_int_equal(stuck, 0);
    make(2, 0, 2);
    assert_false(plan_set_factor(&plan, 3, &stuck));
}

static void
a_broker_that_is_gone_is_replaced(void **state)
{
    int32_t stuck = -1;

    (void)state;
    make(4, 0, 2);
    plan.broker_count = 3; /* 4 is in the partitions alone */
    assert_true(plan_clear_barred(&plan, &stuck));
    plan_balance(&plan);
    plan_spread_leaders(&plan);
    check(2);
    check_even(1);
}

static void
racks_stay_apart(void **state)
{
    int32_t stuck = -1;

    (void)state;
    make(6, 3, 3);
    brokers[0].barred = true;
    assert_true(plan_clear_barred(&plan, &stuck));
    plan_balance(&plan);
    plan_spread_leaders(&plan);
    check(3);
    for (int32_t i = 0; i < PARTITIONS; i++) {
        bool seen[3] = {false};

        for (int32_t j = 0; j < 3; j++)
            seen[(partitions[i].after[j] - 1) % 3] = true;
        assert_true(seen[0] && seen[1] && seen[2]);
    }
}

static void
factors_grow_and_shrink(void **state)
{
    int32_t stuck = -1;

    (void)state;
    make(4, 2, 1);
    assert_true(plan_set_factor(&plan, 3, &stuck));
    check(3);
    check_even(4);
    for (int32_t i = 0; i < PARTITIONS; i++)
        assert_int_equal(partitions[i].after[0], partitions[i].before[0]); /* leaders stay */
    assert_true(plan_set_factor(&plan, 2, &stuck));
    check(2);
    for (int32_t i = 0; i < PARTITIONS; i++) /* one in each rack is left */
        assert_int_not_equal(partitions[i].after[0] % 2, partitions[i].after[1] % 2);
}

static void
balance_moves_as_little_as_it_takes(void **state)
{
    (void)state;
    make(3, 0, 2);
    plan_balance(&plan);
    plan_spread_leaders(&plan);
    assert_int_equal(moved(), 0);
    for (int32_t i = 0; i < PARTITIONS; i++)
        assert_false(plan_changed(&partitions[i]));

    /* a new, empty broker takes its share: 12 of 48 */
    plan.broker_count = 4;
    brokers[3] = (PlanBroker){.id = 4};
    plan_init(&plan);
    plan_balance(&plan);
    plan_spread_leaders(&plan);
    check(2);
    check_even(1);
    assert_int_equal(moved(), 12);
}

static void
fixed_ones_stay(void **state)
{
    (void)state;
    make(3, 0, 2);
    plan.broker_count = 4;
    brokers[3] = (PlanBroker){.id = 4};
    for (int32_t i = 0; i < PARTITIONS; i++)
        partitions[i].fixed = i != 5;
    plan_init(&plan);
    plan_balance(&plan);
    plan_spread_leaders(&plan);
    for (int32_t i = 0; i < PARTITIONS; i++)
        assert_true(i == 5 || !plan_changed(&partitions[i]));
}

static void
any_beginning_ends_even(void **state)
{
    RandomSeq seq = {42};

    (void)state;
    for (int round = 0; round < 200; round++) {
        make(5, 0, 2);
        for (int32_t i = 0; i < PARTITIONS; i++) {
            partitions[i].before[0] = (int32_t)random_seq_below(&seq, 5) + 1;
            partitions[i].before[1] =
                (partitions[i].before[0] + (int32_t)random_seq_below(&seq, 4)) % 5 + 1;
        }
        plan_init(&plan);
        plan_balance(&plan);
        check(2);
        for (int32_t i = 1; i < 5; i++)
            assert_true(brokers[i].replicas - brokers[0].replicas <= 1 &&
                        brokers[0].replicas - brokers[i].replicas <= 1);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drained_broker_is_empty),
        cmocka_unit_test(too_few_brokers_are_said),
        cmocka_unit_test(a_broker_that_is_gone_is_replaced),
        cmocka_unit_test(racks_stay_apart),
        cmocka_unit_test(factors_grow_and_shrink),
        cmocka_unit_test(balance_moves_as_little_as_it_takes),
        cmocka_unit_test(fixed_ones_stay),
        cmocka_unit_test(any_beginning_ends_even),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
