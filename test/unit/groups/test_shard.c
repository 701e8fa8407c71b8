/*
 * test_shard.c - a shard finds its groups, reads its log again, and deletes, describes and lists groups
 *
 * What the kinds of groups decide is tested in test_classic*.c and test_consumer*.c, offsets in test_offsets.c.
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
    (void)kit_add_topic(&kit, "a", 10);
    shard = shard_new(0, &kit.memory, 1);
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

/* ---- replay ------------------------------------------------------------------------------------------- */

static int
replay_bytes(const void *key, size_t key_len, const void *value, size_t value_len)
{
    const ReplayRecord record = {
        .key = {key, (int32_t)key_len},
        .value = {value, (int32_t)value_len},
        .producer_id = -1,
    };
    ErrInfo err = {0};

    return shard_replay(shard, &record, &err);
}

/* Share and streams groups, and what a newer version may write: left alone, not lost, no fault. */
static void
types_not_built_are_skipped(void **state)
{
    static const int16_t types[] = {9,  10, 11, 12, 13, 14, 15, 17, 18,
                                    19, 20, 21, 22, 23, 24, 99, -1, INT16_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const uint8_t key[] = {(uint8_t)((uint16_t)types[i] >> 8), (uint8_t)types[i], 0xff, 0xff};

        assert_int_equal(replay_bytes(key, sizeof key, "xyz", 3), 0);
        assert_int_equal(replay_bytes(key, sizeof key, NULL, 0), 0);
        assert_int_equal(replay_bytes(key, 2, "", 0), 0);
    }
    assert_int_equal(shard_counts(shard).groups, 0);
}

static void
known_types_must_be_readable(void **state)
{
    static const int16_t types[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 16};

    (void)state;
    assert_int_equal(replay_bytes(NULL, 0, NULL, 0), OT_E_CORRUPT);
    assert_int_equal(replay_bytes("", 0, NULL, 0), OT_E_CORRUPT);
    assert_int_equal(replay_bytes("\0", 1, NULL, 0), OT_E_CORRUPT);
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        /* group "g", then whatever: a topic "t" or a member or an expression, a partition */
        uint8_t key[] = {0, (uint8_t)types[i], 0, 1, 'g', 0, 1, 't', 0, 0, 0, 1};

        assert_int_equal(replay_bytes(key, 2, NULL, 0), OT_E_CORRUPT);
        assert_int_equal(replay_bytes(key, 4, "\0\0", 2), OT_E_CORRUPT);
        assert_int_equal(replay_bytes(key, sizeof key, "", 0), OT_E_CORRUPT);
        assert_int_equal(replay_bytes(key, sizeof key, "\0", 1), OT_E_CORRUPT);
        assert_int_equal(replay_bytes(key, sizeof key, "\0\x63", 2), OT_E_CORRUPT);
        if (types[i] != 3 && types[i] != 4) /* whose value is short; says nothing any more */
            assert_int_equal(replay_bytes(key, sizeof key, "\0\0\0\0", 4), OT_E_CORRUPT);
        assert_int_equal(replay_bytes(key, sizeof key, NULL, 0), 0);
        shard_check(shard);
    }
}

static void
every_version_of_an_offset_is_read(void **state)
{
    (void)state;
    for (int16_t version = -1; version <= 4; version++) {
        int16_t type = version < 0 ? 0 : 1; /* the old type, too */
        const OffsetCommitKey key = {STRVIEW("g"), STRVIEW("a"), version};
        OffsetCommitValue value;
        OffsetFetchResponseGroupPartition p;
        uint8_t *bytes;

        offset_commit_value_init(&value);
        value.offset = 10 + version;
        value.metadata = STRVIEW("m");
        value.commit_timestamp = 1;
        if (version >= 3)
            value.leader_epoch = 5;
        group_record(kit_env(&kit)->out, &offset_commit_key_desc, &key, &offset_commit_value_desc,
                     version < 0 ? 0 : version, &value);
        assert_false(kit.out.failed);
        bytes = arena_alloc(kit.arena, (size_t)kit.out.records->key.len);
        memcpy(bytes, kit.out.records->key.ptr, (size_t)kit.out.records->key.len);
        bytes[1] = (uint8_t)type;
        assert_int_equal(replay_bytes(bytes, (size_t)kit.out.records->key.len,
                                      kit.out.records->value.ptr,
                                      (size_t)kit.out.records->value.len),
                         0);
        p = fetch_one_offset(&kit, shard, "g", "a", version, false);
        assert_int_equal(p.committed_offset, 10 + version);
        assert_int_equal(p.committed_leader_epoch, version >= 3 ? 5 : -1);
        assert_true(strview_equal(p.metadata, STRVIEW("m")));
    }
}

/* What a transaction left is held back while loading, and the marker decides (scenario 47). */
static void
replay_holds_transactions_back(void **state)
{
    (void)state;
    commit_pending(&kit, shard, 4, "g", "a", 0, 7);
    commit_pending(&kit, shard, 5, "g", "a", 1, 8);
    shard_end_transaction(shard, 5, true);
    shard_loaded(shard, kit_env(&kit));
    assert_int_equal(kit_take(&kit), 0);
    assert_int_equal(fetch_one_offset(&kit, shard, "g", "a", 0, true).error_code,
                     KERR_UNSTABLE_OFFSET_COMMIT);
    assert_int_equal(offset_of(&kit, shard, "g", "a", 0), -1);
    assert_int_equal(offset_of(&kit, shard, "g", "a", 1), 8);
    shard_end_transaction(shard, 4, false);
    assert_int_equal(fetch_one_offset(&kit, shard, "g", "a", 0, true).error_code, 0);
}

/* ---- describe, delete, list --------------------------------------------------------------------------- */

static void
unknown_groups_are_dead(void **state)
{
    DescribeGroupsResponseGroup classic;
    ConsumerGroupDescribeResponseGroup consumer;

    (void)state;
    for (int16_t version = 0; version <= 6; version++) {
        shard_describe_classic(shard, kit_env(&kit), version, STRVIEW("none"), &classic);
        assert_true(strview_equal(classic.group_state, STRVIEW("Dead")));
        assert_int_equal(classic.error_code, version < 6 ? 0 : KERR_GROUP_ID_NOT_FOUND);
        assert_int_equal(classic.error_message.ptr == NULL, version < 6);
    }
    shard_describe_consumer(shard, kit_env(&kit), STRVIEW("none"), &consumer);
    assert_int_equal(consumer.error_code, KERR_GROUP_ID_NOT_FOUND);
    assert_non_null(consumer.error_message.ptr);
    assert_int_equal(consumer.group_state.len, 0);
    shard_describe_consumer(shard, kit_env(&kit), STRVIEW(""), &consumer);
    assert_int_equal(consumer.error_code, KERR_INVALID_GROUP_ID);
    assert_null(consumer.error_message.ptr);
    assert_int_equal(shard_delete_group(shard, kit_env(&kit), STRVIEW("none")),
                     KERR_GROUP_ID_NOT_FOUND);
}

static void
a_group_of_offsets_is_empty_and_can_go(void **state)
{
    DescribeGroupsResponseGroup ret;

    (void)state;
    commit_plain(&kit, shard, "", "a", 0, 1); /* "" is an id like others */
    commit_plain(&kit, shard, "", "a", 1, 1);
    shard_describe_classic(shard, kit_env(&kit), 6, STRVIEW(""), &ret);
    assert_int_equal(ret.error_code, 0);
    assert_true(strview_equal(ret.group_state, STRVIEW("Empty")));
    assert_int_equal(ret.protocol_type.len, 0);
    assert_int_equal(shard_delete_group(shard, kit_env(&kit), STRVIEW("")), 0);
    assert_int_equal(kit_take(&kit), 2);
    assert_int_equal(shard_counts(shard).groups, 0);
    assert_int_equal(shard_counts(shard).offsets, 0);
    unload(&kit, shard);
    shard = load_again(&kit);
    assert_int_equal(shard_counts(shard).groups, 0);
    assert_int_equal(fetch_everything(&kit, shard, "").topics_count, 0);
}

typedef struct Listed {
    char text[200];
    int left;
} Listed;

static bool
add_listed(void *ctx, const GroupListing *one)
{
    Listed *listed = ctx;
    size_t len = strlen(listed->text);

    assert_true(one->bytes > 0 && one->bytes < 10000);
    (void)snprintf(listed->text + len, sizeof listed->text - len, "%.*s %s %s;", one->group_id.len,
                   one->group_id.ptr, one->state, one->type);
    return --listed->left > 0;
}

static void
groups_are_listed(void **state)
{
    Listed all = {.left = 10}, one = {.left = 1};
    ShardCounts counts;

    (void)state;
    commit_plain(&kit, shard, "x", "a", 0, 1);
    commit_plain(&kit, shard, "b", "a", 0, 1);
    commit_plain(&kit, shard, "b", "a", 1, 1);
    shard_list(shard, kit_env(&kit), add_listed, &all);
    assert_string_equal(all.text, "x Empty classic;b Empty classic;");
    shard_list(shard, kit_env(&kit), add_listed, &one);
    assert_string_equal(one.text, "x Empty classic;");
    counts = shard_counts(shard);
    assert_int_equal(counts.groups, 2);
    assert_int_equal(counts.offsets, 3);
    assert_int_equal(counts.members, 0);
    assert_true(counts.bytes > 0 && (size_t)counts.bytes < kit.memory.used);
}

#define WITH_SHARD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SHARD(types_not_built_are_skipped),
        WITH_SHARD(known_types_must_be_readable),
        WITH_SHARD(every_version_of_an_offset_is_read),
        WITH_SHARD(replay_holds_transactions_back),
        WITH_SHARD(unknown_groups_are_dead),
        WITH_SHARD(a_group_of_offsets_is_empty_and_can_go),
        WITH_SHARD(groups_are_listed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
