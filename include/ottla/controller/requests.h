/*
 * requests.h - what backends ask the controller worker, and what it answers
 *
 * A request travels by mailbox (worker MBOX_CONTROLLER) as the client sent it, with the facts about
 * the client in front. APIs: CreateTopics, DeleteTopics, CreatePartitions; for the node's own
 * use AllocateProducerIds (version 0). Auto-creation of a topic is a CreateTopics of the
 * backend's own making. The backend has decided rights before; what the client may not touch is not
 * in the body.
 *
 * The answer is a status and, when that is 0, the encoded response body of the same version. A
 * status other than 0 says that the request was not decided; the backend makes the API's own
 * response out of it (7: no room or time, 41: not active, 42: body not readable, 35: API or version not served here, -1).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_REQUESTS_H
#define OTTLA_CONTROLLER_REQUESTS_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"
#include "ottla/controller/quota_hosts.h"

/*
 * Longest body that is handed over. The controller spends some thirty times a body's size on deciding it and
 * serves all clients, so one of them may not send it everything that a request may be; the 10,000 records
 * that one request may make fit many times.
 */
#define CONTROLLER_BODY_MAX (8 << 20)

/* Views into the caller's memory when encoding, into the message when decoding. */
typedef struct ControllerRequest {
    int16_t api_key;
    int16_t api_version;
    bool auto_create;       /* CreateTopics of the broker itself: internal names are allowed */
    StrView client_id;      /* null: none */
    StrView principal;      /* "User:ANONYMOUS" */
    StrView listener;       /* name of the listener it came in on */
    const KnownHost *hosts; /* of AlterClientQuotas: names that have an address, sorted by strcmp */
    int32_t host_count;     /* at most QUOTA_HOSTS_MAX */
    BytesView body;         /* request body, without header */
} ControllerRequest;

typedef struct ControllerReply {
    int16_t status; /* 0: body is the response */
    BytesView body;
} ControllerReply;

/* The message for mbox_submit, in the arena; ptr NULL: no memory. */
BytesView controller_request_encode(const ControllerRequest *request, Arena *arena);

/* False: not such a message (a fault of our own code on the other side). */
bool controller_request_decode(BytesView message, ControllerRequest *ret);

/* The reply that mbox_poll collected. False: too short. */
bool controller_reply_decode(BytesView message, ControllerReply *ret);

/* Bytes in front of a reply's body. */
#define CONTROLLER_REPLY_HEAD 2

#endif
