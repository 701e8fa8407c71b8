/*
 * hosting.c - partition slots of this node: given and taken as the metadata says
 *
 * Runs in: controller, the only process that gives slots an identity (storage/partition_slot.h). A crash of it rebuilds all shared memory, so the steps need no order
 * beyond "slot before image".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/hosting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/image_build.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/topic_settings.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/plock.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/partition_slot.h"

#define OVERRIDES_MAX 256 /* settings of a topic: Kafka knows 33 */

void
hosting_init(Hosting *h, int32_t node_id)
{
    *h = (Hosting){.node_id = node_id};
}

void
hosting_fini(Hosting *h)
{
    free(h->fresh_slots);
    free(h->fresh_settings);
    *h = (Hosting){0};
}

/* ---- settings of a topic ---- */

static StrView
find_broker_value(void *arg, ConfSource source, const char *name)
{
    const BrokerValues *values = arg;
    StrView value;
    StrView resource =
        source == CONF_SOURCE_DYNAMIC_BROKER ? strview_from(values->node_id) : STRVIEW("");

    if (!image_config(values->image, IMAGE_CONFIG_BROKER, resource, strview_from(name), &value))
        return (StrView){NULL, 0};
    return value;
}

ConfLookup
broker_values_lookup(BrokerValues *values, const Image *image, int32_t node_id)
{
    values->image = image;
    snprintf(values->node_id, sizeof values->node_id, "%d", (int)node_id);
    return (ConfLookup){find_broker_value, values};
}

static uint64_t
make_settings(const Hosting *h, const Image *image, StrView topic)
{
    ConfPair overrides[OVERRIDES_MAX];
    StrView key = {NULL, 0}, value;
    BrokerValues values;
    ConfLookup lookup = broker_values_lookup(&values, image, h->node_id);
    TopicSettings settings;
    int count = 0;

    while (count < OVERRIDES_MAX &&
           image_config_after(image, IMAGE_CONFIG_TOPIC, topic, key, &key, &value))
        overrides[count++] = (ConfPair){key, value};
    /* Values that this version does not take count as not set. */
    (void)topic_settings_resolve(overrides, count, &lookup, &settings);
    return topic_settings_new(&settings);
}

/* ---- slots ---- */

static bool
hosts(const Hosting *h, const ImagePartition *p, int32_t *ret_index)
{
    for (int32_t i = 0; i < p->replica_count; i++)
        if (p->replicas[i] == h->node_id) {
            *ret_index = i;
            return true;
        }
    return false;
}

static int
emptiest(const Hosting *h)
{
    int best = 0;

    for (int i = 1; i < logdir_count(); i++)
        if (h->dir_partitions[i] < h->dir_partitions[best])
            best = i;
    return best;
}

static int
directory_of(const Hosting *h, const ImagePartition *p, int32_t replica)
{
    int dir = replica < p->directory_count ? logdir_find_uuid(p->directories[replica]) : -1;

    /* Not placed by the metadata, or placed in a directory that is no more. */
    return dir < 0 ? emptiest(h) : dir;
}

Uuid
hosting_pick_directory(void *hosting)
{
    return logdir_uuid(emptiest(hosting));
}

static void
set_leadership(const Hosting *h, PartitionSlot *slot, const ImagePartition *p)
{
    pslot_set_leadership(slot, (PslotLeadership){.leader_epoch = p->leader_epoch,
                                                 .role = p->leader == h->node_id ? PSLOT_ROLE_LEADER
                                                         : p->leader < 0         ? PSLOT_ROLE_NONE
                                                                         : PSLOT_ROLE_FOLLOWER,
                                                 .replica_count = (uint8_t)p->replica_count,
                                                 .isr_count = (uint16_t)p->isr_count});
}

static bool
note_fresh_slot(Hosting *h, PartitionRef ref)
{
    if (h->fresh_slot_count == h->fresh_slot_room) {
        int32_t room = h->fresh_slot_room == 0 ? 256 : h->fresh_slot_room * 2;
        PartitionRef *wider = realloc(h->fresh_slots, (size_t)room * sizeof *wider);

        if (wider == NULL)
            return false;
        h->fresh_slots = wider;
        h->fresh_slot_room = room;
    }
    h->fresh_slots[h->fresh_slot_count++] = ref;
    return true;
}

static bool
note_fresh_settings(Hosting *h, uint64_t handle)
{
    if (h->fresh_settings_count == h->fresh_settings_room) {
        int32_t room = h->fresh_settings_room == 0 ? 64 : h->fresh_settings_room * 2;
        uint64_t *wider = realloc(h->fresh_settings, (size_t)room * sizeof *wider);

        if (wider == NULL)
            return false;
        h->fresh_settings = wider;
        h->fresh_settings_room = room;
    }
    h->fresh_settings[h->fresh_settings_count++] = handle;
    return true;
}

/* A slot for a partition of this node; checkpoints is NULL for new ones. */
static int
give_slot(Hosting *h, const ImageTopic *topic, PartitionObject *object, int32_t replica,
          const LogDirCheckpoints *checkpoints, ErrInfo *err)
{
    ImagePartition *p = &object->p;
    PslotIdentity id = {.topic = image_topic_name(topic),
                        .topic_id = topic->id,
                        .partition = p->partition,
                        .log_dir = directory_of(h, p, replica),
                        .settings = topic->settings};
    PartitionSlot *slot;
    int rc;

    if (checkpoints != NULL) {
        CheckpointedOffsets at =
            logdir_checkpoints_get(checkpoints, id.log_dir, id.topic, id.partition);

        id.recovery_point = at.recovery_point;
        id.log_start_offset = at.log_start_offset;
        id.high_watermark = at.high_watermark;
    }
    rc = pslot_alloc(&id, &p->ref, err);
    if (rc != 0)
        return rc;
    slot = pslot_find(p->ref);
    ot_assert(slot != NULL);
    set_leadership(h, slot, p);
    h->slots_used++;
    h->dir_partitions[id.log_dir]++;
    return 0;
}

/* ---- start ---- */

static int
host_topic(Hosting *h, ImageTopic *topic, const Image *image, const LogDirCheckpoints *checkpoints,
           ErrInfo *err)
{
    int32_t replica;
    int rc = 0;

    for (const MapNode *node = map_after(topic->partitions, (BytesView){NULL, 0}, true);
         rc == 0 && node != NULL;
         node = map_after(topic->partitions, (BytesView){node->key, node->key_len}, false)) {
        PartitionObject *object = node->value;

        if (!hosts(h, &object->p, &replica))
            continue;
        if (topic->settings == 0)
            topic->settings = make_settings(h, image, image_topic_name(topic));
        if (topic->settings == 0)
            return err_set(err, OT_E_LIMIT, "no room for the settings of another topic");
        rc = give_slot(h, topic, object, replica, checkpoints, err);
    }
    return rc;
}

int
hosting_start(Hosting *h, ImageWriter *w, ErrInfo *err)
{
    LogDirCheckpoints *checkpoints = logdir_checkpoints_load();
    int rc = 0;

    ot_assert(w->published == 0); /* so every object may be changed in place [I2] */
    if (checkpoints == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for the checkpoint files");
    for (const MapNode *node = map_after(w->now.maps[MAP_TOPIC_NAME], (BytesView){NULL, 0}, true);
         rc == 0 && node != NULL; node = map_after(w->now.maps[MAP_TOPIC_NAME],
                                                   (BytesView){node->key, node->key_len}, false))
        rc = host_topic(h, node->value, &w->now, checkpoints, err);
    logdir_checkpoints_free(checkpoints);
    return rc;
}

/* ---- a turn ---- */

static ImageTopic *
topic_of(const Image *image, Uuid id)
{
    const MapNode *node = map_find(image->maps[MAP_TOPIC_ID], (BytesView){id.b, sizeof id.b});

    return node == NULL ? NULL : node->value;
}

static PartitionObject *
object_of(const ImageTopic *topic, int32_t partition)
{
    uint8_t key[4];
    const MapNode *node;

    image_put_be32(key, (uint32_t)partition);
    node = map_find(topic->partitions, (BytesView){key, sizeof key});
    return node == NULL ? NULL : node->value;
}

/* The topic's settings record, a new one when it has none. */
static int
settle_settings(Hosting *h, ImageWriter *w, const ImageTopic *topic, ErrInfo *err)
{
    uint64_t handle;

    if (topic->settings != 0)
        return 0;
    handle = make_settings(h, &w->now, image_topic_name(topic));
    if (handle == 0)
        return err_set(err, OT_E_LIMIT, "no room for the settings of another topic");
    if (!note_fresh_settings(h, handle)) {
        topic_settings_free(handle);
        return err_set(err, OT_E_NO_MEMORY, "no memory to note settings");
    }
    return build_topic_settings(w, topic->id, handle);
}

static int
prepare_partition(Hosting *h, ImageWriter *w, const Change *change, ErrInfo *err)
{
    const ImageTopic *topic = topic_of(&w->now, change->topic_id);
    PartitionObject *object;
    int32_t replica;
    int rc;

    if (topic == NULL) /* deleted in the same turn */
        return 0;
    object = object_of(topic, change->partition);
    if (object == NULL || object->p.ref.slot != PSLOT_NONE || !hosts(h, &object->p, &replica))
        return 0;
    ot_assert(object->born == w->generation);
    rc = settle_settings(h, w, topic, err);
    if (rc != 0)
        return rc;
    topic = topic_of(&w->now, change->topic_id);
    rc = give_slot(h, topic, object, replica, NULL, err);
    if (rc == 0 && !note_fresh_slot(h, object->p.ref))
        rc = err_set(err, OT_E_NO_MEMORY, "no memory to note slots");
    return rc;
}

int
hosting_prepare(Hosting *h, ImageWriter *w, const ChangeList *changes, ErrInfo *err)
{
    int rc = 0;

    for (int32_t i = 0; rc == 0 && i < changes->count; i++)
        if (changes->items[i].kind == CHANGE_PARTITION)
            rc = prepare_partition(h, w, &changes->items[i], err);
    return rc;
}

static void
forget(Hosting *h, PartitionSlot *slot)
{
    h->slots_used--;
    h->dir_partitions[slot->log_dir]--;
}

void
hosting_undo(Hosting *h)
{
    for (int32_t i = 0; i < h->fresh_slot_count; i++) {
        PartitionSlot *slot = pslot_find(h->fresh_slots[i]);

        if (slot != NULL) { /* the retention worker finds no folder and frees it */
            forget(h, slot);
            pslot_retire(slot);
        }
    }
    for (int32_t i = 0; i < h->fresh_settings_count; i++)
        topic_settings_free(h->fresh_settings[i]);
    h->fresh_slot_count = h->fresh_settings_count = 0;
}

/* Waiters of a partition look again. Without the lock in time they find out at their deadline. */
static void
wake_waiters(PartitionSlot *slot)
{
    WakeBatch batch;
    int64_t now = clock_mono_us();
    PLockResult got;

    if (!wait_list_in_use(&slot->waiters))
        return;
    got = plock_trylock(&slot->append_lock);
    if (got == PLOCK_TIMEOUT)
        return;
    if (got == PLOCK_OWNER_DIED) {
        /* The dead append needs no repair: nothing will be read from this log any more. */
        plock_consistent(&slot->append_lock);
    }
    wake_batch_init(&batch);
    wait_notify(&slot->waiters, (uint32_t)pslot_index(slot), WAIT_ON_STATE, now, &batch);
    plock_unlock(&slot->append_lock);
    wake_batch_flush(&batch);
}

static void
commit_gone(Hosting *h, const Change *change)
{
    for (int32_t i = 0; i < change->ref_count; i++) {
        PartitionSlot *slot = pslot_find(change->refs[i]);

        if (slot == NULL)
            continue;
        forget(h, slot);
        pslot_retire(slot);
        wake_waiters(slot);
    }
    if (change->settings != 0)
        topic_settings_free(change->settings);
}

void
hosting_commit(Hosting *h, const Image *image, const ChangeList *changes)
{
    for (int32_t i = 0; i < changes->count; i++) {
        const Change *change = &changes->items[i];
        ImagePartition p;
        PartitionSlot *slot;

        switch (change->kind) {
        case CHANGE_TOPIC_GONE:
            commit_gone(h, change);
            break;
        case CHANGE_PARTITION:
            if (!image_partition_by_id(image, change->topic_id, change->partition, &p))
                break;
            slot = pslot_find(p.ref);
            if (slot != NULL)
                set_leadership(h, slot, &p);
            break;
        }
    }
    h->fresh_slot_count = h->fresh_settings_count = 0;
}
