/*
 * test_offsets.c - offsets: committed, fetched, deleted, expired, pending
 *
 * What is asserted is what the recordings of offsets and transaction_offsets say, and scenarios 20 and 22 to 25 of
 * groups-and-transactions.md as far as they need no process.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/offsets_kit.h"

#include <stdio.h>
#include <string.h>

static GroupKit kit;
static GroupShard *shard;

static int
setup(void **state)
{
    (void)state;
    kit_init(&kit, 5);
    (void)kit_add_topic(&kit, "a", 1000);
    (void)kit_add_topic(&kit, "b", 10);
    shard = shard_new(0, &kit.memory, 1);
    shard_loaded(shard, kit_env(&kit));
    (void)kit_take(&kit); /* nothing */
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    unload(&kit, shard);
    kit_fini(&kit);
    return 0;
}

static void
reload(void)
{
    unload(&kit, shard);
    shard = load_again(&kit);
    shard_check(shard);
}

static int64_t
offset(const char *topic, int32_t partition)
{
    return offset_of(&kit, shard, "g", topic, partition);
}

static OffsetFetchResponseGroupPartition
fetched(int32_t partition, bool stable)
{
    return fetch_one_offset(&kit, shard, "g", "a", partition, stable);
}

/* ---- commits ---------------------------------------------------------------------------------------- */

static void
every_version_commits(void **state)
{
    (void)state;
    for (int16_t version = 2; version <= 10; version++) {
        OneCommit one = {.group = "g",
                         .topic = "a",
                         .partition = version,
                         .offset = 100 + version,
                         .metadata = "text",
                         .leader_epoch = version >= 6 ? 3 : -1,
                         .version = version};
        OffsetFetchResponseGroupPartition p;
        OffsetCommitKey key;
        OffsetCommitValue value;

        assert_int_equal(commit_one(&kit, shard, &one), 0);
        p = fetched(version, false);
        assert_int_equal(p.committed_offset, 100 + version);
        assert_int_equal(p.committed_leader_epoch, version >= 6 ? 3 : -1);
        assert_true(strview_equal(p.metadata, STRVIEW("text")));
        assert_int_equal(p.error_code, 0);
        kit_read_record(&kit, &kit.log[kit.log_count - 1], &offset_commit_key_desc, &key,
                        &offset_commit_value_desc, &value);
        assert_int_equal(kit.log[kit.log_count - 1].value[1], 4); /* the version of the value */
        assert_true(uuid_equal(value.topic_id, kit.topics[0].id));
        assert_int_equal(value.commit_timestamp, kit.env.wall_ms);
        assert_int_equal(key.partition, version);
    }
    reload();
    for (int16_t version = 2; version <= 10; version++)
        assert_int_equal(offset("a", version), 100 + version);
}

/* Scenario 22; the limit counts what Java counts. */
static void
metadata_has_a_length(void **state)
{
    static char text[3 * 4097 + 1];
    OneCommit one = {.group = "g", .topic = "a", .metadata = text, .leader_epoch = -1};
    static const struct {
        const char *one_char;
        int32_t count;
        int16_t code;
    } rows[] = {{"m", 4096, 0},
                {"m", 4097, KERR_OFFSET_METADATA_TOO_LARGE},
                {"\xc3\xa9", 4096, 0},
                {"\xc3\xa9", 4097, KERR_OFFSET_METADATA_TOO_LARGE},
                {"\xf0\x9f\x98\x80", 2048, 0},
                {"\xf0\x9f\x98\x80", 2049, KERR_OFFSET_METADATA_TOO_LARGE}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t len = strlen(rows[i].one_char);
        int64_t before = fetched(0, false).committed_offset;

        for (int32_t n = 0; n < rows[i].count; n++)
            memcpy(text + (size_t)n * len, rows[i].one_char, len);
        text[(size_t)rows[i].count * len] = '\0';
        one.offset = (int64_t)i + 1;
        assert_int_equal(commit_one(&kit, shard, &one), rows[i].code);
        assert_int_equal(offset("a", 0), rows[i].code == 0 ? (int64_t)i + 1 : before);
    }
    one.metadata = NULL;
    assert_int_equal(commit_one(&kit, shard, &one), 0);
    assert_true(strview_equal(fetched(0, false).metadata, STRVIEW("")));
}

static void
a_generation_without_a_group(void **state)
{
    OneCommit one = {
        .group = "none", .topic = "a", .metadata = "", .leader_epoch = -1, .from_member = true};

    (void)state;
    one.generation = 0;
    for (one.version = 2; one.version <= 10; one.version++)
        assert_int_equal(commit_one(&kit, shard, &one),
                         one.version >= 9 ? KERR_GROUP_ID_NOT_FOUND : KERR_ILLEGAL_GENERATION);
    assert_int_equal(shard_counts(shard).groups, 0);
    one.generation = -2;
    one.version = 9;
    assert_int_equal(commit_one(&kit, shard, &one), 0);
    one.generation = 3; /* of a group that has offsets alone */
    assert_int_equal(commit_one(&kit, shard, &one), KERR_UNKNOWN_MEMBER_ID);
    one.generation = -1;
    one.member = "m";
    assert_int_equal(commit_one(&kit, shard, &one), 0);
    assert_int_equal(shard_counts(shard).groups, 1);
}

static void
what_does_not_exist_is_not_kept(void **state)
{
    OneCommit one = {.group = "g", .topic = "none", .metadata = "", .leader_epoch = -1};

    (void)state;
    assert_int_equal(commit_one(&kit, shard, &one), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    one.version = 10;
    assert_int_equal(commit_one(&kit, shard, &one), KERR_UNKNOWN_TOPIC_ID);
    one.topic = "b";
    one.partition = 10;
    assert_int_equal(commit_one(&kit, shard, &one), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    one.partition = -1;
    assert_int_equal(commit_one(&kit, shard, &one), KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(kit.log_count, 0);
    assert_int_equal(shard_counts(shard).offsets, 0);
}

/* A client's own retention stands in the one version of the record that can hold it. */
static void
retention_of_old_versions(void **state)
{
    OneCommit one = {
        .group = "g", .topic = "a", .offset = 7, .metadata = "", .leader_epoch = -1, .version = 3};
    ExpiryCursor cursor = {0};

    (void)state;
    one.retention_ms = 60000;
    assert_int_equal(commit_one(&kit, shard, &one), 0);
    assert_int_equal(kit.log[0].value[1], 1);
    commit_plain(&kit, shard, "g", "a", 1, 8);
    kit_advance_ms(&kit, 59999);
    reload();
    assert_false(shard_expire_offsets(shard, kit_env(&kit), &cursor));
    assert_int_equal(kit_take(&kit), 0);
    kit_advance_ms(&kit, 1);
    cursor = (ExpiryCursor){0};
    assert_false(shard_expire_offsets(shard, kit_env(&kit), &cursor));
    assert_int_equal(kit_take(&kit), 1);
    assert_int_equal(offset("a", 0), -1);
    assert_int_equal(offset("a", 1), 8);
    one.retention_ms = 0;
    one.retention_given = true;
    assert_int_equal(commit_one(&kit, shard, &one), 0);
    cursor = (ExpiryCursor){0};
    assert_false(shard_expire_offsets(shard, kit_env(&kit), &cursor));
    assert_int_equal(kit_take(&kit), 1);
    reload();
    assert_int_equal(offset("a", 0), -1);
    assert_int_equal(offset("a", 1), 8);
}

/* However long or short a client says. */
static void
retention_of_any_length(void **state)
{
    OneCommit one = {
        .group = "g", .topic = "a", .offset = 7, .metadata = "", .leader_epoch = -1, .version = 4};
    ExpiryCursor cursor = {0};

    (void)state;
    one.retention_ms = INT64_MAX;
    assert_int_equal(commit_one(&kit, shard, &one), 0);
    one.partition = 1;
    one.retention_ms = INT64_MIN;
    assert_int_equal(commit_one(&kit, shard, &one), 0);
    reload();
    assert_false(shard_expire_offsets(shard, kit_env(&kit), &cursor));
    assert_int_equal(kit_take(&kit), 1);
    assert_int_equal(offset("a", 0), 7);
    assert_int_equal(offset("a", 1), -1);
}

static void
nothing_new_when_memory_is_tight(void **state)
{
    OneCommit one = {.group = "g", .topic = "a", .metadata = "", .leader_epoch = -1};

    (void)state;
    commit_plain(&kit, shard, "g", "a", 0, 1);
    kit.memory.limit = kit.memory.used;
    one.offset = 2;
    assert_int_equal(commit_one(&kit, shard, &one), 0); /* what exists goes on */
    one.partition = 1;
    assert_int_equal(commit_one(&kit, shard, &one), KERR_COORDINATOR_NOT_AVAILABLE);
    one.group = "h";
    assert_int_equal(commit_one(&kit, shard, &one), KERR_COORDINATOR_NOT_AVAILABLE);
    kit.memory.limit *= 10;
    assert_int_equal(commit_one(&kit, shard, &one), 0);
}

/* 1.6: what does not fit in one batch changes nothing. */
static void
a_unit_too_large_changes_nothing(void **state)
{
    OneCommit one = {
        .group = "g", .topic = "a", .offset = 9, .metadata = "long", .leader_epoch = -1};

    (void)state;
    commit_plain(&kit, shard, "g", "a", 0, 1);
    kit.settings.max_batch_bytes = 100;
    assert_int_equal(commit_one(&kit, shard, &one), KERR_UNKNOWN_SERVER_ERROR);
    assert_int_equal(delete_one(&kit, shard, "g", "a", 0), KERR_UNKNOWN_SERVER_ERROR);
    assert_int_equal(shard_delete_group(shard, kit_env(&kit), STRVIEW("g")),
                     KERR_UNKNOWN_SERVER_ERROR);
    assert_int_equal(kit_take(&kit), 0);
    assert_int_equal(kit.log_count, 1);
    assert_int_equal(offset("a", 0), 1);
    one.group = "new";
    assert_int_equal(commit_one(&kit, shard, &one), KERR_UNKNOWN_SERVER_ERROR);
    assert_int_equal(shard_counts(shard).groups, 1);
}

/* ---- fetches ------------------------------------------------------------------------------------------ */

/* By name, then partition, whatever the order of commits and the seed of the tables. */
static void
everything_comes_in_order(void **state)
{
    static const char *const topics[] = {"b", "aa", "", "a", "ab"};
    OffsetFetchResponseGroup all;
    RandomSeq seq = {3};

    (void)state;
    assert_int_equal(fetch_everything(&kit, shard, "none").topics_count, 0);
    for (size_t t = 0; t < 5; t++) {
        if (strcmp(topics[t], "a") != 0 && strcmp(topics[t], "b") != 0)
            (void)kit_add_topic(&kit, topics[t], 1000);
        for (int32_t i = 0; i < 100; i++)
            commit_plain(&kit, shard, "g", topics[t],
                         (int32_t)random_seq_below(&seq, topics[t][0] == 'b' ? 10 : 1000), i);
    }
    all = fetch_everything(&kit, shard, "g");
    assert_int_equal(all.topics_count, 5);
    for (int32_t t = 0; t < 5; t++) {
        static const char *const sorted[] = {"", "a", "aa", "ab", "b"};

        assert_true(strview_equal(all.topics[t].name, strview_from(sorted[t])));
        for (int32_t p = 1; p < all.topics[t].partitions_count; p++)
            assert_true(all.topics[t].partitions[p - 1].partition_index <
                        all.topics[t].partitions[p].partition_index);
    }
    assert_int_equal(all.topics[4].partitions_count, 10);
}

static OffsetFetchResponseGroup
fetch_by_id(Uuid id, int32_t *partitions, int32_t count)
{
    OffsetFetchRequestGroupTopic topic;
    OffsetFetchRequestGroup request;
    OffsetFetchResponseGroup ret;

    offset_fetch_request_group_init(&request);
    offset_fetch_request_group_topic_init(&topic);
    request.group_id = STRVIEW("g");
    request.topics = &topic;
    request.topics_count = partitions == NULL ? -1 : 1;
    topic.topic_id = id;
    topic.partition_indexes = partitions;
    topic.partition_indexes_count = count;
    shard_offset_fetch(shard, kit_env(&kit), 10, false, &request, &ret);
    assert_int_equal(kit_take(&kit), 0);
    return ret;
}

static void
fetch_by_topic_id(void **state)
{
    int32_t partitions[] = {0, 3};
    OffsetFetchResponseGroup ret;
    Uuid old = kit.topics[0].id;

    (void)state;
    ret = fetch_by_id(old, partitions, 2); /* of a group that is not there */
    assert_int_equal(ret.topics[0].partitions[1].committed_offset, -1);
    assert_int_equal(ret.topics[0].partitions[1].error_code, 0);
    commit_plain(&kit, shard, "g", "a", 0, 4);
    ret = fetch_by_id(old, partitions, 2);
    assert_int_equal(ret.topics[0].partitions[0].committed_offset, 4);
    assert_int_equal(ret.topics[0].partitions[1].committed_offset, -1);
    ret = fetch_by_id((Uuid){{1}}, partitions, 2);
    assert_int_equal(ret.topics[0].partitions[0].error_code, KERR_UNKNOWN_TOPIC_ID);
    assert_int_equal(ret.topics[0].partitions[1].committed_offset, -1);
    assert_int_equal(fetch_by_id(old, NULL, 0).topics_count, 1);
    kit_remove_topic(&kit, "a");
    assert_int_equal(fetch_by_id(old, NULL, 0).topics_count, 0);
    assert_int_equal(fetch_everything(&kit, shard, "g").topics_count, 1);
    (void)kit_add_topic(&kit, "a", 10); /* the ids differ, and nothing has been cleared away yet */
    assert_int_equal(offset("a", 0), -1);
    assert_int_equal(fetch_everything(&kit, shard, "g").topics_count, 0);
}

/* ---- deletes, topics that go ---------------------------------------------------------------------------- */

static void
deleted_offsets_are_gone(void **state)
{
    (void)state;
    assert_int_equal(delete_one(&kit, shard, "", "a", 0), KERR_INVALID_GROUP_ID);
    assert_int_equal(delete_one(&kit, shard, "g", "a", 0), KERR_GROUP_ID_NOT_FOUND);
    commit_plain(&kit, shard, "g", "a", 0, 1);
    commit_plain(&kit, shard, "g", "a", 1, 2);
    assert_int_equal(delete_one(&kit, shard, "g", "a", 0), 0);
    assert_int_equal(kit.log_count, 3);
    assert_int_equal(delete_one(&kit, shard, "g", "a", 0), 0); /* once more: nothing to write */
    assert_int_equal(delete_one(&kit, shard, "g", "b", 0), 0);
    assert_int_equal(kit.log_count, 3);
    assert_int_equal(offset("a", 0), -1);
    assert_int_equal(offset("a", 1), 2);
    reload();
    assert_int_equal(offset("a", 0), -1);
    assert_int_equal(offset("a", 1), 2);
    assert_int_equal(delete_one(&kit, shard, "g", "a", 1), 0);
    assert_int_equal(shard_counts(shard).groups, 1); /* without offsets */
    assert_int_equal(shard_counts(shard).offsets, 0);
    reload();
    assert_int_equal(shard_counts(shard).groups, 0);
}

/* Scenario 24. */
static void
a_topic_made_again_has_no_offsets(void **state)
{
    (void)state;
    commit_plain(&kit, shard, "g", "a", 0, 4);
    commit_plain(&kit, shard, "h", "a", 5, 5);
    commit_plain(&kit, shard, "g", "b", 0, 6);
    commit_pending(&kit, shard, 9, "g", "a", 7, 70);
    assert_false(shard_metadata_changed(shard, kit_env(&kit)));
    assert_int_equal(kit_take(&kit), 0);
    kit_remove_topic(&kit, "a");
    (void)kit_add_topic(&kit, "a", 10);
    commit_plain(&kit, shard, "h", "a", 6, 8); /* already the new one's */
    assert_false(shard_metadata_changed(shard, kit_env(&kit)));
    assert_int_equal(kit_take(&kit), 2);
    shard_check(shard);
    assert_int_equal(offset("a", 0), -1);
    assert_int_equal(offset_of(&kit, shard, "h", "a", 5), -1);
    assert_int_equal(offset_of(&kit, shard, "h", "a", 6), 8);
    assert_int_equal(offset("b", 0), 6);
    assert_int_equal(fetched(7, true).error_code, KERR_UNSTABLE_OFFSET_COMMIT); /* id not known */
    kit_remove_topic(&kit, "a");
    assert_false(shard_metadata_changed(shard, kit_env(&kit)));
    assert_int_equal(kit_take(&kit), 2); /* the new one's, and what was pending */
    assert_int_equal(fetched(7, true).error_code, 0);
    assert_false(shard_metadata_changed(shard, kit_env(&kit)));
    assert_int_equal(kit_take(&kit), 0);
    reload();
    assert_int_equal(shard_counts(shard).offsets, 1);
}

/* A unit of tombstones is bounded; what is left comes with the next one. */
static void
many_offsets_go_in_units(void **state)
{
    ExpiryCursor cursor = {0};
    int units = 0;

    (void)state;
    (void)kit_add_topic(&kit, "large", 10000);
    for (int32_t p = 0; p < 3500; p++)
        commit_plain(&kit, shard, "g", "large", p, p);
    assert_false(shard_metadata_changed(shard, kit_env(&kit)));
    kit_remove_topic(&kit, "large");
    for (bool more = true; more; units++) {
        more = shard_metadata_changed(shard, kit_env(&kit));
        assert_true(kit_take(&kit) <= OFFSETS_UNIT_RECORDS);
        shard_check(shard);
    }
    assert_int_equal(units, 4);
    assert_int_equal(shard_counts(shard).offsets, 0);
    for (int32_t p = 0; p < 900; p++)
        commit_plain(&kit, shard, "h", "a", p, p);
    kit.settings.max_batch_bytes = 100000; /* a batch has room for some hundreds */
    kit_advance_ms(&kit, kit.settings.offsets_retention_ms);
    units = 0;
    for (bool more = true; more; units++) {
        more = shard_expire_offsets(shard, kit_env(&kit), &cursor);
        assert_true(group_out_fits(&kit.out, &kit.settings));
        (void)kit_take(&kit); /* counted by what is left */
    }
    assert_true(units > 1);
    assert_int_equal(shard_counts(shard).offsets, 0);
    assert_int_equal(shard_counts(shard).groups, 0); /* they go with their last offset */
}

/* Scenario 23, of groups that have offsets alone. */
static void
offsets_grow_old(void **state)
{
    ExpiryCursor cursor = {0};

    (void)state;
    kit.settings.offsets_retention_ms = 60000;
    commit_plain(&kit, shard, "g", "a", 0, 1);
    commit_pending(&kit, shard, 9, "g", "a", 0, 5);
    commit_plain(&kit, shard, "h", "a", 0, 1);
    kit_advance_ms(&kit, 1);
    commit_plain(&kit, shard, "h", "a", 1, 1);
    kit_advance_ms(&kit, 59999);
    assert_false(shard_expire_offsets(shard, kit_env(&kit), &cursor));
    assert_int_equal(kit_take(&kit), 1);
    assert_int_equal(offset_of(&kit, shard, "h", "a", 0), -1);
    assert_int_equal(offset_of(&kit, shard, "h", "a", 1), 1);
    assert_int_equal(offset("a", 0), 1); /* a transaction is open there */
    shard_end_transaction(shard, 9, false);
    kit_advance_ms(&kit, 1);
    cursor = (ExpiryCursor){0};
    assert_false(shard_expire_offsets(shard, kit_env(&kit), &cursor));
    (void)kit_take(&kit); /* of the offsets, and of groups that have a record */
    assert_int_equal(shard_counts(shard).groups, 0);
    reload();
    assert_int_equal(shard_counts(shard).groups, 0);
}

/* ---- transactions ------------------------------------------------------------------------------------------ */

static void
pending_offsets_wait_for_their_marker(void **state)
{
    OffsetFetchResponseGroupPartition p;

    (void)state;
    commit_plain(&kit, shard, "g", "a", 0, 40);
    commit_pending(&kit, shard, 9, "g", "a", 0, 9); /* larger or smaller: the later one wins */
    p = fetched(0, true);
    assert_int_equal(p.error_code, KERR_UNSTABLE_OFFSET_COMMIT);
    assert_int_equal(p.committed_offset, -1);
    assert_int_equal(fetched(0, false).committed_offset, 40);
    assert_int_equal(fetched(1, true).error_code, 0);
    shard_end_transaction(shard, 8, true); /* another one */
    assert_int_equal(fetched(0, false).committed_offset, 40);
    shard_end_transaction(shard, 9, true);
    p = fetched(0, true);
    assert_int_equal(p.committed_offset, 9);
    assert_true(strview_equal(p.metadata, STRVIEW("in a transaction")));
    shard_end_transaction(shard, 9, true); /* nothing is pending */

    commit_pending(&kit, shard, 9, "g", "a", 0, 10);
    commit_plain(&kit, shard, "g", "a", 0, 4); /* written later */
    shard_end_transaction(shard, 9, true);
    assert_int_equal(fetched(0, true).committed_offset, 4);

    commit_pending(&kit, shard, 9, "g", "a", 0, 11);
    commit_pending(&kit, shard, 9, "g", "a", 2, 12);
    shard_end_transaction(shard, 9, false);
    assert_int_equal(fetched(0, true).committed_offset, 4);
    assert_int_equal(fetched(2, true).committed_offset, -1);
}

static void
transactions_on_one_partition(void **state)
{
    (void)state;
    commit_pending(&kit, shard, 1, "g", "a", 0, 10);
    commit_pending(&kit, shard, 2, "g", "a", 0, 20);
    commit_pending(&kit, shard, 1, "g", "a", 0, 30); /* again: the last one counts */
    shard_check(shard);
    shard_end_transaction(shard, 2, true);
    assert_int_equal(fetched(0, false).committed_offset, 20);
    assert_int_equal(fetched(0, true).error_code, KERR_UNSTABLE_OFFSET_COMMIT);
    shard_end_transaction(shard, 1, true);
    assert_int_equal(fetched(0, true).committed_offset, 30);
    shard_check(shard);
}

/* 11.25: what was deleted does not come back with the marker. */
static void
deletes_reach_pending_offsets(void **state)
{
    (void)state;
    commit_plain(&kit, shard, "g", "a", 0, 3);
    commit_pending(&kit, shard, 9, "g", "a", 0, 9);
    assert_int_equal(delete_one(&kit, shard, "g", "a", 0), 0);
    assert_int_equal(fetched(0, true).error_code, 0);
    shard_end_transaction(shard, 9, true);
    assert_int_equal(offset("a", 0), -1);

    commit_pending(&kit, shard, 9, "g", "a", 1, 9);
    assert_int_equal(shard_delete_group(shard, kit_env(&kit), STRVIEW("g")), 0);
    assert_int_equal(kit_take(&kit), 1);
    assert_int_equal(shard_counts(shard).groups, 0);
    shard_end_transaction(shard, 9, true);
    assert_int_equal(offset("a", 1), -1);
    shard_check(shard);
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

/* Against a plain array: whatever is put and removed is found, and nothing else. */
static void
a_table_does_what_an_array_does(void **state)
{
    static int64_t there[2000];
    Group *group = shard_add_group(shard, STRVIEW("g"));
    OffsetTopic *topic = offset_topic_get(shard, group, STRVIEW("t"));
    RandomSeq seq = {11};

    (void)state;
    memset(there, 0, sizeof there);
    for (int step = 0; step < 200000; step++) {
        int32_t range = step / 20000 % 2 == 0 ? 2000 : 12;
        int32_t p = (int32_t)random_seq_below(&seq, (uint64_t)range);
        OffsetEntry *entry = offset_find(topic, p - 1000);

        assert_int_equal(entry == NULL ? 0 : entry->offset, there[p]);
        if (entry != NULL && random_seq_below(&seq, 5) > (uint64_t)(step / 40000)) {
            offset_remove(shard, topic, entry);
            there[p] = 0;
        } else {
            const OffsetEntry made = {.offset = step + 1, .expire_ms = -1, .partition = p - 1000};

            offset_put(shard, topic, &made);
            there[p] = step + 1;
        }
        if (topic->count == 0) {
            assert_true(offset_topic_release(shard, topic));
            topic = offset_topic_get(shard, group, STRVIEW("t"));
        }
        if (step % 1000 == 0 && topic->count > 0)
            shard_check(shard);
    }
    if (topic->count == 0)
        (void)offset_topic_release(shard, topic); /* holds nothing */
}

/* 8.8: 96 bytes an offset, in large topics and in many. */
static void
an_offset_is_small(void **state)
{
    static const struct {
        int groups, topics, partitions;
    } rows[] = {{1, 1, 100000}, {10, 10, 1000}, {1, 1000, 20}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        int64_t before = shard_counts(shard).bytes, count = 0, bytes;

        for (int g = 0; g < rows[i].groups; g++)
            for (int t = 0; t < rows[i].topics; t++)
                for (int p = 0; p < rows[i].partitions; p++, count++) {
                    char group[32], topic[32];
                    const OffsetValue value = {.offset = p, .expire_ms = -1};
                    Group *of;

                    (void)snprintf(group, sizeof group, "g%zu-%d", i, g);
                    (void)snprintf(topic, sizeof topic, "t%d", t);
                    of = shard_find_group(shard, strview_from(group));
                    if (of == NULL)
                        of = shard_add_group(shard, strview_from(group));
                    offsets_apply(shard, of, -1, strview_from(topic), p, &value);
                }
        bytes = (shard_counts(shard).bytes - before) / count;
        print_message("# %d groups, %d topics, %d partitions: %d bytes an offset\n", rows[i].groups,
                      rows[i].topics, rows[i].partitions, (int)bytes);
        assert_true(bytes <= 96);
    }
}

#define WITH_SHARD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SHARD(every_version_commits),
        WITH_SHARD(metadata_has_a_length),
        WITH_SHARD(a_generation_without_a_group),
        WITH_SHARD(what_does_not_exist_is_not_kept),
        WITH_SHARD(retention_of_old_versions),
        WITH_SHARD(retention_of_any_length),
        WITH_SHARD(nothing_new_when_memory_is_tight),
        WITH_SHARD(a_unit_too_large_changes_nothing),
        WITH_SHARD(everything_comes_in_order),
        WITH_SHARD(fetch_by_topic_id),
        WITH_SHARD(deleted_offsets_are_gone),
        WITH_SHARD(a_topic_made_again_has_no_offsets),
        WITH_SHARD(many_offsets_go_in_units),
        WITH_SHARD(offsets_grow_old),
        WITH_SHARD(pending_offsets_wait_for_their_marker),
        WITH_SHARD(transactions_on_one_partition),
        WITH_SHARD(deletes_reach_pending_offsets),
        WITH_SHARD(a_table_does_what_an_array_does),
        WITH_SHARD(an_offset_is_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
