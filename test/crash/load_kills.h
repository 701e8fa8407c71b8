/*
 * load_kills.h - who dies under the load: backends of clients, workers, whole nodes
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_LOAD_KILLS_H
#define TEST_LOAD_KILLS_H

#include <sys/types.h>

#include "load_client.h"
#include "ottla/common/random.h"

typedef enum Mode { MODE_BACKENDS, MODE_WORKERS, MODE_NODE, MODE_COUNT } Mode;

/*
 * Kills so many, with work going on in between; of a node by asking the caller (a line "kill" on
 * stdout, a line on stdin when it is back). Of workers, every other one is a coordinator, and no connection
 * breaks. Returns how many died, and were got over.
 */
int kill_many(pid_t supervisor, Mode mode, int kills, RandomSeq *seq);

/* Has a client given up? */
bool any_failed(void);

#endif
