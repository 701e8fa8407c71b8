/*
 * codec_libs_int.h - the functions of the codecs' libraries, each library loaded by the first batch in its codec
 *
 * Most connections see no compressed batch, and a library that is linked costs each of them page tables and
 * mappings (dynlib.h). Members are named like the functions without their library's prefix; their contracts
 * are the libraries'. Each *_lib() is NULL when the library cannot be loaded, which one line of the log has
 * said; after codec_lib_there() said yes, it is not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_CODEC_LIBS_INT_H
#define OTTLA_COMMON_CODEC_LIBS_INT_H

#include <lz4frame.h>
#include <snappy-c.h>
#include <stdbool.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "ottla/common/compress.h"

typedef struct GzipLib {
    __typeof__(deflateInit2_) *deflateInit2_;
    __typeof__(deflate) *deflate;
    __typeof__(deflateEnd) *deflateEnd;
    __typeof__(inflateInit2_) *inflateInit2_;
    __typeof__(inflate) *inflate;
    __typeof__(inflateReset) *inflateReset;
    __typeof__(inflateReset2) *inflateReset2;
    __typeof__(inflateEnd) *inflateEnd;
} GzipLib;

typedef struct SnappyLib {
    __typeof__(snappy_compress) *compress;
    __typeof__(snappy_uncompress) *uncompress;
    __typeof__(snappy_uncompressed_length) *uncompressed_length;
} SnappyLib;

typedef struct Lz4Lib {
    __typeof__(LZ4F_isError) *isError;
    __typeof__(LZ4F_createDecompressionContext) *createDecompressionContext;
    __typeof__(LZ4F_resetDecompressionContext) *resetDecompressionContext;
    __typeof__(LZ4F_decompress) *decompress;
    __typeof__(LZ4F_freeDecompressionContext) *freeDecompressionContext;
    __typeof__(LZ4F_createCompressionContext) *createCompressionContext;
    __typeof__(LZ4F_compressBegin) *compressBegin;
    __typeof__(LZ4F_compressUpdate) *compressUpdate;
    __typeof__(LZ4F_compressEnd) *compressEnd;
    __typeof__(LZ4F_freeCompressionContext) *freeCompressionContext;
} Lz4Lib;

typedef struct ZstdLib {
    __typeof__(ZSTD_isError) *isError;
    __typeof__(ZSTD_getErrorCode) *getErrorCode;
    __typeof__(ZSTD_createDCtx) *createDCtx;
    __typeof__(ZSTD_DCtx_reset) *DCtx_reset;
    __typeof__(ZSTD_DCtx_setParameter) *DCtx_setParameter;
    __typeof__(ZSTD_decompressStream) *decompressStream;
    __typeof__(ZSTD_sizeof_DCtx) *sizeof_DCtx;
    __typeof__(ZSTD_freeDCtx) *freeDCtx;
    __typeof__(ZSTD_createCCtx) *createCCtx;
    __typeof__(ZSTD_CCtx_reset) *CCtx_reset;
    __typeof__(ZSTD_CCtx_setParameter) *CCtx_setParameter;
    __typeof__(ZSTD_compressStream2) *compressStream2;
    __typeof__(ZSTD_freeCCtx) *freeCCtx;
} ZstdLib;

const GzipLib *gzip_lib(void);
const SnappyLib *snappy_lib(void);
const Lz4Lib *lz4_lib(void);
const ZstdLib *zstd_lib(void);

/* The functions that the codec needs can be called. Loads them if this is the first time. */
bool codec_lib_there(Codec codec);

#endif
