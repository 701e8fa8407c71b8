/*
 * compress_int.h - what the two halves of compress.h share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SRC_COMMON_COMPRESS_INT_H
#define OTTLA_SRC_COMMON_COMPRESS_INT_H

/* The decoding half of compress_release_contexts(). */
void compress_release_decoders(void);

#endif
