/*
 * offset_parts_int.h - offsets of a request that the backend judges, those that go on, and one answer of both
 *
 * What does not exist is refused here, one code a partition; the coordinator sees the rest (groups-and-transactions.md
 * 3.2, 3.4). codes: one for each partition in the order of the request; 0: it goes on. Topics without partitions
 * vanish. pure
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_OFFSET_PARTS_INT_H
#define OTTLA_BACKEND_OFFSET_PARTS_INT_H

#include "ottla/common/arena.h"
#include "ottla/protocol/msg_offset_commit.h"
#include "ottla/protocol/msg_offset_delete.h"

/* Partitions of the request, and whether a topic has none. */
int64_t offset_commit_count(const OffsetCommitRequest *in, bool *ret_has_empty);
int64_t offset_delete_count(const OffsetDeleteRequest *in);

/* The request with the partitions whose code is 0. False: no memory. */
bool offset_commit_keep(const OffsetCommitRequest *in, const int16_t *codes, Arena *arena,
                        OffsetCommitRequest *ret) __attribute__((warn_unused_result));
bool offset_delete_keep(const OffsetDeleteRequest *in, const int16_t *codes, Arena *arena,
                        OffsetDeleteRequest *ret) __attribute__((warn_unused_result));

/*
 * The answer to the request: each partition with its code, or where that is 0 with what the coordinator said to the
 * request of offset_*_keep; reply NULL: it said `status` to all. A reply of another shape: -1 for what is missing.
 */
bool offset_commit_merge(const OffsetCommitRequest *in, const int16_t *codes,
                         const OffsetCommitResponse *reply, int16_t status, Arena *arena,
                         OffsetCommitResponse *ret) __attribute__((warn_unused_result));
bool offset_delete_merge(const OffsetDeleteRequest *in, const int16_t *codes,
                         const OffsetDeleteResponse *reply, Arena *arena, OffsetDeleteResponse *ret)
    __attribute__((warn_unused_result));

#endif
