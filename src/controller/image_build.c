/*
 * image_build.c - the objects of the image: made whole, replaced, never changed once published
 *
 * A change of a partition changes its topic object, and that changes two maps; inside one generation
 * the second change of the same topic finds everything its own and costs one path.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/image_build.h"

#include <string.h>

#include "ottla/common/assert.h"

/* ---- packing: lists and strings behind their struct ---- */

typedef struct Pack {
    uint8_t *at; /* NULL while sizes are added up */
    size_t bytes;
} Pack;

/* Room for count items; the place when there is a buffer. All list types are aligned to 8. */
static void *
pack_room(Pack *p, size_t bytes)
{
    void *place = p->at == NULL ? NULL : p->at + p->bytes;

    p->bytes += (bytes + 7) & ~(size_t)7;
    return place;
}

static const void *
pack_list(Pack *p, const void *items, size_t bytes)
{
    void *place = pack_room(p, bytes);

    if (place != NULL && bytes > 0)
        memcpy(place, items, bytes);
    return place;
}

static StrView
pack_text(Pack *p, StrView text)
{
    void *place;

    if (text.ptr == NULL)
        return text;
    place = pack_room(p, (size_t)text.len);
    if (place != NULL && text.len > 0)
        memcpy(place, text.ptr, (size_t)text.len);
    return (StrView){place, text.len};
}

static void
pack_partition(Pack *p, ImagePartition *part)
{
    size_t n = sizeof(int32_t);

    part->replicas = pack_list(p, part->replicas, n * (size_t)part->replica_count);
    part->isr = pack_list(p, part->isr, n * (size_t)part->isr_count);
    part->removing = pack_list(p, part->removing, n * (size_t)part->removing_count);
    part->adding = pack_list(p, part->adding, n * (size_t)part->adding_count);
    part->elr = pack_list(p, part->elr, n * (size_t)part->elr_count);
    part->last_known_elr =
        pack_list(p, part->last_known_elr, n * (size_t)part->last_known_elr_count);
    part->directories =
        pack_list(p, part->directories, sizeof(Uuid) * (size_t)part->directory_count);
}

static void
pack_broker(Pack *p, ImageBroker *b)
{
    size_t cordoned = b->cordoned_log_dir_count < 0 ? 0 : (size_t)b->cordoned_log_dir_count;
    const ImageEndpoint *endpoints = b->endpoints;
    const ImageFeatureRange *features = b->features;
    ImageEndpoint *to = pack_room(p, sizeof *to * (size_t)b->endpoint_count);
    ImageFeatureRange *ranges = pack_room(p, sizeof *ranges * (size_t)b->feature_count);

    b->log_dirs = pack_list(p, b->log_dirs, sizeof(Uuid) * (size_t)b->log_dir_count);
    b->cordoned_log_dirs = pack_list(p, b->cordoned_log_dirs, sizeof(Uuid) * cordoned);
    if (b->cordoned_log_dir_count < 0)
        b->cordoned_log_dirs = NULL;
    b->rack = pack_text(p, b->rack);
    for (int32_t i = 0; i < b->endpoint_count; i++) {
        ImageEndpoint e = endpoints[i];

        e.name = pack_text(p, e.name);
        e.host = pack_text(p, e.host);
        if (to != NULL)
            to[i] = e;
    }
    for (int32_t i = 0; i < b->feature_count; i++) {
        ImageFeatureRange f = features[i];

        f.name = pack_text(p, f.name);
        if (ranges != NULL)
            ranges[i] = f;
    }
    b->endpoints = to;
    b->features = ranges;
}

/* ---- topics ---- */

static size_t
topic_bytes(int32_t name_len)
{
    return sizeof(ImageTopic) + (size_t)name_len;
}

static BytesView
topic_name_key(const ImageTopic *t)
{
    return (BytesView){(const uint8_t *)t->name, t->name_len};
}

static BytesView
topic_id_key(const ImageTopic *t)
{
    return (BytesView){t->id.b, sizeof t->id.b};
}

/* Names that could be mistaken for another's are listed apart, so that asking costs no walk. */
static int
list_alike(ImageWriter *w, StrView name, bool add)
{
    uint8_t bytes[IMAGE_ALIKE_KEY_MAX];
    BytesView key = {bytes, image_alike_key(name, bytes)};

    if (key.len == 0)
        return 0;
    return add ? build_entry(w, MAP_ALIKE, key, (BytesView){NULL, 0})
               : build_remove_entry(w, MAP_ALIKE, key);
}

int
build_topic(ImageWriter *w, StrView name, Uuid id)
{
    BytesView key = {(const uint8_t *)name.ptr, name.len};
    ImageTopic *t;

    if (name.len < 1 || name.len > LIMIT_TOPIC_NAME_LEN)
        return OT_E_RANGE;
    if (image_map_find(w->now.maps[MAP_TOPIC_NAME], key) != NULL ||
        image_map_find(w->now.maps[MAP_TOPIC_ID], (BytesView){id.b, sizeof id.b}) != NULL)
        return OT_E_EXISTS;
    t = image_alloc(w, topic_bytes(name.len));
    if (t == NULL || !image_has_node_room(w))
        return OT_E_FULL;
    *t = (ImageTopic){.born = w->generation, .id = id, .name_len = name.len};
    memcpy(t->name, name.ptr, (size_t)name.len);
    map_put(w, &w->now.maps[MAP_TOPIC_NAME], topic_name_key(t), t);
    map_put(w, &w->now.maps[MAP_TOPIC_ID], topic_id_key(t), t);
    w->now.counts[MAP_TOPIC_NAME]++;
    w->now.counts[MAP_TOPIC_ID]++;
    return list_alike(w, name, true);
}

/* The topic as an object of this generation, in both maps; NULL: not there or full (*ret_rc). */
static ImageTopic *
own_topic(ImageWriter *w, Uuid id, int *ret_rc)
{
    const MapNode *node = image_map_find(w->now.maps[MAP_TOPIC_ID], (BytesView){id.b, sizeof id.b});
    ImageTopic *old, *t;

    *ret_rc = OT_E_NOT_FOUND;
    if (node == NULL)
        return NULL;
    *ret_rc = OT_E_FULL;
    if (!image_has_node_room(w))
        return NULL;
    old = node->value;
    if (old->born == w->generation)
        return old;
    t = image_alloc(w, topic_bytes(old->name_len));
    if (t == NULL || !image_has_node_room(w))
        return NULL;
    memcpy(t, old, topic_bytes(old->name_len));
    t->born = w->generation;
    map_put(w, &w->now.maps[MAP_TOPIC_NAME], topic_name_key(t), t);
    map_put(w, &w->now.maps[MAP_TOPIC_ID], topic_id_key(t), t);
    image_drop(w, old, topic_bytes(old->name_len), old->born);
    return t;
}

int
build_topic_settings(ImageWriter *w, Uuid topic_id, uint64_t handle)
{
    int rc;
    ImageTopic *t = own_topic(w, topic_id, &rc);

    if (t == NULL)
        return rc;
    t->settings = handle;
    return 0;
}

int
build_partition(ImageWriter *w, Uuid topic_id, const ImagePartition *p)
{
    int rc;
    ImageTopic *t = own_topic(w, topic_id, &rc);
    ImagePartition packed = *p;
    Pack size = {NULL, sizeof(PartitionObject)};
    PartitionObject *object, *old = NULL;
    const MapNode *node;
    BytesView key;

    if (t == NULL)
        return rc;
    pack_partition(&size, &packed);
    object = image_alloc(w, size.bytes);
    if (object == NULL || !image_has_node_room(w))
        return OT_E_FULL;
    *object = (PartitionObject){.born = w->generation, .bytes = (uint32_t)size.bytes, .p = *p};
    image_put_be32(object->key, (uint32_t)p->partition);
    pack_partition(&(Pack){(uint8_t *)object, sizeof *object}, &object->p);
    key = (BytesView){object->key, sizeof object->key};
    node = image_map_find(t->partitions, key);
    if (node != NULL)
        old = node->value;
    map_put(w, &t->partitions, key, object);
    if (old != NULL) {
        image_drop(w, old, old->bytes, old->born);
    } else {
        t->partition_count++;
        w->now.partition_count++;
    }
    return 0;
}

/* Gives up a whole tree of partitions. The depth is that of a balanced tree. */
static void
drop_partitions(ImageWriter *w, MapNode *node)
{
    PartitionObject *object;

    if (node == NULL)
        return;
    drop_partitions(w, node->left);
    drop_partitions(w, node->right);
    object = node->value;
    image_drop(w, object, object->bytes, object->born);
    image_drop(w, node, sizeof *node, node->born);
}

int
build_remove_topic(ImageWriter *w, Uuid id)
{
    BytesView key = {id.b, sizeof id.b};
    ImageTopic *t;

    if (image_map_find(w->now.maps[MAP_TOPIC_ID], key) == NULL)
        return OT_E_NOT_FOUND;
    if (!image_has_node_room(w))
        return OT_E_FULL;
    t = image_map_remove(w, &w->now.maps[MAP_TOPIC_ID], key);
    if (!image_has_node_room(w))
        return OT_E_FULL;
    (void)image_map_remove(w, &w->now.maps[MAP_TOPIC_NAME], topic_name_key(t)); /* t again */
    w->now.counts[MAP_TOPIC_NAME]--;
    w->now.counts[MAP_TOPIC_ID]--;
    w->now.partition_count -= t->partition_count;
    drop_partitions(w, t->partitions);
    image_drop(w, t, topic_bytes(t->name_len), t->born); /* readable until the commit */
    return list_alike(w, image_topic_name(t), false);
}

/* ---- brokers ---- */

int
build_broker(ImageWriter *w, const ImageBroker *broker)
{
    ImageBroker packed = *broker;
    Pack size = {NULL, sizeof(BrokerObject)};
    BrokerObject *object, *old = NULL;
    const MapNode *node;
    BytesView key;

    pack_broker(&size, &packed);
    object = image_alloc(w, size.bytes);
    if (object == NULL || !image_has_node_room(w))
        return OT_E_FULL;
    *object = (BrokerObject){.born = w->generation, .bytes = (uint32_t)size.bytes, .b = *broker};
    image_broker_key(broker->id, object->key);
    pack_broker(&(Pack){(uint8_t *)object, sizeof *object}, &object->b);
    key = (BytesView){object->key, sizeof object->key};
    node = image_map_find(w->now.maps[MAP_BROKER], key);
    if (node != NULL)
        old = node->value;
    map_put(w, &w->now.maps[MAP_BROKER], key, object);
    if (old != NULL)
        image_drop(w, old, old->bytes, old->born);
    else
        w->now.counts[MAP_BROKER]++;
    return 0;
}

int
build_remove_broker(ImageWriter *w, int32_t id)
{
    uint8_t key[4];
    BrokerObject *old;

    if (!image_has_node_room(w))
        return OT_E_FULL;
    image_broker_key(id, key);
    old = image_map_remove(w, &w->now.maps[MAP_BROKER], (BytesView){key, sizeof key});
    if (old == NULL)
        return OT_E_NOT_FOUND;
    image_drop(w, old, old->bytes, old->born);
    w->now.counts[MAP_BROKER]--;
    return 0;
}

/* ---- entries ---- */

int
build_entry(ImageWriter *w, ImageMap map, BytesView key, BytesView value)
{
    size_t bytes = sizeof(ImageEntry) + (size_t)key.len + (size_t)value.len;
    const MapNode *node;
    ImageEntry *e, *old = NULL;

    ot_assert(map >= MAP_CONTROLLER && map < MAP_COUNT);
    e = image_alloc(w, bytes);
    if (e == NULL || !image_has_node_room(w))
        return OT_E_FULL;
    *e = (ImageEntry){.born = w->generation,
                      .bytes = (uint32_t)bytes,
                      .key_len = key.len,
                      .value_len = value.ptr == NULL ? -1 : value.len};
    if (key.len > 0)
        memcpy(e->data, key.ptr, (size_t)key.len);
    if (value.len > 0)
        memcpy(e->data + key.len, value.ptr, (size_t)value.len);
    node = image_map_find(w->now.maps[map], key);
    if (node != NULL)
        old = node->value;
    map_put(w, &w->now.maps[map], entry_key(e), e);
    if (old != NULL)
        image_drop(w, old, old->bytes, old->born);
    else
        w->now.counts[map]++;
    return 0;
}

int
build_remove_entry(ImageWriter *w, ImageMap map, BytesView key)
{
    ImageEntry *old;

    if (!image_has_node_room(w))
        return OT_E_FULL;
    old = image_map_remove(w, &w->now.maps[map], key);
    if (old == NULL)
        return OT_E_NOT_FOUND;
    image_drop(w, old, old->bytes, old->born);
    w->now.counts[map]--;
    return 0;
}
