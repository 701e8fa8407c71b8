/*
 * test_ip_text.c - notations of addresses; what is one and what is not is what Kafka 4.3.1 answers for an ip
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/ip_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ottla/common/limits.h"

static void
addresses_have_one_form(void **state)
{
    static const char *const rows[][2] = {
        {"127.0.0.1", "127.0.0.1"},
        {"localhost", "127.0.0.1"},
        {"LOCALHOST", "127.0.0.1"},
        {"::ffff:127.0.0.1", "127.0.0.1"},
        {"::FFFF:7F00:1", "127.0.0.1"},
        {"127.0.0.01", "127.0.0.1"},
        {"0127.0.0.1", "127.0.0.1"},
        {"010.0.0.1", "10.0.0.1"},
        {"08.1.1.1", "8.1.1.1"},
        {"127.1", "127.0.0.1"},
        {"1.2.65535", "1.2.255.255"},
        {"2130706433", "127.0.0.1"},
        {"4294967295", "255.255.255.255"},
        {"00.0.0.0", "0.0.0.0"},
        {"::1", "::1"},
        {"[::1]", "::1"},
        {"0:0:0:0:0:0:0:1", "::1"},
        {"::127.0.0.1", "::127.0.0.1"},
        {"fe80::1%1", "fe80::1"},
        {"[fe80::1%1]", "fe80::1"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[IP_TEXT_MAX] = "";
        IpAddress address;

        if (!ip_text_parse(strview_from(rows[i][0]), &address))
            fail_msg("%s is an address", rows[i][0]);
        ip_text_format(&address, text);
        assert_string_equal(text, rows[i][1]);
    }
}

static void
others_are_none(void **state)
{
    static const char *const rows[] = {"",
                                       " ",
                                       "0x7f.0.0.1",
                                       "0x7f000001",
                                       "1.2.3.4.5",
                                       "256.1.1.1",
                                       "1.2.3.",
                                       "1..2",
                                       ".1",
                                       "127.0.0.1 ",
                                       " 127.0.0.1",
                                       "a b",
                                       "::1%",
                                       "4294967296",
                                       "1.16777216",
                                       "1.2.3.4/32",
                                       "*",
                                       "1.2.3.256",
                                       "localhost.",
                                       "[]",
                                       "[127.0.0.1]",
                                       "::1]",
                                       "1.2.65536",
                                       "0000000000000001",
                                       "host.example",
                                       "%1",
                                       "-1",
                                       "+1.0.0.1"};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        IpAddress address;

        if (ip_text_parse(strview_from(rows[i]), &address))
            fail_msg("\"%s\" is no address", rows[i]);
    }
    assert_false(ip_text_parse((StrView){"::1\0", 4}, &(IpAddress){{0}}));
}

/* Who could be asked for, and what only looks so. */
static void
names_of_hosts(void **state)
{
    static const char *const hosts[] = {"host.example", "a", "localhost.", "1.2.3.256",
                                        "1.2.3.4/32",   "*", "_x",         "xn--bcher-kva.example",
                                        "1.2.3.4.5"};
    static const char *const others[] = {"",
                                         " ",
                                         "127.0.0.1",
                                         "0x7f.0.0.1",
                                         "0x7f000001",
                                         "017.1",
                                         "a b",
                                         "::1%",
                                         "a:b",
                                         "[]",
                                         "[a]",
                                         "localhost",
                                         "a%1",
                                         "a\tb",
                                         "a\x7f",
                                         "%1",
                                         "0000000000000001"};
    char longest[LIMIT_HOST_LEN + 2];

    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (!ip_text_is_host(strview_from(hosts[i])))
            fail_msg("\"%s\" may be a host", hosts[i]);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (ip_text_is_host(strview_from(others[i])))
            fail_msg("\"%s\" is no host", others[i]);
    memset(longest, 'x', sizeof longest - 1);
    assert_false(ip_text_is_host((StrView){longest, LIMIT_HOST_LEN + 1}));
    assert_true(ip_text_is_host((StrView){longest, LIMIT_HOST_LEN}));
    assert_false(ip_text_is_host((StrView){"a\0b", 3}));
    assert_false(ip_text_is_host((StrView){NULL, 0}));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses_have_one_form),
                                       cmocka_unit_test(others_are_none),
                                       cmocka_unit_test(names_of_hosts)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
