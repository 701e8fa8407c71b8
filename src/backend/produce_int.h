/*
 * produce_int.h - the parts of a Produce request and the assembly of its answer: pure
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_PRODUCE_INT_H
#define OTTLA_BACKEND_PRODUCE_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/meta_int.h"
#include "backend/request_int.h"
#include "ottla/common/topic_settings.h"
#include "ottla/protocol/batch_validate.h"
#include "ottla/protocol/msg_produce.h"
#include "ottla/replica/replica.h"

#define PRODUCE_WAIT_KEY UINT32_MAX /* names the wait nodes of Produce among those of the slot */

/* One partition of the request that counts. */
typedef struct ProducePart {
    const ProduceRequestTopic *topic;
    const ProduceRequestPartition *in;
    ProduceResponsePartition *out;
    MetaPartition meta;
    bool done; /* out says what became of it */

    ReplicaWait wait; /* appended; what the answer waits for */
} ProducePart;

typedef struct ProduceWork {
    Request *rq;
    int16_t acks;
    ProducePart *parts; /* each partition once, by topic and index */
    int32_t count;
    int32_t settled;        /* the parts before this one wait for nothing */
    int32_t wait_node;      /* of the part that is watched */
    int64_t hw_deadline_us; /* how long the in-sync replicas are waited for */
    int64_t disk_deadline_us;
    ProduceResponse out;
} ProduceWork;

/*
 * Sorts the partitions of a request: a partition named twice counts as named last, across topic
 * entries too; topics without partitions vanish; the answer has a place for each that is left.
 * NULL: the arena is full.
 */
ProduceWork *produce_work_new(Request *rq, const ProduceRequest *in);

/* The partition fails with this code; log start -1 and no texts. */
void produce_fail(ProducePart *part, int16_t code);

/* Every partition fails. text may be NULL. */
void produce_fail_all(ProduceWork *work, int16_t code, const char *text);

/* recordErrors of a verdict; left out when the arena is full. */
void produce_record_errors(ProduceWork *work, ProducePart *part, const BatchVerdict *verdict);

/* What a topic's settings demand of a batch. */
void produce_rules(const TopicSettings *topic, int64_t now_ms, BatchRules *ret);

#endif
