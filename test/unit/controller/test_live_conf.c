/*
 * test_live_conf.c - changed settings reach the slots of topics, the processes and the supervisor
 *
 * Proves ruling by ruling: a topic's own setting, a default of all nodes, a node's own and a file read
 * again are in force when the turn that wrote them is answered; records are given back; the supervisor
 * gets its texts without following a pointer.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/controller_kit.h"

#include <string.h>

#include "controller/decide_configs.h"
#include "ottla/common/clock.h"
#include "ottla/controller/live_conf.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/node_settings.h"
#include "ottla/ipc/slot.h"
#include "ottla/storage/partition_slot.h"

static const char *folder;
static Controller controller;
static Arena *arena;

static int
setup(void **state)
{
    (void)state;
    conf_reset();
    node_info.node_id = 1;
    folder = kit_folder();
    kit_region(0, 1000);
    slot_claim(0, slot_prepare(0), PROC_BACKEND, 0);
    kit_format(folder);
    kit_start(&controller, folder);
    arena = arena_new(65536, 0);
    assert_int_equal(kit_create(&controller, "t", 3), 0);
    assert_int_equal(kit_create(&controller, "u", 1), 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    controller_stop(&controller);
    arena_free(arena);
    kit_region_end();
    kit_remove(folder);
    conf_reset();
    return 0;
}

/* One wish as a turn of the controller; the error code of its resource. */
static int16_t
alter(int8_t type, const char *name, const char *key, const char *value)
{
    IncrementalAlterConfigsRequestAlterableConfig wish = {
        .name = strview_from(key),
        .config_operation = value == NULL ? CONFIG_OP_DELETE : CONFIG_OP_SET,
        .value = strview_from(value)};
    IncrementalAlterConfigsRequestAlterConfigsResource r = {.resource_type = type,
                                                            .resource_name = strview_from(name),
                                                            .configs = &wish,
                                                            .configs_count = 1};
    IncrementalAlterConfigsRequest in = {.resources = &r, .resources_count = 1};
    IncrementalAlterConfigsResponse out;
    TurnItem item = one_node_item(&incremental_alter_configs_request_desc, 1, &in, arena);
    ErrInfo err = {0};
    WireReader reader;

    if (controller_turn(&controller, &item, 1, arena, clock_wall_ms(), &err) != 0)
        fail_msg("turn: %s", err.text);
    assert_int_equal(item.status, 0);
    wire_reader_init(&reader, item.body.ptr, (size_t)item.body.len, arena);
    incremental_alter_configs_response_read(&reader, 1, &out);
    assert_int_equal(reader.err, 0);
    return out.responses[0].error_code;
}

/* What an append to this partition would go by. */
static TopicSettings
in_force(const char *topic, int32_t partition)
{
    ImagePin pin = image_pin();
    ImagePartition p;
    TopicSettings settings;

    assert_true(
        image_topic_partition(image_topic_by_name(pin.image, strview_from(topic)), partition, &p));
    pslot_settings(pslot_find(p.ref), &settings);
    image_unpin(&pin);
    return settings;
}

static uint64_t
record_of(const char *topic)
{
    ImagePin pin = image_pin();
    ImagePartition p;
    uint64_t word;

    assert_true(image_topic_partition(image_topic_by_name(pin.image, strview_from(topic)), 0, &p));
    word = atomic_u64_load(&pslot_find(p.ref)->settings);
    image_unpin(&pin);
    return word;
}

static void
test_topics(void **state)
{
    uint64_t shared = record_of("u"), own;

    (void)state;
    assert_true(record_of("t") == shared); /* nothing of its own */
    assert_int_equal(alter(IMAGE_CONFIG_TOPIC, "t", "segment.bytes", "2097152"), 0);
    own = record_of("t");
    assert_true(own != shared);
    for (int i = 0; i < 3; i++)
        assert_int_equal(in_force("t", i).segment_bytes, 2097152);
    assert_int_equal(in_force("u", 0).segment_bytes, 1 << 30);
    assert_int_equal(alter(IMAGE_CONFIG_TOPIC, "t", "retention.ms", "77"), 0);
    assert_true(record_of("t") == own); /* changed in place */
    assert_int_equal(in_force("t", 2).retention_ms, 77);
    assert_int_equal(alter(IMAGE_CONFIG_TOPIC, "t", "segment.bytes", NULL), 0);
    assert_int_equal(in_force("t", 2).segment_bytes, 1 << 30);
    assert_int_equal(alter(IMAGE_CONFIG_TOPIC, "t", "retention.ms", NULL), 0);
    assert_true(record_of("t") == shared);
    /* The record went back: the next topic with settings takes it. */
    assert_int_equal(alter(IMAGE_CONFIG_TOPIC, "u", "flush.ms", "5"), 0);
    assert_int_equal((uint32_t)record_of("u"), (uint32_t)own);
    assert_int_equal(alter(IMAGE_CONFIG_TOPIC, "t", "flush.ms", "x"), KERR_INVALID_CONFIG);
}

/* A default of all nodes, then the node's own over it, reach topics with and without own settings. */
static void
test_defaults_of_topics(void **state)
{
    (void)state;
    assert_int_equal(alter(IMAGE_CONFIG_TOPIC, "t", "retention.ms", "77"), 0);
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "", "log.segment.bytes", "3145728"), 0);
    assert_int_equal(in_force("t", 1).segment_bytes, 3145728);
    assert_int_equal(in_force("u", 0).segment_bytes, 3145728);
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "1", "log.segment.bytes", "4194304"), 0);
    assert_int_equal(in_force("t", 1).segment_bytes, 4194304);
    assert_int_equal(in_force("u", 0).segment_bytes, 4194304);
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "", "log.retention.ms", "-2"), 0);
    assert_int_equal(in_force("t", 1).retention_ms, 77);
    assert_int_equal(in_force("u", 0).retention_ms, -1);
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "1", "log.segment.bytes", NULL), 0);
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "", "log.segment.bytes", NULL), 0);
    assert_int_equal(in_force("t", 1).segment_bytes, 1 << 30);
    assert_int_equal(kit_create(&controller, "late", 1), 0);
    assert_int_equal(in_force("late", 0).retention_ms, -1);
}

/* Every topic setting with a default of the node follows that node's setting at once. */
static void
test_every_default(void **state)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        {"compression.gzip.level", "5"},
        {"compression.lz4.level", "7"},
        {"compression.type", "zstd"},
        {"compression.zstd.level", "6"},
        {"log.cleaner.delete.retention.ms", "5"},
        {"log.cleaner.max.compaction.lag.ms", "500"},
        {"log.cleaner.min.cleanable.ratio", "0.25"},
        {"log.cleaner.min.compaction.lag.ms", "5"},
        {"log.cleanup.policy", "compact"},
        {"log.flush.interval.messages", "5"},
        {"log.flush.interval.ms", "5"},
        {"log.index.interval.bytes", "5"},
        {"log.index.size.max.bytes", "8192"},
        {"log.message.timestamp.after.max.ms", "5"},
        {"log.message.timestamp.before.max.ms", "5"},
        {"log.message.timestamp.type", "LogAppendTime"},
        {"log.preallocate", "true"},
        {"log.retention.bytes", "5"},
        {"log.retention.ms", "5"},
        {"log.roll.jitter.ms", "5"},
        {"log.roll.ms", "5"},
        {"log.segment.bytes", "2097152"},
        {"log.segment.delete.delay.ms", "5"},
        {"message.max.bytes", "5"},
        {"min.insync.replicas", "5"},
        {"unclean.leader.election.enable", "true"},
    };
    TopicSettings before;

    (void)state;
    for (int id = TCONF_FIRST; id <= TCONF_LAST; id++) { /* none is forgotten above */
        const ConfRow *row = &conf_rows[id];
        bool found = row->synonym_count == 0 || row->ours || strncmp(row->name, "local.", 6) == 0;

        for (size_t i = 0; i < sizeof rows / sizeof rows[0] && !found; i++)
            found = strcmp(conf_rows[row->synonyms[0].id].name, rows[i].name) == 0;
        if (!found)
            fail_msg("%s is not tried", row->name);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        TopicSettings after;

        before = in_force("u", 0);
        assert_int_equal(alter(IMAGE_CONFIG_BROKER, "", rows[i].name, rows[i].value), 0);
        after = in_force("u", 0);
        if (memcmp(&before, &after, sizeof before) == 0)
            fail_msg("%s changed nothing", rows[i].name);
    }
    assert_true(controller.hosting.compaction_wanted);
}

/* Settings survive the node; slots have them from the start. */
static void
test_restart(void **state)
{
    (void)state;
    assert_int_equal(alter(IMAGE_CONFIG_TOPIC, "t", "segment.bytes", "2097152"), 0);
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "", "log.flush.interval.ms", "50"), 0);
    controller_stop(&controller);
    kit_region_end();
    kit_region(0, 1000);
    slot_claim(0, slot_prepare(0), PROC_BACKEND, 0);
    kit_start(&controller, folder);
    assert_int_equal(in_force("t", 0).segment_bytes, 2097152);
    assert_int_equal(in_force("t", 0).flush_ms, 50);
    assert_int_equal(in_force("u", 0).flush_ms, 50);
}

static void
test_processes(void **state)
{
    (void)state;
    live_conf_announce(&controller.image.before); /* as at the start of a controller */
    assert_true(live_conf_refresh());
    assert_false(live_conf_refresh());
    assert_int_equal(conf_int32(CONF_PRODUCER_ID_EXPIRATION_MS), 86400000);
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "", "producer.id.expiration.ms", "5000"), 0);
    assert_int_equal(conf_int32(CONF_PRODUCER_ID_EXPIRATION_MS), 86400000);
    assert_true(live_conf_refresh());
    assert_int_equal(conf_int32(CONF_PRODUCER_ID_EXPIRATION_MS), 5000);
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "1", "producer.id.expiration.ms", "6000"), 0);
    assert_true(live_conf_refresh());
    assert_int_equal(conf_int32(CONF_PRODUCER_ID_EXPIRATION_MS), 6000);
    /* A topic's change is no process's business. */
    assert_int_equal(alter(IMAGE_CONFIG_TOPIC, "t", "flush.ms", "5"), 0);
    assert_false(live_conf_refresh());
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "1", "producer.id.expiration.ms", NULL), 0);
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "", "producer.id.expiration.ms", NULL), 0);
    assert_true(live_conf_refresh());
    assert_int_equal(conf_int32(CONF_PRODUCER_ID_EXPIRATION_MS), 86400000);
}

static void
test_supervisor(void **state)
{
    char many[30000];

    (void)state;
    (void)live_conf_follow(); /* what tests before this one announced */
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "", "max.connections", "70"), 0);
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "", "log.segment.bytes", "2097152"), 0);
    assert_int_equal(
        alter(IMAGE_CONFIG_BROKER, "", "listener.name.plaintext.max.connections", "60"), 0);
    assert_true(live_conf_follow());
    assert_false(live_conf_follow());
    assert_int_equal(conf_int32(CONF_MAX_CONNECTIONS), 70);
    assert_string_equal(conf_extra_find("listener.name.plaintext.max.connections"), "60");
    assert_int_equal(conf_int32(CONF_LOG_SEGMENT_BYTES), 1 << 30); /* not its business */
    /* Blanks make the longest texts; both find room, and the node's own counts. */
    memset(many, ' ', sizeof many);
    memcpy(many, "127.0.0.1:5", 11);
    many[sizeof many - 1] = '\0';
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "", "max.connections.per.ip.overrides", many), 0);
    many[10] = '6';
    assert_int_equal(alter(IMAGE_CONFIG_BROKER, "1", "max.connections.per.ip.overrides", many), 0);
    assert_true(live_conf_follow());
    assert_string_equal(conf_str(CONF_MAX_CONNECTIONS_PER_IP_OVERRIDES), "127.0.0.1:6");
    assert_int_equal(conf_int32(CONF_MAX_CONNECTIONS), 70);
}

/* After a crash the counts of changes begin anew, and may meet those of before. */
static void
test_new_region(void **state)
{
    (void)live_conf_follow();
    node_settings_announce();
    for (int round = 0; round < 2; round++) {
        const char *value = round == 0 ? "71" : "72";

        assert_int_equal(teardown(state), 0);
        assert_int_equal(setup(state), 0);
        node_settings_begin_region();
        assert_false(node_settings_follow()); /* nobody asked for the files */
        assert_int_equal(alter(IMAGE_CONFIG_BROKER, "", "max.connections", value), 0);
        assert_true(live_conf_follow());
        assert_int_equal(conf_int32(CONF_MAX_CONNECTIONS), round == 0 ? 71 : 72);
    }
}

static void
test_levels(void **state)
{
    int replica = log_category_find(STRVIEW("replica"));

    (void)state;
    (void)live_conf_refresh();
    assert_int_equal(log_category_level(replica), LL_INFO);
    assert_int_equal(alter(RESOURCE_BROKER_LOGGER, "1", "replica", "DEBUG"), 0);
    assert_int_equal(alter(RESOURCE_BROKER_LOGGER, "1", "root", "ERROR"), 0);
    assert_true(live_conf_refresh());
    assert_int_equal(log_category_level(replica), LL_DEBUG1);
    assert_int_equal(log_category_level(0), LL_ERROR);
    assert_int_equal(alter(RESOURCE_BROKER_LOGGER, "1", "replica", NULL), 0);
    assert_true(live_conf_refresh());
    assert_int_equal(log_category_level(replica), LL_ERROR);
    /* A new node knows nothing of it. */
    kit_region_end();
    kit_region(0, 1000);
    node_settings_apply();
    assert_int_equal(log_category_level(0), LL_INFO);
}

/* A file that was read again: the default of all topics is computed anew. */
static void
test_files_again(void **state)
{
    const char *assignment = "log.segment.bytes=5242880";
    const ConfArgs args = {.assignments = &assignment, .assignment_count = 1};
    ConfReport report;

    (void)state;
    conf_report_init(&report);
    assert_int_equal(conf_reload(&args, &report), 0);
    conf_report_release(&report);
    assert_int_equal(in_force("u", 0).segment_bytes, 1 << 30);
    hosting_refresh_settings(&controller.hosting, &controller.image.before);
    assert_int_equal(in_force("u", 0).segment_bytes, 5242880);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_topics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_defaults_of_topics, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_default, setup, teardown),
        cmocka_unit_test_setup_teardown(test_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_processes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_supervisor, setup, teardown),
        cmocka_unit_test_setup_teardown(test_new_region, setup, teardown),
        cmocka_unit_test_setup_teardown(test_levels, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files_again, setup, teardown),
    };

    return cmocka_run_group_tests_name("live_conf", tests, NULL, NULL);
}
