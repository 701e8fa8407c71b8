/*
 * obituary.h - the line about a child that died: who, how, what it was doing, what to look at
 *
 * Runs in: supervisor. Reads texts of the dead child's slot by whole copies of bounded size.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_OBITUARY_H
#define OTTLA_POSTMASTER_OBITUARY_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/postmaster/children.h"
#include "ottla/postmaster/pm_state.h"

#define OBITUARY_TEXT_MAX 1024

/* What there is to say; pure formatting of it is tested without a region. */
typedef struct Obituary {
    char what[OBITUARY_TEXT_MAX];   /* "backend 4711 was killed by SIGKILL" */
    char detail[OBITUARY_TEXT_MAX]; /* panic text, what it was doing; "" when unknown */
    char hint[OBITUARY_TEXT_MAX];   /* "" when there is none */
} Obituary;

/* The state of the slot at death, copied. Strings may be empty. */
typedef struct LastWords {
    const char *panic;
    const char *title; /* last process title, without "ottlad: instance: " */
    const char *client_id;
    const char *peer;
    const char *topic;
    int16_t api_key; /* -1: no request */
    int16_t api_version;
    bool oom_killed; /* the kernel counted an out-of-memory kill since a child was killed last */
} LastWords;

/* Pure. */
void obituary_write(const Child *child, const PmExit *how, const LastWords *words, Obituary *ret);

/*
 * Reads the slot, writes and logs the obituary when the death deserves one (level by what it leads
 * to); routine ends are silent. Returns whether the slot holds a panic text.
 */
bool obituary_panicked(const Child *child);
void obituary_log(const Child *child, const PmExit *how, PmDeath death);

/*
 * From now on a failed assertion of this process, the supervisor, is one PANIC line and exit code 70.
 * Children replace it by their own as soon as they have a slot. Out-of-memory kills count from now on.
 */
void obituary_watch_self(void);

#endif
