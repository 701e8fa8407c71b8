/*
 * kit.h - what fuzz targets share: a folder in memory, files out of an input, right checksums
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_TEST_FUZZ_KIT_H
#define OTTLA_TEST_FUZZ_KIT_H

#include <stddef.h>
#include <stdint.h>

#include "ottla/common/view.h"

/* What is left of an input. */
typedef struct FuzzInput {
    const uint8_t *at;
    const uint8_t *end;
} FuzzInput;

/* 0 when nothing is left. */
uint8_t fuzz_byte(FuzzInput *in);

/* Two bytes of length, then as many bytes, or as many as there are. */
BytesView fuzz_piece(FuzzInput *in);

/* All that is left. */
BytesView fuzz_rest(FuzzInput *in);

/* A folder of this process below /dev/shm (or /tmp), removed at its end; TMPDIR points at it. */
const char *fuzz_folder(void);

/* Removes everything below the folder. */
void fuzz_clear(const char *folder);

void fuzz_write(const char *folder, const char *name, BytesView bytes);

/* Makes the checksums of whole batches in a copy right: *ret, which the caller frees. */
BytesView fuzz_sealed(BytesView batches, uint8_t **ret);

/* Lines of the log say nothing here. Call it first. */
void fuzz_quiet(void);

#endif
