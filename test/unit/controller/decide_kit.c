/*
 * decide_kit.c - an image of three brokers and what decisions see of it, for tests of decisions
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_kit.h"

#include "ottla/controller/live_conf.h"

ImageWriter decide_writer;
Arena *decide_arena;
RandomSeq decide_random;
DecideContext decide_context;
RecordList decide_records;

int
decide_setup(void **state)
{
    static const Uuid dir = {{9}};
    static NodeValues values;
    static ConfLookup lookup;

    (void)state;
    kit_region(0, 16);
    image_writer_init(&decide_writer);
    decide_arena = arena_new(1 << 16, 0);
    decide_random.state = 5;
    for (int32_t id = 1; id <= 3; id++) {
        ImageBroker b = {.id = id,
                         .epoch = 10 + id,
                         .fenced = id == 3,
                         .log_dirs = &dir,
                         .log_dir_count = 1,
                         .cordoned_log_dir_count = -1};

        assert_int_equal(build_broker(&decide_writer, &b), 0);
    }
    assert_int_equal(build_entry(&decide_writer, MAP_FEATURE,
                                 (BytesView){(const uint8_t *)"metadata.version", 16},
                                 (BytesView){(const uint8_t[]){0, 30}, 2}),
                     0);
    lookup = node_values_lookup(&values, &decide_writer.now, 1);
    decide_context = (DecideContext){.api_version = 6,
                                     .image = &decide_writer.now,
                                     .arena = decide_arena,
                                     .random = &decide_random,
                                     .dynamic = &lookup,
                                     .node_id = 1,
                                     .num_partitions = 1,
                                     .replication_factor = 1,
                                     .delete_enabled = true,
                                     .partitions_left = 50000};
    record_list_init(&decide_records, decide_arena);
    return 0;
}

int
decide_teardown(void **state)
{
    (void)state;
    arena_free(decide_arena);
    image_writer_fini(&decide_writer);
    kit_region_end();
    return 0;
}

void
decide_apply(void)
{
    ApplyState apply = {0};
    Arena *scratch = arena_new(65536, 0);
    ErrInfo err = {0};

    for (int32_t i = 0; i < decide_records.count; i++)
        if (record_apply(&decide_writer, &apply, decide_records.items[i], scratch, NULL, &err) != 0)
            fail_msg("%s", err.text);
    arena_free(scratch);
    image_commit(&decide_writer);
    record_list_init(&decide_records, decide_arena);
}
