/*
 * snappy_lib.c - the functions of libsnappy, loaded with its C++ runtime when a snappy batch comes
 *
 * Runs in: processes that read or write snappy batches.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/dynlib.h"
#include "ottla/common/log.h"
#include "snappy_lib_int.h"

const SnappyLib *
snappy_lib(void)
{
    static SnappyLib lib;
    static const DynFunction functions[] = {
        DYN_FUNCTION(lib, snappy_, compress),
        DYN_FUNCTION(lib, snappy_, uncompress),
        DYN_FUNCTION(lib, snappy_, uncompressed_length),
    };
    static enum { UNTRIED, LOADED, FAILED } state;
    ErrInfo err;

    if (state == UNTRIED) {
        int rc =
            dynlib_load("libsnappy.so.1", functions, sizeof functions / sizeof functions[0], &err);

        state = rc == 0 ? LOADED : FAILED;
        if (rc != 0)
            log_msg(LL_ERROR, "storage", "snappy batches are refused: %s", err.text);
    }
    return state == LOADED ? &lib : NULL;
}
