/*
 * h_describe_cluster.c - DescribeCluster: brokers, as this listener's clients reach them
 *
 * Runs in: backend. Spec: observed.md 7.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "ottla/ipc/node.h"
#include "ottla/protocol/msg_describe_cluster.h"

#define ENDPOINT_BROKERS     1
#define ENDPOINT_CONTROLLERS 2

static bool
list_brokers(Request *rq, const Image *image, bool fenced_too, DescribeClusterResponse *out)
{
    StrView listener = meta_listener(rq->conn);
    int32_t count = image_broker_count(image);

    out->brokers = arena_calloc(rq->arena, (size_t)count, sizeof *out->brokers);
    if (out->brokers == NULL)
        return false;
    for (const ImageBroker *b = image_broker_after(image, INT32_MIN); b != NULL;
         b = image_broker_after(image, b->id)) {
        const ImageEndpoint *endpoint = image_broker_endpoint(b, listener);
        DescribeClusterResponseBroker *to = &out->brokers[out->brokers_count];

        if (endpoint == NULL || (b->fenced && !fenced_too))
            continue;
        describe_cluster_response_broker_init(to);
        to->broker_id = b->id;
        to->host = meta_copy(rq->arena, endpoint->host);
        to->port = endpoint->port;
        to->rack = meta_copy(rq->arena, b->rack);
        to->is_fenced = b->fenced && rq->head.api_version >= 2;
        out->brokers_count++;
    }
    return true;
}

ReqResult
h_describe_cluster_start(Request *rq)
{
    DescribeClusterRequest in;
    DescribeClusterResponse out;
    ImagePin pin;
    bool ok;

    if (!request_read(rq, &describe_cluster_request_desc, &in))
        return REQ_CLOSE;
    describe_cluster_response_init(&out);
    out.cluster_id = strview_from(node_info.cluster_id);
    if (in.endpoint_type != ENDPOINT_BROKERS) {
        bool controllers = in.endpoint_type == ENDPOINT_CONTROLLERS;

        rq->failed = true;
        out.error_code =
            controllers ? KERR_MISMATCHED_ENDPOINT_TYPE : KERR_UNSUPPORTED_ENDPOINT_TYPE;
        out.error_message = controllers
                                ? STRVIEW("This listener is one of brokers, not of controllers.")
                                : STRVIEW("The endpoint type is not known.");
        return request_respond(rq, &describe_cluster_response_desc, &out);
    }
    pin = image_pin();
    out.controller_id = image_controller_id(pin.image);
    ok = list_brokers(rq, pin.image, in.include_fenced_brokers, &out);
    image_unpin(&pin);
    if (!ok)
        return request_close(rq, "no memory for the list of brokers");
    if (in.include_cluster_authorized_operations)
        out.cluster_authorized_operations = META_CLUSTER_OPERATIONS;
    return request_respond(rq, &describe_cluster_response_desc, &out);
}
