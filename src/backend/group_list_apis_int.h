/*
 * group_list_apis_int.h - the APIs that name several groups, each answered by its own coordinator
 *
 * What the four have in common: an array of keys that are, or begin with, a group id, and an array of
 * results that each carry one. The table says where they lie.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_GROUP_LIST_APIS_INT_H
#define OTTLA_BACKEND_GROUP_LIST_APIS_INT_H

#include <stddef.h>

#include "backend/request_int.h"
#include "ottla/protocol/messages.h"

/* Where an array lies in a struct: its pointer, its count (int32_t), the bytes of an element. */
typedef struct ArrayPlace {
    size_t pointer_at;
    size_t count_at;
    size_t element_bytes;
} ArrayPlace;

typedef struct GroupListApi {
    const MessageDesc *request;
    const MessageDesc *response;
    ArrayPlace keys;        /* each begins with the group id, a StrView */
    ArrayPlace results;     /* in the response */
    size_t result_group_at; /* of the group id in a result */
    bool plain;             /* keys are ids and nothing else: the same id gets the same answer, */
    bool unique;            /* and only once */
    bool no_empty_id;       /* "" is refused with 24 */
    void (*init_result)(void *ret);
    void (*set_code)(void *result, int16_t code);
    /*
     * Fills in what the coordinator does not know of a group that it answered. Called where `edits` says that
     * there is something to fill in; both may be NULL.
     */
    bool (*edits)(int16_t version, const void *in);
    void (*edit)(int16_t version, void *result);
} GroupListApi;

/* NULL: not such an API. */
const GroupListApi *group_list_api(int16_t api_key);

#endif
