/*
 * test_children.c - the supervisor's private table of children
 *
 * Proves: slots are given and come back, reserved ones are kept for the Unix socket, pids and addresses
 * are found and counted through thousands of random births and deaths.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/common/random.h"
#include "ottla/postmaster/children.h"

static ClientAddress
address(uint8_t last)
{
    NetAddress net = {.len = sizeof(struct sockaddr_in)};
    struct sockaddr_in v4 = {.sin_family = AF_INET};

    v4.sin_addr.s_addr = htonl(0x0a000000u | last);
    memcpy(&net.storage, &v4, sizeof v4);
    return client_address_of(&net);
}

static void
gives_slots(void **unused)
{
    Children *c = children_new(200, 4);

    (void)unused; /* cmocka's signature */
    for (int i = 0; i < 200 - CHILDREN_RESERVED_SLOTS; i++) {
        int32_t slot = children_free_slot(c, PROC_BACKEND, false);
        assert_in_range(slot, 0, 199);
        children_add(c, &(Child){.pid = 1000 + i, .kind = PROC_BACKEND, .slot = slot});
    }
    assert_int_equal(children_free_slot(c, PROC_BACKEND, false), OT_E_FULL);
    for (int i = 0; i < CHILDREN_RESERVED_SLOTS; i++) {
        int32_t slot = children_free_slot(c, PROC_BACKEND, true);
        children_add(c, &(Child){.pid = 5000 + i, .kind = PROC_BACKEND, .slot = slot});
    }
    assert_int_equal(children_free_slot(c, PROC_BACKEND, true), OT_E_FULL);
    for (int i = 0; i < 4; i++) {
        int32_t slot = children_free_slot(c, PROC_RETENTION, true);
        assert_in_range(slot, 200, 203);
        children_add(c, &(Child){.pid = 9000 + i, .kind = PROC_RETENTION, .slot = slot});
    }
    assert_int_equal(children_free_slot(c, PROC_RETENTION, true), OT_E_FULL);
    assert_int_equal(children_count(c), 204);
    assert_int_equal(children_count_kind(c, PROC_BACKEND), 200);
    children_remove(c, 9002);
    assert_int_equal(children_free_slot(c, PROC_RETENTION, true), 202);
    children_free(c);
}

static void
random_births_and_deaths(void **unused)
{
    enum { SLOTS = 300, ADDRESSES = 40 };
    Children *c = children_new(SLOTS, 1);
    RandomSeq seq = {.state = 20261};
    pid_t pids[SLOTS];
    uint8_t of[SLOTS];
    int count[ADDRESSES] = {0};
    int living = 0;
    pid_t next = 2;

    (void)unused; /* cmocka's signature */
    for (int step = 0; step < 50000; step++) {
        if (living < SLOTS && random_seq_below(&seq, 100) < 52) {
            uint8_t who = (uint8_t)random_seq_below(&seq, ADDRESSES);
            Child child = {.pid = next++,
                           .kind = PROC_BACKEND,
                           .slot = children_free_slot(c, PROC_BACKEND, true),
                           .address = address(who)};
            children_add(c, &child);
            pids[living] = child.pid;
            of[living++] = who;
            count[who]++;
        } else if (living > 0) {
            int i = (int)random_seq_below(&seq, (uint64_t)living);
            assert_non_null(children_find(c, pids[i]));
            children_remove(c, pids[i]);
            assert_null(children_find(c, pids[i]));
            count[of[i]]--;
            pids[i] = pids[--living];
            of[i] = of[living];
        }
        uint8_t look = (uint8_t)(step % ADDRESSES);
        ClientAddress a = address(look);
        assert_int_equal(children_count_address(c, &a), count[look]);
        assert_int_equal(children_count(c), living);
    }
    for (int i = 0; i < living; i++)
        assert_int_equal(children_find(c, pids[i])->pid, pids[i]);
    int seen = 0;
    for (int i = 0; i < children_count(c); i++)
        seen += children_at(c, i)->pid > 0;
    assert_int_equal(seen, living);
    children_free(c);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_slots),
        cmocka_unit_test(random_births_and_deaths),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
