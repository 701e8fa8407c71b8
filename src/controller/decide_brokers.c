/*
 * decide_brokers.c - UnregisterBroker: a broker leaves its partitions and the cluster
 *
 * Spec: cluster.md 3.12. It stays in replica lists, and may register again.
 *
 * Never: I/O, shared words, clocks.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/partition_change.h"

/* Takes the broker out of the ISR of a partition. */
static bool
leave_partition(const DecideContext *c, const ImageTopic *topic, const ImagePartition *now,
                int32_t broker, RecordList *records)
{
    PartitionChange change = partition_change_begin(c, topic, now);

    change.leaving = broker;
    change.wanted.isr =
        ids_without(c->arena, now->isr, now->isr_count, &broker, 1, &change.wanted.isr_count);
    if (change.wanted.isr == NULL)
        return false;
    (void)partition_change_end(&change, records);
    return true;
}

static bool
leave_all(const DecideContext *c, int32_t broker, RecordList *records)
{
    for (const ImageTopic *t = image_topic_after(c->image, WIRE_NULL_STRING); t != NULL;
         t = image_topic_after(c->image, image_topic_name(t)))
        for (int32_t i = 0; i < image_topic_partition_count(t); i++) {
            ImagePartition now;

            if (!image_topic_partition(t, i, &now) ||
                (now.leader != broker && !ids_contain(now.isr, now.isr_count, broker)))
                continue;
            if (!leave_partition(c, t, &now, broker, records))
                return false;
        }
    return true;
}

int
decide_unregister_broker(const DecideContext *c, const UnregisterBrokerRequest *in,
                         RecordList *records, UnregisterBrokerResponse *ret)
{
    const ImageBroker *broker = image_broker(c->image, in->broker_id);
    UnregisterBrokerRecord record;

    unregister_broker_response_init(ret);
    if (broker == NULL) {
        ret->error_code = KERR_BROKER_ID_NOT_REGISTERED;
        ret->error_message = STRVIEW("no broker of this id is registered");
        return 0;
    }
    if (!leave_all(c, in->broker_id, records))
        return OT_E_NO_MEMORY;
    unregister_broker_record_init(&record);
    record.broker_id = broker->id;
    record.broker_epoch = broker->epoch;
    record_list_add(records, &unregister_broker_record_desc, 0, &record);
    return records->no_memory ? OT_E_NO_MEMORY : 0;
}
