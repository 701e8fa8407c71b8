/*
 * group_apis_int.h - the APIs that concern one group and go to its coordinator as they are
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_GROUP_APIS_INT_H
#define OTTLA_BACKEND_GROUP_APIS_INT_H

#include <stddef.h>

#include "backend/request_int.h"
#include "ottla/protocol/messages.h"

typedef struct GroupApi {
    const MessageDesc *request;
    size_t group_at; /* of the group's id in the request's struct */
    WaitEvent wait_event;
    bool parks; /* the coordinator answers when others have come, too */
    /* The answer to a request that the coordinator did not decide. */
    ReqResult (*fail)(Request *rq, const void *in, int16_t code);
} GroupApi;

/* NULL: not such an API. */
const GroupApi *group_api(int16_t api_key);

#endif
