/*
 * test_consumer_slices.c - the target of a large group comes in slices, and others are served in between
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer_kit.h"

#include "groups/classic_int.h"

#include <stdio.h>
#include <string.h>

static ConsumerKit ck;

static int
begin(void **state)
{
    (void)state;
    consumer_kit_init(&ck, 8);
    ck.kit.settings.consumer_assignment_interval_ms = 0;
    ck.kit.settings.slice_steps = 1;
    return 0;
}

static int
end(void **state)
{
    (void)state;
    consumer_kit_fini(&ck);
    return 0;
}

static const char *
state_of(const char *group)
{
    return consumer_state_text(shard_find_group(ck.shard, strview_from(group)));
}

/* The slices of one group that are still to come, one after the other; how many. */
static int
all_slices(const char *group)
{
    const ConsumerGroup *c = shard_find_group(ck.shard, strview_from(group))->consumer;
    int count = 0;

    for (; timer_is_set(&c->job_timer); count++) {
        assert_in_range(count, 0, 10000);
        ck_wait(&ck, 1);
    }
    return count;
}

static void
the_old_target_counts_until_the_new_one_is_there(void **state)
{
    (void)state;
    kit_add_topic(&ck.kit, "a", 6);
    assert_string_equal(ck_beat(&ck, "g", "m1", 0, (Say){.names = "a", .join = true}), "1 -");
    assert_string_equal(state_of("g"), "Assigning");
    assert_string_equal(ck_beat(&ck, "g", "m1", 1, (Say){.owns = ""}), "1");
    ck_compare(&ck); /* what is stored so far is the group, too */
    assert_true(all_slices("g") > 5);
    assert_string_equal(state_of("g"), "Reconciling");
    assert_string_equal(ck_beat(&ck, "g", "m1", 1, (Say){.owns = ""}), "2 a:0,1,2,3,4,5");
    assert_string_equal(ck_beat(&ck, "g", "m2", 0, (Say){.names = "a", .join = true}), "2 -");
    assert_string_equal(ck_beat(&ck, "g", "m1", 2, (Say){.owns = "a:0,1,2,3,4,5"}), "2");
    (void)all_slices("g");
    assert_string_equal(ck_beat(&ck, "g", "m1", 2, (Say){.owns = "a:0,1,2,3,4,5"}), "2 a:0,1,2");
    assert_string_equal(ck_beat(&ck, "g", "m1", 2, (Say){.owns = "a:0,1,2"}), "3");
    assert_string_equal(ck_beat(&ck, "g", "m2", 2, (Say){.owns = ""}), "3 a:3,4,5");
    assert_string_equal(state_of("g"), "Stable");
    ck_reload(&ck);
}

/* While a target is on its way members come, go, and come back under another id. */
static void
members_change_meanwhile(void **state)
{
    static const char *const names[] = {"m1", "m2", "m3"};
    Say say = {.names = "a", .join = true};
    char holder[16] = "m3"; /* of the instance */
    int slices;

    (void)state;
    kit_add_topic(&ck.kit, "a", 6);
    for (int i = 0; i < 3; i++) {
        say.instance = i == 2 ? "i" : NULL;
        (void)ck_say(&ck, "g", names[i], 0, say);
    }
    slices = all_slices("g");
    /* The fourth comes; at each place where its target can be, one goes and a static one is replaced. */
    for (int at = 0; at <= slices; at++) {
        const ConsumerGroup *c = shard_find_group(ck.shard, STRVIEW("g"))->consumer;
        char id[2][16];

        (void)snprintf(id[0], sizeof id[0], "x%d", at); /* both fit */
        (void)snprintf(id[1], sizeof id[1], "y%d", at);
        (void)ck_say(&ck, "g", id[0], 0, (Say){.names = "a", .join = true});
        ck_wait(&ck, at);
        (void)ck_say(&ck, "g", "m2", -1, (Say){0});
        (void)ck_say(&ck, "g", holder, -2, (Say){.instance = "i"});
        (void)ck_say(&ck, "g", id[1], 0, (Say){.names = "a", .join = true, .instance = "i"});
        memcpy(holder, id[1], sizeof holder);
        ck_compare(&ck);
        (void)all_slices("g");
        (void)ck_say(&ck, "g", "m2", 0, (Say){.names = "a", .join = true});
        (void)ck_say(&ck, "g", id[0], -1, (Say){0});
        (void)all_slices("g");
        (void)ck_say(&ck, "g", "m2", 0, (Say){.names = "a", .join = true});
        (void)all_slices("g");
        assert_int_equal(c->epoch, c->target_epoch);
        for (const ConsumerMember *m = c->first; m != NULL; m = m->next)
            assert_int_equal(m->target.count, 2);
    }
    ck_reload(&ck);
}

static size_t
largest_unit(size_t from)
{
    size_t largest = 0, bytes = 0;

    for (size_t i = from; i < ck.kit.log_count; i++) {
        const KitRecord *r = &ck.kit.log[i];

        if (i == from || r->unit != ck.kit.log[i - 1].unit)
            bytes = 0;
        bytes += (size_t)r->key_len + (r->value_len < 0 ? 0 : (size_t)r->value_len);
        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

/* Slices or not, a target with more than a batch has room for is written as several units. */
static void
units_fit_in_batches(void **state)
{
    size_t from;
    char id[8];

    (void)state;
    for (int i = 0; i < 12; i++)
        kit_add_topic(&ck.kit, (char[]){(char)('a' + i), '\0'}, 20);
    ck.kit.settings.slice_steps = GROUP_SLICE_STEPS;
    ck.kit.settings.max_batch_bytes = 4000;
    ck.kit.settings.consumer_assignment_interval_ms = 15000;
    for (int i = 0; i < 20; i++) {
        (void)snprintf(id, sizeof id, "m%02d", i); /* fits */
        (void)ck_say(&ck, "g", id, 0,
                     (Say){.names = "a,b,c,d,e,f,g,h,i,j,k,l", .join = true, .assignor = "range"});
    }
    ck.kit.settings.consumer_assignment_interval_ms = 0;
    from = ck.kit.log_count;
    (void)ck_say(&ck, "g", "m00", 2, (Say){.owns = ""});
    assert_string_equal(state_of("g"), "Assigning");
    assert_in_range(all_slices("g"), 3, 30);
    assert_string_equal(state_of("g"), "Reconciling");
    assert_in_range(largest_unit(from), 1000, 2000);
    ck_reload(&ck);
}

/* Which partitions of the first topic somebody has; no two have the same. */
static uint64_t
assigned_bits(const Group *group)
{
    uint64_t bits = 0;

    for (const ClassicMember *m = group->classic->first; m != NULL; m = m->next) {
        ConsumerProtocolAssignment assignment;

        assert_int_equal(protocol_read_assignment(m->assignment, ck.kit.replies_arena, &assignment),
                         0);
        for (int32_t t = 0; t < assignment.assigned_partitions_count; t++) {
            const ConsumerProtocolAssignmentTopicPartition *one =
                &assignment.assigned_partitions[t];

            for (int32_t i = 0; i < one->partitions_count && one->topic.ptr[0] == 'a'; i++) {
                assert_int_equal(bits >> one->partitions[i] & 1, 0);
                bits |= UINT64_C(1) << one->partitions[i];
            }
        }
    }
    return bits;
}

/* A downgrade gives members their targets: never half of an old one and half of a new one. */
static void
a_group_converts_in_the_midst(void **state)
{
    uint64_t seen = 0; /* partitions that somebody was given */

    (void)state;
    kit_add_topic(&ck.kit, "a", 6);
    for (int at = 0; at < 40; at++) {
        GroupCaller caller = kit_caller(&ck.kit, 5);
        JoinGroupRequestProtocol protocol = {.name = STRVIEW("range")};
        JoinGroupRequest r;
        const Group *g;
        char group[8];

        (void)snprintf(group, sizeof group, "g%d", at); /* fits */
        (void)ck_say(&ck, group, "m", 0, (Say){.names = "a", .join = true, .assignor = "range"});
        for (int i = 0; i < 2; i++) {
            join_group_request_init(&r);
            r.group_id = strview_from(group);
            r.member_id = i == 0 ? STRVIEW("c0") : STRVIEW("c1");
            r.session_timeout_ms = r.rebalance_timeout_ms = 10000;
            r.protocol_type = CONSUMER_PROTOCOL_TYPE;
            protocol.metadata = kit_subscription(&ck.kit, "a", NULL);
            r.protocols = &protocol;
            r.protocols_count = 1;
            caller = kit_caller(&ck.kit, 5);
            shard_join_group(ck.shard, kit_env(&ck.kit), &caller, &r);
            (void)kit_take(&ck.kit);
            (void)all_slices(group);
        }
        (void)all_slices(group);
        /* Its coming shifts the ranges of all others; then both consumers go. */
        (void)ck_say(&ck, group, "a", 0, (Say){.names = "a", .join = true});
        ck_wait(&ck, at);
        (void)ck_say(&ck, group, "m", -1, (Say){0});
        (void)ck_say(&ck, group, "a", -1, (Say){0});
        g = shard_find_group(ck.shard, strview_from(group));
        assert_non_null(g->classic);
        assert_int_equal(classic_member_count(g), 2);
        seen |= assigned_bits(g);
        shard_check(ck.shard);
    }
    assert_int_equal(seen, 0x1f); /* old ones and new ones */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_old_target_counts_until_the_new_one_is_there, begin,
                                        end),
        cmocka_unit_test_setup_teardown(members_change_meanwhile, begin, end),
        cmocka_unit_test_setup_teardown(units_fit_in_batches, begin, end),
        cmocka_unit_test_setup_teardown(a_group_converts_in_the_midst, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
