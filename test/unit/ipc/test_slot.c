/*
 * test_slot.c - generations, texts, panics, counters of process slots; stripes of statistics
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/slot.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/wait_events.h"

static void
generations_tell_owners_apart(void **state)
{
    uint32_t first;
    uint32_t second;

    (void)state;
    assert_false(slot_is_alive(3, 0));
    first = slot_prepare(3);
    assert_true(slot_is_alive(3, first));
    assert_int_equal(slot_state(3), SLOT_STARTING);
    slot_mark_dead(3, first);
    assert_false(slot_is_alive(3, first));
    second = slot_prepare(3);
    assert_int_not_equal(first, second);
    assert_false(slot_is_alive(3, first));
    assert_true(slot_is_alive(3, second));
    assert_true(slot_ref_alive(slot_ref_pack((SlotRef){3, second})));
    assert_false(slot_ref_alive(slot_ref_pack((SlotRef){3, first})));
    assert_false(slot_ref_alive(0));
    assert_int_equal(slot_ref_unpack(slot_ref_pack((SlotRef){3, second})).index, 3);
    assert_int_equal(slot_ref_unpack(0).index, SLOT_NONE);
    assert_false(slot_is_alive(-1, 1));
    assert_false(slot_is_alive(slot_count(), 1));
    slot_mark_dead(3, second);
}

static void
a_new_owner_finds_nothing_of_the_old(void **state)
{
    SlotActivity activity;
    SlotClient client = {.connected_ms = 7};
    SlotTopic topic;
    char title[SLOT_TITLE_MAX];
    uint32_t generation;

    (void)state;
    kit_become(2);
    generation = my_generation;
    slot_text_set(client.client_id, sizeof client.client_id, STRVIEW("app\n\xc3\xa4"));
    slot_set_client(&client);
    slot_set_request(UINT64_C(1) << 48 | UINT64_C(7) << 32 | 0xffffffff, 4700);
    assert_false(slot_read_topic(2, &topic));
    slot_set_topic(17, "orders", 3);
    slot_set_progress(ACTIVITY_WAITING, &(SlotProgress){3, 100, 200}, 4711);
    slot_set_title("backend PLAINTEXT 10.1.2.3:51544\tidle");
    slot_panic("something");
    atomic_u64_store(&my_slot->image_pin, 17);
    slot_read_activity(2, &activity);
    assert_int_equal(activity.api_key, 1);
    assert_int_equal(activity.api_version, 7);
    assert_int_equal(activity.correlation_id, -1);
    assert_int_equal(activity.since_us, 4700);
    assert_int_equal(slot_activity_state(2), ACTIVITY_ACTIVE); /* it does not sleep */
    atomic_u32_store(&my_slot->latch_sleeps, 1);
    assert_int_equal(slot_activity_state(2), ACTIVITY_WAITING);
    assert_true(slot_read_client(2, &client));
    assert_string_equal(client.client_id, "app???");
    assert_true(slot_read_topic(2, &topic));
    assert_string_equal(topic.name, "orders");
    assert_int_equal(topic.partition, 3);
    slot_set_topic(17, "not looked at", 0);
    assert_true(slot_read_topic(2, &topic));
    assert_string_equal(topic.name, "orders");
    assert_int_equal(atomic_i64_load(&my_slot->state_since_us), 4711);
    assert_true(slot_read_title(2, title));
    assert_string_equal(title, "backend PLAINTEXT 10.1.2.3:51544?idle");
    slot_mark_dead(2, generation);
    slot_claim(2, slot_prepare(2), PROC_BACKEND, 0);
    slot_read_activity(2, &activity);
    assert_int_equal(activity.api_key, -1);
    assert_false(slot_read_topic(2, &topic));
    assert_true(slot_read_client(2, &client));
    assert_int_equal(client.connected_ms, 0);
    assert_string_equal(client.client_id, "");
    (void)slot_read_title(2, title);
    assert_string_equal(title, "");
    assert_int_equal(atomic_u64_load(&my_slot->image_pin), 0);
    assert_int_equal(atomic_u64_load(&my_slot->counters[SLOT_COUNT_REQUESTS]), 0);
    assert_int_equal(my_slot->panic[0], 0);
}

static void
moments_for_rates_are_apart(void **state)
{
    SlotRates rates;

    (void)state;
    kit_become(1);
    assert_false(slot_read_rates(1, &rates) && rates.newer.at_us != 0);
    slot_count_add(SLOT_COUNT_BYTES_IN, 100);
    slot_note_rates(SLOT_RATE_US);
    slot_count_add(SLOT_COUNT_BYTES_IN, 50);
    slot_note_rates(2 * SLOT_RATE_US - 1); /* too early */
    assert_true(slot_read_rates(1, &rates));
    assert_int_equal(rates.newer.at_us, SLOT_RATE_US);
    assert_int_equal(rates.newer.bytes_in, 100);
    assert_int_equal(rates.older.at_us, 0);
    slot_note_rates(2 * SLOT_RATE_US);
    assert_true(slot_read_rates(1, &rates));
    assert_int_equal(rates.newer.bytes_in, 150);
    assert_int_equal(rates.older.bytes_in, 100);
}

static void
long_texts_are_cut(void **state)
{
    char title[SLOT_TITLE_MAX];
    char text[SLOT_TEXT_MAX];
    char longer[1000];

    (void)state;
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    kit_become(0);
    slot_set_title(longer);
    (void)slot_read_title(0, title);
    assert_int_equal(strlen(title), SLOT_TITLE_MAX - 1);
    slot_text_set(text, sizeof text, strview_from(longer));
    assert_int_equal(strlen(text), SLOT_TEXT_MAX - 1);
    slot_text_set(text, sizeof text, (StrView){NULL, 0});
    assert_string_equal(text, "");
}

static void
fail_an_assertion(void *arg)
{
    (void)arg;
    (void)close(STDERR_FILENO);
    ot_assert(my_slot_index < 0);
}

static void
panic_text_survives_its_process(void **state)
{
    char text[SLOT_PANIC_MAX];
    pid_t pid;
    int32_t slot;
    int status;

    (void)state;
    pid = kit_fork(fail_an_assertion, NULL);
    slot = kit_slot_of(pid);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    slot_read_panic(slot, text);
    assert_non_null(strstr(text, "my_slot_index < 0"));
    kit_bury(pid);
}

static void
rewrite_texts(void *arg)
{
    (void)arg;
    for (int i = 0;; i++) {
        SlotClient client = {.connected_ms = 1 + i % 100};

        memset(client.principal, 'a' + i % 26, SLOT_TEXT_MAX - 1);
        memset(client.client_id, 'a' + i % 26, SLOT_TEXT_MAX - 1);
        slot_set_client(&client);
    }
}

static void
texts_are_whole_under_kill(void **state)
{
    RandomSeq seq = kit_seed("slot texts under kill -9");
    int64_t end_us = clock_mono_us() + kit_stress_us() / 2;
    int kills = 0;

    (void)state;
    while (clock_mono_us() < end_us) {
        pid_t pid = kit_fork_slot(1, rewrite_texts, NULL);
        int64_t until_us = clock_mono_us() + (int64_t)random_seq_below(&seq, 4000);

        while (clock_mono_us() < until_us) {
            SlotClient c;

            if (slot_read_client(1, &c) && c.connected_ms > 0)
                assert_memory_equal(c.principal, c.client_id, SLOT_TEXT_MAX);
        }
        kit_kill(pid);
        kills++;
    }
    printf("# %d killed\n", kills);
}

static void
stripes_sum_up(void **state)
{
    (void)state;
    kit_become(1);
    stat_add(STAT_FLUSHES, 5);
    slot_claim(2, slot_prepare(2), PROC_BACKEND, 0);
    stat_add(STAT_FLUSHES, 7);
    assert_int_equal(stat_sum(STAT_FLUSHES), 12);
}

static void
wait_events_have_names(void **state)
{
    (void)state;
    assert_null(wait_event_name(WAIT_EV_NONE));
    assert_null(wait_event_name(WAIT_EV_COUNT));
    for (int i = 1; i < WAIT_EV_COUNT; i++) {
        assert_non_null(wait_event_name((WaitEvent)i));
        assert_non_null(wait_event_type((WaitEvent)i));
    }
    assert_string_equal(wait_event_name(WAIT_EV_FETCH_MIN_BYTES), "FetchMinBytes");
    assert_string_equal(wait_event_type(WAIT_EV_FETCH_MIN_BYTES), "IPC");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(generations_tell_owners_apart, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_new_owner_finds_nothing_of_the_old, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(moments_for_rates_are_apart, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(long_texts_are_cut, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(panic_text_survives_its_process, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(texts_are_whole_under_kill, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(stripes_sum_up, kit_setup, kit_teardown),
        cmocka_unit_test(wait_events_have_names),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
