/*
 * crypto_lib.c - the functions of libcrypto, loaded when the first key is computed
 *
 * Runs in: controller.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "crypto_lib_int.h"

#include "ottla/common/dynlib.h"
#include "ottla/common/log.h"

const CryptoLib *
crypto_lib(void)
{
    static CryptoLib lib;
    static const DynFunction functions[] = {
        DYN_FUNCTION(lib, , EVP_sha256),        DYN_FUNCTION(lib, , EVP_sha512),
        DYN_FUNCTION(lib, , EVP_MD_get_size),   DYN_FUNCTION(lib, , EVP_Digest),
        DYN_FUNCTION(lib, , PKCS5_PBKDF2_HMAC), DYN_FUNCTION(lib, , HMAC),
        DYN_FUNCTION(lib, , OPENSSL_cleanse),
    };
    static enum { UNTRIED, LOADED, FAILED } state;
    ErrInfo err;

    if (state == UNTRIED) {
        int rc =
            dynlib_load("libcrypto.so.3", functions, sizeof functions / sizeof functions[0], &err);

        state = rc == 0 ? LOADED : FAILED;
        if (rc != 0)
            log_msg(LL_ERROR, "auth", "credentials are refused: %s", err.text);
    }
    return state == LOADED ? &lib : NULL;
}
