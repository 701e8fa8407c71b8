/*
 * codec_libs.c - the functions of the codecs' libraries, each library loaded by the first batch in its codec
 *
 * Runs in: processes that read or write compressed batches.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "codec_libs_int.h"
#include "ottla/common/assert.h"
#include "ottla/common/dynlib.h"
#include "ottla/common/log.h"

typedef enum LibState { LIB_UNTRIED, LIB_LOADED, LIB_FAILED } LibState;

#define COUNT(functions) ((int)(sizeof(functions) / sizeof(functions)[0]))

/* True: the table is filled. A library that cannot be loaded is tried, and told of, once per process. */
static bool
load(LibState *state, const char *soname, const DynFunction *functions, int count)
{
    ErrInfo err;

    if (*state == LIB_UNTRIED) {
        *state = dynlib_load(soname, functions, count, &err) == 0 ? LIB_LOADED : LIB_FAILED;
        if (*state == LIB_FAILED)
            log_msg(LL_ERROR, "storage", "batches in one codec are refused: %s", err.text);
    }
    return *state == LIB_LOADED;
}

const GzipLib *
gzip_lib(void)
{
    static GzipLib lib;
    static const DynFunction functions[] = {
        DYN_FUNCTION(lib, , deflateInit2_), DYN_FUNCTION(lib, , deflate),
        DYN_FUNCTION(lib, , deflateEnd),    DYN_FUNCTION(lib, , inflateInit2_),
        DYN_FUNCTION(lib, , inflate),       DYN_FUNCTION(lib, , inflateReset),
        DYN_FUNCTION(lib, , inflateReset2), DYN_FUNCTION(lib, , inflateEnd),
    };
    static LibState state;

    return load(&state, "libz.so.1", functions, COUNT(functions)) ? &lib : NULL;
}

const SnappyLib *
snappy_lib(void)
{
    static SnappyLib lib;
    static const DynFunction functions[] = {
        DYN_FUNCTION(lib, snappy_, compress),
        DYN_FUNCTION(lib, snappy_, uncompress),
        DYN_FUNCTION(lib, snappy_, uncompressed_length),
    };
    static LibState state;

    return load(&state, "libsnappy.so.1", functions, COUNT(functions)) ? &lib : NULL;
}

const Lz4Lib *
lz4_lib(void)
{
    static Lz4Lib lib;
    static const DynFunction functions[] = {
        DYN_FUNCTION(lib, LZ4F_, isError),
        DYN_FUNCTION(lib, LZ4F_, createDecompressionContext),
        DYN_FUNCTION(lib, LZ4F_, resetDecompressionContext),
        DYN_FUNCTION(lib, LZ4F_, decompress),
        DYN_FUNCTION(lib, LZ4F_, freeDecompressionContext),
        DYN_FUNCTION(lib, LZ4F_, createCompressionContext),
        DYN_FUNCTION(lib, LZ4F_, compressBegin),
        DYN_FUNCTION(lib, LZ4F_, compressUpdate),
        DYN_FUNCTION(lib, LZ4F_, compressEnd),
        DYN_FUNCTION(lib, LZ4F_, freeCompressionContext),
    };
    static LibState state;

    return load(&state, "liblz4.so.1", functions, COUNT(functions)) ? &lib : NULL;
}

const ZstdLib *
zstd_lib(void)
{
    static ZstdLib lib;
    static const DynFunction functions[] = {
        DYN_FUNCTION(lib, ZSTD_, isError),           DYN_FUNCTION(lib, ZSTD_, getErrorCode),
        DYN_FUNCTION(lib, ZSTD_, createDCtx),        DYN_FUNCTION(lib, ZSTD_, DCtx_reset),
        DYN_FUNCTION(lib, ZSTD_, DCtx_setParameter), DYN_FUNCTION(lib, ZSTD_, decompressStream),
        DYN_FUNCTION(lib, ZSTD_, sizeof_DCtx),       DYN_FUNCTION(lib, ZSTD_, freeDCtx),
        DYN_FUNCTION(lib, ZSTD_, createCCtx),        DYN_FUNCTION(lib, ZSTD_, CCtx_reset),
        DYN_FUNCTION(lib, ZSTD_, CCtx_setParameter), DYN_FUNCTION(lib, ZSTD_, compressStream2),
        DYN_FUNCTION(lib, ZSTD_, freeCCtx),
    };
    static LibState state;

    return load(&state, "libzstd.so.1", functions, COUNT(functions)) ? &lib : NULL;
}

bool
codec_lib_there(Codec codec)
{
    switch (codec) {
    case CODEC_NONE:
        return true;
    case CODEC_GZIP:
        return gzip_lib() != NULL;
    case CODEC_SNAPPY:
        return snappy_lib() != NULL;
    case CODEC_LZ4:
        return lz4_lib() != NULL;
    case CODEC_ZSTD:
        return zstd_lib() != NULL;
    case CODEC_COUNT:
        break;
    }
    ot_unreachable();
}
