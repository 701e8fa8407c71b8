/*
 * one_node.h - node 1 as its controller knows it: listeners, a formatted folder, requests as backends hand them over
 *
 * For unit tests, fuzz targets and the simulator: it asserts by ot_assert, and reports by codes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_ONE_NODE_H
#define TEST_ONE_NODE_H

#include "controller/controller.h"

/* One of clients, one of the quorum. */
extern const ListenerTable one_node_listeners;

/* Makes folder the metadata directory of a fresh node. */
int one_node_format(const char *folder, Uuid directory_id, int64_t now_ms, ErrInfo *err);

/* The request as a turn takes it. */
TurnItem one_node_item(const MessageDesc *desc, int16_t version, const void *msg, Arena *arena);

/* A CreateTopics (version 7) of one topic with one replica. */
TurnItem one_node_create_item(const char *name, int32_t partitions, Arena *arena);

/* Error code and id of the topic in its answer; ret_id may be NULL. */
int16_t one_node_created(const TurnItem *item, Arena *arena, Uuid *ret_id);

#endif
