/*
 * test_users.c - SCRAM credentials: what AlterUserScramCredentials decides, what the image holds
 *
 * The codes are those of the recordings in ../shared/conformance (cluster, secure_users).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/decide_kit.h"

#include "ottla/controller/image_users.h"

typedef AlterUserScramCredentialsRequestScramCredentialUpsertion Upsertion;
typedef AlterUserScramCredentialsRequestScramCredentialDeletion Deletion;

static const uint8_t salted[64] = {7};

static Upsertion
upsert(const char *user, int8_t mechanism, int32_t iterations)
{
    return (Upsertion){.name = strview_from(user),
                       .mechanism = mechanism,
                       .iterations = iterations,
                       .salt = {(const uint8_t *)"salt", 4},
                       .salted_password = {salted, sizeof salted}};
}

static AlterUserScramCredentialsResponse
alter(Deletion *deletions, int32_t deleted, Upsertion *upsertions, int32_t upserted)
{
    AlterUserScramCredentialsRequest in = {.deletions = deletions,
                                           .deletions_count = deleted,
                                           .upsertions = upsertions,
                                           .upsertions_count = upserted};
    AlterUserScramCredentialsResponse out;

    record_list_init(&decide_records, decide_arena);
    assert_int_equal(decide_alter_scram(&decide_context, &in, &decide_records, &out), 0);
    return out;
}

/* Code of one upsertion; what is good is applied. */
static int16_t
set(Upsertion u)
{
    AlterUserScramCredentialsResponse out = alter(NULL, 0, &u, 1);

    assert_int_equal(out.results_count, 1);
    assert_int_equal(decide_records.count, out.results[0].error_code == 0);
    decide_apply();
    return out.results[0].error_code;
}

static int16_t
unset(const char *user, int8_t mechanism)
{
    Deletion d = {.name = strview_from(user), .mechanism = mechanism};
    AlterUserScramCredentialsResponse out = alter(&d, 1, NULL, 0);

    decide_apply();
    return out.results[0].error_code;
}

static void
test_refusals(void **state)
{
    Upsertion u = upsert("a", 1, 4096);

    (void)state;
    assert_int_equal(set(upsert("a", 0, 4096)), 33);
    assert_int_equal(set(upsert("a", 3, 4096)), 33);
    assert_int_equal(set(upsert("a", -1, 0)), 33);
    assert_int_equal(set(upsert("a", 1, 4095)), 93);
    assert_int_equal(set(upsert("a", 1, 16385)), 93);
    assert_int_equal(set(upsert("a", 2, -1)), 93);
    assert_int_equal(set(upsert("", 1, 4096)), 93);
    assert_int_equal(set(upsert("", 9, 4096)), 93);
    assert_int_equal(set(upsert("u\xff", 1, 4096)), 93);
    assert_int_equal(set(upsert("\xc3\xbc", 1, 4096)), 0);
    u.salted_password.len = 0;
    assert_int_equal(set(u), -1);
    u = upsert("a", 1, 4096);
    u.salt.len = SCRAM_SALT_MAX + 1;
    assert_int_equal(set(u), 93);
    u.salt.len = 0;
    assert_int_equal(set(u), 0);
    assert_int_equal(unset("a", 0), 33);
    assert_int_equal(unset("", 1), 93);
    assert_int_equal(unset("a", 2), 91);
    assert_int_equal(unset("b", 1), 91);
}

/* A user twice, in whatever way, is refused and nothing done for him; others are served. */
static void
test_twice(void **state)
{
    Upsertion ups[] = {upsert("a", 1, 4096), upsert("b", 1, 4096), upsert("a", 2, 4096)};
    Deletion del = {.name = STRVIEW("b"), .mechanism = 1};
    AlterUserScramCredentialsResponse out = alter(&del, 1, ups, 3);

    (void)state;
    assert_int_equal(out.results_count, 2);
    assert_int_equal(out.results[0].error_code, 92);
    assert_int_equal(out.results[1].error_code, 92);
    assert_int_equal(decide_records.count, 0);
    out = alter(NULL, 0, ups, 3);
    assert_int_equal(out.results[0].error_code, 92);
    assert_int_equal(out.results[1].error_code, 0);
    assert_int_equal(decide_records.count, 1);
    assert_int_equal(alter(NULL, 0, NULL, 0).results_count, 0);
}

static void
test_image(void **state)
{
    const Image *now = &decide_writer.now;
    ScramCredential found;
    ScramKeys keys;

    (void)state;
    assert_int_equal(set(upsert("bob", 1, 4096)), 0);
    assert_int_equal(set(upsert("alice", 2, 16384)), 0);
    assert_int_equal(set(upsert("alice", 1, 5000)), 0);
    assert_true(image_scram(now, SCRAM_SHA_512, STRVIEW("alice"), &found));
    assert_int_equal(found.iterations, 16384);
    assert_true(scram_keys(SCRAM_SHA_512, (BytesView){salted, sizeof salted}, &keys));
    assert_int_equal(found.stored_key.len, 64);
    assert_memory_equal(found.stored_key.ptr, keys.stored_key, 64);
    assert_memory_equal(found.server_key.ptr, keys.server_key, 64);
    assert_int_equal(found.salt.len, 4);
    assert_false(image_scram(now, SCRAM_SHA_512, STRVIEW("bob"), &found));
    assert_true(image_scram_after(now, SCRAM_SHA_256, (StrView){NULL, 0}, &found));
    assert_true(strview_equal(found.user, STRVIEW("alice")));
    assert_true(image_scram_after(now, SCRAM_SHA_256, found.user, &found));
    assert_true(strview_equal(found.user, STRVIEW("bob")));
    assert_false(image_scram_after(now, SCRAM_SHA_256, found.user, &found));
    assert_int_equal(set(upsert("bob", 1, 6000)), 0); /* replaces */
    assert_int_equal(unset("alice", 1), 0);
    assert_true(image_scram_after(now, SCRAM_SHA_256, (StrView){NULL, 0}, &found));
    assert_int_equal(found.iterations, 6000);
}

static void
test_old_metadata(void **state)
{
    (void)state;
    assert_int_equal(build_entry(&decide_writer, MAP_FEATURE,
                                 (BytesView){(const uint8_t *)"metadata.version", 16},
                                 (BytesView){(const uint8_t[]){0, 10}, 2}),
                     0);
    assert_int_equal(set(upsert("a", 1, 4096)), 35);
}

static void
test_bound(void **state)
{
    static Upsertion ups[DECIDE_RECORDS_MAX + 1];
    AlterUserScramCredentialsResponse out;

    (void)state;
    for (int32_t i = 0; i <= DECIDE_RECORDS_MAX; i++)
        ups[i] = upsert(arena_printf(decide_arena, "u%d", (int)i), 1, 4096);
    out = alter(NULL, 0, ups, DECIDE_RECORDS_MAX);
    assert_int_equal(decide_records.count, DECIDE_RECORDS_MAX);
    out = alter(NULL, 0, ups, DECIDE_RECORDS_MAX + 1);
    assert_int_equal(decide_records.count, 0);
    assert_int_equal(out.results[0].error_code, 44);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_twice, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_image, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_old_metadata, decide_setup, decide_teardown),
        cmocka_unit_test_setup_teardown(test_bound, decide_setup, decide_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
