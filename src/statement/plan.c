/*
 * plan.c - where replicas should be: drain, balance, other factors, other brokers
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "plan_int.h"

#include <string.h>

/* Rounds over all partitions: each moves at least one replica or leader, or is the last. */
#define PLAN_ROUNDS_MAX 1000

static PlanBroker *
broker_of(Plan *plan, int32_t id)
{
    for (int32_t i = 0; i < plan->broker_count; i++) {
        if (plan->brokers[i].id == id)
            return &plan->brokers[i];
    }
    return NULL;
}

static int32_t
place_of(const PlanPartition *p, int32_t id)
{
    for (int32_t i = 0; i < p->after_count; i++) {
        if (p->after[i] == id)
            return i;
    }
    return -1;
}

static void
count_replica(Plan *plan, int32_t id, bool leads, int by)
{
    PlanBroker *b = broker_of(plan, id);

    if (b == NULL)
        return;
    b->replicas += by;
    if (leads)
        b->leaders += by;
}

void
plan_init(Plan *plan)
{
    for (int32_t i = 0; i < plan->broker_count; i++)
        plan->brokers[i].replicas = plan->brokers[i].leaders = 0;
    for (int32_t i = 0; i < plan->partition_count; i++) {
        PlanPartition *p = &plan->partitions[i];

        p->after_count = p->before_count;
        memcpy(p->after, p->before, sizeof p->after);
        for (int32_t j = 0; j < p->after_count; j++)
            count_replica(plan, p->after[j], j == 0, 1);
    }
}

/* Replicas of a partition in a rack, that at one place left out. */
static int32_t
in_rack(Plan *plan, const PlanPartition *p, StrView rack, int32_t without)
{
    int32_t count = 0;

    for (int32_t i = 0; i < p->after_count; i++) {
        const PlanBroker *b = i == without ? NULL : broker_of(plan, p->after[i]);

        count += b != NULL && rack.ptr != NULL && strview_equal(b->rack, rack);
    }
    return count;
}

/* The broker for a new replica; at the place `instead`, -1: one more. NULL: none is left. */
static PlanBroker *
choose(Plan *plan, const PlanPartition *p, int32_t instead)
{
    PlanBroker *best = NULL;
    int32_t best_rack = 0;

    for (int32_t i = 0; i < plan->broker_count; i++) {
        PlanBroker *b = &plan->brokers[i];
        int32_t rack;

        if (b->barred || place_of(p, b->id) >= 0)
            continue;
        rack = in_rack(plan, p, b->rack, instead);
        if (best == NULL || rack < best_rack ||
            (rack == best_rack && (b->replicas < best->replicas ||
                                   (b->replicas == best->replicas && b->id < best->id)))) {
            best = b;
            best_rack = rack;
        }
    }
    return best;
}

static void
put(Plan *plan, PlanPartition *p, int32_t place, int32_t id)
{
    if (place < p->after_count)
        count_replica(plan, p->after[place], place == 0, -1);
    else
        p->after_count++;
    p->after[place] = id;
    count_replica(plan, id, place == 0, 1);
}

bool
plan_clear_barred(Plan *plan, int32_t *ret_stuck)
{
    for (int32_t i = 0; i < plan->partition_count; i++) {
        PlanPartition *p = &plan->partitions[i];

        for (int32_t j = 0; j < p->after_count && !p->fixed; j++) {
            const PlanBroker *at = broker_of(plan, p->after[j]), *to;

            if (at != NULL && !at->barred)
                continue;
            to = choose(plan, p, j);
            if (to == NULL) {
                *ret_stuck = i;
                return false;
            }
            put(plan, p, j, to->id);
        }
    }
    return true;
}

/* The replica that is missed least: where its rack has another one, then on the fullest broker; never the leader. */
static int32_t
choose_to_remove(Plan *plan, const PlanPartition *p)
{
    int32_t best = -1, best_rack = 0, best_load = 0;

    for (int32_t j = 1; j < p->after_count; j++) {
        const PlanBroker *b = broker_of(plan, p->after[j]);
        int32_t rack = b == NULL ? INT32_MAX : in_rack(plan, p, b->rack, j);
        int32_t load = b == NULL ? INT32_MAX : b->replicas;

        if (best < 0 || rack > best_rack || (rack == best_rack && load >= best_load)) {
            best = j;
            best_rack = rack;
            best_load = load;
        }
    }
    return best;
}

bool
plan_set_factor(Plan *plan, int32_t factor, int32_t *ret_stuck)
{
    for (int32_t i = 0; i < plan->partition_count; i++) {
        PlanPartition *p = &plan->partitions[i];

        while (!p->fixed && p->after_count < factor) {
            const PlanBroker *to = p->after_count < PLAN_REPLICAS_MAX ? choose(plan, p, -1) : NULL;

            if (to == NULL) {
                *ret_stuck = i;
                return false;
            }
            put(plan, p, p->after_count, to->id);
        }
        while (!p->fixed && p->after_count > factor && p->after_count > 1) {
            int32_t at = choose_to_remove(plan, p);

            count_replica(plan, p->after[at], false, -1);
            memmove(&p->after[at], &p->after[at + 1],
                    (size_t)(p->after_count - at - 1) * sizeof p->after[0]);
            p->after_count--;
        }
    }
    return true;
}

/* A broker with fewer replicas by two at least that may take this one; NULL: none. */
static PlanBroker *
better_place(Plan *plan, const PlanPartition *p, int32_t place)
{
    const PlanBroker *from = broker_of(plan, p->after[place]);
    PlanBroker *best = NULL;
    int32_t rack_now;

    if (from == NULL)
        return NULL;
    rack_now = in_rack(plan, p, from->rack, place);
    for (int32_t i = 0; i < plan->broker_count; i++) {
        PlanBroker *b = &plan->brokers[i];

        if (b->barred || b->replicas + 1 >= from->replicas || place_of(p, b->id) >= 0 ||
            in_rack(plan, p, b->rack, place) > rack_now)
            continue;
        if (best == NULL || b->replicas < best->replicas ||
            (b->replicas == best->replicas && b->id < best->id))
            best = b;
    }
    return best;
}

void
plan_balance(Plan *plan)
{
    bool moved = true;

    for (int round = 0; round < PLAN_ROUNDS_MAX && moved; round++) {
        moved = false;
        for (int32_t i = 0; i < plan->partition_count; i++) {
            PlanPartition *p = &plan->partitions[i];

            /* followers first: they move without a change of leader */
            for (int32_t j = p->after_count - 1; j >= 0 && !p->fixed; j--) {
                PlanBroker *to = better_place(plan, p, j);

                if (to != NULL) {
                    put(plan, p, j, to->id);
                    moved = true;
                }
            }
        }
    }
}

void
plan_spread_leaders(Plan *plan)
{
    bool moved = true;

    for (int round = 0; round < PLAN_ROUNDS_MAX && moved; round++) {
        moved = false;
        for (int32_t i = 0; i < plan->partition_count; i++) {
            PlanPartition *p = &plan->partitions[i];
            PlanBroker *now = p->after_count == 0 || p->fixed ? NULL : broker_of(plan, p->after[0]);
            PlanBroker *best = now;
            int32_t at = 0;

            for (int32_t j = 1; j < p->after_count && now != NULL; j++) {
                PlanBroker *b = broker_of(plan, p->after[j]);

                if (b != NULL && b->leaders + 1 < now->leaders &&
                    (best == now || b->leaders < best->leaders)) {
                    best = b;
                    at = j;
                }
            }
            if (best == now)
                continue;
            p->after[at] = now->id;
            p->after[0] = best->id;
            now->leaders--;
            best->leaders++;
            moved = true;
        }
    }
}

bool
plan_changed(const PlanPartition *p)
{
    return p->before_count != p->after_count ||
           memcmp(p->before, p->after, (size_t)p->after_count * sizeof p->after[0]) != 0;
}
