/*
 * consumer_members.c - the members of a consumer group, and what they share
 *
 * Runs in: coordinator; tests. pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "groups/consumer_int.h"
#include "ottla/common/assert.h"

ConsumerMember *
consumer_find_member(const ConsumerGroup *consumer, StrView id)
{
    MapNode *node = map_find(&consumer->members, id);

    return node == NULL ? NULL : MAP_OWNER(node, ConsumerMember, node);
}

ConsumerMember *
consumer_find_instance(const ConsumerGroup *consumer, StrView instance_id)
{
    MapNode *node = map_find(&consumer->instances, instance_id);

    return node == NULL ? NULL : MAP_OWNER(node, ConsumerMember, instance_node);
}

ConsumerMember *
consumer_add_member(GroupShard *shard, ConsumerGroup *consumer, StrView id)
{
    ConsumerMember *member = gmem_new(shard->memory, sizeof *member);

    member->consumer = consumer;
    member->client_id = STRVIEW("");
    member->client_host = STRVIEW("");
    member->rebalance_timeout_ms = -1;
    map_add(&consumer->members, &member->node, gmem_text(shard->memory, id));
    member->prev = consumer->last;
    if (consumer->last != NULL)
        consumer->last->next = member;
    else
        consumer->first = member;
    consumer->last = member;
    shard->member_count++;
    consumer_note_settled(member); /* at epoch 0, as the target of a group that has none yet */
    return member;
}

ConsumerName *
consumer_take_name(GroupShard *shard, Map *names, StrView text)
{
    MapNode *node = map_find(names, text);
    ConsumerName *name;

    if (node != NULL) {
        name = MAP_OWNER(node, ConsumerName, node);
    } else {
        name = gmem_new(shard->memory, sizeof *name);
        name->name = gmem_text(shard->memory, text);
        map_add(names, &name->node, name->name);
    }
    name->members++;
    return name;
}

void
consumer_give_name(GroupShard *shard, Map *names, ConsumerName *name)
{
    if (--name->members > 0)
        return;
    map_remove(names, &name->node);
    gmem_free_text(shard->memory, name->name);
    gmem_free(shard->memory, name, sizeof *name);
}

static void
drop_names(GroupShard *shard, ConsumerGroup *consumer, ConsumerName **names, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        consumer_give_name(shard, &consumer->names, names[i]);
    gmem_free(shard->memory, names, (size_t)count * sizeof *names);
}

void
consumer_drop_member(GroupShard *shard, ConsumerMember *member)
{
    ConsumerGroup *consumer = member->consumer;

    consumer_compute_without(member);
    consumer_store_sets(shard, member, NULL, 0, NULL, 0);
    consumer_store_target(shard, member, NULL, 0);
    (void)consumer_set_classic(shard, member, 0, NULL,
                               0); /* whether there was some does not matter, */
    (void)consumer_set_regex(shard, member, (StrView){0});    /* here either, */
    (void)consumer_set_instance(shard, member, (StrView){0}); /* nor here */
    drop_names(shard, consumer, member->names, member->name_count);
    timers_cancel(&shard->timers, &member->session);
    timers_cancel(&shard->timers, &member->rebalance);
    *(member->prev == NULL ? &consumer->first : &member->prev->next) = member->next;
    *(member->next == NULL ? &consumer->last : &member->next->prev) = member->prev;
    if (member->settled)
        consumer->settled_count--;
    gmem_free_text(shard->memory, member->rack_id);
    gmem_free_text(shard->memory, member->client_id);
    gmem_free_text(shard->memory, member->client_host);
    gmem_free_text(shard->memory, member->assignor);
    map_remove(&consumer->members, &member->node);
    gmem_free_text(shard->memory, member->node.key);
    gmem_free(shard->memory, member, sizeof *member);
    shard->member_count--;
}

void
consumer_rename_member(GroupShard *shard, ConsumerMember *member, StrView id)
{
    StrView old = member->node.key;

    map_remove(&member->consumer->members, &member->node);
    map_add(&member->consumer->members, &member->node, gmem_text(shard->memory, id));
    gmem_free_text(shard->memory, old);
}

bool
consumer_set_instance(GroupShard *shard, ConsumerMember *member, StrView instance_id)
{
    Map *instances = &member->consumer->instances;
    StrView old = member->instance_id;

    if (strview_equal(old, instance_id))
        return false;
    if (old.ptr != NULL)
        map_remove(instances, &member->instance_node);
    member->instance_id = gmem_text(shard->memory, instance_id);
    if (instance_id.ptr != NULL)
        map_add(instances, &member->instance_node, member->instance_id);
    gmem_free_text(shard->memory, old);
    return true;
}

static int
compare_names(const void *left, const void *right)
{
    StrView a = (*(ConsumerName *const *)left)->name, b = (*(ConsumerName *const *)right)->name;
    int32_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, (size_t)common);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

bool
consumer_has_name(const ConsumerMember *member, StrView name)
{
    MapNode *node = map_find(&member->consumer->names, name);
    ConsumerName *wanted = node == NULL ? NULL : MAP_OWNER(node, ConsumerName, node);
    ConsumerName **found;

    if (wanted == NULL || member->name_count == 0)
        return false;
    found = bsearch(&wanted, member->names, (size_t)member->name_count, sizeof(ConsumerName *),
                    compare_names);
    return found != NULL;
}

bool
consumer_set_names(GroupShard *shard, ConsumerMember *member, const StrView *names, int32_t count)
{
    ConsumerGroup *consumer = member->consumer;
    size_t room = (size_t)count;
    ConsumerName **list =
        count == 0 ? NULL : gmem_new(shard->memory, room * sizeof(ConsumerName *));
    int32_t kept = 0;
    int64_t bytes = 0;
    bool changed;

    for (int32_t i = 0; i < count; i++)
        list[i] = consumer_take_name(shard, &consumer->names, names[i]);
    if (count > 1)
        qsort(list, room, sizeof(ConsumerName *), compare_names);
    for (int32_t i = 0; i < count; i++)
        if (kept > 0 && list[kept - 1] == list[i])
            list[i]->members--; /* named twice */
        else
            list[kept++] = list[i];
    for (int32_t i = 0; i < kept; i++)
        bytes += CONSUMER_TEXT_BYTES(list[i]->name);
    if (kept < count)
        list = gmem_resize(shard->memory, list, room * sizeof(ConsumerName *),
                           (size_t)kept * sizeof(ConsumerName *));
    changed = kept != member->name_count ||
              (kept > 0 && memcmp(list, member->names, (size_t)kept * sizeof(ConsumerName *)) != 0);
    drop_names(shard, consumer, member->names, member->name_count);
    member->names = list;
    member->name_count = kept;
    member->names_bytes = bytes;
    return changed;
}

bool
consumer_set_regex(GroupShard *shard, ConsumerMember *member, StrView pattern)
{
    ConsumerGroup *consumer = member->consumer;
    ConsumerRegex *old = member->regex, *regex = NULL;

    if (pattern.len > 0) {
        regex = consumer_find_regex(consumer, pattern);
        if (regex == NULL)
            regex = consumer_make_regex(shard, consumer, pattern);
    }
    if (regex == old)
        return false;
    member->regex = regex;
    if (regex != NULL) {
        regex->members++;
        consumer->regex_members++;
    }
    if (old != NULL) {
        consumer->regex_members--;
        if (--old->members == 0 && !old->resolved)
            consumer_free_regex(shard, consumer, old);
    }
    return true;
}

static bool
same_protocols(const ConsumerClassic *classic, const JoinGroupRequestProtocol *protocols,
               int32_t count)
{
    if (classic->protocol_count != count)
        return false;
    for (int32_t i = 0; i < count; i++) {
        const JoinGroupRequestProtocol *a = &classic->protocols[i], *b = &protocols[i];

        if (!strview_equal(a->name, b->name) || a->metadata.len != b->metadata.len ||
            (a->metadata.len > 0 &&
             memcmp(a->metadata.ptr, b->metadata.ptr, (size_t)a->metadata.len) != 0))
            return false;
    }
    return true;
}

static void
free_classic(GroupShard *shard, ConsumerClassic *classic)
{
    for (int32_t i = 0; i < classic->protocol_count; i++) {
        gmem_free_text(shard->memory, classic->protocols[i].name);
        gmem_free_bytes(shard->memory, classic->protocols[i].metadata);
    }
    gmem_free(shard->memory, classic->protocols,
              (size_t)classic->protocol_count * sizeof *classic->protocols);
    timers_cancel(&shard->timers, &classic->join);
    timers_cancel(&shard->timers, &classic->sync);
    gmem_free(shard->memory, classic, sizeof *classic);
}

bool
consumer_set_classic(GroupShard *shard, ConsumerMember *member, int32_t session_timeout_ms,
                     const JoinGroupRequestProtocol *protocols, int32_t count)
{
    ConsumerGroup *consumer = member->consumer;
    ConsumerClassic *old = member->classic, *classic = NULL;

    if (old == NULL && protocols == NULL)
        return false;
    if (old != NULL && protocols != NULL && old->session_timeout_ms == session_timeout_ms &&
        same_protocols(old, protocols, count))
        return false;
    if (protocols != NULL) {
        classic = gmem_new(shard->memory, sizeof *classic);
        classic->session_timeout_ms = session_timeout_ms;
        classic->member = member;
        classic->protocol_count = count;
        classic->protocols = gmem_new(shard->memory, (size_t)count * sizeof *protocols);
        for (int32_t i = 0; i < count; i++) {
            join_group_request_protocol_init(&classic->protocols[i]);
            classic->protocols[i].name = gmem_text(shard->memory, protocols[i].name);
            classic->protocols[i].metadata = gmem_bytes(shard->memory, protocols[i].metadata);
        }
    }
    consumer->classic_count += (classic != NULL) - (old != NULL);
    member->classic = classic;
    if (old != NULL)
        free_classic(shard, old);
    return true;
}

void
consumer_note_settled(ConsumerMember *member)
{
    ConsumerGroup *consumer = member->consumer;
    bool settled = member->state == CONSUMER_STABLE && member->epoch == consumer->target_epoch;

    if (settled == member->settled)
        return;
    member->settled = settled;
    consumer->settled_count += settled ? 1 : -1;
}

void
consumer_note_all_settled(ConsumerGroup *consumer)
{
    for (ConsumerMember *member = consumer->first; member != NULL; member = member->next)
        consumer_note_settled(member);
}
