/*
 * test_hash.c - the hash by which producers choose partitions agrees with Kafka's
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/hash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* The vectors of Kafka's own tests of its partitioner. */
static void
murmur2_is_that_of_kafka(void **state)
{
    static const struct {
        const char *text;
        int32_t hash;
    } vectors[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        assert_int_equal((int32_t)hash_murmur2(vectors[i].text, strlen(vectors[i].text)),
                         vectors[i].hash);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(murmur2_is_that_of_kafka)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
