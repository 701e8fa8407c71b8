/*
 * compress_encode.c - the codecs of record batches: encoding, as Kafka's Java client writes them
 *
 * Runs in: backend (another codec than the producer's), coordinator, cleaner, tools. Never: logs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/compress.h"

#include <assert.h>
#include <stdlib.h>

#include "codec_libs_int.h"
#include "compress_int.h"
#include "ottla/common/assert.h"

#define SNAPPY_BLOCK_BYTES (32 * 1024)
#define LZ4_BLOCK_BYTES    (64 * 1024)
#define LZ4_FAST_LEVEL     9 /* Kafka's default level stands for the fast compressor */
#define LZ4_HC_LEVEL_MIN   3 /* below, the library takes the fast one */
#define LZ4_HC_LEVEL_MAX   12
#define OUT_BYTES          (LZ4_BLOCK_BYTES + 4096)

static_assert(OUT_BYTES > SNAPPY_BLOCK_BYTES + SNAPPY_BLOCK_BYTES / 6 + 64, "a snappy block fits");

/* What is costly to make; one set is kept per process. */
typedef struct EncodeContexts {
    uint8_t out[OUT_BYTES];
    uint8_t in[SNAPPY_BLOCK_BYTES]; /* snappy: the block that is being filled */
    z_stream gzip;
    bool gzip_ready;
    LZ4F_cctx *lz4;
    ZSTD_CCtx *zstd;
} EncodeContexts;

struct Encoder {
    Codec codec;
    int32_t level;
    EncodeContexts *contexts;
    size_t in_used; /* snappy */
    bool started;   /* the stream header is out */
    bool no_lib;    /* nothing can be written in this codec */
};

static EncodeContexts *kept;
static bool kept_in_use;

static void
free_contexts(EncodeContexts *contexts)
{
    if (contexts == NULL)
        return;
    if (contexts->gzip_ready)
        (void)gzip_lib()->deflateEnd(&contexts->gzip);
    if (contexts->lz4 != NULL)
        (void)lz4_lib()->freeCompressionContext(contexts->lz4);
    if (contexts->zstd != NULL)
        (void)zstd_lib()->freeCCtx(contexts->zstd);
    free(contexts);
}

static bool
prepare_gzip(EncodeContexts *contexts, int32_t level)
{
    const GzipLib *lib = gzip_lib();

    /* Another level needs another state. */
    if (contexts->gzip_ready)
        (void)lib->deflateEnd(&contexts->gzip);
    memset(&contexts->gzip, 0, sizeof contexts->gzip);
    contexts->gzip_ready =
        lib->deflateInit2_(&contexts->gzip, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY,
                           ZLIB_VERSION, (int)sizeof contexts->gzip) == Z_OK;
    return contexts->gzip_ready;
}

static bool
prepare_lz4(EncodeContexts *contexts)
{
    const Lz4Lib *lib = lz4_lib();

    return contexts->lz4 != NULL ||
           !lib->isError(lib->createCompressionContext(&contexts->lz4, LZ4F_VERSION));
}

static bool
prepare_zstd(EncodeContexts *contexts, int32_t level)
{
    const ZstdLib *lib = zstd_lib();

    if (contexts->zstd == NULL)
        contexts->zstd = lib->createCCtx();
    return contexts->zstd != NULL &&
           !lib->isError(lib->CCtx_reset(contexts->zstd, ZSTD_reset_session_and_parameters)) &&
           !lib->isError(lib->CCtx_setParameter(contexts->zstd, ZSTD_c_compressionLevel, level));
}

/* Makes the context of one codec, whose library is there, ready for a new stream. */
static bool
prepare(EncodeContexts *contexts, Codec codec, int32_t level)
{
    switch (codec) {
    case CODEC_NONE:
    case CODEC_SNAPPY:
        return true;
    case CODEC_GZIP:
        return prepare_gzip(contexts, level);
    case CODEC_LZ4:
        return prepare_lz4(contexts);
    case CODEC_ZSTD:
        return prepare_zstd(contexts, level);
    case CODEC_COUNT:
        break;
    }
    ot_unreachable();
}

Encoder *
encoder_open(Codec codec, int32_t level, Arena *arena)
{
    Encoder *encoder = arena_calloc(arena, 1, sizeof *encoder);
    EncodeContexts *contexts;

    ot_assert(codec < CODEC_COUNT);
    if (encoder == NULL)
        return NULL;
    encoder->codec = codec;
    encoder->level = level;
    encoder->no_lib = !codec_lib_there(codec);
    if (encoder->no_lib)
        return encoder;
    contexts = kept_in_use || kept == NULL ? calloc(1, sizeof *contexts) : kept;
    if (contexts == NULL)
        return NULL;
    if (!kept_in_use)
        kept = contexts;
    if (!prepare(contexts, codec, level)) {
        if (contexts != kept)
            free_contexts(contexts);
        return NULL;
    }
    if (contexts == kept)
        kept_in_use = true;
    encoder->contexts = contexts;
    return encoder;
}

void
encoder_close(Encoder *encoder)
{
    if (encoder == NULL || encoder->contexts == NULL)
        return;
    if (encoder->contexts == kept)
        kept_in_use = false;
    else
        free_contexts(encoder->contexts);
    encoder->contexts = NULL;
}

static int
put_gzip(Encoder *encoder, BytesView in, int flush, EncoderSink sink, void *arg)
{
    const GzipLib *lib = gzip_lib();
    z_stream *gzip = &encoder->contexts->gzip;
    int rc;

    gzip->next_in = (Bytef *)(uintptr_t)in.ptr; /* zlib only reads it */
    gzip->avail_in = (uInt)in.len;
    do {
        size_t made;

        gzip->next_out = encoder->contexts->out;
        gzip->avail_out = OUT_BYTES;
        rc = lib->deflate(gzip, flush);
        if (rc == Z_STREAM_ERROR)
            return OT_E_INTERNAL;
        made = OUT_BYTES - gzip->avail_out;
        if (made > 0) {
            int stop = sink(arg, encoder->contexts->out, made);

            if (stop != 0)
                return stop;
        }
    } while (gzip->avail_out == 0 || (flush == Z_FINISH && rc != Z_STREAM_END));
    return 0;
}

static void
store_be32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* Header of the framed form: magic, version 1, readable from version 1 on. */
static int
start_snappy(Encoder *encoder, EncoderSink sink, void *arg)
{
    static const uint8_t header[16] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
                                       0,    0,   0,   1,   0,   0,   0,   1};

    if (encoder->started)
        return 0;
    encoder->started = true;
    return sink(arg, header, sizeof header);
}

static int
flush_snappy(Encoder *encoder, EncoderSink sink, void *arg)
{
    EncodeContexts *contexts = encoder->contexts;
    const SnappyLib *lib = snappy_lib();
    size_t made = OUT_BYTES - 4;

    if (encoder->in_used == 0)
        return 0;
    if (lib->compress((const char *)contexts->in, encoder->in_used, (char *)contexts->out + 4,
                      &made) != SNAPPY_OK)
        return OT_E_INTERNAL;
    store_be32(contexts->out, (uint32_t)made);
    encoder->in_used = 0;
    return sink(arg, contexts->out, made + 4);
}

static int
put_snappy(Encoder *encoder, BytesView in, EncoderSink sink, void *arg)
{
    int rc = start_snappy(encoder, sink, arg);

    while (rc == 0 && in.len > 0) {
        size_t room = SNAPPY_BLOCK_BYTES - encoder->in_used;
        size_t part = (size_t)in.len < room ? (size_t)in.len : room;

        memcpy(encoder->contexts->in + encoder->in_used, in.ptr, part);
        encoder->in_used += part;
        in.ptr += part;
        in.len -= (int32_t)part;
        if (encoder->in_used == SNAPPY_BLOCK_BYTES)
            rc = flush_snappy(encoder, sink, arg);
    }
    return rc;
}

static LZ4F_preferences_t
lz4_preferences(int32_t level)
{
    LZ4F_preferences_t preferences = {
        .frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent}};

    if (level != LZ4_FAST_LEVEL)
        preferences.compressionLevel = level < LZ4_HC_LEVEL_MIN   ? LZ4_HC_LEVEL_MIN
                                       : level > LZ4_HC_LEVEL_MAX ? LZ4_HC_LEVEL_MAX
                                                                  : level;
    return preferences;
}

/* Hands over what an LZ4F call made. */
static int
emit_lz4(Encoder *encoder, size_t made, EncoderSink sink, void *arg)
{
    if (lz4_lib()->isError(made))
        return OT_E_INTERNAL;
    return made == 0 ? 0 : sink(arg, encoder->contexts->out, made);
}

static int
start_lz4(Encoder *encoder, EncoderSink sink, void *arg)
{
    LZ4F_preferences_t preferences = lz4_preferences(encoder->level);

    if (encoder->started)
        return 0;
    encoder->started = true;
    return emit_lz4(encoder,
                    lz4_lib()->compressBegin(encoder->contexts->lz4, encoder->contexts->out,
                                             OUT_BYTES, &preferences),
                    sink, arg);
}

static int
put_lz4(Encoder *encoder, BytesView in, EncoderSink sink, void *arg)
{
    int rc = start_lz4(encoder, sink, arg);

    /* Half a block at a time: with what the library holds back, never more than one block comes out. */
    while (rc == 0 && in.len > 0) {
        int32_t part = in.len < LZ4_BLOCK_BYTES / 2 ? in.len : LZ4_BLOCK_BYTES / 2;

        rc = emit_lz4(encoder,
                      lz4_lib()->compressUpdate(encoder->contexts->lz4, encoder->contexts->out,
                                                OUT_BYTES, in.ptr, (size_t)part, NULL),
                      sink, arg);
        in.ptr += part;
        in.len -= part;
    }
    return rc;
}

static int
put_zstd(Encoder *encoder, BytesView in, ZSTD_EndDirective end, EncoderSink sink, void *arg)
{
    const ZstdLib *lib = zstd_lib();
    ZSTD_inBuffer from = {in.ptr, (size_t)in.len, 0};
    size_t left;

    do {
        ZSTD_outBuffer to = {encoder->contexts->out, OUT_BYTES, 0};
        int stop;

        left = lib->compressStream2(encoder->contexts->zstd, &to, &from, end);
        if (lib->isError(left))
            return OT_E_INTERNAL;
        stop = to.pos == 0 ? 0 : sink(arg, encoder->contexts->out, to.pos);
        if (stop != 0)
            return stop;
    } while (from.pos < from.size || (end == ZSTD_e_end && left > 0));
    return 0;
}

/* One piece of less than 2 GiB. */
static int
put_piece(Encoder *encoder, BytesView in, EncoderSink sink, void *arg)
{
    switch (encoder->codec) {
    case CODEC_NONE:
        return in.len == 0 ? 0 : sink(arg, in.ptr, (size_t)in.len);
    case CODEC_GZIP:
        return put_gzip(encoder, in, Z_NO_FLUSH, sink, arg);
    case CODEC_SNAPPY:
        return put_snappy(encoder, in, sink, arg);
    case CODEC_LZ4:
        return put_lz4(encoder, in, sink, arg);
    case CODEC_ZSTD:
        return put_zstd(encoder, in, ZSTD_e_continue, sink, arg);
    case CODEC_COUNT:
        break;
    }
    ot_unreachable();
}

int
encoder_put(Encoder *encoder, const void *bytes, size_t len, EncoderSink sink, void *arg)
{
    const uint8_t *at = bytes;
    int rc = encoder->no_lib ? OT_E_UNSUPPORTED_COMPRESSION_TYPE : 0;

    while (rc == 0 && len > 0) {
        int32_t part = len > INT32_MAX / 2 ? INT32_MAX / 2 : (int32_t)len;

        rc = put_piece(encoder, (BytesView){at, part}, sink, arg);
        at += part;
        len -= (size_t)part;
    }
    return rc;
}

int
encoder_finish(Encoder *encoder, EncoderSink sink, void *arg)
{
    EncodeContexts *contexts = encoder->contexts;
    BytesView nothing = {(const uint8_t *)"", 0};
    int rc;

    if (encoder->no_lib)
        return OT_E_UNSUPPORTED_COMPRESSION_TYPE;
    switch (encoder->codec) {
    case CODEC_NONE:
        return 0;
    case CODEC_GZIP:
        return put_gzip(encoder, nothing, Z_FINISH, sink, arg);
    case CODEC_SNAPPY:
        rc = start_snappy(encoder, sink, arg);
        return rc != 0 ? rc : flush_snappy(encoder, sink, arg);
    case CODEC_LZ4:
        rc = start_lz4(encoder, sink, arg);
        return rc != 0
                   ? rc
                   : emit_lz4(encoder,
                              lz4_lib()->compressEnd(contexts->lz4, contexts->out, OUT_BYTES, NULL),
                              sink, arg);
    case CODEC_ZSTD:
        return put_zstd(encoder, nothing, ZSTD_e_end, sink, arg);
    case CODEC_COUNT:
        break;
    }
    ot_unreachable();
}

void
compress_release_contexts(void)
{
    compress_release_decoders();
    ot_assert(!kept_in_use);
    free_contexts(kept);
    kept = NULL;
}
