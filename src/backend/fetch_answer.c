/*
 * fetch_answer.c - builds the Fetch response, records as slices of segment files (log.md 12.5)
 *
 * Runs in: backend. Never reads anything: all was found by fetch_read.c.
 * The response is sized and written one partition at a time from the entries of the pass; it never
 * exists as a struct in memory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/fetch_int.h"

#include "backend/conn_int.h"
#include "ottla/common/errlist.h"
#include "ottla/ipc/node.h"

/* An answer on its way: a message whose topics come from elsewhere. */
typedef struct AnswerOut {
    FetchResponse head; /* first: for others this is the message */
    const FetchAnswer *answer;
    FetchResponseNode node;
} AnswerOut;

/* One pass: into a sizer or, when that is NULL, into a writer. */
typedef struct AnswerPass {
    WireSizer *sizer;
    WireWriter *writer;
    int16_t version;
} AnswerPass;

/* Errors after which a client from version 16 on learns the leader at once (KIP-951). */
static bool
tells_leader(int16_t version, int16_t error)
{
    return version >= 16 &&
           (error == KERR_NOT_LEADER_OR_FOLLOWER || error == KERR_FENCED_LEADER_EPOCH);
}

static void
answer_partition(const FetchAnswer *answer, const FetchEntry *e, const AnswerPass *pass)
{
    const FetchData *data = e->data >= 0 ? &answer->list->data[e->data] : NULL;
    FetchResponsePartition p;

    fetch_response_partition_init(&p);
    p.partition_index = fetch_entry_key(answer->list, e).partition;
    p.error_code = e->error;
    p.high_watermark = -1;
    p.preferred_read_replica = -1;
    p.records = WIRE_EMPTY_RECORDS;
    p.aborted_transactions_count = e->unknown || (e->error == 0 && answer->committed) ? 0 : -1;
    if (e->error == 0) {
        p.high_watermark = e->high_watermark;
        p.last_stable_offset = e->last_stable_offset;
        p.log_start_offset = e->log_start_offset;
    } else if (tells_leader(pass->version, e->error)) {
        p.current_leader.leader_id = e->leader;
        p.current_leader.leader_epoch = e->leader_epoch;
    }
    if (e->diverging) {
        p.aborted_transactions_count = -1;
        p.diverging_epoch.epoch = e->diverged.epoch;
        p.diverging_epoch.end_offset = e->diverged.end_offset;
    }
    if (data != NULL && e->error == 0) {
        p.records = records_in_file(data->slice.fd, data->slice.pos, data->slice.len);
        p.aborted_transactions = data->aborted;
        if (answer->committed)
            p.aborted_transactions_count = data->aborted_count;
    }
    if (pass->sizer != NULL) {
        fetch_response_partition_size(pass->sizer, pass->version, &p);
        return;
    }
    fetch_response_partition_write(pass->writer, pass->version, &p);
    if (data != NULL && e->error == 0) {
        pslot_count(data->ref, PSLOT_COUNT_FETCHES, 1);
        pslot_count(data->ref, PSLOT_COUNT_BYTES_OUT, (uint64_t)data->slice.len);
    }
}

/*
 * Kafka answers what it knows first, then unknown topic ids, then other unknown partitions. Clients do
 * not care; recordings do.
 */
static int
answer_turn(const FetchEntry *e)
{
    if (!e->unknown)
        return 0;
    return e->error == KERR_UNKNOWN_TOPIC_ID ? 1 : 2;
}

#define ANSWER_TURNS 3

/* How far a pass over the answer came; begins all zero. */
typedef struct AnswerPos {
    int turn;
    int32_t next;
} AnswerPos;

/* The next partition of the answer; NULL: that was all. */
static const FetchEntry *
answer_next(const FetchList *list, AnswerPos *pos)
{
    for (; pos->turn < ANSWER_TURNS; pos->turn++, pos->next = 0)
        while (pos->next < list->count) {
            const FetchEntry *e = &list->entries[pos->next++];

            if (e->answered && answer_turn(e) == pos->turn)
                return e;
        }
    return NULL;
}

/* Consecutive partitions of one topic share a topic entry: how many from here on; 0: the end. */
static int32_t
run_length(const FetchList *list, AnswerPos pos)
{
    const FetchEntry *first = answer_next(list, &pos);
    const FetchEntry *e = first;
    int32_t count = 0;

    for (; e != NULL && e->topic == first->topic; e = answer_next(list, &pos))
        count++;
    return count;
}

/* Partitions of one topic; the position moves behind them. */
static void
answer_run(const FetchAnswer *answer, AnswerPos *pos, int32_t count, const AnswerPass *pass)
{
    const FetchEntry *e = answer_next(answer->list, pos);
    FetchKey key = fetch_entry_key(answer->list, e);
    FetchResponseTopic topic;

    fetch_response_topic_init(&topic);
    topic.topic_id = key.id;
    topic.topic = key.by_id ? WIRE_EMPTY_STRING : key.name;
    topic.partitions_count = count;
    if (pass->sizer != NULL)
        fetch_response_topic_size_head(pass->sizer, pass->version, &topic);
    else
        fetch_response_topic_write_head(pass->writer, pass->version, &topic);
    for (; count > 0; count--) {
        answer_partition(answer, e, pass);
        if (count > 1)
            e = answer_next(answer->list, pos);
    }
    if (pass->sizer != NULL)
        fetch_response_topic_size_tail(pass->sizer, pass->version, &topic);
    else
        fetch_response_topic_write_tail(pass->writer, pass->version, &topic);
}

/* All of them; pass NULL: only their number, which is returned. */
static int32_t
answer_topics(const FetchAnswer *answer, const AnswerPass *pass)
{
    AnswerPos pos = {0};
    int32_t topics = 0;
    int32_t count;

    while (answer->list != NULL && (count = run_length(answer->list, pos)) > 0) {
        topics++;
        if (pass != NULL)
            answer_run(answer, &pos, count, pass);
        else
            for (; count > 0; count--)
                (void)answer_next(answer->list, &pos);
    }
    return topics;
}

static void
answer_size(WireSizer *s, int16_t version, const void *msg)
{
    const AnswerOut *out = msg;

    fetch_response_size_head(s, version, &out->head);
    (void)answer_topics(out->answer, &(AnswerPass){.sizer = s, .version = version});
    fetch_response_size_tail(s, version, &out->head);
}

static void
answer_write(WireWriter *w, int16_t version, const void *msg)
{
    const AnswerOut *out = msg;

    fetch_response_write_head(w, version, &out->head);
    (void)answer_topics(out->answer, &(AnswerPass){.writer = w, .version = version});
    fetch_response_write_tail(w, version, &out->head);
}

/* The endpoint of this node, which leads what it serves, for partitions that tell of their leader. */
static void
answer_leader(AnswerOut *out, const Request *rq)
{
    const Listener *row = listeners_advertised_for(&node_listeners, rq->conn->listener);

    fetch_response_node_init(&out->node);
    out->node.node_id = node_info.node_id;
    out->node.host = strview_from(row->advertised_host);
    out->node.port = row->advertised_port;
    out->head.node_endpoints = &out->node;
    out->head.node_endpoints_count = 1;
}

ReqResult
fetch_answer_send(Request *rq, const FetchAnswer *answer)
{
    MessageDesc desc = fetch_response_desc;
    AnswerOut out = {.answer = answer};
    bool tell = false;

    fetch_response_init(&out.head);
    out.head.error_code = answer->error;
    out.head.session_id = answer->session_id;
    out.head.responses_count = answer_topics(answer, NULL);
    for (int32_t i = 0; answer->list != NULL && i < answer->list->count; i++) {
        const FetchEntry *e = &answer->list->entries[i];

        if (!e->answered)
            continue;
        rq->failed = rq->failed || e->error != 0;
        tell = tell || tells_leader(rq->head.api_version, e->error);
    }
    if (tell)
        answer_leader(&out, rq);
    desc.size = answer_size;
    desc.write = answer_write;
    return request_respond(rq, &desc, &out);
}
