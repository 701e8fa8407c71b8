/*
 * image.c - reading the metadata image: pins and lookups
 *
 * Runs in: every process. Never: waits, allocates, follows a pointer without a pin.
 * A reader that is killed leaves its pin behind; it counts no longer once the supervisor stored DEAD,
 * and the slot's next owner clears it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/controller/image.h"

#include <string.h>

#include "controller/image_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/slot.h"

const Image *
image_pin_slot(int32_t slot_index)
{
    ProcSlot *slot = slot_at(slot_index);
    AtomicU64 *word = &image_shared->pinners[slot_index / 64];
    uint64_t bit = UINT64_C(1) << (slot_index % 64);
    uint64_t seen = atomic_u64_load_seq(&image_shared->newest), again;

    if (seen == 0)
        return NULL;
    if ((atomic_u64_load_relaxed(word) & bit) == 0)
        (void)atomic_u64_or(word, bit);
    atomic_i64_store_relaxed(&slot->image_pin_since_us, clock_mono_us());
    for (;;) {
        atomic_u64_store_seq(&slot->image_pin, seen);
        again = atomic_u64_load_seq(&image_shared->newest); /* [P2] */
        if (again == seen)
            return &image_shared->roots[seen % IMAGE_ROOT_RING];
        seen = again;
    }
}

void
image_unpin_slot(int32_t slot_index)
{
    atomic_u64_store(&slot_at(slot_index)->image_pin, 0);
}

ImagePin
image_pin(void)
{
    uint64_t held;

    ot_assert(my_slot != NULL);
    held = atomic_u64_load_relaxed(&my_slot->image_pin);
    if (held != 0)
        return (ImagePin){&image_shared->roots[held % IMAGE_ROOT_RING], true};
    return (ImagePin){image_pin_slot(my_slot_index), false};
}

void
image_unpin(ImagePin *pin)
{
    if (!pin->inner && pin->image != NULL)
        image_unpin_slot(my_slot_index);
    pin->image = NULL;
}

uint64_t
image_generation(const Image *image)
{
    return image->generation;
}

int64_t
image_offset(const Image *image)
{
    return image->offset;
}

/* ---- topics ---- */

static BytesView
bytes_of(StrView text)
{
    return (BytesView){(const uint8_t *)text.ptr, text.len};
}

static const void *
value_of(const MapNode *node)
{
    return node == NULL ? NULL : node->value;
}

const ImageTopic *
image_topic_by_name(const Image *image, StrView name)
{
    return value_of(image_map_find(image->maps[MAP_TOPIC_NAME], bytes_of(name)));
}

const ImageTopic *
image_topic_by_id(const Image *image, Uuid id)
{
    return value_of(image_map_find(image->maps[MAP_TOPIC_ID], (BytesView){id.b, sizeof id.b}));
}

const ImageTopic *
image_topic_after(const Image *image, StrView after)
{
    return value_of(map_after(image->maps[MAP_TOPIC_NAME], bytes_of(after), after.ptr == NULL));
}

const ImageTopic *
image_topic_from(const Image *image, StrView from)
{
    return value_of(map_after(image->maps[MAP_TOPIC_NAME], bytes_of(from), true));
}

int32_t
image_alike_key(StrView name, uint8_t *ret)
{
    bool any = false;

    ot_assert(name.len <= LIMIT_TOPIC_NAME_LEN);
    for (int32_t i = 0; i < name.len; i++) {
        any |= name.ptr[i] == '.' || name.ptr[i] == '_';
        ret[i] = name.ptr[i] == '.' ? '_' : (uint8_t)name.ptr[i];
    }
    if (!any)
        return 0;
    ret[name.len] = 0;
    memcpy(ret + name.len + 1, name.ptr, (size_t)name.len);
    return 2 * name.len + 1;
}

bool
image_topic_alike(const Image *image, StrView name, StrView *ret_other)
{
    uint8_t key[IMAGE_ALIKE_KEY_MAX];
    int32_t prefix = name.len + 1;
    const MapNode *node;

    if (image_alike_key(name, key) == 0)
        return false;
    node = map_after(image->maps[MAP_ALIKE], (BytesView){key, prefix}, true);
    if (node == NULL || node->key_len < prefix || memcmp(node->key, key, (size_t)prefix) != 0)
        return false;
    *ret_other = (StrView){(const char *)node->key + prefix, node->key_len - prefix};
    return true;
}

int32_t
image_topic_count(const Image *image)
{
    return image->counts[MAP_TOPIC_NAME];
}

int64_t
image_partition_count(const Image *image)
{
    return image->partition_count;
}

StrView
image_topic_name(const ImageTopic *topic)
{
    return (StrView){topic->name, topic->name_len};
}

Uuid
image_topic_id(const ImageTopic *topic)
{
    return topic->id;
}

int32_t
image_topic_partition_count(const ImageTopic *topic)
{
    return topic->partition_count;
}

bool
topic_name_is_internal(StrView name)
{
    return strview_equal(name, STRVIEW("__consumer_offsets")) ||
           strview_equal(name, STRVIEW("__transaction_state")) ||
           strview_equal(name, STRVIEW("__share_group_state"));
}

bool
image_topic_is_internal(const ImageTopic *topic)
{
    return topic_name_is_internal(image_topic_name(topic));
}

bool
image_topic_partition(const ImageTopic *topic, int32_t partition, ImagePartition *ret)
{
    uint8_t key[4];
    const PartitionObject *found;

    image_put_be32(key, (uint32_t)partition);
    found = value_of(image_map_find(topic->partitions, (BytesView){key, sizeof key}));
    if (found == NULL)
        return false;
    *ret = found->p;
    return true;
}

bool
image_partition_by_id(const Image *image, Uuid topic_id, int32_t partition, ImagePartition *ret)
{
    const ImageTopic *topic = image_topic_by_id(image, topic_id);

    return topic != NULL && image_topic_partition(topic, partition, ret);
}

/* ---- brokers ---- */

static const ImageBroker *
broker_of(const MapNode *node)
{
    return node == NULL ? NULL : &((const BrokerObject *)node->value)->b;
}

const ImageBroker *
image_broker(const Image *image, int32_t id)
{
    uint8_t key[4];

    image_broker_key(id, key);
    return broker_of(image_map_find(image->maps[MAP_BROKER], (BytesView){key, sizeof key}));
}

const ImageBroker *
image_broker_after(const Image *image, int32_t after)
{
    uint8_t key[4];

    image_broker_key(after, key);
    return broker_of(map_after(image->maps[MAP_BROKER], (BytesView){key, sizeof key}, false));
}

int32_t
image_broker_count(const Image *image)
{
    return image->counts[MAP_BROKER];
}

bool
image_broker_is_alive(const Image *image, int32_t id)
{
    const ImageBroker *broker = image_broker(image, id);

    return broker != NULL && !broker->fenced;
}

const ImageEndpoint *
image_broker_endpoint(const ImageBroker *broker, StrView listener)
{
    for (int32_t i = 0; i < broker->endpoint_count; i++)
        if (strview_equal(broker->endpoints[i].name, listener))
            return &broker->endpoints[i];
    return NULL;
}

int32_t
image_controller_id(const Image *image)
{
    return image->controller_id;
}

/* ---- settings, features, producer ids ---- */

int32_t
image_config_key(int8_t type, StrView resource, StrView name, uint8_t *ret)
{
    int32_t at = 3;

    ret[0] = (uint8_t)type;
    ret[1] = (uint8_t)(resource.len >> 8);
    ret[2] = (uint8_t)resource.len;
    if (resource.len > 0)
        memcpy(ret + at, resource.ptr, (size_t)resource.len);
    at += resource.len;
    if (name.len > 0)
        memcpy(ret + at, name.ptr, (size_t)name.len);
    return at + name.len;
}

bool
image_config(const Image *image, int8_t type, StrView resource, StrView key, StrView *ret_value)
{
    uint8_t bytes[IMAGE_CONFIG_LOOKUP_MAX];
    const ImageEntry *found;
    BytesView value;

    if (resource.len + key.len + 3 > IMAGE_CONFIG_LOOKUP_MAX)
        return false;
    found = value_of(image_map_find(
        image->maps[MAP_CONFIG], (BytesView){bytes, image_config_key(type, resource, key, bytes)}));
    if (found == NULL)
        return false;
    value = entry_value(found);
    *ret_value = (StrView){(const char *)value.ptr, value.len};
    return true;
}

bool
image_config_after(const Image *image, int8_t type, StrView resource, StrView after,
                   StrView *ret_key, StrView *ret_value)
{
    uint8_t bytes[IMAGE_CONFIG_LOOKUP_MAX];
    const ImageEntry *found;
    int32_t prefix = resource.len + 3;
    BytesView key, value;

    if (prefix + after.len > IMAGE_CONFIG_LOOKUP_MAX)
        return false;
    key = (BytesView){bytes, image_config_key(type, resource, after, bytes)};
    found = value_of(map_after(image->maps[MAP_CONFIG], key, after.ptr == NULL));
    if (found == NULL || found->key_len < prefix || memcmp(found->data, bytes, (size_t)prefix) != 0)
        return false;
    value = entry_value(found);
    *ret_key = (StrView){(const char *)found->data + prefix, found->key_len - prefix};
    *ret_value = (StrView){(const char *)value.ptr, value.len};
    return true;
}

/* Makes the bytes, a big-endian number, one larger. False: it has no more room. */
static bool
next_number(uint8_t *bytes, int32_t len)
{
    for (int32_t i = len; i-- > 0;)
        if (++bytes[i] != 0)
            return true;
    return false;
}

bool
image_config_next_resource(const Image *image, int8_t type, StrView after, StrView *ret)
{
    uint8_t bytes[IMAGE_CONFIG_LOOKUP_MAX];
    int32_t prefix = after.len + 3;
    const ImageEntry *found;
    int32_t len;

    if (prefix > IMAGE_CONFIG_LOOKUP_MAX)
        return false;
    (void)image_config_key(type, after, (StrView){NULL, 0}, bytes);
    if (after.ptr != NULL && !next_number(bytes, prefix)) /* behind all settings of this one */
        return false;
    found = value_of(map_after(image->maps[MAP_CONFIG], (BytesView){bytes, prefix}, true));
    if (found == NULL || found->data[0] != (uint8_t)type)
        return false;
    len = found->data[1] << 8 | found->data[2];
    *ret = (StrView){(const char *)found->data + 3, len};
    return true;
}

static int16_t
feature_level(const ImageEntry *entry)
{
    return (int16_t)(entry_value(entry).ptr[0] << 8 | entry_value(entry).ptr[1]);
}

int16_t
image_feature(const Image *image, StrView name)
{
    const ImageEntry *found = value_of(image_map_find(image->maps[MAP_FEATURE], bytes_of(name)));

    return found == NULL ? 0 : feature_level(found);
}

bool
image_feature_after(const Image *image, StrView after, StrView *ret_name, int16_t *ret_level)
{
    const ImageEntry *found =
        value_of(map_after(image->maps[MAP_FEATURE], bytes_of(after), after.ptr == NULL));

    if (found == NULL)
        return false;
    *ret_name = (StrView){(const char *)found->data, found->key_len};
    *ret_level = feature_level(found);
    return true;
}

int64_t
image_next_producer_id(const Image *image)
{
    return image->next_producer_id;
}
