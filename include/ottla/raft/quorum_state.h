/*
 * quorum_state.h - what a node must remember of elections: the text of the file quorum-state
 *
 * JSON on one line (cluster.md 2.2). Version 0 belongs to kraft.version 0, version 1 to 1; both are
 * read, what was read is written back in the version that the finalized kraft.version asks for. An
 * unreadable file is never taken as a missing one: that would allow a second vote in one epoch.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_RAFT_QUORUM_STATE_H
#define OTTLA_RAFT_QUORUM_STATE_H

#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/view.h"

#define QUORUM_STATE_FILE "quorum-state"
#define QUORUM_STATE_MAX  65536 /* bytes of the file; Kafka writes some 100 */
#define QUORUM_VOTERS_MAX 64    /* of a version 0 file */
#define QUORUM_NODE_NONE  (-1)

typedef struct QuorumState {
    int32_t leader_id; /* QUORUM_NODE_NONE: not known */
    int32_t leader_epoch;
    int32_t voted_id; /* QUORUM_NODE_NONE: not voted */
    Uuid voted_directory_id;
    /* Version 0 only. */
    int32_t voter_count;
    int32_t voters[QUORUM_VOTERS_MAX];
} QuorumState;

/* What a missing file means: epoch 0, no leader, no vote. */
void quorum_state_init(QuorumState *ret);

/* OT_E_CORRUPT: not this format, a field is missing or of the wrong type, unknown data_version. */
int quorum_state_parse(StrView text, QuorumState *ret, ErrInfo *err)
    __attribute__((warn_unused_result));

/* The file's text for a data_version (0 or 1), zero-terminated; its length. */
int quorum_state_print(const QuorumState *state, int data_version, char ret[QUORUM_STATE_MAX]);

#endif
