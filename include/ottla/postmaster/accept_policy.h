/*
 * accept_policy.h - may a listener accept a connection now, and if not, until when
 *
 * Spec: admin-and-security.md 9.2, 9.3. Limits on numbers: a listener's own, and max.connections of the node,
 * from which the inter-broker listener is exempt when it is not the only one. The Unix socket knows one
 * limit: that of the node, and of its connections some are let in beyond it
 * (superuser.reserved.connections), so that an operator always is. Limits on rates: each
 * accepted connection counts, and a listener over its rate, or the node's, pauses for a while, at most
 * a window. Limits of single addresses are looked at when a connection is there (accept.c).
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_ACCEPT_POLICY_H
#define OTTLA_POSTMASTER_ACCEPT_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/rate.h"

#define ACCEPT_LISTENERS_MAX 16

/* INT32_MAX: no limit. */
typedef struct AcceptBound {
    int32_t connections;
    int32_t rate; /* new ones a second; 0: none at all */
} AcceptBound;

typedef struct AcceptRules {
    AcceptBound node;
    int32_t reserved; /* connections of Unix sockets that are let in whatever the node's limit is */
    AcceptBound listeners[ACCEPT_LISTENERS_MAX];
    RateSpans spans;
} AcceptRules;

/* One listener that is accepted from. */
typedef struct AcceptListener {
    bool local;        /* a Unix socket: no rate, no limit of its own */
    bool inter_broker; /* and not the only TCP listener: exempt from the node's limits */
    int32_t connections;
    int64_t resume_us; /* over a rate until then; 0: not */
    uint64_t samples[RATE_SAMPLES];
} AcceptListener;

typedef struct AcceptState {
    AcceptListener listeners[ACCEPT_LISTENERS_MAX];
    int count;
    uint64_t samples[RATE_SAMPLES]; /* of the node */
} AcceptState;

typedef enum AcceptVerdict {
    ACCEPT_NOW,
    ACCEPT_FULL,  /* when a connection ends */
    ACCEPT_PAUSE, /* from resume_us on */
} AcceptVerdict;

/* clients: all connections of the node. */
AcceptVerdict accept_verdict(const AcceptState *state, const AcceptRules *rules, int listener,
                             int32_t clients, int64_t now_us);

/* A connection was accepted: counts, and pauses the listener if it is over a rate now. */
void accept_count(AcceptState *state, const AcceptRules *rules, int listener, int64_t now_us);

/* Connections that were closed unserved, because their address opens too many, do not count. */
void accept_uncount(AcceptState *state, const AcceptRules *rules, int listener, int32_t count,
                    int64_t now_us);

/*
 * Is one of another listener to be closed, because the inter-broker listener, which is always let in, brought
 * the node over its limit?
 */
bool accept_must_evict(const AcceptState *state, const AcceptRules *rules, int32_t clients);

/* The next moment at which a pause ends; INT64_MAX: there is none. */
int64_t accept_next_us(const AcceptState *state, int64_t now_us);

#endif
