/*
 * h_sasl.c - SaslHandshake and SaslAuthenticate where no SASL is configured
 *
 * Runs in: backend. Both are answered with an error, and the connection lives on: it needs no login.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "ottla/common/errlist.h"
#include "ottla/protocol/msg_sasl_authenticate.h"
#include "ottla/protocol/msg_sasl_handshake.h"

static ReqResult
handshake(Request *rq)
{
    SaslHandshakeRequest in;
    SaslHandshakeResponse out;

    if (!request_read(rq, &sasl_handshake_request_desc, &in))
        return REQ_CLOSE;
    sasl_handshake_response_init(&out);
    out.error_code = KERR_ILLEGAL_SASL_STATE;
    return request_respond(rq, &sasl_handshake_response_desc, &out);
}

static ReqResult
authenticate(Request *rq)
{
    SaslAuthenticateRequest in;
    SaslAuthenticateResponse out;

    if (!request_read(rq, &sasl_authenticate_request_desc, &in))
        return REQ_CLOSE;
    sasl_authenticate_response_init(&out);
    out.error_code = KERR_ILLEGAL_SASL_STATE;
    out.error_message = STRVIEW("SaslAuthenticate is not expected on this listener.");
    return request_respond(rq, &sasl_authenticate_response_desc, &out);
}

ReqResult
h_sasl_start(Request *rq)
{
    rq->failed = true;
    return rq->head.api->key == API_SaslHandshake ? handshake(rq) : authenticate(rq);
}
