/*
 * snappy_lib_int.h - the functions of libsnappy, loaded with its C++ runtime when a snappy batch comes
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_SNAPPY_LIB_INT_H
#define OTTLA_COMMON_SNAPPY_LIB_INT_H

#include <snappy-c.h>

/* Members are named like the functions without snappy_; their contracts are libsnappy's. */
typedef struct SnappyLib {
    __typeof__(snappy_compress) *compress;
    __typeof__(snappy_uncompress) *uncompress;
    __typeof__(snappy_uncompressed_length) *uncompressed_length;
} SnappyLib;

/* NULL: it cannot be loaded, which one line of the log has said. */
const SnappyLib *snappy_lib(void);

#endif
