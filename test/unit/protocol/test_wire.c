/*
 * test_wire.c - the primitives: varints, sticky errors, bounds of counts, tags, file slices
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ottla/protocol/wire.h"

static Arena *arena;

static int
setup(void **state)
{
    (void)state;
    arena = arena_new(4096, 0);
    return arena == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

#define READER(name, ...)                                \
    static const uint8_t name##_bytes[] = {__VA_ARGS__}; \
    WireReader name;                                     \
    wire_reader_init(&name, name##_bytes, sizeof name##_bytes, arena)

static void
varints_round_trip(void **state)
{
    (void)state;
    static const uint32_t values[] = {0,       1,       127,       128,       16383,     16384,
                                      2097151, 2097152, 268435455, 268435456, UINT32_MAX};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint8_t buf[16];
        WireWriter w;
        WireReader r;
        wire_writer_init(&w, buf, sizeof buf);
        wire_write_uvarint(&w, values[i]);
        assert_int_equal(w.pos - w.begin, wire_uvarint_size(values[i]));
        wire_reader_init(&r, buf, (size_t)(w.pos - w.begin), NULL);
        assert_int_equal(wire_read_uvarint(&r, "v"), values[i]);

        int64_t wide = (int64_t)values[i] * (i % 2 == 0 ? -4294967296 : 1) - 1;
        wire_writer_init(&w, buf, sizeof buf);
        wire_write_varlong(&w, wide);
        assert_int_equal(w.pos - w.begin, wire_varlong_size(wide));
        wire_reader_init(&r, buf, (size_t)(w.pos - w.begin), NULL);
        assert_int_equal(wire_read_varlong(&r, "v"), wide);

        wire_writer_init(&w, buf, sizeof buf);
        wire_write_varint(&w, (int32_t)values[i]);
        assert_int_equal(w.pos - w.begin, wire_varint_size((int32_t)values[i]));
        wire_reader_init(&r, buf, (size_t)(w.pos - w.begin), NULL);
        assert_int_equal(wire_read_varint(&r, "v"), (int32_t)values[i]);
        assert_int_equal(r.err, 0);
    }
    assert_int_equal(wire_varlong_size(INT64_MIN), 10);
}

static void
long_varints_are_refused(void **state)
{
    (void)state;
    READER(six, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
    assert_int_equal(wire_read_uvarint(&six, "v"), 0);
    assert_int_equal(six.err, OT_E_MALFORMED);
    READER(wide, 0xff, 0xff, 0xff, 0xff, 0x1f);
    assert_int_equal(wire_read_uvarint(&wide, "v"), 0);
    assert_int_equal(wide.err, OT_E_MALFORMED);
    READER(eleven, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01);
    assert_int_equal(wire_read_varlong(&eleven, "v"), 0);
    assert_int_equal(eleven.err, OT_E_MALFORMED);
    READER(cut, 0x80);
    assert_int_equal(wire_read_uvarint(&cut, "v"), 0);
    assert_int_equal(cut.err, OT_E_MALFORMED);
}

static void
first_error_stays_and_all_reads_yield_zero(void **state)
{
    (void)state;
    READER(r, 1, 2, 3);
    assert_int_equal(wire_read_int8(&r, "a"), 1);
    assert_int_equal(wire_read_int32(&r, "b"), 0);
    assert_string_equal(r.err_field, "b");
    assert_int_equal(r.err_pos, 1);
    assert_int_equal(wire_read_int8(&r, "c"), 0);
    assert_int_equal(wire_read_int64(&r, "d"), 0);
    assert_false(wire_read_bool(&r, "e"));
    assert_null(wire_read_bytes(&r, true, true, "f").ptr);
    assert_int_equal(wire_read_count(&r, false, true, 1, "g"), 0);
    assert_null(wire_read_tags(&r));
    int32_t count = 7;
    assert_null(wire_read_string_array(&r, true, true, &count, "h"));
    assert_int_equal(count, 0);
    assert_string_equal(r.err_field, "b");
}

static void
counts_are_checked_before_memory_is_taken(void **state)
{
    (void)state;
    /* 2^30 elements in six bytes; the bytes left hold one element of four */
    READER(huge, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    int32_t count;
    assert_null(wire_read_int32_array(&huge, false, false, &count, "list"));
    assert_int_equal(huge.err, OT_E_MALFORMED);
    assert_int_equal(arena_bytes(arena), 0);
    READER(two, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0);
    assert_null(wire_read_int32_array(&two, false, false, &count, "list"));
    assert_int_equal(two.err, OT_E_MALFORMED);
    READER(fits, 0, 0, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe);
    int32_t *list = wire_read_int32_array(&fits, false, false, &count, "list");
    assert_int_equal(count, 2);
    assert_int_equal(list[0], 1);
    assert_int_equal(list[1], -2);
}

static void
null_and_negative_lengths(void **state)
{
    (void)state;
    READER(old, 0xff, 0xfe);
    assert_null(wire_read_string(&old, false, true, "s").ptr);
    assert_int_equal(old.err, 0);
    READER(refused, 0xff, 0xff);
    assert_null(wire_read_string(&refused, false, false, "s").ptr);
    assert_int_equal(refused.err, OT_E_MALFORMED);
    /* 2^31 + 1 reads as a negative length, hence null */
    READER(compact, 0x81, 0x80, 0x80, 0x80, 0x08);
    assert_null(wire_read_bytes(&compact, true, true, "b").ptr);
    assert_int_equal(compact.err, 0);
    READER(empty, 0x01);
    StrView v = wire_read_string(&empty, true, true, "s");
    assert_non_null(v.ptr);
    assert_int_equal(v.len, 0);
}

static void
a_full_arena_is_an_error(void **state)
{
    (void)state;
    READER(r, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2);
    arena_set_cap(arena, 1);
    int32_t count;
    assert_null(wire_read_int32_array(&r, false, false, &count, "list"));
    assert_int_equal(count, 0);
    assert_int_equal(r.err, OT_E_NO_MEMORY);
    WireReader none;
    wire_reader_init(&none, r_bytes, sizeof r_bytes, NULL);
    assert_null(wire_read_int32_array(&none, false, false, &count, "list"));
    assert_int_equal(none.err, OT_E_NO_MEMORY);
}

static void
unknown_tags_are_kept_in_any_order(void **state)
{
    (void)state;
    /* tags 9 (2 bytes), 3 (none), 9 again (1 byte) */
    READER(r, 3, 9, 2, 0xaa, 0xbb, 3, 0, 9, 1, 0xcc);
    WireTags *tags = wire_read_tags(&r);
    assert_int_equal(r.err, 0);
    assert_int_equal(wire_left(&r), 0);
    assert_int_equal(tags->count, 3);
    assert_int_equal(tags->list[0].tag, 9);
    assert_int_equal(tags->list[0].bytes.len, 2);
    assert_int_equal(tags->list[1].tag, 3);
    assert_int_equal(tags->list[2].bytes.ptr[0], 0xcc);
    WireSizer s = {0};
    wire_size_tags(&s, 0, tags);
    assert_int_equal(s.bytes, sizeof r_bytes);
    uint8_t buf[sizeof r_bytes];
    WireWriter w;
    wire_writer_init(&w, buf, sizeof buf);
    wire_write_tags(&w, tags);
    assert_memory_equal(buf, r_bytes, sizeof buf);
}

static void
tag_sections_are_bounded(void **state)
{
    (void)state;
    READER(many, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3);
    assert_null(wire_read_tags(&many)); /* 2^32 - 1 reads as negative */
    assert_int_equal(many.err, 0);
    READER(crowd, 100, 1, 0, 2, 0);
    assert_null(wire_read_tags(&crowd));
    assert_int_equal(crowd.err, OT_E_MALFORMED);
    READER(beyond, 1, 5, 0x80, 0x80, 0x80, 0x80, 0x08);
    assert_null(wire_read_tags(&beyond));
    assert_int_equal(beyond.err, OT_E_MALFORMED);
    READER(inner, 1, 5, 2, 1, 2, 7);
    assert_int_equal(wire_read_tag_count(&inner), 1);
    const uint8_t *outer_end;
    assert_int_equal(wire_read_tag_begin(&inner, &outer_end), 5);
    assert_int_equal(wire_left(&inner), 2);
    assert_int_equal(wire_read_int8(&inner, "v"), 1);
    wire_read_tag_end(&inner, outer_end); /* one byte of the field is left */
    assert_int_equal(inner.err, OT_E_MALFORMED);
    assert_int_equal(wire_left(&inner), 0);
}

static void
records_of_files_are_noted_not_copied(void **state)
{
    (void)state;
    RecordsView list[] = {
        records_in_file(7, 4096, 1000), records_in_memory((const uint8_t *)"abc", 3),
        records_in_file(7, 0, 0),       WIRE_NULL_RECORDS,
        records_in_file(8, 5, 6),
    };
    const int count = sizeof list / sizeof *list;
    WireSizer s = {0};
    for (int i = 0; i < count; i++)
        wire_size_records(&s, false, true, &list[i], "records");
    assert_int_equal(s.bytes, 5 * 4 + 3);
    assert_int_equal(s.file_bytes, 1006);
    assert_int_equal(s.slices_count, 2);
    uint8_t buf[23];
    WireSlice slices[2];
    WireWriter w;
    wire_writer_init(&w, buf, sizeof buf);
    w.slices = slices;
    w.slices_max = 2;
    for (int i = 0; i < count; i++)
        wire_write_records(&w, false, &list[i]);
    assert_ptr_equal(w.pos, w.end);
    assert_int_equal(w.slices_count, 2);
    assert_int_equal(slices[0].buf_pos, 4);
    assert_int_equal(slices[0].fd, 7);
    assert_int_equal(slices[0].file_pos, 4096);
    assert_int_equal(slices[0].len, 1000);
    assert_int_equal(slices[1].buf_pos, 23);
    assert_int_equal(wire_load32(buf), 1000);
    assert_memory_equal(buf + 4, "\0\0\0\3abc\0\0\0\0\377\377\377\377\0\0\0\6", 19);
}

static void
values_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    WireSizer s = {0};
    wire_size_string(&s, true, false, WIRE_NULL_STRING, "name");
    assert_int_equal(s.err, OT_E_UNSUPPORTED_VERSION);
    assert_string_equal(s.err_field, "name");
    s = (WireSizer){0};
    char *text = calloc(1, WIRE_STRING_BYTES_MAX + 1);
    wire_size_string(&s, true, false, (StrView){text, WIRE_STRING_BYTES_MAX}, "name");
    assert_int_equal(s.err, 0);
    wire_size_string(&s, true, false, (StrView){text, WIRE_STRING_BYTES_MAX + 1}, "name");
    assert_int_equal(s.err, OT_E_MESSAGE_TOO_LARGE);
    free(text);
    s = (WireSizer){0};
    wire_size_count(&s, false, false, -1, "list");
    assert_int_equal(s.err, OT_E_UNSUPPORTED_VERSION);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(varints_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(long_varints_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(first_error_stays_and_all_reads_yield_zero, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(counts_are_checked_before_memory_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(null_and_negative_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_arena_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_tags_are_kept_in_any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(tag_sections_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(records_of_files_are_noted_not_copied, setup, teardown),
        cmocka_unit_test_setup_teardown(values_that_do_not_fit_are_refused, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
