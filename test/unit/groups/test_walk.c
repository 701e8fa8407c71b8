/*
 * test_walk.c - groups and their offsets, page by page, while groups come and go
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "groups/consumer_kit.h"
#include "groups/offsets_kit.h"
#include "ottla/groups/walk.h"

static GroupKit kit;
static GroupShard *shard;
static Arena *arena;

static int
setup(void **state)
{
    (void)state;
    kit_init(&kit, 5);
    (void)kit_add_topic(&kit, "a", 3000);
    (void)kit_add_topic(&kit, "b", 10);
    shard = shard_new(0, &kit.memory, 1);
    shard_loaded(shard, kit_env(&kit));
    arena = arena_new(65536, 0);
    return 0;
}

static int
teardown(void **state)
{
    (void)state;
    arena_free(arena);
    unload(&kit, shard);
    kit_fini(&kit);
    return 0;
}

/* The next page, from *place on, which is moved. False: it was the last. Asserts the bounds. */
static bool
next_page(GroupWalkRequestPlace *place, bool offsets, GroupWalkResponse *out)
{
    GroupWalk walk;
    int32_t count = 0;
    bool over;

    group_walk_response_init(out);
    group_walk_begin(&walk, arena, offsets, out);
    over = shard_walk(shard, kit_env(&kit), &walk, place);
    assert_int_equal(kit.out.record_count, 0);
    assert_false(walk.failed);
    for (int32_t g = 0; g < out->groups_count; g++)
        for (int32_t t = 0; t < out->groups[g].topics_count; t++)
            count += out->groups[g].topics[t].partitions_count;
    assert_true(count <= WALK_PAGE_OFFSETS && out->groups_count <= WALK_PAGE_GROUPS);
    assert_int_equal(count, walk.offset_count);
    place->group_serial = out->next.group_serial;
    place->group_id.len = out->next.group_id.len;
    place->group_id.ptr = arena_strdup(arena, out->next.group_id);
    place->topic.len = out->next.topic.len;
    place->topic.ptr = arena_strdup(arena, out->next.topic);
    place->partition = out->next.partition;
    return !over;
}

static void
commit_many(const char *group, const char *topic, int32_t count)
{
    for (int32_t p = count - 1; p >= 0; p--)
        commit_plain(&kit, shard, group, topic, p, 100 + p);
}

/* A page ends within a topic, and the next goes on there: every partition once, in order. */
static void
within_a_group(void **state)
{
    GroupWalkRequestPlace place;
    GroupWalkResponse page;
    int32_t next_a = 0, next_b = 0, pages = 0;
    bool more = true;

    (void)state;
    commit_many("g", "b", 10);
    commit_many("g", "a", 2500);
    group_walk_request_place_init(&place);
    while (more) {
        more = next_page(&place, true, &page);
        assert_int_equal(page.groups_count, 1);
        assert_int_equal(page.groups[0].continued, pages > 0);
        assert_int_equal(page.groups[0].offset_count, 2510);
        assert_int_equal(page.groups[0].topic_count, 2);
        for (int32_t t = 0; t < page.groups[0].topics_count; t++) {
            const GroupWalkResponseTopic *topic = &page.groups[0].topics[t];
            int32_t *next = strview_equal(topic->name, STRVIEW("a")) ? &next_a : &next_b;

            for (int32_t p = 0; p < topic->partitions_count; p++, (*next)++) {
                assert_int_equal(topic->partitions[p].partition, *next);
                assert_int_equal(topic->partitions[p].committed, 100 + *next);
                assert_int_equal(topic->partitions[p].owner, -1);
            }
        }
        pages++;
    }
    assert_int_equal(next_a, 2500);
    assert_int_equal(next_b, 10);
    assert_int_equal(pages, 3);
}

/* Without offsets a page has as many groups as fit; with them, as many as their offsets allow. */
static void
bounds(void **state)
{
    GroupWalkRequestPlace place;
    GroupWalkResponse page;
    char name[32];

    (void)state;
    for (int i = 0; i < 1200; i++) {
        snprintf(name, sizeof name, "g-%d", i);
        commit_many(name, "b", 2);
    }
    group_walk_request_place_init(&place);
    assert_true(next_page(&place, false, &page));
    assert_int_equal(page.groups_count, WALK_PAGE_GROUPS);
    assert_int_equal(page.groups[0].topics_count, 0);
    assert_false(next_page(&place, false, &page));
    assert_int_equal(page.groups_count, 200);
    group_walk_request_place_init(&place);
    assert_true(next_page(&place, true, &page));
    assert_int_equal(page.groups_count, 500);
    assert_true(next_page(&place, true, &page));
    assert_true(strview_equal(page.groups[0].group_id, STRVIEW("g-500")));
}

/* Long names: the page ends by its bytes. */
static void
long_names(void **state)
{
    static char name[30000];
    GroupWalkRequestPlace place;
    GroupWalkResponse page;

    (void)state;
    memset(name, 'n', sizeof name - 1);
    for (int i = 0; i < 100; i++) {
        snprintf(name + sizeof name - 10, 10, "%d", i);
        commit_many(name, "b", 1);
    }
    group_walk_request_place_init(&place);
    assert_true(next_page(&place, true, &page));
    assert_in_range(page.groups_count, WALK_PAGE_BYTES / 30000, WALK_PAGE_BYTES / 30000 + 2);
}

/* Groups go and come between the pages: who stays is met once. */
static void
while_they_change(void **state)
{
    int32_t seen[300] = {0};
    bool moved[300] = {false};
    GroupWalkRequestPlace place;
    GroupWalkResponse page;
    bool more = true;
    char name[32];
    int32_t round = 0;

    (void)state;
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "g-%d", i);
        commit_many(name, "b", 10);
    }
    group_walk_request_place_init(&place);
    while (more) {
        int at;

        more = next_page(&place, true, &page);
        for (int32_t g = 0; g < page.groups_count; g++) {
            snprintf(name, sizeof name, "%.*s", (int)page.groups[g].group_id.len,
                     page.groups[g].group_id.ptr);
            if (sscanf(name, "g-%d", &at) == 1)
                seen[at] += !page.groups[g].continued;
        }
        /* the group that would be next goes, and comes back at the end */
        if (more && sscanf(place.group_id.ptr, "g-%d", &at) == 1) {
            snprintf(name, sizeof name, "g-%d", at);
            assert_int_equal(shard_delete_group(shard, kit_env(&kit), strview_from(name)), 0);
            (void)kit_take(&kit);
            commit_many(name, "b", 10);
            moved[at] = true;
        }
        snprintf(name, sizeof name, "new-%d", round++);
        if (round < 5)
            commit_many(name, "b", 1);
    }
    for (int i = 0; i < 300; i++)
        assert_true(moved[i] ? seen[i] >= 1 : seen[i] == 1);
}

static void
one_alone(void **state)
{
    GroupWalkRequestPlace place;
    GroupWalkResponse page;
    GroupWalk walk;

    (void)state;
    commit_many("g", "b", 2);
    commit_many("other", "b", 3);
    group_walk_request_place_init(&place);
    place.group_id = STRVIEW("other");
    group_walk_response_init(&page);
    group_walk_begin(&walk, arena, true, &page);
    assert_true(shard_walk_group(shard, kit_env(&kit), &walk, &place));
    assert_int_equal(page.groups_count, 1);
    assert_int_equal(page.groups[0].offset_count, 3);
    assert_true(page.groups[0].is_simple);
    place.group_id = STRVIEW("none");
    group_walk_response_init(&page);
    group_walk_begin(&walk, arena, true, &page);
    assert_true(shard_walk_group(shard, kit_env(&kit), &walk, &place));
    assert_int_equal(page.groups_count, 0);
}

/* Members of a consumer group stand beside the partitions they have. */
static void
owners_of_a_consumer_group(void **state)
{
    GroupWalkRequestPlace place;
    GroupWalkResponse page;
    ConsumerKit ck;
    GroupWalk walk;

    (void)state;
    consumer_kit_init(&ck, 1);
    (void)kit_add_topic(&ck.kit, "a", 2);
    ck_tell_metadata(&ck);
    (void)ck_say(&ck, "g", "m-1", 0, (Say){.names = "a", .join = true});
    commit_plain(&ck.kit, ck.shard, "h", "a", 0, 7);
    assert_int_equal(commit_one(&ck.kit, ck.shard,
                                &(OneCommit){.group = "g",
                                             .topic = "a",
                                             .partition = 1,
                                             .offset = 5,
                                             .member = "m-1",
                                             .from_member = true,
                                             .generation = ck_member(&ck, "g", "m-1")->epoch}),
                     0);
    group_walk_request_place_init(&place);
    group_walk_response_init(&page);
    group_walk_begin(&walk, arena, true, &page);
    assert_true(shard_walk(ck.shard, kit_env(&ck.kit), &walk, &place));
    assert_int_equal(page.groups_count, 2);
    assert_true(strview_equal(page.groups[0].type, STRVIEW("consumer")));
    assert_true(strview_equal(page.groups[0].state, STRVIEW("Stable")));
    assert_int_equal(page.groups[0].owners_count, 1);
    assert_true(strview_equal(page.groups[0].owners[0].member_id, STRVIEW("m-1")));
    assert_int_equal(page.groups[0].topics[0].partitions[0].owner, 0);
    assert_int_equal(page.groups[1].topics[0].partitions[0].owner, -1);
    consumer_kit_fini(&ck);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(within_a_group, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(long_names, setup, teardown),
        cmocka_unit_test_setup_teardown(while_they_change, setup, teardown),
        cmocka_unit_test_setup_teardown(one_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(owners_of_a_consumer_group, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
