/*
 * records.c - lists of encoded metadata records, and the image written as records
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/records.h"

#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/protocol/record_frame.h"

/* ---- lists ---- */

void
record_list_init(RecordList *list, Arena *arena)
{
    *list = (RecordList){.arena = arena};
}

/* NULL: no memory. */
static void *
grow(Arena *arena, const void *items, int32_t count, int32_t *room, size_t bytes)
{
    int32_t more = *room == 0 ? 64 : *room * 2;
    void *wider = arena_calloc(arena, (size_t)more, bytes);

    if (wider == NULL)
        return NULL;
    if (count > 0)
        memcpy(wider, items, (size_t)count * bytes);
    *room = more;
    return wider;
}

void
record_list_add_raw(RecordList *list, BytesView record)
{
    if (list->count == list->room) {
        void *wider = grow(list->arena, list->items, list->count, &list->room, sizeof record);

        if (wider == NULL) {
            list->no_memory = true;
            return;
        }
        list->items = wider;
    }
    list->items[list->count++] = record;
    list->bytes += record.len;
}

static bool
encode(const MessageDesc *desc, int16_t version, const void *msg, Arena *arena, BytesView *ret)
{
    WireSizer size = {0};
    WireWriter writer;
    uint8_t *bytes;

    /*
     * What a log said in a newer version than its metadata.version allows is kept in the oldest version
     * that holds it: whoever replayed the log can replay that.
     */
    for (;; version++) {
        size = (WireSizer){0};
        record_frame_size(&size, desc, version);
        desc->size(&size, version, msg);
        if (size.err == 0)
            break;
        ot_assert(version < desc->versions.hi); /* the fields fit: the image's limits see to it */
    }
    bytes = arena_alloc(arena, size.bytes);
    if (bytes == NULL)
        return false;
    wire_writer_init(&writer, bytes, size.bytes);
    record_frame_write(&writer, desc, version);
    desc->write(&writer, version, msg);
    *ret = (BytesView){bytes, (int32_t)size.bytes};
    return true;
}

void
record_list_add(RecordList *list, const MessageDesc *desc, int16_t version, const void *msg)
{
    BytesView record;

    if (encode(desc, version, msg, list->arena, &record))
        record_list_add_raw(list, record);
    else
        list->no_memory = true;
}

void
record_list_cut(RecordList *list, int32_t count)
{
    ot_assert(count <= list->count);
    while (list->count > count)
        list->bytes -= list->items[--list->count].len;
}

void
change_list_init(ChangeList *list, Arena *arena)
{
    *list = (ChangeList){.arena = arena};
}

int16_t
partition_record_version(int16_t metadata_version)
{
    return metadata_version >= 23 ? 2 : metadata_version >= 17 ? 1 : 0;
}

int16_t
register_broker_record_version(int16_t metadata_version)
{
    return metadata_version >= 30   ? 4
           : metadata_version >= 17 ? 3
           : metadata_version >= 8  ? 2
           : metadata_version >= 7  ? 1
                                    : 0;
}

/* ---- the image as records ---- */

typedef struct Walk {
    const Image *image;
    Arena *scratch;
    RecordSink sink;
    void *arg;
    int16_t metadata_version;
} Walk;

/* Records of objects that the image holds decoded. */
static int
emit(const Walk *walk, const MessageDesc *desc, int16_t version, const void *msg)
{
    BytesView record;

    if (!encode(desc, version, msg, walk->scratch, &record))
        return OT_E_NO_MEMORY;
    return walk->sink(walk->arg, record);
}

static int
emit_feature(const Walk *walk, StrView name, int16_t level)
{
    FeatureLevelRecord record;

    feature_level_record_init(&record);
    record.name = name;
    record.feature_level = level;
    return emit(walk, &feature_level_record_desc, 0, &record);
}

static int
emit_features(const Walk *walk)
{
    StrView name = WIRE_NULL_STRING;
    int16_t level;
    int rc = 0;

    if (walk->metadata_version != 0)
        rc = emit_feature(walk, STRVIEW("metadata.version"), walk->metadata_version);
    while (rc == 0 && image_feature_after(walk->image, name, &name, &level))
        if (!strview_equal(name, STRVIEW("metadata.version")) &&
            !strview_equal(name, STRVIEW("kraft.version")))
            rc = emit_feature(walk, name, level);
    return rc;
}

static int
emit_broker(const Walk *walk, const ImageBroker *b)
{
    RegisterBrokerRecord record;
    ArenaMark mark = arena_mark(walk->scratch);
    int rc;

    register_broker_record_init(&record);
    record.broker_id = b->id;
    record.is_migrating_zk_broker = b->is_migrating_zk_broker;
    record.incarnation_id = b->incarnation_id;
    record.broker_epoch = b->epoch;
    record.rack = b->rack;
    record.fenced = b->fenced;
    record.in_controlled_shutdown = b->in_controlled_shutdown;
    record.end_points =
        arena_calloc(walk->scratch, (size_t)b->endpoint_count + 1, sizeof *record.end_points);
    record.features =
        arena_calloc(walk->scratch, (size_t)b->feature_count + 1, sizeof *record.features);
    record.log_dirs =
        arena_calloc(walk->scratch, (size_t)b->log_dir_count + 1, sizeof *record.log_dirs);
    if (record.end_points == NULL || record.features == NULL || record.log_dirs == NULL)
        return OT_E_NO_MEMORY;
    record.end_points_count = b->endpoint_count;
    for (int32_t i = 0; i < b->endpoint_count; i++)
        record.end_points[i] = (RegisterBrokerRecordBrokerEndpoint){
            .name = b->endpoints[i].name,
            .host = b->endpoints[i].host,
            .port = b->endpoints[i].port,
            .security_protocol = b->endpoints[i].security_protocol};
    record.features_count = b->feature_count;
    for (int32_t i = 0; i < b->feature_count; i++)
        record.features[i] =
            (RegisterBrokerRecordBrokerFeature){.name = b->features[i].name,
                                                .min_supported_version = b->features[i].min,
                                                .max_supported_version = b->features[i].max};
    record.log_dirs_count = b->log_dir_count;
    memcpy(record.log_dirs, b->log_dirs, sizeof(Uuid) * (size_t)b->log_dir_count);
    if (b->cordoned_log_dir_count >= 0) {
        record.cordoned_log_dirs = arena_calloc(
            walk->scratch, (size_t)b->cordoned_log_dir_count + 1, sizeof *record.cordoned_log_dirs);
        if (record.cordoned_log_dirs == NULL)
            return OT_E_NO_MEMORY;
        record.cordoned_log_dirs_count = b->cordoned_log_dir_count;
        memcpy(record.cordoned_log_dirs, b->cordoned_log_dirs,
               sizeof(Uuid) * (size_t)b->cordoned_log_dir_count);
    }
    rc = emit(walk, &register_broker_record_desc,
              register_broker_record_version(walk->metadata_version), &record);
    arena_release(walk->scratch, mark);
    return rc;
}

void
partition_to_record(const ImagePartition *p, Uuid topic_id, PartitionRecord *ret)
{
    union {
        const Uuid *in;
        Uuid *out;
    } directories = {p->directories};

    partition_record_init(ret);
    ret->partition_id = p->partition;
    ret->topic_id = topic_id;
    ret->replicas = record_ids(p->replicas);
    ret->replicas_count = p->replica_count;
    ret->isr = record_ids(p->isr);
    ret->isr_count = p->isr_count;
    ret->removing_replicas = record_ids(p->removing);
    ret->removing_replicas_count = p->removing_count;
    ret->adding_replicas = record_ids(p->adding);
    ret->adding_replicas_count = p->adding_count;
    ret->leader = p->leader;
    ret->leader_recovery_state = p->recovery_state;
    ret->leader_epoch = p->leader_epoch;
    ret->partition_epoch = p->partition_epoch;
    ret->directories = directories.out;
    ret->directories_count = p->directory_count;
    /* An empty list is left out (null: count -1), as Kafka does. */
    ret->eligible_leader_replicas = record_ids(p->elr);
    ret->eligible_leader_replicas_count = p->elr_count > 0 ? p->elr_count : -1;
    ret->last_known_elr = record_ids(p->last_known_elr);
    ret->last_known_elr_count = p->last_known_elr_count > 0 ? p->last_known_elr_count : -1;
}

static int
emit_topic(const Walk *walk, const ImageTopic *topic)
{
    int16_t version = partition_record_version(walk->metadata_version);
    TopicRecord record;
    int rc;

    topic_record_init(&record);
    record.name = image_topic_name(topic);
    record.topic_id = topic->id;
    rc = emit(walk, &topic_record_desc, 0, &record);
    for (const MapNode *node = map_after(topic->partitions, (BytesView){NULL, 0}, true);
         rc == 0 && node != NULL;
         node = map_after(topic->partitions, (BytesView){node->key, node->key_len}, false)) {
        PartitionRecord part;
        ArenaMark mark = arena_mark(walk->scratch);

        partition_to_record(&((const PartitionObject *)node->value)->p, topic->id, &part);
        /* What the level cannot say is left out of a record of that version (R2 holds above it). */
        if (version < 2) {
            part.eligible_leader_replicas_count = part.last_known_elr_count = -1;
        }
        if (version < 1) {
            part.directories_count = 0;
        }
        rc = emit(walk, &partition_record_desc, version, &part);
        arena_release(walk->scratch, mark);
    }
    return rc;
}

static int
emit_config(const Walk *walk, const ImageEntry *entry)
{
    BytesView key = entry_key(entry), value = entry_value(entry);
    int32_t resource = key.ptr[1] << 8 | key.ptr[2];
    const char *text = (const char *)key.ptr + 3;
    ConfigRecord record;

    config_record_init(&record);
    record.resource_type = (int8_t)key.ptr[0];
    record.resource_name = (StrView){text, resource};
    record.name = (StrView){text + resource, key.len - 3 - resource};
    record.value = (StrView){(const char *)value.ptr, value.len};
    return emit(walk, &config_record_desc, 0, &record);
}

static int
emit_quota(const Walk *walk, const ImageEntry *entry)
{
    ClientQuotaRecord record;
    ImageQuota quota;

    image_quota_read(entry, &quota);
    client_quota_record_init(&record);
    record.entity_count = image_quota_part_count(quota.entity);
    record.entity =
        arena_calloc(walk->scratch, (size_t)record.entity_count + 1, sizeof *record.entity);
    if (record.entity == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < record.entity_count; i++)
        image_quota_part(quota.entity, i, &record.entity[i].entity_type,
                         &record.entity[i].entity_name);
    record.key = quota.key;
    record.value = quota.value;
    return emit(walk, &client_quota_record_desc, 0, &record);
}

/* The maps whose values are records. */
static int
emit_raw(const Walk *walk, const ImageEntry *entry)
{
    return walk->sink(walk->arg, entry_value(entry));
}

static int
emit_map(const Walk *walk, ImageMap map, int (*one)(const Walk *, const ImageEntry *))
{
    const MapNode *root = walk->image->maps[map];
    int rc = 0;

    for (const MapNode *node = map_after(root, (BytesView){NULL, 0}, true); rc == 0 && node != NULL;
         node = map_after(root, (BytesView){node->key, node->key_len}, false)) {
        ArenaMark mark = arena_mark(walk->scratch);

        rc = one(walk, node->value);
        arena_release(walk->scratch, mark);
    }
    return rc;
}

static int
emit_cluster(const Walk *walk)
{
    int rc = 0;

    for (const ImageBroker *b = image_broker_after(walk->image, INT32_MIN); rc == 0 && b != NULL;
         b = image_broker_after(walk->image, b->id))
        rc = emit_broker(walk, b);
    if (rc == 0)
        rc = emit_map(walk, MAP_CONTROLLER, emit_raw);
    for (const ImageTopic *t = image_topic_after(walk->image, WIRE_NULL_STRING);
         rc == 0 && t != NULL; t = image_topic_after(walk->image, image_topic_name(t)))
        rc = emit_topic(walk, t);
    return rc;
}

static int
emit_producer_ids(const Walk *walk)
{
    ProducerIdsRecord record;

    if (!walk->image->has_producer_ids)
        return 0;
    producer_ids_record_init(&record);
    record.broker_id = -1; /* who asked for the last block is forgotten, as Kafka does */
    record.broker_epoch = -1;
    record.next_producer_id = walk->image->next_producer_id;
    return emit(walk, &producer_ids_record_desc, 0, &record);
}

static int
emit_zk_state(const Walk *walk)
{
    ZkMigrationStateRecord record;

    if (walk->image->zk_migration_state < 0)
        return 0;
    zk_migration_state_record_init(&record);
    record.zk_migration_state = (int8_t)walk->image->zk_migration_state;
    return emit(walk, &zk_migration_state_record_desc, 0, &record);
}

int
image_to_records(const Image *image, Arena *scratch, RecordSink sink, void *arg)
{
    Walk walk = {image, scratch, sink, arg, image_feature(image, STRVIEW("metadata.version"))};
    int rc = emit_features(&walk);

    if (rc == 0)
        rc = emit_zk_state(&walk);
    if (rc == 0)
        rc = emit_cluster(&walk);
    if (rc == 0)
        rc = emit_map(&walk, MAP_CONFIG, emit_config);
    if (rc == 0)
        rc = emit_map(&walk, MAP_QUOTA, emit_quota);
    if (rc == 0)
        rc = emit_producer_ids(&walk);
    if (rc == 0)
        rc = emit_map(&walk, MAP_ACL, emit_raw);
    if (rc == 0)
        rc = emit_map(&walk, MAP_SCRAM, emit_raw);
    return rc != 0 ? rc : emit_map(&walk, MAP_TOKEN, emit_raw);
}
