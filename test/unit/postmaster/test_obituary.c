/*
 * test_obituary.c - what is said about a dead child
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/common/assert.h"
#include "ottla/postmaster/obituary.h"
#include "ottla/postmaster/postmaster.h"

static const LastWords nothing = {
    .panic = "", .title = "", .client_id = "", .peer = "", .topic = "", .api_key = -1};

static void
a_killed_backend(void **unused)
{
    const Child child = {.pid = 4711, .kind = PROC_BACKEND};
    const PmExit how = {PROC_BACKEND, false, SIGKILL, false};
    LastWords words = nothing;
    Obituary text;

    (void)unused; /* cmocka's signature */
    words.api_key = 0;
    words.api_version = 9;
    words.client_id = "app-1";
    words.peer = "10.1.2.3:51544";
    words.topic = "orders";
    words.title = "backend PLAINTEXT 10.1.2.3:51544 idle";
    obituary_write(&child, &how, &words, &text);
    assert_string_equal(text.what, "backend died by signal 9: SIGKILL (Killed)");
    assert_string_equal(text.detail,
                        "serving Produce v9 of \"app-1\" from 10.1.2.3:51544, topic orders; last "
                        "title \"backend PLAINTEXT 10.1.2.3:51544 idle\"");
    assert_string_equal(text.hint, "somebody sent it SIGKILL");
    words.oom_killed = true;
    obituary_write(&child, &how, &words, &text);
    assert_non_null(strstr(text.hint, "want of memory"));
}

static void
a_panic(void **unused)
{
    const Child child = {.pid = 4711, .kind = PROC_CONTROLLER};
    const PmExit how = {PROC_CONTROLLER, false, SIGABRT, true};
    LastWords words = nothing;
    Obituary text;

    (void)unused; /* cmocka's signature */
    words.panic = "plog.c:17 seg_append: pos == size";
    obituary_write(&child, &how, &words, &text);
    assert_string_equal(text.detail, "panic: plog.c:17 seg_append: pos == size");
    assert_non_null(strstr(text.hint, "core dump"));
}

static void
exit_codes(void **unused)
{
    const Child child = {.pid = 4711, .kind = PROC_CHECKPOINTER};
    Obituary text;

    (void)unused; /* cmocka's signature */
    obituary_write(&child, &(PmExit){PROC_CHECKPOINTER, true, 1, false}, &nothing, &text);
    assert_string_equal(text.what, "checkpointer ended with exit code 1");
    assert_string_equal(text.detail, "");
    assert_non_null(strstr(text.hint, "log directory"));
    obituary_write(&child, &(PmExit){PROC_CHECKPOINTER, false, 63, false}, &nothing, &text);
    assert_non_null(strstr(text.what, "signal 63"));
}

static void
long_texts_are_cut(void **unused)
{
    const Child child = {.pid = 4711, .kind = PROC_BACKEND};
    LastWords words = nothing;
    Obituary text;
    char lots[3000];

    (void)unused; /* cmocka's signature */
    memset(lots, 'x', sizeof lots - 1);
    lots[sizeof lots - 1] = '\0';
    words.panic = words.title = words.client_id = words.peer = words.topic = lots;
    words.api_key = 1;
    obituary_write(&child, &(PmExit){PROC_BACKEND, false, SIGSEGV, true}, &words, &text);
    assert_int_equal(strlen(text.detail), OBITUARY_TEXT_MAX - 1);
}

/* The supervisor has nobody who would write its obituary (shell-and-service.md 13). */
static void
the_supervisors_own_panic(void **unused)
{
    int status;
    pid_t pid = fork();

    (void)unused; /* cmocka's signature */
    if (pid == 0) {
        obituary_watch_self();
        ot_assert(getpid() == 1);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_CODE_INTERNAL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_killed_backend),
        cmocka_unit_test(a_panic),
        cmocka_unit_test(exit_codes),
        cmocka_unit_test(long_texts_are_cut),
        cmocka_unit_test(the_supervisors_own_panic),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
