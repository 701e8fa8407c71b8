/*
 * h_acls.c - DescribeAcls, CreateAcls and DeleteAcls where no authorizer is configured
 *
 * Runs in: backend. Every item is answered SECURITY_DISABLED, whatever it says; only UNKNOWN in an
 * enumeration closes the connection, as Kafka's own parser does (observed.md 8).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/dispatch_int.h"
#include "ottla/common/errlist.h"
#include "ottla/protocol/msg_create_acls.h"
#include "ottla/protocol/msg_delete_acls.h"
#include "ottla/protocol/msg_describe_acls.h"

#define NO_AUTHORIZER STRVIEW("No authorizer is configured on the broker.")

/* 0 stands for UNKNOWN in every enumeration; other numbers that nobody knows pass. */
static bool
has_unknown(int8_t resource_type, int8_t pattern, int8_t operation, int8_t permission)
{
    return resource_type == 0 || pattern == 0 || operation == 0 || permission == 0;
}

static ReqResult
describe(Request *rq)
{
    DescribeAclsRequest in;
    DescribeAclsResponse out;

    if (!request_read(rq, &describe_acls_request_desc, &in))
        return REQ_CLOSE;
    if (has_unknown(in.resource_type_filter, in.pattern_type_filter, in.operation,
                    in.permission_type))
        return request_close(rq, "DescribeAcls: a value of the filter is UNKNOWN");
    describe_acls_response_init(&out);
    out.error_code = KERR_SECURITY_DISABLED;
    out.error_message = NO_AUTHORIZER;
    return request_respond(rq, &describe_acls_response_desc, &out);
}

static ReqResult
create(Request *rq)
{
    CreateAclsRequest in;
    CreateAclsResponse out;

    if (!request_read(rq, &create_acls_request_desc, &in))
        return REQ_CLOSE;
    create_acls_response_init(&out);
    out.results = arena_calloc(rq->arena, (size_t)in.creations_count, sizeof *out.results);
    if (out.results == NULL)
        return request_close(rq, "no memory for the answer");
    for (int32_t i = 0; i < in.creations_count; i++) {
        const CreateAclsRequestAclCreation *from = &in.creations[i];

        if (has_unknown(from->resource_type, from->resource_pattern_type, from->operation,
                        from->permission_type))
            return request_close(rq, "CreateAcls: a value of an entry is UNKNOWN");
        create_acls_response_result_init(&out.results[i]);
        out.results[i].error_code = KERR_SECURITY_DISABLED;
        out.results[i].error_message = NO_AUTHORIZER;
    }
    out.results_count = in.creations_count;
    return request_respond(rq, &create_acls_response_desc, &out);
}

static ReqResult
remove_acls(Request *rq)
{
    DeleteAclsRequest in;
    DeleteAclsResponse out;

    if (!request_read(rq, &delete_acls_request_desc, &in))
        return REQ_CLOSE;
    delete_acls_response_init(&out);
    out.filter_results =
        arena_calloc(rq->arena, (size_t)in.filters_count, sizeof *out.filter_results);
    if (out.filter_results == NULL)
        return request_close(rq, "no memory for the answer");
    for (int32_t i = 0; i < in.filters_count; i++) {
        const DeleteAclsRequestFilter *from = &in.filters[i];

        if (has_unknown(from->resource_type_filter, from->pattern_type_filter, from->operation,
                        from->permission_type))
            return request_close(rq, "DeleteAcls: a value of a filter is UNKNOWN");
        delete_acls_response_filter_result_init(&out.filter_results[i]);
        out.filter_results[i].error_code = KERR_SECURITY_DISABLED;
        out.filter_results[i].error_message = NO_AUTHORIZER;
    }
    out.filter_results_count = in.filters_count;
    return request_respond(rq, &delete_acls_response_desc, &out);
}

ReqResult
h_acls_start(Request *rq)
{
    rq->failed = true;
    switch (rq->head.api->key) {
    case API_DescribeAcls:
        return describe(rq);
    case API_CreateAcls:
        return create(rq);
    default:
        return remove_acls(rq);
    }
}
