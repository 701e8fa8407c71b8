/*
 * h_tokens.c - the four requests about delegation tokens, refused where nobody has logged in
 *
 * Runs in: backend. A connection without a login may neither have nor see tokens (observed.md 8).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/names_int.h"
#include "ottla/common/errlist.h"
#include "ottla/protocol/msg_create_delegation_token.h"
#include "ottla/protocol/msg_describe_delegation_token.h"
#include "ottla/protocol/msg_expire_delegation_token.h"
#include "ottla/protocol/msg_renew_delegation_token.h"

#define REFUSED KERR_DELEGATION_TOKEN_REQUEST_NOT_ALLOWED

static ReqResult
create(Request *rq)
{
    StrView whole = strview_from(rq->conn->principal), type, name;
    const char *colon = strchr(rq->conn->principal, ':');
    CreateDelegationTokenRequest in;
    CreateDelegationTokenResponse out;

    if (!request_read(rq, &create_delegation_token_request_desc, &in))
        return REQ_CLOSE;
    type = colon == NULL ? whole : (StrView){whole.ptr, (int32_t)(colon - whole.ptr)};
    name = colon == NULL ? WIRE_EMPTY_STRING : strview_from(colon + 1);
    create_delegation_token_response_init(&out);
    out.error_code = REFUSED;
    out.principal_type = type;
    out.principal_name = name;
    if (in.owner_principal_name.len > 0) {
        out.principal_type =
            name_echo(rq->arena, in.owner_principal_type.ptr == NULL ? WIRE_EMPTY_STRING
                                                                     : in.owner_principal_type);
        out.principal_name = name_echo(rq->arena, in.owner_principal_name);
    }
    if (rq->head.api_version >= 3) {
        out.token_requester_principal_type = type;
        out.token_requester_principal_name = name;
    }
    out.issue_timestamp_ms = out.expiry_timestamp_ms = out.max_timestamp_ms = -1;
    return request_respond(rq, &create_delegation_token_response_desc, &out);
}

static ReqResult
describe(Request *rq)
{
    DescribeDelegationTokenRequest in;
    DescribeDelegationTokenResponse out;

    if (!request_read(rq, &describe_delegation_token_request_desc, &in))
        return REQ_CLOSE;
    describe_delegation_token_response_init(&out);
    out.error_code = REFUSED;
    return request_respond(rq, &describe_delegation_token_response_desc, &out);
}

static ReqResult
renew(Request *rq)
{
    RenewDelegationTokenRequest in;
    RenewDelegationTokenResponse out;

    if (!request_read(rq, &renew_delegation_token_request_desc, &in))
        return REQ_CLOSE;
    renew_delegation_token_response_init(&out);
    out.error_code = REFUSED;
    out.expiry_timestamp_ms = -1;
    return request_respond(rq, &renew_delegation_token_response_desc, &out);
}

static ReqResult
expire(Request *rq)
{
    ExpireDelegationTokenRequest in;
    ExpireDelegationTokenResponse out;

    if (!request_read(rq, &expire_delegation_token_request_desc, &in))
        return REQ_CLOSE;
    expire_delegation_token_response_init(&out);
    out.error_code = REFUSED;
    out.expiry_timestamp_ms = -1;
    return request_respond(rq, &expire_delegation_token_response_desc, &out);
}

ReqResult
h_tokens_start(Request *rq)
{
    rq->failed = true;
    switch (rq->head.api->key) {
    case API_CreateDelegationToken:
        return create(rq);
    case API_DescribeDelegationToken:
        return describe(rq);
    case API_RenewDelegationToken:
        return renew(rq);
    default:
        return expire(rq);
    }
}
