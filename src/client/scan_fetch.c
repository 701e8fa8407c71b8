/*
 * scan_fetch.c - the fetches of a scan: how much, from whom, and what an error means
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: looks into batches beyond what scan.c asks for.
 *
 * How much: when a bound (an end before the log's, a limit) says how many offsets are wanted, the bytes of these are
 * guessed from what came before, so that little is sent that nobody looks at. The server sends at least one batch.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "client/scan_int.h"

#include "ottla/common/clock.h"

#define FETCH_VERSION_MAX  12 /* later ones name topics by id */
#define GUESS_RECORD_BYTES 64
#define WAIT_AT_END_MS     500

/* Bytes worth asking for from a partition now. */
static int32_t
bytes_for(const ClientScan *scan, const ScanPart *part)
{
    int64_t most =
        scan->options.partition_bytes > 0 ? scan->options.partition_bytes : SCAN_FETCH_BYTES;
    int64_t wanted = part->end == INT64_MAX ? INT64_MAX : part->end - part->next;
    int64_t bytes;

    if (scan->options.limit > 0 && scan->options.limit - scan->counts.records < wanted)
        wanted = scan->options.limit - scan->counts.records;
    if (wanted < 1)
        wanted = 1;
    if (part->seen_offsets > 0 && wanted < SCAN_FETCH_MAX_BYTES &&
        part->seen_bytes / part->seen_offsets < SCAN_FETCH_MAX_BYTES)
        bytes = wanted * (part->seen_bytes / part->seen_offsets + 1);
    else
        bytes = wanted < SCAN_FIRST_BYTES / GUESS_RECORD_BYTES ? wanted * GUESS_RECORD_BYTES
                : wanted == INT64_MAX                          ? most
                                                               : SCAN_FIRST_BYTES;
    if (bytes > most)
        bytes = most;
    if (bytes < part->ask_bytes)
        bytes = part->ask_bytes;
    return (int32_t)bytes;
}

static bool
needs_fetch(const ScanPart *part)
{
    return !part->done && part->data.len == 0;
}

/* One request to one leader for the partitions chosen (nodes[i] == node). */
static int
add_request(ClientScan *scan, ClientRequest *rq, int32_t node, const int32_t *nodes, Fault *f)
{
    FetchRequest *request = arena_alloc(scan->fetched, sizeof *request);
    FetchResponse *response = arena_alloc(scan->fetched, sizeof *response);
    FetchRequestTopic *topic = arena_alloc(scan->fetched, sizeof *topic);
    FetchRequestPartition *parts =
        arena_calloc(scan->fetched, (size_t)scan->part_count, sizeof *parts);

    if (request == NULL || response == NULL || topic == NULL || parts == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a fetch");
    fetch_request_init(request);
    fetch_request_topic_init(topic);
    request->max_wait_ms = scan->options.follow ? scan->options.max_wait_ms : WAIT_AT_END_MS;
    request->min_bytes = 1;
    request->max_bytes = SCAN_FETCH_MAX_BYTES;
    request->isolation_level = scan->options.uncommitted ? 0 : 1;
    request->session_epoch = -1;
    request->rack_id = STRVIEW("");
    request->topics = topic;
    request->topics_count = 1;
    topic->topic = scan->options.topic;
    topic->partitions = parts;
    for (int32_t i = 0; i < scan->part_count; i++) {
        FetchRequestPartition *to = &parts[topic->partitions_count];

        if (nodes[i] != node)
            continue;
        fetch_request_partition_init(to);
        to->partition = scan->parts[i].partition;
        to->fetch_offset = scan->parts[i].next;
        to->partition_max_bytes = bytes_for(scan, &scan->parts[i]);
        topic->partitions_count++;
    }
    *rq = (ClientRequest){
        .call = client_call_to(node, API_Fetch), .request = request, .response = response};
    rq->call.version_max = FETCH_VERSION_MAX;
    rq->call.timeout_ms = scan->c->target.request_timeout_ms + request->max_wait_ms;
    return 0;
}

/* Chooses who is asked: nodes[i] is the leader to ask for partition i, -1: not now. */
static int
choose(ClientScan *scan, int32_t *nodes, Fault *f)
{
    for (int32_t i = 0; i < scan->part_count; i++)
        nodes[i] = -1;
    for (int32_t k = 0; k < scan->part_count; k++) {
        int32_t i = (scan->turn + k) % scan->part_count;

        if (!needs_fetch(&scan->parts[i]))
            continue;
        if (client_leader(scan->c, scan->options.topic, scan->parts[i].partition, &nodes[i], f) !=
            0)
            return -1;
        if (!scan->options.follow) {
            scan->turn = i;
            return 0;
        }
    }
    return 0;
}

/* An error of one partition. 1: to be tried again, with *f filled for the case that time is over. */
static int
partition_error(ClientScan *scan, ScanPart *part, const FetchResponsePartition *from, int32_t node,
                Fault *f)
{
    bool wants_metadata;

    /* Retention has removed what was there when the scan began. */
    if (from->error_code == KERR_OFFSET_OUT_OF_RANGE && from->log_start_offset > part->next) {
        part->next = from->log_start_offset;
        part->done = part->next >= part->end;
        return 0;
    }
    if (from->error_code == KERR_OFFSET_OUT_OF_RANGE && !scan->options.follow) {
        ClientOffset start = {.partition = part->partition};
        ClientOffsetsQuery earliest = {scan->options.topic, CLIENT_OFFSET_EARLIEST, false};

        if (client_offsets(scan->c, &earliest, &start, 1, f) != 0)
            return -1;
        if (start.offset > part->next) {
            part->next = start.offset;
            part->done = part->next >= part->end;
            return 0;
        }
    }
    (void)fault_kafka(f, from->error_code, node, "topic \"%s\" partition %d offset %lld: %s",
                      scan->topic, part->partition, (long long)part->next,
                      fault_kafka_text(from->error_code));
    if (!client_retryable(from->error_code, &wants_metadata) ||
        from->error_code == KERR_CORRUPT_MESSAGE)
        return -1;
    if (wants_metadata)
        client_refresh(scan->c);
    return 1;
}

/* Takes what came for one partition. Results as partition_error. */
static int
take_partition(ClientScan *scan, ScanPart *part, const FetchResponsePartition *from, int32_t node,
               Fault *f)
{
    if (from->error_code != KERR_NONE)
        return partition_error(scan, part, from, node, f);
    if (from->records.len > 0 && part->asked_next == part->next &&
        part->ask_bytes <= part->asked_bytes)
        return fault_set(f, FAULT_BAD_REPLY,
                         "topic \"%s\" partition %d: nothing of use comes for offset %lld",
                         scan->topic, part->partition, (long long)part->next);
    if (from->records.len > 0) {
        part->asked_next = part->next;
        part->asked_bytes = bytes_for(scan, part);
    }
    part->data = (BytesView){from->records.ptr, from->records.ptr == NULL ? 0 : from->records.len};
    part->aborted = from->aborted_transactions;
    part->aborted_count = scan->options.uncommitted || from->aborted_transactions_count < 0
                              ? 0
                              : from->aborted_transactions_count;
    scan->counts.bytes += part->data.len;
    /* Nothing came although the log goes on behind the end: compaction left a hole there. */
    if (part->data.len == 0 && part->end != INT64_MAX &&
        (scan->options.uncommitted ? from->high_watermark : from->last_stable_offset) >= part->end)
        part->done = true;
    return 0;
}

static int
take_answer(ClientScan *scan, const ClientRequest *rq, Fault *f)
{
    const FetchResponse *response = rq->response;
    bool again = false;

    if (rq->status != 0) {
        *f = rq->fault;
        return -1;
    }
    if (response->error_code != KERR_NONE)
        return fault_kafka(f, response->error_code, rq->call.node_id, "fetch from topic \"%s\"",
                           scan->topic);
    for (int32_t i = 0; i < response->responses_count; i++) {
        const FetchResponseTopic *topic = &response->responses[i];

        /* Each is compared with each of the scan's: more than there are would take for ever. */
        if (response->responses_count > 1 || topic->partitions_count > scan->part_count)
            return fault_set(f, FAULT_BAD_REPLY,
                             "topic \"%s\": an answer to Fetch about more than "
                             "was asked for",
                             scan->topic);
        for (int32_t j = 0; j < topic->partitions_count; j++) {
            for (int32_t k = 0; k < scan->part_count; k++) {
                ScanPart *part = &scan->parts[k];
                int status;

                if (part->partition != topic->partitions[j].partition_index || !needs_fetch(part))
                    continue;
                status = take_partition(scan, part, &topic->partitions[j], rq->call.node_id, f);
                if (status < 0)
                    return -1;
                again = again || status == 1;
            }
        }
    }
    return again ? 1 : 0;
}

/* Sends the requests and takes the answers. 1: something is to be tried again. */
static int
one_round(ClientScan *scan, Fault *f)
{
    int32_t *nodes;
    int32_t count = 0;
    bool again = false;

    arena_reset(scan->fetched);
    nodes = arena_alloc(scan->fetched, (size_t)scan->part_count * sizeof *nodes);
    if (nodes == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for a fetch");
    if (choose(scan, nodes, f) != 0)
        return -1;
    for (int32_t i = 0; i < scan->part_count; i++) {
        bool known = nodes[i] < 0;

        for (int32_t k = 0; k < count && !known; k++)
            known = scan->requests[k].call.node_id == nodes[i];
        if (!known && count < scan->request_max &&
            add_request(scan, &scan->requests[count++], nodes[i], nodes, f) != 0)
            return -1;
    }
    if (count == 0)
        return 0;
    scan->counts.fetches += count;
    if (client_call_many(scan->c, scan->requests, count, scan->fetched, f) != 0)
        return -1;
    for (int32_t k = 0; k < count; k++) {
        int status = take_answer(scan, &scan->requests[k], f);

        if (status < 0)
            return -1;
        again = again || status == 1;
    }
    return again ? 1 : 0;
}

int
scan_fetch(ClientScan *scan, Fault *f)
{
    int64_t deadline_ms = client_deadline(scan->c);

    for (int attempt = 1;; attempt++) {
        int status = one_round(scan, f);
        int more;

        if (status <= 0)
            return status;
        /* What came is looked at first: its memory goes with the next round. */
        for (int32_t i = 0; i < scan->part_count; i++) {
            if (scan->parts[i].data.len > 0)
                return 0;
        }
        more = client_backoff(scan->c, attempt, deadline_ms, f);
        if (more != 0)
            return -1;
    }
}
