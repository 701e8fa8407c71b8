/*
 * shm_kit.c - a region and children with slots for tests
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ipc/shm_kit.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/control.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mailbox.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/request_stats.h"
#include "ottla/ipc/server_log.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/waitlist.h"

#define CHILDREN_MAX (KIT_BACKENDS + KIT_WORKERS)

typedef struct Child {
    pid_t pid; /* 0: free entry */
    int32_t slot;
    uint32_t generation;
} Child;

void *kit_scratch;
Region kit_region;
static Child children[CHILDREN_MAX];

static size_t
scratch_size(const ShmLimits *limits)
{
    (void)limits;
    return KIT_SCRATCH;
}

static void
scratch_init(void *base, const ShmLimits *limits)
{
    (void)limits;
    kit_scratch = base;
}

static const RegionRow kit_rows[] = {
    {"shared_page", shared_page_shm_size, shared_page_shm_init, "", "", ""},
    {"proc_slot", proc_slot_shm_size, proc_slot_shm_init, "", "", ""},
    {"control", control_shm_size, control_shm_init, "", "", ""},
    {"waiter", waiter_shm_size, waiter_shm_init, "", "", ""},
    {"mailbox_heads", mailbox_heads_shm_size, mailbox_heads_shm_init, "", "", ""},
    {"mailbox", mailbox_shm_size, mailbox_shm_init, "", "", ""},
    {"bulk", bulk_shm_size, bulk_shm_init, "", "", ""},
    {"stats", stats_shm_size, stats_shm_init, "", "", ""},
    {"request_stats", request_stats_shm_size, request_stats_shm_init, "", "", ""},
    {"server_log", server_log_shm_size, server_log_shm_init, "", "", ""},
    {"scratch", scratch_size, scratch_init, "", "", ""},
};

void
kit_limits(ShmLimits *ret)
{
    shm_limits_default(ret);
    ret->backend_slots = KIT_BACKENDS;
    ret->worker_slots = KIT_WORKERS;
    ret->fetch_sessions = KIT_SESSIONS;
    ret->bulk_bytes = (size_t)64 * BULK_CHUNK_BYTES;
}

/* Signals of children of earlier tests. */
static void
drop_pending_signals(void)
{
    struct timespec none = {0};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, LATCH_SIGNAL);
    while (sigtimedwait(&set, NULL, &none) > 0)
        ;
}

void
kit_map(const ShmLimits *limits)
{
    ErrInfo err = {0};

    latch_block_signals();
    drop_pending_signals();
    if (region_map(kit_rows, (int)(sizeof kit_rows / sizeof kit_rows[0]), limits, &kit_region,
                   &err) != 0)
        fail_msg("%s", err.text);
}

int
kit_setup(void **state)
{
    ShmLimits limits;

    (void)state;
    kit_limits(&limits);
    kit_map(&limits);
    return 0;
}

int
kit_teardown(void **state)
{
    (void)state;
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i].pid > 0) {
            (void)kill(children[i].pid, SIGKILL);
            (void)waitpid(children[i].pid, NULL, 0);
            children[i].pid = 0;
        }
    mainloop_fini();
    (server_log_leave(), region_unmap(&kit_region));
    return 0;
}

static Child *
find_child(pid_t pid)
{
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i].pid == pid)
            return &children[i];
    fail_msg("no child with pid %d", (int)pid);
    return NULL;
}

int32_t
kit_slot_of(pid_t pid)
{
    return find_child(pid)->slot;
}

int
kit_alive(void)
{
    int count = 0;

    for (int i = 0; i < CHILDREN_MAX; i++)
        count += children[i].pid > 0;
    return count;
}

/* A child's life; never returns into the test. */
static _Noreturn void
run_child(int32_t slot, uint32_t generation, KitMain main, void *arg)
{
    ErrInfo err = {0};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    mainloop_fini();
    slot_claim(slot, generation, slot < slot_backend_count() ? PROC_BACKEND : PROC_CONTROLLER, 0);
    if (mainloop_init(-1, &err) != 0)
        ot_panic_at(__FILE__, __LINE__, __func__, err.text);
    main(arg);
    _exit(0);
}

pid_t
kit_fork_slot(int32_t slot, KitMain main, void *arg)
{
    uint32_t generation = slot_prepare(slot);
    Child *child = find_child(0);
    pid_t pid;

    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        run_child(slot, generation, main, arg);
    *child = (Child){pid, slot, generation};
    return pid;
}

pid_t
kit_fork(KitMain main, void *arg)
{
    for (int32_t slot = 0; slot < slot_backend_count(); slot++)
        if (slot_state(slot) == SLOT_DEAD)
            return kit_fork_slot(slot, main, arg);
    fail_msg("no free slot");
    return -1;
}

static void
announce_death(Child *child)
{
    slot_mark_dead(child->slot, child->generation);
    child->pid = 0;
    shared_page_raise_rescan();
    for (int i = 0; i < CHILDREN_MAX; i++)
        if (children[i].pid > 0)
            (void)kill(children[i].pid, LATCH_SIGNAL);
}

void
kit_kill_quietly(pid_t pid)
{
    int status;

    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
}

void
kit_bury(pid_t pid)
{
    announce_death(find_child(pid));
}

void
kit_kill(pid_t pid)
{
    kit_kill_quietly(pid);
    kit_bury(pid);
}

void
kit_join(pid_t pid)
{
    Child *child = find_child(pid);
    int status = 0;

    assert_int_equal(waitpid(pid, &status, 0), pid);
    slot_mark_dead(child->slot, child->generation);
    child->pid = 0;
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("child in slot %d ended with status 0x%x", (int)child->slot, (unsigned)status);
}

int
kit_reap_ended(void)
{
    int ended = 0;
    int status;

    for (int i = 0; i < CHILDREN_MAX; i++) {
        if (children[i].pid <= 0 || waitpid(children[i].pid, &status, WNOHANG) != children[i].pid)
            continue;
        ended++;
        if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
            announce_death(&children[i]);
        } else {
            slot_mark_dead(children[i].slot, children[i].generation);
            children[i].pid = 0;
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
                fail_msg("child in slot %d ended with status 0x%x", (int)children[i].slot,
                         (unsigned)status);
        }
    }
    return ended;
}

void
kit_become(int32_t slot)
{
    ErrInfo err = {0};

    slot_claim(slot, slot_prepare(slot), PROC_BACKEND, 0);
    if (mainloop_init(-1, &err) != 0)
        fail_msg("%s", err.text);
}

RandomSeq
kit_seed(const char *what)
{
    const char *given = getenv("OT_TEST_SEED");
    RandomSeq seq = {given != NULL ? strtoull(given, NULL, 0) : random_u64()};

    printf("# %s: OT_TEST_SEED=0x%llx\n", what, (unsigned long long)seq.state);
    return seq;
}

int64_t
kit_stress_us(void)
{
    const char *given = getenv("OT_TEST_SECONDS");

    return (given != NULL ? strtoll(given, NULL, 10) : 2) * 1000000;
}

void
kit_pause_us(int64_t us)
{
    struct timespec t = {us / 1000000, us % 1000000 * 1000};

    (void)nanosleep(&t, NULL);
}

void
kit_wait_more(int64_t end_us, const char *condition, const char *file, int line)
{
    if (clock_mono_us() > end_us) {
        print_error("%s:%d: waited in vain for %s\n", file, line, condition);
        _fail(file, line);
    }
    kit_pause_us(100);
}
