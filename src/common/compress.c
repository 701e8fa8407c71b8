/*
 * compress.c - the codecs of record batches: decoding
 *
 * Runs in: backend (validation), replicator, coordinator, cleaner, tools. Never: logs, trusts a length
 * from the stream.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/compress.h"

#include <stdlib.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "codec_libs_int.h"
#include "compress_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/limits.h"

/* A zstd context that grew a larger window than this is not kept. */
#define KEEP_CONTEXT_BYTES ((size_t)4 << 20)

/* What is costly to make; one set is kept per process. */
typedef struct DecodeContexts {
    uint8_t out[COMPRESS_PIECE_BYTES];
    z_stream gzip;
    bool gzip_ready;
    LZ4F_dctx *lz4;
    ZSTD_DCtx *zstd;
} DecodeContexts;

struct Decoder {
    Codec codec;
    BytesView in; /* what is left of it */
    DecodeContexts *contexts;
    uint8_t *block;   /* snappy output that does not fit into contexts->out */
    int ended;        /* code that all further calls return; 0: not ended */
    bool started;     /* the header is read (gzip: the first member) */
    bool framed;      /* snappy with blocks */
    bool block_seen;  /* snappy: at least one block was there */
    bool frame_ended; /* zstd: the last call ended a frame */
};

static DecodeContexts *kept;
static bool kept_in_use;

static void
free_contexts(DecodeContexts *contexts)
{
    if (contexts == NULL)
        return;
    if (contexts->gzip_ready)
        (void)gzip_lib()->inflateEnd(&contexts->gzip);
    if (contexts->lz4 != NULL)
        (void)lz4_lib()->freeDecompressionContext(contexts->lz4);
    if (contexts->zstd != NULL)
        (void)zstd_lib()->freeDCtx(contexts->zstd);
    free(contexts);
}

static DecodeContexts *
take_contexts(void)
{
    if (kept_in_use)
        return calloc(1, sizeof *kept);
    if (kept == NULL)
        kept = calloc(1, sizeof *kept);
    kept_in_use = kept != NULL;
    return kept;
}

static void
give_contexts(DecodeContexts *contexts)
{
    if (contexts != kept) {
        free_contexts(contexts);
        return;
    }
    kept_in_use = false;
    if (contexts->zstd != NULL && zstd_lib()->sizeof_DCtx(contexts->zstd) > KEEP_CONTEXT_BYTES) {
        (void)zstd_lib()->freeDCtx(contexts->zstd);
        contexts->zstd = NULL;
    }
}

static bool
prepare_gzip(DecodeContexts *contexts)
{
    const GzipLib *lib = gzip_lib();

    if (contexts->gzip_ready)
        return lib->inflateReset2(&contexts->gzip, 15 + 16) == Z_OK;
    memset(&contexts->gzip, 0, sizeof contexts->gzip);
    contexts->gzip_ready = lib->inflateInit2_(&contexts->gzip, 15 + 16, ZLIB_VERSION,
                                              (int)sizeof contexts->gzip) == Z_OK;
    return contexts->gzip_ready;
}

static bool
prepare_lz4(DecodeContexts *contexts)
{
    const Lz4Lib *lib = lz4_lib();

    if (contexts->lz4 != NULL) {
        lib->resetDecompressionContext(contexts->lz4);
        return true;
    }
    return !lib->isError(lib->createDecompressionContext(&contexts->lz4, LZ4F_VERSION));
}

static bool
prepare_zstd(DecodeContexts *contexts)
{
    const ZstdLib *lib = zstd_lib();

    if (contexts->zstd == NULL)
        contexts->zstd = lib->createDCtx();
    return contexts->zstd != NULL &&
           !lib->isError(lib->DCtx_reset(contexts->zstd, ZSTD_reset_session_and_parameters)) &&
           !lib->isError(
               lib->DCtx_setParameter(contexts->zstd, ZSTD_d_windowLogMax, LIMIT_ZSTD_WINDOW_LOG));
}

/* Makes the context of one codec, whose library is there, ready for a new stream. */
static bool
prepare(DecodeContexts *contexts, Codec codec)
{
    switch (codec) {
    case CODEC_NONE:
    case CODEC_SNAPPY:
        return true;
    case CODEC_GZIP:
        return prepare_gzip(contexts);
    case CODEC_LZ4:
        return prepare_lz4(contexts);
    case CODEC_ZSTD:
        return prepare_zstd(contexts);
    case CODEC_COUNT:
        break;
    }
    ot_unreachable();
}

Decoder *
decoder_open(Codec codec, BytesView in, Arena *arena)
{
    Decoder *decoder = arena_calloc(arena, 1, sizeof *decoder);

    ot_assert(codec < CODEC_COUNT && in.len >= 0);
    if (decoder == NULL)
        return NULL;
    decoder->codec = codec;
    decoder->in = in;
    decoder->contexts = take_contexts();
    if (decoder->contexts == NULL)
        return NULL;
    if (!codec_lib_there(codec)) {
        decoder->ended = OT_E_UNSUPPORTED_COMPRESSION_TYPE;
        return decoder;
    }
    if (!prepare(decoder->contexts, codec)) {
        give_contexts(decoder->contexts);
        return NULL;
    }
    return decoder;
}

void
decoder_close(Decoder *decoder)
{
    if (decoder == NULL || decoder->contexts == NULL)
        return;
    free(decoder->block);
    decoder->block = NULL;
    give_contexts(decoder->contexts);
    decoder->contexts = NULL;
    decoder->ended = OT_E_EOF;
}

static void
skip(Decoder *decoder, size_t bytes)
{
    ot_assert(bytes <= (size_t)decoder->in.len);
    decoder->in.ptr += bytes;
    decoder->in.len -= (int32_t)bytes;
}

static int
next_plain(Decoder *decoder, BytesView *ret)
{
    if (decoder->in.len == 0)
        return OT_E_EOF;
    *ret = decoder->in;
    skip(decoder, (size_t)decoder->in.len);
    return 0;
}

/* Behind a member: another one begins here (Java wants a whole header, or takes the rest for padding). */
static bool
gzip_member_follows(BytesView in)
{
    return in.len > 10 && in.ptr[0] == 0x1f && in.ptr[1] == 0x8b && in.ptr[2] == Z_DEFLATED;
}

static int
next_gzip(Decoder *decoder, BytesView *ret)
{
    const GzipLib *lib = gzip_lib();
    z_stream *gzip = &decoder->contexts->gzip;
    uint8_t *out = decoder->contexts->out;

    for (;;) {
        int rc, made;

        gzip->next_in = (Bytef *)(uintptr_t)decoder->in.ptr; /* zlib only reads it */
        gzip->avail_in = (uInt)decoder->in.len;
        gzip->next_out = out;
        gzip->avail_out = COMPRESS_PIECE_BYTES;
        rc = lib->inflate(gzip, Z_NO_FLUSH);
        skip(decoder, (size_t)decoder->in.len - gzip->avail_in);
        made = COMPRESS_PIECE_BYTES - (int)gzip->avail_out;
        if (rc == Z_STREAM_END) {
            if (!gzip_member_follows(decoder->in))
                decoder->ended = OT_E_EOF;
            else if (lib->inflateReset(gzip) != Z_OK)
                decoder->ended = OT_E_BAD_COMPRESSION;
        } else if (rc == Z_MEM_ERROR) {
            return OT_E_NO_MEMORY;
        } else if (rc != Z_OK || (made == 0 && decoder->in.len == 0)) {
            return OT_E_BAD_COMPRESSION;
        }
        if (made > 0) {
            *ret = (BytesView){out, made};
            return 0;
        }
        if (decoder->ended != 0)
            return decoder->ended;
    }
}

static const uint8_t snappy_magic[8] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
#define SNAPPY_HEADER_BYTES 16

static uint32_t
load_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int
snappy_block(Decoder *decoder, BytesView block, BytesView *ret)
{
    const char *in = (const char *)block.ptr;
    uint8_t *out = decoder->contexts->out;
    const SnappyLib *lib = snappy_lib();
    size_t len;

    if (lib->uncompressed_length(in, (size_t)block.len, &len) != SNAPPY_OK ||
        len > (size_t)block.len * 22 || len > COMPRESS_SNAPPY_BLOCK_MAX)
        return OT_E_BAD_COMPRESSION;
    free(decoder->block);
    decoder->block = NULL;
    if (len > COMPRESS_PIECE_BYTES) {
        decoder->block = malloc(len);
        if (decoder->block == NULL)
            return OT_E_NO_MEMORY;
        out = decoder->block;
    }
    if (lib->uncompress(in, (size_t)block.len, (char *)out, &len) != SNAPPY_OK)
        return OT_E_BAD_COMPRESSION;
    *ret = (BytesView){out, (int32_t)len};
    return 0;
}

/* A stream header at the present place; also allowed between blocks, where streams were joined. */
static bool
at_snappy_header(const Decoder *decoder)
{
    return decoder->in.len >= SNAPPY_HEADER_BYTES &&
           memcmp(decoder->in.ptr, snappy_magic, sizeof snappy_magic) == 0;
}

static int
next_snappy(Decoder *decoder, BytesView *ret)
{
    if (!decoder->started) {
        decoder->started = true;
        decoder->framed = at_snappy_header(decoder);
        if (!decoder->framed) {
            int rc = snappy_block(decoder, decoder->in, ret);

            skip(decoder, (size_t)decoder->in.len);
            return rc == 0 && ret->len == 0 ? OT_E_EOF : rc;
        }
    }
    while (decoder->framed) {
        uint32_t len;
        int rc;

        if (at_snappy_header(decoder)) {
            if (load_be32(decoder->in.ptr + 8) < 1)
                return OT_E_BAD_COMPRESSION;
            skip(decoder, SNAPPY_HEADER_BYTES);
            continue;
        }
        /* Kafka takes up to three bytes at the end for nothing. */
        if (decoder->in.len < 4)
            return decoder->block_seen ? OT_E_EOF : OT_E_EMPTY_COMPRESSION;
        len = load_be32(decoder->in.ptr);
        skip(decoder, 4);
        if (len > (uint32_t)decoder->in.len)
            return OT_E_BAD_COMPRESSION;
        rc = snappy_block(decoder, (BytesView){decoder->in.ptr, (int32_t)len}, ret);
        skip(decoder, len);
        decoder->block_seen = true;
        if (rc != 0 || ret->len > 0)
            return rc;
    }
    return OT_E_EOF;
}

/*
 * Reads the frame header as Kafka does and gives the library one without the two optional fields that
 * Kafka does not look at: content size and content checksum.
 */
static int
start_lz4(Decoder *decoder)
{
    const Lz4Lib *lib = lz4_lib();
    const uint8_t *in = decoder->in.ptr;
    uint8_t header[7] = {0x04, 0x22, 0x4d, 0x18};
    size_t size_bytes, header_bytes, used = sizeof header, made = 0, rc;

    if (decoder->in.len < 7 || memcmp(in, header, 4) != 0)
        return OT_E_BAD_COMPRESSION;
    /* Version 01, independent blocks, no dictionary, no reserved bit; block size 64 KiB to 4 MiB. */
    if ((in[4] & 0xe3) != 0x60 || (in[5] & 0x8f) != 0 || in[5] >> 4 < 4)
        return OT_E_BAD_COMPRESSION;
    size_bytes = (in[4] & 0x08) != 0 ? 8 : 0;
    header_bytes = 7 + size_bytes;
    if ((size_t)decoder->in.len < header_bytes ||
        in[header_bytes - 1] != (uint8_t)(XXH32(in + 4, 2 + size_bytes, 0) >> 8))
        return OT_E_BAD_COMPRESSION;
    header[4] = in[4] & 0x70;
    header[5] = in[5];
    header[6] = (uint8_t)(XXH32(header + 4, 2, 0) >> 8);
    rc =
        lib->decompress(decoder->contexts->lz4, decoder->contexts->out, &made, header, &used, NULL);
    if (lib->isError(rc) || used != sizeof header)
        return OT_E_BAD_COMPRESSION;
    skip(decoder, header_bytes);
    decoder->started = true;
    return 0;
}

static int
next_lz4(Decoder *decoder, BytesView *ret)
{
    const Lz4Lib *lib = lz4_lib();

    if (!decoder->started) {
        int rc = start_lz4(decoder);

        if (rc != 0)
            return rc;
    }
    for (;;) {
        size_t used = (size_t)decoder->in.len, made = COMPRESS_PIECE_BYTES, rc;

        rc = lib->decompress(decoder->contexts->lz4, decoder->contexts->out, &made, decoder->in.ptr,
                             &used, NULL);
        if (lib->isError(rc))
            return OT_E_BAD_COMPRESSION;
        skip(decoder, used);
        if (rc == 0)
            decoder->ended = OT_E_EOF; /* what lies behind the end mark is nobody's */
        if (made > 0) {
            *ret = (BytesView){decoder->contexts->out, (int32_t)made};
            return 0;
        }
        if (decoder->ended != 0)
            return decoder->ended;
        if (decoder->in.len == 0 && used == 0)
            return OT_E_BAD_COMPRESSION; /* no end mark */
    }
}

static int
next_zstd(Decoder *decoder, BytesView *ret)
{
    const ZstdLib *lib = zstd_lib();

    if (!decoder->started && decoder->in.len == 0)
        return OT_E_EMPTY_COMPRESSION;
    decoder->started = true;
    for (;;) {
        ZSTD_inBuffer in = {decoder->in.ptr, (size_t)decoder->in.len, 0};
        ZSTD_outBuffer out = {decoder->contexts->out, COMPRESS_PIECE_BYTES, 0};
        size_t rc;

        if (decoder->frame_ended && decoder->in.len == 0)
            return OT_E_EOF;
        rc = lib->decompressStream(decoder->contexts->zstd, &out, &in);
        if (lib->isError(rc))
            return lib->getErrorCode(rc) == ZSTD_error_memory_allocation ? OT_E_NO_MEMORY
                                                                         : OT_E_BAD_COMPRESSION;
        skip(decoder, in.pos);
        decoder->frame_ended = rc == 0;
        if (out.pos > 0) {
            *ret = (BytesView){decoder->contexts->out, (int32_t)out.pos};
            return 0;
        }
        if (decoder->in.len == 0 && in.pos == 0 && !decoder->frame_ended)
            return OT_E_BAD_COMPRESSION; /* cut off */
    }
}

int
decoder_next(Decoder *decoder, BytesView *ret_piece)
{
    int rc = 0;

    if (decoder->ended != 0)
        return decoder->ended;
    switch (decoder->codec) {
    case CODEC_NONE:
        rc = next_plain(decoder, ret_piece);
        break;
    case CODEC_GZIP:
        rc = next_gzip(decoder, ret_piece);
        break;
    case CODEC_SNAPPY:
        rc = next_snappy(decoder, ret_piece);
        break;
    case CODEC_LZ4:
        rc = next_lz4(decoder, ret_piece);
        break;
    case CODEC_ZSTD:
        rc = next_zstd(decoder, ret_piece);
        break;
    case CODEC_COUNT:
        ot_unreachable();
    }
    if (rc != 0)
        decoder->ended = rc;
    return rc;
}

void
compress_release_decoders(void)
{
    ot_assert(!kept_in_use);
    free_contexts(kept);
    kept = NULL;
}
