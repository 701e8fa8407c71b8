/*
 * test_dispatch.c - every API that the table offers has a handler, and no other has one; headers
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/dispatch_int.h"
#include "backend/forward_apis_int.h"
#include "backend/group_apis_int.h"
#include "backend/group_list_apis_int.h"

static void
test_table(void **state)
{
    (void)state;
    for (int16_t key = 0; key <= API_KEY_MAX; key++) {
        const ApiInfo *api = api_find(key);
        const Handler *handler = dispatch_find(key);

        if (api == NULL || api->state == API_STATE_LATER) {
            assert_null(handler);
            continue;
        }
        assert_non_null(handler);
        assert_int_equal(handler->api_key, key);
        assert_non_null(handler->start);
        if (handler->drop != NULL)
            assert_non_null(handler->finish);
        /* What goes to the controller as it came has a row that can answer without it. */
        if (handler->start == forward_start)
            assert_non_null(forward_row(key));
        /* So have those that go to a coordinator. */
        if (handler->start == h_groups_start || handler->start == h_offset_fetch_start)
            assert_int_equal(group_api(key)->request->number, key);
        if (handler->start == h_group_lists_start || handler->start == h_offset_fetch_start)
            assert_int_equal(group_list_api(key)->request->number, key);
    }
    assert_non_null(dispatch_find(API_OttlaStat));
    assert_int_equal(api_find(API_OttlaStat)->state, API_STATE_PRIVATE);
    assert_null(dispatch_find(-1));
    assert_null(dispatch_find(INT16_MAX));
}

/* A header of version 1: key, version, correlation id 7, client id "c". */
static int
parse(int16_t key, int16_t version, int32_t len, Request *rq)
{
    uint8_t bytes[11] = {[7] = 7, [9] = 1, [10] = 'c'};
    ErrInfo err;

    wire_store16(bytes, (uint16_t)key);
    wire_store16(bytes + 2, (uint16_t)version);
    *rq = (Request){0};
    return dispatch_request(rq, (BytesView){bytes, len}, &err);
}

static void
test_headers(void **state)
{
    Request rq;

    (void)state;
    assert_int_equal(parse(API_Metadata, 1, 11, &rq), 0);
    assert_int_equal(rq.head.correlation_id, 7);
    assert_int_equal(rq.head.client_id.len, 1);
    assert_int_equal(rq.body.len, 0);
    for (int32_t len = 0; len < 11; len++)
        assert_true(parse(API_Metadata, 1, len, &rq) < 0);
    assert_int_equal(parse(API_Metadata, -1, 11, &rq), OT_E_UNSUPPORTED_VERSION);
    assert_int_equal(parse(API_Produce, 2, 11, &rq), OT_E_UNSUPPORTED_VERSION);
    assert_int_equal(parse(API_ApiVersions, -5, 11, &rq), 0);
    assert_int_equal(parse(4, 0, 11, &rq), OT_E_INVALID_REQUEST);
    assert_int_equal(parse(-1, 0, 11, &rq), OT_E_INVALID_REQUEST);
    assert_int_equal(parse(API_Vote, 0, 11, &rq) < 0, 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
