/*
 * h_users.c - DescribeUserScramCredentials
 *
 * Runs in: backend; answers from its own image. Spec: admin-and-security.md 6.1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>

#include "backend/dispatch_int.h"
#include "backend/meta_int.h"
#include "backend/names_int.h"
#include "ottla/controller/image_users.h"
#include "ottla/protocol/msg_describe_user_scram_credentials.h"

typedef DescribeUserScramCredentialsResponseResult Result;

/* memcmp order, a shorter name before a longer one that begins with it: that of the image. */
static int
compare_names(StrView a, StrView b)
{
    int32_t common = a.len < b.len ? a.len : b.len;
    int order = common == 0 ? 0 : memcmp(a.ptr, b.ptr, (size_t)common);

    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int
compare_users(const void *a, const void *b)
{
    const DescribeUserScramCredentialsRequestUserName *x = a, *y = b;

    return compare_names(x->name, y->name);
}

/* Newer mechanisms first, as Kafka lists them. False: no memory. */
static bool
fill_result(Request *rq, const Image *image, StrView user, Result *r)
{
    ScramCredential found;

    describe_user_scram_credentials_response_result_init(r);
    r->user = user;
    r->credential_infos = arena_calloc(rq->arena, SCRAM_COUNT, sizeof *r->credential_infos);
    if (r->credential_infos == NULL)
        return false;
    for (int m = SCRAM_COUNT - 1; m > SCRAM_UNKNOWN; m--)
        if (image_scram(image, (ScramMechanism)m, user, &found)) {
            r->credential_infos[r->credential_infos_count].mechanism = (int8_t)m;
            r->credential_infos[r->credential_infos_count++].iterations = found.iterations;
        }
    r->error_message = WIRE_EMPTY_STRING;
    if (r->credential_infos_count == 0) {
        r->error_code = KERR_RESOURCE_NOT_FOUND;
        r->error_message = STRVIEW("The user has no credentials.");
    }
    return true;
}

/* Users asked for by name, each once; who comes twice is refused. */
static bool
describe_named(Request *rq, const Image *image, DescribeUserScramCredentialsRequest *in,
               DescribeUserScramCredentialsResponse *out)
{
    int32_t count = in->users_count;

    out->results = arena_calloc(rq->arena, (size_t)count, sizeof *out->results);
    if (out->results == NULL)
        return false;
    qsort(in->users, (size_t)count, sizeof *in->users, compare_users);
    for (int32_t i = 0, next; i < count; i = next) {
        Result *r = &out->results[out->results_count++];

        for (next = i + 1; next < count && compare_users(&in->users[i], &in->users[next]) == 0;)
            next++;
        if (!fill_result(rq, image, in->users[i].name, r))
            return false;
        if (next > i + 1) {
            r->error_code = KERR_DUPLICATE_RESOURCE;
            r->error_message = STRVIEW("A user comes more than once in the request.");
            r->credential_infos_count = 0;
        }
        r->user = name_echo(rq->arena, r->user);
    }
    return true;
}

/* The user with the smallest name > after of any mechanism. */
static bool
next_user(const Image *image, StrView after, StrView *ret)
{
    bool found = false;

    for (int m = SCRAM_UNKNOWN + 1; m < SCRAM_COUNT; m++) {
        ScramCredential next;

        if (!image_scram_after(image, (ScramMechanism)m, after, &next))
            continue;
        if (!found || compare_names(next.user, *ret) < 0)
            *ret = next.user;
        found = true;
    }
    return found;
}

static bool
describe_all(Request *rq, const Image *image, DescribeUserScramCredentialsResponse *out)
{
    StrView user = {NULL, 0}, next;
    size_t bytes = 0, count = 0;

    for (; next_user(image, user, &next); user = next, count++)
        bytes += (size_t)next.len + 32;
    /* 16 bytes of alignment per allocation; the encoded answer is bounded by bytes. */
    request_grow(rq, bytes + count * (sizeof *out->results + 16 +
                                      SCRAM_COUNT * sizeof *out->results->credential_infos));
    out->results = arena_calloc(rq->arena, count + 1, sizeof *out->results);
    if (out->results == NULL)
        return false;
    user = (StrView){NULL, 0};
    for (; next_user(image, user, &next); user = next)
        if (!fill_result(rq, image, next, &out->results[out->results_count++]))
            return false;
    return true;
}

ReqResult
h_describe_users_start(Request *rq)
{
    DescribeUserScramCredentialsRequest in;
    DescribeUserScramCredentialsResponse out;
    ReqResult result;
    ImagePin pin;

    if (!request_read(rq, &describe_user_scram_credentials_request_desc, &in))
        return REQ_CLOSE;
    describe_user_scram_credentials_response_init(&out);
    out.error_message = WIRE_EMPTY_STRING;
    pin = image_pin();
    if (in.users_count > 0 ? describe_named(rq, pin.image, &in, &out)
                           : describe_all(rq, pin.image, &out))
        result = request_respond(rq, &describe_user_scram_credentials_response_desc, &out);
    else
        result = request_close(rq, "no memory for a list of users");
    image_unpin(&pin);
    return result;
}
