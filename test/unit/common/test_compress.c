/*
 * test_compress.c - codecs round trip, take what Kafka takes, refuse what it refuses, and stay small
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/compress.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <lz4frame.h>

#define BUFFER_BYTES (8 << 20)

typedef struct Buffer {
    uint8_t *bytes;
    size_t len;
} Buffer;

static uint8_t packed_bytes[BUFFER_BYTES], plain_bytes[BUFFER_BYTES], input[3 << 20];

static int
collect(void *arg, const uint8_t *bytes, size_t len)
{
    Buffer *buffer = arg;

    assert_true(buffer->len + len <= BUFFER_BYTES);
    memcpy(buffer->bytes + buffer->len, bytes, len);
    buffer->len += len;
    return 0;
}

static int
refuse(void *arg, const uint8_t *bytes, size_t len)
{
    (void)arg;
    (void)bytes;
    (void)len;
    return 77;
}

/* Compresses in uneven parts. */
static BytesView
pack(Codec codec, int level, const void *bytes, size_t len)
{
    Arena *arena = arena_new(4096, 0);
    Encoder *encoder = encoder_open(codec, level, arena);
    Buffer out = {packed_bytes, 0};
    size_t at = 0, part = 1;

    assert_non_null(encoder);
    while (at < len) {
        size_t now = part < len - at ? part : len - at;

        assert_int_equal(encoder_put(encoder, (const uint8_t *)bytes + at, now, collect, &out), 0);
        at += now;
        part = part * 7 % 100003 + 1;
    }
    assert_int_equal(encoder_finish(encoder, collect, &out), 0);
    encoder_close(encoder);
    arena_free(arena);
    return (BytesView){packed_bytes, (int32_t)out.len};
}

/* Decodes all; result is the final code, bytes in plain_bytes. */
static int
unpack(Codec codec, BytesView in, size_t *ret_len)
{
    Arena *arena = arena_new(4096, 0);
    Decoder *decoder = decoder_open(codec, in, arena);
    Buffer out = {plain_bytes, 0};
    BytesView piece;
    int rc;

    assert_non_null(decoder);
    while ((rc = decoder_next(decoder, &piece)) == 0) {
        assert_true(piece.len > 0);
        (void)collect(&out, piece.ptr, (size_t)piece.len);
    }
    assert_int_equal(decoder_next(decoder, &piece), rc);
    decoder_close(decoder);
    arena_free(arena);
    *ret_len = out.len;
    return rc;
}

static int
unpack_code(Codec codec, const void *bytes, size_t len)
{
    /* In memory of its own size, so that ASan sees a step beyond. */
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    size_t ignored;
    int rc;

    memcpy(copy, bytes, len);
    rc = unpack(codec, (BytesView){copy, (int32_t)len}, &ignored);
    free(copy);
    return rc;
}

static void
fill_input(void)
{
    uint32_t x = 12345;

    for (size_t i = 0; i < sizeof input; i++) {
        x = x * 1664525 + 1013904223;
        input[i] = (uint8_t)(i / 1000 % 3 == 0 ? (uint8_t)(x >> 24)
                                               : (uint8_t) "some words that repeat "[i % 23]);
    }
}

static void
all_codecs_round_trip(void **state)
{
    static const struct {
        Codec codec;
        int level;
    } ways[] = {{CODEC_NONE, 0},   {CODEC_GZIP, -1}, {CODEC_GZIP, 1}, {CODEC_GZIP, 9},
                {CODEC_SNAPPY, 0}, {CODEC_LZ4, 9},   {CODEC_LZ4, 1},  {CODEC_LZ4, 17},
                {CODEC_ZSTD, 3},   {CODEC_ZSTD, 19}, {CODEC_ZSTD, -5}};
    static const size_t sizes[] = {0, 1, 100, 32767, 32768, 32769, 65536, 65537, 1000000, 3 << 20};

    (void)state;
    fill_input();
    for (size_t w = 0; w < sizeof ways / sizeof ways[0]; w++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            size_t got;
            int rc =
                unpack(ways[w].codec, pack(ways[w].codec, ways[w].level, input, sizes[s]), &got);

            if (sizes[s] == 0 && ways[w].codec == CODEC_SNAPPY)
                assert_int_equal(rc, OT_E_EMPTY_COMPRESSION);
            else
                assert_int_equal(rc, OT_E_EOF);
            assert_int_equal(got, sizes[s]);
            assert_memory_equal(plain_bytes, input, got);
        }
    }
}

/* "record" by the tools of other projects: what their readers and writers agree on. */
static void
streams_of_others_are_read(void **state)
{
    /* gzip -n; zstd with a content size and checksum; raw snappy; lz4 with content size and checksum */
    static const uint8_t gzip[] = {0x1f, 0x8b, 0x08, 0,    0,    0,    0,    0,    0,
                                   0x03, 0x2b, 0x4a, 0x4d, 0xce, 0x2f, 0x4a, 0x01, 0,
                                   0xd8, 0x5d, 0xd5, 0x9c, 6,    0,    0,    0};
    static const uint8_t snappy[] = {6, 20, 'r', 'e', 'c', 'o', 'r', 'd'};
    uint8_t two[2 * sizeof gzip + 5];
    size_t len;

    (void)state;
    assert_int_equal(unpack(CODEC_SNAPPY, (BytesView){snappy, sizeof snappy}, &len), OT_E_EOF);
    assert_int_equal(len, 6);
    assert_memory_equal(plain_bytes, "record", 6);
    /* The trailer's checksum is checked; the bytes above carry a wrong one. */
    assert_int_equal(unpack_code(CODEC_GZIP, gzip, sizeof gzip), OT_E_BAD_COMPRESSION);

    BytesView member = pack(CODEC_GZIP, 6, "record", 6);
    assert_in_range(member.len, 20, sizeof gzip);
    memcpy(two, member.ptr, (size_t)member.len);
    memcpy(two + member.len, member.ptr, (size_t)member.len);
    memcpy(two + 2 * member.len, "junk!", 5);
    assert_int_equal(unpack(CODEC_GZIP, (BytesView){two, 2 * member.len + 5}, &len), OT_E_EOF);
    assert_int_equal(len, 12);
    assert_memory_equal(plain_bytes, "recordrecord", 12);
}

static void
garbage_behind_the_stream(void **state)
{
    static const struct {
        Codec codec;
        int code;
    } rows[] = {{CODEC_GZIP, OT_E_EOF},
                {CODEC_LZ4, OT_E_EOF},
                {CODEC_ZSTD, OT_E_BAD_COMPRESSION},
                {CODEC_SNAPPY, OT_E_BAD_COMPRESSION}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        BytesView whole = pack(rows[i].codec, 3, "record", 6);

        memcpy(packed_bytes + whole.len, "garbage", 7);
        assert_int_equal(unpack_code(rows[i].codec, packed_bytes, (size_t)whole.len + 7),
                         rows[i].code);
    }
}

static void
two_zstd_frames_are_one_stream(void **state)
{
    BytesView frame = pack(CODEC_ZSTD, 3, "record", 6);
    size_t len;

    (void)state;
    memcpy(packed_bytes + frame.len, packed_bytes, (size_t)frame.len);
    frame.len *= 2;
    assert_int_equal(unpack(CODEC_ZSTD, frame, &len), OT_E_EOF);
    assert_int_equal(len, 12);
}

static void
every_cut_is_refused(void **state)
{
    (void)state;
    for (Codec codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
        BytesView whole = pack(codec, 3, input, 3000);

        for (int32_t len = 1; len < whole.len; len++) {
            int rc = unpack_code(codec, packed_bytes, (size_t)len);

            /* A framed snappy stream of one block may end behind its header. */
            if (codec == CODEC_SNAPPY && len >= 16 && len < 20)
                assert_int_equal(rc, OT_E_EMPTY_COMPRESSION);
            else
                assert_int_equal(rc, OT_E_BAD_COMPRESSION);
        }
    }
}

static void
empty_and_foreign_payloads(void **state)
{
    (void)state;
    assert_int_equal(unpack_code(CODEC_GZIP, "", 0), OT_E_BAD_COMPRESSION);
    assert_int_equal(unpack_code(CODEC_SNAPPY, "", 0), OT_E_BAD_COMPRESSION);
    assert_int_equal(unpack_code(CODEC_LZ4, "", 0), OT_E_BAD_COMPRESSION);
    assert_int_equal(unpack_code(CODEC_ZSTD, "", 0), OT_E_EMPTY_COMPRESSION);
    assert_int_equal(unpack_code(CODEC_NONE, "", 0), OT_E_EOF);
    for (Codec from = CODEC_GZIP; from < CODEC_COUNT; from++) {
        for (Codec to = CODEC_GZIP; to < CODEC_COUNT; to++) {
            BytesView whole = pack(from, 3, "record", 6);

            if (from != to)
                assert_int_equal(unpack_code(to, whole.ptr, (size_t)whole.len),
                                 OT_E_BAD_COMPRESSION);
        }
    }
}

static void
lz4_optional_fields_are_skipped(void **state)
{
    LZ4F_preferences_t preferences = {
        .frameInfo = {.blockMode = LZ4F_blockIndependent,
                      .contentChecksumFlag = LZ4F_contentChecksumEnabled,
                      .blockChecksumFlag = LZ4F_blockChecksumEnabled,
                      .contentSize = 6}};
    size_t size, len;

    (void)state;
    size = LZ4F_compressFrame(packed_bytes, sizeof packed_bytes, "record", 6, &preferences);
    assert_false(LZ4F_isError(size));
    assert_int_equal(unpack(CODEC_LZ4, (BytesView){packed_bytes, (int32_t)size}, &len), OT_E_EOF);
    assert_int_equal(len, 6);
    packed_bytes[size - 1] ^= 1; /* the content checksum: not looked at */
    assert_int_equal(unpack_code(CODEC_LZ4, packed_bytes, size), OT_E_EOF);
    packed_bytes[size - 9] ^= 1; /* the block checksum: looked at */
    assert_int_equal(unpack_code(CODEC_LZ4, packed_bytes, size), OT_E_BAD_COMPRESSION);

    preferences.frameInfo.blockMode = LZ4F_blockLinked;
    size = LZ4F_compressFrame(packed_bytes, sizeof packed_bytes, input, 200000, &preferences);
    assert_int_equal(unpack_code(CODEC_LZ4, packed_bytes, size), OT_E_BAD_COMPRESSION);
}

/* 1 GiB of zeros in a megabyte and less comes out in pieces; nothing near its size is allocated. */
static void
bombs_cost_no_memory(void **state)
{
    static const uint8_t zeros[1 << 20];
    static const Codec codecs[] = {CODEC_GZIP, CODEC_ZSTD, CODEC_LZ4};

    (void)state;
    for (size_t c = 0; c < 3; c++) {
        Arena *arena = arena_new(4096, 16384);
        Encoder *encoder = encoder_open(codecs[c], codecs[c] == CODEC_GZIP ? 1 : 9, arena);
        Buffer out = {packed_bytes, 0};
        Decoder *decoder;
        BytesView piece;
        int64_t total = 0;

        for (int i = 0; i < 256; i++)
            assert_int_equal(encoder_put(encoder, zeros, sizeof zeros, collect, &out), 0);
        assert_int_equal(encoder_finish(encoder, collect, &out), 0);
        encoder_close(encoder);
        decoder = decoder_open(codecs[c], (BytesView){packed_bytes, (int32_t)out.len}, arena);
        while (decoder_next(decoder, &piece) == 0) {
            assert_true(piece.len <= COMPRESS_PIECE_BYTES);
            total += piece.len;
        }
        assert_int_equal(total, INT64_C(256) << 20);
        decoder_close(decoder);
        arena_free(arena);
    }
}

static void
snappy_claims_are_bounded(void **state)
{
    static const uint8_t claims_4g[] = {0xff, 0xff, 0xff, 0xff, 0x0f, 0, 'x'};
    uint8_t framed[16 + 4 + 2] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1};

    (void)state;
    assert_int_equal(unpack_code(CODEC_SNAPPY, claims_4g, sizeof claims_4g), OT_E_BAD_COMPRESSION);
    memset(framed + 16, 0xff, 4);
    assert_int_equal(unpack_code(CODEC_SNAPPY, framed, sizeof framed), OT_E_BAD_COMPRESSION);
    assert_int_equal(unpack_code(CODEC_SNAPPY, framed, 16), OT_E_EMPTY_COMPRESSION);
    assert_int_equal(unpack_code(CODEC_SNAPPY, framed, 15), OT_E_BAD_COMPRESSION);
}

static void
damaged_bytes_never_crash(void **state)
{
    (void)state;
    srand(1);
    for (Codec codec = CODEC_GZIP; codec < CODEC_COUNT; codec++) {
        for (int i = 0; i < 500; i++) {
            BytesView whole = pack(codec, 3, input, 2000);

            for (int n = 0; n < 1 + i % 4; n++)
                packed_bytes[rand() % whole.len] ^= (uint8_t)(1 + rand() % 255);
            (void)unpack_code(codec, packed_bytes, (size_t)whole.len);
        }
    }
}

static void
sinks_stop_encoders_and_two_can_be_open(void **state)
{
    Arena *arena = arena_new(4096, 0);
    Buffer out = {packed_bytes, 0};

    (void)state;
    for (Codec codec = CODEC_NONE; codec < CODEC_COUNT; codec++) {
        Encoder *one = encoder_open(codec, 3, arena), *two = encoder_open(codec, 3, arena);
        int rc = encoder_put(one, "x", 1, refuse, NULL);

        if (rc == 0)
            rc = encoder_finish(one, refuse, NULL);
        assert_int_equal(rc, 77);
        assert_int_equal(encoder_put(two, "x", 1, collect, &out), 0);
        encoder_close(one);
        encoder_close(two);
    }
    Decoder *first = decoder_open(CODEC_GZIP, (BytesView){input, 10}, arena);
    Decoder *second = decoder_open(CODEC_ZSTD, (BytesView){input, 10}, arena);
    decoder_close(first);
    decoder_close(second);
    decoder_close(NULL);
    encoder_close(NULL);
    compress_release_contexts();
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_codecs_round_trip),
        cmocka_unit_test(streams_of_others_are_read),
        cmocka_unit_test(garbage_behind_the_stream),
        cmocka_unit_test(two_zstd_frames_are_one_stream),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(empty_and_foreign_payloads),
        cmocka_unit_test(lz4_optional_fields_are_skipped),
        cmocka_unit_test(bombs_cost_no_memory),
        cmocka_unit_test(snappy_claims_are_bounded),
        cmocka_unit_test(damaged_bytes_never_crash),
        cmocka_unit_test(sinks_stop_encoders_and_two_can_be_open),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
