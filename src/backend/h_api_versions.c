/*
 * h_api_versions.c - ApiVersions: what this listener serves, and the cluster's features
 *
 * Runs in: backend. Spec: admin-and-security.md 2.9; observed.md 5. The list is the table of
 * protocol/apis.h: exactly what works.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "backend/names_int.h"
#include "ottla/common/text.h"
#include "ottla/ipc/node.h"
#include "ottla/protocol/msg_api_versions.h"

#define FEATURES_MAX 32 /* of the node or the cluster; there are seven */

/* An unknown version is answered in the oldest layout, with our own range alone. */
static ReqResult
answer_unknown_version(Request *rq)
{
    ApiVersionsResponseApiVersion own;
    ApiVersionsResponse out;

    api_versions_response_api_version_init(&own);
    own.api_key = API_ApiVersions;
    own.min_version = rq->head.api->offer_lo;
    own.max_version = rq->head.api->offer_hi;
    api_versions_response_init(&out);
    out.error_code = KERR_UNSUPPORTED_VERSION;
    out.api_keys = &own;
    out.api_keys_count = 1;
    rq->failed = true;
    return request_respond_version(rq, &api_versions_response_desc, &out, 0);
}

static void
list_range(int16_t from, int16_t to, ApiState state, ApiVersionsResponse *out)
{
    for (int16_t key = from; key <= to; key++) {
        const ApiInfo *api = api_find(key);
        ApiVersionsResponseApiVersion *row;

        if (api == NULL || api->state != state || (api->where & API_ON_BROKER) == 0)
            continue;
        row = &out->api_keys[out->api_keys_count++];
        api_versions_response_api_version_init(row);
        row->api_key = key;
        row->min_version = api->offer_lo;
        row->max_version = api->offer_hi;
    }
}

static bool
list_apis(Request *rq, ApiVersionsResponse *out)
{
    int16_t private_count = API_PRIVATE_MAX - API_PRIVATE_MIN + 1;

    out->api_keys =
        arena_calloc(rq->arena, (size_t)API_KEY_MAX + 1 + private_count, sizeof *out->api_keys);
    if (out->api_keys == NULL)
        return false;
    list_range(0, API_KEY_MAX, API_STATE_NOW, out);
    if (conn_is_own(rq->conn))
        list_range(API_PRIVATE_MIN, API_PRIVATE_MAX, API_STATE_PRIVATE, out);
    return true;
}

/* What this node can do; a range that begins at 0 is told from version 4 on (KIP-1022). */
static bool
list_supported(Request *rq, const Image *image, ApiVersionsResponse *out)
{
    const ImageBroker *self = image_broker(image, node_info.node_id);

    out->supported_features =
        arena_calloc(rq->arena, FEATURES_MAX, sizeof *out->supported_features);
    if (out->supported_features == NULL)
        return false;
    for (int32_t i = 0; self != NULL && i < self->feature_count; i++) {
        const ImageFeatureRange *range = &self->features[i];
        ApiVersionsResponseSupportedFeature *row;

        if ((range->min == 0 && rq->head.api_version < 4) ||
            out->supported_features_count == FEATURES_MAX)
            continue;
        row = &out->supported_features[out->supported_features_count++];
        api_versions_response_supported_feature_init(row);
        row->name = meta_copy(rq->arena, range->name);
        row->min_version = range->min;
        row->max_version = range->max;
    }
    return true;
}

static bool
list_finalized(Request *rq, const Image *image, ApiVersionsResponse *out)
{
    StrView after = {NULL, 0}, name;
    int16_t level;

    out->finalized_features =
        arena_calloc(rq->arena, FEATURES_MAX, sizeof *out->finalized_features);
    if (out->finalized_features == NULL)
        return false;
    while (out->finalized_features_count < FEATURES_MAX &&
           image_feature_after(image, after, &name, &level)) {
        ApiVersionsResponseFinalizedFeature *row =
            &out->finalized_features[out->finalized_features_count++];

        api_versions_response_finalized_feature_init(row);
        row->name = meta_copy(rq->arena, name);
        row->max_version_level = level;
        row->min_version_level = level;
        after = name;
    }
    out->finalized_features_epoch = image_offset(image);
    return true;
}

static void
remember_software(Conn *conn, const ApiVersionsRequest *in)
{
    snprintf(conn->software_name, sizeof conn->software_name, "%.*s",
             (int)in->client_software_name.len, in->client_software_name.ptr);
    snprintf(conn->software_version, sizeof conn->software_version, "%.*s",
             (int)in->client_software_version.len, in->client_software_version.ptr);
    conn->software_is_new = true;
}

ReqResult
h_api_versions_start(Request *rq)
{
    ApiVersionsRequest in;
    ApiVersionsResponse out;

    if (!api_serves(rq->head.api, rq->head.api_version))
        return answer_unknown_version(rq);
    if (!request_read(rq, &api_versions_request_desc, &in))
        return REQ_CLOSE;
    api_versions_response_init(&out);
    if (rq->head.api_version >= 3 && (!name_is_legal_software(in.client_software_name) ||
                                      !name_is_legal_software(in.client_software_version))) {
        out.error_code = KERR_INVALID_REQUEST;
        rq->failed = true;
        return request_respond(rq, &api_versions_response_desc, &out);
    }
    if (rq->head.api_version >= 3)
        remember_software(rq->conn, &in);
    if (!list_apis(rq, &out))
        return request_close(rq, "no memory for the list of APIs");
    if (rq->head.api_version >= 3) {
        ImagePin pin = image_pin();
        bool ok = pin.image == NULL ||
                  (list_supported(rq, pin.image, &out) && list_finalized(rq, pin.image, &out));

        image_unpin(&pin);
        if (!ok)
            return request_close(rq, "no memory for the list of features");
    }
    return request_respond(rq, &api_versions_response_desc, &out);
}
