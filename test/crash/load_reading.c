/*
 * load_reading.c - one partition read from the outside: fetches, sessions, records
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "load_reading.h"

#include "ottla/common/errlist.h"
#include "ottla/protocol/batch.h"

#define FETCH_BYTES (1 << 20)

int64_t
walk_records(const RecordsView *records, int64_t from, EachRecord each, void *arg, Arena *arena)
{
    const uint8_t *at = records->ptr;
    int32_t left = records->len;
    int64_t next = from;
    while (left >= BATCH_HEADER_BYTES) {
        int32_t bytes = (int32_t)wire_load32(at + 8) + 12;
        if (bytes > left) {
            break;
        }
        RecordIter *iter = record_iter_open((BytesView){at, bytes}, arena);
        Record record;
        while (record_iter_next(iter, &record) == RECORD_OK) {
            if (record.offset >= from) {
                if (!each(&record, arg)) {
                    return -1;
                }
                next = record.offset + 1;
            }
        }
        record_iter_close(iter);
        at += bytes;
        left -= bytes;
    }
    return next;
}

/* What the answer says of the session. False: there is none any more, begin anew. */
static bool
session_goes_on(Reading *r, const FetchResponse *response)
{
    bool known = response->error_code == 0;
    if (!known && response->error_code != KERR_FETCH_SESSION_ID_NOT_FOUND &&
        response->error_code != KERR_INVALID_FETCH_SESSION_EPOCH) {
        client_fail(r->me, "fetch session error", response->error_code);
    }
    r->session_id = known ? response->session_id : 0;
    r->session_epoch = r->session_id == 0 ? 0 : r->session_epoch + 1;
    return known;
}

WireResult
fetch_once(Reading *r, FetchResponsePartition *ret)
{
    FetchRequest request;
    FetchResponse response;
    FetchRequestPartition partition;
    FetchRequestTopic topic;
    fetch_request_init(&request);
    fetch_request_partition_init(&partition);
    fetch_request_topic_init(&topic);
    partition.partition = r->partition;
    partition.fetch_offset = r->next;
    partition.partition_max_bytes = FETCH_BYTES;
    topic.topic = STRVIEW(TOPIC);
    topic.partitions = &partition;
    topic.partitions_count = 1;
    request.max_wait_ms = 500;
    request.min_bytes = 1;
    request.max_bytes = FETCH_BYTES;
    request.topics = &topic;
    request.topics_count = 1;
    request.session_id = r->session_id;
    request.session_epoch = r->sessions ? r->session_epoch : -1;
    WireResult result =
        wire_client_call(r->client, &(WireCall){1, 12, &fetch_request_desc, &request,
                                                &fetch_response_desc, &response});
    if (result != WIRE_OK) {
        return result;
    }
    fetch_response_partition_init(ret);
    if ((!r->sessions || session_goes_on(r, &response)) && response.responses_count > 0) {
        *ret = response.responses[0].partitions[0];
    }
    return result;
}
