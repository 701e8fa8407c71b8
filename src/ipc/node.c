/*
 * node.c - the identity of this node, filled by the supervisor, inherited by every child
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/node.h"

#include <signal.h>

#include "ottla/ipc/latch.h"

NodeInfo node_info = {.node_id = -1};

void
node_wake_supervisor(void)
{
    /* A supervisor that died meanwhile leaves a death pipe that tells so. */
    if (node_info.supervisor_pid > 1)
        (void)kill(node_info.supervisor_pid, LATCH_SIGNAL);
}
