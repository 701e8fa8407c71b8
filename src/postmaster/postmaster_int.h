/*
 * postmaster_int.h - the supervisor's state, shared by postmaster.c, start.c and accept.c
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_POSTMASTER_INT_H
#define OTTLA_POSTMASTER_POSTMASTER_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "ottla/backend/backend_main.h"
#include "ottla/postmaster/children.h"
#include "ottla/postmaster/postmaster.h"

/* All private memory of the supervisor; one per process. */
typedef struct Postmaster {
    PmSettings *settings;
    const KindMains *mains;
    PmMachine machine;
    Datadir dir;
    Region region;
    Children *children;
    char hostname[LISTENER_HOST_MAX];
    char voter_listener[LISTENER_NAME_MAX];
    char voter_host[LISTENER_HOST_MAX];

    bool accepting;              /* listeners are watched */
    AcceptState accept_state;    /* numbers and rates, listener by listener */
    bool in_loop[LISTENERS_MAX]; /* the loop knows its descriptors */
    bool watched[LISTENERS_MAX];
    uint32_t held_seen[LISTENERS_MAX]; /* of SharedPage.connections_held */
    int64_t accept_resume_us;          /* after a failure for want of resources; 0: not paused */

    int64_t phase_us;         /* the present start or recovery began */
    int64_t next_status_us;   /* STATUS is looked at */
    int64_t next_watchdog_us; /* INT64_MAX: none wanted */
    int64_t watchdog_half_us;
    int64_t watchdog_third_us;
    int crash_cycles;

    int64_t refill_us;   /* missing spares are forked from then on */
    bool spares_blocked; /* a fork failed: none are wanted until somebody ended */

    pid_t logger_pid;   /* 0: none lives */
    bool logger_wanted; /* log.destination was "file" once: somebody may write into the pipe */
    int64_t logger_launched_us; /* the last one */
    int64_t logger_started_ms;  /* the same, wall clock */

    int reloads_done; /* that were applied, all or in part */
    uint32_t orders_seen;

    bool exiting;
    int exit_code;
} Postmaster;

/* start.c: directories, sockets, region, table; 0 or a code. Ends with the machine in PM_INIT. */
int postmaster_start(Postmaster *pm, ErrInfo *err);

/* start.c: maps a region and says in it what the supervisor knows. */
int postmaster_map_region(Postmaster *pm, ErrInfo *err);

/* Works out how many startup workers there are to be, out of settings and the number of log directories. */
void postmaster_count_startup(PmSettings *settings, int log_dirs);

/* accept.c: watches the listeners, or leaves connections in their backlog. */
void accept_on(Postmaster *pm);
void accept_off(Postmaster *pm);

/*
 * accept.c: a listener opened while the node runs is watched from now on; one that closes is not any more, and its
 * connections are told to end. Its descriptors are closed by the caller.
 */
void accept_add_listener(Postmaster *pm, int listener);
void accept_remove_listener(Postmaster *pm, int listener);

/* relisten.c: opens and closes listeners as the settings want them now. */
void relisten_follow(Postmaster *pm);

/* A listener is not open yet because its host is being asked for. */
bool relisten_waits(void);

/* accept.c: after a backend ended, limits changed or time passed: which listeners are watched now. */
void accept_review(Postmaster *pm, int64_t now_us);

/* accept.c: when time alone changes that; INT64_MAX: never. */
int64_t accept_next_review_us(const Postmaster *pm, int64_t now_us);

/* In a child: closes the sockets only the supervisor listens on. */
void accept_close_inherited(void);

/* accept.c: clients that are connected. */
int32_t accept_client_count(const Postmaster *pm);

#define SPARES_MAX 64 /* idle backends; more would only fill memory */

/* spare.c: how many are missing now; 0 or less: none. */
int spare_wanted(const Postmaster *pm);

/* spare.c: forks some of those that are missing. */
void spare_refill(Postmaster *pm);

/* spare.c: idle ones, those that were told to end included. */
int spare_living(void);

/* spare.c: starts an idle one on a connection (the descriptor stays ours, too); 0: there is none. */
pid_t spare_hand_over(const BackendStart *start);

/* spare.c: a child was reaped; it may have been an idle one. */
void spare_buried(pid_t pid);

/* spare.c: idle ones end; in a child: closes what belongs to the supervisor. */
void spare_close_all(void);

/*
 * collector.c: the pipe and the first logger, when settings want one; what start.c could complain of went to stderr before.
 */
void collector_begin(Postmaster *pm);

/* collector.c: settings were read, or time has passed: starts one when there should be one. */
void collector_follow(Postmaster *pm);

/* collector.c: when that is due; INT64_MAX: never. */
int64_t collector_next_us(const Postmaster *pm);

/* collector.c: it reads the settings, too. */
void collector_reload(const Postmaster *pm);

/* collector.c: was it the logger that was reaped? */
bool collector_buried(Postmaster *pm, pid_t pid, int status);

/* collector.c: says in a new region who it is. */
void collector_publish(const Postmaster *pm);

/* collector.c: levels of log lines that requests set, after they changed and in a new region. */
void collector_tell_levels(void);

/* collector.c: at the end: waits until it has written all that was said, within reason. */
void collector_end(Postmaster *pm);

/* orders.c: does what backends have asked for since. */
void orders_follow(Postmaster *pm);

/* postmaster.c: takes over settings that requests have changed, and the controller judged. */
void postmaster_follow_settings(Postmaster *pm);

/* postmaster.c: gives an event to the machine and performs what it answers. */
void postmaster_feed(Postmaster *pm, const PmEvent *event);

#endif
