/*
 * shm_kit.h - a region and children with slots for tests: the supervisor's part without a supervisor
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_SHM_KIT_H
#define TEST_SHM_KIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ottla/common/clock.h"
#include "ottla/common/random.h"
#include "ottla/ipc/region.h"

#define KIT_BACKENDS 96
#define KIT_WORKERS  4
#define KIT_SESSIONS 4
#define KIT_SCRATCH  (1 << 20)

/* 1 MiB of zeroed shared memory for the test's own use. */
extern void *kit_scratch;

/* The region of the test, small; every region of ipc is in it. */
extern Region kit_region;

/* Maps the region (setup of a cmocka test) and takes it back (teardown, ends all children). */
int kit_setup(void **state);
int kit_teardown(void **state);

/* As kit_setup with other limits than the kit's. */
void kit_map(const ShmLimits *limits);

/* The kit's limits. */
void kit_limits(ShmLimits *ret);

typedef void (*KitMain)(void *arg);

/*
 * Forks a child into a free slot: claims it, makes its main loop, runs main, _exit(0). Returns the
 * pid; the slot is where kit_slot_of says.
 */
pid_t kit_fork(KitMain main, void *arg);

/* As kit_fork into exactly this slot. */
pid_t kit_fork_slot(int32_t slot, KitMain main, void *arg);

int32_t kit_slot_of(pid_t pid);

/* kill -9, reap, DEAD, rescan, signals to all other children: what the supervisor does. */
void kit_kill(pid_t pid);

/* Kills without telling anybody yet; kit_bury does the rest. */
void kit_kill_quietly(pid_t pid);
void kit_bury(pid_t pid);

/* Waits for the child's own end; fails the test unless it is exit code 0. */
void kit_join(pid_t pid);

/*
 * Takes back children that ended by themselves. A child that killed itself (raise SIGKILL) counts
 * as an abnormal death. Returns how many ended; fails the test on any other signal or code.
 */
int kit_reap_ended(void);

/* Living children of the kit. */
int kit_alive(void);

/* This process takes a slot itself, main loop included (single-process tests). */
void kit_become(int32_t slot);

/* From OT_TEST_SEED or the kernel; printed as a TAP comment. */
RandomSeq kit_seed(const char *what);

/* Seconds a stress may take: the default, or OT_TEST_SECONDS. */
int64_t kit_stress_us(void);

/* Sleeps: a random instant is wanted, or others are looked at meanwhile. Never to let something happen. */
void kit_pause_us(int64_t us);

/* Waits for a condition; the test fails when it has not come in KIT_PATIENCE_US. */
#define KIT_PATIENCE_US 20000000
#define KIT_WAIT_UNTIL(condition)                                               \
    for (int64_t kit_end_us = clock_mono_us() + KIT_PATIENCE_US; !(condition);) \
    kit_wait_more(kit_end_us, #condition, __FILE__, __LINE__)
void kit_wait_more(int64_t end_us, const char *condition, const char *file, int line);

#endif
