/*
 * scram.h - SCRAM: mechanisms, and what is stored of a password
 *
 * Spec: RFC 5802, RFC 7677; admin-and-security.md 6.1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SECURITY_SCRAM_H
#define OTTLA_SECURITY_SCRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/view.h"

/* Kafka's numbers. */
typedef enum ScramMechanism {
    SCRAM_UNKNOWN,
    SCRAM_SHA_256,
    SCRAM_SHA_512,
    SCRAM_COUNT
} ScramMechanism;

#define SCRAM_ITERATIONS_MIN 4096
#define SCRAM_ITERATIONS_MAX 16384

/* Bytes of the longest key; each mechanism's keys are as long as its digest. */
#define SCRAM_KEY_MAX 64

/* What a server stores instead of the password; both of key_len bytes. */
typedef struct ScramKeys {
    int32_t key_len;
    uint8_t stored_key[SCRAM_KEY_MAX];
    uint8_t server_key[SCRAM_KEY_MAX];
} ScramKeys;

/*
 * The keys that follow from a salted password, which is not empty. False: OpenSSL failed.
 */
bool scram_keys(ScramMechanism mechanism, BytesView salted_password, ScramKeys *ret);

/*
 * The salted password of a password in UTF-8, into ret; the number of its bytes, that of the mechanism's digest. 0: it cannot be
 * computed here, which one line of the log has said.
 */
int32_t scram_salt_password(ScramMechanism mechanism, StrView password, BytesView salt,
                            int32_t iterations, uint8_t ret[SCRAM_KEY_MAX]);

#endif
