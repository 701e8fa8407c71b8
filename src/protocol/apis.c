/*
 * apis.c - the rows of apis.h by key
 *
 * Runs everywhere. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/apis.h"

#include <stddef.h>

#define API_AUTH_BEFORE true
#define API_AUTH_AFTER  false

#define X(api_key, api_name, lo, hi, serve, flexible, listeners, auth, memory, quota, now) \
    [(api_key) % API_PRIVATE_MIN] = {                                                      \
        .name = #api_name,                                                                 \
        .key = api_key,                                                                    \
        .offer_lo = lo,                                                                    \
        .offer_hi = hi,                                                                    \
        .serve_lo = serve,                                                                 \
        .flexible_from = flexible,                                                         \
        .where = API_ON_##listeners,                                                       \
        .throttle = API_THROTTLE_##quota,                                                  \
        .state = API_STATE_##now,                                                          \
        .before_auth = API_AUTH_##auth,                                                    \
        .memory_factor = memory,                                                           \
    },
static const ApiInfo apis[API_KEY_MAX + 1] = {API_TABLE(X)};
static const ApiInfo own_apis[API_PRIVATE_MAX - API_PRIVATE_MIN + 1] = {API_PRIVATE_TABLE(X)};
#undef X

const ApiInfo *
api_find(int16_t key)
{
    if (key >= API_PRIVATE_MIN && key <= API_PRIVATE_MAX)
        return &own_apis[key - API_PRIVATE_MIN];
    if (key < 0 || key > API_KEY_MAX || apis[key].name == NULL)
        return NULL;
    return &apis[key];
}

size_t
api_memory_bytes(const ApiInfo *api, size_t request_bytes)
{
    size_t plain = 2 * request_bytes;
    size_t dense = api->memory_factor * request_bytes;

    if (dense > API_DENSE_MAX_BYTES)
        dense = API_DENSE_MAX_BYTES;
    return dense > plain ? dense : plain;
}
