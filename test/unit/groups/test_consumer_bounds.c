/*
 * test_consumer_bounds.c - what a consumer group may not do because its log or its memory could not hold it
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "consumer_case.h"

#include <stdio.h>
#include <stdlib.h>

/* A list of names, each of so many characters. */
static const char *
many_names(ConsumerKit *ck, int32_t count, int32_t len)
{
    char *text = arena_alloc(ck->kit.replies_arena, (size_t)count * (size_t)(len + 1) + 1);

    assert_non_null(text);
    for (int32_t i = 0; i < count; i++)
        (void)snprintf(text + i * (len + 1), (size_t)len + 2, "%0*d,", (int)len, (int)i);
    text[count * (len + 1) - 1] = '\0';
    return text;
}

/* The log is the bound: what fits in no batch is refused, and nothing has changed. */
static void
what_fits_in_no_batch_is_refused(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a2");
    const char *before;

    (void)state;
    ck->kit.settings.max_batch_bytes = 4000;
    JOIN("2 a:0,1", "m", .names = "a");
    before = ck_group(ck, G);
    BEAT("E-1", "m", 2, .names = many_names(ck, 500, 10));
    assert_string_equal(ck_group(ck, G), before);
    assert_string_equal(
        ck_beat(ck, "new", "n", 0, (Say){.join = true, .names = many_names(ck, 500, 10)}), "E-1");
    assert_null(shard_find_group(ck->shard, STRVIEW("new")));
    BEAT("E-1", "m", 2, .rack = many_names(ck, 1, 4000));
    BEAT("2 -", "m", 2, .names = many_names(ck, 100, 10)); /* and a batch holds so many */
    ck_end(ck);
}

/* All together are too much for a batch, each for itself is not: units are spread. */
static void
a_crowd_may_be_assigned_anew(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a9");

    (void)state;
    for (int i = 0; i < 9; i++)
        (void)ck_beat(ck, G, many_names(ck, 1, 100 + i), 0, (Say){.join = true, .names = "a"});
    ck->kit.settings.max_batch_bytes = 700;
    kit_add_topic(&ck->kit, "b", 9);
    (void)ck_beat(ck, G, "m", 0, (Say){.join = true, .names = "b"});
    ck_wait(ck, 100000); /* all sessions end */
    assert_string_equal(ck_state(ck, G), "Empty");
    ck_end(ck);
}

/* A target of which a member's part fits in no record is not taken; the old one stays. */
static void
a_target_that_fits_in_no_record_is_not_taken(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a2");

    (void)state;
    JOIN("2 a:0,1", "m", .names = "a");
    ck->kit.settings.max_batch_bytes = 2000;
    kit_add_topic(&ck->kit, "b", 500);
    BEAT("2", "m", 2, .names = "a,b");
    assert_string_equal(ck_state(ck, G), "Assigning");
    ck->kit.settings.max_batch_bytes = 1048588;
    ck_wait(ck, 1);
    assert_non_null(strstr(ck_beat(ck, G, "m", 2, (Say){.owns = NULL}), "b:0"));
    ck_end(ck);
}

/* What an expression means must fit in a record, too; until then it means what it did. */
static void
an_expression_may_mean_too_much(void **state)
{
    ConsumerKit *ck = ck_begin(G, "");

    (void)state;
    kit_add_topic(&ck->kit, "t-1", 1);
    JOIN("1 -", "m", .regex = "t.*");
    ck_wait(ck, 1);
    BEAT("2 t-1:0", "m", 1, .owns = NULL);
    ck->kit.settings.max_batch_bytes = 400;
    for (int i = 0; i < 20; i++)
        kit_add_topic(&ck->kit, arena_printf(ck->kit.replies_arena, "t-many-%02d", i), 1);
    ck_tell_metadata(ck);
    ck_wait(ck, 10000);
    BEAT("2", "m", 2, .owns = NULL);
    ck_wait(ck, 1);
    BEAT("2", "m", 2, .owns = NULL);
    ck->kit.settings.max_batch_bytes = 1048588;
    kit_add_topic(&ck->kit, "another", 1);
    ck_tell_metadata(ck);
    ck_wait(ck, 10000);
    BEAT("2", "m", 2, .owns = NULL);
    ck_wait(ck, 1);
    assert_non_null(strstr(ck_group(ck, G), "t-many-19"));
    assert_non_null(strstr(ck_beat(ck, G, "m", 2, (Say){.owns = NULL}), "t-many-19:0"));
    ck_end(ck);
}

/* Who is there may not grow either, but stay and shrink. */
static void
a_tight_shard_takes_no_larger_subscriptions(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a2");

    (void)state;
    JOIN("2 a:0,1", "m", .names = "a");
    ck->kit.memory.limit = 1;
    BEAT("E15", "m", 2, .names = "a,b");
    BEAT("E15", "m", 2, .regex = "c.*");
    BEAT("2", "m", 2, .names = "a");
    BEAT("3 -", "m", 2, .names = "", .owns = "");
    ck->kit.memory.limit = SIZE_MAX;
    ck_end(ck);
}

static void
a_group_names_only_so_many_topics(void **state)
{
    ConsumerKit *ck = ck_begin(G, "a2");

    (void)state;
    ck->kit.settings.max_batch_bytes = INT32_MAX;
    ck->kit.settings.max_member_metadata_bytes = INT32_MAX;
    JOIN("1 -", "m", .names = many_names(ck, CONSUMER_NAMES_MAX, 6));
    JOIN("E42", "n", .names = "a");
    JOIN("1 -", "n", .names = "000000");
    ck_end(ck);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_in_no_batch_is_refused),
        cmocka_unit_test(a_crowd_may_be_assigned_anew),
        cmocka_unit_test(a_target_that_fits_in_no_record_is_not_taken),
        cmocka_unit_test(an_expression_may_mean_too_much),
        cmocka_unit_test(a_tight_shard_takes_no_larger_subscriptions),
        cmocka_unit_test(a_group_names_only_so_many_topics),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
