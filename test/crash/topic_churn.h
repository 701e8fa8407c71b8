/*
 * topic_churn.h - a client that creates and deletes topics all the time, while the node is killed
 *
 * What was acknowledged is in shared memory, so that anybody can compare it with what the node says:
 * the churn itself after each broken connection, the parent at the end.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_TOPIC_CHURN_H
#define TEST_TOPIC_CHURN_H

#include "ottla/common/random.h"
#include "load_client.h"

typedef struct Churn Churn;

/* In shared memory, before the fork of the client. NULL: no memory. */
Churn *churn_new(uint64_t seed);

/* The client's life, until shared->stop. */
void churn_main(Churn *churn, ClientState *me);

/*
 * Asks the node for all topics. Returns what is wrong: a created topic is missing or another one,
 * or a deleted one is there; NULL: nothing, or *ret_result says why it could not ask.
 */
const char *churn_check(const Churn *churn, WireClient *client, WireResult *ret_result);

/* Acknowledged creations and deletions until now; names of what is there go to stdout. */
void churn_report(const Churn *churn, int *ret_created, int *ret_deleted);

#endif
