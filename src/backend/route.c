/*
 * route.c - asking the coordinator of a group: which worker, hand over, wait
 *
 * Runs in: backend. Spec: groups-and-transactions.md 8.1, 8.7; design.md 11. A worker that does not
 * run has nothing loaded: 14. One that dies, or does not answer in time, leaves it open what came of the
 * request; every request may be repeated: 15, OffsetFetch 16 (old consumers do not repeat after 15),
 * classic Heartbeat as while loading, so that nobody rejoins because of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/route_int.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "backend/conn_int.h"
#include "backend/internal_topics_int.h"
#include "ottla/common/conf.h"
#include "ottla/common/errlist.h"
#include "ottla/controller/image.h"
#include "ottla/coordinator/requests.h"
#include "ottla/coordinator/shared.h"
#include "ottla/groups/group_hash.h"
#include "ottla/ipc/node.h"

#define REPLY_BYTES     (64 << 20) /* all offsets of a group, all members of its leader's answer */
#define HEAD_BYTES      4096       /* in front of a body: names of the client */
#define ANSWER_SLACK_US (10 * INT64_C(1000000)) /* for a worker that is busy */

/*
 * A worker with parked requests has a turn each second. One that has had none for so long is stopped, or hangs in its
 * disk, and its timers end nobody's wait. A rebalance timeout is no bound for that: it may be days, and of
 * another member. Clients ask again as after a death.
 */
#define STANDSTILL_US INT64_C(15000000)

/* Longest wait for the others of a group: above every timeout that clients use. */
#define PARKED_WAIT_US (INT64_C(3600) * 1000 * 1000)

int16_t
route_worker(StrView group_id, MboxWorker *ret)
{
    ImagePin pin = image_pin();
    const ImageTopic *topic =
        pin.image == NULL ? NULL
                          : image_topic_by_name(pin.image, internal_topic_name(INTERNAL_OFFSETS));
    int16_t code = KERR_NOT_COORDINATOR;
    ImagePartition part;
    int32_t partition;

    if (topic != NULL) {
        partition = group_partition_of(group_id, image_topic_partition_count(topic));
        if (image_topic_partition(topic, partition, &part) && part.leader == node_info.node_id) {
            *ret = coordinator_worker_of(partition);
            code = 0;
        }
    }
    image_unpin(&pin);
    return code;
}

static int16_t
lost_code(const Request *rq)
{
    switch (rq->head.api->key) {
    case API_OffsetFetch:
        return KERR_NOT_COORDINATOR;
    case API_Heartbeat:
        return KERR_COORDINATOR_LOAD_IN_PROGRESS;
    default:
        return KERR_COORDINATOR_NOT_AVAILABLE;
    }
}

static void
end_with(RouteCall *call, int16_t status)
{
    call->over = true;
    call->status = status;
}

/*
 * "/1.2.3.4", as the groups of Kafka show their members; addresses of IPv6 with all their zeros, as Java
 * writes them. A client of the Unix socket is on this machine.
 */
static StrView
client_host(const Request *rq)
{
    const char *peer = rq->conn->peer;
    const char *colon = strrchr(peer, ':');
    int len = colon == NULL ? 0 : (int)(colon - peer);
    bool v6 = len >= 2 && peer[0] == '[' && peer[len - 1] == ']';
    char address[INET6_ADDRSTRLEN];
    struct in6_addr in;
    const char *text;

    if (len == 0)
        return STRVIEW("/127.0.0.1");
    snprintf(address, sizeof address, "%.*s", v6 ? len - 2 : len, v6 ? peer + 1 : peer);
    if (v6 && inet_pton(AF_INET6, address, &in) == 1) {
        uint16_t w[8];

        for (int i = 0; i < 8; i++)
            w[i] = wire_load16(in.s6_addr + 2 * i);
        text = arena_printf(rq->arena, "/%x:%x:%x:%x:%x:%x:%x:%x", w[0], w[1], w[2], w[3], w[4],
                            w[5], w[6], w[7]);
    } else {
        text = arena_printf(rq->arena, "/%s", address);
    }
    return text == NULL ? STRVIEW("/") : strview_from(text);
}

void
route_begin(Request *rq, RouteCall *call, MboxWorker worker, BytesView body)
{
    CoordinatorRequest request = {.api_key = rq->head.api->key,
                                  .api_version = rq->head.api_version,
                                  .client_id = rq->head.client_id,
                                  .client_host = client_host(rq),
                                  .principal = strview_from(rq->conn->principal),
                                  .listener = strview_from(rq->conn->endpoint->name),
                                  .body = body};
    BytesView bytes;
    ErrInfo err;

    *call = (RouteCall){0};
    if (!mbox_worker_is_open(worker)) {
        end_with(call, KERR_COORDINATOR_LOAD_IN_PROGRESS);
        return;
    }
    request_grow(rq, (size_t)body.len + HEAD_BYTES + REPLY_BYTES);
    bytes = coordinator_request_encode(&request, rq->arena);
    if (bytes.ptr == NULL || mbox_submit(&call->call, worker, bytes, rq->arena, &err) != 0)
        end_with(call, KERR_UNKNOWN_SERVER_ERROR);
}

void
route_begin_message(Request *rq, RouteCall *call, MboxWorker worker, const void *msg)
{
    const MessageDesc *desc = message_find_by_number(MESSAGE_REQUEST, rq->head.api->key);
    WireSizer size = {0};
    uint8_t *bytes = NULL;
    WireWriter w;

    desc->size(&size, rq->head.api_version, msg);
    if (size.err == 0 && size.bytes <= INT32_MAX) {
        request_grow(rq, size.bytes);
        bytes = arena_alloc(rq->arena, size.bytes);
    }
    if (bytes == NULL) {
        end_with(call, KERR_UNKNOWN_SERVER_ERROR);
        return;
    }
    wire_writer_init(&w, bytes, size.bytes);
    desc->write(&w, rq->head.api_version, msg);
    route_begin(rq, call, worker, (BytesView){bytes, (int32_t)size.bytes});
}

/* A parked call's deadline moves on as long as the worker does. */
static bool
may_wait_on(Request *rq, const RouteCall *call)
{
    int64_t turn_us;

    if (rq->now_us < rq->deadline_us || call->park_end_us == 0)
        return rq->now_us < rq->deadline_us;
    turn_us = coordinator_last_turn_us((int)(call->call.worker - MBOX_COORDINATOR_FIRST));
    rq->deadline_us =
        turn_us + STANDSTILL_US < call->park_end_us ? turn_us + STANDSTILL_US : call->park_end_us;
    return rq->now_us < rq->deadline_us;
}

bool
route_poll(Request *rq, RouteCall *call)
{
    if (call->over)
        return true;
    switch (mbox_poll(&call->call)) {
    case MBOX_DONE:
        if (coordinator_reply_decode((BytesView){call->call.reply, (int32_t)call->call.reply_size},
                                     &call->reply))
            end_with(call, call->reply.status);
        else
            end_with(call, KERR_UNKNOWN_SERVER_ERROR);
        return true;
    case MBOX_NO_WORKER:
        end_with(call, lost_code(rq));
        return true;
    case MBOX_NO_MEMORY:
        end_with(call, KERR_UNKNOWN_SERVER_ERROR);
        return true;
    case MBOX_WAITING:
        break;
    }
    if (!rq->cancelled && may_wait_on(rq, call))
        return false;
    route_drop(call);
    end_with(call, lost_code(rq));
    return true;
}

void
route_drop(RouteCall *call)
{
    if (!call->over)
        mbox_cancel(&call->call);
}

int64_t
route_deadline_us(const Request *rq)
{
    return rq->now_us + (int64_t)conf_int32(CONF_OFFSETS_COMMIT_TIMEOUT_MS) * 1000 +
           ANSWER_SLACK_US;
}

void
route_park(Request *rq, RouteCall *call)
{
    rq->deadline_us = rq->now_us + STANDSTILL_US;
    call->park_end_us = rq->now_us + PARKED_WAIT_US;
}

int16_t
route_body_code(const Request *rq, BytesView body)
{
    const MessageDesc *desc = message_find_by_number(MESSAGE_RESPONSE, rq->head.api->key);
    const FieldDesc *first = &desc->body->fields[0];
    int32_t at = 0;

    if (strcmp(first->name, "throttleTimeMs") == 0 && rq->head.api_version >= first->versions.lo)
        at = 4;
    return body.len < at + 2 ? 0 : (int16_t)wire_load16(body.ptr + at);
}
