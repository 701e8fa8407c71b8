/*
 * test_quotas.c - quotas in the image: what AlterClientQuotas decides, which quota applies
 *
 * The codes are those of the recordings in ../shared/conformance (cluster); precedence is that of
 * admin-and-security.md 5.2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_kit.h"

#include <math.h>
#include <stdio.h>

#include "controller/quota_hosts.h"
#include "ottla/protocol/record_frame.h"

typedef AlterClientQuotasRequestEntityData Part;
typedef AlterClientQuotasRequestOpData Op;
typedef AlterClientQuotasRequestEntryData Entry;

static Part
part(const char *type, const char *name)
{
    return (Part){.entity_type = strview_from(type), .entity_name = strview_from(name)};
}

static Op
set(const char *key, double value)
{
    return (Op){.key = strview_from(key), .value = value};
}

static Op
unset(const char *key)
{
    return (Op){.key = strview_from(key), .remove = true};
}

static AlterClientQuotasResponse
alter(Entry *entries, int32_t count, bool validate)
{
    AlterClientQuotasRequest in = {
        .entries = entries, .entries_count = count, .validate_only = validate};
    AlterClientQuotasResponse out;

    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_alter_client_quotas(&decide_context, &in, &decide_records, &out), 0);
    return out;
}

/* Code for one operation on one entity of up to two parts; what is good is applied. */
static int16_t
one(Part a, Part b, Op op)
{
    Part parts[2] = {a, b};
    Entry entry = {.entity = parts,
                   .entity_count = b.entity_type.ptr == NULL ? 1 : 2,
                   .ops = &op,
                   .ops_count = 1};
    AlterClientQuotasResponse out = alter(&entry, 1, false);
    int16_t code;

    assert_int_equal(out.entries_count, 1);
    code = out.entries[0].error_code;
    assert_int_equal(code != 0, out.entries[0].error_message.ptr != NULL);
    if (code != 0)
        assert_int_equal(decide_records.count, 0);
    decide_apply();
    return code;
}

static const Part none;

static void
test_values(void **state)
{
    static const char *const rates[] = {"producer_byte_rate", "consumer_byte_rate"};
    Part user = part("user", "u"), ip = part("ip", "10.1.2.3");

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(one(user, none, set(rates[i], 1)), 0);
        assert_int_equal(one(user, none, set(rates[i], 2.0000001)), 0);
        assert_int_equal(one(user, none, set(rates[i], 1.5)), 42);
        assert_int_equal(one(user, none, set(rates[i], 0)), 42);
        assert_int_equal(one(user, none, set(rates[i], -1)), 42);
        assert_int_equal(one(user, none, set(rates[i], 1e30)), 42);
        assert_int_equal(one(user, none, set(rates[i], (double)INFINITY)), 42);
        assert_int_equal(one(user, none, set(rates[i], (double)NAN)), 42);
        assert_int_equal(one(ip, none, set(rates[i], 5)), 42);
    }
    assert_int_equal(one(user, none, set("request_percentage", 0.01)), 0);
    assert_int_equal(one(user, none, set("request_percentage", (double)INFINITY)), 0);
    assert_int_equal(one(user, none, set("controller_mutation_rate", (double)NAN)), 0);
    assert_int_equal(one(user, none, set("controller_mutation_rate", -0.1)), 42);
    assert_int_equal(one(user, none, set("connection_creation_rate", 5)), 42);
    assert_int_equal(one(user, none, set("no_such_key", 1)), 42);
    assert_int_equal(one(user, none, unset("no_such_key")), 0);
    assert_int_equal(one(ip, none, set("connection_creation_rate", 5)), 0);
    assert_int_equal(one(ip, none, set("connection_creation_rate", 1e12)), 42);
}

static void
test_entities(void **state)
{
    char longest[QUOTA_NAME_MAX + 2];
    Op rate = set("connection_creation_rate", 5), ok = set("producer_byte_rate", 9);

    (void)state;
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(one(part("user", longest), none, ok), 42);
    longest[QUOTA_NAME_MAX] = '\0';
    assert_int_equal(one(part("user", longest), none, ok), 0);
    assert_int_equal(one(part("user", longest), part("client-id", longest), ok), 0);
    assert_int_equal(one(part("group", "a"), none, ok), 42);
    assert_int_equal(one(part("", "a"), none, ok), 42);
    assert_int_equal(one(part("user", ""), none, ok), 42);
    assert_int_equal(one(part("user", "u\xff"), none, ok), 42);
    assert_int_equal(one(part("user", "\xc3\xbc"), none, ok), 0);
    assert_int_equal(one(part("user", NULL), part("client-id", NULL), ok), 0);
    assert_int_equal(one(part("ip", "10.1.2.3"), part("user", "a"), ok), 42);
    assert_int_equal(one(part("ip", "10.1"), none, rate), 0);
    assert_int_equal(one(part("ip", "::1"), none, rate), 0);
    assert_int_equal(one(part("ip", NULL), none, rate), 0);
    assert_int_equal(one(part("ip", "no such host"), none, rate), 42);
    assert_int_equal(one(part("ip", "10.1.2.3 and more"), none, rate), 42);
    assert_int_equal(one(part("ip", ""), none, rate), 42);
}

static void
test_duplicates(void **state)
{
    Part twice[] = {part("user", "a"), part("user", "b")};
    Part forward[] = {part("user", "a"), part("client-id", "c")};
    Part backward[] = {part("client-id", "c"), part("user", "a")};
    Op ops[] = {set("producer_byte_rate", 1), unset("producer_byte_rate")};
    Entry entries[] = {{.entity = forward, .entity_count = 2, .ops = ops, .ops_count = 1},
                       {.entity = twice, .entity_count = 2, .ops = ops, .ops_count = 1},
                       {.entity = backward, .entity_count = 2, .ops = ops, .ops_count = 1}};
    AlterClientQuotasResponse out;

    (void)state;
    out = alter(&entries[1], 1, false); /* the last of a type counts */
    assert_int_equal(out.entries[0].error_code, 0);
    assert_int_equal(out.entries[0].entity_count, 1);
    assert_true(strview_equal(out.entries[0].entity[0].entity_name, STRVIEW("b")));
    assert_int_equal(decide_records.count, 1);
    out = alter(entries, 3, false); /* one entity in two orders, and another */
    assert_int_equal(out.entries_count, 2);
    assert_int_equal(out.entries[0].error_code, 42);
    assert_int_equal(out.entries[1].error_code, 0);
    assert_int_equal(decide_records.count, 1);
    entries[0].ops_count = 2;
    assert_int_equal(alter(entries, 1, false).entries[0].error_code, 42);
    assert_int_equal(alter(entries, 0, false).entries_count, 0);
    entries[0].entity_count = 0;
    assert_int_equal(alter(entries, 1, false).entries[0].error_code, 42);
}

static void
test_bound(void **state)
{
    static Entry entries[DECIDE_RECORDS_MAX + 1];
    static Part parts[DECIDE_RECORDS_MAX + 1];
    Op op = set("producer_byte_rate", 1);
    AlterClientQuotasResponse out;

    (void)state;
    for (int32_t i = 0; i <= DECIDE_RECORDS_MAX; i++) {
        char *name = arena_printf(decide_arena, "user-%d", (int)i);

        parts[i] = part("user", name);
        entries[i] = (Entry){.entity = &parts[i], .entity_count = 1, .ops = &op, .ops_count = 1};
    }
    out = alter(entries, DECIDE_RECORDS_MAX, true);
    assert_int_equal(out.entries[0].error_code, 0);
    assert_int_equal(decide_records.count, 0); /* validate only */
    out = alter(entries, DECIDE_RECORDS_MAX, false);
    assert_int_equal(decide_records.count, DECIDE_RECORDS_MAX);
    out = alter(entries, DECIDE_RECORDS_MAX + 1, false);
    assert_int_equal(out.entries_count, DECIDE_RECORDS_MAX + 1);
    assert_int_equal(out.entries[0].error_code, 44);
    assert_int_equal(out.entries[DECIDE_RECORDS_MAX].error_code, 44);
    assert_int_equal(decide_records.count, 0);
}

/* No change makes no record; counts follow. */
static void
test_effect(void **state)
{
    Part user = part("user", "u");
    Entry entry = {.entity = &user, .entity_count = 1, .ops_count = 1};
    Op ops[] = {set("producer_byte_rate", 7), set("producer_byte_rate", 8),
                unset("producer_byte_rate")};
    const Image *now = &decide_writer.now;
    static const int expected[] = {1, 0, 1, 1, 0};
    static const int which[] = {0, 0, 1, 2, 2};
    static const int counts[] = {1, 1, 1, 0, 0};

    (void)state;
    for (int i = 0; i < 5; i++) {
        entry.ops = &ops[which[i]];
        assert_int_equal(alter(&entry, 1, false).entries[0].error_code, 0);
        assert_int_equal(decide_records.count, expected[i]);
        decide_apply();
        assert_int_equal(image_quota_count(now, QUOTA_PRODUCER_BYTE_RATE), counts[i]);
        assert_int_equal(image_quota_count(now, QUOTA_CONSUMER_BYTE_RATE), 0);
    }
}

static void
test_precedence(void **state)
{
    const Image *now = &decide_writer.now;
    Part user = part("user", "U"), any_user = part("user", NULL);
    Part client = part("client-id", "C"), any_client = part("client-id", NULL);
    struct {
        Part a, b;
        bool by_user, by_client;
    } levels[] = {{user, client, true, true},         {user, any_client, true, true},
                  {user, none, true, false},          {any_user, client, true, true},
                  {any_user, any_client, true, true}, {any_user, none, true, false},
                  {client, none, false, true},        {any_client, none, false, true}};
    QuotaMatch match;

    (void)state;
    assert_false(
        image_quota_for_client(now, STRVIEW("U"), STRVIEW("C"), QUOTA_PRODUCER_BYTE_RATE, &match));
    for (int level = 8; level >= 1; level--) {
        assert_int_equal(
            one(levels[level - 1].a, levels[level - 1].b, set("producer_byte_rate", 100 + level)),
            0);
        assert_true(image_quota_for_client(now, STRVIEW("U"), STRVIEW("C"),
                                           QUOTA_PRODUCER_BYTE_RATE, &match));
        assert_int_equal(match.level, level);
        assert_int_equal((int)match.value, 100 + level);
        assert_int_equal(match.by_user, levels[level - 1].by_user);
        assert_int_equal(match.by_client_id, levels[level - 1].by_client);
    }
    assert_true(image_quota_for_client(now, STRVIEW("other"), STRVIEW("other"),
                                       QUOTA_PRODUCER_BYTE_RATE, &match));
    assert_int_equal(match.level, 5);
    assert_true(
        image_quota_for_client(now, STRVIEW("U"), STRVIEW(""), QUOTA_PRODUCER_BYTE_RATE, &match));
    assert_int_equal(match.level, 2);
    assert_false(
        image_quota_for_client(now, STRVIEW("U"), STRVIEW("C"), QUOTA_CONSUMER_BYTE_RATE, &match));
}

/* Accepted as by Kafka; who divides by a limit must never meet it. */
static void
test_no_number(void **state)
{
    const Image *now = &decide_writer.now;
    QuotaMatch match;

    (void)state;
    assert_int_equal(one(part("user", NULL), none, set("controller_mutation_rate", 5)), 0);
    assert_int_equal(one(part("user", "U"), none, set("controller_mutation_rate", (double)NAN)), 0);
    assert_int_equal(image_quota_count(now, QUOTA_CONTROLLER_MUTATION_RATE), 2);
    assert_false(image_quota_for_client(now, STRVIEW("U"), STRVIEW("C"),
                                        QUOTA_CONTROLLER_MUTATION_RATE, &match));
    assert_true(image_quota_for_client(now, STRVIEW("V"), STRVIEW("C"),
                                       QUOTA_CONTROLLER_MUTATION_RATE, &match));
}

static void
test_ip(void **state)
{
    const Image *now = &decide_writer.now;
    double value;

    (void)state;
    assert_false(image_quota_for_ip(now, STRVIEW("10.0.0.1"), &value));
    assert_int_equal(one(part("ip", NULL), none, set("connection_creation_rate", 3)), 0);
    assert_true(image_quota_for_ip(now, STRVIEW("10.0.0.1"), &value));
    assert_int_equal((int)value, 3);
    assert_int_equal(one(part("ip", "10.0.0.1"), none, set("connection_creation_rate", 4)), 0);
    assert_true(image_quota_for_ip(now, STRVIEW("10.0.0.1"), &value));
    assert_int_equal((int)value, 4);
}

/* An ip counts in whatever notation it was set; the plain one first. */
static void
test_ip_notations(void **state)
{
    static const char *const names[] = {"localhost", "::ffff:127.0.0.1", "127.0.0.01", "127.1"};
    const Image *now = &decide_writer.now;
    double value = 0;

    (void)state;
    assert_int_equal(one(part("user", "u"), none, set("producer_byte_rate", 3)), 0);
    assert_int_equal(one(part("ip", "::1"), none, set("connection_creation_rate", 7)), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        assert_false(image_quota_for_ip(now, STRVIEW("127.0.0.1"), &value));
        assert_int_equal(one(part("ip", names[i]), none, set("connection_creation_rate", 5)), 0);
        assert_true(image_quota_for_ip(now, STRVIEW("127.0.0.1"), &value));
        assert_int_equal((int)value, 5);
        assert_false(image_quota_for_ip(now, STRVIEW("127.0.0.2"), &value));
        assert_int_equal(one(part("ip", "127.0.0.1"), none, set("connection_creation_rate", 6)), 0);
        assert_true(image_quota_for_ip(now, STRVIEW("127.0.0.1"), &value));
        assert_int_equal((int)value, 6);
        assert_int_equal(one(part("ip", "127.0.0.1"), none, unset("connection_creation_rate")), 0);
        assert_true(image_quota_for_ip(now, STRVIEW("127.0.0.1"), &value));
        assert_int_equal(one(part("ip", names[i]), none, unset("connection_creation_rate")), 0);
    }
    assert_int_equal(one(part("ip", "[0::1]"), none, set("connection_creation_rate", 5)), 0);
    assert_true(image_quota_for_ip(now, STRVIEW("::1"), &value));
    assert_int_equal((int)value, 7);
}

static KnownHost
host(const char *name, uint8_t last)
{
    KnownHost ret = {.address = {{[10] = 0xff, [11] = 0xff, [12] = 10, [15] = last}}};

    snprintf(ret.name, sizeof ret.name, "%s", name);
    return ret;
}

/* What limits an address, -1: nothing. */
static int
rate_of(const char *address)
{
    double value;

    return image_quota_for_ip(&decide_writer.now, strview_from(address), &value) ? (int)value : -1;
}

static void
follow(const KnownHost *rows, int32_t count)
{
    const HostList list = {.rows = rows, .count = count};

    quota_hosts_follow(&decide_writer.now, count == 0 ? NULL : &list);
}

/* Names of hosts: taken when who sent the request found an address, which counts until they go. */
static void
test_ip_hosts(void **state)
{
    const KnownHost rows[] = {host("a.example", 1), host("b.example", 2)};
    const KnownHost moved = host("a.example", 3);
    Op rate = set("connection_creation_rate", 5);

    (void)state;
    quota_hosts_stop();
    assert_int_equal(one(part("ip", "a.example"), none, rate), 42);
    decide_context.hosts = rows;
    decide_context.host_count = 2;
    assert_int_equal(one(part("ip", "c.example"), none, rate), 42);
    assert_int_equal(one(part("ip", "A.example"), none, rate), 42);
    assert_int_equal(one(part("ip", "a.example"), none, rate), 0);
    assert_int_equal(image_quota_host_count(&decide_writer.now), 1);
    assert_int_equal(rate_of("10.0.0.1"), -1); /* not known to readers yet */
    follow(rows, 2);
    assert_int_equal(rate_of("10.0.0.1"), 5);
    assert_int_equal(rate_of("10.0.0.2"), -1); /* it has no quota */
    assert_int_equal(one(part("ip", "b.example"), none, set("connection_creation_rate", 6)), 0);
    follow(&rows[1], 1);
    assert_int_equal(rate_of("10.0.0.1"), 5);
    assert_int_equal(rate_of("10.0.0.2"), 6);
    assert_int_equal(one(part("ip", "a.example"), none, set("connection_creation_rate", 7)), 0);
    follow(&moved, 1);
    assert_int_equal(rate_of("10.0.0.1"), -1);
    assert_int_equal(rate_of("10.0.0.3"), 7);
    assert_int_equal(one(part("ip", "a.example"), none, unset("connection_creation_rate")), 0);
    assert_int_equal(one(part("ip", "a.example"), none, unset("connection_creation_rate")), 0);
    follow(NULL, 0);
    assert_int_equal(rate_of("10.0.0.3"), -1);
    assert_int_equal(rate_of("10.0.0.2"), 6);
    assert_int_equal(image_quota_host_count(&decide_writer.now), 1);
    quota_hosts_stop();
}

/* The table of addresses has an end: one more name is refused, a change of those there are is not. */
static void
test_ip_hosts_full(void **state)
{
    KnownHost known;
    char name[32];

    (void)state;
    quota_hosts_stop();
    decide_context.hosts = &known;
    decide_context.host_count = 1;
    for (int i = 0; i <= QUOTA_HOSTS_MAX; i++) {
        snprintf(name, sizeof name, "h%d.example", i);
        known = host(name, 1);
        assert_int_equal(one(part("ip", name), none, set("connection_creation_rate", 5)),
                         i < QUOTA_HOSTS_MAX ? 0 : 44);
        arena_reset(decide_arena);
        record_list_init(&decide_records, decide_arena);
    }
    known = host("h0.example", 1);
    assert_int_equal(one(part("ip", "h0.example"), none, set("connection_creation_rate", 6)), 0);
    assert_int_equal(one(part("ip", "h0.example"), none, unset("connection_creation_rate")), 0);
    known = host("new.example", 9);
    assert_int_equal(one(part("ip", "new.example"), none, set("connection_creation_rate", 8)), 0);
    follow(&known, 1);
    assert_int_equal(rate_of("10.0.0.9"), 8);
    quota_hosts_stop();
}

/* Of several addresses the first of IPv4 counts, else the first. */
static void
test_choice(void **state)
{
    NameFinding found = {.count = 0};
    NetAddress one_of[NET_ADDRESSES_MAX];
    static const char *const texts[] = {"::2", "::3", "10.0.0.7", "10.0.0.6"};
    char text[IP_TEXT_MAX];
    IpAddress address;

    (void)state;
    assert_false(quota_host_choose(&found, &address));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(net_parse_address(texts[i], one_of), 1);
        found.addresses[found.count++] = one_of[0];
        assert_true(quota_host_choose(&found, &address));
        ip_text_format(&address, text);
        assert_string_equal(text, i < 2 ? "::2" : "10.0.0.7");
    }
}

typedef struct Replay {
    ImageWriter *to;
    ApplyState state;
    Arena *scratch;
    int records;
} Replay;

static int
replay(void *arg, BytesView record)
{
    Replay *r = arg;
    ErrInfo err = {0};
    WireReader reader;
    int16_t version;

    wire_reader_init(&reader, record.ptr, (size_t)record.len, NULL);
    if (record_frame_read(&reader, MESSAGE_METADATA, &version) != &client_quota_record_desc)
        return 0;
    r->records++;
    return record_apply(r->to, &r->state, record, r->scratch, NULL, &err);
}

/* What a snapshot says of quotas, default names and names of any bytes too. */
static void
test_snapshot(void **state)
{
    Replay r = {.to = &decide_writer, .scratch = arena_new(65536, 0)};
    Arena *arena = arena_new(65536, 0);
    ImageQuota q;
    int values = 0;
    bool more;

    (void)state;
    assert_int_equal(one(part("user", NULL), none, set("request_percentage", 12.5)), 0);
    assert_int_equal(
        one(part("user", "\x01\x02"), part("client-id", "p"), set("producer_byte_rate", 3)), 0);
    assert_int_equal(one(part("ip", "::1"), none, set("connection_creation_rate", 4)), 0);
    assert_int_equal(image_to_records(&decide_writer.now, arena, replay, &r), 0);
    assert_int_equal(r.records, 3);
    /* Applied once more, they change nothing. */
    assert_int_equal(decide_writer.now.counts[MAP_QUOTA], 3);
    for (more = image_quota_first(&decide_writer.now, &q); more;
         more = image_quota_next(&decide_writer.now, &q))
        values++;
    assert_int_equal(values, 3);
    assert_int_equal(image_quota_count(&decide_writer.now, QUOTA_REQUEST_PERCENTAGE), 1);
    arena_free(arena);
    arena_free(r.scratch);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_entities, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_duplicates, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_bound, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_effect, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_precedence, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_no_number, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_ip_notations, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_ip_hosts, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_ip_hosts_full, decide_setup, decide_teardown),
        cmocka_unit_test(test_choice),
        cmocka_unit_test_setup_teardown(test_ip, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_snapshot, decide_setup, decide_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
