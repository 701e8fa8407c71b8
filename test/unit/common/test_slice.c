/*
 * test_slice.c - the wish for a short slice reaches the kernel, and changes nothing else of the process
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ottla/common/slice.h"

typedef struct SchedAttr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
} SchedAttr;

static SchedAttr
mine(void)
{
    SchedAttr attr = {.size = sizeof attr};

    assert_int_equal(syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0), 0);
    return attr;
}

/* In a child: niceness is not given back to everybody. */
static int
in_child(int (*body)(void))
{
    pid_t pid = fork();
    int status;

    if (pid == 0)
        _exit(body());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int
asks_and_takes_back(void)
{
    SchedAttr first = mine();

    if (first.runtime == 0)
        return 77; /* before Linux 6.12 nothing is told, and nothing to be had */
    slice_ask_short();
    SchedAttr now = mine();
    if (now.runtime >= first.runtime || now.policy != first.policy || now.nice != first.nice)
        return 1;
    slice_ask_default();
    return mine().runtime == first.runtime ? 0 : 2;
}

static int
keeps_policy_and_niceness(void)
{
    const struct sched_param param = {0};

    if (setpriority(PRIO_PROCESS, 0, 7) != 0 || sched_setscheduler(0, SCHED_BATCH, &param) != 0)
        return 3;
    slice_ask_short();
    return mine().policy == SCHED_BATCH && mine().nice == 7 ? 0 : 4;
}

static int
leaves_idle_alone(void)
{
    const struct sched_param param = {0};

    if (sched_setscheduler(0, SCHED_IDLE, &param) != 0)
        return 5;
    slice_ask_short();
    return mine().policy == SCHED_IDLE ? 0 : 6;
}

static void
test_asks_and_takes_back(void **state)
{
    (void)state;
    int code = in_child(asks_and_takes_back);

    if (code == 77)
        skip();
    assert_int_equal(code, 0);
}

static void
test_policy_is_the_operators(void **state)
{
    (void)state;
    assert_int_equal(in_child(keeps_policy_and_niceness), 0);
    assert_int_equal(in_child(leaves_idle_alone), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_asks_and_takes_back),
        cmocka_unit_test(test_policy_is_the_operators),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
