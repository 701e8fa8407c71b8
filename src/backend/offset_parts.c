/*
 * offset_parts.c - offsets of a request that the backend judges, those that go on, and one answer of both
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/offset_parts_int.h"

#include "backend/names_int.h"
#include "ottla/common/errlist.h"

/* ---- OffsetCommit ------------------------------------------------------------------------------- */

int64_t
offset_commit_count(const OffsetCommitRequest *in, bool *ret_has_empty)
{
    int64_t count = 0;

    *ret_has_empty = false;
    for (int32_t i = 0; i < in->topics_count; i++) {
        count += in->topics[i].partitions_count;
        *ret_has_empty |= in->topics[i].partitions_count == 0;
    }
    return count;
}

bool
offset_commit_keep(const OffsetCommitRequest *in, const int16_t *codes, Arena *arena,
                   OffsetCommitRequest *ret)
{
    *ret = *in;
    ret->topics = arena_calloc(arena, (size_t)in->topics_count + 1, sizeof *ret->topics);
    ret->topics_count = 0;
    if (ret->topics == NULL)
        return false;
    for (int32_t i = 0; i < in->topics_count; i++) {
        const OffsetCommitRequestTopic *from = &in->topics[i];
        OffsetCommitRequestTopic *to = &ret->topics[ret->topics_count];

        *to = *from;
        to->partitions =
            arena_calloc(arena, (size_t)from->partitions_count + 1, sizeof *to->partitions);
        to->partitions_count = 0;
        if (to->partitions == NULL)
            return false;
        for (int32_t k = 0; k < from->partitions_count; k++)
            if (*codes++ == 0)
                to->partitions[to->partitions_count++] = from->partitions[k];
        ret->topics_count += to->partitions_count > 0;
    }
    return true;
}

/* The next partition that the coordinator answered. */
typedef struct CommitWalk {
    const OffsetCommitResponse *reply;
    int32_t topic;
    int32_t partition;
} CommitWalk;

static int16_t
next_commit_code(CommitWalk *walk, int32_t index)
{
    const OffsetCommitResponse *reply = walk->reply;

    while (walk->topic < reply->topics_count &&
           walk->partition >= reply->topics[walk->topic].partitions_count) {
        walk->topic++;
        walk->partition = 0;
    }
    if (walk->topic >= reply->topics_count ||
        reply->topics[walk->topic].partitions[walk->partition].partition_index != index)
        return KERR_UNKNOWN_SERVER_ERROR;
    return reply->topics[walk->topic].partitions[walk->partition++].error_code;
}

bool
offset_commit_merge(const OffsetCommitRequest *in, const int16_t *codes,
                    const OffsetCommitResponse *reply, int16_t status, Arena *arena,
                    OffsetCommitResponse *ret)
{
    CommitWalk walk = {.reply = reply};

    offset_commit_response_init(ret);
    ret->topics = arena_calloc(arena, (size_t)in->topics_count + 1, sizeof *ret->topics);
    if (ret->topics == NULL)
        return false;
    for (int32_t i = 0; i < in->topics_count; i++) {
        const OffsetCommitRequestTopic *from = &in->topics[i];
        OffsetCommitResponseTopic *to = &ret->topics[ret->topics_count];

        if (from->partitions_count == 0)
            continue;
        offset_commit_response_topic_init(to);
        to->name = name_echo(arena, from->name);
        to->topic_id = from->topic_id;
        to->partitions =
            arena_calloc(arena, (size_t)from->partitions_count, sizeof *to->partitions);
        if (to->partitions == NULL)
            return false;
        for (int32_t k = 0; k < from->partitions_count; k++) {
            OffsetCommitResponsePartition *part = &to->partitions[to->partitions_count++];

            offset_commit_response_partition_init(part);
            part->partition_index = from->partitions[k].partition_index;
            part->error_code = *codes++;
            if (part->error_code == 0)
                part->error_code =
                    reply == NULL ? status : next_commit_code(&walk, part->partition_index);
        }
        ret->topics_count++;
    }
    return true;
}

/* ---- OffsetDelete ------------------------------------------------------------------------------- */

int64_t
offset_delete_count(const OffsetDeleteRequest *in)
{
    int64_t count = 0;

    for (int32_t i = 0; i < in->topics_count; i++)
        count += in->topics[i].partitions_count;
    return count;
}

bool
offset_delete_keep(const OffsetDeleteRequest *in, const int16_t *codes, Arena *arena,
                   OffsetDeleteRequest *ret)
{
    *ret = *in;
    ret->topics = arena_calloc(arena, (size_t)in->topics_count + 1, sizeof *ret->topics);
    ret->topics_count = 0;
    if (ret->topics == NULL)
        return false;
    for (int32_t i = 0; i < in->topics_count; i++) {
        const OffsetDeleteRequestTopic *from = &in->topics[i];
        OffsetDeleteRequestTopic *to = &ret->topics[ret->topics_count];

        *to = *from;
        to->partitions =
            arena_calloc(arena, (size_t)from->partitions_count + 1, sizeof *to->partitions);
        to->partitions_count = 0;
        if (to->partitions == NULL)
            return false;
        for (int32_t k = 0; k < from->partitions_count; k++)
            if (*codes++ == 0)
                to->partitions[to->partitions_count++] = from->partitions[k];
        ret->topics_count += to->partitions_count > 0;
    }
    return true;
}

typedef struct DeleteWalk {
    const OffsetDeleteResponse *reply;
    int32_t topic;
    int32_t partition;
} DeleteWalk;

static int16_t
next_delete_code(DeleteWalk *walk, int32_t index)
{
    const OffsetDeleteResponse *reply = walk->reply;

    while (walk->topic < reply->topics_count &&
           walk->partition >= reply->topics[walk->topic].partitions_count) {
        walk->topic++;
        walk->partition = 0;
    }
    if (walk->topic >= reply->topics_count ||
        reply->topics[walk->topic].partitions[walk->partition].partition_index != index)
        return KERR_UNKNOWN_SERVER_ERROR;
    return reply->topics[walk->topic].partitions[walk->partition++].error_code;
}

bool
offset_delete_merge(const OffsetDeleteRequest *in, const int16_t *codes,
                    const OffsetDeleteResponse *reply, Arena *arena, OffsetDeleteResponse *ret)
{
    DeleteWalk walk = {.reply = reply};

    offset_delete_response_init(ret);
    ret->topics = arena_calloc(arena, (size_t)in->topics_count + 1, sizeof *ret->topics);
    if (ret->topics == NULL)
        return false;
    for (int32_t i = 0; i < in->topics_count; i++) {
        const OffsetDeleteRequestTopic *from = &in->topics[i];
        OffsetDeleteResponseTopic *to = &ret->topics[ret->topics_count];

        if (from->partitions_count == 0)
            continue;
        offset_delete_response_topic_init(to);
        to->name = name_echo(arena, from->name);
        to->partitions =
            arena_calloc(arena, (size_t)from->partitions_count, sizeof *to->partitions);
        if (to->partitions == NULL)
            return false;
        for (int32_t k = 0; k < from->partitions_count; k++) {
            OffsetDeleteResponsePartition *part = &to->partitions[to->partitions_count++];

            offset_delete_response_partition_init(part);
            part->partition_index = from->partitions[k].partition_index;
            part->error_code = *codes++;
            if (part->error_code == 0)
                part->error_code = next_delete_code(&walk, part->partition_index);
        }
        ret->topics_count++;
    }
    return true;
}
