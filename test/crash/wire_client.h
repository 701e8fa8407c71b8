/*
 * wire_client.h - the smallest client that tests need: one connection, one request at a time
 *
 * Made of the project's own codecs, so that a test sees every byte, every break of the connection
 * and every error code; real client libraries hide these. Blocks, with a deadline on each answer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_WIRE_CLIENT_H
#define TEST_WIRE_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/protocol/messages.h"

typedef struct WireClient {
    int fd; /* -1: not connected */
    uint16_t server_port;
    uint16_t local_port;
    int32_t correlation_id;
    Arena *arena; /* of the last call; forgotten at the next one */
} WireClient;

typedef enum WireResult {
    WIRE_OK,
    WIRE_BROKEN,  /* the connection ended */
    WIRE_SILENCE, /* no answer within WIRE_ANSWER_SECONDS: the node is stuck */
} WireResult;

#define WIRE_ANSWER_SECONDS 20

void wire_client_init(WireClient *client, uint16_t server_port);
void wire_client_close(WireClient *client);

/* False: nobody listens now. */
bool wire_client_connect(WireClient *client);

/* What is asked and where the answer goes; both structs belong to the messages described. */
typedef struct WireCall {
    int16_t api_key;
    int16_t version;
    const MessageDesc *request_desc;
    const void *request;
    const MessageDesc *response_desc;
    void *ret_response; /* its views live until the next call */
} WireCall;

WireResult wire_client_call(WireClient *client, const WireCall *call);

#endif
