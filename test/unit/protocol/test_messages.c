/*
 * test_messages.c - the list of messages, apis.h, frames, and the bound on memory
 *
 * Proves: apis.h agrees with the message tables; reading n bytes of any message allocates at most
 * message_memory_ratio() * n plus a constant, whatever the bytes say, and ends; values that a version
 * cannot carry are refused unless they may be ignored; header quirks of observed.md 5.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ottla/protocol/frame.h"
#include "ottla/protocol/json.h"
#include "ottla/protocol/msg_api_versions.h"
#include "ottla/protocol/msg_fetch.h"
#include "ottla/protocol/msg_metadata.h"
#include "ottla/protocol/msg_produce.h"

/* Arena bytes that do not come from arrays: chunk headers, alignment of small pieces. */
#define MEMORY_SLACK_BYTES 4096

static Arena *arena;

static int
setup(void **state)
{
    (void)state;
    arena = arena_new(256, 0);
    return arena == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static void
list_is_sorted_and_complete(void **state)
{
    (void)state;
    assert_true(message_count > 250);
    for (int i = 0; i < message_count; i++) {
        const MessageDesc *desc = message_list[i];
        assert_true(i == 0 || strcmp(message_list[i - 1]->name, desc->name) < 0);
        assert_ptr_equal(message_find(desc->name), desc);
        assert_true(desc->versions.lo <= desc->versions.hi);
        if (desc->number >= 0 && desc->kind != MESSAGE_KEY && desc->kind != MESSAGE_VALUE)
            assert_ptr_equal(message_find_by_number(desc->kind, desc->number), desc);
    }
    assert_null(message_find("NoSuchMessage"));
    assert_null(message_find_by_number(MESSAGE_REQUEST, 4));
}

static void
apis_agree_with_the_tables(void **state)
{
    (void)state;
    int apis = 0;
    for (int16_t key = -1; key <= API_KEY_MAX + 1; key++) {
        const ApiInfo *api = api_find(key);
        const MessageDesc *request = key < 0 ? NULL : message_find_by_number(MESSAGE_REQUEST, key);
        if (api == NULL) {
            assert_null(request);
            continue;
        }
        apis++;
        char name[80];
        (void)snprintf(name, sizeof name, "%sRequest", api->name);
        assert_string_equal(request->name, name);
        for (int16_t v = request->versions.lo; v <= request->versions.hi; v++)
            assert_true((v >= api->flexible_from) == (v >= request->flexible_from));
        assert_true(api->serve_lo >= request->versions.lo);
        assert_true(api->offer_hi <= request->versions.hi);
        assert_true(api->serve_lo >= api->offer_lo);
    }
    assert_int_equal(apis, 89);
    assert_int_equal(api_find(API_Produce)->offer_lo, 0);
    assert_false(api_serves(api_find(API_Produce), 2));
    assert_true(api_serves(api_find(API_Produce), 3));
    assert_int_equal(api_find(API_InitProducerId)->offer_hi, 5);
}

/* Twice the request, or its factor while that is not much. */
static void
memory_of_requests_is_bounded(void **state)
{
    const ApiInfo *produce = api_find(API_Produce), *metadata = api_find(API_Metadata);
    const size_t mib = 1 << 20;

    (void)state;
    assert_int_equal(produce->memory_factor, 2);
    assert_int_equal(api_memory_bytes(produce, 100 * mib), 200 * mib);
    assert_int_equal(metadata->memory_factor, 8);
    assert_int_equal(api_memory_bytes(metadata, mib), 8 * mib);
    assert_int_equal(api_memory_bytes(metadata, 4 * mib), API_DENSE_MAX_BYTES);
    assert_int_equal(api_memory_bytes(metadata, 100 * mib), 200 * mib);
}

/* xorshift; the seed makes a failure repeatable */
static uint64_t seed;

static uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Bytes that look like counts and lengths: small ones, huge ones, runs of the same. */
static void
fill_hostile(uint8_t *bytes, size_t len)
{
    static const uint8_t favourites[] = {0, 0, 0, 1, 1, 2, 3, 0x7f, 0x80, 0xff};
    uint64_t style = next_random() % 4;
    for (size_t i = 0; i < len; i++) {
        uint64_t x = next_random();
        if (style == 0)
            bytes[i] = (uint8_t)x;
        else if (style == 1)
            bytes[i] = favourites[x % sizeof favourites];
        else if (style == 2)
            bytes[i] = x % 16 == 0 ? (uint8_t)(x >> 8) : 1;
        else
            bytes[i] = x % 8 == 0 ? (uint8_t)(len / 2) : 0;
    }
}

static void
check_memory(const MessageDesc *desc, int16_t version, size_t len, void *msg)
{
    uint8_t *bytes = malloc(len);
    fill_hostile(bytes, len);
    WireReader r;
    wire_reader_init(&r, bytes, len, arena);
    desc->read(&r, version, msg);
    double most = message_memory_ratio(desc) * (double)len + MEMORY_SLACK_BYTES;
    if ((double)arena_bytes(arena) > most)
        fail_msg("%s version %d: %zu bytes of memory for %zu", desc->name, version,
                 arena_bytes(arena), len);
    if (r.err == 0) {
        WireSizer s = {0};
        desc->size(&s, version, msg);
        assert_int_equal(s.err, 0);
    }
    arena_reset(arena);
    free(bytes);
}

static void
memory_is_bounded_by_the_bytes_read(void **state)
{
    (void)state;
    double worst = 0;
    for (int i = 0; i < message_count; i++) {
        const MessageDesc *desc = message_list[i];
        double ratio = message_memory_ratio(desc);
        worst = ratio > worst ? ratio : worst;
        void *msg = malloc(desc->body->bytes);
        for (int16_t v = desc->versions.lo; v <= desc->versions.hi; v++) {
            seed = 88172645463325252u + (uint64_t)i * 64 + (uint64_t)v;
            for (int round = 0; round < 40; round++)
                check_memory(desc, v, round % 2 == 0 ? 64 : 2000, msg);
        }
        free(msg);
    }
    /* README.md names this figure */
    assert_true(worst <= 80);
}

static void
counts_that_fit_take_no_more_than_promised(void **state)
{
    (void)state;
    /* the worst a Metadata request can ask for: empty names, one byte each */
    size_t len = 100000;
    uint8_t *bytes = calloc(1, len);
    wire_store32(bytes, (uint32_t)(len - 4) / 2);
    WireReader r;
    wire_reader_init(&r, bytes, len, arena);
    MetadataRequest request;
    metadata_request_read(&r, 1, &request);
    assert_int_equal(r.err, 0);
    assert_int_equal(request.topics_count, (len - 4) / 2);
    assert_true((double)arena_bytes(arena) <
                message_memory_ratio(&metadata_request_desc) * (double)len + MEMORY_SLACK_BYTES);
    arena_reset(arena);
    wire_store32(bytes, (uint32_t)(len - 4) / 2 + 1);
    wire_reader_init(&r, bytes, len, arena);
    metadata_request_read(&r, 1, &request);
    assert_int_equal(r.err, OT_E_MALFORMED);
    assert_true(arena_bytes(arena) < MEMORY_SLACK_BYTES);
    free(bytes);
}

static void
what_a_version_lacks_is_refused_unless_ignorable(void **state)
{
    (void)state;
    MetadataRequest request;
    metadata_request_init(&request);
    WireSizer s = {0};
    metadata_request_size(&s, 3, &request);
    assert_int_equal(s.err, 0);
    request.allow_auto_topic_creation = false;
    s = (WireSizer){0};
    metadata_request_size(&s, 3, &request);
    assert_int_equal(s.err, OT_E_UNSUPPORTED_VERSION);
    assert_string_equal(s.err_field, "allowAutoTopicCreation");

    ProduceResponse response;
    produce_response_init(&response);
    response.throttle_time_ms = 5;
    ProduceResponseTopic topic;
    produce_response_topic_init(&topic);
    topic.topic_id = (Uuid){{1}}; /* ignorable */
    response.responses = &topic;
    response.responses_count = 1;
    s = (WireSizer){0};
    produce_response_size(&s, 9, &response);
    assert_int_equal(s.err, 0);
    response.node_endpoints_count = 1; /* not ignorable */
    ProduceResponseNode node;
    produce_response_node_init(&node);
    response.node_endpoints = &node;
    s = (WireSizer){0};
    produce_response_size(&s, 9, &response);
    assert_string_equal(s.err_field, "nodeEndpoints");
    s = (WireSizer){0};
    produce_response_size(&s, 14, &response);
    assert_string_equal(s.err_field, "version");
}

static void
known_tags_twice_the_last_counts(void **state)
{
    (void)state;
    /* ApiVersionsResponse 3: error 0, no keys, throttle 0, tags: 1 = 4, 0 = [] , 1 = 5 */
    static const uint8_t bytes[] = {0, 0, 1, 0, 0, 0, 0, 3,                /* head, 3 tags */
                                    1, 8, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 1, /* epoch 4, [] */
                                    1, 8, 0, 0, 0, 0, 0, 0, 0, 5};         /* epoch 5 */
    WireReader r;
    wire_reader_init(&r, bytes, sizeof bytes, arena);
    ApiVersionsResponse response;
    api_versions_response_read(&r, 3, &response);
    assert_int_equal(r.err, 0);
    assert_int_equal(response.finalized_features_epoch, 5);
    assert_null(response.unknown_tags);
}

static void
heads_are_read_as_kafka_does(void **state)
{
    (void)state;
    WireReader r;
    RequestHead head;
    /* ApiVersions 99 has header 2: the tag byte must be there */
    static const uint8_t future[] = {0, 18, 0, 99, 0, 0, 0, 7, 0, 1, 'c', 0};
    wire_reader_init(&r, future, sizeof future, NULL);
    assert_int_equal(frame_read_head(&r, &head), 0);
    assert_int_equal(head.api_version, 99);
    assert_int_equal(head.correlation_id, 7);
    assert_int_equal(wire_left(&r), 0);
    wire_reader_init(&r, future, sizeof future - 1, NULL);
    assert_int_equal(frame_read_head(&r, &head), OT_E_MALFORMED);
    /* a negative version has header 1; client id of length -2 */
    static const uint8_t negative[] = {0, 18, 0xff, 0xff, 0, 0, 0, 7, 0xff, 0xfe};
    wire_reader_init(&r, negative, sizeof negative, NULL);
    assert_int_equal(frame_read_head(&r, &head), 0);
    assert_null(head.client_id.ptr);
    assert_int_equal(frame_response_header_version(head.api, 4), 0);
    /* tags twice and out of order, without an arena */
    static const uint8_t tags[] = {0, 3, 0, 12, 0, 0, 0, 1, 0xff, 0xff, 3, 9, 1, 0, 2, 0, 9, 0};
    wire_reader_init(&r, tags, sizeof tags, NULL);
    assert_int_equal(frame_read_head(&r, &head), 0);
    assert_int_equal(wire_left(&r), 0);
    static const uint8_t unknown[] = {0, 4, 0, 0, 0, 0, 0, 1, 0xff, 0xff};
    wire_reader_init(&r, unknown, sizeof unknown, NULL);
    assert_int_equal(frame_read_head(&r, &head), OT_E_INVALID_REQUEST);
}

static void
a_fetch_response_leaves_with_slices(void **state)
{
    (void)state;
    FetchResponsePartition partitions[2];
    for (int i = 0; i < 2; i++) {
        fetch_response_partition_init(&partitions[i]);
        partitions[i].partition_index = i;
        partitions[i].aborted_transactions_count = -1;
        partitions[i].records = records_in_file(40 + i, 1000 * i, 500);
    }
    FetchResponseTopic topic;
    fetch_response_topic_init(&topic);
    topic.partitions = partitions;
    topic.partitions_count = 2;
    FetchResponse response;
    fetch_response_init(&response);
    response.responses = &topic;
    response.responses_count = 1;
    RequestHead head = {.api = api_find(API_Fetch), .api_version = 13, .correlation_id = 77};
    FrameOut out;
    ErrInfo err = {0};
    assert_int_equal(frame_encode_response(&head, &(FrameBody){&fetch_response_desc, &response, 13},
                                           &out, arena, &err),
                     0);
    assert_int_equal(out.slices_count, 2);
    assert_int_equal(out.file_bytes, 1000);
    assert_int_equal(wire_load32(out.buf), out.len - 4 + 1000);
    assert_int_equal(wire_load32(out.buf + 4), 77);
    assert_int_equal(out.slices[1].fd, 41);
    assert_true(out.slices[0].buf_pos < out.slices[1].buf_pos);

    /* with the files' bytes put in, it is a response that can be read */
    uint8_t *whole = calloc(1, out.len + out.file_bytes);
    size_t from = 0;
    size_t to = 0;
    for (int i = 0; i <= out.slices_count; i++) {
        size_t until = i < out.slices_count ? out.slices[i].buf_pos : out.len;
        memcpy(whole + to, out.buf + from, until - from);
        to += until - from + (i < out.slices_count ? (size_t)out.slices[i].len : 0);
        from = until;
    }
    WireReader r;
    wire_reader_init(&r, whole + 9, out.len + out.file_bytes - 9, arena);
    FetchResponse again;
    fetch_response_read(&r, 13, &again);
    assert_int_equal(r.err, 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(again.responses[0].partitions[1].records.len, 500);
    free(whole);

    Arena *tiny = arena_new(16, 16);
    assert_int_equal(frame_encode_response(&head, &(FrameBody){&fetch_response_desc, &response, 13},
                                           &out, tiny, &err),
                     OT_E_NO_MEMORY);
    arena_free(tiny);
}

static void
json_escapes_and_repairs_text(void **state)
{
    (void)state;
    StrBuf text;

    strbuf_init(&text, INT_MAX, NULL);
    json_add_string(&text, STRVIEW("a\"\\\n\x01\x7f"));
    assert_string_equal(text.ptr, "\"a\\\"\\\\\\n\\u0001\\u007f\"");
    strbuf_clear(&text);
    json_add_string(&text, STRVIEW("\xc3\xa4\xf0\x9f\x98\x80"));
    assert_string_equal(text.ptr, "\"\\u00e4\\ud83d\\ude00\"");
    strbuf_clear(&text);
    /* cut, overlong, surrogate */
    json_add_string(&text, STRVIEW("\xc3"));
    json_add_string(&text, STRVIEW("\xc0\x80"));
    json_add_string(&text, STRVIEW("\xed\xa0\x80"));
    assert_string_equal(text.ptr, "\"\\ufffd\"\"\\ufffd\\ufffd\"\"\\ufffd\\ufffd\\ufffd\"");
    strbuf_release(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_is_sorted_and_complete),
        cmocka_unit_test(apis_agree_with_the_tables),
        cmocka_unit_test(memory_of_requests_is_bounded),
        cmocka_unit_test_setup_teardown(memory_is_bounded_by_the_bytes_read, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_that_fit_take_no_more_than_promised, setup,
                                        teardown),
        cmocka_unit_test(what_a_version_lacks_is_refused_unless_ignorable),
        cmocka_unit_test_setup_teardown(known_tags_twice_the_last_counts, setup, teardown),
        cmocka_unit_test(heads_are_read_as_kafka_does),
        cmocka_unit_test_setup_teardown(a_fetch_response_leaves_with_slices, setup, teardown),
        cmocka_unit_test(json_escapes_and_repairs_text),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("messages", tests, NULL, NULL);
}
