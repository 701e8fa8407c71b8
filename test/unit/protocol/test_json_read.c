/*
 * test_json_read.c - messages from JSON: what is printed reads back, what is wrong is refused
 *
 * Proves: the JSON of every vector gives a message that prints the same; every shorter piece of it is refused; defaults,
 * missing and unknown fields, escapes, numbers that do not fit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/common/strbuf.h"
#include "ottla/protocol/json.h"
#include "ottla/protocol/msg_create_topics.h"
#include "vector_kit.h"

/* Texts up to this size are tried in every shorter length. */
#define CUT_BYTES_MAX 300

typedef struct Kit {
    Arena *arena;
    StrBuf json;
    int rows;
    int cuts;
} Kit;

/* What cannot be said: tags that nobody knows, numbers that are none. */
static bool
is_sayable(const char *json)
{
    return strstr(json, "_unknownTags") == NULL && strstr(json, "NaN") == NULL &&
           strstr(json, "Infinity") == NULL;
}

static void
refuse_cuts(Kit *kit, const MessageDesc *desc, int16_t version, const char *json, void *msg)
{
    size_t len = strlen(json);

    for (size_t cut = 0; cut < len && len <= CUT_BYTES_MAX; cut++) {
        char *copy = malloc(cut);
        JsonText text = {{copy, (int32_t)cut}, version};
        ErrInfo err = {0};

        memcpy(copy, json, cut);
        assert_int_equal(json_read_message(text, desc, msg, kit->arena, &err), OT_E_MALFORMED);
        assert_true(err.text[0] != '\0');
        arena_reset(kit->arena);
        free(copy);
        kit->cuts++;
    }
}

static void
read_row(const VectorRow *row, void *arg)
{
    Kit *kit = arg;
    const MessageDesc *desc = message_find(row->columns[0]);
    int16_t version = (int16_t)atoi(row->columns[1]);
    const char *json = row->columns[4];
    ErrInfo err = {0};
    void *msg;

    if (!is_sayable(json))
        return;
    msg = malloc(desc->body->bytes);
    if (json_read_message((JsonText){strview_from(json), version}, desc, msg, kit->arena, &err) !=
        0)
        vector_fail(row, "not read", err.text, json);
    strbuf_clear(&kit->json);
    json_add_message(&kit->json, desc, version, msg);
    if (strcmp(kit->json.ptr, json) != 0)
        vector_fail(row, "prints something else", kit->json.ptr, json);
    arena_reset(kit->arena);
    refuse_cuts(kit, desc, version, json, msg);
    kit->rows++;
    free(msg);
}

static void
what_is_printed_reads_back(void **state)
{
    Kit *kit = *state;

    (void)vectors_each_in("messages", read_row, kit);
    assert_true(kit->rows > 1500);
    assert_true(kit->cuts > 10000);
}

static int
read_topics(Kit *kit, const char *json, CreateTopicsRequest *ret, ErrInfo *err)
{
    arena_reset(kit->arena);
    *err = (ErrInfo){0};
    return json_read_message((JsonText){strview_from(json), 7}, message_find("CreateTopicsRequest"),
                             ret, kit->arena, err);
}

static void
defaults_fill_what_is_missing(void **state)
{
    CreateTopicsRequest request;
    ErrInfo err;

    assert_int_equal(read_topics(*state, " { } ", &request, &err), 0);
    assert_int_equal(request.timeout_ms, 60000);
    assert_int_equal(request.topics_count, 0);
    assert_int_equal(
        read_topics(*state,
                    "{\"topics\":[{\"name\":\"\\u00e9\\ud83d\\ude00\\n\",\"numPartitions\":3,"
                    "\"replicationFactor\":-1,\"assignments\":[],\"configs\":"
                    "[{\"name\":\"a\",\"value\":null},{\"name\":\"b\"}]}]}",
                    &request, &err),
        0);
    assert_int_equal(request.topics_count, 1);
    assert_true(strview_equal(request.topics[0].name, STRVIEW("\xc3\xa9\xf0\x9f\x98\x80\n")));
    assert_int_equal(request.topics[0].num_partitions, 3);
    assert_int_equal(request.topics[0].configs_count, 2);
    assert_null(request.topics[0].configs[1].value.ptr);
}

static void
wrong_texts_are_refused(void **state)
{
    static const struct {
        const char *json;
        const char *says;
    } rows[] = {
        {"", "an object is expected"},
        {"[]", "an object is expected"},
        {"{} x", "something behind"},
        {"{\"nope\":1}", "has no field \"nope\" in version 7"},
        {"{\"timeoutMs\":1,\"timeoutMs\":2}", "given twice"},
        {"{\"timeoutMs\":2147483648}", "does not fit"},
        {"{\"timeoutMs\":\"1\"}", "an integer is expected"},
        {"{\"timeoutMs\":1.5}", "comma or brace"},
        {"{\"timeoutMs\":null}", "an integer is expected"},
        {"{\"validateOnly\":1}", "true or false"},
        {"{\"topics\":[{\"name\":\"x\"}]}", "lacks the field \"numPartitions\""},
        {"{\"topics\":[{\"name\":\"\\ud800\"}]}", "escape"},
        {"{\"topics\":[{\"name\":\"\\x\"}]}", "escape"},
        {"{\"topics\":[{\"name\":\"\n\"}]}", "control character"},
        {"{\"topics\":{}}", "an array is expected"},
    };
    CreateTopicsRequest request;
    ErrInfo err;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(read_topics(*state, rows[i].json, &request, &err), OT_E_MALFORMED);
        if (strstr(err.text, rows[i].says) == NULL)
            fail_msg("%s: says \"%s\"", rows[i].json, err.text);
    }
}

static int
setup(void **state)
{
    static Kit kit;

    kit.arena = arena_new(1 << 16, 64 << 20);
    strbuf_init(&kit.json, 64 << 20, NULL);
    *state = &kit;
    return 0;
}

static int
teardown(void **state)
{
    Kit *kit = *state;

    arena_free(kit->arena);
    strbuf_release(&kit->json);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_reads_back),
        cmocka_unit_test(defaults_fill_what_is_missing),
        cmocka_unit_test(wrong_texts_are_refused),
    };
    return cmocka_run_group_tests_name("json_read", tests, setup, teardown);
}
