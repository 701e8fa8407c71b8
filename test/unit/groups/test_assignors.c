/*
 * test_assignors.c - who gets which partition: everything is given once, evenly, and little moves
 *
 * Thousands of seeded cases: groups of chance grow and shrink, and each answer is the next question's present. Each is
 * computed in steps of random length.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "groups/assignor_int.h"
#include "ottla/common/random.h"

#define TOPICS  6
#define MEMBERS 12
#define PARTS   40
#define CASES   4000

/* Who has what: 0: nobody, else the member's name + 1. */
typedef struct World {
    int32_t partitions[TOPICS];
    int topics;
    int names[MEMBERS]; /* of the members, rising */
    int members;
    int32_t subscribed[MEMBERS][TOPICS];
    int32_t subscribed_count[MEMBERS];
    bool homogeneous;
    int owner[TOPICS][PARTS];
} World;

static int
below(RandomSeq *seq, int bound)
{
    return (int)random_seq_below(seq, (uint64_t)bound);
}

static void
subscribe(World *w, RandomSeq *seq)
{
    for (int m = 0; m < w->members; m++) {
        w->subscribed_count[m] = 0;
        for (int t = 0; t < w->topics; t++)
            if (w->homogeneous || below(seq, 3) > 0)
                w->subscribed[m][w->subscribed_count[m]++] = t;
    }
}

typedef int (*Assignor)(Assign *assign);

/* Asks, and puts the answer into the world; the number of partitions that moved although their owner stayed. */
static int
ask(World *w, RandomSeq *seq, Assignor assignor, Assign *ret, Arena *arena)
{
    AssignMember *members = arena_calloc(arena, MEMBERS, sizeof *members);
    int old[TOPICS][PARTS], moved = 0, more;

    memcpy(old, w->owner, sizeof old);
    for (int m = 0; m < w->members; m++) {
        AssignPart *current = arena_calloc(arena, TOPICS * PARTS, sizeof *current);
        int32_t count = 0;

        for (int t = 0; t < w->topics; t++)
            for (int p = 0; p < PARTS; p++)
                if (w->owner[t][p] == w->names[m] + 1)
                    current[count++] = (AssignPart){t, p};
        members[m] = (AssignMember){.topics = w->subscribed[m],
                                    .topic_count = w->subscribed_count[m],
                                    .current = current,
                                    .current_count = count};
    }
    *ret =
        (Assign){arena, w->partitions, w->topics, members, w->members, w->homogeneous, NULL, NULL};
    assert_int_equal(assignor(ret), 0);
    do {
        int64_t budget = 1 + below(seq, 50);

        more = assign_step(ret, &budget);
        assert_true(more >= 0);
    } while (more == 1);
    memset(w->owner, 0, sizeof w->owner);
    for (int m = 0; m < w->members; m++)
        for (int32_t i = 0; i < members[m].ret_count; i++) {
            AssignPart part = members[m].ret[i];
            bool is_subscribed = false;

            if (i > 0)
                assert_true(members[m].ret[i - 1].topic < part.topic ||
                            (members[m].ret[i - 1].topic == part.topic &&
                             members[m].ret[i - 1].partition < part.partition));
            for (int s = 0; s < w->subscribed_count[m]; s++)
                is_subscribed |= w->subscribed[m][s] == part.topic;
            assert_true(is_subscribed);
            assert_in_range(part.partition, 0, w->partitions[part.topic] - 1);
            assert_int_equal(w->owner[part.topic][part.partition], 0); /* given once */
            w->owner[part.topic][part.partition] = w->names[m] + 1;
            if (old[part.topic][part.partition] != 0 &&
                old[part.topic][part.partition] != w->names[m] + 1)
                for (int k = 0; k < w->members; k++)
                    moved += w->names[k] + 1 == old[part.topic][part.partition];
        }
    for (int t = 0; t < w->topics; t++) {
        int subscribers = 0;

        for (int m = 0; m < w->members; m++)
            for (int s = 0; s < w->subscribed_count[m]; s++)
                subscribers += w->subscribed[m][s] == t;
        for (int p = 0; p < w->partitions[t]; p++)
            assert_int_equal(w->owner[t][p] != 0, subscribers > 0); /* and each of them */
    }
    return moved;
}

static void
change(World *w, RandomSeq *seq)
{
    int what = below(seq, 4);

    if (what == 0 && w->members > 1) {
        int gone = below(seq, w->members);

        memmove(&w->names[gone], &w->names[gone + 1],
                sizeof w->names[0] * (size_t)(w->members - gone - 1));
        w->members--;
    } else if (what <= 2 && w->members < MEMBERS) {
        int name = below(seq, 1000), at = 0;

        while (at < w->members && w->names[at] < name)
            at++;
        if (at < w->members && w->names[at] == name)
            return;
        memmove(&w->names[at + 1], &w->names[at], sizeof w->names[0] * (size_t)(w->members - at));
        w->names[at] = name;
        w->members++;
    } else {
        int t = below(seq, w->topics);

        if (w->partitions[t] < PARTS)
            w->partitions[t] += 1 + below(seq, PARTS - w->partitions[t]);
    }
}

static void
begin(World *w, RandomSeq *seq, bool homogeneous)
{
    *w = (World){.topics = 1 + below(seq, TOPICS), .homogeneous = homogeneous};
    for (int t = 0; t < w->topics; t++)
        w->partitions[t] = below(seq, PARTS + 1);
    w->members = 1;
    w->names[0] = below(seq, 1000);
    subscribe(w, seq);
}

static void
uniform_is_even_and_only_surplus_moves(void **state)
{
    RandomSeq seq = {34};

    (void)state;
    for (int i = 0; i < CASES / 10; i++) {
        World w;

        begin(&w, &seq, true);
        for (int round = 0; round < 10; round++) {
            Arena *arena = arena_new(1 << 16, 0);
            int had[MEMBERS] = {0}, total = 0, surplus = 0, least, extra;
            Assign answer;
            int moved;

            for (int m = 0; m < w.members; m++)
                for (int t = 0; t < w.topics; t++)
                    for (int p = 0; p < PARTS; p++)
                        had[m] += w.owner[t][p] == w.names[m] + 1;
            moved = ask(&w, &seq, assign_uniform, &answer, arena);
            for (int t = 0; t < w.topics; t++)
                total += w.partitions[t];
            least = total / w.members;
            extra = total % w.members;
            for (int m = 0; m < w.members; m++) {
                int count = answer.members[m].ret_count;

                assert_in_range(count, least, least + (extra > 0));
                extra -= count > total / w.members;
                surplus += had[m] > count ? had[m] - count : 0;
            }
            assert_int_equal(moved, surplus);
            arena_free(arena);
            change(&w, &seq);
            subscribe(&w, &seq);
        }
    }
}

/* Nobody has two more than another one who might have one of these; what is balanced stays. */
static void
uniform_with_different_topics_is_fair(void **state)
{
    RandomSeq seq = {35};
    int unfair = 0;

    (void)state;
    for (int i = 0; i < CASES / 10; i++) {
        World w;

        begin(&w, &seq, false);
        for (int round = 0; round < 10; round++) {
            Arena *arena = arena_new(1 << 16, 0);
            Assign answer;

            (void)ask(&w, &seq, assign_uniform, &answer, arena); /* some must move */
            for (int m = 0; m < w.members; m++)
                for (int32_t k = 0; k < answer.members[m].ret_count; k++)
                    for (int o = 0; o < w.members; o++)
                        for (int s = 0; s < w.subscribed_count[o]; s++)
                            unfair += w.subscribed[o][s] == answer.members[m].ret[k].topic &&
                                      answer.members[m].ret_count > answer.members[o].ret_count + 1;
            assert_int_equal(ask(&w, &seq, assign_uniform, &answer, arena), 0);
            arena_free(arena);
            change(&w, &seq);
            subscribe(&w, &seq);
        }
    }
    assert_int_equal(unfair, 0);
}

static void
range_gives_each_topic_in_pieces(void **state)
{
    RandomSeq seq = {36};

    (void)state;
    for (int i = 0; i < CASES; i++) {
        Arena *arena = arena_new(1 << 16, 0);
        Assign answer;
        World w;

        begin(&w, &seq, below(&seq, 2) == 0);
        for (int k = 0; k < 8; k++)
            change(&w, &seq);
        subscribe(&w, &seq);
        (void)ask(&w, &seq, assign_range, &answer, arena); /* it is not sticky */
        for (int t = 0; t < w.topics; t++)
            for (int p = 1; p < w.partitions[t]; p++)
                for (int q = p - 1; q >= 0 && w.owner[t][p] != w.owner[t][p - 1]; q--)
                    assert_int_not_equal(w.owner[t][q], w.owner[t][p]); /* one piece each */
        arena_free(arena);
    }
}

/* As the reference server answers: an instance comes before members without one. */
static void
range_puts_instances_first(void **state)
{
    static const int32_t partitions[] = {5}, topics[] = {0};
    AssignMember members[3] = {{.topics = topics, .topic_count = 1},
                               {.instance_id = STRVIEW("z"), .topics = topics, .topic_count = 1},
                               {.instance_id = STRVIEW("y"), .topics = topics, .topic_count = 1}};
    Arena *arena = arena_new(1 << 12, 0);
    Assign assign = {arena, partitions, 1, members, 3, true, NULL, NULL};
    int64_t budget = 1000;

    (void)state;
    assert_int_equal(assign_range(&assign), 0);
    assert_int_equal(assign_step(&assign, &budget), 0);
    assert_int_equal(members[2].ret_count, 2);
    assert_int_equal(members[2].ret[0].partition, 0);
    assert_int_equal(members[1].ret[0].partition, 2);
    assert_int_equal(members[0].ret_count, 1);
    assert_int_equal(members[0].ret[0].partition, 4);
    arena_free(arena);
}

/* Ten partitions, three members, one leaves and returns. */
static void
s34_four_three_three(void **state)
{
    Arena *arena = arena_new(1 << 16, 0);
    World w = {
        .partitions = {10}, .topics = 1, .names = {1, 2, 3}, .members = 3, .homogeneous = true};
    RandomSeq seq = {1};
    Assign answer;

    (void)state;
    subscribe(&w, &seq);
    assert_int_equal(ask(&w, &seq, assign_uniform, &answer, arena), 0);
    assert_int_equal(answer.members[0].ret_count, 3);
    assert_int_equal(answer.members[1].ret_count, 3);
    assert_int_equal(answer.members[2].ret_count, 4); /* the extra one goes to who comes last */
    w.members = 2;
    assert_int_equal(ask(&w, &seq, assign_uniform, &answer, arena), 0);
    w.members = 3;
    assert_int_equal(ask(&w, &seq, assign_uniform, &answer, arena), 3);
    assert_int_equal(answer.members[2].ret_count, 3);
    arena_free(arena);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_is_even_and_only_surplus_moves),
        cmocka_unit_test(uniform_with_different_topics_is_fair),
        cmocka_unit_test(range_gives_each_topic_in_pieces),
        cmocka_unit_test(range_puts_instances_first),
        cmocka_unit_test(s34_four_three_three),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
