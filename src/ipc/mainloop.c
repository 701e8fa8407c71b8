/*
 * mainloop.c - the one place where a process waits
 *
 * Runs in: every process; each has its own epoll and signalfd, made after its fork (an epoll entry
 * made by the parent stays silent in the child).
 * Never: touches shared memory of others; a death inside it leaves at most the own sleeps flag set,
 * which the slot's next owner clears.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/mainloop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/own_page.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"

typedef struct Watch {
    MainloopFd callback; /* NULL: not watched */
    void *arg;
    uint32_t serial; /* tells events of an earlier owner of the descriptor apart */
} Watch;

/* All of one process. */
static OWN_PAGE int epoll_fd = -1;
static OWN_PAGE int signal_fd = -1;
static OWN_PAGE int death_pipe = -1;
static OWN_PAGE Watch *watches; /* by descriptor */
static OWN_PAGE int watch_count;
static OWN_PAGE uint32_t next_serial;
static OWN_PAGE uint32_t interrupts;
static OWN_PAGE bool interrupts_fresh; /* raised since mainloop_wait reported them last */
static OWN_PAGE uint32_t seen_epoch;
static OWN_PAGE int64_t turned_us;

typedef struct SignalRow {
    int signal;
    Interrupt flag;
} SignalRow;

static const SignalRow signal_rows[] = {
    {SIGTERM, INTERRUPT_TERMINATE}, {SIGINT, INTERRUPT_CANCEL}, {SIGHUP, INTERRUPT_RELOAD},
    {SIGUSR2, INTERRUPT_FINISH},    {SIGUSR1, INTERRUPT_USR1},  {SIGCHLD, INTERRUPT_CHILD},
    {SIGQUIT, INTERRUPT_QUIT},
};

#define SIGNAL_ROWS (sizeof signal_rows / sizeof signal_rows[0])

/* SIGQUIT in a child: out at once, nothing is tidied. */
static void
quit_now(int signal_number)
{
    (void)signal_number;
    _exit(2);
}

static int
watch_raw(int op, int fd, uint32_t events, uint32_t serial)
{
    struct epoll_event event = {
        .events = events,
        .data = {.u64 = (uint64_t)serial << 32 | (uint32_t)fd},
    };

    return epoll_ctl(epoll_fd, op, fd, &event);
}

static int
open_signal_fd(ErrInfo *err)
{
    sigset_t set;
    sigset_t quit;

    sigemptyset(&set);
    sigaddset(&set, LATCH_SIGNAL);
    for (size_t i = 0; i < SIGNAL_ROWS; i++)
        if (signal_rows[i].signal != SIGQUIT || my_slot == NULL)
            sigaddset(&set, signal_rows[i].signal);
    signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_fd < 0)
        return err_set_errno(err, OT_E_SYSTEM, errno, "signalfd");
    sigemptyset(&quit);
    sigaddset(&quit, SIGQUIT);
    if (my_slot != NULL) {
        ot_assert(signal(SIGQUIT, quit_now) != SIG_ERR);
        ot_assert(sigprocmask(SIG_UNBLOCK, &quit, NULL) == 0);
    } else {
        ot_assert(sigprocmask(SIG_BLOCK, &quit, NULL) == 0);
    }
    return 0;
}

int
mainloop_init(int death_fd, ErrInfo *err)
{
    int rc;

    ot_assert(epoll_fd < 0);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0)
        return err_set_errno(err, OT_E_SYSTEM, errno, "epoll_create");
    rc = open_signal_fd(err);
    if (rc != 0) {
        mainloop_fini();
        return rc;
    }
    death_pipe = death_fd;
    if (watch_raw(EPOLL_CTL_ADD, signal_fd, EPOLLIN, 0) != 0 ||
        (death_fd >= 0 && watch_raw(EPOLL_CTL_ADD, death_fd, EPOLLIN, 0) != 0)) {
        rc = err_set_errno(err, OT_E_SYSTEM, errno, "epoll_ctl");
        mainloop_fini();
        return rc;
    }
    interrupts = 0;
    interrupts_fresh = false;
    seen_epoch = shared_page == NULL ? 0 : atomic_u32_load(&shared_page->rescan_epoch);
    return 0;
}

void
mainloop_fini(void)
{
    if (signal_fd >= 0)
        (void)close(signal_fd); /* nothing can be lost */
    if (epoll_fd >= 0)
        (void)close(epoll_fd);
    signal_fd = -1;
    epoll_fd = -1;
    death_pipe = -1;
    free(watches);
    watches = NULL;
    watch_count = 0;
}

/* Room for a descriptor in the table. False: no memory. */
static bool
reserve_watch(int fd)
{
    int count = watch_count == 0 ? 64 : watch_count;
    Watch *grown;

    if (fd < watch_count)
        return true;
    while (count <= fd)
        count *= 2;
    grown = realloc(watches, (size_t)count * sizeof *watches);
    if (grown == NULL)
        return false;
    for (int i = watch_count; i < count; i++)
        grown[i] = (Watch){0};
    watches = grown;
    watch_count = count;
    return true;
}

int
mainloop_add(int fd, uint32_t events, MainloopFd callback, void *arg)
{
    uint32_t serial;

    ot_assert(epoll_fd >= 0 && fd >= 0 && callback != NULL);
    if (!reserve_watch(fd))
        return OT_E_NO_MEMORY;
    ot_assert(watches[fd].callback == NULL);
    next_serial = next_serial == UINT32_MAX ? 1 : next_serial + 1;
    serial = next_serial;
    if (watch_raw(EPOLL_CTL_ADD, fd, events, serial) != 0)
        return OT_E_SYSTEM;
    watches[fd] = (Watch){callback, arg, serial};
    return 0;
}

void
mainloop_modify(int fd, uint32_t events)
{
    ot_assert(fd >= 0 && fd < watch_count && watches[fd].callback != NULL);
    ot_assert(watch_raw(EPOLL_CTL_MOD, fd, events, watches[fd].serial) == 0);
}

void
mainloop_remove(int fd)
{
    if (fd < 0 || fd >= watch_count || watches[fd].callback == NULL)
        return;
    (void)watch_raw(EPOLL_CTL_DEL, fd, 0, 0); /* closed already: then it is out */
    watches[fd] = (Watch){0};
}

void
interrupt_raise(Interrupt flag)
{
    interrupts |= (uint32_t)flag;
    interrupts_fresh = true;
}

bool
interrupt_take(Interrupt flag)
{
    bool set = (interrupts & (uint32_t)flag) != 0;

    interrupts &= ~(uint32_t)flag;
    return set;
}

bool
interrupt_pending(Interrupt flag)
{
    return (interrupts & (uint32_t)flag) != 0;
}

/* Takes all waiting signals off the descriptor; the latch's own says nothing by itself. */
static void
read_signals(void)
{
    struct signalfd_siginfo info[8];
    ssize_t got;

    while ((got = read(signal_fd, info, sizeof info)) > 0) {
        size_t count = (size_t)got / sizeof info[0];

        for (size_t i = 0; i < count; i++)
            for (size_t row = 0; row < SIGNAL_ROWS; row++)
                if ((int)info[i].ssi_signo == signal_rows[row].signal)
                    interrupt_raise(signal_rows[row].flag);
        if (count < sizeof info / sizeof info[0])
            break;
    }
}

/* Sleeps for at most so long, 0: looks without sleeping; number of events, 0 on EINTR. */
static int
sleep_for_events(struct epoll_event *events, int64_t left_us, int64_t now_us, WaitEvent event)
{
    struct timespec limit = {.tv_sec = left_us / 1000000, .tv_nsec = left_us % 1000000 * 1000};

    if (left_us <= 0)
        return epoll_pwait2(epoll_fd, events, MAINLOOP_EVENTS_PER_TURN, &(struct timespec){0},
                            NULL);
    if (my_slot != NULL) { /* latch_sleeps says that it is true */
        atomic_u32_store_relaxed(&my_slot->sleep_event, (uint32_t)event);
        atomic_i64_store_relaxed(&my_slot->waiting_since_us, now_us);
    }
    return epoll_pwait2(epoll_fd, events, MAINLOOP_EVENTS_PER_TURN,
                        left_us == MAINLOOP_NO_DEADLINE ? NULL : &limit, NULL);
}

/* Runs what is ready. WOKE_FD when a callback ran. */
static uint32_t
deliver(const struct epoll_event *events, int count)
{
    uint32_t why = 0;

    for (int i = 0; i < count; i++) {
        int fd = (int)(uint32_t)events[i].data.u64;
        uint32_t serial = (uint32_t)(events[i].data.u64 >> 32);

        if (serial == 0 && fd == signal_fd) {
            read_signals();
        } else if (serial == 0) {
            ot_assert(fd == death_pipe);
            (void)watch_raw(EPOLL_CTL_DEL, death_pipe, 0, 0); /* it stays readable for ever */
            interrupt_raise(INTERRUPT_ORPHANED);
        } else if (fd < watch_count && watches[fd].serial == serial) {
            watches[fd].callback(fd, events[i].events, watches[fd].arg);
            why |= WOKE_FD;
        }
    }
    return why;
}

/* What else holds now: latch, interrupts, rescan. */
static uint32_t
take_flags(void)
{
    uint32_t why = 0;

    if (my_slot != NULL) {
        if (latch_reset())
            why |= WOKE_LATCH;
        latch_help();
        atomic_i64_store_relaxed(&my_slot->progress_us, turned_us);
    }
    if (shared_page != NULL) {
        uint32_t epoch = atomic_u32_load_seq(&shared_page->rescan_epoch);

        if (epoch != seen_epoch) {
            seen_epoch = epoch;
            why |= WOKE_RESCAN;
        }
    }
    if (interrupts != 0)
        why |= WOKE_INTERRUPT;
    interrupts_fresh = false;
    return why;
}

uint32_t
mainloop_wait_from(int64_t now_us, int64_t deadline_us, WaitEvent event)
{
    struct epoll_event events[MAINLOOP_EVENTS_PER_TURN];
    int64_t left_us = deadline_us == MAINLOOP_NO_DEADLINE ? deadline_us : deadline_us - now_us;
    uint32_t why = 0;
    int count;

    ot_assert(epoll_fd >= 0);
    if (interrupts_fresh || (my_slot != NULL && !latch_begin_sleep()))
        left_us = 0;
    if (shared_page != NULL && atomic_u32_load(&shared_page->rescan_epoch) != seen_epoch)
        left_us = 0;
    count = sleep_for_events(events, left_us, now_us, event);
    if (my_slot != NULL)
        latch_end_sleep();
    ot_assert(count >= 0 || errno == EINTR);
    turned_us = clock_mono_us();
    why = deliver(events, count < 0 ? 0 : count);
    why |= take_flags();
    if (turned_us >= deadline_us)
        why |= WOKE_DEADLINE;
    return why;
}

uint32_t
mainloop_wait(int64_t deadline_us, WaitEvent event)
{
    return mainloop_wait_from(clock_mono_us(), deadline_us, event);
}

int64_t
mainloop_turned_us(void)
{
    return turned_us;
}
