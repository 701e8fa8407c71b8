/*
 * test_decide_configs.c - what IncrementalAlterConfigs and AlterConfigs decide, and the records they make
 *
 * The codes are those of the recordings in ../shared/conformance (configs) and of Kafka 4.3.1 itself.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/decide_configs.h"
#include "ottla/ipc/listeners.h"

#define TOPIC   IMAGE_CONFIG_TOPIC
#define NODE    IMAGE_CONFIG_BROKER
#define LOGGER  RESOURCE_BROKER_LOGGER
#define METRICS IMAGE_CONFIG_CLIENT_METRICS
#define GROUP   IMAGE_CONFIG_GROUP

static LevelChanges levels;

typedef IncrementalAlterConfigsRequestAlterConfigsResource Resource;
typedef IncrementalAlterConfigsRequestAlterableConfig Wish;

/* A topic "t", ELR on, min.insync.replicas 1 for all nodes. */
static int
setup(void **state)
{
    Uuid id = {{1}};

    assert_int_equal(decide_setup(state), 0);
    levels = (LevelChanges){0};
    decide_context.levels = &levels;
    assert_int_equal(build_topic(&decide_writer, STRVIEW("t"), id), 0);
    assert_int_equal(
        build_entry(&decide_writer, MAP_FEATURE,
                    (BytesView){(const uint8_t *)"eligible.leader.replicas.version", 32},
                    (BytesView){(const uint8_t[]){0, 1}, 2}),
        0);
    return 0;
}

static int16_t
run(Resource *resources, int32_t count, bool validate)
{
    IncrementalAlterConfigsRequest in = {
        .resources = resources, .resources_count = count, .validate_only = validate};
    IncrementalAlterConfigsResponse out;

    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_incremental_alter_configs(&decide_context, &in, &decide_records, &out),
                     0);
    assert_int_equal(out.responses_count, count);
    return count == 0 ? 0 : out.responses[count - 1].error_code;
}

/* One operation on one resource; what is good is applied. NULL value: null. */
static int16_t
alter(int8_t type, const char *name, const char *key, int8_t op, const char *value)
{
    Wish wish = {.name = strview_from(key), .config_operation = op, .value = strview_from(value)};
    Resource r = {.resource_type = type,
                  .resource_name = strview_from(name),
                  .configs = &wish,
                  .configs_count = 1};
    int16_t code = run(&r, 1, false);

    if (code != 0)
        assert_int_equal(decide_records.count, 0);
    decide_apply();
    return code;
}

static int16_t
set(int8_t type, const char *name, const char *key, const char *value)
{
    return alter(type, name, key, CONFIG_OP_SET, value);
}

/* What the image holds; "(none)". */
static const char *
held(int8_t type, const char *name, const char *key)
{
    StrView value;

    if (!image_config(&decide_writer.now, type, strview_from(name), strview_from(key), &value))
        return "(none)";
    return arena_strdup(decide_arena, value);
}

static void
test_lists(void **state)
{
    static const struct {
        int8_t op;
        const char *value;
        int16_t code;
        const char *then;
    } rows[] = {{CONFIG_OP_APPEND, "compact", 0, "delete,compact"},
                {CONFIG_OP_APPEND, "compact", 0, "delete,compact"},
                {CONFIG_OP_SUBTRACT, "delete", 0, "compact"},
                {CONFIG_OP_SUBTRACT, "delete", 0, "compact"},
                {CONFIG_OP_APPEND, "delete,compact,delete", 0, "compact,delete"},
                {CONFIG_OP_APPEND, "x", 40, "compact,delete"},
                {CONFIG_OP_APPEND, "", 40, "compact,delete"},
                {CONFIG_OP_SUBTRACT, "compact,delete", 0, ""},
                {CONFIG_OP_APPEND, "", 0, ""},
                {CONFIG_OP_SET, "delete,delete", 0, "delete,delete"},
                {CONFIG_OP_SUBTRACT, "delete", 0, "delete"},
                {CONFIG_OP_DELETE, NULL, 0, "(none)"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(alter(TOPIC, "t", "cleanup.policy", rows[i].op, rows[i].value),
                         rows[i].code);
        assert_string_equal(held(TOPIC, "t", "cleanup.policy"), rows[i].then);
    }
    assert_int_equal(alter(TOPIC, "t", "retention.ms", CONFIG_OP_APPEND, "1"), 40);
    assert_int_equal(alter(TOPIC, "t", "compression.type", CONFIG_OP_SUBTRACT, "gzip"), 40);
    assert_int_equal(alter(TOPIC, "t", "nosuch", CONFIG_OP_APPEND, "1"), 40);
    assert_int_equal(alter(NODE, "1", "message.max.bytes", CONFIG_OP_APPEND, "1"), 40);
    assert_int_equal(alter(METRICS, "m", "metrics", CONFIG_OP_APPEND, "a."), 40);
    assert_int_equal(set(TOPIC, "t", "follower.replication.throttled.replicas", "*"), 0);
    assert_int_equal(
        alter(TOPIC, "t", "follower.replication.throttled.replicas", CONFIG_OP_APPEND, "1:1"), 40);
}

static void
test_refusals(void **state)
{
    static const struct {
        int8_t type;
        const char *name, *key;
        int8_t op;
        const char *value;
        int16_t code;
    } rows[] = {
        {TOPIC, "t", "no.such", CONFIG_OP_SET, "1", 40},
        {TOPIC, "t", "no.such", CONFIG_OP_DELETE, NULL, 0},
        {TOPIC, "t", "retention.ms", CONFIG_OP_SET, NULL, 42},
        {TOPIC, "t", "retention.ms", CONFIG_OP_APPEND, NULL, 42},
        {TOPIC, "t", "retention.ms", 4, "1", 42}, /* Kafka: -1, and the controller resigns */
        {TOPIC, "t", "retention.ms", -1, "1", 42},
        {TOPIC, "t", "retention.ms", CONFIG_OP_SET, "x", 40},
        {TOPIC, "none", "retention.ms", CONFIG_OP_SET, "1", 3},
        {TOPIC, "none", "no.such", CONFIG_OP_SET, "1", 40},
        {TOPIC, "a b", "retention.ms", CONFIG_OP_SET, "1", 17},
        {TOPIC, "", "retention.ms", CONFIG_OP_SET, "1", 42},
        {GROUP, "", "consumer.session.timeout.ms", CONFIG_OP_SET, "50000", 42},
        {METRICS, "", "interval.ms", CONFIG_OP_SET, "1000", 42},
        {0, "a", "k", CONFIG_OP_SET, "v", 42},
        {64, "a", "k", CONFIG_OP_SET, "v", 42},
        {-1, "a", "k", CONFIG_OP_SET, "v", 42},
        {NODE, "2", "log.retention.ms", CONFIG_OP_SET, "1000", 42},
        {NODE, "abc", "log.retention.ms", CONFIG_OP_SET, "1000", 42},
        {NODE, "1", "num.partitions", CONFIG_OP_SET, "3", 42},
        {NODE, "1", "num.partitions", CONFIG_OP_DELETE, NULL, 0},
        {NODE, "1", "log.roll.hours", CONFIG_OP_SET, "1", 42},
        {NODE, "1", "backend.spare", CONFIG_OP_SET, "1", 42}, /* ours, of the files */
        {NODE, "1", "log.retention.ms", CONFIG_OP_SET, "x", 42},
        {NODE, "", "message.max.bytes", CONFIG_OP_SET, "-5", 42},
        {NODE, "", "ssl.keystore.location", CONFIG_OP_SET, "/x", 42},
        {NODE, "1", "ssl.keystore.location", CONFIG_OP_SET, "/x", 42},
        {NODE, "1", "listener.name.plaintext.ssl.keystore.location", CONFIG_OP_SET, "/x", 0},
        {NODE, "", "listener.name.plaintext.ssl.keystore.location", CONFIG_OP_SET, "/x", 42},
        {NODE, "", "listener.name.plaintext.max.connections", CONFIG_OP_SET, "40", 0},
        {NODE, "1", "listener.name.plaintext.max.connections", CONFIG_OP_SET, "-40", 42},
        {NODE, "", "cordoned.log.dirs", CONFIG_OP_SET, "*", 42},
        {NODE, "", "sasl.enabled.mechanisms", CONFIG_OP_SET, "PLAIN", 42},
        {NODE, "1", "listeners", CONFIG_OP_SET, "PLAINTEXT://localhost:9092", 0},
        {NODE, "1", "listeners", CONFIG_OP_SET, "PLAINTEXT://localhost:9099", 0},
        {NODE, "1", "listeners", CONFIG_OP_SET, "MORE://localhost:9099", 42},
        {NODE, "1", "listeners", CONFIG_OP_SET, "PLAINTEXT://localhost:9099,SSL://a:1", 42},
        {NODE, "", "listeners", CONFIG_OP_SET, "PLAINTEXT://localhost:9092", 42},
        {NODE, "1", "listener.security.protocol.map", CONFIG_OP_SET, "A:B", 42},
        {NODE, "1", "principal.builder.class", CONFIG_OP_SET, "no.such.Class", 42},
        {NODE, "1", "principal.builder.class", CONFIG_OP_SET,
         "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder", 0},
        {NODE, "1", "listener.name.plaintext.principal.builder.class", CONFIG_OP_SET, "no.X", 42},
        {NODE, "1", "listener.name.plaintext.ssl.engine.factory.class", CONFIG_OP_SET, "X", 42},
        {NODE, "1", "metric.reporters", CONFIG_OP_SET, "no.such.Reporter", 42},
        {NODE, "", "metric.reporters", CONFIG_OP_SET, "no.such.Reporter", 42},
        {NODE, "", "metric.reporters", CONFIG_OP_SET, "org.apache.kafka.common.metrics.JmxReporter",
         0},
        {NODE, "", "metric.reporters", CONFIG_OP_SET, "", 0},
        {NODE, "1", "config.providers", CONFIG_OP_SET, "nosuch", 0},
        {NODE, "1", "super.users", CONFIG_OP_SET, "User:a", 0},
        {NODE, "", "super.users", CONFIG_OP_SET, "User:a", 0},
        {NODE, "1", "log.roll.ms", CONFIG_OP_SET, "0", 42},
        {NODE, "", "log.roll.jitter.ms", CONFIG_OP_SET, "-1", 42},
        {NODE, "", "log.retention.ms", CONFIG_OP_SET, "0", 42},
        {NODE, "", "log.retention.ms", CONFIG_OP_SET, "-2", 0},
        {NODE, "", "log.cleaner.dedupe.buffer.size", CONFIG_OP_SET, "100", 42},
        {NODE, "1", "max.connections.per.ip", CONFIG_OP_SET, "0", 42},
        {NODE, "1", "max.connections.per.ip.overrides", CONFIG_OP_SET, "foo", 42},
        {NODE, "1", "max.connections.per.ip.overrides", CONFIG_OP_SET, "127.0.0.1:5", 0},
        {NODE, "1", "max.connections.per.ip", CONFIG_OP_SET, "0", 0},
        {NODE, "", "group.consumer.assignment.interval.ms", CONFIG_OP_SET, "20000", 42},
        {NODE, "", "super.duper", CONFIG_OP_SET, "kept", 0},
        {NODE, "1", "min.insync.replicas", CONFIG_OP_SET, "2", 40},
        {NODE, "", "min.insync.replicas", CONFIG_OP_SET, "0", 42},
        {NODE, "", "min.insync.replicas", CONFIG_OP_SET, "2", 0},
        {NODE, "", "min.insync.replicas", CONFIG_OP_DELETE, NULL, 40},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int16_t code = alter(rows[i].type, rows[i].name, rows[i].key, rows[i].op, rows[i].value);

        if (code != rows[i].code)
            fail_msg("%s of %s %s: %d, not %d", rows[i].key, rows[i].name, rows[i].value, code,
                     rows[i].code);
    }
}

/* Settings of single listeners: what Kafka 4.3.1 answers a node whose listeners are PLAINTEXT and CONTROLLER. */
static void
test_listener_settings(void **state)
{
#define L "listener.name."
    static const struct {
        const char *node, *key, *value;
        int16_t code;
    } rows[] = {
        {"1", L "plaintext.plain.sasl.server.callback.handler.class", "no.Such", 42},
        {"1", L "plaintext.any.sasl.server.callback.handler.class", "no.Such", 42},
        {"1", L "plaintext.a.b.sasl.server.callback.handler.class", "no.Such", 0},
        {"1", L "controller.sasl.server.callback.handler.class", "no.Such", 0},
        {"1", L "other.sasl.server.callback.handler.class", "no.Such", 0},
        {"1", L "PLAINTEXT.sasl.server.callback.handler.class", "no.Such", 0},
        {"1", "plain.sasl.server.callback.handler.class", "no.Such", 0},
        {"1", "sasl.server.callback.handler.class", "no.Such", 42},
        {"1", L "plaintext.plain.sasl.server.callback.handler.class",
         "org.apache.kafka.common.security.plain.internals.PlainServerCallbackHandler", 0},
        {"1", L "plaintext.sasl.login.callback.handler.class", "no.Such", 42},
        {"1", L "plaintext.sasl.client.callback.handler.class", "no.Such", 42},
        {"1", L "plaintext.sasl.login.class", "no.Such", 42},
        {"1", L "plaintext.sasl.login.class", "", 42},
        {"1", L "plaintext.sasl.oauthbearer.jwt.validator.class", "no.Such", 42},
        {"1", L "plaintext.sasl.oauthbearer.jwt.retriever.class", "no.Such", 42},
        {"1", L "plaintext.ssl.engine.factory.class", "", 42},
        {"1", L "plaintext.max.connections", "0", 42},
        {"", L "plaintext.max.connections", "0", 42},
        {"1", L "Plaintext.max.connections", "0", 0},
        {"1", L "other.max.connections", "0", 0},
        {"1", L "other.max.connections", "abc", 42},
        {"1", L "plaintext.num.network.threads", "1", 0},
        {"1", L "plaintext.num.network.threads", "7", 42},
        {"1", L "other.num.network.threads", "100", 0},
        {"", L "plaintext.num.network.threads", "100", 42},
        {"", L "other.num.network.threads", "3", 0},
        {"1", L "plaintext.connections.max.reauth.ms", "abc", 42},
        {"1", L "other.connections.max.reauth.ms", "abc", 0},
        {"1", L "other.sasl.kerberos.min.time.before.relogin", "abc", 42},
        {"", L "plaintext.max.connections", "40", 0},
        {"", L "plaintext.no.such", "5", 42},
        {"", L "plaintext.message.max.bytes", "3000", 42},
        {"", L "plaintext.plain.sasl.server.callback.handler.class", "no.Such", 42},
        {"", L "a.b.max.connections", "3", 42},
        {"1", L "plaintext.no.such", "5", 0},
        {"1", "max.connections.per.ip.overrides", "a b:5", 42},
        {"1", "max.connections.per.ip.overrides", "[::1]:5", 42},
        {"1", "max.connections.per.ip.overrides", "*:5", 42},
        {"1", "max.connections.per.ip.overrides", ",a:5", 42},
        {"1", "max.connections.per.ip.overrides", "a:2147483648", 42},
        {"1", "max.connections.per.ip.overrides", ":", 42},
        {"1", "max.connections.per.ip.overrides", "::1:5 , a_b:+6,", 0},
        {"1", "max.connections.per.ip.overrides", ":5", 0},
        {"1", "max.connections.per.ip.overrides", "127.0.0.1:-1", 0},
        {"1", "max.connections.per.ip.overrides", ",", 0},
    };
#undef L
    static ListenerTable table = {.rows = {{.name = "PLAINTEXT"},
                                           {.name = "CONTROLLER", .is_controller = true},
                                           {.name = "OTHER", .is_unix = true}},
                                  .count = 3};

    (void)state;
    decide_context.listeners = &table;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int16_t code = set(NODE, rows[i].node, rows[i].key, rows[i].value);

        if (code != rows[i].code)
            fail_msg("%s of %s %s: %d, not %d", rows[i].key, rows[i].node, rows[i].value, code,
                     rows[i].code);
        if (code == 0)
            assert_int_equal(alter(NODE, rows[i].node, rows[i].key, CONFIG_OP_DELETE, NULL), 0);
    }
}

static void
test_worker_counts(void **state)
{
    (void)state;
    assert_int_equal(set(NODE, "1", "num.io.threads", "0"), 42);
    assert_int_equal(set(NODE, "1", "num.io.threads", "100"), 42);
    assert_int_equal(set(NODE, "1", "num.io.threads", "3"), 42);
    assert_int_equal(set(NODE, "1", "num.io.threads", "4"), 0);
    assert_int_equal(set(NODE, "1", "num.io.threads", "8"), 0);
    /* Hidden behind the node's own value it changes nothing, until that goes. */
    assert_int_equal(set(NODE, "", "num.io.threads", "100"), 0);
    assert_int_equal(alter(NODE, "1", "num.io.threads", CONFIG_OP_DELETE, NULL), 42);
    assert_int_equal(set(NODE, "", "log.cleaner.threads", "100"), 42);
}

/* scenario A18: the node's own rules */
static void
test_a18(void **state)
{
    (void)state;
    assert_int_equal(set(NODE, "2", "num.replica.fetchers", "2"), 42);
    assert_int_equal(set(NODE, "", "ssl.keystore.location", "/x"), 42);
    assert_int_equal(set(NODE, "1", "num.replica.fetchers", "8"), 42);
    assert_int_equal(set(NODE, "1", "num.replica.fetchers", "2"), 0);
}

static void
test_groups_and_metrics(void **state)
{
    static const struct {
        int8_t type;
        const char *key, *value;
        int16_t code;
    } rows[] = {
        {GROUP, "consumer.session.timeout.ms", "50000", 0},
        {GROUP, "consumer.session.timeout.ms", "1", 40},
        {GROUP, "consumer.session.timeout.ms", "99999999", 40},
        {GROUP, "consumer.session.timeout.ms", "x", 40},
        {GROUP, "no.such", "1", 40},
        {GROUP, "share.delivery.count.limit", "11", 40},
        {GROUP, "share.record.lock.duration.ms", "999999", 40},
        {GROUP, "streams.num.standby.replicas", "5", 40},
        {GROUP, "share.auto.offset.reset", "by_duration:PT1H", 0},
        {GROUP, "share.auto.offset.reset", "by_duration:-PT1H", 40},
        {METRICS, "interval.ms", "1000", 0},
        {METRICS, "interval.ms", "99", 42},
        {METRICS, "interval.ms", "3600001", 42},
        {METRICS, "interval.ms", "x", 40},
        {METRICS, "no.such", "1", 42},
        {METRICS, "metrics", "a.,b.", 0},
        {METRICS, "metrics", "a., ,b.", 40},
        {METRICS, "match", "client_id=a.*,client_software_name=x", 0},
        {METRICS, "match", "nosuch=a", 40},
        {METRICS, "match", "client_id", 40},
        {METRICS, "match", "client_id=", 40},
        {METRICS, "match", "client_id=a=b", 40},
        {METRICS, "match", "client_id=[", 40},
        {METRICS, "match", "client_id=(?=a)b", 40},
        {METRICS, "match", "", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int16_t code = set(rows[i].type, "r", rows[i].key, rows[i].value);

        if (code != rows[i].code)
            fail_msg("%s=%s: %d, not %d", rows[i].key, rows[i].value, code, rows[i].code);
    }
}

/* What comes twice is refused wherever it stands; the rest of the request goes on. */
static void
test_twice(void **state)
{
    Wish one = {.name = STRVIEW("retention.ms"), .value = STRVIEW("5")};
    Wish two[2] = {one, {.name = STRVIEW("retention.ms"), .config_operation = CONFIG_OP_DELETE}};
    Resource r[3] = {{TOPIC, STRVIEW("t"), &one, 1, NULL},
                     {GROUP, STRVIEW("g"), NULL, 0, NULL},
                     {TOPIC, STRVIEW("t"), NULL, 0, NULL}};
    AlterConfigsRequestResource replace[2] = {
        {.resource_type = TOPIC, .resource_name = STRVIEW("t")},
        {.resource_type = TOPIC, .resource_name = STRVIEW("t")}};
    AlterConfigsRequest in = {.resources = replace, .resources_count = 2};
    AlterConfigsResponse out;

    (void)state;
    assert_int_equal(run(r, 3, false), 42);
    assert_int_equal(run(r, 2, false), 0);
    assert_int_equal(decide_records.count, 1);
    r[0].configs = two;
    r[0].configs_count = 2;
    assert_int_equal(run(r, 1, false), 42);
    /* Kafka does not answer this one at all. */
    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_alter_configs(&decide_context, &in, &decide_records, &out), 0);
    assert_int_equal(out.responses[0].error_code, 42);
    assert_int_equal(out.responses[1].error_code, 42);
}

static void
test_bound_of_records(void **state)
{
    Wish *wishes = calloc(10001, sizeof *wishes);
    char(*names)[8] = calloc(10001, sizeof *names);
    Resource r = {NODE, STRVIEW("1"), wishes, 10000, NULL};

    (void)state;
    for (int i = 0; i <= 10000; i++) {
        snprintf(names[i], sizeof names[i], "k%d", i);
        wishes[i] = (Wish){.name = strview_from(names[i]), .value = STRVIEW("v")};
    }
    assert_int_equal(run(&r, 1, true), 0);
    assert_int_equal(decide_records.count, 0);
    assert_int_equal(run(&r, 1, false), 0);
    assert_int_equal(decide_records.count, 10000);
    r.configs_count = 10001;
    assert_int_equal(run(&r, 1, true), 44);
    assert_int_equal(run(&r, 1, false), 44);
    assert_int_equal(decide_records.count, 0);
    /* Deleting what is not there makes no record of a topic. */
    for (int i = 0; i <= 10000; i++)
        wishes[i].config_operation = CONFIG_OP_DELETE;
    r.resource_type = TOPIC;
    r.resource_name = STRVIEW("t");
    assert_int_equal(run(&r, 1, false), 0);
    assert_int_equal(decide_records.count, 0);
    free(wishes);
    free(names);
}

/* scenario A19: AlterConfigs takes away what it does not name */
static void
test_a19(void **state)
{
    AlterConfigsRequestAlterableConfig config = {.name = STRVIEW("flush.ms"),
                                                 .value = STRVIEW("9")};
    AlterConfigsRequestResource r = {.resource_type = TOPIC,
                                     .resource_name = STRVIEW("t"),
                                     .configs = &config,
                                     .configs_count = 1};
    AlterConfigsRequest in = {.resources = &r, .resources_count = 1};
    AlterConfigsResponse out;

    (void)state;
    assert_int_equal(set(TOPIC, "t", "retention.ms", "5"), 0);
    assert_int_equal(decide_alter_configs(&decide_context, &in, &decide_records, &out), 0);
    assert_int_equal(out.responses[0].error_code, 0);
    decide_apply();
    assert_string_equal(held(TOPIC, "t", "retention.ms"), "(none)");
    assert_string_equal(held(TOPIC, "t", "flush.ms"), "9");
    r = (AlterConfigsRequestResource){.resource_type = NODE, .resource_name = STRVIEW("")};
    assert_int_equal(set(NODE, "", "min.insync.replicas", "1"), 0);
    assert_int_equal(decide_alter_configs(&decide_context, &in, &decide_records, &out), 0);
    assert_int_equal(out.responses[0].error_code, 40);
    r = (AlterConfigsRequestResource){.resource_type = LOGGER, .resource_name = STRVIEW("1")};
    assert_int_equal(decide_alter_configs(&decide_context, &in, &decide_records, &out), 0);
    assert_int_equal(out.responses[0].error_code, 42);
}

/* Records: none where nothing changes, but always for nodes; eligible leaders go with the minimum of the ISR. */
static void
test_records(void **state)
{
    Wish wish = {.name = STRVIEW("retention.ms"), .value = STRVIEW("5")};
    Resource r = {TOPIC, STRVIEW("t"), &wish, 1, NULL};

    (void)state;
    assert_int_equal(set(TOPIC, "t", "retention.ms", "5"), 0);
    assert_int_equal(run(&r, 1, false), 0);
    assert_int_equal(decide_records.count, 0);
    wish.name = STRVIEW("min.insync.replicas");
    assert_int_equal(run(&r, 1, false), 0);
    assert_int_equal(decide_records.count, 2);
    wish.name = STRVIEW("log.retention.ms");
    r.resource_type = NODE;
    r.resource_name = STRVIEW("");
    assert_int_equal(run(&r, 1, false), 0);
    decide_apply();
    assert_int_equal(run(&r, 1, false), 0);
    assert_int_equal(decide_records.count, 1);
}

/* Defaults that contradict each other: a topic that sets nothing is made all the same, others must mend it. */
static void
test_contradicting_defaults(void **state)
{
    CreateTopicsRequestTopic topic = {
        .name = STRVIEW("new"), .num_partitions = 1, .replication_factor = 1};
    CreateTopicsRequest in = {.topics = &topic, .topics_count = 1, .timeout_ms = 1000};
    CreateTopicsResponse out;

    (void)state;
    assert_int_equal(set(NODE, "", "log.cleaner.min.compaction.lag.ms", "100"), 0);
    assert_int_equal(set(NODE, "", "log.cleaner.max.compaction.lag.ms", "10"), 0);
    assert_int_equal(decide_create_topics(&decide_context, &in, &decide_records, &out), 0);
    assert_int_equal(out.topics[0].error_code, 0);
    assert_int_equal(set(TOPIC, "t", "retention.ms", "5"), 40);
    assert_int_equal(set(TOPIC, "t", "min.compaction.lag.ms", "5"), 0);
}

static void
test_levels(void **state)
{
    int replica = log_category_find(STRVIEW("replica"));

    (void)state;
    assert_int_equal(set(LOGGER, "1", "root", "LOUD"), 40);
    assert_int_equal(set(LOGGER, "1", "root", "info"), 40);
    assert_int_equal(set(LOGGER, "1", "nosuch", "INFO"), 40);
    assert_int_equal(alter(LOGGER, "1", "nosuch", CONFIG_OP_DELETE, NULL), 40);
    assert_int_equal(alter(LOGGER, "1", "root", CONFIG_OP_DELETE, NULL), 42);
    assert_int_equal(alter(LOGGER, "1", "root", CONFIG_OP_APPEND, "INFO"), 42);
    assert_int_equal(set(LOGGER, "", "root", "INFO"), 42);
    assert_int_equal(set(LOGGER, "2", "root", "INFO"), 42);
    assert_false(levels.any);
    assert_int_equal(set(LOGGER, "1", "replica", "DEBUG"), 0);
    assert_true(levels.any && levels.changed[replica]);
    assert_int_equal(levels.to[replica], LL_DEBUG1);
    assert_int_equal(alter(LOGGER, "1", "replica", CONFIG_OP_DELETE, NULL), 0);
    assert_int_equal(levels.to[replica], LL_COUNT);
    assert_int_equal(decide_records.count, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lists, setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_refusals, setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_listener_settings, setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_worker_counts, setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_a18, setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_groups_and_metrics, setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_twice, setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_bound_of_records, setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_a19, setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_records, setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_contradicting_defaults, setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_levels, setup, decide_teardown),
    };

    return cmocka_run_group_tests_name("decide_configs", tests, NULL, NULL);
}
