/*
 * test_accept_policy.c - limits on numbers and rates of connections, listener by listener
 *
 * Proves the limits of node and listener, the exemption of the inter-broker listener and who pays for
 * it, the rates, and that a listener over its rate gets exactly its rate in the long run.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ottla/postmaster/accept_policy.h"

#define SECOND INT64_C(1000000)
#define NOW    (1000 * SECOND)

enum { CLIENTS, BROKERS, LOCAL, LISTENERS };

static AcceptState state;
static AcceptRules rules;

static int
setup(void **unused)
{
    (void)unused;
    state =
        (AcceptState){.count = LISTENERS,
                      .listeners = {[BROKERS] = {.inter_broker = true}, [LOCAL] = {.local = true}}};
    rules = (AcceptRules){.node = {INT32_MAX, INT32_MAX}, .spans = {11, SECOND}};
    for (int i = 0; i < LISTENERS; i++)
        rules.listeners[i] = (AcceptBound){INT32_MAX, INT32_MAX};
    return 0;
}

static void
test_numbers(void **unused)
{
    (void)unused;
    rules.node.connections = 10;
    rules.listeners[CLIENTS].connections = 3;
    rules.listeners[BROKERS].connections = 5;
    state.listeners[CLIENTS].connections = 2;
    assert_int_equal(accept_verdict(&state, &rules, CLIENTS, 9, NOW), ACCEPT_NOW);
    assert_int_equal(accept_verdict(&state, &rules, CLIENTS, 10, NOW), ACCEPT_FULL);
    assert_int_equal(accept_verdict(&state, &rules, BROKERS, 10, NOW), ACCEPT_NOW);
    state.listeners[CLIENTS].connections = 3;
    assert_int_equal(accept_verdict(&state, &rules, CLIENTS, 3, NOW), ACCEPT_FULL);
    state.listeners[BROKERS].connections = 5; /* its own limit holds */
    assert_int_equal(accept_verdict(&state, &rules, BROKERS, 5, NOW), ACCEPT_FULL);
}

/* The Unix socket has connections of its own, and shares the others. */
static void
test_reserved(void **unused)
{
    (void)unused;
    rules.node.connections = 10;
    rules.reserved = 2;
    state.listeners[LOCAL].connections = 1;
    assert_int_equal(accept_verdict(&state, &rules, LOCAL, 1000, NOW), ACCEPT_NOW);
    state.listeners[LOCAL].connections = 2;
    assert_int_equal(accept_verdict(&state, &rules, LOCAL, 9, NOW), ACCEPT_NOW);
    assert_int_equal(accept_verdict(&state, &rules, LOCAL, 10, NOW), ACCEPT_FULL);
    rules.node.connections = INT32_MAX;
    assert_int_equal(accept_verdict(&state, &rules, LOCAL, 1000, NOW), ACCEPT_NOW);
    rules.node.connections = 0;
    rules.reserved = 0;
    state.listeners[LOCAL].connections = 0;
    assert_int_equal(accept_verdict(&state, &rules, LOCAL, 0, NOW), ACCEPT_FULL);
}

static void
test_eviction(void **unused)
{
    (void)unused;
    rules.node.connections = 10;
    assert_false(accept_must_evict(&state, &rules, 10));
    assert_true(accept_must_evict(&state, &rules, 11));
    state.listeners[BROKERS].inter_broker = false; /* the only listener: nobody is exempt */
    assert_false(accept_must_evict(&state, &rules, 11));
}

/* Accepts as fast as it may for so many seconds; how many. */
static int
flood(int listener, int64_t from_us, int seconds)
{
    int count = 0;

    for (int64_t now = from_us; now < from_us + seconds * SECOND; now += 1000)
        while (accept_verdict(&state, &rules, listener, 0, now) == ACCEPT_NOW && count < 1000000) {
            accept_count(&state, &rules, listener, now);
            count++;
            if (rules.listeners[listener].rate == INT32_MAX && rules.node.rate == INT32_MAX)
                break;
        }
    return count;
}

static void
test_rates(void **unused)
{
    int first, later;

    (void)unused;
    rules.listeners[CLIENTS].rate = 5;
    first = flood(CLIENTS, NOW, 12);
    assert_true(first >= 50 && first <= 75); /* the burst of ten windows */
    later = flood(CLIENTS, NOW + 12 * SECOND, 120);
    assert_true(later >= 570 && later <= 660);
    assert_true(accept_next_us(&state, NOW) < INT64_MAX);
    assert_int_equal(accept_verdict(&state, &rules, LOCAL, 0, NOW), ACCEPT_NOW);
}

static void
test_rate_of_the_node(void **unused)
{
    int64_t paused_us;

    (void)unused;
    rules.node.rate = 1;
    while (accept_verdict(&state, &rules, CLIENTS, 0, NOW) == ACCEPT_NOW)
        accept_count(&state, &rules, CLIENTS, NOW);
    paused_us = state.listeners[CLIENTS].resume_us - NOW;
    assert_true(paused_us > 0 && paused_us <= SECOND); /* a window at most */
    for (int i = 0; i < 100; i++)                      /* does not count for the node */
        accept_count(&state, &rules, BROKERS, NOW);
    assert_int_equal(accept_verdict(&state, &rules, BROKERS, 0, NOW), ACCEPT_NOW);
    assert_int_equal(accept_next_us(&state, NOW), state.listeners[CLIENTS].resume_us);
    accept_uncount(&state, &rules, CLIENTS, 5, NOW); /* held and closed: room for others */
    accept_count(&state, &rules, CLIENTS, NOW);
    assert_int_equal(accept_verdict(&state, &rules, CLIENTS, 0, NOW), ACCEPT_NOW);
    rules.listeners[CLIENTS].rate = 0;
    accept_count(&state, &rules, CLIENTS, NOW);
    assert_int_equal(state.listeners[CLIENTS].resume_us, NOW + SECOND);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_numbers, setup), cmocka_unit_test_setup(test_reserved, setup),
        cmocka_unit_test_setup(test_eviction, setup), cmocka_unit_test_setup(test_rates, setup),
        cmocka_unit_test_setup(test_rate_of_the_node, setup)};

    return cmocka_run_group_tests_name("accept_policy", tests, NULL, NULL);
}
