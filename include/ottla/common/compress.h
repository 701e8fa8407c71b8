/*
 * compress.h - the codecs of record batches, piece by piece
 *
 * What is accepted and written follows log.md 3 and observed.md 1: what Kafka's decoders take, to the
 * corner cases (several gzip members or zstd frames, garbage behind gzip and lz4, raw and framed
 * snappy). A decoder yields its output in pieces, so that a stream that grows a thousandfold costs no
 * more memory than one that does not; the caller bounds the sum. Contexts are kept per process, one of
 * each kind: opening a second decoder while one is open works and costs an allocation.
 *
 * Pure but for the kept contexts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_COMPRESS_H
#define OTTLA_COMMON_COMPRESS_H

#include <stddef.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/err.h"
#include "ottla/common/view.h"

/* The numbers of the batch attributes. */
typedef enum Codec {
    CODEC_NONE,
    CODEC_GZIP,
    CODEC_SNAPPY,
    CODEC_LZ4,
    CODEC_ZSTD,
    CODEC_COUNT
} Codec;

#define COMPRESS_PIECE_BYTES (64 * 1024)

/*
 * A raw snappy block cannot be decoded in pieces; larger ones are refused. The format allows at most
 * 22 bytes of output for one of input, a claim above that is refused before memory is taken.
 */
#define COMPRESS_SNAPPY_BLOCK_MAX (256 * 1024 * 1024)

typedef struct Decoder Decoder;

/* Starts on a whole stream, which stays the caller's. NULL: no memory. */
Decoder *decoder_open(Codec codec, BytesView in, Arena *arena);

/*
 * The next piece, at least one byte, valid until the next call.
 * OT_E_EOF: the stream ended well. OT_E_BAD_COMPRESSION: it did not, or is none of this codec.
 * OT_E_EMPTY_COMPRESSION: a zstd payload of no bytes, or a snappy header with nothing behind it.
 * OT_E_UNSUPPORTED_COMPRESSION_TYPE: the codec's library cannot be loaded. OT_E_NO_MEMORY. After any of these the same again.
 */
int decoder_next(Decoder *decoder, BytesView *ret_piece) __attribute__((warn_unused_result));

/* The last piece is no longer valid. NULL is fine. */
void decoder_close(Decoder *decoder);

typedef struct Encoder Encoder;

/* Takes finished bytes; another result than 0 stops the encoder, which returns it. */
typedef int (*EncoderSink)(void *arg, const uint8_t *bytes, size_t len);

/*
 * level as the compression.*.level settings say (gzip -1, 1 to 9; lz4 1 to 17, where 9 means the fast
 * compressor, as in Kafka; zstd any); ignored by the others. NULL: no memory.
 */
Encoder *encoder_open(Codec codec, int32_t level, Arena *arena);

/* 0, the sink's result, OT_E_INTERNAL, or OT_E_UNSUPPORTED_COMPRESSION_TYPE: the library cannot be loaded. */
int encoder_put(Encoder *encoder, const void *bytes, size_t len, EncoderSink sink, void *arg)
    __attribute__((warn_unused_result));

/* Ends the stream; nothing but encoder_close may follow. Results as encoder_put. */
int encoder_finish(Encoder *encoder, EncoderSink sink, void *arg)
    __attribute__((warn_unused_result));

/* NULL is fine. */
void encoder_close(Encoder *encoder);

/* Gives the kept contexts back (tests of leaks, processes that are done with batches). */
void compress_release_contexts(void);

#endif
