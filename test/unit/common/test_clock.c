/*
 * test_clock.c - dates, random uuids, checksums
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "ottla/common/crc32c.h"
#include "ottla/common/random.h"

static void
dates_agree_with_the_library(void **state)
{
    char ours[CLOCK_TEXT_LEN + 1], theirs[40];
    RandomSeq seq = {1};

    (void)state;
    clock_format(1740830400123, ours);
    assert_string_equal(ours, "2025-03-01 12:00:00.123 UTC");
    clock_format(INT64_MIN, ours);
    assert_string_equal(ours, "0000-01-01 00:00:00.000 UTC");
    clock_format(INT64_MAX, ours);
    assert_string_equal(ours, "9999-12-31 23:59:59.999 UTC");
    clock_format(-1, ours);
    assert_string_equal(ours, "1969-12-31 23:59:59.999 UTC");
    for (int i = 0; i < 5000; i++) {
        /* years 1000 to 9000 */
        int64_t ms =
            (int64_t)random_seq_below(&seq, INT64_C(252460800000000)) - INT64_C(30610224000000);
        time_t seconds = (ms - (ms % 1000 + 1000) % 1000) / 1000;
        struct tm tm;

        assert_non_null(gmtime_r(&seconds, &tm));
        snprintf(theirs, sizeof theirs, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        clock_format(ms, ours);
        assert_memory_equal(ours, theirs, 19);
    }
    assert_true(clock_mono_us() > 0 && clock_wall_ms() > INT64_C(1700000000000));
    assert_true(clock_mono_ms() <= clock_mono_us() / 1000 && clock_cpu_us() > 0);
}

static void
uuids_are_version_4_without_a_leading_dash(void **state)
{
    (void)state;
    for (int i = 0; i < 2000; i++) {
        Uuid id = random_uuid();
        char text[UUID_TEXT_LEN + 1];

        uuid_to_text(id, text);
        assert_int_not_equal(text[0], '-');
        assert_int_equal(id.b[6] >> 4, 4);
        assert_int_equal(id.b[8] >> 6, 2);
    }
    assert_true(random_u64() != random_u64());
}

/* RFC 3720 B.4 and the usual check value; all lengths over both ways of computing. */
static void
checksums_are_castagnolis(void **state)
{
    uint8_t bytes[700];
    uint32_t slow;

    (void)state;
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    memset(bytes, 0, 32);
    assert_int_equal(crc32c(bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, 32);
    assert_int_equal(crc32c(bytes, 32), 0x62a8ab43);
    assert_int_equal(crc32c("", 0), 0);
    assert_int_equal(crc32_extend(0, "123456789", 9), 0xcbf43926);
    assert_int_equal(crc32_extend(crc32_extend(0, "1234", 4), "56789", 5), 0xcbf43926);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    slow = 0xffffffff;
    for (size_t len = 0; len < sizeof bytes; len++) {
        assert_int_equal(crc32c(bytes, len), ~slow);
        assert_int_equal(crc32c_extend(crc32c(bytes, len / 3), bytes + len / 3, len - len / 3),
                         ~slow);
        slow ^= bytes[len];
        for (int bit = 0; bit < 8; bit++)
            slow = slow >> 1 ^ ((slow & 1) != 0 ? 0x82f63b78 : 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates_agree_with_the_library),
        cmocka_unit_test(uuids_are_version_4_without_a_leading_dash),
        cmocka_unit_test(checksums_are_castagnolis),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
