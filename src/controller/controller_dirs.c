/*
 * controller_dirs.c - the metadata follows logs to other directories of this node
 *
 * A log that was moved, or that a start found elsewhere, lies in another directory than the metadata says:
 * the controller records that by the decision that a broker would ask for (AssignReplicasToDirs).
 *
 * Runs in: controller.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/controller_int.h"

#include "ottla/controller/live_conf.h"
#include "ottla/storage/partition_slot.h"

#define MISPLACED_MAX 1000 /* recorded by one turn */

typedef AssignReplicasToDirsRequestDirectoryData DirData;
typedef AssignReplicasToDirsRequestTopic TopicData;
typedef AssignReplicasToDirsRequestPartition PartitionData;

/* One entry per replica, under its directory. False: no memory. */
static bool
fill_request(const HostedDir *list, int32_t count, Arena *arena, AssignReplicasToDirsRequest *ret)
{
    DirData *dirs = arena_calloc(arena, (size_t)count, sizeof *dirs);
    TopicData *topics = arena_calloc(arena, (size_t)count, sizeof *topics);
    PartitionData *parts = arena_calloc(arena, (size_t)count, sizeof *parts);

    if (dirs == NULL || topics == NULL || parts == NULL)
        return false;
    for (int32_t i = 0; i < count; i++) {
        assign_replicas_to_dirs_request_directory_data_init(&dirs[i]);
        assign_replicas_to_dirs_request_topic_init(&topics[i]);
        assign_replicas_to_dirs_request_partition_init(&parts[i]);
        parts[i].partition_index = list[i].partition;
        topics[i].topic_id = list[i].topic_id;
        topics[i].partitions = &parts[i];
        topics[i].partitions_count = 1;
        dirs[i].id = logdir_uuid(list[i].dir);
        dirs[i].topics = &topics[i];
        dirs[i].topics_count = 1;
    }
    ret->directories = dirs;
    ret->directories_count = count;
    return true;
}

static int
record(Controller *c, Turn *turn, const HostedDir *list, int32_t count, ErrInfo *err)
{
    const ImageBroker *self = image_broker(&c->image.before, c->settings.node_id);
    NodeValues values;
    ConfLookup lookup = node_values_lookup(&values, &c->image.now, c->settings.node_id);
    AssignReplicasToDirsRequest in;
    AssignReplicasToDirsResponse out;
    DecideContext context;
    RecordList records;

    controller_context(c, turn, &lookup, &context);
    assign_replicas_to_dirs_request_init(&in);
    in.broker_id = c->settings.node_id;
    in.broker_epoch = self->epoch;
    record_list_init(&records, turn->arena);
    if (!fill_request(list, count, turn->arena, &in) ||
        decide_assign_directories(&context, &in, &records, &out) != 0)
        return err_set(err, OT_E_NO_MEMORY, "no memory for the directories of replicas");
    return records.count == 0 ? 0 : turn_add(c, turn, &records, err);
}

int
controller_follow_dirs(Controller *c, Arena *arena, int64_t now_ms, ErrInfo *err)
{
    uint32_t changes = pslot_dir_changes();
    int rc = 0;

    if ((c->dirs_followed && changes == c->dir_changes) || c->full ||
        image_broker(&c->image.before, c->settings.node_id) == NULL)
        return 0;
    while (rc == 0) {
        HostedDir *list = arena_calloc(arena, MISPLACED_MAX, sizeof *list);
        int32_t count = list == NULL ? 0 : hosting_misplaced(list, MISPLACED_MAX);
        Turn turn;

        if (list == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for the directories of replicas");
        if (count == 0)
            break;
        turn_begin(&turn, arena, now_ms);
        rc = record(c, &turn, list, count, err);
        if (rc != 0)
            turn_undo(c);
        else
            rc = turn_commit(c, &turn, err);
        if (rc == 0)
            hosting_placed(&c->hosting, list, count);
    }
    if (rc == 0) {
        c->dirs_followed = true;
        c->dir_changes = changes;
    }
    return rc;
}
