/*
 * shared_page.h - atomic words between the supervisor and everybody
 *
 * The only shared memory beside state words of slots that the supervisor reads: single words, each
 * with one meaning, so that no child can damage it by dying.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_SHARED_PAGE_H
#define OTTLA_IPC_SHARED_PAGE_H

#include "ottla/common/log.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/listeners.h"
#include "ottla/ipc/region.h"

typedef enum ShutdownMode {
    SHUTDOWN_NONE,
    SHUTDOWN_SMART,
    SHUTDOWN_FAST,
    SHUTDOWN_IMMEDIATE,
} ShutdownMode;

typedef struct SharedPage {
    /* Supervisor writes. */
    alignas(CACHE_LINE_BYTES) AtomicU32 rescan_epoch; /* raised after each abnormal death */
    AtomicU32 reload_generation;                      /* raised when the settings were read anew */
    AtomicU32 shutdown_mode;                          /* ShutdownMode */
    AtomicU32 clean_start;                            /* 1: every log dir had its clean marker */
    AtomicU32 crash_cycles;                           /* since the node was started */
    AtomicU32 node_state;                             /* PmState of postmaster/pm_state.h */
    AtomicU32 backends;                               /* living ones */
    AtomicI32 backend_slots_used;                     /* slots of backends ever given away */
    AtomicI64 started_ms;                             /* wall clock of this region's birth */
    AtomicI64 stats_reset_ms;
    AtomicI64 log_commit_serial;
    AtomicI64 logger_started_ms;
    AtomicI32 logger_pid; /* 0: there is none */
    /* For how long limits kept each listener from accepting, us * 2; while one does: the moment that it counts from, * 2 + 1. */
    AtomicI64 accept_blocked[LISTENERS_MAX];

    /* Controller writes. */
    alignas(CACHE_LINE_BYTES) AtomicU32 controller_active; /* 1: image published, decides */
    AtomicI32 controller_epoch;
    AtomicI64 metadata_offset; /* last applied and published */
    AtomicI32 partitions;      /* of this node, for STATUS */
    AtomicI32 partitions_led;
    AtomicI32 partitions_under_replicated; /* led, with fewer replicas in sync than there are */
    AtomicU32 config_generation; /* raised when dynamic settings of nodes have changed; 0: never */
    AtomicU32 log_levels[LOG_CATEGORY_COUNT]; /* 1 + LogLevel set by request; 0: as the files say */

    /* Startup workers write. */
    alignas(CACHE_LINE_BYTES) AtomicU32 recovery_total; /* partitions to be opened */
    AtomicU32 recovery_done;

    /* Backends add: connections of a listener held and closed, because their address opens too many. */
    alignas(CACHE_LINE_BYTES) AtomicU32 connections_held[LISTENERS_MAX];

    /* Backends add: orders given to the supervisor (control.h). */
    AtomicU32 control_serial;

    /* Backends take from it by CAS what a large request needs (queued.max.request.bytes). */
    alignas(CACHE_LINE_BYTES) AtomicI64 request_bytes_taken;

    /* Who shows metrics raises them (metrics.h): CPU time of backends; accept_blocked, in microseconds. */
    alignas(CACHE_LINE_BYTES) AtomicI64 backend_cpu_told;
    AtomicI64 accept_blocked_told[LISTENERS_MAX];

    /* Checkpointers: durable commits so far, one word per log dir. */
    alignas(CACHE_LINE_BYTES) AtomicU64 commit_serial[64];
} SharedPage;

static_assert(sizeof(SharedPage) <= REGION_PAGE, "one page");

/* The page; valid after region_map, the same address in every process. */
extern SharedPage *shared_page;

size_t shared_page_shm_size(const ShmLimits *limits);
void shared_page_shm_init(void *base, const ShmLimits *limits);

/*
 * Supervisor, after an abnormal death was stored in the slot: every process re-checks what it waits
 * for when it runs next. The caller then signals (LATCH_SIGNAL) every child of its private table.
 */
void shared_page_raise_rescan(void);

#endif
