/*
 * decide_directories.c - AssignReplicasToDirs: a broker says in which log directories its replicas are
 *
 * Spec: cluster.md 3.7. Who is asked and by whom: a node's own controller by itself (controller_dirs.c), as long as
 * there is one.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/partition_change.h"

typedef AssignReplicasToDirsRequestDirectoryData DirIn;
typedef AssignReplicasToDirsResponseDirectoryData DirOut;
typedef AssignReplicasToDirsResponsePartition PartitionOut;

/* The broker is that of this epoch, else its wish is one of an earlier life. */
static int16_t
judge_broker(const DecideContext *c, const AssignReplicasToDirsRequest *in)
{
    const ImageBroker *broker = image_broker(c->image, in->broker_id);

    if (broker == NULL)
        return KERR_BROKER_ID_NOT_REGISTERED;
    return broker->epoch == in->broker_epoch ? 0 : KERR_STALE_BROKER_EPOCH;
}

static int16_t
assign_one(const DecideContext *c, int32_t broker, Uuid directory, const ImageTopic *topic,
           int32_t partition, RecordList *records)
{
    ImagePartition now;
    PartitionChange change;
    Uuid *list;
    int32_t at = 0;

    if (topic == NULL)
        return KERR_UNKNOWN_TOPIC_ID;
    if (!image_topic_partition(topic, partition, &now))
        return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    while (at < now.replica_count && now.replicas[at] != broker)
        at++;
    if (at == now.replica_count)
        return KERR_NOT_LEADER_OR_FOLLOWER;
    change = partition_change_begin(c, topic, &now);
    change.mode = ELECT_ONLINE; /* nobody is elected because a log moved */
    list = arena_calloc(c->arena, (size_t)now.replica_count, sizeof *list);
    if (list == NULL) {
        records->no_memory = true;
        return 0;
    }
    for (int32_t i = 0; i < now.replica_count && i < now.directory_count; i++)
        list[i] = now.directories[i];
    list[at] = directory;
    change.wanted.directories = list;
    change.wanted.directory_count = now.replica_count;
    (void)partition_change_end(&change, records); /* nothing changes: it was known */
    return 0;
}

static bool
assign_dir(const DecideContext *c, int32_t broker, const DirIn *from, DirOut *to,
           RecordList *records)
{
    assign_replicas_to_dirs_response_directory_data_init(to);
    to->id = from->id;
    to->topics = arena_calloc(c->arena, (size_t)from->topics_count + 1, sizeof *to->topics);
    if (to->topics == NULL)
        return false;
    for (int32_t i = 0; i < from->topics_count; i++) {
        const AssignReplicasToDirsRequestTopic *in = &from->topics[i];
        AssignReplicasToDirsResponseTopic *out = &to->topics[to->topics_count++];
        const ImageTopic *topic = image_topic_by_id(c->image, in->topic_id);

        assign_replicas_to_dirs_response_topic_init(out);
        out->topic_id = in->topic_id;
        out->partitions =
            arena_calloc(c->arena, (size_t)in->partitions_count + 1, sizeof *out->partitions);
        if (out->partitions == NULL)
            return false;
        for (int32_t k = 0; k < in->partitions_count; k++) {
            PartitionOut *p = &out->partitions[out->partitions_count++];

            assign_replicas_to_dirs_response_partition_init(p);
            p->partition_index = in->partitions[k].partition_index;
            p->error_code = assign_one(c, broker, from->id, topic, p->partition_index, records);
        }
    }
    return true;
}

int
decide_assign_directories(const DecideContext *c, const AssignReplicasToDirsRequest *in,
                          RecordList *records, AssignReplicasToDirsResponse *ret)
{
    assign_replicas_to_dirs_response_init(ret);
    ret->error_code = judge_broker(c, in);
    if (ret->error_code != 0)
        return 0;
    ret->directories =
        arena_calloc(c->arena, (size_t)in->directories_count + 1, sizeof *ret->directories);
    if (ret->directories == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < in->directories_count; i++)
        if (!assign_dir(c, in->broker_id, &in->directories[i],
                        &ret->directories[ret->directories_count++], records))
            return OT_E_NO_MEMORY;
    return records->no_memory ? OT_E_NO_MEMORY : 0;
}
