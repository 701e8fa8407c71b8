/*
 * record_apply.c - what each record of the metadata log does to the image
 *
 * One function per record type, found by its number. What a record says about things that the node
 * does not act upon yet is kept as the record itself [R2].
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controller/image_build.h"
#include "controller/records.h"
#include "ottla/common/ip_text.h"
#include "ottla/common/assert.h"
#include "ottla/protocol/record_frame.h"

typedef struct Apply {
    ImageWriter *w;
    ApplyState *state;
    BytesView record; /* frame and body */
    Arena *scratch;
    ChangeList *changes; /* NULL: nobody asks */
    ErrInfo *err;
} Apply;

static void
note(const Apply *a, const Change *change)
{
    ChangeList *list = a->changes;

    if (list == NULL)
        return;
    if (list->count == list->room) {
        int32_t room = list->room == 0 ? 64 : list->room * 2;
        Change *wider = arena_calloc(list->arena, (size_t)room, sizeof *wider);

        if (wider == NULL) {
            list->no_memory = true;
            return;
        }
        if (list->count > 0)
            memcpy(wider, list->items, (size_t)list->count * sizeof *wider);
        list->items = wider;
        list->room = room;
    }
    list->items[list->count++] = *change;
}

static BytesView
bytes_of(StrView text)
{
    return (BytesView){(const uint8_t *)text.ptr, text.len};
}

/* Full and no memory keep their code; what does not fit the image is a corrupt log. */
static int
outcome(const Apply *a, int rc, const char *what)
{
    if (rc == 0 || rc == OT_E_FULL)
        return rc == 0 ? 0 : err_set(a->err, OT_E_FULL, "the metadata image is full");
    return err_set(a->err, OT_E_CORRUPT, "%s: %s", what, err_text(rc));
}

/* ---- brokers and controllers ---- */

static int
apply_register_broker(const Apply *a, int16_t version, const void *msg)
{
    const RegisterBrokerRecord *r = msg;
    ImageEndpoint *endpoints =
        arena_calloc(a->scratch, (size_t)r->end_points_count + 1, sizeof *endpoints);
    ImageFeatureRange *features =
        arena_calloc(a->scratch, (size_t)r->features_count + 1, sizeof *features);
    ImageBroker b = {.id = r->broker_id,
                     .epoch = r->broker_epoch,
                     .incarnation_id = r->incarnation_id,
                     .rack = r->rack,
                     .fenced = r->fenced,
                     .in_controlled_shutdown = r->in_controlled_shutdown,
                     .endpoints = endpoints,
                     .endpoint_count = r->end_points_count,
                     .log_dirs = r->log_dirs,
                     .log_dir_count = r->log_dirs_count,
                     .cordoned_log_dirs = r->cordoned_log_dirs,
                     .cordoned_log_dir_count = r->cordoned_log_dirs_count,
                     .features = features,
                     .feature_count = r->features_count,
                     .is_migrating_zk_broker = r->is_migrating_zk_broker};

    (void)version; /* what an older record lacks has its default */
    if (endpoints == NULL || features == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < r->end_points_count; i++)
        endpoints[i] = (ImageEndpoint){r->end_points[i].name, r->end_points[i].host,
                                       r->end_points[i].port, r->end_points[i].security_protocol};
    for (int32_t i = 0; i < r->features_count; i++)
        features[i] = (ImageFeatureRange){r->features[i].name, r->features[i].min_supported_version,
                                          r->features[i].max_supported_version};
    return outcome(a, build_broker(a->w, &b), "RegisterBrokerRecord");
}

static int
apply_unregister_broker(const Apply *a, int16_t version, const void *msg)
{
    const UnregisterBrokerRecord *r = msg;

    (void)version;
    return outcome(a, build_remove_broker(a->w, r->broker_id), "UnregisterBrokerRecord");
}

/* The registered broker of this epoch; NULL: corrupt. */
static const ImageBroker *
broker_of(const Apply *a, int32_t id, int64_t epoch)
{
    const ImageBroker *b = image_broker(&a->w->now, id);

    if (b == NULL || b->epoch != epoch) {
        (void)err_set(a->err, OT_E_CORRUPT,
                      "a record names broker %" PRId32 " of epoch %" PRId64
                      ", which is not registered",
                      id, epoch);
        return NULL;
    }
    return b;
}

static int
set_fenced(const Apply *a, int32_t id, int64_t epoch, bool fenced)
{
    const ImageBroker *found = broker_of(a, id, epoch);
    ImageBroker b;

    if (found == NULL)
        return OT_E_CORRUPT;
    b = *found;
    b.fenced = fenced;
    return outcome(a, build_broker(a->w, &b), "broker");
}

static int
apply_fence(const Apply *a, int16_t version, const void *msg)
{
    const FenceBrokerRecord *r = msg;

    (void)version;
    return set_fenced(a, r->id, r->epoch, true);
}

static int
apply_unfence(const Apply *a, int16_t version, const void *msg)
{
    const UnfenceBrokerRecord *r = msg;

    (void)version;
    return set_fenced(a, r->id, r->epoch, false);
}

static int
apply_registration_change(const Apply *a, int16_t version, const void *msg)
{
    const BrokerRegistrationChangeRecord *r = msg;
    const ImageBroker *found = broker_of(a, r->broker_id, r->broker_epoch);
    ImageBroker b;

    (void)version;
    if (found == NULL)
        return OT_E_CORRUPT;
    b = *found;
    if (r->fenced != 0) /* 1 fences, -1 takes it back */
        b.fenced = r->fenced > 0;
    if (r->in_controlled_shutdown != 0)
        b.in_controlled_shutdown = true;
    if (r->log_dirs_count > 0) {
        b.log_dirs = r->log_dirs;
        b.log_dir_count = r->log_dirs_count;
    }
    if (r->cordoned_log_dirs_count >= 0) {
        b.cordoned_log_dirs = r->cordoned_log_dirs;
        b.cordoned_log_dir_count = r->cordoned_log_dirs_count;
    }
    return outcome(a, build_broker(a->w, &b), "BrokerRegistrationChangeRecord");
}

static int
apply_register_controller(const Apply *a, int16_t version, const void *msg)
{
    const RegisterControllerRecord *r = msg;
    uint8_t key[4];

    (void)version;
    image_broker_key(r->controller_id, key);
    return outcome(a, build_entry(a->w, MAP_CONTROLLER, (BytesView){key, sizeof key}, a->record),
                   "RegisterControllerRecord");
}

/* ---- topics ---- */

static int
apply_topic(const Apply *a, int16_t version, const void *msg)
{
    const TopicRecord *r = msg;

    (void)version;
    return outcome(a, build_topic(a->w, r->name, r->topic_id), "TopicRecord");
}

static int
store_partition(const Apply *a, Uuid topic_id, const ImagePartition *p, const char *what)
{
    int rc = outcome(a, build_partition(a->w, topic_id, p), what);

    if (rc == 0)
        note(a,
             &(Change){.kind = CHANGE_PARTITION, .topic_id = topic_id, .partition = p->partition});
    return rc;
}

/* A null list has the count -1; for partitions the image knows empty lists only. */
static int32_t
at_least_0(int32_t count)
{
    return count < 0 ? 0 : count;
}

static int
apply_partition(const Apply *a, int16_t version, const void *msg)
{
    const PartitionRecord *r = msg;
    ImagePartition old, p = {.ref = PARTITION_REF_NONE,
                             .partition = r->partition_id,
                             .leader = r->leader,
                             .leader_epoch = r->leader_epoch,
                             .partition_epoch = r->partition_epoch,
                             .replicas = r->replicas,
                             .isr = r->isr,
                             .removing = r->removing_replicas,
                             .adding = r->adding_replicas,
                             .elr = r->eligible_leader_replicas,
                             .last_known_elr = r->last_known_elr,
                             .directories = r->directories,
                             .replica_count = at_least_0(r->replicas_count),
                             .isr_count = at_least_0(r->isr_count),
                             .removing_count = at_least_0(r->removing_replicas_count),
                             .adding_count = at_least_0(r->adding_replicas_count),
                             .elr_count = at_least_0(r->eligible_leader_replicas_count),
                             .last_known_elr_count = at_least_0(r->last_known_elr_count),
                             .directory_count = at_least_0(r->directories_count),
                             .recovery_state = r->leader_recovery_state};

    if (version == 0 && r->replicas_count > 0) { /* directories not known: all zero (MIGRATING) */
        p.directories =
            arena_calloc(a->scratch, (size_t)at_least_0(r->replicas_count), sizeof(Uuid));
        if (p.directories == NULL)
            return OT_E_NO_MEMORY;
        p.directory_count = r->replicas_count;
    }
    if (image_partition_by_id(&a->w->now, r->topic_id, r->partition_id, &old))
        p.ref = old.ref;
    return store_partition(a, r->topic_id, &p, "PartitionRecord");
}

static int
apply_partition_change(const Apply *a, int16_t version, const void *msg)
{
    const PartitionChangeRecord *r = msg;
    ImagePartition p;

    (void)version;
    if (!image_partition_by_id(&a->w->now, r->topic_id, r->partition_id, &p))
        return outcome(a, OT_E_NOT_FOUND, "PartitionChangeRecord");
    if (r->isr_count >= 0) {
        p.isr = r->isr;
        p.isr_count = r->isr_count;
    }
    if (r->leader != -2) { /* the same leader again counts, too */
        p.leader = r->leader;
        p.leader_epoch++;
    }
    if (r->replicas_count >= 0) {
        p.replicas = r->replicas;
        p.replica_count = r->replicas_count;
    }
    if (r->removing_replicas_count >= 0) {
        p.removing = r->removing_replicas;
        p.removing_count = r->removing_replicas_count;
    }
    if (r->adding_replicas_count >= 0) {
        p.adding = r->adding_replicas;
        p.adding_count = r->adding_replicas_count;
    }
    if (r->leader_recovery_state != -1)
        p.recovery_state = r->leader_recovery_state;
    if (r->directories_count >= 0) {
        p.directories = r->directories;
        p.directory_count = r->directories_count;
    }
    if (r->eligible_leader_replicas_count >= 0) {
        p.elr = r->eligible_leader_replicas;
        p.elr_count = r->eligible_leader_replicas_count;
    }
    if (r->last_known_elr_count >= 0) {
        p.last_known_elr = r->last_known_elr;
        p.last_known_elr_count = r->last_known_elr_count;
    }
    p.partition_epoch++;
    return store_partition(a, r->topic_id, &p, "PartitionChangeRecord");
}

/* Takes out all settings of a resource. */
static int
remove_configs(const Apply *a, int8_t type, StrView resource)
{
    StrView key, value;
    int rc = 0;

    while (rc == 0 &&
           image_config_after(&a->w->now, type, resource, WIRE_NULL_STRING, &key, &value)) {
        uint8_t *bytes = arena_alloc(a->scratch, (size_t)(3 + resource.len + key.len));

        if (bytes == NULL)
            return OT_E_NO_MEMORY;
        rc = build_remove_entry(a->w, MAP_CONFIG,
                                (BytesView){bytes, image_config_key(type, resource, key, bytes)});
    }
    return rc;
}

static void
note_gone(const Apply *a, const ImageTopic *topic)
{
    Change change = {.kind = CHANGE_TOPIC_GONE, .topic_id = topic->id, .settings = topic->settings};

    if (a->changes == NULL)
        return;
    change.refs =
        arena_calloc(a->changes->arena, (size_t)topic->partition_count + 1, sizeof *change.refs);
    if (change.refs == NULL) {
        a->changes->no_memory = true;
        return;
    }
    for (const MapNode *node = map_after(topic->partitions, (BytesView){NULL, 0}, true);
         node != NULL;
         node = map_after(topic->partitions, (BytesView){node->key, node->key_len}, false))
        change.refs[change.ref_count++] = ((const PartitionObject *)node->value)->p.ref;
    note(a, &change);
}

static int
apply_remove_topic(const Apply *a, int16_t version, const void *msg)
{
    const RemoveTopicRecord *r = msg;
    const ImageTopic *topic = image_topic_by_id(&a->w->now, r->topic_id);
    int rc;

    (void)version;
    if (topic == NULL)
        return outcome(a, OT_E_NOT_FOUND, "RemoveTopicRecord");
    note_gone(a, topic);
    rc = remove_configs(a, IMAGE_CONFIG_TOPIC, image_topic_name(topic));
    if (rc == 0)
        rc = build_remove_topic(a->w, r->topic_id);
    return outcome(a, rc, "RemoveTopicRecord");
}

static int
clear_elr_of(const Apply *a, const ImageTopic *topic)
{
    Uuid id = topic->id;
    int32_t count = topic->partition_count;
    ImagePartition p;
    int rc = 0;

    for (int32_t i = 0; rc == 0 && i < count; i++) {
        if (!image_partition_by_id(&a->w->now, id, i, &p) ||
            (p.elr_count == 0 && p.last_known_elr_count == 0))
            continue;
        p.elr_count = p.last_known_elr_count = 0;
        rc = store_partition(a, id, &p, "ClearElrRecord");
    }
    return rc;
}

static int
apply_clear_elr(const Apply *a, int16_t version, const void *msg)
{
    const ClearElrRecord *r = msg;
    const ImageTopic *topic;
    int rc = 0;

    (void)version;
    if (r->topic_name.len > 0) {
        topic = image_topic_by_name(&a->w->now, r->topic_name);
        return topic == NULL ? outcome(a, OT_E_NOT_FOUND, "ClearElrRecord")
                             : clear_elr_of(a, topic);
    }
    for (topic = image_topic_after(&a->w->now, WIRE_NULL_STRING); rc == 0 && topic != NULL;) {
        Uuid id = topic->id;

        rc = clear_elr_of(a, topic);
        topic = image_topic_by_id(&a->w->now, id); /* it may be another object now */
        topic = topic == NULL ? NULL : image_topic_after(&a->w->now, image_topic_name(topic));
    }
    return rc;
}

/* ---- settings, features, ids ---- */

static void
note_config(const Apply *a, const ConfigRecord *r)
{
    const ImageTopic *topic;

    if (r->resource_type == IMAGE_CONFIG_BROKER)
        note(a, &(Change){.kind = CHANGE_NODE_SETTINGS});
    if (r->resource_type != IMAGE_CONFIG_TOPIC)
        return;
    topic = image_topic_by_name(&a->w->now, r->resource_name);
    if (topic != NULL)
        note(a, &(Change){.kind = CHANGE_TOPIC_SETTINGS, .topic_id = topic->id});
}

static int
apply_config(const Apply *a, int16_t version, const void *msg)
{
    const ConfigRecord *r = msg;
    uint8_t *bytes = arena_alloc(a->scratch, (size_t)(3 + r->resource_name.len + r->name.len));
    BytesView key;
    int rc;

    (void)version;
    if (bytes == NULL)
        return OT_E_NO_MEMORY;
    key.ptr = bytes;
    key.len = image_config_key(r->resource_type, r->resource_name, r->name, bytes);
    if (r->value.ptr == NULL)
        rc = build_remove_entry(a->w, MAP_CONFIG, key);
    else
        rc = build_entry(a->w, MAP_CONFIG, key, bytes_of(r->value));
    if (rc == OT_E_NOT_FOUND) /* taking away what is not there is fine */
        rc = 0;
    if (rc == 0)
        note_config(a, r);
    return outcome(a, rc, "ConfigRecord");
}

static int
set_feature(ImageWriter *w, StrView name, int16_t level)
{
    uint8_t value[2] = {(uint8_t)(level >> 8), (uint8_t)level};
    int rc;

    if (level != 0)
        return build_entry(w, MAP_FEATURE, bytes_of(name), (BytesView){value, sizeof value});
    rc = build_remove_entry(w, MAP_FEATURE, bytes_of(name));
    return rc == OT_E_NOT_FOUND ? 0 : rc;
}

int
record_apply_kraft_version(ImageWriter *w, int16_t level)
{
    return set_feature(w, STRVIEW("kraft.version"), level);
}

static int
apply_feature(const Apply *a, int16_t version, const void *msg)
{
    const FeatureLevelRecord *r = msg;

    (void)version;
    return outcome(a, set_feature(a->w, r->name, r->feature_level), "FeatureLevelRecord");
}

static int
apply_producer_ids(const Apply *a, int16_t version, const void *msg)
{
    const ProducerIdsRecord *r = msg;
    Image *now = &a->w->now;

    (void)version;
    if (now->has_producer_ids && r->next_producer_id <= now->next_producer_id)
        return outcome(a, OT_E_RANGE, "ProducerIdsRecord");
    now->has_producer_ids = true;
    now->next_producer_id = r->next_producer_id;
    return 0;
}

static int
apply_zk_state(const Apply *a, int16_t version, const void *msg)
{
    (void)version;
    a->w->now.zk_migration_state = ((const ZkMigrationStateRecord *)msg)->zk_migration_state;
    return 0;
}

/* ---- quotas; security, kept as records ---- */

static int
compare_parts(const void *a, const void *b)
{
    const ImageQuotaPart *x = a, *y = b;

    return image_key_compare(bytes_of(x->type), bytes_of(y->type));
}

/* Is it an address in another notation than connections are shown in? */
static bool
is_odd_ip(StrView name)
{
    char text[IP_TEXT_MAX];
    IpAddress address;

    if (!ip_text_parse(name, &address))
        return false;
    ip_text_format(&address, text);
    return !strview_equal(name, strview_from(text));
}

/* Keeps the number of entities that have the key. */
static void
count_quota(const Apply *a, const ImageQuotaPart *parts, const ClientQuotaRecord *r, int by)
{
    QuotaKey key;

    if (!quota_key_find(r->key, &key))
        return;
    a->w->now.quota_counts[key] += by;
    if (r->entity_count != 1 || !strview_equal(parts[0].type, STRVIEW("ip")))
        return;
    if (is_odd_ip(parts[0].name))
        a->w->now.quota_odd_ips += by;
    if (!ip_text_is_host(parts[0].name))
        return;
    a->w->now.quota_odd_ips += by;
    a->w->now.quota_hosts += by;
    a->w->now.quota_host_serial++;
}

static int
apply_quota(const Apply *a, int16_t version, const void *msg)
{
    const ClientQuotaRecord *r = msg;
    ImageQuotaPart *parts = arena_calloc(a->scratch, (size_t)r->entity_count + 1, sizeof *parts);
    uint8_t value[8], *bytes;
    uint64_t bits;
    BytesView key;
    bool known;

    (void)version;
    if (r->entity_count > IMAGE_QUOTA_PARTS_MAX)
        return outcome(a, OT_E_LIMIT, "ClientQuotaRecord");
    if (parts == NULL)
        return OT_E_NO_MEMORY;
    for (int32_t i = 0; i < r->entity_count; i++)
        parts[i] = (ImageQuotaPart){r->entity[i].entity_type, r->entity[i].entity_name};
    qsort(parts, (size_t)r->entity_count, sizeof *parts, compare_parts);
    bytes = arena_alloc(a->scratch, image_quota_key_room(parts, r->entity_count, r->key));
    if (bytes == NULL)
        return OT_E_NO_MEMORY;
    key = (BytesView){bytes, image_quota_key(parts, r->entity_count, r->key, bytes)};
    known = image_map_find(a->w->now.maps[MAP_QUOTA], key) != NULL;
    if (r->remove) {
        if (!known) /* taking away what is not there is fine */
            return 0;
        count_quota(a, parts, r, -1);
        return outcome(a, build_remove_entry(a->w, MAP_QUOTA, key), "ClientQuotaRecord");
    }
    if (!known)
        count_quota(a, parts, r, 1);
    memcpy(&bits, &r->value, sizeof bits);
    wire_store64(value, bits);
    return outcome(a, build_entry(a->w, MAP_QUOTA, key, (BytesView){value, sizeof value}),
                   "ClientQuotaRecord");
}

static int
apply_acl(const Apply *a, int16_t version, const void *msg)
{
    const AccessControlEntryRecord *r = msg;
    BytesView key = {r->id.b, sizeof r->id.b};

    (void)version;
    if (image_map_find(a->w->now.maps[MAP_ACL], key) != NULL)
        return outcome(a, OT_E_EXISTS, "AccessControlEntryRecord");
    return outcome(a, build_entry(a->w, MAP_ACL, key, a->record), "AccessControlEntryRecord");
}

static int
apply_remove_acl(const Apply *a, int16_t version, const void *msg)
{
    const RemoveAccessControlEntryRecord *r = msg;

    (void)version;
    return outcome(a, build_remove_entry(a->w, MAP_ACL, (BytesView){r->id.b, sizeof r->id.b}),
                   "RemoveAccessControlEntryRecord");
}

static bool
scram_key(const Apply *a, int8_t mechanism, StrView name, BytesView *ret)
{
    uint8_t *bytes = arena_alloc(a->scratch, (size_t)name.len + 1);

    if (bytes == NULL)
        return false;
    bytes[0] = (uint8_t)mechanism;
    if (name.len > 0)
        memcpy(bytes + 1, name.ptr, (size_t)name.len);
    *ret = (BytesView){bytes, name.len + 1};
    return true;
}

static int
apply_scram(const Apply *a, int16_t version, const void *msg)
{
    const UserScramCredentialRecord *r = msg;
    BytesView key;

    (void)version;
    if (!scram_key(a, r->mechanism, r->name, &key))
        return OT_E_NO_MEMORY;
    return outcome(a, build_entry(a->w, MAP_SCRAM, key, a->record), "UserScramCredentialRecord");
}

static int
apply_remove_scram(const Apply *a, int16_t version, const void *msg)
{
    const RemoveUserScramCredentialRecord *r = msg;
    BytesView key;

    (void)version;
    if (!scram_key(a, r->mechanism, r->name, &key))
        return OT_E_NO_MEMORY;
    return outcome(a, build_remove_entry(a->w, MAP_SCRAM, key), "RemoveUserScramCredentialRecord");
}

static int
apply_token(const Apply *a, int16_t version, const void *msg)
{
    const DelegationTokenRecord *r = msg;

    (void)version;
    return outcome(a, build_entry(a->w, MAP_TOKEN, bytes_of(r->token_id), a->record),
                   "DelegationTokenRecord");
}

static int
apply_remove_token(const Apply *a, int16_t version, const void *msg)
{
    const RemoveDelegationTokenRecord *r = msg;

    (void)version;
    return outcome(a, build_remove_entry(a->w, MAP_TOKEN, bytes_of(r->token_id)),
                   "RemoveDelegationTokenRecord");
}

/* ---- transactions, nothing ---- */

static int
apply_nothing(const Apply *a, int16_t version, const void *msg)
{
    (void)a;
    (void)version;
    (void)msg;
    return 0;
}

static int
apply_begin(const Apply *a, int16_t version, const void *msg)
{
    (void)version;
    (void)msg;
    if (a->state->in_transaction)
        return outcome(a, OT_E_STATE, "BeginTransactionRecord");
    image_commit(a->w); /* what an abort goes back to */
    a->state->in_transaction = true;
    return 0;
}

static int
apply_end(const Apply *a, int16_t version, const void *msg)
{
    (void)version;
    (void)msg;
    if (!a->state->in_transaction)
        return outcome(a, OT_E_STATE, "EndTransactionRecord");
    a->state->in_transaction = false;
    return 0;
}

static int
apply_abort(const Apply *a, int16_t version, const void *msg)
{
    (void)version;
    (void)msg;
    if (!a->state->in_transaction)
        return outcome(a, OT_E_STATE, "AbortTransactionRecord");
    image_abort(a->w);
    a->state->in_transaction = false;
    return 0;
}

typedef int (*ApplyOne)(const Apply *a, int16_t version, const void *msg);

/* By record number; every type of the tables is here. */
static const ApplyOne apply_table[] = {
    [0] = apply_register_broker,
    [1] = apply_unregister_broker,
    [2] = apply_topic,
    [3] = apply_partition,
    [4] = apply_config,
    [5] = apply_partition_change,
    [7] = apply_fence,
    [8] = apply_unfence,
    [9] = apply_remove_topic,
    [10] = apply_token,
    [11] = apply_scram,
    [12] = apply_feature,
    [14] = apply_quota,
    [15] = apply_producer_ids,
    [17] = apply_registration_change,
    [18] = apply_acl,
    [19] = apply_remove_acl,
    [20] = apply_nothing,
    [21] = apply_zk_state,
    [22] = apply_remove_scram,
    [23] = apply_begin,
    [24] = apply_end,
    [25] = apply_abort,
    [26] = apply_remove_token,
    [27] = apply_register_controller,
    [28] = apply_clear_elr,
};

#define APPLY_COUNT (int)(sizeof apply_table / sizeof apply_table[0])

int
record_apply(ImageWriter *w, ApplyState *state, BytesView record, Arena *scratch,
             ChangeList *changes, ErrInfo *err)
{
    Apply a = {w, state, record, scratch, changes, err};
    ArenaMark mark = arena_mark(scratch);
    WireReader r;
    int16_t version;
    const MessageDesc *desc;
    void *msg;
    int rc;

    wire_reader_init(&r, record.ptr, (size_t)record.len, scratch);
    desc = record_frame_read(&r, MESSAGE_METADATA, &version);
    if (desc == NULL)
        return err_set(err, r.err == OT_E_UNSUPPORTED_VERSION ? r.err : OT_E_CORRUPT,
                       "a record of the metadata log has an unknown %s",
                       r.err_field == NULL ? "frame" : r.err_field);
    if (desc->number >= APPLY_COUNT || apply_table[desc->number] == NULL)
        return err_set(err, OT_E_UNSUPPORTED_VERSION, "%s is not known", desc->name);
    msg = arena_calloc(scratch, 1, desc->body->bytes);
    if (msg == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory for a %s", desc->name);
    desc->read(&r, version, msg);
    if (r.err != 0 || wire_left(&r) != 0)
        return err_set(err, r.err == OT_E_NO_MEMORY ? r.err : OT_E_CORRUPT,
                       "%s version %d cannot be read: %s", desc->name, version,
                       r.err_field == NULL ? "bytes are left over" : r.err_field);
    rc = apply_table[desc->number](&a, version, msg);
    if (rc == OT_E_NO_MEMORY)
        (void)err_set(err, rc, "no memory for a %s", desc->name);
    if (rc == 0 && (w->no_memory || (changes != NULL && changes->no_memory)))
        rc = err_set(err, OT_E_NO_MEMORY, "no memory for a %s", desc->name);
    arena_release(scratch, mark);
    return rc;
}
