/*
 * quorum.c - election and commitment in a quorum of one
 *
 * The path of a start: what the disk says (quorum_start), then the election timeout of 0 of an only
 * voter: Prospective, Candidate in the next epoch, and with its own vote Leader. Everything between
 * is one step, because nobody else has a say; the order of what must be durable stays that of any
 * quorum [Q2].
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/raft/quorum.h"

#include <string.h>

#include "ottla/common/assert.h"

static const char *const role_names[QUORUM_ROLE_COUNT] = {
    [QUORUM_UNATTACHED] = "unattached", [QUORUM_PROSPECTIVE] = "prospective",
    [QUORUM_CANDIDATE] = "candidate",   [QUORUM_LEADER] = "leader",
    [QUORUM_RESIGNED] = "resigned",
};

const char *
quorum_role_name(QuorumRole role)
{
    return role_names[role];
}

/* The legal changes, a bit per new role. */
static const unsigned role_changes[QUORUM_ROLE_COUNT] = {
    [QUORUM_UNATTACHED] = 1u << QUORUM_PROSPECTIVE,
    [QUORUM_PROSPECTIVE] = 1u << QUORUM_CANDIDATE | 1u << QUORUM_UNATTACHED,
    [QUORUM_CANDIDATE] = 1u << QUORUM_LEADER | 1u << QUORUM_PROSPECTIVE,
    [QUORUM_LEADER] = 1u << QUORUM_RESIGNED,
    [QUORUM_RESIGNED] = 1u << QUORUM_UNATTACHED | 1u << QUORUM_PROSPECTIVE,
};

static void
set_role(Quorum *q, QuorumRole role)
{
    ot_assert((role_changes[q->role] & 1u << role) != 0);
    q->role = role;
}

/* What must hold after every step. */
static void
check_invariants(const Quorum *q)
{
    ot_assert(q->role < QUORUM_ROLE_COUNT);
    ot_assert(q->epoch >= 0);
    ot_assert(q->role != QUORUM_LEADER || q->leader_id == q->self.node_id);
    ot_assert(q->role != QUORUM_LEADER || q->epoch > 0);
    ot_assert(q->role != QUORUM_CANDIDATE || q->voted);
    ot_assert(q->high_watermark <= q->flushed);
}

static bool
is_voter(const QuorumStart *start)
{
    return start->voter.node_id == start->self.node_id &&
           (uuid_is_zero(start->voter.directory_id) ||
            uuid_equal(start->voter.directory_id, start->self.directory_id));
}

int
quorum_start(Quorum *q, const QuorumStart *start, ErrInfo *err)
{
    const QuorumState *stored = &start->stored;

    if (start->voter_count != 1)
        return err_set(err, OT_E_UNSUPPORTED_VERSION,
                       "the metadata log names %d voters, this version serves a quorum of one",
                       start->voter_count);
    if (!is_voter(start))
        return err_set(err, OT_E_CONFIG,
                       "the only voter of the metadata log is node %d with another directory id or "
                       "number than this node (%d)",
                       start->voter.node_id, start->self.node_id);
    *q = (Quorum){.role = QUORUM_UNATTACHED,
                  .epoch = stored->leader_epoch,
                  .self = start->self,
                  .voter = start->voter,
                  .leader_id = QUORUM_NODE_NONE,
                  .epoch_start = -1,
                  .high_watermark = -1,
                  .flushed = start->log_end};
    if (stored->leader_epoch < start->log_epoch) {
        q->epoch = start->log_epoch;
    } else if (stored->leader_id == start->self.node_id) {
        q->role = QUORUM_RESIGNED; /* [Q1] */
    } else if (stored->voted_id == start->self.node_id) {
        q->role = QUORUM_CANDIDATE;
        q->voted = true;
    }
    check_invariants(q);
    return 0;
}

static QuorumState
state_to_store(const Quorum *q)
{
    QuorumState state;

    quorum_state_init(&state);
    state.leader_id = q->leader_id;
    state.leader_epoch = q->epoch;
    /* The leader of an epoch needs no vote in the file: Kafka leaves it out, too. */
    if (q->voted && q->leader_id == QUORUM_NODE_NONE) {
        state.voted_id = q->self.node_id;
        state.voted_directory_id = q->self.directory_id;
    }
    state.voter_count = 1;
    state.voters[0] = q->voter.node_id;
    return state;
}

static void
act(QuorumActions *actions, QuorumActionKind kind, const Quorum *q)
{
    ot_assert(actions->count < QUORUM_ACTIONS_MAX);
    actions->items[actions->count].kind = kind;
    if (kind == QUORUM_STORE_STATE)
        actions->items[actions->count].state = state_to_store(q);
    actions->count++;
}

/* With its own vote an only voter has the majority. */
static void
win(Quorum *q, int64_t log_end, QuorumActions *ret)
{
    set_role(q, QUORUM_LEADER);
    q->leader_id = q->self.node_id;
    q->epoch_start = log_end;
    q->high_watermark = -1; /* unknown until a record of this epoch is on disk */
    act(ret, QUORUM_STORE_STATE, q);
    act(ret, QUORUM_BEGIN_EPOCH, q);
    act(ret, QUORUM_APPEND_LEADER_CHANGE, q);
}

static void
step_election(Quorum *q, int64_t log_end, QuorumActions *ret)
{
    switch (q->role) {
    case QUORUM_UNATTACHED:
    case QUORUM_RESIGNED:
        set_role(q, QUORUM_PROSPECTIVE);
        set_role(q, QUORUM_CANDIDATE);
        q->epoch++;
        q->voted = true;
        q->leader_id = QUORUM_NODE_NONE;
        act(ret, QUORUM_STORE_STATE, q);
        win(q, log_end, ret);
        return;
    case QUORUM_CANDIDATE: /* killed between its vote and its first append */
        win(q, log_end, ret);
        return;
    case QUORUM_PROSPECTIVE:
    case QUORUM_LEADER:
    case QUORUM_ROLE_COUNT:
        return;
    }
}

void
quorum_step(Quorum *q, const QuorumEvent *event, QuorumActions *ret)
{
    ret->count = 0;
    switch (event->kind) {
    case QUORUM_EV_ELECTION:
        step_election(q, event->log_end, ret);
        break;
    case QUORUM_EV_FLUSHED:
        ot_assert(event->log_end >= q->flushed);
        q->flushed = event->log_end;
        /* A record of an old epoch alone does not move the mark. */
        if (q->role == QUORUM_LEADER && q->flushed > q->epoch_start)
            q->high_watermark = q->flushed;
        break;
    case QUORUM_EV_RESIGN:
        if (q->role == QUORUM_LEADER)
            set_role(q, QUORUM_RESIGNED);
        break;
    }
    check_invariants(q);
}
