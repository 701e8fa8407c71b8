/*
 * internal_topics_int.h - the topics that coordinators keep their state in, and how they are made
 *
 * Spec: groups-and-transactions.md 1.2; design.md 11 "Internal topics".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_INTERNAL_TOPICS_INT_H
#define OTTLA_BACKEND_INTERNAL_TOPICS_INT_H

#include "backend/request_int.h"
#include "ottla/controller/image.h"
#include "ottla/ipc/mailbox.h"
#include "ottla/protocol/msg_create_topics.h"

#define INTERNAL_TOPIC_CREATE_VERSION 7
#define INTERNAL_TOPIC_CONFIGS_MAX    5

/* Numbers are those of FindCoordinator's key types. */
typedef enum InternalTopic {
    INTERNAL_OFFSETS,
    INTERNAL_TRANSACTIONS,
    INTERNAL_SHARE_STATE,
    INTERNAL_TOPIC_COUNT
} InternalTopic;

StrView internal_topic_name(InternalTopic which);

/* False: the name is of an ordinary topic. */
bool internal_topic_find(StrView name, InternalTopic *ret);

/*
 * Fills in partitions, replication and settings as this node would make the topic now: what is
 * configured, and where nothing is, what the live brokers of the image allow. configs: room for
 * INTERNAL_TOPIC_CONFIGS_MAX. False: the arena is full.
 */
bool internal_topic_describe(InternalTopic which, const Image *image, Arena *arena,
                             CreateTopicsRequestTopic *ret) __attribute__((warn_unused_result));

/* Asks the controller for the topic, as forward_begin_message does. False: it cannot be asked. */
bool internal_topic_begin_create(Request *rq, MboxCall *call, InternalTopic which)
    __attribute__((warn_unused_result));

#endif
