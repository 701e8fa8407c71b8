/*
 * plock.c - robust locks between processes
 *
 * Runs in: every process that changes a partition or a session.
 * Never: by the supervisor.
 *
 * Crash argument: the kernel walks the robust list of a dying thread and marks what it held; the next
 * taker gets EOWNERDEAD and with it the duty to repair. Dying during the repair hands on the same
 * duty, for the mutex becomes consistent only by plock_consistent.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/plock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/slot.h"

#ifdef __SANITIZE_THREAD__ /* it does not know pthread_mutex_clocklock */
#include <sanitizer/tsan_interface.h>
#define TELL_LOCKED(mutex)                                       \
    do {                                                         \
        __tsan_mutex_pre_lock(mutex, __tsan_mutex_try_lock);     \
        __tsan_mutex_post_lock(mutex, __tsan_mutex_try_lock, 0); \
    } while (0)
#else
#define TELL_LOCKED(mutex) ((void)(mutex))
#endif

#define HELD_MAX 8

/* Of this thread: a process proper has one thread. */
static _Thread_local const PLock *held[HELD_MAX];
static _Thread_local int held_count;
static _Thread_local bool held_dead[HELD_MAX]; /* owner died, plock_consistent was not said yet */

void
plock_init(PLock *lock, PLockRank rank)
{
    pthread_mutexattr_t attr;

    ot_assert(rank > 0 && rank < PLOCK_RANK_COUNT);
    ot_assert(pthread_mutexattr_init(&attr) == 0);
    ot_assert(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED) == 0);
    ot_assert(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST) == 0);
    ot_assert(pthread_mutex_init(&lock->mutex, &attr) == 0);
    ot_assert(pthread_mutexattr_destroy(&attr) == 0);
    lock->rank = (uint16_t)rank;
    lock->initialized = 1;
}

static void
check_usable(const PLock *lock)
{
    ot_assert(lock->initialized == 1);
    ot_assert(held_count < HELD_MAX);
}

/* rank_max: of a lock that may be held already. */
static void
check_rank(const PLock *lock, int rank_max)
{
    check_usable(lock);
    for (int i = 0; i < held_count; i++)
        ot_assert_slow(held[i]->rank <= rank_max);
}

/* Keeps books of a lock just taken; tells what the mutex said. */
static PLockResult
note_taken(PLock *lock, int rc)
{
    ot_assert(rc == 0 || rc == EOWNERDEAD);
    held_dead[held_count] = rc == EOWNERDEAD;
    held[held_count++] = lock;
    if (my_slot != NULL)
        atomic_u32_store_relaxed(&my_slot->critical, (uint32_t)held_count);
    atomic_u32_store(&lock->holder, (uint32_t)(my_slot_index + 1)); /* pairs with plock_use.c */
    return rc == 0 ? PLOCK_OK : PLOCK_OWNER_DIED;
}

PLockResult
plock_trylock(PLock *lock)
{
    int rc;

    check_usable(lock); /* who does not wait cannot be part of a deadlock: any rank */
    rc = pthread_mutex_trylock(&lock->mutex);
    return rc == EBUSY ? PLOCK_TIMEOUT : note_taken(lock, rc);
}

static PLockResult
lock_until(PLock *lock, int64_t deadline_us, WaitEvent event)
{
    struct timespec until = {
        .tv_sec = deadline_us / 1000000,
        .tv_nsec = deadline_us % 1000000 * 1000,
    };
    WaitEvent before;
    int rc;

    rc = pthread_mutex_trylock(&lock->mutex);
    if (rc != EBUSY)
        return note_taken(lock, rc);
    before = slot_set_wait_event(event);
    slot_set_lock_wanted(lock);
    rc = pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &until);
    slot_set_lock_wanted(NULL);
    (void)slot_set_wait_event(before);
    if (rc != ETIMEDOUT)
        TELL_LOCKED(&lock->mutex);
    return rc == ETIMEDOUT ? PLOCK_TIMEOUT : note_taken(lock, rc);
}

PLockResult
plock_lock(PLock *lock, int64_t deadline_us, WaitEvent event)
{
    check_rank(lock, lock->rank - 1);
    return lock_until(lock, deadline_us, event);
}

PLockResult
plock_lock_peer(PLock *lock, int64_t deadline_us, WaitEvent event)
{
    check_rank(lock, lock->rank);
    return lock_until(lock, deadline_us, event);
}

void
plock_consistent(PLock *lock)
{
    int i = held_count - 1;

    while (i >= 0 && held[i] != lock)
        i--;
    ot_assert(i >= 0 && held_dead[i]);
    ot_assert(pthread_mutex_consistent(&lock->mutex) == 0);
    held_dead[i] = false;
}

void
plock_unlock(PLock *lock)
{
    int i = held_count - 1;

    while (i >= 0 && held[i] != lock)
        i--;
    ot_assert(i >= 0);
    ot_assert(!held_dead[i]);
    for (; i < held_count - 1; i++) {
        held[i] = held[i + 1];
        held_dead[i] = held_dead[i + 1];
    }
    held_count--;
    atomic_u32_store_relaxed(&lock->holder, 0);
    if (my_slot != NULL)
        atomic_u32_store(&my_slot->critical, (uint32_t)held_count); /* pairs with plock_use.c */
    ot_assert(pthread_mutex_unlock(&lock->mutex) == 0);
}

static bool
is_stopped(pid_t pid)
{
    char path[32], text[256];
    const char *state;
    ssize_t count;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = vfs_open(path, O_RDONLY, 0, NULL);
    if (fd < 0)
        return false;
    count = vfs_pread(fd, text, sizeof text - 1, 0, NULL);
    vfs_close(fd);
    text[count < 0 ? 0 : count] = '\0';
    state = strrchr(text, ')'); /* behind the name in parentheses */
    return state != NULL && state[1] == ' ' && (state[2] == 'T' || state[2] == 't');
}

pid_t
plock_kill_stopped_holder(const PLock *lock)
{
    return plock_kill_if_stopped(&lock->holder);
}

pid_t
plock_kill_if_stopped(const AtomicU32 *word)
{
    uint32_t holder = atomic_u32_load(word);
    pid_t pid;
    int pidfd;

    if (holder == 0 || (int32_t)(holder - 1) == my_slot_index)
        return 0;
    pid = atomic_i32_load(&slot_at((int32_t)(holder - 1))->pid);
    pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
    if (pidfd < 0)
        return 0;
    /* A stopped process lets nothing go: what is still true now stays so until the kill. */
    if (!is_stopped(pid) || atomic_u32_load(word) != holder ||
        pidfd_send_signal(pidfd, SIGKILL, NULL, 0) != 0)
        pid = 0;
    (void)close(pidfd);
    return pid;
}

int
plock_held_count(void)
{
    return held_count;
}
