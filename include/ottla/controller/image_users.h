/*
 * image_users.h - SCRAM credentials as the metadata image holds them
 *
 * All views live as long as the pin.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_IMAGE_USERS_H
#define OTTLA_CONTROLLER_IMAGE_USERS_H

#include "ottla/common/limits.h"
#include "ottla/controller/image.h"
#include "ottla/security/scram.h"

/* Longest name of a user, in bytes, as long as a string can be; and longest salt of a credential. */
#define SCRAM_USER_MAX LIMIT_STRING_LEN
#define SCRAM_SALT_MAX LIMIT_STRING_LEN

typedef struct ScramCredential {
    StrView user;
    ScramMechanism mechanism;
    int32_t iterations;
    BytesView salt;
    BytesView stored_key;
    BytesView server_key;
} ScramCredential;

/* False: the user has no credential of this mechanism. O(log credentials). */
bool image_scram(const Image *image, ScramMechanism mechanism, StrView user, ScramCredential *ret);

/* The credential of the mechanism whose user is the smallest > after (null: the first). */
bool image_scram_after(const Image *image, ScramMechanism mechanism, StrView after,
                       ScramCredential *ret);

#endif
