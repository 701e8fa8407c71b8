/*
 * test_golden.c - data directories that Apache Kafka 4.3.1 wrote open here and say the same
 *
 * One was closed in order, one was killed and torn (shared/peers/golden). Skipped where that folder
 * is not beside the tree.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "storage/storage_kit.h"

#define GOLDEN "../shared/peers/golden"

static LogDirCheckpoints *checkpoints;

/* Unpacks an archive into the log directory of the test and loads its description. */
static json_t *
unpack(const char *name)
{
    json_error_t error;
    char path[256];
    json_t *json;
    pid_t pid;

    (void)snprintf(path, sizeof path, GOLDEN "/%s.tar.zst", name);
    pid = fork();
    if (pid == 0) {
        (void)execlp("tar", "tar", "--zstd", "-xf", path, "-C", kit_dir, "--strip-components=1",
                     (char *)NULL);
        _exit(1);
    }
    assert_int_equal(kit_wait(pid), 0);
    (void)snprintf(path, sizeof path, GOLDEN "/%s.json", name);
    json = json_load_file(path, 0, &error);
    assert_non_null(json);
    return json;
}

static PartitionRef
open_golden(const char *topic, const char *id, int32_t partition)
{
    CheckpointedOffsets offsets =
        logdir_checkpoints_get(checkpoints, 0, strview_from(topic), partition, (Uuid){{0}});
    PslotIdentity identity = {.topic = strview_from(topic),
                              .partition = partition,
                              .recovery_point = offsets.recovery_point,
                              .log_start_offset = offsets.log_start_offset,
                              .high_watermark = offsets.high_watermark};
    PartitionRef ref;

    assert_true(uuid_from_text(strview_from(id), &identity.topic_id));
    identity.settings = topic_settings_new(&kit_settings);
    assert_int_equal(pslot_alloc(&identity, &ref, NULL), 0);
    kit_set_epoch(ref, 2);
    return ref;
}

static int64_t
number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* Every batch of the log as the description lists them, in order; returns their number. */
static int64_t
compare_batches(PartitionRef ref, const json_t *segments, int64_t from)
{
    int64_t seen = 0;
    const json_t *segment;
    size_t i;

    json_array_foreach(segments, i, segment)
    {
        const json_t *batch;
        size_t b;

        json_array_foreach(json_object_get(segment, "batches"), b, batch)
        {
            int64_t base = number(batch, "base");
            uint8_t header[BATCH_HEADER_BYTES];
            PlogReadResult r;

            if (number(batch, "last") < from)
                continue;
            assert_int_equal(
                plog_read(ref, &(PlogReadArgs){base < from ? from : base, PLOG_BOUND_LEO, 1, true},
                          &r, NULL),
                0);
            assert_int_equal(r.slice.len, number(batch, "size"));
            assert_int_equal(r.slice.pos, number(batch, "position"));
            assert_int_equal(pread(r.slice.fd, header, sizeof header, r.slice.pos), sizeof header);
            assert_int_equal(batch_base_offset(header), base);
            assert_int_equal(batch_crc(header), number(batch, "crc"));
            plog_slice_release(&r.slice);
            seen++;
        }
    }
    return seen;
}

/* Aborted transactions of the .txnindex files, as a read_committed fetch from the start gets them. */
static void
compare_aborted(PartitionRef ref, const json_t *segments, int64_t from)
{
    PlogOffsets offsets = kit_offsets(ref);
    PlogAborted *list;
    int32_t count;
    int32_t expected = 0;
    const json_t *segment;
    size_t i;

    assert_int_equal(
        plog_aborted(ref, from, offsets.log_end_offset, kit_arena, &list, &count, NULL), 0);
    json_array_foreach(segments, i, segment)
    {
        const json_t *aborted;
        size_t a;

        json_array_foreach(json_object_get(segment, "aborted"), a, aborted)
        {
            if (number(aborted, "last") < from)
                continue;
            assert_true(expected < count);
            assert_int_equal(list[expected].producer_id, number(aborted, "producer"));
            assert_int_equal(list[expected].first_offset, number(aborted, "first"));
            expected++;
        }
    }
    assert_int_equal(count, expected);
}

static void
compare_producers(PartitionRef ref, const json_t *snapshots)
{
    const json_t *last = json_array_get(snapshots, json_array_size(snapshots) - 1);
    const json_t *producers = json_object_get(last, "producers");
    PlogProducer *list;
    const json_t *p;
    int32_t count;
    size_t i;

    if (last == NULL || number(last, "offset") != kit_offsets(ref).log_end_offset)
        return;
    assert_int_equal(plog_producers(ref, kit_arena, &list, &count, NULL), 0);
    assert_int_equal(count, json_array_size(producers));
    json_array_foreach(producers, i, p)
    {
        int32_t k = 0;

        while (k < count && list[k].producer_id != number(p, "producer"))
            k++;
        assert_true(k < count);
        assert_int_equal(list[k].epoch, number(p, "epoch"));
        assert_int_equal(list[k].last_timestamp, number(p, "timestamp"));
        assert_int_equal(list[k].coordinator_epoch, number(p, "coordinator_epoch"));
        assert_int_equal(list[k].txn_start_offset, number(p, "txn_first"));
    }
}

static void
compare_epochs(PartitionRef ref, const json_t *epochs)
{
    size_t i;

    for (i = 0; i + 1 < json_array_size(epochs); i++) {
        const json_t *this_one = json_array_get(epochs, i);
        const json_t *next = json_array_get(epochs, i + 1);
        PlogEpochEnd end;

        assert_int_equal(
            plog_epoch_end_offset(ref, (int32_t)json_integer_value(json_array_get(this_one, 0)),
                                  &end, NULL),
            0);
        assert_int_equal(end.end_offset, json_integer_value(json_array_get(next, 1)));
    }
}

static void
a_clean_node(void **state)
{
    json_t *json = unpack("node-1");
    const char *topic;
    json_t *t;
    json_t *files;
    int64_t batches = 0;
    bool clean;
    int64_t epoch;

    (void)state;
    assert_int_equal(logdir_take_clean_marker(0, &clean, &epoch, NULL), 0);
    assert_true(clean);
    checkpoints = logdir_checkpoints_load();
    files = json_object_get(json_object_get(json_object_get(json, "dirs"), "data"), "partitions");
    json_object_foreach(json_object_get(json, "topics"), topic, t)
    {
        const char *number_text;
        json_t *p;

        json_object_foreach(json_object_get(t, "partitions"), number_text, p)
        {
            int32_t partition = (int32_t)strtol(number_text, NULL, 10);
            PartitionRef ref =
                open_golden(topic, json_string_value(json_object_get(t, "id")), partition);
            const json_t *max = json_object_get(p, "max_timestamp");
            PlogOffsets offsets = kit_offsets(ref);
            char folder[512];
            json_t *f;
            PlogFound found;

            (void)snprintf(folder, sizeof folder, "%s-%d", topic, (int)partition);
            f = json_object_get(files, folder);
            assert_int_equal(offsets.log_end_offset, number(p, "hw"));
            assert_int_equal(offsets.last_stable_offset, number(p, "lso"));
            assert_int_equal(offsets.log_start_offset, number(p, "log_start"));
            if (f == NULL || json_array_size(json_object_get(f, "segments")) == 0)
                continue;
            assert_int_equal(plog_find_max_timestamp(ref, kit_arena, &found, NULL), 0);
            if (found.offset >= 0 && found.offset >= offsets.log_start_offset)
                assert_int_equal(found.timestamp, json_integer_value(json_array_get(max, 1)));
            batches +=
                compare_batches(ref, json_object_get(f, "segments"), offsets.log_start_offset);
            compare_aborted(ref, json_object_get(f, "segments"), offsets.log_start_offset);
            compare_producers(ref, json_object_get(f, "producer_snapshots"));
            compare_epochs(ref, json_object_get(f, "epochs"));
        }
    }
    print_message("# batches compared: %lld\n", (long long)batches);
    assert_true(batches > 500);
    logdir_checkpoints_free(checkpoints);
    json_decref(json);
}

/* Acknowledged records of the load under which Kafka was killed lie below our LEO; ends are Kafka's. */
static void
a_killed_node(void **state)
{
    json_t *json = unpack("node-2-killed");
    const char *topic;
    json_t *recovered;
    json_t *ends;
    json_t *before;
    json_t *t;
    int compared = 0;
    bool clean;
    int64_t epoch;

    (void)state;
    assert_int_equal(logdir_take_clean_marker(0, &clean, &epoch, NULL), 0);
    assert_false(clean);
    logdir_set_clean(0, false);
    checkpoints = logdir_checkpoints_load();
    recovered = json_object_get(json, "kafka_recovered");
    ends = json_object_get(recovered, "ends");
    before = json_object_get(recovered, "topics");
    json_object_foreach(before, topic, t)
    {
        const char *number_text;
        json_t *p;

        json_object_foreach(json_object_get(t, "partitions"), number_text, p)
        {
            int32_t partition = (int32_t)strtol(number_text, NULL, 10);
            PartitionRef ref =
                open_golden(topic, json_string_value(json_object_get(t, "id")), partition);
            PlogOffsets offsets = kit_offsets(ref);

            /* Kafka itself appended markers and group records after its recovery */
            if (strncmp(topic, "__", 2) == 0 || strstr(topic, "txn") != NULL) {
                assert_true(offsets.log_end_offset <= number(p, "hw"));
                continue;
            }
            assert_int_equal(offsets.log_end_offset, number(p, "hw"));
            assert_int_equal(offsets.log_start_offset, number(p, "log_start"));
            compared++;
        }
    }
    (void)ends;
    assert_true(compared > 20);
    logdir_checkpoints_free(checkpoints);
    json_decref(json);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_clean_node, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(a_killed_node, kit_setup, kit_teardown),
    };

    if (access(GOLDEN, R_OK) != 0) {
        puts("1..0 # SKIP no data of Kafka's in " GOLDEN);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
