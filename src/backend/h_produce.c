/*
 * h_produce.c - Produce: validate, append, answer
 *
 * Runs in: backend. Spec: log.md 4, 13; observed.md 1.
 * Order of one request: read, look at all first batches (screen), find the partitions, precheck each,
 * then for each partition that is left validate and append. A partition that fails does not stop the
 * others; a screen or precheck that fails the request stops all. A partition named twice: the last
 * one counts.
 * Never: holds a pin of the image while it appends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/produce_int.h"

#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "ottla/replica/interest.h"
#include "backend/meta_int.h"
#include "backend/names_int.h"
#include "backend/settings_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/err.h"
#include "ottla/common/limits.h"
#include "ottla/ipc/counters.h"
#include "ottla/ipc/waitlist.h"
#include "ottla/replica/replica.h"

/* Kafka's tools may write the internal topics under this client id. */
#define ADMIN_CLIENT_ID "__admin_client"

#define PRODUCE_POLL_US     (20 * 1000)        /* without a wait node */
#define PRODUCE_DISK_MIN_US (10 * 1000 * 1000) /* a flush is waited for at least so long */

/* ---- what may be appended ------------------------------------------------------------------------- */

static void
find_partitions(ProduceWork *work)
{
    ImagePin pin = image_pin();

    for (int32_t i = 0; i < work->count; i++) {
        ProducePart *part = &work->parts[i];
        bool found;

        if (work->rq->head.api_version >= 13)
            found = meta_find_by_id(pin.image, part->topic->topic_id, part->in->index, &part->meta);
        else
            found = meta_find(pin.image, part->topic->name, part->in->index, &part->meta);
        if (found)
            continue;
        produce_fail(part, KERR_UNKNOWN_TOPIC_OR_PARTITION);
        if (work->rq->head.api_version >= 13 &&
            image_topic_by_id(pin.image, part->topic->topic_id) == NULL)
            produce_fail(part, KERR_UNKNOWN_TOPIC_ID);
    }
    image_unpin(&pin);
}

static BytesView
records_of(const ProducePart *part)
{
    return (BytesView){part->in->records.ptr, part->in->records.len};
}

static void
count_fault(BatchFault fault)
{
    if (fault == BATCH_FAULT_MAGIC)
        stat_add(STAT_REJECTED_MAGIC, 1);
    else if (fault == BATCH_FAULT_CRC)
        stat_add(STAT_REJECTED_CRC, 1);
    else if (fault == BATCH_FAULT_OFFSET)
        stat_add(STAT_REJECTED_OFFSET, 1);
}

/* Looks at the first batches; true when the request goes on. */
static bool
screen(ProduceWork *work, const ProduceRequest *in)
{
    ProduceScreen seen;

    produce_screen_init(&seen);
    for (int32_t t = 0; t < in->topic_data_count; t++)
        for (int32_t p = 0; p < in->topic_data[t].partition_data_count; p++) {
            const RecordsView *records = &in->topic_data[t].partition_data[p].records;

            produce_screen_add(&seen, (BytesView){records->ptr, records->len});
        }
    if (seen.code != 0) {
        count_fault(seen.fault);
        produce_fail_all(work, seen.code, seen.text);
    } else if (seen.transactional && in->transactional_id.ptr == NULL)
        produce_fail_all(work, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, NULL);
    else if (seen.producers_differ)
        produce_fail_all(work, KERR_INVALID_PRODUCER_ID_MAPPING, NULL);
    else
        return true;
    return false;
}

/* A partition that exists fails: its topic counts it. */
static void
fail_known(ProducePart *part, int16_t code)
{
    pslot_count(part->meta.ref, PSLOT_COUNT_PRODUCES_FAILED, 1);
    produce_fail(part, code);
}

/* Steps c to k that need no lock; true when the request goes on. */
static bool
precheck(ProduceWork *work)
{
    bool admin = strview_equal(work->rq->head.client_id, STRVIEW(ADMIN_CLIENT_ID));

    for (int32_t i = 0; i < work->count; i++) {
        ProducePart *part = &work->parts[i];
        BatchVerdict verdict = {0};

        if (part->done)
            continue;
        batch_precheck(work->rq->head.api_version, records_of(part), &verdict);
        if (verdict.failed_request) {
            produce_fail_all(work, verdict.code, verdict.text);
            return false;
        }
        if (verdict.code != 0) {
            count_fault(verdict.fault);
            fail_known(part, verdict.code);
        }
    }
    for (int32_t i = 0; i < work->count; i++) {
        ProducePart *part = &work->parts[i];

        if (part->done)
            continue;
        if (batch_is_transactional(part->in->records.ptr)) {
            fail_known(part, KERR_INVALID_TXN_STATE);
            if (work->rq->head.api_version <= 10)
                part->out->error_message = STRVIEW("Transactions are not served by this broker.");
        } else if (work->acks != 0 && work->acks != 1 && work->acks != -1) {
            fail_known(part, KERR_INVALID_REQUIRED_ACKS);
        } else if (name_is_internal_topic(part->topic->name) && !admin) {
            fail_known(part, KERR_INVALID_TOPIC_EXCEPTION);
        } else if (part->meta.ref.slot == PSLOT_NONE) {
            produce_fail(part, KERR_NOT_LEADER_OR_FOLLOWER);
        }
    }
    return true;
}

/* ---- appending ------------------------------------------------------------------------------------- */

static int64_t
log_start_of(PartitionRef ref)
{
    PlogOffsets offsets;

    return plog_offsets_peek(ref, &offsets) ? offsets.log_start_offset : -1;
}

static void
refuse(ProduceWork *work, ProducePart *part, const BatchVerdict *verdict)
{
    count_fault(verdict->fault);
    if (verdict->no_key_count > 0)
        stat_add(STAT_REJECTED_NO_KEY, (uint64_t)verdict->no_key_count);
    if (verdict->code == KERR_MESSAGE_TOO_LARGE)
        pslot_count(part->meta.ref, PSLOT_COUNT_BYTES_REJECTED, (uint64_t)records_of(part).len);
    fail_known(part, verdict->code);
    if (verdict->real_log_start)
        part->out->log_start_offset = log_start_of(part->meta.ref);
    if (verdict->text != NULL)
        part->out->error_message = strview_from(verdict->text);
    produce_record_errors(work, part, verdict);
}

static void
append_one(ProduceWork *work, ProducePart *part, BatchVerdict *verdict)
{
    ReplicaAppendArgs args = {
        .batch = &verdict->batch, .origin = PLOG_ORIGIN_CLIENT, .acks = work->acks};
    ReplicaAppendResult res = {.log.log_start_offset = -1};
    ErrInfo err;
    int rc = replica_append(part->meta.ref, &args, &res, &err);

    if (rc < 0) {
        fail_known(part, err_to_kafka(rc));
        part->out->log_start_offset = res.log.log_start_offset;
        return;
    }
    pslot_count(part->meta.ref, PSLOT_COUNT_PRODUCES, 1);
    part->done = true;
    part->out->base_offset = res.log.base_offset;
    part->out->log_append_time_ms = res.log.log_append_time_ms;
    part->out->log_start_offset = res.log.log_start_offset;
    part->wait = res.wait;
    if (res.wait.for_hw || res.wait.for_disk)
        part->out->error_code = KERR_REQUEST_TIMED_OUT; /* until what it waits for came */
}

static void
validate_and_append(ProduceWork *work, ProducePart *part)
{
    PartitionSlot *slot = pslot_find(part->meta.ref);
    ArenaMark mark = arena_mark(work->rq->arena);
    BatchVerdict verdict = {0};
    TopicSettings topic;
    BatchRules rules;

    if (slot == NULL) {
        produce_fail(part, KERR_UNKNOWN_TOPIC_OR_PARTITION);
        return;
    }
    if (part == work->parts)
        meta_show_partition(part->meta.ref, slot);
    pslot_settings(slot, &topic);
    produce_rules(&topic, clock_wall_ms(), &rules);
    batch_validate(&rules, records_of(part), work->rq->arena, &verdict);
    if (verdict.code != 0) {
        refuse(work, part, &verdict);
        return; /* record errors stay in the arena */
    }
    append_one(work, part, &verdict);
    arena_release(work->rq->arena, mark);
}

/* ---- waiting for the in-sync replicas and the disk --------------------------------------------- */

/*
 * A request watches one partition at a time, the first that is not done: all must be done before the
 * answer leaves, and a commit publishes all partitions before it wakes anybody. So a request over
 * any number of partitions costs one node and, as a rule, one wake-up.
 */
static bool
watch(ProduceWork *work, const ProducePart *part)
{
    Interest interest = {
        .ref = part->meta.ref, .mask = replica_wait_mask(&part->wait), .key = PRODUCE_WAIT_KEY};

    return interest_register(my_slot_index, &interest, &work->wait_node) != INTEREST_POLL;
}

static void
unwatch(ProduceWork *work)
{
    if (work->wait_node != WAIT_NODE_NONE)
        wait_unregister(my_slot_index, work->wait_node);
    work->wait_node = WAIT_NODE_NONE;
}

static bool
is_waiting(const ProducePart *part)
{
    return part->wait.for_hw || part->wait.for_disk;
}

/* Looks; true when the part waits for nothing any more. */
static bool
settle_part(ProducePart *part)
{
    ErrInfo err;
    int rc;

    if (!is_waiting(part))
        return true;
    rc = replica_check_wait(part->meta.ref, &part->wait, &err);
    if (rc == 0 && is_waiting(part))
        return false;
    part->wait = (ReplicaWait){0};
    part->out->error_code = err_to_kafka(rc);
    return true;
}

/*
 * Goes on to the first part that has to wait, and watches it; NULL: none. *ret_poll: nobody will wake
 * this process.
 */
static const ProducePart *
first_waiting(ProduceWork *work, bool *ret_poll)
{
    *ret_poll = false;
    for (; work->settled < work->count; work->settled++) {
        ProducePart *part = &work->parts[work->settled];

        if (settle_part(part))
            continue;
        *ret_poll = !watch(work, part);
        if (!settle_part(part)) /* registered, then looked */
            return part;
        unwatch(work);
    }
    return NULL;
}

/*
 * Waits on, or says that it is over: everything came, or its time is up. Who waits for the disk alone
 * is not sent away by a stop or by a timeout that is meant for replicas: the flush is on its way.
 */
static bool
must_wait(ProduceWork *work, bool cancelled)
{
    Request *rq = work->rq;
    bool poll;
    const ProducePart *part = first_waiting(work, &poll);

    if (part == NULL)
        return false;
    rq->deadline_us = part->wait.for_hw ? work->hw_deadline_us : work->disk_deadline_us;
    if (rq->now_us >= rq->deadline_us) {
        stat_add(STAT_PRODUCES_EXPIRED, 1);
        return false;
    }
    if (cancelled && part->wait.for_hw)
        return false;
    if (poll && rq->now_us + PRODUCE_POLL_US < rq->deadline_us)
        rq->deadline_us = rq->now_us + PRODUCE_POLL_US;
    rq->wait_event = part->wait.for_hw ? WAIT_EV_PRODUCE_ACKS : WAIT_EV_PRODUCE_FLUSH;
    return true;
}

/* ---- the answer ----------------------------------------------------------------------------------- */

/* The node of a leader once in the list; leaders beyond the room are left out. */
static void
name_node(ProduceWork *work, const Image *image, int32_t leader)
{
    const ImageBroker *broker = leader < 0 ? NULL : image_broker(image, leader);
    const ImageEndpoint *endpoint =
        broker == NULL ? NULL : image_broker_endpoint(broker, meta_listener(work->rq->conn));
    ProduceResponseNode *node = &work->out.node_endpoints[work->out.node_endpoints_count];

    if (endpoint == NULL)
        return;
    for (int32_t i = 0; i < work->out.node_endpoints_count; i++)
        if (work->out.node_endpoints[i].node_id == leader)
            return;
    produce_response_node_init(node);
    node->node_id = leader;
    node->host = meta_copy(work->rq->arena, endpoint->host);
    node->port = endpoint->port;
    node->rack = meta_copy(work->rq->arena, broker->rack);
    work->out.node_endpoints_count++;
}

/* Version 10 and above: who leads the partitions that answered NOT_LEADER_OR_FOLLOWER. */
static void
name_leaders(ProduceWork *work)
{
    ImagePin pin = {0};

    if (work->rq->head.api_version < 10)
        return;
    for (int32_t i = 0; i < work->count; i++) {
        ProducePart *part = &work->parts[i];

        if (part->out->error_code != KERR_NOT_LEADER_OR_FOLLOWER)
            continue;
        if (work->out.node_endpoints == NULL) {
            work->out.node_endpoints = arena_calloc(work->rq->arena, (size_t)work->count,
                                                    sizeof *work->out.node_endpoints);
            if (work->out.node_endpoints == NULL)
                return;
            pin = image_pin();
        }
        part->out->current_leader.leader_id = part->meta.leader;
        part->out->current_leader.leader_epoch = part->meta.leader_epoch;
        name_node(work, pin.image, part->meta.leader);
    }
    if (work->out.node_endpoints != NULL)
        image_unpin(&pin);
}

/* ---- the handler --------------------------------------------------------------------------------------- */

static ReqResult
answer(ProduceWork *work)
{
    Request *rq = work->rq;
    const ProducePart *bad = NULL;

    unwatch(work);
    for (int32_t i = 0; i < work->count && bad == NULL; i++)
        if (work->parts[i].out->error_code != 0)
            bad = &work->parts[i];
    rq->failed = bad != NULL;
    if (work->acks == 0)
        return bad == NULL
                   ? REQ_SILENT
                   : request_close(rq, "Produce with acks=0 failed with error %d; partition=%d",
                                   bad->out->error_code, bad->in->index);
    name_leaders(work);
    return request_respond(rq, &produce_response_desc, &work->out);
}

ReqResult
h_produce_start(Request *rq)
{
    ProduceRequest in;
    ProduceWork *work;

    if (!request_read(rq, &produce_request_desc, &in))
        return REQ_CLOSE;
    work = produce_work_new(rq, &in);
    if (work == NULL)
        return request_close(rq, "no memory for the partitions of a Produce request");
    rq->state = work;
    if (screen(work, &in)) {
        find_partitions(work);
        if (precheck(work))
            for (int32_t i = 0; i < work->count; i++)
                if (!work->parts[i].done)
                    validate_and_append(work, &work->parts[i]);
    }
    work->hw_deadline_us = rq->now_us + (int64_t)in.timeout_ms * 1000;
    work->disk_deadline_us = rq->now_us + PRODUCE_DISK_MIN_US;
    if (work->disk_deadline_us < work->hw_deadline_us)
        work->disk_deadline_us = work->hw_deadline_us;
    return must_wait(work, false) ? REQ_PENDING : answer(work);
}

ReqResult
h_produce_finish(Request *rq)
{
    ProduceWork *work = rq->state;

    return must_wait(work, rq->cancelled) ? REQ_PENDING : answer(work);
}

void
h_produce_drop(Request *rq)
{
    unwatch(rq->state);
}
