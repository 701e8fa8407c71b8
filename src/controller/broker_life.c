/*
 * broker_life.c - the records by which this node registers itself and takes its partitions
 *
 * Kafka fences the old incarnation and elects anew for every partition at each restart. Alone on its
 * node, the broker that comes back after a clean stop holds all it had, so nothing is written for its
 * partitions then; after an unclean one a record each raises the leader epoch (cluster.md 3.4, 3.5).
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/broker_life.h"

#include "controller/decide.h"
#include "controller/features.h"
#include "ottla/common/assert.h"

void
life_register_controller(const BrokerSelf *self, Uuid incarnation_id, RecordList *ret)
{
    RegisterControllerRecordControllerEndpoint endpoints[LISTENERS_MAX];
    RegisterControllerRecordControllerFeature features[FEATURE_COUNT];
    RegisterControllerRecord record;

    if (self->metadata_version < 15)
        return;
    register_controller_record_init(&record);
    record.controller_id = self->node_id;
    record.incarnation_id = incarnation_id;
    record.end_points = endpoints;
    for (int i = 0; i < self->listeners->count; i++) {
        const Listener *l = &self->listeners->rows[i];

        if (l->is_controller)
            endpoints[record.end_points_count++] = (RegisterControllerRecordControllerEndpoint){
                .name = strview_from(l->name),
                .host = strview_from(l->advertised_host),
                .port = l->advertised_port,
                .security_protocol = (int16_t)l->protocol};
    }
    record.features = features;
    for (int i = 0; i < FEATURE_COUNT; i++)
        features[record.features_count++] = (RegisterControllerRecordControllerFeature){
            .name = strview_from(feature_rows[i].name),
            .min_supported_version = feature_rows[i].min,
            .max_supported_version = feature_rows[i].max};
    record_list_add(ret, &register_controller_record_desc, 0, &record);
}

/* Listeners whose addresses brokers and clients are told. */
static int
list_endpoints(const ListenerTable *listeners, RegisterBrokerRecordBrokerEndpoint *ret)
{
    int count = 0;

    for (int i = 0; i < listeners->count; i++) {
        const Listener *l = &listeners->rows[i];

        if (l->name[0] != '\0' && !l->is_controller && !l->is_unix)
            ret[count++] =
                (RegisterBrokerRecordBrokerEndpoint){.name = strview_from(l->name),
                                                     .host = strview_from(l->advertised_host),
                                                     .port = l->advertised_port,
                                                     .security_protocol = (int16_t)l->protocol};
    }
    return count;
}

/* previous: what is registered; NULL: fenced, and nothing is cordoned. */
static void
add_registration(const BrokerSelf *self, int64_t broker_epoch, const ImageBroker *previous,
                 RecordList *ret)
{
    RegisterBrokerRecordBrokerEndpoint endpoints[LISTENERS_MAX];
    RegisterBrokerRecordBrokerFeature features[FEATURE_COUNT];
    int16_t version = register_broker_record_version(self->metadata_version);
    RegisterBrokerRecord record;
    union {
        const Uuid *in;
        Uuid *out;
    } dirs = {self->log_dirs}, cordoned = {previous == NULL ? NULL : previous->cordoned_log_dirs};

    register_broker_record_init(&record);
    record.broker_id = self->node_id;
    record.incarnation_id = self->incarnation_id;
    record.broker_epoch = broker_epoch;
    record.rack = self->rack;
    record.fenced = previous == NULL || previous->fenced;
    record.in_controlled_shutdown = previous != NULL && previous->in_controlled_shutdown;
    record.end_points = endpoints;
    record.end_points_count = list_endpoints(self->listeners, endpoints);
    record.features = features;
    for (int i = 0; i < FEATURE_COUNT; i++)
        features[record.features_count++] =
            (RegisterBrokerRecordBrokerFeature){.name = strview_from(feature_rows[i].name),
                                                .min_supported_version = feature_rows[i].min,
                                                .max_supported_version = feature_rows[i].max};
    if (version >= 3) {
        record.log_dirs = dirs.out;
        record.log_dirs_count = self->log_dir_count;
    }
    if (version >= 4) { /* known */
        record.cordoned_log_dirs = cordoned.out;
        record.cordoned_log_dirs_count = previous == NULL || previous->cordoned_log_dir_count < 0
                                             ? 0
                                             : previous->cordoned_log_dir_count;
    }
    record_list_add(ret, &register_broker_record_desc, version, &record);
}

void
life_register_broker(const BrokerSelf *self, int64_t broker_epoch, RecordList *ret)
{
    add_registration(self, broker_epoch, NULL, ret);
}

bool
life_endpoints_differ(const BrokerSelf *self, const ImageBroker *registered)
{
    RegisterBrokerRecordBrokerEndpoint now[LISTENERS_MAX];
    int count = list_endpoints(self->listeners, now);

    if (registered->endpoint_count != count)
        return true;
    for (int i = 0; i < count; i++) {
        const ImageEndpoint *e = image_broker_endpoint(registered, now[i].name);

        if (e == NULL || e->port != now[i].port || !strview_equal(e->host, now[i].host))
            return true;
    }
    return false;
}

void
life_register_again(const BrokerSelf *self, const ImageBroker *registered, RecordList *ret)
{
    add_registration(self, registered->epoch, registered, ret);
}

void
life_unfence(const BrokerSelf *self, int64_t broker_epoch, RecordList *ret)
{
    BrokerRegistrationChangeRecord record;

    broker_registration_change_record_init(&record);
    record.broker_id = self->node_id;
    record.broker_epoch = broker_epoch;
    record.fenced = -1;
    record_list_add(ret, &broker_registration_change_record_desc, 0, &record);
}

void
life_cordon(const ImageBroker *self, const Uuid *dirs, int32_t count, RecordList *ret)
{
    BrokerRegistrationChangeRecord record;
    union {
        const Uuid *in;
        Uuid *out;
    } same = {dirs}; /* writers only read it */

    broker_registration_change_record_init(&record);
    record.broker_id = self->id;
    record.broker_epoch = self->epoch;
    record.cordoned_log_dirs = same.out;
    record.cordoned_log_dirs_count = count;
    record_list_add(ret, &broker_registration_change_record_desc, 3, &record);
}

static bool
contains(const int32_t *list, int32_t count, int32_t id)
{
    for (int32_t i = 0; i < count; i++)
        if (list[i] == id)
            return true;
    return false;
}

/* May this node lead the partition? In the ISR, or, when that is empty, in the ELR or its last member. */
static bool
may_lead(const BrokerSelf *self, const ImagePartition *p)
{
    if (!contains(p->replicas, p->replica_count, self->node_id))
        return false;
    if (p->isr_count > 0)
        return contains(p->isr, p->isr_count, self->node_id);
    if (p->elr_count > 0)
        return contains(p->elr, p->elr_count, self->node_id);
    return p->last_known_elr_count == 0 ||
           contains(p->last_known_elr, p->last_known_elr_count, self->node_id);
}

static void
take_partition(const BrokerSelf *self, const Image *image, const ImageTopic *topic,
               const ImagePartition *p, RecordList *ret)
{
    int32_t me[1] = {self->node_id};
    PartitionChangeRecord record;

    if (p->leader == self->node_id) {
        if (!self->logs_may_be_short)
            return;
    } else if (broker_is_active(image, p->leader) || !may_lead(self, p)) {
        return;
    }
    partition_change_record_init(&record);
    record.partition_id = p->partition;
    record.topic_id = image_topic_id(topic);
    record.leader = self->node_id;
    if (!contains(p->isr, p->isr_count, self->node_id)) {
        record.isr = me;
        record.isr_count = 1;
    }
    if (self->metadata_version >= 23 && p->elr_count > 0)
        record.eligible_leader_replicas_count = 0; /* not null: empty from now on */
    if (self->metadata_version >= 23 && p->last_known_elr_count > 0)
        record.last_known_elr_count = 0;
    record_list_add(ret, &partition_change_record_desc,
                    partition_record_version(self->metadata_version), &record);
}

void
life_take_partitions(const BrokerSelf *self, const Image *image, RecordList *ret)
{
    for (const ImageTopic *t = image_topic_after(image, WIRE_NULL_STRING); t != NULL;
         t = image_topic_after(image, image_topic_name(t)))
        for (const MapNode *node = map_after(t->partitions, (BytesView){NULL, 0}, true);
             node != NULL;
             node = map_after(t->partitions, (BytesView){node->key, node->key_len}, false))
            take_partition(self, image, t, &((const PartitionObject *)node->value)->p, ret);
}
