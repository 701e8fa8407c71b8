/*
 * quorum.h - the state machine of a metadata quorum, as far as a quorum of one needs it
 *
 * quorum_start() works out the state from what the disk says, quorum_step() takes events and returns
 * actions in the order in which they must be done; an action that must be durable before the next one
 * says so. It owns no file, clock or connection. States and rules: cluster.md 2.3, 2.7.
 *
 *   Q1  a node never leads or votes in an epoch in which it once was leader and then stopped
 *   Q2  (epoch, vote) is on disk before the vote counts, (epoch, leader) before the first append
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_RAFT_QUORUM_H
#define OTTLA_RAFT_QUORUM_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/view.h"
#include "ottla/raft/quorum_state.h"

typedef enum QuorumRole {
    QUORUM_UNATTACHED,
    QUORUM_PROSPECTIVE,
    QUORUM_CANDIDATE,
    QUORUM_LEADER,
    QUORUM_RESIGNED,
    QUORUM_ROLE_COUNT
} QuorumRole;

/* A voter's identity: with kraft.version 1 the directory counts too. */
typedef struct ReplicaKey {
    int32_t node_id;
    Uuid directory_id; /* zero: not known (kraft.version 0) */
} ReplicaKey;

typedef struct Quorum {
    QuorumRole role;
    int32_t epoch;
    ReplicaKey self;
    ReplicaKey voter; /* the only one */
    bool voted;       /* for self, in epoch */
    int32_t leader_id;
    int64_t epoch_start;    /* leader: log end when it became leader */
    int64_t high_watermark; /* -1: not known */
    int64_t flushed;        /* log end that is on disk */
} Quorum;

typedef enum QuorumActionKind {
    QUORUM_STORE_STATE, /* write quorum-state, durable before the next action */
    QUORUM_BEGIN_EPOCH, /* (epoch, log end) into leader-epoch-checkpoint, before the next action */
    QUORUM_APPEND_LEADER_CHANGE, /* the control batch that opens the epoch */
} QuorumActionKind;

typedef struct QuorumAction {
    QuorumActionKind kind;
    QuorumState state; /* QUORUM_STORE_STATE */
} QuorumAction;

#define QUORUM_ACTIONS_MAX 8

typedef struct QuorumActions {
    int count;
    QuorumAction items[QUORUM_ACTIONS_MAX];
} QuorumActions;

/* What is known when the node starts. */
typedef struct QuorumStart {
    QuorumState stored;
    ReplicaKey self;
    ReplicaKey voter;    /* of the latest VotersRecord, or of the settings */
    int32_t voter_count; /* 1 */
    int32_t log_epoch;   /* of the last record; 0: none */
    int64_t log_end;
} QuorumStart;

/*
 * State from the disk. OT_E_UNSUPPORTED: more than one voter. OT_E_CONFIG: the only voter is
 * another node, or this node with another directory.
 */
int quorum_start(Quorum *q, const QuorumStart *start, ErrInfo *err)
    __attribute__((warn_unused_result));

typedef enum QuorumEventKind {
    QUORUM_EV_ELECTION, /* the election timeout ended; with one voter it is 0 */
    QUORUM_EV_FLUSHED,  /* the log is on disk up to log_end */
    QUORUM_EV_RESIGN,   /* the node stops, or its log failed */
} QuorumEventKind;

typedef struct QuorumEvent {
    QuorumEventKind kind;
    int64_t log_end;
} QuorumEvent;

/* Changes the state and says what is to be done, in order. */
void quorum_step(Quorum *q, const QuorumEvent *event, QuorumActions *ret);

const char *quorum_role_name(QuorumRole role);

#endif
