/*
 * crypto_lib_int.h - the functions of libcrypto, loaded when the first key is computed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SECURITY_CRYPTO_LIB_INT_H
#define OTTLA_SECURITY_CRYPTO_LIB_INT_H

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

/* Members are named like the functions; their contracts are OpenSSL's. */
typedef struct CryptoLib {
    __typeof__(EVP_sha256) *EVP_sha256;
    __typeof__(EVP_sha512) *EVP_sha512;
    __typeof__(EVP_MD_get_size) *EVP_MD_get_size;
    __typeof__(EVP_Digest) *EVP_Digest;
    __typeof__(PKCS5_PBKDF2_HMAC) *PKCS5_PBKDF2_HMAC;
    __typeof__(HMAC) *HMAC;
    __typeof__(OPENSSL_cleanse) *OPENSSL_cleanse;
} CryptoLib;

/* NULL: it cannot be loaded, which one line of the log has said. */
const CryptoLib *crypto_lib(void);

#endif
