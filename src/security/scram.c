/*
 * scram.c - SCRAM: the keys that follow from a salted password
 *
 * Runs in: controller. Never: stores or logs a password or a client key.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/security/scram.h"

#include "crypto_lib_int.h"
#include "ottla/common/assert.h"

static const EVP_MD *
digest_of(const CryptoLib *lib, ScramMechanism mechanism)
{
    switch (mechanism) {
    case SCRAM_SHA_256:
        return lib->EVP_sha256();
    case SCRAM_SHA_512:
        return lib->EVP_sha512();
    case SCRAM_UNKNOWN:
    case SCRAM_COUNT:
        break;
    }
    ot_unreachable();
}

static bool
key_of(const CryptoLib *lib, const EVP_MD *digest, BytesView salted_password, StrView label,
       uint8_t *ret)
{
    return lib->HMAC(digest, salted_password.ptr, salted_password.len, (const uint8_t *)label.ptr,
                     (size_t)label.len, ret, NULL) != NULL;
}

bool
scram_keys(ScramMechanism mechanism, BytesView salted_password, ScramKeys *ret)
{
    const CryptoLib *lib = crypto_lib();
    const EVP_MD *digest;
    uint8_t client_key[SCRAM_KEY_MAX];
    bool ok;

    ot_assert(salted_password.len > 0);
    if (lib == NULL)
        return false;
    digest = digest_of(lib, mechanism);
    ret->key_len = lib->EVP_MD_get_size(digest);
    ot_assert(ret->key_len > 0 && ret->key_len <= SCRAM_KEY_MAX);
    ok =
        key_of(lib, digest, salted_password, STRVIEW("Client Key"), client_key) &&
        key_of(lib, digest, salted_password, STRVIEW("Server Key"), ret->server_key) &&
        lib->EVP_Digest(client_key, (size_t)ret->key_len, ret->stored_key, NULL, digest, NULL) == 1;
    lib->OPENSSL_cleanse(client_key, sizeof client_key);
    return ok;
}

int32_t
scram_salt_password(ScramMechanism mechanism, StrView password, BytesView salt, int32_t iterations,
                    uint8_t ret[SCRAM_KEY_MAX])
{
    const CryptoLib *lib = crypto_lib();
    const EVP_MD *digest;
    int size;

    if (lib == NULL)
        return 0;
    digest = digest_of(lib, mechanism);
    size = lib->EVP_MD_get_size(digest);
    ot_assert(size > 0 && size <= SCRAM_KEY_MAX);
    return lib->PKCS5_PBKDF2_HMAC(password.ptr, password.len, salt.ptr, salt.len, iterations,
                                  digest, size, ret) == 1
               ? size
               : 0;
}
