/*
 * accept_policy.c - may a listener accept a connection now, and if not, until when
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/accept_policy.h"

#include "ottla/common/assert.h"

static bool
is_full(const AcceptState *state, const AcceptRules *rules, int listener, int32_t clients)
{
    const AcceptListener *l = &state->listeners[listener];

    if (l->connections >= rules->listeners[listener].connections)
        return true;
    return !l->inter_broker && clients >= rules->node.connections;
}

AcceptVerdict
accept_verdict(const AcceptState *state, const AcceptRules *rules, int listener, int32_t clients,
               int64_t now_us)
{
    const AcceptListener *l = &state->listeners[listener];

    ot_assert(listener >= 0 && listener < state->count);
    if (l->local)
        return l->connections < rules->reserved || clients < rules->node.connections ? ACCEPT_NOW
                                                                                     : ACCEPT_FULL;
    if (is_full(state, rules, listener, clients))
        return ACCEPT_FULL;
    return now_us < l->resume_us ? ACCEPT_PAUSE : ACCEPT_NOW;
}

static void
add(uint64_t *samples, const RateSpans *spans, int32_t count, int64_t now_us)
{
    uint64_t window = rate_window(spans, now_us);
    uint64_t *word = &samples[rate_index(window)];

    *word = rate_word_add(*word, window, count);
}

/* For how long a bound on the rate lets nobody in. */
static int64_t
pause_ms(const uint64_t *samples, int32_t rate, const RateSpans *spans, int64_t now_us)
{
    int64_t most_ms = spans->window_us / 1000;
    RateSum sum;
    int64_t ms;

    if (rate == INT32_MAX)
        return 0;
    if (rate == 0)
        return most_ms;
    sum = rate_sum(samples, spans, now_us);
    ms = rate_throttle_ms(&sum, rate);
    return ms < most_ms ? ms : most_ms;
}

void
accept_count(AcceptState *state, const AcceptRules *rules, int listener, int64_t now_us)
{
    AcceptListener *l = &state->listeners[listener];
    int64_t ms, node_ms = 0;

    ot_assert(listener >= 0 && listener < state->count);
    if (l->local)
        return;
    add(l->samples, &rules->spans, 1, now_us);
    ms = pause_ms(l->samples, rules->listeners[listener].rate, &rules->spans, now_us);
    if (!l->inter_broker) {
        add(state->samples, &rules->spans, 1, now_us);
        node_ms = pause_ms(state->samples, rules->node.rate, &rules->spans, now_us);
    }
    l->resume_us = now_us + (ms > node_ms ? ms : node_ms) * 1000;
}

void
accept_uncount(AcceptState *state, const AcceptRules *rules, int listener, int32_t count,
               int64_t now_us)
{
    AcceptListener *l = &state->listeners[listener];

    add(l->samples, &rules->spans, -count, now_us);
    if (!l->inter_broker)
        add(state->samples, &rules->spans, -count, now_us);
}

bool
accept_must_evict(const AcceptState *state, const AcceptRules *rules, int32_t clients)
{
    bool exempt = false;

    for (int i = 0; i < state->count; i++)
        exempt |= state->listeners[i].inter_broker;
    return exempt && clients > rules->node.connections;
}

int64_t
accept_next_us(const AcceptState *state, int64_t now_us)
{
    int64_t next_us = INT64_MAX;

    for (int i = 0; i < state->count; i++)
        if (state->listeners[i].resume_us > now_us && state->listeners[i].resume_us < next_us)
            next_us = state->listeners[i].resume_us;
    return next_us;
}
