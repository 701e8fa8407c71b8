/*
 * vector_kit.h - reads the vector files of test/vectors for the tests of codecs
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_VECTOR_KIT_H
#define TEST_VECTOR_KIT_H

#include <stddef.h>
#include <stdint.h>

#define VECTOR_COLUMNS_MAX 10

/* A row; the texts live until the next one is read. */
typedef struct VectorRow {
    const char *file;
    int line;
    const char *columns[VECTOR_COLUMNS_MAX];
    int columns_count;
} VectorRow;

typedef void VectorFn(const VectorRow *row, void *arg);

/* Calls fn for each row of a file below test/vectors; fails the test when there is none. Returns their number. */
int vectors_each(const char *path, VectorFn *fn, void *arg);

/* The same for every .tsv file of a folder. */
int vectors_each_in(const char *folder, VectorFn *fn, void *arg);

/* Bytes of a hex text in an allocation of exactly that size, so that ASan sees every byte beyond. */
uint8_t *vector_bytes(const char *hex, size_t *ret_len);

/* Prints where a comparison failed and fails the test. */
_Noreturn void vector_fail(const VectorRow *row, const char *what, const char *got,
                           const char *want);

#endif
