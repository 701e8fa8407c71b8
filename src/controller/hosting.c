/*
 * hosting.c - partition slots of this node: given and taken as the metadata says
 *
 * Runs in: controller, the only process that gives slots an identity (storage/partition_slot.h). A crash
 * of it rebuilds all shared memory, so the steps need no order beyond "slot before image".
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
#include "ottla/common/text.h"
#include "ottla/common/topic_settings.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/plock.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/logdir_folders.h"
#include "ottla/storage/logdir_state.h"
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
    free(h->fresh_settings.items);
    free(h->stale_settings.items);
    *h = (Hosting){0};
}

/* ---- settings of a topic ---- */

/* What all topics start from; texts lie in the image and the arena. */
static Arena *
open_defaults(const Hosting *h, const Image *image, TopicDefaults *ret)
{
    Arena *arena = arena_new(1024, 65536);
    NodeValues values;
    ConfLookup lookup = node_values_lookup(&values, image, h->node_id);

    ot_assert(arena != NULL); /* a controller without 1 KiB of memory cannot go on */
    topic_defaults_init(ret, &lookup, arena);
    return arena;
}

static void
compute_settings(Hosting *h, const Image *image, StrView topic, const TopicDefaults *defaults,
                 TopicSettings *ret)
{
    ConfPair overrides[OVERRIDES_MAX];
    StrView key = {NULL, 0}, value;
    int count = 0;

    while (topic.ptr != NULL && count < OVERRIDES_MAX &&
           image_config_after(image, IMAGE_CONFIG_TOPIC, topic, key, &key, &value))
        overrides[count++] = (ConfPair){key, value};
    /* Values that this version does not take count as not set. */
    (void)topic_settings_resolve(overrides, count, defaults, ret);
    h->compaction_wanted |= ret->cleanup_compact;
}

static uint64_t
make_settings(Hosting *h, const Image *image, StrView topic)
{
    TopicDefaults defaults;
    TopicSettings settings;
    Arena *arena = open_defaults(h, image, &defaults);

    compute_settings(h, image, topic, &defaults, &settings);
    arena_free(arena);
    return topic_settings_new(&settings);
}

/* The record that all topics share which have no settings of their own. */
static uint64_t
default_settings(Hosting *h, const Image *image)
{
    if (h->default_settings == 0)
        h->default_settings = make_settings(h, image, (StrView){NULL, 0});
    return h->default_settings;
}

static bool
has_own_settings(const Image *image, StrView topic)
{
    StrView key, value;

    return image_config_after(image, IMAGE_CONFIG_TOPIC, topic, (StrView){NULL, 0}, &key, &value);
}

static bool
note_handle(HandleList *list, uint64_t handle)
{
    if (list->count == list->room) {
        int32_t room = list->room == 0 ? 64 : list->room * 2;
        uint64_t *wider = realloc(list->items, (size_t)room * sizeof *wider);

        if (wider == NULL)
            return false;
        list->items = wider;
        list->room = room;
    }
    list->items[list->count++] = handle;
    return true;
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

/* The lower the better is a directory for something new; what is cordoned comes last. */
static int
reluctance(const Hosting *h, int dir)
{
    if (h->dir_cordoned[dir])
        return LOGDIR_STATE_COUNT;
    switch (logdir_state(dir)) {
    case LOGDIR_ONLINE:
        return 0;
    case LOGDIR_REPAIRING:
        return 1;
    case LOGDIR_FULL:
        return 2;
    case LOGDIR_FAILED:
        return 3;
    case LOGDIR_STATE_COUNT:
        break;
    }
    ot_unreachable();
}

static int32_t
load_of(const Hosting *h, int dir)
{
    return h->dir_partitions[dir] + h->dir_picked[dir];
}

/* Of the directories that take appends, if there is one, that with the fewest partitions. */
static int
emptiest(const Hosting *h)
{
    int best = 0;

    for (int i = 1; i < logdir_count(); i++) {
        int better = reluctance(h, best) - reluctance(h, i);

        if (better > 0 || (better == 0 && load_of(h, i) < load_of(h, best)))
            best = i;
    }
    return best;
}

/* What the files say at the start. */
typedef struct Found {
    LogDirCheckpoints *checkpoints;
    LogDirFolders *folders;
} Found;

/*
 * Where a replica is; found NULL: it is new. Not placed by the metadata, or placed in a directory that is no more:
 * where there is room.
 */
static int
directory_of(const Hosting *h, const ImageTopic *topic, const ImagePartition *p, int32_t replica,
             const Found *found)
{
    int dir = replica < p->directory_count ? logdir_of_replica(p->directories[replica]) : -1;

    if (found != NULL)
        dir = logdir_folders_find(found->folders, dir, image_topic_name(topic), p->partition,
                                  topic->id);
    return dir < 0 ? emptiest(h) : dir;
}

static int
named_directory(const ImagePartition *p, int32_t replica)
{
    return replica < p->directory_count ? logdir_find_uuid(p->directories[replica]) : -1;
}

Uuid
hosting_pick_directory(void *hosting)
{
    Hosting *h = hosting;
    int dir = emptiest(h);

    h->dir_picked[dir]++;
    return logdir_uuid(dir);
}

void
hosting_forget_picks(Hosting *h)
{
    memset(h->dir_picked, 0, sizeof h->dir_picked);
}

int32_t
hosting_cordoned(const Image *image, int32_t node_id, Uuid *ret)
{
    NodeValues values;
    ConfLookup lookup = node_values_lookup(&values, image, node_id);
    StrView list = conf_resolve_broker(CONF_CORDONED_LOG_DIRS, &lookup).text, item;
    bool all = strview_equal(text_trim(list), STRVIEW("*"));
    int32_t count = 0;

    for (int dir = 0; dir < logdir_count(); dir++) {
        bool named = all;

        for (StrView rest = conf_list_begin(list); !named && conf_list_next(&rest, &item);)
            named = strview_equal(item, strview_from(logdir_path(dir)));
        if (named)
            ret[count++] = logdir_uuid(dir);
    }
    return count;
}

void
hosting_cordon(Hosting *h, const Uuid *dirs, int32_t count)
{
    for (int dir = 0; dir < logdir_count(); dir++) {
        h->dir_cordoned[dir] = false;
        for (int32_t i = 0; i < count; i++)
            h->dir_cordoned[dir] |= uuid_equal(dirs[i], logdir_uuid(dir));
    }
}

bool
hosting_has_log_dir(StrView path)
{
    for (int i = 0; i < logdir_count(); i++)
        if (strview_equal(path, strview_from(logdir_path(i))))
            return true;
    return false;
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

/* A slot for a partition of this node; found is NULL for new ones. */
static int
give_slot(Hosting *h, const ImageTopic *topic, PartitionObject *object, int32_t replica,
          const Found *found, ErrInfo *err)
{
    ImagePartition *p = &object->p;
    PslotIdentity id = {.topic = image_topic_name(topic),
                        .topic_id = topic->id,
                        .partition = p->partition,
                        .log_dir = directory_of(h, topic, p, replica, found),
                        .named_dir = named_directory(p, replica),
                        .settings = topic->settings};
    CheckpointedOffsets at = {.other_dir = -1};
    PartitionSlot *slot;
    int rc;

    if (found != NULL) {
        at = logdir_checkpoints_get(found->checkpoints, id.log_dir, id.topic, id.partition,
                                    id.topic_id);
        id.recovery_point = at.recovery_point;
        id.log_start_offset = at.log_start_offset;
        id.high_watermark = at.high_watermark;
        id.producerless_end = at.producerless_end;
    }
    rc = pslot_alloc(&id, &p->ref, err);
    if (rc != 0)
        return rc;
    slot = pslot_find(p->ref);
    ot_assert(slot != NULL);
    set_leadership(h, slot, p);
    atomic_u32_store(&slot->left_dir, (uint32_t)(at.other_dir + 1));
    h->slots_used++;
    h->dir_partitions[id.named_dir < 0 ? id.log_dir : id.named_dir]++;
    return 0;
}

/* ---- start ---- */

static int
host_topic(Hosting *h, ImageTopic *topic, const Image *image, const Found *found, ErrInfo *err)
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
            topic->settings = has_own_settings(image, image_topic_name(topic))
                                  ? make_settings(h, image, image_topic_name(topic))
                                  : default_settings(h, image);
        if (topic->settings == 0)
            return err_set(err, OT_E_LIMIT, "no room for the settings of another topic");
        rc = give_slot(h, topic, object, replica, found, err);
    }
    return rc;
}

int
hosting_start(Hosting *h, ImageWriter *w, ErrInfo *err)
{
    Found found = {logdir_checkpoints_load(), logdir_folders_load()};
    int rc = 0;

    ot_assert(w->published == 0); /* so every object may be changed in place [I2] */
    if (found.checkpoints == NULL || found.folders == NULL)
        rc = err_set(err, OT_E_NO_MEMORY, "no memory for the checkpoint files");
    for (const MapNode *node = map_after(w->now.maps[MAP_TOPIC_NAME], (BytesView){NULL, 0}, true);
         rc == 0 && node != NULL; node = map_after(w->now.maps[MAP_TOPIC_NAME],
                                                   (BytesView){node->key, node->key_len}, false))
        rc = host_topic(h, node->value, &w->now, &found, err);
    logdir_checkpoints_free(found.checkpoints);
    logdir_folders_free(found.folders);
    return rc;
}

/* ---- a turn ---- */

static ImageTopic *
topic_of(const Image *image, Uuid id)
{
    const MapNode *node = image_map_find(image->maps[MAP_TOPIC_ID], (BytesView){id.b, sizeof id.b});

    return node == NULL ? NULL : node->value;
}

static PartitionObject *
object_of(const ImageTopic *topic, int32_t partition)
{
    uint8_t key[4];
    const MapNode *node;

    image_put_be32(key, (uint32_t)partition);
    node = image_map_find(topic->partitions, (BytesView){key, sizeof key});
    return node == NULL ? NULL : node->value;
}

/* The topic's settings record: one of its own exactly while it has settings of its own. */
static int
settle_settings(Hosting *h, ImageWriter *w, const ImageTopic *topic, ErrInfo *err)
{
    bool own = has_own_settings(&w->now, image_topic_name(topic));
    bool has_own = topic->settings != 0 && topic->settings != h->default_settings;
    uint64_t handle;

    if (topic->settings != 0 && own == has_own)
        return 0;
    handle =
        own ? make_settings(h, &w->now, image_topic_name(topic)) : default_settings(h, &w->now);
    if (handle == 0)
        return err_set(err, OT_E_LIMIT, "no room for the settings of another topic");
    if (own && !note_handle(&h->fresh_settings, handle)) {
        topic_settings_free(handle);
        return err_set(err, OT_E_NO_MEMORY, "no memory to note settings");
    }
    if (has_own && !note_handle(&h->stale_settings, topic->settings))
        return err_set(err, OT_E_NO_MEMORY, "no memory to note settings");
    return build_topic_settings(w, topic->id, handle);
}

/* Partitions of a topic that none is hosted of need no record. */
static int
prepare_settings(Hosting *h, ImageWriter *w, const Change *change, ErrInfo *err)
{
    const ImageTopic *topic = topic_of(&w->now, change->topic_id);

    return topic == NULL || topic->settings == 0 ? 0 : settle_settings(h, w, topic, err);
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

    for (int32_t i = 0; rc == 0 && i < changes->count; i++) {
        const Change *change = &changes->items[i];

        if (change->kind == CHANGE_PARTITION)
            rc = prepare_partition(h, w, change, err);
        else if (change->kind == CHANGE_TOPIC_SETTINGS)
            rc = prepare_settings(h, w, change, err);
    }
    return rc;
}

static void
forget(Hosting *h, PartitionSlot *slot)
{
    h->slots_used--;
    h->dir_partitions[slot->named_dir < 0 ? pslot_dir(slot) : slot->named_dir]--;
}

int32_t
hosting_misplaced(HostedDir *ret, int32_t room)
{
    int32_t high = pslot_high();
    int32_t count = 0;

    for (int32_t i = 0; i < high && count < room; i++) {
        const PartitionSlot *slot = pslot_at(i);
        PslotState state = pslot_state(slot);
        int dir = pslot_dir(slot);

        if (state != PSLOT_FREE && state != PSLOT_DELETING && dir != slot->named_dir &&
            logdir_id_is_known(dir))
            ret[count++] = (HostedDir){pslot_ref(slot), slot->topic_id, slot->partition, dir};
    }
    return count;
}

void
hosting_placed(Hosting *h, const HostedDir *list, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        PartitionSlot *slot = pslot_find(list[i].ref);

        if (slot == NULL)
            continue;
        if (slot->named_dir >= 0) {
            h->dir_partitions[slot->named_dir]--;
            h->dir_partitions[list[i].dir]++;
        }
        slot->named_dir = list[i].dir;
    }
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
    for (int32_t i = 0; i < h->fresh_settings.count; i++)
        topic_settings_free(h->fresh_settings.items[i]);
    h->fresh_slot_count = h->fresh_settings.count = h->stale_settings.count = 0;
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
    if (change->settings != 0 && change->settings != h->default_settings)
        topic_settings_free(change->settings);
}

/* ---- settings in force ---- */

/* The topic's values as they are now into its record, its record into its slots. */
static void
commit_settings(Hosting *h, const Image *image, const ImageTopic *topic,
                const TopicDefaults *defaults)
{
    TopicSettings settings;
    ImagePartition p;

    if (topic->settings == 0)
        return;
    if (topic->settings != h->default_settings) {
        compute_settings(h, image, image_topic_name(topic), defaults, &settings);
        topic_settings_set(topic->settings, &settings);
    }
    for (int32_t i = 0; i < topic->partition_count; i++) {
        PartitionSlot *slot = image_topic_partition(topic, i, &p) ? pslot_find(p.ref) : NULL;

        if (slot != NULL)
            pslot_set_settings(slot, topic->settings);
    }
}

/* The topic behind the one named after in the order of the settings; NULL: none has settings left. */
static const ImageTopic *
next_with_settings(const Image *image, StrView *after)
{
    while (image_config_next_resource(image, IMAGE_CONFIG_TOPIC, *after, after)) {
        const ImageTopic *topic = image_topic_by_name(image, *after);

        if (topic != NULL)
            return topic;
    }
    return NULL;
}

void
hosting_refresh_settings(Hosting *h, const Image *image)
{
    StrView name = {NULL, 0};
    const ImageTopic *topic;
    TopicDefaults defaults;
    TopicSettings settings;
    Arena *arena = open_defaults(h, image, &defaults);

    if (h->default_settings != 0) {
        compute_settings(h, image, (StrView){NULL, 0}, &defaults, &settings);
        topic_settings_set(h->default_settings, &settings);
        pslot_set_judge_all();
    }
    while ((topic = next_with_settings(image, &name)) != NULL)
        commit_settings(h, image, topic, &defaults);
    arena_free(arena);
}

static void
commit_changed_settings(Hosting *h, const Image *image, const ChangeList *changes)
{
    const ImageTopic *topic, *last = NULL;
    TopicDefaults defaults;
    Arena *arena = NULL;
    bool all = false;

    for (int32_t i = 0; i < changes->count; i++) {
        const Change *change = &changes->items[i];

        all |= change->kind == CHANGE_NODE_SETTINGS;
        if (change->kind != CHANGE_TOPIC_SETTINGS)
            continue;
        topic = image_topic_by_id(image, change->topic_id);
        if (topic == NULL || topic == last)
            continue;
        if (arena == NULL)
            arena = open_defaults(h, image, &defaults);
        commit_settings(h, image, topic, &defaults);
        last = topic;
    }
    arena_free(arena);
    if (all)
        hosting_refresh_settings(h, image);
    for (int32_t i = 0; i < h->stale_settings.count; i++)
        topic_settings_free(h->stale_settings.items[i]);
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
        case CHANGE_TOPIC_SETTINGS:
        case CHANGE_NODE_SETTINGS:
            break;
        }
    }
    commit_changed_settings(h, image, changes);
    h->fresh_slot_count = h->fresh_settings.count = h->stale_settings.count = 0;
}
