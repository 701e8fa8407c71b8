/*
 * test_golden.c - metadata logs that Apache Kafka wrote: replayed, written as snapshots, compared with Kafka's
 *
 * Proves R2 of records.h: for every snapshot beside the log, the log replayed up to its offset gives the
 * same set of records. Lists whose order means nothing (features) are sorted before. Skipped when
 * ../shared is not there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/controller_kit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controller/image_build.h"
#include "controller/metalog_int.h"
#include "ottla/common/clock.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/record_frame.h"

#define RECORDS_MAX 20000

typedef struct RecordSet {
    Arena *arena;
    BytesView items[RECORDS_MAX];
    int count;
} RecordSet;

static RecordSet theirs, ours;

/* ---- normal form ---- */

static int
compare_broker_features(const void *a, const void *b)
{
    const RegisterBrokerRecordBrokerFeature *x = a, *y = b;

    return image_key_compare((BytesView){(const uint8_t *)x->name.ptr, x->name.len},
                             (BytesView){(const uint8_t *)y->name.ptr, y->name.len});
}

static int
compare_controller_features(const void *a, const void *b)
{
    const RegisterControllerRecordControllerFeature *x = a, *y = b;

    return image_key_compare((BytesView){(const uint8_t *)x->name.ptr, x->name.len},
                             (BytesView){(const uint8_t *)y->name.ptr, y->name.len});
}

static void
set_add(RecordSet *set, BytesView record)
{
    WireReader r;
    int16_t version;
    const MessageDesc *desc;
    RecordList list;
    union {
        RegisterBrokerRecord broker;
        RegisterControllerRecord controller;
    } msg;
    uint8_t *copy;

    assert_true(set->count < RECORDS_MAX);
    wire_reader_init(&r, record.ptr, (size_t)record.len, set->arena);
    desc = record_frame_read(&r, MESSAGE_METADATA, &version);
    assert_non_null(desc);
    record_list_init(&list, set->arena);
    if (desc == &register_broker_record_desc) {
        register_broker_record_read(&r, version, &msg.broker);
        qsort(msg.broker.features, (size_t)msg.broker.features_count, sizeof *msg.broker.features,
              compare_broker_features);
        record_list_add(&list, desc, version, &msg);
        set->items[set->count++] = list.items[0];
        return;
    }
    if (desc == &register_controller_record_desc) {
        register_controller_record_read(&r, version, &msg.controller);
        qsort(msg.controller.features, (size_t)msg.controller.features_count,
              sizeof *msg.controller.features, compare_controller_features);
        record_list_add(&list, desc, version, &msg);
        set->items[set->count++] = list.items[0];
        return;
    }
    copy = arena_alloc(set->arena, (size_t)record.len);
    assert_non_null(copy);
    memcpy(copy, record.ptr, (size_t)record.len);
    set->items[set->count++] = (BytesView){copy, record.len};
}

static int
compare_records(const void *a, const void *b)
{
    const BytesView *x = a, *y = b;

    return image_key_compare(*x, *y);
}

static void
set_clear(RecordSet *set)
{
    if (set->arena == NULL)
        set->arena = arena_new(1 << 20, 0);
    arena_reset(set->arena);
    set->count = 0;
}

static int
sink_set(void *arg, BytesView record)
{
    set_add(arg, record);
    return 0;
}

/* ---- reading files ---- */

typedef int (*OnRecord)(void *arg, const Record *record, bool control);

/* All records of a file with offsets below the limit. */
static void
read_file(const char *path, int64_t limit, OnRecord on, void *arg)
{
    Arena *arena = arena_new(65536, 0);
    ErrInfo err = {0};
    FileWalk walk;
    BytesView batch;

    if (file_walk_open(&walk, path, &err) != 0)
        fail_msg("%s: %s", path, err.text);
    walk.check_crc = true;
    while (file_walk_next(&walk, &batch, &err) == 1 && batch_base_offset(batch.ptr) < limit) {
        RecordIter *iter;
        Record record;

        arena_reset(arena);
        iter = record_iter_open(batch, arena);
        while (record_iter_next(iter, &record) == RECORD_OK)
            assert_int_equal(on(arg, &record, batch_is_control(batch.ptr)), 0);
        record_iter_close(iter);
        file_walk_past(&walk, batch.len);
    }
    file_walk_close(&walk);
    arena_free(arena);
}

static int
on_snapshot_record(void *arg, const Record *record, bool control)
{
    if (!control)
        set_add(arg, record->value);
    return 0;
}

typedef struct Applying {
    ImageWriter *w;
    ApplyState state;
    Arena *scratch;
    int records;
} Applying;

static int
on_log_record(void *arg, const Record *record, bool control)
{
    Applying *a = arg;
    ErrInfo err = {0};
    int rc;

    if (control)
        return 0;
    a->records++;
    rc = record_apply(a->w, &a->state, record->value, a->scratch, NULL, &err);
    if (rc != 0)
        print_message("record at %" PRId64 ": %s\n", record->offset, err.text);
    return rc;
}

/* ---- the comparison ---- */

static void
show(const char *whose, BytesView record)
{
    char text[4096];
    size_t at = 0;

    for (int32_t i = 0; i < record.len && at + 4 < sizeof text; i++)
        at += (size_t)snprintf(text + at, sizeof text - at, "%02x", record.ptr[i]);
    print_message("only %s: %s\n", whose, text);
}

static int
count_differences(void)
{
    int i = 0, k = 0, differences = 0;

    qsort(theirs.items, (size_t)theirs.count, sizeof theirs.items[0], compare_records);
    qsort(ours.items, (size_t)ours.count, sizeof ours.items[0], compare_records);
    while (i < theirs.count || k < ours.count) {
        int diff = i == theirs.count ? 1
                   : k == ours.count ? -1
                                     : compare_records(&theirs.items[i], &ours.items[k]);

        if (diff < 0)
            show("theirs", theirs.items[i++]);
        else if (diff > 0)
            show("ours", ours.items[k++]);
        else
            i++, k++;
        differences += diff != 0;
    }
    return differences;
}

static void
compare_snapshot(const MetaLog *log, const MetaSnapshot *snapshot)
{
    char path[LIMIT_PATH_BYTES];
    ImageWriter w;
    Applying applying = {.w = &w, .scratch = arena_new(65536, 0)};

    set_clear(&theirs);
    set_clear(&ours);
    metalog_snapshot_path(log->folder, snapshot->id, path);
    read_file(path, INT64_MAX, on_snapshot_record, &theirs);
    image_writer_init(&w);
    metalog_file(log, 0, "log", path);
    read_file(path, snapshot->id.offset, on_log_record, &applying);
    image_commit(&w);
    assert_int_equal(image_to_records(&w.before, applying.scratch, sink_set, &ours), 0);
    assert_true(applying.records > 0);
    print_message("# snapshot %" PRId64 ": %d records\n", snapshot->id.offset, theirs.count);
    assert_int_equal(count_differences(), 0);
    image_writer_fini(&w);
    arena_free(applying.scratch);
}

static void
unpack(const char *name, char *folder, size_t size)
{
    char command[512];
    const char *made = kit_folder();

    snprintf(folder, size, "%s", made);
    snprintf(command, sizeof command,
             "tar --zstd -xf %s/%s.tar.zst -C %s --wildcards '*__cluster_metadata-0*' "
             "'*meta.properties' '*-checkpoint'",
             kit_golden(), name, folder);
    assert_int_equal(system(command), 0);
}

static void
compare_archive(const char *name)
{
    char folder[128], data[192];
    ErrInfo err = {0};
    MetaLogSettings settings = {.segment_bytes = 1 << 30,
                                .segment_ms = 1000,
                                .max_retention_bytes = 1 << 30,
                                .max_retention_ms = 1000};
    MetaLog log;
    int compared = 0;

    unpack(name, folder, sizeof folder);
    snprintf(data, sizeof data, "%s/data", folder);
    kit_region(0, 1000);
    if (metalog_open(&log, data, &settings, &err) != 0)
        fail_msg("%s: %s", data, err.text);
    for (int32_t i = 0; i < log.snapshot_count; i++)
        if (log.snapshots[i].id.offset > 0) {
            compare_snapshot(&log, &log.snapshots[i]);
            compared++;
        }
    assert_true(compared > 2);
    metalog_close(&log);
    kit_region_end();
    kit_remove(folder);
}

static void
test_clean_node(void **state)
{
    (void)state;
    compare_archive("node-1");
}

static void
test_killed_node(void **state)
{
    (void)state;
    compare_archive("node-2-killed");
}

/* ---- starting on Kafka's folder ---- */

static Uuid
directory_of(const char *data)
{
    char path[256], line[256];
    Uuid id = {{0}};
    FILE *file;

    snprintf(path, sizeof path, "%s/meta.properties", data);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "directory.id=", 13) == 0)
            assert_true(uuid_from_text((StrView){line + 13, UUID_TEXT_LEN}, &id));
    fclose(file);
    return id;
}

/* The node that Kafka left becomes ours: next epoch, registered anew, every partition led. */
static void
start_on(const char *name)
{
    static Controller c;
    char folder[128], data[192];
    ControllerSettings settings;
    ErrInfo err = {0};
    int64_t partitions = 0;
    int32_t epoch;

    unpack(name, folder, sizeof folder);
    snprintf(data, sizeof data, "%s/data", folder);
    for (int round = 0; round < 2; round++) {
        kit_region(0, 1000);
        settings = kit_settings(data);
        settings.metadata_dir_id = directory_of(data);
        settings.logs_may_be_short = round == 0;
        assert_true(logdir_add(data, settings.metadata_dir_id, &err) >= 0);
        if (controller_start(&c, &settings, clock_wall_ms(), &err) != 0)
            fail_msg("%s: %s", name, err.text);
        assert_true(image_topic_count(&c.image.before) > 20);
        for (const ImageTopic *t = image_topic_after(&c.image.before, (StrView){NULL, 0});
             t != NULL; t = image_topic_after(&c.image.before, image_topic_name(t)))
            for (int32_t i = 0; i < image_topic_partition_count(t); i++) {
                ImagePartition p;

                assert_true(image_topic_partition(t, i, &p));
                assert_int_equal(p.leader, 1);
                assert_int_equal(p.isr_count, 1);
                assert_int_equal(p.elr_count, 0);
                assert_non_null(pslot_find(p.ref));
                assert_int_equal(pslot_leadership(pslot_find(p.ref)).leader_epoch, p.leader_epoch);
                partitions++;
            }
        epoch = c.quorum.epoch;
        assert_int_equal(kit_create(&c, round == 0 ? "ours-1" : "ours-2", 2), 0);
        assert_int_equal(controller_snapshot(&c, clock_wall_ms(), &err), 0);
        controller_stop(&c);
        kit_region_end();
    }
    print_message("# %s: epoch %d, %" PRId64 " partitions in two starts\n", name, (int)epoch,
                  partitions);
    kit_remove(folder);
}

static void
test_start_on_clean(void **state)
{
    (void)state;
    start_on("node-1");
}

static void
test_start_on_killed(void **state)
{
    (void)state;
    start_on("node-2-killed");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_node),
        cmocka_unit_test(test_killed_node),
        cmocka_unit_test(test_start_on_clean),
        cmocka_unit_test(test_start_on_killed),
    };

    if (kit_golden() == NULL) {
        puts("1..0 # SKIP no data of Kafka's in ../shared/peers/golden");
        return 0;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
