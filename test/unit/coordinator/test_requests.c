/*
 * test_requests.c - proves that messages to coordinators come out as they went in, and bad ones do not
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/coordinator/requests.h"

static const uint8_t body[] = {1, 2, 3, 0, 255};

static BytesView
encode(Arena *arena)
{
    CoordinatorRequest request = {.api_key = 8,
                                  .api_version = 9,
                                  .client_id = strview_from("consumer-1"),
                                  .client_host = strview_from("/127.0.0.1"),
                                  .principal = strview_from("User:ANONYMOUS"),
                                  .listener = strview_from("PLAINTEXT"),
                                  .body = {body, sizeof body}};

    return coordinator_request_encode(&request, arena);
}

static void
test_round_trip(void **state)
{
    Arena *arena = arena_new(4096, 0);
    CoordinatorRequest got;

    (void)state;
    assert_true(coordinator_request_decode(encode(arena), &got));
    assert_int_equal(got.api_key, 8);
    assert_int_equal(got.api_version, 9);
    assert_true(strview_equal(got.client_id, strview_from("consumer-1")));
    assert_true(strview_equal(got.client_host, strview_from("/127.0.0.1")));
    assert_true(strview_equal(got.principal, strview_from("User:ANONYMOUS")));
    assert_true(strview_equal(got.listener, strview_from("PLAINTEXT")));
    assert_int_equal(got.body.len, sizeof body);
    assert_memory_equal(got.body.ptr, body, sizeof body);
    arena_free(arena);
}

/* A null client id is not an empty one; an empty body is none. */
static void
test_null_and_empty(void **state)
{
    Arena *arena = arena_new(4096, 0);
    CoordinatorRequest request = {.client_id = {NULL, 0}, .client_host = {"", 0}};
    CoordinatorRequest got;

    (void)state;
    assert_true(coordinator_request_decode(coordinator_request_encode(&request, arena), &got));
    assert_null(got.client_id.ptr);
    assert_non_null(got.client_host.ptr);
    assert_int_equal(got.client_host.len, 0);
    assert_int_equal(got.body.len, 0);
    arena_free(arena);
}

/* Every shorter message, and one that is longer, is refused. */
static void
test_wrong_lengths(void **state)
{
    Arena *arena = arena_new(4096, 0);
    BytesView whole = encode(arena);
    uint8_t copy[512] = {0};
    CoordinatorRequest got;

    (void)state;
    assert_true(whole.len < (int32_t)sizeof copy);
    memcpy(copy, whole.ptr, (size_t)whole.len);
    for (int32_t len = 0; len < whole.len; len++)
        assert_false(coordinator_request_decode((BytesView){copy, len}, &got));
    assert_false(coordinator_request_decode((BytesView){copy, whole.len + 1}, &got));
    arena_free(arena);
}

static void
test_reply(void **state)
{
    enum { HEAD = COORDINATOR_REPLY_HEAD, EXCEPTION = COORDINATOR_REPLY_EXCEPTION };
    uint8_t bytes[HEAD + 2 * EXCEPTION + 2] = {0};
    CoordinatorReply reply;

    (void)state;
    coordinator_reply_put_head(16, 0, bytes);
    assert_true(coordinator_reply_decode((BytesView){bytes, HEAD + 1}, &reply));
    assert_int_equal(reply.status, 16);
    assert_int_equal(reply.exception_count, 0);
    assert_int_equal(reply.body.len, 1);
    coordinator_reply_put_head(0, 2, bytes);
    coordinator_reply_put_exception((ReplyException){3, 15}, bytes + HEAD);
    coordinator_reply_put_exception((ReplyException){70000, 16}, bytes + HEAD + EXCEPTION);
    bytes[HEAD + 2 * EXCEPTION + 1] = 8;
    assert_true(coordinator_reply_decode((BytesView){bytes, sizeof bytes}, &reply));
    assert_int_equal(reply.exception_count, 2);
    assert_int_equal(coordinator_reply_exception(&reply, 0).index, 3);
    assert_int_equal(coordinator_reply_exception(&reply, 1).index, 70000);
    assert_int_equal(coordinator_reply_exception(&reply, 1).code, 16);
    assert_int_equal(reply.body.len, 2);
    assert_int_equal(reply.body.ptr[1], 8);
    assert_false(coordinator_reply_decode((BytesView){bytes, HEAD + 2 * EXCEPTION - 1}, &reply));
    assert_false(coordinator_reply_decode((BytesView){bytes, HEAD - 1}, &reply));
    assert_false(coordinator_reply_decode((BytesView){NULL, 0}, &reply));
    coordinator_reply_put_head(0, -1, bytes);
    assert_false(coordinator_reply_decode((BytesView){bytes, sizeof bytes}, &reply));
}

/* Partitions go round the workers, and a setting above the number of mailboxes counts as that. */
static void
test_workers(void **state)
{
    (void)state;
    assert_int_equal(coordinator_worker_count(), 4);
    assert_int_equal(coordinator_worker_of(0), MBOX_COORDINATOR_FIRST);
    assert_int_equal(coordinator_worker_of(49), MBOX_COORDINATOR_FIRST + 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),    cmocka_unit_test(test_null_and_empty),
        cmocka_unit_test(test_wrong_lengths), cmocka_unit_test(test_reply),
        cmocka_unit_test(test_workers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
