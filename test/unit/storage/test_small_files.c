/*
 * test_small_files.c - checkpoint files, epochs, partition.metadata, folder names, when to roll
 *
 * Formats of log.md 5.1, 5.2, 7.3; hostile contents are refused.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/storage/roll.h"
#include "storage/storage_kit.h"

static void
put_file(const char *name, const char *text)
{
    char path[512];
    FILE *f;

    (void)snprintf(path, sizeof path, "%s/%s", kit_dir, name);
    f = fopen(path, "w");
    assert_non_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

static void
offset_checkpoints(void **state)
{
    static const char *const bad[] = {"1\n0\n",
                                      "0\n2\na 0 1\n",
                                      "0\n1\na 0 1\nb 0 1\n",
                                      "0\n1\na 0\n",
                                      "0\n1\na 0 1 2\n",
                                      "0\n1\na -1 5\n",
                                      "0\nx\n",
                                      "0\n-1\n",
                                      "0\n1\na 0 99999999999999999999\n",
                                      "0\n1000000000\n",
                                      "0\n1\na 4294967296 1\n",
                                      "0"};
    OffsetCheckpointWriter *w = offset_checkpoint_writer_new();
    OffsetCheckpoint *cp;
    int64_t offset;
    ErrInfo err = {0};

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_int_equal(
            offset_checkpoint_add(w, &(OffsetCheckpointEntry){STRVIEW("b"), 99 - i, i}), 0);
    assert_int_equal(
        offset_checkpoint_add(w, &(OffsetCheckpointEntry){STRVIEW("a.x"), 0, INT64_MAX}), 0);
    assert_int_equal(offset_checkpoint_store(w, kit_dir, "cp", &err), 0);
    offset_checkpoint_writer_free(w);
    assert_int_equal(offset_checkpoint_load(kit_dir, "cp", &cp, &err), 0);
    assert_int_equal(offset_checkpoint_count(cp), 101);
    for (int i = 0; i < 100; i++) {
        assert_true(offset_checkpoint_find(cp, STRVIEW("b"), i, &offset));
        assert_int_equal(offset, 99 - i);
    }
    assert_true(offset_checkpoint_find(cp, STRVIEW("a.x"), 0, &offset));
    assert_int_equal(offset, INT64_MAX);
    assert_false(offset_checkpoint_find(cp, STRVIEW("a"), 0, &offset));
    assert_false(offset_checkpoint_find(cp, STRVIEW("b"), 100, &offset));
    offset_checkpoint_free(cp);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_file("cp", bad[i]);
        assert_int_equal(offset_checkpoint_load(kit_dir, "cp", &cp, &err), OT_E_CORRUPT);
    }
    put_file("cp", "");
    assert_int_equal(offset_checkpoint_load(kit_dir, "cp", &cp, &err), 0);
    assert_int_equal(offset_checkpoint_count(cp), 0);
    offset_checkpoint_free(cp);
    put_file("cp", "0\n1\n  a   3\t12 ");
    assert_int_equal(offset_checkpoint_load(kit_dir, "cp", &cp, &err), 0);
    assert_true(offset_checkpoint_find(cp, STRVIEW("a"), 3, &offset));
    offset_checkpoint_free(cp);
}

static void
epoch_lists(void **state)
{
    EpochEntry list[8];
    int32_t n = 0;
    EpochEntry e;

    (void)state;
    n = epochs_assign(list, n, (EpochEntry){0, 0});
    n = epochs_assign(list, n, (EpochEntry){0, 5});
    assert_int_equal(n, 1);
    n = epochs_assign(list, n, (EpochEntry){2, 10});
    n = epochs_assign(list, n, (EpochEntry){5, 20});
    assert_int_equal(n, 3);
    e = epochs_end_offset(list, n, 1, 30);
    assert_true(e.epoch == 0 && e.start_offset == 10);
    e = epochs_end_offset(list, n, 5, 30);
    assert_true(e.epoch == 5 && e.start_offset == 30);
    e = epochs_end_offset(list, n, 6, 30);
    assert_true(e.epoch == -1 && e.start_offset == -1);
    e = epochs_end_offset(list, n, -1, 30);
    assert_true(e.epoch == -1);
    assert_int_equal(epochs_of_offset(list, n, 19), 2);
    assert_int_equal(epochs_of_offset(list, n, 20), 5);
    /* a newer epoch at the same start replaces what began there */
    n = epochs_assign(list, n, (EpochEntry){7, 20});
    assert_int_equal(n, 3);
    assert_int_equal(list[2].epoch, 7);
    n = epochs_truncate_start(list, n, 15);
    assert_int_equal(n, 2);
    assert_true(list[0].epoch == 2 && list[0].start_offset == 15);
    assert_int_equal(epochs_truncate_end(list, n, 20), 1);
    assert_int_equal(epochs_truncate_end(list, n, 0), 0);
    assert_int_equal(epochs_of_offset(list, n, 3), -1);
}

static void
epoch_files(void **state)
{
    static const char *const bad[] = {"0\n1\n0\n",        "0\n2\n0 0\n",  "0\n2\n1 0\n0 5\n",
                                      "0\n2\n0 5\n1 5\n", "0\n1\n-1 0\n", "2\n0\n",
                                      "0\n1\n0 0\n1 1\n"};
    EpochEntry in[] = {{0, 0}, {2, 28}};
    EpochEntry *out = NULL;
    int32_t count;

    (void)state;
    assert_int_equal(epoch_file_load(kit_dir, &out, &count, NULL), OT_E_NOT_FOUND);
    assert_int_equal(epoch_file_store(kit_dir, in, 2, NULL), 0);
    assert_int_equal(epoch_file_load(kit_dir, &out, &count, NULL), 0);
    assert_int_equal(count, 2);
    for (int i = 0; i < 2; i++)
        assert_true(out[i].epoch == in[i].epoch && out[i].start_offset == in[i].start_offset);
    free(out);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        put_file(LEADER_EPOCH_FILE, bad[i]);
        assert_int_equal(epoch_file_load(kit_dir, &out, &count, NULL), OT_E_CORRUPT);
    }
}

static void
metadata_files(void **state)
{
    Uuid id = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
    Uuid back;

    (void)state;
    assert_int_equal(partition_metadata_load(kit_dir, &back, NULL), OT_E_NOT_FOUND);
    assert_int_equal(partition_metadata_store(kit_dir, id, VFS_NOT_SYNCED, NULL), 0);
    assert_int_equal(partition_metadata_load(kit_dir, &back, NULL), 0);
    assert_true(uuid_equal(id, back));
    put_file(PARTITION_METADATA_FILE, "version: 1\ntopic_id: AQIDBAUGBwgJCgsMDQ4PEA");
    assert_int_equal(partition_metadata_load(kit_dir, &back, NULL), OT_E_CORRUPT);
    put_file(PARTITION_METADATA_FILE, "version: 0\ntopic_id: AQIDBAUGBwgJCgsMDQ4P");
    assert_int_equal(partition_metadata_load(kit_dir, &back, NULL), OT_E_CORRUPT);
    put_file(PARTITION_METADATA_FILE, "");
    assert_int_equal(partition_metadata_load(kit_dir, &back, NULL), OT_E_CORRUPT);
}

static void
folder_names(void **state)
{
    static const char *const bad[] = {"a",     "a-",          "-1",
                                      "a-x",   "a-1x",        "a-99999999999",
                                      "a b-1", "..-1",        "meta.properties",
                                      ".lock", "a-0.deleted", ""};
    char name[PARTITION_DIR_NAME_MAX];
    char longest[LIMIT_TOPIC_NAME_LEN + 1];
    PartitionDirKind kind;
    int32_t partition;
    StrView topic;

    (void)state;
    memset(longest, 'x', sizeof longest);
    partition_dir_name(STRVIEW("a-b"), 12, name);
    assert_string_equal(name, "a-b-12");
    assert_true(partition_dir_parse(name, &topic, &partition, &kind));
    assert_true(strview_equal(topic, STRVIEW("a-b")) && partition == 12);
    assert_int_equal(kind, PARTITION_DIR_NORMAL);
    for (int k = PARTITION_DIR_DELETE; k <= PARTITION_DIR_STRAY; k++) {
        partition_dir_name_suffixed(STRVIEW("a.b-c"), 3, (PartitionDirKind)k, name);
        assert_true(partition_dir_parse(name, &topic, &partition, &kind));
        assert_true(strview_equal(topic, STRVIEW("a.b-c")) && partition == 3);
        assert_int_equal(kind, k);
    }
    partition_dir_name_suffixed((StrView){longest, LIMIT_TOPIC_NAME_LEN}, 2147483647,
                                PARTITION_DIR_DELETE, name);
    assert_int_equal(strlen(name), 255);
    assert_true(partition_dir_parse(name, &topic, &partition, &kind));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(partition_dir_parse(bad[i], &topic, &partition, &kind));
}

static void
when_to_roll(void **state)
{
    TopicSettings s = kit_settings;
    RollQuestion q = {.first_timestamp = 1000,
                      .batch_max_timestamp = 1000,
                      .active_size = 100,
                      .batch_size = 50,
                      .batch_last_offset = 10};

    (void)state;
    s.segment_bytes = 150;
    s.segment_ms = 1000;
    assert_false(roll_needed(&s, &q));
    q.batch_size = 51;
    assert_true(roll_needed(&s, &q));
    q.active_size = 0;
    assert_false(roll_needed(&s, &q));
    q.active_size = 1;
    q.batch_max_timestamp = 2000;
    assert_false(roll_needed(&s, &q));
    q.batch_max_timestamp = 2001;
    assert_true(roll_needed(&s, &q));
    q.first_timestamp = -1; /* no message time: the clock */
    assert_false(roll_needed(&s, &q));
    q.now_ms = 1001;
    assert_true(roll_needed(&s, &q));
    q.jitter_ms = 0;
    q.now_ms = 1000;
    assert_false(roll_needed(&s, &q));
    q.jitter_ms = 1;
    assert_true(roll_needed(&s, &q));
    q.jitter_ms = 0;
    s.cleanup_compact = true;
    s.max_compaction_lag_ms = 10;
    assert_true(roll_needed(&s, &q));
    s.cleanup_compact = false;
    q.batch_last_offset = INT64_C(2147483648);
    assert_true(roll_needed(&s, &q));
    q.batch_last_offset--;
    assert_false(roll_needed(&s, &q));
    s.segment_index_bytes = 800;
    q.index_count = 99;
    assert_false(roll_needed(&s, &q));
    q.index_count = 100;
    assert_true(roll_needed(&s, &q));
    q.index_count = 0;
    q.time_count = 800 / 12 - 1;
    assert_true(roll_needed(&s, &q));
}

static void
clean_marker(void **state)
{
    int64_t epoch;
    bool clean;

    (void)state;
    assert_int_equal(logdir_take_clean_marker(0, &clean, &epoch, NULL), 0);
    assert_false(clean);
    assert_int_equal(logdir_write_clean_marker(0, 42, NULL), 0);
    assert_int_equal(logdir_take_clean_marker(0, &clean, &epoch, NULL), 0);
    assert_true(clean);
    assert_int_equal(epoch, 42);
    put_file(".kafka_cleanshutdown", "");
    assert_int_equal(logdir_take_clean_marker(0, &clean, &epoch, NULL), 0);
    assert_true(clean);
    assert_int_equal(epoch, -1);
    assert_int_equal(logdir_take_clean_marker(0, &clean, &epoch, NULL), 0);
    assert_false(clean);
}

/* What a deleted topic left in the files is not a new one's of its name; files that name no id are Kafka's. */
static void
ids_of_topics(void **state)
{
    const Uuid old = {{1, 2}}, fresh = {{3, 4}};
    OffsetCheckpointWriter *w = offset_checkpoint_writer_new();
    LogDirCheckpoints *all;

    (void)state;
    assert_int_equal(offset_checkpoint_add_id(w, old), 0);
    assert_int_equal(offset_checkpoint_add(w, &(OffsetCheckpointEntry){STRVIEW("t"), 0, 7}), 0);
    assert_int_equal(offset_checkpoint_add_id(w, old), 0); /* named once */
    assert_int_equal(offset_checkpoint_add(w, &(OffsetCheckpointEntry){STRVIEW("t"), 1, 8}), 0);
    assert_int_equal(offset_checkpoint_store(w, kit_dir, CHECKPOINT_RECOVERY_POINT, NULL), 0);
    offset_checkpoint_writer_free(w);
    all = logdir_checkpoints_load();
    assert_int_equal(logdir_checkpoints_get(all, 0, STRVIEW("t"), 1, old).recovery_point, 8);
    assert_int_equal(logdir_checkpoints_get(all, 0, STRVIEW("t"), 1, fresh).recovery_point, 0);
    assert_false(logdir_checkpoints_get(all, 0, STRVIEW("t"), 1, fresh).known);
    logdir_checkpoints_free(all);
    /* killed before the file that says which partitions have no producers was written */
    w = offset_checkpoint_writer_new();
    assert_int_equal(offset_checkpoint_add_id(w, old), 0);
    assert_int_equal(offset_checkpoint_add(w, &(OffsetCheckpointEntry){STRVIEW("t"), 0, 6}), 0);
    assert_int_equal(offset_checkpoint_store(w, kit_dir, CHECKPOINT_PRODUCERLESS, NULL), 0);
    offset_checkpoint_writer_free(w);
    all = logdir_checkpoints_load();
    assert_int_equal(logdir_checkpoints_get(all, 0, STRVIEW("t"), 0, old).producerless_end, 6);
    logdir_checkpoints_free(all);
    w = offset_checkpoint_writer_new();
    assert_int_equal(offset_checkpoint_add(w, &(OffsetCheckpointEntry){STRVIEW("t"), 0, 9}), 0);
    assert_int_equal(offset_checkpoint_store(w, kit_dir, CHECKPOINT_RECOVERY_POINT, NULL), 0);
    offset_checkpoint_writer_free(w);
    all = logdir_checkpoints_load();
    assert_int_equal(logdir_checkpoints_get(all, 0, STRVIEW("t"), 0, fresh).recovery_point, 9);
    assert_int_equal(logdir_checkpoints_get(all, 0, STRVIEW("t"), 0, fresh).producerless_end, 0);
    logdir_checkpoints_free(all);
}

/*
 * A checkpoint that was cut short leaves files of different age, or one alone: each names its topics by itself. (The log
 * start of a deleted topic would have the first segments of its successor removed.)
 */
static void
ids_of_each_file(void **state)
{
    const Uuid old = {{1, 2}}, fresh = {{3, 4}};
    OffsetCheckpointWriter *w = offset_checkpoint_writer_new();
    LogDirCheckpoints *all;

    (void)state;
    assert_int_equal(offset_checkpoint_add_id(w, old), 0);
    assert_int_equal(offset_checkpoint_add(w, &(OffsetCheckpointEntry){STRVIEW("t"), 0, 23}), 0);
    assert_int_equal(offset_checkpoint_store(w, kit_dir, CHECKPOINT_LOG_START, NULL), 0);
    offset_checkpoint_writer_free(w);
    all = logdir_checkpoints_load();
    assert_int_equal(logdir_checkpoints_get(all, 0, STRVIEW("t"), 0, old).log_start_offset, 23);
    assert_int_equal(logdir_checkpoints_get(all, 0, STRVIEW("t"), 0, fresh).log_start_offset, 0);
    assert_false(logdir_checkpoints_get(all, 0, STRVIEW("t"), 0, fresh).known);
    logdir_checkpoints_free(all);

    w = offset_checkpoint_writer_new();
    assert_int_equal(offset_checkpoint_add_id(w, fresh), 0);
    assert_int_equal(offset_checkpoint_add(w, &(OffsetCheckpointEntry){STRVIEW("t"), 0, 5}), 0);
    assert_int_equal(offset_checkpoint_store(w, kit_dir, CHECKPOINT_RECOVERY_POINT, NULL), 0);
    offset_checkpoint_writer_free(w);
    all = logdir_checkpoints_load();
    assert_int_equal(logdir_checkpoints_get(all, 0, STRVIEW("t"), 0, fresh).recovery_point, 5);
    assert_int_equal(logdir_checkpoints_get(all, 0, STRVIEW("t"), 0, fresh).log_start_offset, 0);
    logdir_checkpoints_free(all);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(offset_checkpoints, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(ids_of_topics, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(ids_of_each_file, kit_setup, kit_teardown),
        cmocka_unit_test(epoch_lists),
        cmocka_unit_test_setup_teardown(epoch_files, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(metadata_files, kit_setup, kit_teardown),
        cmocka_unit_test(folder_names),
        cmocka_unit_test_setup_teardown(when_to_roll, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(clean_marker, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
