/*
 * h_epochs.c - OffsetForLeaderEpoch: where a leader epoch ended
 *
 * Runs in: backend. Spec: log.md 14.2; observed.md 4. Topics without partitions and partitions named
 * twice are answered as they come.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "backend/names_int.h"
#include "ottla/common/err.h"
#include "ottla/protocol/msg_offset_for_leader_epoch.h"
#include "ottla/replica/replica.h"
#include "ottla/storage/plog.h"

static int
end_of(PartitionRef ref, const OffsetForLeaderEpochRequestPartition *in, PlogEpochEnd *ret)
{
    ErrInfo err;
    int rc = ref.slot == PSLOT_NONE ? OT_E_NOT_LEADER_OR_FOLLOWER
                                    : replica_check_leader(ref, in->current_leader_epoch, &err);

    return rc < 0 ? rc : plog_epoch_end_offset(ref, in->leader_epoch, ret, &err);
}

static void
answer_one(const OffsetForLeaderEpochRequestPartition *in, PartitionRef ref,
           OffsetForLeaderEpochResponsePartition *out)
{
    PlogEpochEnd end = {-1, -1};
    int rc = out->error_code != 0 ? 0 : end_of(ref, in, &end);

    if (rc < 0)
        out->error_code = err_to_kafka(rc);
    if (out->error_code == 0) {
        out->leader_epoch = end.epoch;
        out->end_offset = end.end_offset;
    }
}

/* One topic; false: no memory. */
static bool
answer_topic(Request *rq, const OffsetForLeaderEpochRequestTopic *in,
             OffsetForLeaderEpochResponseTopic *out)
{
    PartitionRef *refs = arena_calloc(rq->arena, (size_t)in->partitions_count, sizeof *refs);
    ImagePin pin;

    offset_for_leader_epoch_response_topic_init(out);
    out->topic = name_echo(rq->arena, in->topic);
    out->partitions =
        arena_calloc(rq->arena, (size_t)in->partitions_count, sizeof *out->partitions);
    if (refs == NULL || out->partitions == NULL)
        return false;
    out->partitions_count = in->partitions_count;
    pin = image_pin();
    for (int32_t p = 0; p < in->partitions_count; p++) {
        MetaPartition meta;

        offset_for_leader_epoch_response_partition_init(&out->partitions[p]);
        out->partitions[p].partition = in->partitions[p].partition;
        if (meta_find(pin.image, in->topic, in->partitions[p].partition, &meta))
            refs[p] = meta.ref;
        else
            out->partitions[p].error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    }
    image_unpin(&pin);
    for (int32_t p = 0; p < in->partitions_count; p++) {
        answer_one(&in->partitions[p], refs[p], &out->partitions[p]);
        rq->failed = rq->failed || out->partitions[p].error_code != 0;
    }
    return true;
}

ReqResult
h_offset_for_leader_epoch_start(Request *rq)
{
    OffsetForLeaderEpochRequest in;
    OffsetForLeaderEpochResponse out;

    if (!request_read(rq, &offset_for_leader_epoch_request_desc, &in))
        return REQ_CLOSE;
    offset_for_leader_epoch_response_init(&out);
    out.topics = arena_calloc(rq->arena, (size_t)in.topics_count, sizeof *out.topics);
    if (out.topics == NULL)
        return request_close(rq, "no memory for the topics of an OffsetForLeaderEpoch request");
    for (int32_t t = 0; t < in.topics_count; t++)
        if (!answer_topic(rq, &in.topics[t], &out.topics[out.topics_count++]))
            return request_close(rq, "no memory for an OffsetForLeaderEpoch request");
    return request_respond(rq, &offset_for_leader_epoch_response_desc, &out);
}
