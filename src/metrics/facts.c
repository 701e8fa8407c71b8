/*
 * facts.c - single numbers about the node that a few walks find together
 *
 * Runs in: exporter, backend. Never: opens a log, waits.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/metrics/facts.h"

#include "ottla/common/topic_settings.h"
#include "ottla/controller/image.h"
#include "ottla/coordinator/requests.h"
#include "ottla/coordinator/shared.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/request_stats.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/protocol/apis.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/partition_slot.h"

void (*metric_find_fetch_sessions)(int64_t *ret_sessions, int64_t *ret_partitions);

#define PIN_PARTITIONS 1000 /* looked at under one pin */

static void
find_page(MetricFacts *f)
{
    bool active = atomic_u32_load(&shared_page->controller_active) != 0;
    ShutdownMode mode = (ShutdownMode)atomic_u32_load(&shared_page->shutdown_mode);

    f->crash_cycles = atomic_u32_load(&shared_page->crash_cycles);
    f->node_state = active ? 3 : f->crash_cycles > 0 ? 2 : 1;
    if (mode != SHUTDOWN_NONE)
        f->node_state = mode == SHUTDOWN_SMART ? 6 : 7;
    f->start_ms = atomic_i64_load(&shared_page->started_ms);
    f->connections = atomic_u32_load(&shared_page->backends);
    f->controller_active = active;
    f->metadata_offset = atomic_i64_load(&shared_page->metadata_offset) - 1;
    f->raft_end = f->metadata_offset + 1;
    /* A cycle began with the end of a controller that had won; the epoch stays when it stops. */
    f->elections_won =
        f->crash_cycles + (atomic_i32_load(&shared_page->controller_epoch) > 0 ? 1 : 0);
    f->raft_epoch = atomic_i32_load(&shared_page->controller_epoch);
}

static void
find_slots(MetricFacts *f)
{
    int32_t end = slot_backend_count();
    int64_t busy = 0;

    for (int32_t i = slot_skip_unused(0); i < end; i = slot_skip_unused(i + 1)) {
        ActivityState doing = slot_activity_state(i);

        if (slot_state(i) == SLOT_RUNNING)
            busy += doing == ACTIVITY_ACTIVE || doing == ACTIVITY_SENDING;
    }
    if (f->connections > 0)
        f->busy_ppm = busy >= f->connections ? 1000000 : busy * 1000000 / f->connections;
}

static void
look_at(MetricFacts *f, const ImagePartition *p)
{
    f->offline_partitions += p->leader < 0;
    f->imbalanced_partitions +=
        p->leader >= 0 && p->replica_count > 0 && p->leader != p->replicas[0];
    f->reassigning +=
        p->leader == node_info.node_id && (p->adding_count > 0 || p->removing_count > 0);
}

/* Where the walk over the image stands; the name is a copy, since the pin ends before the next step. */
typedef struct ImagePlace {
    int32_t partition;
    int32_t name_len; /* -1: before the first topic */
    char name[LIMIT_TOPIC_NAME_LEN];
} ImagePlace;

static void
keep_place(ImagePlace *place, const ImageTopic *topic, int32_t partition)
{
    StrView name = image_topic_name(topic);

    place->partition = partition;
    place->name_len = name.len;
    for (int32_t i = 0; i < name.len; i++)
        place->name[i] = name.ptr[i];
}

/* A pin's worth of partitions. False: that was all. */
static bool
find_some_of_image(MetricFacts *f, ImagePlace *place)
{
    ImagePin pin = image_pin();
    const Image *image = image_of(&pin);
    const ImageTopic *topic = NULL;
    int32_t left = PIN_PARTITIONS;

    if (image != NULL && place->name_len < 0) {
        f->topics = image_topic_count(image);
        f->cluster_partitions = image_partition_count(image);
        f->raft_leader = image_controller_id(image);
        topic = image_topic_after(image, (StrView){NULL, 0});
    } else if (image != NULL) {
        topic = image_topic_from(image, (StrView){place->name, place->name_len});
        if (topic != NULL &&
            !strview_equal(image_topic_name(topic), (StrView){place->name, place->name_len}))
            place->partition = 0; /* that one was deleted meanwhile */
    }
    while (topic != NULL && left > 0) {
        int32_t count = image_topic_partition_count(topic);
        int32_t i = place->partition;

        for (; i < count && left > 0; i++, left--) {
            ImagePartition p;

            if (image_topic_partition(topic, i, &p))
                look_at(f, &p);
        }
        if (i < count) {
            keep_place(place, topic, i);
            break;
        }
        place->partition = 0;
        left--; /* a topic without partitions is work, too */
        topic = image_topic_after(image, image_topic_name(topic));
        if (topic != NULL && left <= 0)
            keep_place(place, topic, 0);
    }
    image_unpin(&pin);
    return topic != NULL;
}

static void
find_image(MetricFacts *f)
{
    ImagePlace place = {.name_len = -1};

    f->raft_leader = -1;
    while (find_some_of_image(f, &place))
        continue;
}

/* A partition of this node. */
static void
look_at_slot(MetricFacts *f, const PartitionSlot *slot, PslotState state)
{
    PslotLeadership who = pslot_leadership(slot);
    TopicSettings settings;
    int32_t min_isr;

    f->partitions++;
    f->unopened += state == PSLOT_UNOPENED;
    f->offline_replicas += state == PSLOT_FAILED || logdir_state(pslot_dir(slot)) == LOGDIR_FAILED;
    f->failed_followers += state == PSLOT_FAILED && who.role == PSLOT_ROLE_FOLLOWER;
    if (state == PSLOT_OPEN)
        f->producers += slot->producer_count;
    if (who.role != PSLOT_ROLE_LEADER)
        return;
    pslot_settings(slot, &settings);
    min_isr = settings.min_insync_replicas < who.replica_count ? settings.min_insync_replicas
                                                               : who.replica_count;
    f->leaders++;
    f->under_replicated += who.isr_count < who.replica_count;
    f->under_min_isr += who.isr_count < settings.min_insync_replicas;
    f->at_min_isr += who.replica_count > 1 && who.isr_count == min_isr;
}

static void
find_partitions(MetricFacts *f)
{
    int32_t high = pslot_high();

    for (int32_t i = 0; i < high; i++) {
        const PartitionSlot *slot = pslot_at(i);
        PslotState state = pslot_state(slot);

        if (state != PSLOT_FREE && state != PSLOT_DELETING)
            look_at_slot(f, slot, state);
    }
}

static void
find_coordinators(MetricFacts *f)
{
    const struct {
        int64_t *into;
        CoordinatorCount which;
    } sums[] = {
        {&f->group_members, COORDINATOR_MEMBERS},
        {&f->group_offsets, COORDINATOR_OFFSETS},
        {&f->group_rebalances, COORDINATOR_REBALANCES},
        {&f->coordinator_bytes, COORDINATOR_MEMORY_BYTES},
        {&f->coordinator_starts, COORDINATOR_STARTS},
        {&f->coordinator_parked, COORDINATOR_REQUESTS_PARKED},
        {&f->shard_failures, COORDINATOR_SHARD_FAILURES},
        {&f->coordinator_stalls, COORDINATOR_STALLS},
    };
    int32_t workers = coordinator_worker_count();
    RequestStats commits;

    for (int32_t w = 0; w < workers; w++)
        for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
            *sums[i].into += coordinator_count(w, sums[i].which);
    request_stats_api(API_OffsetCommit, &commits);
    f->offset_commits = (int64_t)commits.count;
}

void
metric_facts_find(MetricFacts *ret)
{
    *ret = (MetricFacts){0};
    find_page(ret);
    find_slots(ret);
    if (metric_find_fetch_sessions != NULL)
        metric_find_fetch_sessions(&ret->fetch_sessions, &ret->fetch_session_partitions);
    find_image(ret);
    find_partitions(ret);
    find_coordinators(ret);
}
