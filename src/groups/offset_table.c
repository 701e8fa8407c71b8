/*
 * offset_table.c - a group's offsets of one topic: an array, and a table that finds in it
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <assert.h>
#include <string.h>

#include "groups/offsets_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/hash.h"

#define FEW       8 /* entries that are found by looking at all */
#define SLOTS_MIN 16

static_assert(sizeof(OffsetEntry) == 64, "an offset stays within its budget (8.8)");

/* ---- names and texts -------------------------------------------------------------------------------- */

static ShardTopic *
shard_topic_get(GroupShard *shard, StrView name)
{
    MapNode *node = map_find(&shard->topics, name);
    ShardTopic *topic;

    if (node != NULL)
        return MAP_OWNER(node, ShardTopic, node);
    topic = gmem_new(shard->memory, sizeof *topic);
    topic->name = gmem_text(shard->memory, name);
    map_add(&shard->topics, &topic->node, topic->name);
    return topic;
}

OffsetTopic *
offset_topic_find(const Group *group, StrView name)
{
    MapNode *node = map_find(&group->offsets.topics, name);

    return node == NULL ? NULL : MAP_OWNER(node, OffsetTopic, node);
}

OffsetTopic *
offset_topic_get(GroupShard *shard, Group *group, StrView name)
{
    OffsetTopic *topic = offset_topic_find(group, name);
    ShardTopic *of;

    if (topic != NULL)
        return topic;
    of = shard_topic_get(shard, name);
    topic = gmem_new(shard->memory, sizeof *topic);
    topic->topic = of;
    topic->group = group;
    topic->next = of->first;
    if (of->first != NULL)
        of->first->prev = topic;
    of->first = topic;
    map_init(&topic->pending, shard->memory, shard->seed);
    map_add(&group->offsets.topics, &topic->node, of->name);
    group->offsets.bytes += sizeof *topic;
    return topic;
}

bool
offset_topic_release(GroupShard *shard, OffsetTopic *topic)
{
    ShardTopic *of = topic->topic;

    if (topic->count > 0 || topic->pending.count > 0)
        return false;
    ot_assert(topic->entries == NULL && topic->slots == NULL);
    map_clear(&topic->pending);
    map_remove(&topic->group->offsets.topics, &topic->node);
    if (topic->prev != NULL)
        topic->prev->next = topic->next;
    else
        of->first = topic->next;
    if (topic->next != NULL)
        topic->next->prev = topic->prev;
    topic->group->offsets.bytes -= sizeof *topic;
    gmem_free(shard->memory, topic, sizeof *topic);
    if (of->first != NULL)
        return true;
    map_remove(&shard->topics, &of->node);
    gmem_free_text(shard->memory, of->name);
    gmem_free(shard->memory, of, sizeof *of);
    return true;
}

static OffsetText *
new_text(GroupShard *shard, Group *group, StrView text)
{
    size_t bytes = sizeof(OffsetText) + (size_t)text.len;
    OffsetText *copy;

    if (text.len == 0)
        return NULL;
    copy = gmem_new(shard->memory, bytes);
    copy->len = text.len;
    memcpy(copy->text, text.ptr, (size_t)text.len);
    group->offsets.bytes += bytes;
    return copy;
}

void
offset_text_free(GroupShard *shard, Group *group, OffsetText *text)
{
    size_t bytes;

    if (text == NULL)
        return;
    bytes = sizeof *text + (size_t)text->len;
    group->offsets.bytes -= bytes;
    gmem_free(shard->memory, text, bytes);
}

StrView
offset_metadata(const OffsetEntry *entry)
{
    if (entry->metadata == NULL)
        return STRVIEW("");
    return (StrView){entry->metadata->text, entry->metadata->len};
}

OffsetEntry
offset_entry(GroupShard *shard, Group *group, int32_t partition, const OffsetValue *value)
{
    return (OffsetEntry){
        .offset = value->offset,
        .commit_ms = value->commit_ms,
        .expire_ms = value->expire_ms,
        .serial = ++shard->offset_serial,
        .metadata = new_text(shard, group, value->metadata),
        .topic_id = value->topic_id,
        .partition = partition,
        .leader_epoch = value->leader_epoch,
    };
}

/* ---- the table ---------------------------------------------------------------------------------------- */

static uint32_t
home(const OffsetTopic *topic, int32_t partition)
{
    return (uint32_t)hash_u64((uint32_t)partition ^ topic->pending.seed) & topic->slot_mask;
}

/* The slot of a partition, or the free one where it would be. */
static uint32_t
slot_of(const OffsetTopic *topic, int32_t partition)
{
    uint32_t slot = home(topic, partition);

    while (topic->slots[slot] != 0 && topic->entries[topic->slots[slot] - 1].partition != partition)
        slot = (slot + 1) & topic->slot_mask;
    return slot;
}

/* Frees the slot; what was pushed behind it by it moves up. */
static void
slot_remove(OffsetTopic *topic, uint32_t slot)
{
    uint32_t next = slot;

    for (;;) {
        uint32_t at;

        topic->slots[slot] = 0;
        do {
            next = (next + 1) & topic->slot_mask;
            if (topic->slots[next] == 0)
                return;
            at = home(topic, topic->entries[topic->slots[next] - 1].partition);
        } while (((next - at) & topic->slot_mask) < ((next - slot) & topic->slot_mask));
        topic->slots[slot] = topic->slots[next];
        slot = next;
    }
}

static void
slots_free(GroupShard *shard, OffsetTopic *topic)
{
    size_t bytes = ((size_t)topic->slot_mask + 1) * sizeof *topic->slots;

    if (topic->slots == NULL)
        return;
    topic->group->offsets.bytes -= bytes;
    gmem_free(shard->memory, topic->slots, bytes);
    topic->slots = NULL;
    topic->slot_mask = 0;
}

/* Makes the table anew, with room for all entries and one more. */
static void
slots_build(GroupShard *shard, OffsetTopic *topic)
{
    uint32_t size = SLOTS_MIN;

    while (size / 4 * 3 <= topic->count)
        size *= 2;
    slots_free(shard, topic);
    topic->slot_mask = size - 1;
    topic->slots = gmem_new(shard->memory, size * sizeof *topic->slots);
    topic->group->offsets.bytes += size * sizeof *topic->slots;
    for (uint32_t i = 0; i < topic->count; i++)
        topic->slots[slot_of(topic, topic->entries[i].partition)] = i + 1;
}

static void
set_room(GroupShard *shard, OffsetTopic *topic, uint32_t room)
{
    size_t size = sizeof *topic->entries;

    topic->group->offsets.bytes += room * size - topic->room * size;
    if (room == 0) {
        gmem_free(shard->memory, topic->entries, topic->room * size);
        topic->entries = NULL;
    } else {
        topic->entries =
            gmem_resize(shard->memory, topic->entries, topic->room * size, room * size);
    }
    topic->room = room;
}

OffsetEntry *
offset_find(const OffsetTopic *topic, int32_t partition)
{
    if (topic->slots != NULL) {
        uint32_t place = topic->slots[slot_of(topic, partition)];

        return place == 0 ? NULL : &topic->entries[place - 1];
    }
    for (uint32_t i = 0; i < topic->count; i++)
        if (topic->entries[i].partition == partition)
            return &topic->entries[i];
    return NULL;
}

void
offset_note_id(ShardTopic *topic, Uuid id)
{
    if (uuid_is_zero(id))
        return;
    if (uuid_is_zero(topic->id))
        topic->id = id;
    else if (!uuid_equal(topic->id, id))
        topic->mixed = true;
}

void
offset_put(GroupShard *shard, OffsetTopic *topic, const OffsetEntry *entry)
{
    OffsetEntry *old = offset_find(topic, entry->partition);

    offset_note_id(topic->topic, entry->topic_id);
    if (old != NULL) {
        offset_text_free(shard, topic->group, old->metadata);
        *old = *entry;
        return;
    }
    if (topic->count == topic->room)
        set_room(shard, topic,
                 topic->room < FEW ? topic->room * 2 + !topic->room
                                   : topic->room + topic->room / 4);
    topic->entries[topic->count++] = *entry;
    if (topic->slots != NULL && topic->count < (topic->slot_mask + 1) / 4 * 3)
        topic->slots[slot_of(topic, entry->partition)] = topic->count;
    else if (topic->count > FEW)
        slots_build(shard, topic);
    topic->group->offsets.count++;
    shard->offset_count++;
}

void
offset_remove(GroupShard *shard, OffsetTopic *topic, OffsetEntry *entry)
{
    uint32_t place = (uint32_t)(entry - topic->entries);
    uint32_t last = topic->count - 1;

    offset_text_free(shard, topic->group, entry->metadata);
    if (topic->slots != NULL) {
        slot_remove(topic, slot_of(topic, entry->partition));
        if (place != last)
            topic->slots[slot_of(topic, topic->entries[last].partition)] = place + 1;
    }
    if (place != last)
        topic->entries[place] = topic->entries[last];
    topic->count--;
    topic->group->offsets.count--;
    shard->offset_count--;
    if (topic->count <= FEW / 2)
        slots_free(shard, topic);
    if (topic->count == 0)
        set_room(shard, topic, 0);
    else if (topic->count < topic->room / 4) {
        set_room(shard, topic, topic->room / 2);
        if (topic->slots != NULL)
            slots_build(shard, topic);
    }
}
