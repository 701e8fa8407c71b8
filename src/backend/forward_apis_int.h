/*
 * forward_apis_int.h - the APIs that the controller decides
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_FORWARD_APIS_INT_H
#define OTTLA_BACKEND_FORWARD_APIS_INT_H

#include "backend/request_int.h"
#include "ottla/protocol/messages.h"

typedef struct ForwardRow {
    const MessageDesc *request;
    /* The answer to a request that the controller did not decide: in is the request's struct. */
    ReqResult (*fail)(Request *rq, const void *in, int16_t code);
} ForwardRow;

/* NULL: not an API that the controller decides. */
const ForwardRow *forward_row(int16_t api_key);

#endif
