/*
 * plan_int.h - where replicas should be: drain, balance, other factors, other brokers
 *
 * Keeps replicas where they are when that is allowed, prefers racks that a partition is not in yet, then brokers with the
 * fewest replicas, then the smallest id; the first replica, which leads by preference, is on the broker that leads least.
 * The same input gives the same plan. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_PLAN_INT_H
#define OTTLA_STATEMENT_PLAN_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/view.h"

#define PLAN_REPLICAS_MAX 64
#define PLAN_BROKERS_MAX  4096

typedef struct PlanBroker {
    int32_t id;
    StrView rack;     /* null: none */
    bool barred;      /* takes no new replicas, gives up what it has */
    int32_t replicas; /* in the plan; filled by plan_init */
    int32_t leaders;
} PlanBroker;

typedef struct PlanPartition {
    StrView topic;
    int32_t partition;
    int32_t before_count, after_count;
    int32_t before[PLAN_REPLICAS_MAX]; /* broker ids, the preferred leader first */
    int32_t after[PLAN_REPLICAS_MAX];
    bool fixed; /* counts as load, but stays */
} PlanPartition;

typedef struct Plan {
    PlanBroker *brokers;
    int32_t broker_count;
    PlanPartition *partitions;
    int32_t partition_count;
} Plan;

/* Makes after = before everywhere and counts. */
void plan_init(Plan *plan);

/*
 * Replicas leave barred brokers (those that are not in the list, too). False: *ret_stuck names a partition for which there are
 * too few brokers; the plan is of no use then.
 */
bool plan_clear_barred(Plan *plan, int32_t *ret_stuck);

/* Every partition that is not fixed gets so many replicas. False as above. */
bool plan_set_factor(Plan *plan, int32_t factor, int32_t *ret_stuck);

/* Moves as few replicas as it takes until brokers differ by one at most, as far as racks allow. */
void plan_balance(Plan *plan);

/* Reorders replicas so that preferred leaders differ by one at most, as far as that can be had. */
void plan_spread_leaders(Plan *plan);

bool plan_changed(const PlanPartition *p);

#endif
