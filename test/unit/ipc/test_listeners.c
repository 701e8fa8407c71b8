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
#include <stdlib.h>
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
        {{.protocol_map = "OTHER:NONE"}, "unknown protocol"},
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

/* ---- changes while the node runs ---- */

static const char *const two = "PLAINTEXT://a:1,B://b:2";
static const char *const two_map = "PLAINTEXT:PLAINTEXT,B:PLAINTEXT,C:PLAINTEXT,D:PLAINTEXT";

static ListenerTable
table_of(const char *listeners, const char *map)
{
    return parsed(
        &(ListenerSettings){.listeners = listeners, .protocol_map = map, .unix_dir = "/d"});
}

static void
judged(void **unused)
{
    static const struct {
        const char *before, *after, *advertised, *refusal;
    } cases[] = {
        {"PLAINTEXT://a:1", "PLAINTEXT://a:1,B://b:2", NULL, NULL},
        {"PLAINTEXT://a:1,B://b:2", "PLAINTEXT://a:1,C://b:2", "PLAINTEXT://a:1", NULL},
        {"PLAINTEXT://a:1,B://b:2", "PLAINTEXT://a:9,B://b:8", NULL, NULL},
        {"PLAINTEXT://a:1,B://b:2", "PLAINTEXT://a:1", "PLAINTEXT://a:1", NULL},
        {"PLAINTEXT://a:1,B://b:2", "PLAINTEXT://a:1", "C://x:1, b://b:2", "B is advertised"},
        {"PLAINTEXT://a:1,B://b:2", "PLAINTEXT://a:1", "BB://x:1", NULL},
        {"PLAINTEXT://a:1,B://b:2", "PLAINTEXT://a:1", "", "B is advertised"},
        {"PLAINTEXT://a:1,B://b:2", "PLAINTEXT://a:1", NULL, "B is advertised"},
        {"PLAINTEXT://a:1,B://b:2", "B://b:2", "B://b:2", "talk to each other on PLAINTEXT"},
        {"C://a:1", "C://a:1,PLAINTEXT://a:2", NULL, "talk to each other on C"},
        {"PLAINTEXT://a:1,CONTROLLER://a:2", "PLAINTEXT://a:1", NULL, "controllers"},
        {"PLAINTEXT://a:1", "PLAINTEXT://a:1,CONTROLLER://a:2", NULL, NULL},
    };

    (void)unused; /* cmocka's signature */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ListenerTable before = table_of(cases[i].before, two_map);
        ListenerTable after = table_of(cases[i].after, two_map);
        ErrInfo err = {0};
        int rc = listeners_check_change(&before, &after, cases[i].advertised, &err);

        if (rc != (cases[i].refusal == NULL ? 0 : OT_E_CONFIG) ||
            (rc != 0 && strstr(err.text, cases[i].refusal) == NULL))
            fail_msg("%zu: %d %s", i, rc, err.text);
    }
}

static void
protocol_stays(void **unused)
{
    ListenerTable before = table_of(two, two_map), after = before;
    ErrInfo err = {0};

    (void)unused; /* cmocka's signature */
    after.rows[1].protocol = SECURITY_SASL_PLAINTEXT;
    assert_int_equal(listeners_check_change(&before, &after, "PLAINTEXT://a:1", &err), OT_E_CONFIG);
    assert_non_null(strstr(err.text, "protocol of B"));
}

static void
planned(void **unused)
{
    ListenerTable now = table_of(two, two_map);
    ListenerTable wanted = table_of("PLAINTEXT://a:7,C://c:3,D://d:4", two_map);
    ListenerPlan plan;
    Listener *row;

    (void)unused; /* cmocka's signature */
    listeners_plan(&now, &wanted, &plan);
    assert_int_equal(plan.added_count, 2);
    assert_string_equal(wanted.rows[plan.added[0]].name, "C");
    assert_string_equal(wanted.rows[plan.added[1]].name, "D");
    for (int i = 0; i < now.count; i++)
        assert_int_equal(plan.removed[i], strcmp(now.rows[i].name, "B") == 0);
    memset(&now.rows[1], 0, sizeof now.rows[1]); /* closed: its row is free */
    row = listeners_new_row(&now);
    assert_ptr_equal(row, &now.rows[1]);
    assert_int_equal(row->fds[0], -1);
    *row = wanted.rows[plan.added[0]];
    row = listeners_new_row(&now);
    assert_int_equal(now.count, 5);
    *row = wanted.rows[plan.added[1]];
    listeners_plan(&now, &wanted, &plan); /* the address of PLAINTEXT alone differs */
    assert_int_equal(plan.added_count, 0);
    for (int i = 0; i < now.count; i++)
        assert_false(plan.removed[i]);
    while ((row = listeners_new_row(&now)) != NULL)
        row->name[0] = 'x';
    assert_int_equal(now.count, LISTENERS_MAX);
}

/* The supervisor tells the controller, which is the same process here. */
static void
shared(void **unused)
{
    ShmLimits limits = {0};
    size_t size = (listeners_shm_size(&limits) + 63) / 64 * 64;
    void *region = aligned_alloc(64, size);

    (void)unused; /* cmocka's signature */
    assert_non_null(region);
    memset(region, 0, size);
    listeners_shm_init(region, &limits);
    node_listeners = table_of("PLAINTEXT://a:1", two_map);
    assert_false(listeners_follow());
    ListenerTable opened = table_of(two, two_map);
    opened.rows[1].fd_count = 1;
    listeners_share(&opened);
    assert_true(listeners_follow());
    assert_int_equal(node_listeners.count, opened.count);
    assert_string_equal(node_listeners.rows[1].name, "B");
    assert_int_equal(node_listeners.rows[1].fd_count, 0);
    assert_false(listeners_follow());
    free(region);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults), cmocka_unit_test(several), cmocka_unit_test(refusals),
        cmocka_unit_test(too_many), cmocka_unit_test(judged),  cmocka_unit_test(protocol_stays),
        cmocka_unit_test(planned),  cmocka_unit_test(shared),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
