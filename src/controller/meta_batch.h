/*
 * meta_batch.h - batches of the metadata log: data records, control records
 *
 * Uncompressed batches of format 2 without producer; control and data never mix (cluster.md 2.1).
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_META_BATCH_H
#define OTTLA_CONTROLLER_META_BATCH_H

#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/err.h"
#include "ottla/common/view.h"
#include "ottla/protocol/record.h"
#include "ottla/raft/quorum.h"

#define META_BATCH_BYTES_MAX (8 * 1024 * 1024)

typedef struct MetaBatchAt {
    int64_t base_offset;
    int32_t epoch;
    int64_t now_ms;
} MetaBatchAt;

/* A batch of data records. OT_E_MESSAGE_TOO_LARGE: above META_BATCH_BYTES_MAX. OT_E_NO_MEMORY. */
int meta_data_batch(const MetaBatchAt *at, const BytesView *records, int32_t count, Arena *arena,
                    BytesView *ret, ErrInfo *err);

typedef struct MetaControl {
    ControlType type;
    BytesView value; /* the encoded message */
} MetaControl;

/* A batch of control records. */
int meta_control_batch(const MetaBatchAt *at, const MetaControl *records, int32_t count,
                       Arena *arena, BytesView *ret, ErrInfo *err);

/* ---- control records, encoded; ptr NULL: no memory ---- */

BytesView meta_leader_change(int32_t node_id, Arena *arena);
BytesView meta_kraft_version(int16_t level, Arena *arena);
BytesView meta_snapshot_header(int64_t timestamp, Arena *arena);
BytesView meta_snapshot_footer(Arena *arena);

/* The voter set, a quorum of one. */
typedef struct VoterEndpoint {
    StrView listener;
    StrView host;
    uint16_t port;
} VoterEndpoint;

#define VOTER_ENDPOINTS_MAX 16

typedef struct VoterSet {
    int32_t count; /* voters in the record; only the first is kept */
    ReplicaKey voter;
    int32_t endpoint_count;
    VoterEndpoint endpoints[VOTER_ENDPOINTS_MAX];
} VoterSet;

BytesView meta_voters(const VoterSet *set, Arena *arena);

/* Texts are views into value or the arena. OT_E_CORRUPT. */
int meta_voters_parse(BytesView value, Arena *arena, VoterSet *ret, ErrInfo *err);
int meta_kraft_version_parse(BytesView value, int16_t *ret, ErrInfo *err);

#endif
