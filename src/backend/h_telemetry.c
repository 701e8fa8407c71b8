/*
 * h_telemetry.c - GetTelemetrySubscriptions and PushTelemetry where no receiver is configured
 *
 * Not offered, but answered when sent, as Kafka does without a metrics plug-in (observed.md 5): no
 * metrics are wanted, and what is pushed all the same is refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "ottla/common/errlist.h"
#include "ottla/common/random.h"
#include "ottla/protocol/msg_get_telemetry_subscriptions.h"
#include "ottla/protocol/msg_push_telemetry.h"

#define PUSH_INTERVAL_MS    300000
#define TELEMETRY_BYTES_MAX 1048576

static ReqResult
subscriptions(Request *rq)
{
    static int8_t codecs[] = {4, 3, 1, 2}; /* in Kafka's order of preference */
    GetTelemetrySubscriptionsRequest in;
    GetTelemetrySubscriptionsResponse out;

    if (!request_read(rq, &get_telemetry_subscriptions_request_desc, &in))
        return REQ_CLOSE;
    get_telemetry_subscriptions_response_init(&out);
    out.client_instance_id = in.client_instance_id;
    if (uuid_is_zero(in.client_instance_id))
        random_bytes(out.client_instance_id.b, sizeof out.client_instance_id.b);
    out.accepted_compression_types = codecs;
    out.accepted_compression_types_count = sizeof codecs;
    out.push_interval_ms = PUSH_INTERVAL_MS;
    out.telemetry_max_bytes = TELEMETRY_BYTES_MAX;
    out.delta_temporality = true;
    return request_respond(rq, &get_telemetry_subscriptions_response_desc, &out);
}

static ReqResult
push(Request *rq)
{
    PushTelemetryRequest in;
    PushTelemetryResponse out;

    if (!request_read(rq, &push_telemetry_request_desc, &in))
        return REQ_CLOSE;
    push_telemetry_response_init(&out);
    out.error_code = KERR_INVALID_REQUEST;
    rq->failed = true;
    return request_respond(rq, &push_telemetry_response_desc, &out);
}

ReqResult
h_telemetry_start(Request *rq)
{
    return rq->head.api->key == API_PushTelemetry ? push(rq) : subscriptions(rq);
}
