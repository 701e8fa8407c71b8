/*
 * test_scram.c - keys of a known password: "pencil" with the salt of RFC 7677 and 4096 iterations
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/security/scram.h"

typedef struct Known {
    ScramMechanism mechanism;
    const char *salted, *stored, *server; /* hex */
} Known;

static const Known known[] = {
    {SCRAM_SHA_256, "bf1b55026fcc87488b3d469eca90be4f97986d3137202c218a84a52a8181337c",
     "3a104f56a3f953c4dcd2660f043efbd05a9d7c32e4dc226e910186fb2e351ef2",
     "3d7e5b809844ced8705698a2952609419c0539e8c9fd8050c2d724b5abbd0171"},
    {SCRAM_SHA_512,
     "35ce81691d3989d0262f2c179e0259de2a931fe22180346aedbd509866fa5b65"
     "eaacc6a842c85737859a6b9f3adbc4951070e199db75f549e0c92807ccaaac6a",
     "9352537f134a772d80bb605fdb04b41e9372bc9539f3d6c76233cecab556996b"
     "c574944ea3bfa694298404aff5125a7a0749caf692898affb195724b2c61d17d",
     "cace6653169187861591521e7de9b588a1c5cdb1a408875dce2f9ce8266c213c"
     "c7d98e28ee9d26515191be9781bf06a7f0b0cf673d7533c30153b74ca5f3bb3f"},
};

static BytesView
from_hex(const char *hex, uint8_t *ret)
{
    int32_t len = (int32_t)strlen(hex) / 2;

    for (int32_t i = 0; i < len; i++)
        assert_int_equal(sscanf(hex + 2 * i, "%2hhx", &ret[i]), 1);
    return (BytesView){ret, len};
}

static void
test_keys(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint8_t salted[SCRAM_KEY_MAX], stored[SCRAM_KEY_MAX], server[SCRAM_KEY_MAX];
        BytesView expected = from_hex(known[i].stored, stored);
        ScramKeys keys;

        assert_true(scram_keys(known[i].mechanism, from_hex(known[i].salted, salted), &keys));
        assert_int_equal(keys.key_len, expected.len);
        assert_memory_equal(keys.stored_key, stored, (size_t)keys.key_len);
        (void)from_hex(known[i].server, server);
        assert_memory_equal(keys.server_key, server, (size_t)keys.key_len);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_keys)};

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
