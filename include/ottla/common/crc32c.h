/*
 * crc32c.h - the Castagnoli checksum of record batches and checkpoint files, and the one of old formats
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_CRC32C_H
#define OTTLA_COMMON_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Checksum of the bytes, as Kafka writes it: crc32c("123456789") is 0xe3069283. */
uint32_t crc32c(const void *bytes, size_t len);

/* Continues a checksum: crc32c_extend(crc32c(a), b) is the checksum of a followed by b; start with 0. */
uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t len);

/* The same for CRC-32 as gzip, zip and message formats 0 and 1 have it: of "123456789" it is 0xcbf43926. */
uint32_t crc32_extend(uint32_t crc, const void *bytes, size_t len);

#endif
