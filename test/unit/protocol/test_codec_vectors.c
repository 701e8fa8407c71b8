/*
 * test_codec_vectors.c - the generated codecs against the golden bytes of test/vectors
 *
 * Proves: each body decodes to its JSON and encodes to its bytes again; every shorter piece of a body
 * is refused without reading beyond it; init gives the default of every field; malformed bodies are
 * refused; headers and frames of real clients are read, bytes left after a request included.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/protocol/frame.h"
#include "ottla/protocol/json.h"
#include "ottla/protocol/record_frame.h"
#include "vector_kit.h"

/* Bodies up to this size are tried in every shorter length. */
#define CUT_BYTES_MAX 600

typedef struct Kit {
    Arena *arena;
    StrBuf json;
    StrBuf hex;
    const VectorRow *row;
    int cuts;
} Kit;

static void *
message_alloc(const MessageDesc *desc)
{
    void *msg = malloc(desc->body->bytes);
    assert_non_null(msg);
    memset(msg, 0xa5, desc->body->bytes);
    return msg;
}

/* size and write; the text of the bytes lands in kit->hex. prefix: what stands before a record. */
static void
encode(Kit *kit, const MessageDesc *desc, int16_t version, const void *msg, bool prefix)
{
    WireSizer s = {0};
    if (prefix)
        record_frame_size(&s, desc, version);
    desc->size(&s, version, msg);
    if (s.err != 0)
        vector_fail(kit->row, "size refuses a field", s.err_field, "");
    uint8_t *buf = malloc(s.bytes);
    WireWriter w;
    wire_writer_init(&w, buf, s.bytes);
    if (prefix)
        record_frame_write(&w, desc, version);
    desc->write(&w, version, msg);
    assert_ptr_equal(w.pos, w.end);
    strbuf_clear(&kit->hex);
    strbuf_add_hex(&kit->hex, (BytesView){buf, (int32_t)s.bytes});
    free(buf);
}

static void
check_read(Kit *kit, const WireReader *r, size_t left)
{
    if (r->err != 0)
        vector_fail(kit->row, "read fails", r->err_field, "success");
    if (wire_left(r) != left)
        vector_fail(kit->row, "bytes are left", "", "");
}

static void
check_json(Kit *kit, const MessageDesc *desc, int16_t version, const void *msg, const char *want)
{
    strbuf_clear(&kit->json);
    json_add_message(&kit->json, desc, version, msg);
    assert_false(kit->json.failed);
    if (strcmp(kit->json.ptr, want) != 0)
        vector_fail(kit->row, "values differ", kit->json.ptr, want);
}

/* Every strict prefix of a body lacks something: each must fail, with the struct at its defaults. */
static void
check_cuts(Kit *kit, const MessageDesc *desc, int16_t version, const uint8_t *bytes, size_t len)
{
    void *msg = message_alloc(desc);
    for (size_t cut = 0; cut < len && len <= CUT_BYTES_MAX; cut++) {
        uint8_t *copy = malloc(cut);
        if (cut > 0)
            memcpy(copy, bytes, cut);
        WireReader r;
        wire_reader_init(&r, copy, cut, kit->arena);
        desc->read(&r, version, msg);
        if (r.err != OT_E_MALFORMED)
            vector_fail(kit->row, "a cut body passes", "", "");
        assert_true(r.err_pos <= cut);
        arena_reset(kit->arena);
        free(copy);
        kit->cuts++;
    }
    free(msg);
}

static const MessageDesc *
find(const VectorRow *row)
{
    const MessageDesc *desc = message_find(row->columns[0]);
    if (desc == NULL)
        vector_fail(row, "no such message", "", row->columns[0]);
    return desc;
}

static void
body_row(const VectorRow *row, void *arg)
{
    Kit *kit = arg;
    kit->row = row;
    const MessageDesc *desc = find(row);
    int16_t version = (int16_t)atoi(row->columns[1]);
    size_t len;
    uint8_t *bytes = vector_bytes(row->columns[3], &len);
    void *msg = message_alloc(desc);
    WireReader r;
    wire_reader_init(&r, bytes, len, kit->arena);
    desc->read(&r, version, msg);
    check_read(kit, &r, 0);
    check_json(kit, desc, version, msg, row->columns[4]);
    encode(kit, desc, version, msg, false);
    if (strcmp(kit->hex.ptr, row->columns[3]) != 0)
        vector_fail(row, "bytes differ", kit->hex.ptr, row->columns[3]);
    if (strcmp(row->columns[2], "zero") == 0) {
        memset(msg, 0xa5, desc->body->bytes);
        desc->init(msg);
        encode(kit, desc, version, msg, false);
        if (strcmp(kit->hex.ptr, row->columns[3]) != 0)
            vector_fail(row, "init gives other defaults", kit->hex.ptr, row->columns[3]);
    }
    arena_reset(kit->arena);
    check_cuts(kit, desc, version, bytes, len);
    free(msg);
    free(bytes);
}

static void
test_bodies(void **state)
{
    Kit *kit = *state;
    int rows = vectors_each_in("messages", body_row, kit);
    assert_true(rows > 2000);
    assert_true(kit->cuts > 100000);
}

static void
test_wide_lengths(void **state)
{
    (void)vectors_each("wide.tsv", body_row, *state);
}

/* What stands before the body is read the way the log readers do it. */
static void
framed_row(const VectorRow *row, void *arg)
{
    Kit *kit = arg;
    kit->row = row;
    const MessageDesc *desc = find(row);
    int16_t version = (int16_t)atoi(row->columns[1]);
    size_t len;
    uint8_t *bytes = vector_bytes(row->columns[2], &len);
    WireReader r;
    wire_reader_init(&r, bytes, len, kit->arena);
    if (desc->kind == MESSAGE_METADATA || desc->kind == MESSAGE_REMOTE_LOG) {
        int16_t got = -1;
        assert_ptr_equal(record_frame_read(&r, desc->kind, &got), desc);
        assert_int_equal(got, version);
    } else {
        int16_t first = wire_read_int16(&r, "prefix");
        assert_int_equal(first, desc->kind == MESSAGE_KEY ? desc->number : version);
    }
    void *msg = message_alloc(desc);
    desc->read(&r, version, msg);
    check_read(kit, &r, 0);
    check_json(kit, desc, version, msg, row->columns[3]);
    encode(kit, desc, version, msg, true);
    if (strcmp(kit->hex.ptr, row->columns[2]) != 0)
        vector_fail(row, "bytes differ", kit->hex.ptr, row->columns[2]);
    arena_reset(kit->arena);
    free(msg);
    free(bytes);
}

static void
test_framed_records(void **state)
{
    (void)vectors_each("framed.tsv", framed_row, *state);
}

static void
malformed_row(const VectorRow *row, void *arg)
{
    Kit *kit = arg;
    kit->row = row;
    const MessageDesc *desc = find(row);
    size_t len;
    uint8_t *bytes = vector_bytes(row->columns[3], &len);
    void *msg = message_alloc(desc);
    WireReader r;
    wire_reader_init(&r, bytes, len, kit->arena);
    desc->read(&r, (int16_t)atoi(row->columns[1]), msg);
    if (r.err != OT_E_MALFORMED)
        vector_fail(row, "a malformed body passes", "", row->columns[2]);
    assert_non_null(r.err_field);
    arena_reset(kit->arena);
    free(msg);
    free(bytes);
}

static void
test_malformed(void **state)
{
    (void)vectors_each("malformed.tsv", malformed_row, *state);
}

/* Header by its table (for its values) and by the frame code (for the server's way). */
static void
check_request_head(Kit *kit, const uint8_t *bytes, size_t len, size_t *ret_header_len)
{
    const VectorRow *row = kit->row;
    int16_t key = (int16_t)atoi(row->columns[1]);
    int16_t version = (int16_t)atoi(row->columns[2]);
    int16_t header_version = (int16_t)atoi(row->columns[3]);
    WireReader r;
    wire_reader_init(&r, bytes, len, kit->arena);
    RequestHead head;
    if (frame_read_head(&r, &head) != 0)
        vector_fail(row, "header is refused", r.err_field, "");
    *ret_header_len = (size_t)(r.pos - r.begin);
    assert_int_equal(head.api->key, key);
    assert_int_equal(head.api_version, version);
    assert_int_equal(frame_request_header_version(head.api, version), header_version);
    const MessageDesc *desc = message_find("RequestHeader");
    void *msg = message_alloc(desc);
    wire_reader_init(&r, bytes, len, kit->arena);
    desc->read(&r, header_version, msg);
    assert_int_equal(r.pos - r.begin, *ret_header_len);
    check_json(kit, desc, header_version, msg, row->columns[5]);
    free(msg);
}

static void
check_response_head(Kit *kit, const uint8_t *bytes, size_t len, size_t *ret_header_len)
{
    const VectorRow *row = kit->row;
    int16_t header_version = (int16_t)atoi(row->columns[3]);
    const ApiInfo *api = api_find((int16_t)atoi(row->columns[1]));
    assert_non_null(api);
    assert_int_equal(frame_response_header_version(api, (int16_t)atoi(row->columns[2])),
                     header_version);
    const MessageDesc *desc = message_find("ResponseHeader");
    void *msg = message_alloc(desc);
    WireReader r;
    wire_reader_init(&r, bytes, len, kit->arena);
    desc->read(&r, header_version, msg);
    *ret_header_len = (size_t)(r.pos - r.begin);
    check_json(kit, desc, header_version, msg, row->columns[5]);
    free(msg);
}

/* columns: kind key version header hex header_json json [trailing] */
static void
frame_row(const VectorRow *row, void *arg)
{
    Kit *kit = arg;
    kit->row = row;
    bool request = strcmp(row->columns[0], "request") == 0;
    int16_t version = (int16_t)atoi(row->columns[2]);
    size_t trailing = row->columns_count > 7 ? (size_t)atoi(row->columns[7]) : 0;
    size_t len;
    uint8_t *bytes = vector_bytes(row->columns[4], &len);
    assert_true(len >= 4);
    assert_int_equal(wire_load32(bytes), len - 4);
    size_t head_len = 0;
    if (request)
        check_request_head(kit, bytes + 4, len - 4, &head_len);
    else
        check_response_head(kit, bytes + 4, len - 4, &head_len);

    const MessageDesc *desc = message_find_by_number(request ? MESSAGE_REQUEST : MESSAGE_RESPONSE,
                                                     (int16_t)atoi(row->columns[1]));
    void *msg = message_alloc(desc);
    WireReader r;
    wire_reader_init(&r, bytes + 4 + head_len, len - 4 - head_len, kit->arena);
    desc->read(&r, version, msg);
    check_read(kit, &r, trailing);
    check_json(kit, desc, version, msg, row->columns[6]);
    encode(kit, desc, version, msg, false);
    const char *want = row->columns[4] + 2 * (4 + head_len);
    if (strlen(want) != kit->hex.len + 2 * trailing ||
        strncmp(kit->hex.ptr, want, kit->hex.len) != 0)
        vector_fail(row, "bytes differ", kit->hex.ptr, want);
    arena_reset(kit->arena);
    free(msg);
    free(bytes);
}

static void
test_frames(void **state)
{
    (void)vectors_each("frames.tsv", frame_row, *state);
}

static void
test_frames_of_clients(void **state)
{
    int rows = vectors_each_in("captured", frame_row, *state);
    assert_true(rows > 100);
}

static int
setup(void **state)
{
    Kit *kit = calloc(1, sizeof *kit);
    kit->arena = arena_new(64 * 1024, 0);
    strbuf_init(&kit->json, INT_MAX, NULL);
    strbuf_init(&kit->hex, INT_MAX, NULL);
    *state = kit;
    return kit->arena == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    Kit *kit = *state;
    arena_free(kit->arena);
    strbuf_release(&kit->json);
    strbuf_release(&kit->hex);
    free(kit);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bodies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wide_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(test_framed_records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_malformed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_frames_of_clients, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("codec_vectors", tests, NULL, NULL);
}
