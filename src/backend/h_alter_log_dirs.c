/*
 * h_alter_log_dirs.c - AlterReplicaLogDirs: in which log directory a replica shall be
 *
 * Runs in: backend. Spec: admin-and-security.md 2.10, log.md 14.6. The answer says that the wish was noted, for
 * good (storage/move_wish.h); the retention worker moves the log (storage/plog_move.h), DescribeLogDirs shows how far it is.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/log_dirs_int.h"
#include "backend/meta_int.h"
#include "backend/named_int.h"
#include "backend/names_int.h"
#include "ottla/protocol/msg_alter_replica_log_dirs.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/move_wish.h"

/* The directory of this path, exactly as log.dirs says it; -1: there is none. */
static int
find_dir(StrView path)
{
    for (int dir = 0; dir < logdir_count(); dir++)
        if (strview_equal(path, strview_from(logdir_path(dir))))
            return dir;
    return -1;
}

static int16_t
answer_of(int rc)
{
    if (rc == 0)
        return 0;
    if (rc == OT_E_UNKNOWN_TOPIC_OR_PARTITION)
        return KERR_REPLICA_NOT_AVAILABLE; /* deleted meanwhile */
    return rc == OT_E_REQUEST_TIMED_OUT ? KERR_REQUEST_TIMED_OUT : KERR_KAFKA_STORAGE_ERROR;
}

/* What comes of one replica: named->in is the request's directory. */
static int16_t
place(const Image *image, const Named *named)
{
    const AlterReplicaLogDirsRequestAlterReplicaLogDir *asked = named->in;
    int dir = find_dir(asked->path);
    const PartitionSlot *slot;
    MetaPartition found;

    if (!partition_dir_has_future(named->topic, named->partition))
        return KERR_INVALID_TOPIC_EXCEPTION;
    if (dir < 0)
        return KERR_LOG_DIR_NOT_FOUND;
    if (logdir_state(dir) == LOGDIR_FAILED)
        return KERR_KAFKA_STORAGE_ERROR;
    if (!meta_find(image, named->topic, named->partition, &found))
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    slot = pslot_find(found.ref);
    if (slot == NULL)
        return KERR_REPLICA_NOT_AVAILABLE;
    if (pslot_dir(slot) != dir && log_dir_is_cordoned(image, dir))
        return KERR_INVALID_REPLICA_ASSIGNMENT;
    return answer_of(move_wish_ask(found.ref, dir, NULL));
}

/* Every replica that the request names; of one that is named twice, the last counts. */
static Named *
collect(Request *rq, const AlterReplicaLogDirsRequest *in, int32_t *ret_count)
{
    int32_t count = 0, n = 0;
    Named *list;

    for (int32_t d = 0; d < in->dirs_count; d++)
        for (int32_t t = 0; t < in->dirs[d].topics_count; t++)
            count += in->dirs[d].topics[t].partitions_count;
    list = arena_calloc(rq->arena, (size_t)count, sizeof *list);
    if (list == NULL)
        return NULL;
    for (int32_t d = 0; d < in->dirs_count; d++)
        for (int32_t t = 0; t < in->dirs[d].topics_count; t++) {
            const AlterReplicaLogDirsRequestTopic *topic = &in->dirs[d].topics[t];

            for (int32_t p = 0; p < topic->partitions_count; p++, n++)
                list[n] = (Named){.topic = topic->name,
                                  .partition = topic->partitions[p],
                                  .serial = n,
                                  .in = &in->dirs[d]};
        }
    named_sort(list, count);
    n = 0;
    for (int32_t i = 0; i < count; i++)
        if (!named_repeated_next(list, i, count))
            list[n++] = list[i];
    *ret_count = n;
    return list;
}

/* False: no memory. */
static bool
answer(Request *rq, const Image *image, const Named *list, int32_t count,
       AlterReplicaLogDirsResponse *out)
{
    AlterReplicaLogDirsResponsePartition *parts =
        arena_calloc(rq->arena, (size_t)count, sizeof *parts);

    out->results = arena_calloc(rq->arena, (size_t)count, sizeof *out->results);
    if (parts == NULL || out->results == NULL)
        return false;
    for (int32_t i = 0; i < count; i++) {
        AlterReplicaLogDirsResponseResult *topic;

        if (i == 0 || !named_same_topic_next(list, i - 1, count)) {
            topic = &out->results[out->results_count++];
            alter_replica_log_dirs_response_result_init(topic);
            topic->topic_name = name_echo(rq->arena, list[i].topic);
            topic->partitions = &parts[i];
        }
        topic = &out->results[out->results_count - 1];
        alter_replica_log_dirs_response_partition_init(&parts[i]);
        parts[i].partition_index = list[i].partition;
        parts[i].error_code = place(image, &list[i]);
        rq->failed = rq->failed || parts[i].error_code != 0;
        topic->partitions_count++;
    }
    return true;
}

ReqResult
h_alter_log_dirs_start(Request *rq)
{
    AlterReplicaLogDirsRequest in;
    AlterReplicaLogDirsResponse out;
    int32_t count = 0;
    ImagePin pin;
    Named *list;
    bool ok;

    if (!request_read(rq, &alter_replica_log_dirs_request_desc, &in))
        return REQ_CLOSE;
    list = collect(rq, &in, &count);
    if (list == NULL)
        return request_close(rq, "no memory for the replicas of a request");
    alter_replica_log_dirs_response_init(&out);
    pin = image_pin();
    ok = answer(rq, pin.image, list, count, &out);
    image_unpin(&pin);
    return ok ? request_respond(rq, &alter_replica_log_dirs_response_desc, &out)
              : request_close(rq, "no memory for the replicas of a request");
}
