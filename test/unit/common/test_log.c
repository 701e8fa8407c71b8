/*
 * test_log.c - lines are whole, clean, prefixed, limited
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int pipe_fds[2];
static char got[65536];

static int
open_pipe(void **state)
{
    (void)state;
    return pipe(pipe_fds);
}

static int
close_pipe(void **state)
{
    LogStyle style = {2, false, LOG_PREFIX_DEFAULT};

    (void)state;
    log_set_style(&style);
    log_set_threshold(LL_INFO);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

static void
use(const char *prefix, bool priority)
{
    LogStyle style = {pipe_fds[1], priority, prefix};

    log_set_style(&style);
}

static const char *
read_lines(void)
{
    ssize_t len = read(pipe_fds[0], got, sizeof got - 1);

    assert_true(len > 0);
    got[len] = '\0';
    return got;
}

static void
lines_have_prefix_level_and_component(void **state)
{
    LogIdentity identity = {
        .instance = "main", .kind = "backend", .node_id = 3, .principal = "bob"};
    char want[200];

    (void)state;
    log_set_identity(&identity);
    use("[%p] %k %i/%N %-6u|%6u|%C%% ", true);
    log_msg(LL_WARNING, "net", "cannot accept: %s; fd=%d", "no\nmemory\x01", 5);
    snprintf(want, sizeof want,
             "<4>[%d] backend main/3 bob   |   bob|net%% WARNING:  net: cannot accept: "
             "no\\x0amemory\\x01; fd=5\n",
             (int)getpid());
    assert_string_equal(read_lines(), want);
    use("%k %q%h", false);
    log_msg(LL_LOG, "start", "ready");
    assert_string_equal(read_lines(), "backend LOG:  start: ready\n");
    use(LOG_PREFIX_DEFAULT, false);
    log_msg(LL_INFO, "x", "y");
    read_lines();
    assert_int_equal(got[4], '-');
    assert_non_null(strstr(got, " UTC ["));
}

static void
more_lines_follow_in_one_write(void **state)
{
    LogMore more = {.detail = "two\nlines", .hint = "look"};

    (void)state;
    use(NULL, false);
    log_more(LL_ERROR, "log", &more, "disk is full");
    assert_string_equal(read_lines(),
                        "ERROR:  log: disk is full\nDETAIL:  two\\x0alines\nHINT:  look\n");
}

static void
long_lines_are_cut(void **state)
{
    char text[5000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    use(LOG_PREFIX_DEFAULT, false);
    log_msg(LL_ERROR, "log", "%s", text);
    read_lines();
    assert_true(strlen(got) <= LOG_LINE_MAX);
    assert_string_equal(got + strlen(got) - 4, "...\n");
    memset(text, '\n', sizeof text - 1);
    log_msg(LL_ERROR, "log", "%s", text);
    assert_true(strlen(read_lines()) <= LOG_LINE_MAX);
}

static void
thresholds_and_categories(void **state)
{
    LogLevel level;

    (void)state;
    assert_false(log_enabled(LL_DEBUG1, "raft"));
    assert_true(log_set_category("raft", LL_DEBUG1));
    assert_true(log_enabled(LL_DEBUG1, "raft"));
    assert_false(log_enabled(LL_DEBUG1, "net"));
    assert_true(log_set_category("raft", LL_COUNT));
    assert_false(log_enabled(LL_DEBUG1, "raft"));
    for (int i = 0; i < LOG_CATEGORIES_MAX; i++) {
        char name[16];

        snprintf(name, sizeof name, "c%d", i);
        assert_true(log_set_category(name, LL_ERROR));
    }
    assert_false(log_set_category("one more", LL_ERROR));
    log_set_threshold(LL_LOG);
    assert_false(log_enabled(LL_ERROR, "net"));
    assert_true(log_level_from_name(STRVIEW("Warning"), &level) && level == LL_WARNING);
    assert_true(log_level_from_name(STRVIEW("debug"), &level) && level == LL_DEBUG1);
    assert_false(log_level_from_name(STRVIEW("loud"), &level));
    assert_string_equal(log_level_name(LL_PANIC), "PANIC");
    log_set_threshold(LL_INFO);
}

static void
floods_are_counted(void **state)
{
    LogRate rate = {0};
    uint32_t dropped;
    int allowed = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        allowed += log_rate_allow(&rate, 5000000 + i, 10, &dropped);
    assert_int_equal(allowed, 10);
    assert_true(log_rate_allow(&rate, 6000001, 10, &dropped));
    assert_int_equal(dropped, 90);
    assert_true(log_rate_allow(&rate, 6000002, 10, &dropped));
    assert_int_equal(dropped, 0);

    use(NULL, false);
    memset(&rate, 0, sizeof rate);
    for (int i = 0; i < 5; i++)
        log_limited(&rate, 2, LL_INFO, "net", "again");
    assert_string_equal(read_lines(), "INFO:  net: again\nINFO:  net: again\n");
    rate.window_start_us -= 2000000;
    log_limited(&rate, 2, LL_INFO, "net", "again");
    assert_string_equal(read_lines(), "INFO:  net: again\nDETAIL:  left out 3 more of this kind\n");
}

static void
outside_bytes_are_escaped(void **state)
{
    char buffer[16];

    (void)state;
    assert_string_equal(log_escape(STRVIEW("a\"b\\\n\xff"), buffer, sizeof buffer),
                        "a\\\"b\\\\\\x0a...");
    assert_string_equal(log_escape(STRVIEW("abc"), buffer, sizeof buffer), "abc");
    assert_string_equal(log_escape(STRVIEW("0123456789abcdef"), buffer, sizeof buffer),
                        "0123456789ab...");
    assert_string_equal(log_escape((StrView){NULL, 0}, buffer, sizeof buffer), "null");
}

/* Processes that write at once never mix their lines. */
static void
lines_of_processes_do_not_mix(void **state)
{
    int count = 0;
    FILE *lines;
    char line[400];

    (void)state;
    use(NULL, false);
    for (int child = 0; child < 4; child++) {
        if (fork() == 0) {
            for (int i = 0; i < 500; i++)
                log_msg(LL_ERROR, "child", "%0100d", child);
            _exit(0);
        }
    }
    close(pipe_fds[1]);
    pipe_fds[1] = dup(2);
    lines = fdopen(dup(pipe_fds[0]), "r");
    while (fgets(line, sizeof line, lines) != NULL) {
        assert_int_equal(strlen(line), strlen("ERROR:  child: \n") + 100);
        count++;
    }
    fclose(lines);
    assert_int_equal(count, 2000);
    while (wait(NULL) > 0)
        continue;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_have_prefix_level_and_component),
        TEST(more_lines_follow_in_one_write),
        TEST(long_lines_are_cut),
        TEST(thresholds_and_categories),
        TEST(floods_are_counted),
        TEST(outside_bytes_are_escaped),
        TEST(lines_of_processes_do_not_mix),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
