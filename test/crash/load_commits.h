/*
 * load_commits.h - clients that commit offsets and read them back, while coordinators are killed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_LOAD_COMMITS_H
#define TEST_LOAD_COMMITS_H

#include "load_client.h"

/*
 * The committer's life: commit number n goes to one of its groups, and says offset n; it is sent again until
 * it is acknowledged. A group says later what was acknowledged last, or what was sent last; all that it has are asked
 * for by one request. Answers are errors that end by themselves, or none. done: commits acknowledged.
 */
void committer_main(int committer, ClientState *me);

/* After all: NULL, or what is wrong with the offsets of a committer. */
const char *committer_check(int committer, ClientState *me);

#endif
