/*
 * node.c - the identity of this node, filled by the supervisor, inherited by every child
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/node.h"

NodeInfo node_info = {.node_id = -1};
