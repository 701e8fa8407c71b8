/*
 * test_listeners.c - the table of listeners out of the settings
 *
 * Proves: defaults of a single node, names, hosts, ports, protocols, advertised addresses, the
 * controller listener that is added, and every refusal with a text that names its setting.
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

#include "ottla/ipc/listeners.h"

static ListenerTable
parsed(const ListenerSettings *settings)
{
    ListenerTable table;
    ErrInfo err = {0};

    if (listeners_parse(settings, &table, &err) != 0)
        fail_msg("%s", err.text);
    return table;
}

static void
assert_refused(const ListenerSettings *settings, const char *text)
{
    ListenerTable table = {.count = 77};
    ErrInfo err = {0};

    assert_int_equal(listeners_parse(settings, &table, &err), OT_E_CONFIG);
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", err.text, text);
    assert_int_equal(table.count, 77); /* untouched */
}

static void
defaults(void **unused)
{
    (void)unused; /* cmocka's signature */
    ListenerTable t = parsed(&(ListenerSettings){.port = 19092, .unix_dir = "/d"});
    assert_int_equal(t.count, 3);
    assert_string_equal(t.rows[0].name, "PLAINTEXT");
    assert_string_equal(t.rows[0].host, "localhost");
    assert_int_equal(t.rows[0].port, 19092);
    assert_int_equal(t.rows[0].advertised_port, 19092);
    assert_true(t.rows[0].is_inter_broker);
    assert_string_equal(t.rows[1].name, "CONTROLLER");
    assert_true(t.rows[1].is_controller);
    assert_int_equal(t.rows[1].port, 19093);
    assert_true(t.rows[2].is_unix);
    assert_string_equal(t.rows[2].name, "LOCAL");
    t = parsed(&(ListenerSettings){0});
    assert_int_equal(t.count, 2);
    assert_int_equal(t.rows[0].port, 9092);
}

static void
several(void **unused)
{
    (void)unused; /* cmocka's signature */
    ListenerTable t = parsed(&(ListenerSettings){
        .listeners = "CONTROLLER://:9093, internal://10.0.0.1:9094,EXTERNAL://[::]:9095",
        .advertised = "EXTERNAL://[2001:db8::1]:19095",
        .protocol_map = "INTERNAL:PLAINTEXT,EXTERNAL:plaintext,CONTROLLER:PLAINTEXT",
        .inter_broker_name = "INTERNAL",
        .hostname = "box",
    });
    assert_int_equal(t.count, 3);
    assert_string_equal(t.rows[0].name, "INTERNAL"); /* brokers first */
    assert_true(t.rows[0].is_inter_broker);
    assert_string_equal(t.rows[1].host, "::");
    assert_string_equal(t.rows[1].advertised_host, "2001:db8::1");
    assert_int_equal(t.rows[1].advertised_port, 19095);
    assert_true(t.rows[2].is_controller);
    assert_string_equal(t.rows[2].advertised_host, "box");
    assert_ptr_equal(listeners_find(&t, "external"), &t.rows[1]);
    assert_null(listeners_find(&t, "none"));
    assert_ptr_equal(listeners_advertised_for(&t, 1), &t.rows[1]);
    assert_ptr_equal(listeners_advertised_for(&t, 2), &t.rows[0]);
    /* One port for an IPv4 and an IPv6 address is fine. */
    t = parsed(&(ListenerSettings){.listeners = "A://127.0.0.1:5,B://[::1]:5",
                                   .protocol_map = "A:PLAINTEXT,B:PLAINTEXT"});
    assert_int_equal(t.rows[1].port, 5);
}

static void
refusals(void **unused)
{
    static const struct {
        ListenerSettings settings;
        const char *text;
    } cases[] = {
        {{.listeners = "PLAINTEXT:localhost:9092"}, "NAME://HOST:PORT"},
        {{.listeners = "://localhost:9092"}, "NAME://HOST:PORT"},
        {{.listeners = "PLAINTEXT://localhost"}, "NAME://HOST:PORT"},
        {{.listeners = "PLAINTEXT://localhost:x"}, "port"},
        {{.listeners = "PLAINTEXT://localhost:65536"}, "port"},
        {{.listeners = "PLAINTEXT://a:1,PLAINTEXT://b:2"}, "twice"},
        {{.listeners = "PLAINTEXT://a:1,B://b:1", .protocol_map = "B:PLAINTEXT"}, "same port"},
        {{.listeners = "MINE://a:1"}, "no protocol for MINE"},
        {{.listeners = "MINE://a:1", .protocol_map = "MINE:NONE"}, "unknown protocol"},
        {{.listeners = "MINE://a:1", .protocol_map = "MINE"}, "NAME:PROTOCOL"},
        {{.listeners = "SSL://a:1"}, "only PLAINTEXT"},
        {{.listeners = "CONTROLLER://a:1"}, "no listener for clients"},
        {{.listeners = "PLAINTEXT://0.0.0.0:1"}, "advertised.listeners"},
        {{.listeners = "PLAINTEXT://a:1", .advertised = "OTHER://a:1"}, "is not in listeners"},
        {{.listeners = "PLAINTEXT://a:1", .advertised = "PLAINTEXT://0.0.0.0:1"}, "no host"},
        {{.listeners = "PLAINTEXT://a:1", .inter_broker_name = "X"}, "inter.broker.listener.name"},
    };

    (void)unused; /* cmocka's signature */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        assert_refused(&cases[i].settings, cases[i].text);
}

static void
too_many(void **unused)
{
    char text[1024] = "";
    char map[1024] = "";
    size_t len = 0, map_len = 0;

    (void)unused; /* cmocka's signature */
    for (int i = 0; i < LISTENERS_MAX + 1; i++) {
        len += (size_t)snprintf(text + len, sizeof text - len, "%sL%d://a:%d", i > 0 ? "," : "", i,
                                1000 + i);
        map_len += (size_t)snprintf(map + map_len, sizeof map - map_len, "%sL%d:PLAINTEXT",
                                    i > 0 ? "," : "", i);
    }
    assert_refused(&(ListenerSettings){.listeners = text, .protocol_map = map}, "more than");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(several),
        cmocka_unit_test(refusals),
        cmocka_unit_test(too_many),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
