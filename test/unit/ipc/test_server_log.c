/*
 * test_server_log.c - the ring of lines
 *
 * Proves: a line is read as it was logged, cut where it is too long; the last 10,000 are kept; lines of many writers
 * that are killed at random are whole or not there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/server_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"

static void
keep(LogLevel level, const char *text, const LogMore *more)
{
    static const LogMore nothing;
    const LogIdentity who = {.kind = "checkpointer", .node_id = 1};
    const LogEntry entry = {.level = level,
                            .component = "storage",
                            .text = text,
                            .more = more == NULL ? &nothing : more,
                            .identity = &who};

    server_log_keep(&entry);
}

static uint64_t
end_of_ring(void)
{
    uint64_t first, end;

    server_log_range(&first, &end);
    return end;
}

static void
lines_are_read_as_they_were_logged(void **state)
{
    const LogMore more = {.detail = "because", .hint = "do this"};
    uint64_t at = end_of_ring();
    char longer[2 * SERVER_LOG_TEXT];
    ServerLogLine line;

    (void)state;
    assert_false(server_log_read(at, &line));
    keep(LL_WARNING, "storage: a disk is full; dir=1", &more);
    assert_true(server_log_read(at, &line));
    assert_string_equal(line.text, "a disk is full; dir=1");
    assert_string_equal(line.text + line.detail, "because");
    assert_string_equal(line.text + line.hint, "do this");
    assert_string_equal(line.category, "storage");
    assert_string_equal(line.kind, "checkpointer");
    assert_int_equal(line.pid, getpid());
    assert_int_equal(line.level, LL_WARNING);
    memset(longer, 'x', sizeof longer - 1);
    memcpy(longer, "storage: ", 9);
    longer[sizeof longer - 1] = '\0';
    keep(LL_INFO, longer, &more);
    assert_true(server_log_read(at + 1, &line));
    assert_int_equal(strlen(line.text), SERVER_LOG_TEXT - 1);
    assert_int_equal(line.detail, 0);
    assert_int_equal(line.hint, 0);
}

static void
the_last_lines_are_kept(void **state)
{
    uint64_t begin = end_of_ring(), first, end;
    ServerLogLine line;

    (void)state;
    for (int i = 0; i < SERVER_LOG_LINES + 5; i++) {
        char text[64];

        snprintf(text, sizeof text, "storage: line %d", i);
        keep(LL_INFO, text, NULL);
    }
    server_log_range(&first, &end);
    assert_int_equal(end, begin + SERVER_LOG_LINES + 5);
    assert_int_equal(first, end - SERVER_LOG_LINES);
    assert_false(server_log_read(begin + 4, &line));
    assert_true(server_log_read(begin + 5, &line));
    assert_string_equal(line.text, "line 5");
}

static void
log_for_ever(void *arg)
{
    (void)arg;
    for (unsigned i = 0;; i++) {
        char text[9 + 200] = "storage: ";

        memset(text + 9, 'a' + (int)(i % 26), 1 + i % 199);
        keep(LL_INFO, text, NULL);
    }
}

static void
lines_are_whole_under_kill(void **state)
{
    RandomSeq seq = kit_seed("lines under kill -9");
    int64_t end_us = clock_mono_us() + kit_stress_us() / 2;
    int64_t looked = 0;
    pid_t pids[3];

    (void)state;
    for (int i = 0; i < 3; i++)
        pids[i] = kit_fork(log_for_ever, NULL);
    while (clock_mono_us() < end_us) {
        int64_t until_us = clock_mono_us() + (int64_t)random_seq_below(&seq, 4000);
        int victim = (int)random_seq_below(&seq, 3);

        while (clock_mono_us() < until_us) {
            uint64_t end = end_of_ring();
            ServerLogLine line;

            if (end == 0 || !server_log_read(end - 1 - random_seq_below(&seq, 50) % end, &line) ||
                line.level != LL_INFO)
                continue;
            looked++;
            assert_int_equal(strspn(line.text, (char[]){line.text[0], '\0'}), strlen(line.text));
        }
        kit_kill(pids[victim]);
        pids[victim] = kit_fork(log_for_ever, NULL);
    }
    for (int i = 0; i < 3; i++)
        kit_kill(pids[i]);
    printf("# %lld lines looked at\n", (long long)looked);
    assert_true(looked > 100);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_read_as_they_were_logged, kit_setup,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(the_last_lines_are_kept, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(lines_are_whole_under_kill, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
