/*
 * image_quotas.c - quotas in the image: lookups, precedence, the walk
 *
 * Key of MAP_QUOTA: number of parts, then type and name of each with its length
 * in front (so that no two entities differ only in where they are cut), then
 * the quota's key: all values of an entity stand in a row.
 *
 * Runs in: backend, controller. Never: decides what follows from a limit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/controller/image_quotas.h"

#include <string.h>

#include "controller/image_int.h"
#include "ottla/common/ip_text.h"
#include "ottla/common/assert.h"
#include "ottla/controller/quota_hosts.h"
#include "ottla/protocol/wire.h"

#define LENGTH_BYTES  4
#define ENTITY_MAX    (1 + QUOTA_PART_COUNT * (2 * LENGTH_BYTES + 16 + QUOTA_NAME_MAX))
#define KEY_BYTES_MAX (ENTITY_MAX + 64)

static const char *const key_names[QUOTA_KEY_COUNT] = {
    [QUOTA_PRODUCER_BYTE_RATE] = "producer_byte_rate",
    [QUOTA_CONSUMER_BYTE_RATE] = "consumer_byte_rate",
    [QUOTA_REQUEST_PERCENTAGE] = "request_percentage",
    [QUOTA_CONTROLLER_MUTATION_RATE] = "controller_mutation_rate",
    [QUOTA_CONNECTION_CREATION_RATE] = "connection_creation_rate",
};

static const char *const part_names[QUOTA_PART_COUNT] = {
    [QUOTA_CLIENT_ID] = "client-id",
    [QUOTA_IP] = "ip",
    [QUOTA_USER] = "user",
};

bool
quota_key_find(StrView name, QuotaKey *ret)
{
    for (int i = 0; i < QUOTA_KEY_COUNT; i++)
        if (strview_equal(name, strview_from(key_names[i]))) {
            *ret = (QuotaKey)i;
            return true;
        }
    return false;
}

const char *
quota_key_name(QuotaKey key)
{
    return key_names[key];
}

bool
quota_part_find(StrView name, QuotaPart *ret)
{
    for (int i = 0; i < QUOTA_PART_COUNT; i++)
        if (strview_equal(name, strview_from(part_names[i]))) {
            *ret = (QuotaPart)i;
            return true;
        }
    return false;
}

/* ---- keys ---- */

size_t
image_quota_key_room(const ImageQuotaPart *parts, int32_t count, StrView key)
{
    size_t room = 1 + (size_t)key.len;

    for (int32_t i = 0; i < count; i++)
        room += (size_t)parts[i].type.len + (size_t)parts[i].name.len + (size_t)2 * LENGTH_BYTES;
    return room;
}

/* null has no length of its own: 0, others are one more. */
static uint8_t *
put_text(uint8_t *at, StrView text)
{
    image_put_be32(at, text.ptr == NULL ? 0 : (uint32_t)text.len + 1);
    at += LENGTH_BYTES;
    if (text.len > 0)
        memcpy(at, text.ptr, (size_t)text.len);
    return at + text.len;
}

/* The inverse; where the next text begins. */
static const uint8_t *
get_text(const uint8_t *at, StrView *ret)
{
    uint32_t len = wire_load32(at);

    at += LENGTH_BYTES;
    if (len == 0) {
        *ret = (StrView){NULL, 0};
        return at;
    }
    *ret = (StrView){(const char *)at, (int32_t)len - 1};
    return at + len - 1;
}

int32_t
image_quota_key(const ImageQuotaPart *parts, int32_t count, StrView key, uint8_t *ret)
{
    uint8_t *at = ret;

    ot_assert(count >= 0 && count <= IMAGE_QUOTA_PARTS_MAX);
    *at++ = (uint8_t)count;
    for (int32_t i = 0; i < count; i++) {
        at = put_text(at, parts[i].type);
        at = put_text(at, parts[i].name);
    }
    if (key.len > 0)
        memcpy(at, key.ptr, (size_t)key.len);
    return (int32_t)(at - ret) + key.len;
}

static double
value_of(const ImageEntry *entry)
{
    uint64_t bits = wire_load64(entry_value(entry).ptr);
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

void
image_quota_read(const ImageEntry *entry, ImageQuota *ret)
{
    BytesView key = entry_key(entry);
    const uint8_t *at = key.ptr + 1;
    StrView text;

    for (int i = 0; i < 2 * key.ptr[0]; i++)
        at = get_text(at, &text);
    ret->entity = (BytesView){key.ptr, (int32_t)(at - key.ptr)};
    ret->key = (StrView){(const char *)at, key.len - ret->entity.len};
    ret->value = value_of(entry);
    ret->map_key = key;
}

int32_t
image_quota_part_count(BytesView entity)
{
    return entity.ptr[0];
}

void
image_quota_part(BytesView entity, int32_t index, StrView *ret_type, StrView *ret_name)
{
    const uint8_t *at = entity.ptr + 1;

    ot_assert(index >= 0 && index < entity.ptr[0]);
    for (int32_t i = 0; i <= index; i++) {
        at = get_text(at, ret_type);
        at = get_text(at, ret_name);
    }
}

/* ---- lookups ---- */

bool
image_quota(const Image *image, const QuotaEntity *entity, QuotaKey key, double *ret_value)
{
    ImageQuotaPart parts[QUOTA_PART_COUNT];
    uint8_t bytes[KEY_BYTES_MAX];
    const MapNode *node;
    int32_t count = 0;

    for (int i = 0; i < QUOTA_PART_COUNT; i++) {
        if (!entity->has[i])
            continue;
        if (entity->name[i].len > QUOTA_NAME_MAX)
            return false;
        parts[count++] = (ImageQuotaPart){strview_from(part_names[i]), entity->name[i]};
    }
    node = image_map_find(
        image->maps[MAP_QUOTA],
        (BytesView){bytes, image_quota_key(parts, count, strview_from(key_names[key]), bytes)});
    if (node == NULL)
        return false;
    *ret_value = value_of(node->value);
    return true;
}

int32_t
image_quota_count(const Image *image, QuotaKey key)
{
    return image->quota_counts[key];
}

/* NaN is a value that Kafka takes, too; nothing exceeds it. Nor does anything below that a foreign log may hold. */
static bool
limits(double value)
{
    return value > 0;
}

bool
image_quota_for_client(const Image *image, StrView user, StrView client_id, QuotaKey key,
                       QuotaMatch *ret)
{
    /* Levels 1 to 8. The part that a level does not count by is not in its
   * entity. */
    static const struct {
        bool by_user, default_user;
        bool by_client, default_client;
    } levels[] = {
        {true, false, true, false},  {true, false, true, true},  {true, false, false, false},
        {true, true, true, false},   {true, true, true, true},   {true, true, false, false},
        {false, false, true, false}, {false, false, true, true},
    };

    if (image->quota_counts[key] == 0)
        return false;
    if (client_id.ptr == NULL)
        client_id = STRVIEW("");
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        QuotaEntity entity = {
            .has = {[QUOTA_USER] = levels[i].by_user, [QUOTA_CLIENT_ID] = levels[i].by_client},
            .name = {[QUOTA_USER] = levels[i].default_user ? (StrView){NULL, 0} : user,
                     [QUOTA_CLIENT_ID] = levels[i].default_client ? (StrView){NULL, 0} : client_id},
        };

        if (image_quota(image, &entity, key, &ret->value)) {
            ret->level = (int)i + 1;
            ret->by_user = levels[i].by_user;
            ret->by_client_id = levels[i].by_client;
            return limits(ret->value);
        }
    }
    return false;
}

/*
 * The rate set for an ip by its name: the first behind *at, or of all when at is null. False: there is none. *ret_name:
 * null is the default.
 */
static bool
next_ip(const Image *image, BytesView *at, StrView *ret_name, double *ret_value)
{
    const ImageQuotaPart any = {STRVIEW("ip"), {NULL, 0}};
    uint8_t from[64];
    ImageQuota q;
    StrView type;
    const MapNode *node;

    for (;;) {
        bool first = at->ptr == NULL;

        if (first)
            *at = (BytesView){from, image_quota_key(&any, 1, STRVIEW(""), from)};
        node = map_after(image->maps[MAP_QUOTA], *at, first);
        if (node == NULL)
            return false;
        image_quota_read(node->value, &q);
        *at = q.map_key;
        if (image_quota_part_count(q.entity) != 1)
            return false;
        image_quota_part(q.entity, 0, &type, ret_name);
        if (!strview_equal(type, any.type))
            return false;
        if (!strview_equal(q.key, strview_from(key_names[QUOTA_CONNECTION_CREATION_RATE])))
            continue;
        *ret_value = q.value;
        return true;
    }
}

/* The rate of an address that some entity writes in another notation, or as the name of a host. */
static bool
find_odd_ip(const Image *image, const IpAddress *address, double *ret_value)
{
    BytesView at = {NULL, 0};
    IpAddress other;
    StrView name;

    while (next_ip(image, &at, &name, ret_value))
        if ((ip_text_parse(name, &other) || quota_host_find(name, &other)) &&
            memcmp(other.b, address->b, sizeof other.b) == 0)
            return true;
    return false;
}

int32_t
image_quota_host_count(const Image *image)
{
    return image->quota_hosts;
}

uint64_t
image_quota_host_serial(const Image *image)
{
    return image->quota_host_serial;
}

void
image_quota_hosts(const Image *image, void (*visit)(void *arg, StrView name), void *arg)
{
    BytesView at = {NULL, 0};
    double value;
    StrView name;

    while (next_ip(image, &at, &name, &value))
        if (ip_text_is_host(name))
            visit(arg, name);
}

bool
image_quota_for_ip(const Image *image, StrView ip, double *ret_value)
{
    QuotaEntity entity = {.has = {[QUOTA_IP] = true}, .name = {[QUOTA_IP] = ip}};
    char text[IP_TEXT_MAX];
    IpAddress address;
    bool known;

    if (image->quota_counts[QUOTA_CONNECTION_CREATION_RATE] == 0)
        return false;
    known = ip_text_parse(ip, &address);
    if (known) {
        ip_text_format(&address, text);
        entity.name[QUOTA_IP] = strview_from(text);
    }
    if (image_quota(image, &entity, QUOTA_CONNECTION_CREATION_RATE, ret_value))
        return limits(*ret_value);
    if (known && image->quota_odd_ips > 0 && find_odd_ip(image, &address, ret_value))
        return limits(*ret_value);
    entity.name[QUOTA_IP] = (StrView){NULL, 0};
    return image_quota(image, &entity, QUOTA_CONNECTION_CREATION_RATE, ret_value) &&
           limits(*ret_value);
}

/* ---- walking ---- */

static bool
read_node(const MapNode *node, ImageQuota *ret)
{
    if (node == NULL)
        return false;
    image_quota_read(node->value, ret);
    return true;
}

bool
image_quota_first(const Image *image, ImageQuota *ret)
{
    return read_node(map_after(image->maps[MAP_QUOTA], (BytesView){(const uint8_t *)"", 0}, true),
                     ret);
}

bool
image_quota_next(const Image *image, ImageQuota *q)
{
    return read_node(map_after(image->maps[MAP_QUOTA], q->map_key, false), q);
}
