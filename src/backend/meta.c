/*
 * meta.c - which partition is meant, and what the node tells of itself
 *
 * Called by handlers, with the image pinned by the caller. Never: waits, allocates shared memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/meta_int.h"

#include "backend/conn_int.h"
#include "ottla/ipc/node.h"
#include "ottla/storage/logdir_state.h"

static bool
find_in(const ImageTopic *topic, int32_t partition, MetaPartition *ret)
{
    ImagePartition found;

    if (topic == NULL || !image_topic_partition(topic, partition, &found))
        return false;
    *ret = (MetaPartition){
        .ref = found.ref, .leader = found.leader, .leader_epoch = found.leader_epoch};
    return true;
}

bool
meta_find(const Image *image, StrView topic, int32_t partition, MetaPartition *ret)
{
    return image != NULL && find_in(image_topic_by_name(image, topic), partition, ret);
}

bool
meta_find_by_id(const Image *image, Uuid id, int32_t partition, MetaPartition *ret)
{
    return image != NULL && find_in(image_topic_by_id(image, id), partition, ret);
}

StrView
meta_listener(const Conn *conn)
{
    const Listener *row = listeners_advertised_for(&node_listeners, conn->listener);

    return strview_from(row->name);
}

StrView
meta_copy(Arena *arena, StrView text)
{
    char *copy;

    if (text.ptr == NULL)
        return text;
    copy = arena_alloc(arena, (size_t)text.len + 1);
    if (copy == NULL)
        return (StrView){NULL, 0};
    memcpy(copy, text.ptr, (size_t)text.len);
    return (StrView){copy, text.len};
}

/* A replica of this node whose log directory failed: it can be read as far as the disk allows, no more. */
static bool
own_directory_failed(const ImagePartition *part, int32_t replica)
{
    bool any = false;

    for (int dir = 0; dir < logdir_count(); dir++)
        any |= logdir_state(dir) == LOGDIR_FAILED;
    if (!any || replica != node_info.node_id)
        return false;
    const PartitionSlot *slot = pslot_find(part->ref);
    return slot != NULL && logdir_state(pslot_dir(slot)) == LOGDIR_FAILED;
}

int32_t *
meta_offline(const Image *image, const ImagePartition *part, Arena *arena, int32_t *ret_count)
{
    int32_t *list = arena_calloc(arena, (size_t)part->replica_count, sizeof *list);
    int32_t n = 0;

    for (int32_t i = 0; list != NULL && i < part->replica_count; i++)
        if (!image_broker_is_alive(image, part->replicas[i]) ||
            own_directory_failed(part, part->replicas[i]))
            list[n++] = part->replicas[i];
    *ret_count = n;
    return list;
}

int16_t
meta_leader_fault(const Image *image, int32_t leader, StrView listener)
{
    const ImageBroker *broker = leader < 0 ? NULL : image_broker(image, leader);

    if (broker == NULL || broker->fenced)
        return KERR_LEADER_NOT_AVAILABLE;
    return image_broker_endpoint(broker, listener) == NULL ? KERR_LISTENER_NOT_FOUND : 0;
}
