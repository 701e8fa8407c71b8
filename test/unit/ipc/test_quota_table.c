/*
 * test_quota_table.c - what is used of quotas, counted by forked backends at once
 *
 * Proves that accounts are kept apart, that no amount is lost between processes, that killed ones lose
 * at most the amount in their hands, that a full table refuses instead of mixing accounts, and that
 * places of accounts nobody uses any more are given away without old amounts; that tokens are told as they come back.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/ipc/quota_table.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/region.h"

#define SECOND   INT64_C(1000000)
#define NOW      (1000 * SECOND)
#define ADDERS   6
#define ADDS     20000
#define ACCOUNTS 8

static const RateSpans spans = {.windows = 11, .window_us = SECOND};
static ShmLimits limits;

/* The table lies in a region of its own: it is larger than the kit's scratch. */
static RegionRow row = {"quota_usage", quota_usage_shm_size, quota_usage_shm_init, "", "", ""};
static Region region;

/* In kit_scratch. */
typedef struct Board {
    AtomicU64 added[ACCOUNTS]; /* before it is in the table */
    AtomicU64 done[ACCOUNTS];  /* after */
} Board;

static int
setup(void **state)
{
    if (kit_setup(state) != 0)
        return 1;
    kit_limits(&limits);
    memset(kit_scratch, 0, sizeof(Board));
    return region_map(&row, 1, &limits, &region, NULL);
}

static int
teardown(void **state)
{
    region_unmap(&region);
    return kit_teardown(state);
}

static QuotaBucket *
find(uint64_t account, int64_t now_us)
{
    bool is_new;

    return quota_bucket_find(account, &spans, now_us, &is_new);
}

static uint64_t
account(int n)
{
    char name[16];
    int len = 0;

    for (name[len++] = 'c'; n > 0; n /= 10)
        name[len++] = (char)('0' + n % 10);
    return quota_account(0, (StrView){name, len}, (StrView){NULL, 0});
}

static int64_t
total_at(uint64_t who, int64_t now_us)
{
    QuotaBucket *bucket = find(who, now_us);

    return bucket == NULL ? -1 : quota_bucket_sum(bucket, &spans, now_us).total;
}

static void
add(uint64_t who, int64_t amount, int64_t now_us)
{
    QuotaBucket *bucket = find(who, now_us);

    assert_non_null(bucket);
    quota_bucket_add(bucket, &spans, amount, now_us);
}

static void
test_accounts(void **state)
{
    StrView none = {NULL, 0}, empty = STRVIEW(""), a = STRVIEW("a");

    (void)state;
    assert_true(quota_account(0, a, none) != quota_account(1, a, none));
    assert_true(quota_account(0, a, none) != quota_account(0, none, a));
    assert_true(quota_account(0, none, none) != quota_account(0, empty, none));
    assert_true(quota_account(0, a, empty) != quota_account(0, a, none));
    assert_true(quota_account(0, a, a) == quota_account(0, a, a));
    add(account(1), 5, NOW);
    add(account(2), 7, NOW);
    add(account(1), 6, NOW + SECOND);
    assert_int_equal(total_at(account(1), NOW + SECOND), 11);
    assert_int_equal(total_at(account(2), NOW + SECOND), 7);
    add(account(1), -6, NOW + SECOND); /* taken back */
    assert_int_equal(total_at(account(1), NOW + SECOND), 5);
    add(account(1), -5, NOW + 2 * SECOND); /* another window: nothing is in it */
    assert_int_equal(total_at(account(1), NOW + 2 * SECOND), 5);
}

static void
adder(void *arg)
{
    Board *board = kit_scratch;

    (void)arg;
    for (int i = 0; i < ADDS; i++) {
        int n = i % ACCOUNTS;

        atomic_u64_add(&board->added[n], 3);
        add(account(n), 3, NOW + i % 4 * SECOND);
        atomic_u64_add(&board->done[n], 3);
    }
}

/* Some add to the end, some are killed on the way. */
static void
test_processes(void **state)
{
    const Board *board = kit_scratch;
    pid_t pids[ADDERS];

    (void)state;
    for (int i = 0; i < ADDERS; i++)
        pids[i] = kit_fork(adder, NULL);
    for (int i = 0; i < 2; i++) {
        kit_pause_us(1000);
        kit_kill(pids[i]);
    }
    for (int i = 2; i < ADDERS; i++)
        kit_join(pids[i]);
    for (int n = 0; n < ACCOUNTS; n++) {
        int64_t total = total_at(account(n), NOW + 4 * SECOND);

        assert_true(total >= (int64_t)atomic_u64_load(&board->done[n]));
        assert_true(total <= (int64_t)atomic_u64_load(&board->added[n]));
        assert_true(total >= (ADDERS - 2) * ADDS / ACCOUNTS * INT64_C(3));
    }
}

static void
test_full(void **state)
{
    int64_t later = NOW + 30 * SECOND;
    int taken = 0, refused = 0;

    (void)state;
    for (int n = 0; n < 20000; n++) {
        QuotaBucket *bucket = find(account(n), NOW);

        if (bucket == NULL) {
            refused++;
            continue;
        }
        quota_bucket_add(bucket, &spans, n + 1, NOW);
        taken++;
    }
    assert_true(taken >= 1000 && refused > 0);
    for (int n = 0; n < 20000; n++) { /* nobody's amounts got mixed */
        int64_t total = total_at(account(n), NOW);

        assert_true(total == -1 || total == n + 1);
    }
    taken = 0;
    for (int n = 20000; n < 40000; n++) { /* all old ones are given away, and begin at nothing */
        int64_t total = total_at(account(n), later);

        assert_true(total == -1 || total == 0);
        taken += total == 0;
    }
    assert_true(taken >= 1000);
}

/* Who was shown last; how many are shown at all. */
static int
shown(QuotaShown *ret)
{
    int count = 0;

    for (int64_t i = 0; i < quota_bucket_count(); i++)
        count += quota_bucket_show(i, &spans, NOW, ret);
    return count;
}

static void
test_owners(void **state)
{
    QuotaOwner owner = {.key = 1, .second = STRVIEW("loud")};
    QuotaOwner other = {.key = 1, .second = STRVIEW("lout")};
    QuotaBucket *bucket = find(quota_account(1, owner.first, owner.second), NOW);
    QuotaShown got;
    char name[200];

    (void)state;
    quota_bucket_add(bucket, &spans, 7, NOW);
    assert_int_equal(shown(&got), 0); /* who named it died before it noted the owner */
    quota_bucket_note_owner(bucket, &other);
    assert_int_equal(shown(&got), 0); /* what a stranger noted is not of this account */
    quota_bucket_note_owner(bucket, &owner);
    assert_int_equal(shown(&got), 1);
    assert_int_equal(got.owner.key, 1);
    assert_null(got.owner.first.ptr);
    assert_true(strview_equal(got.owner.second, STRVIEW("loud")) && !got.cut);
    assert_int_equal(got.sum.total, 7);
    assert_int_equal(got.samples, 1);

    memset(name, 'x', sizeof name);
    owner = (QuotaOwner){.key = 2, .first = {name, sizeof name}, .second = STRVIEW("")};
    bucket = find(quota_account(2, owner.first, owner.second), NOW);
    quota_bucket_note_owner(bucket, &owner);
    assert_int_equal(shown(&got), 2);
    for (int64_t i = 0; i < quota_bucket_count(); i++)
        if (quota_bucket_show(i, &spans, NOW, &got) && got.owner.key == 2)
            break;
    assert_true(got.cut && got.owner.first.len == QUOTA_SHOWN_NAME_MAX);
    assert_true(got.owner.second.ptr != NULL && got.owner.second.len == 0);
}

/* Tokens come back while nobody looks; the next owner of the place has none. */
static void
test_tokens(void **state)
{
    QuotaOwner owner = {.key = 3, .second = STRVIEW("maker")};
    TokenBucket tokens = {.tokens = -20, .at_us = NOW};
    QuotaBucket *bucket = find(quota_account(3, owner.first, owner.second), NOW);
    int64_t at = 0;
    QuotaShown got;

    (void)state;
    quota_bucket_note_owner(bucket, &owner);
    while (!quota_bucket_show(at, &spans, NOW, &got))
        at++;
    assert_false(got.has_tokens);
    quota_bucket_note_tokens(bucket, &tokens, &spans, 10);
    assert_true(quota_bucket_show(at, &spans, NOW, &got) && got.has_tokens);
    assert_float_equal(got.tokens, -20, 0.001);
    assert_float_equal(got.missing, 130, 0.001);
    assert_float_equal(got.token_rate, 10, 0);
    assert_true(quota_bucket_show(at, &spans, NOW + 3 * SECOND, &got));
    assert_float_equal(got.tokens, 10, 0.001);
    assert_true(quota_bucket_show(at, &spans, NOW + 1000 * SECOND, &got));
    assert_float_equal(got.tokens, 110, 0.001);
    assert_float_equal(got.missing, 0, 0);
    quota_bucket_note_tokens(bucket, &tokens, &spans, 1e300); /* nobody comes near it */
    assert_true(quota_bucket_show(at, &spans, NOW, &got) && !got.has_tokens);
    quota_bucket_note_tokens(bucket, &tokens, &spans, 1e-300); /* they never come back */
    assert_true(quota_bucket_show(at, &spans, NOW, &got) && got.tokens <= 0);
    quota_bucket_note_tokens(bucket, &tokens, &spans, 10);
    quota_bucket_note_owner(bucket, &owner);
    assert_true(quota_bucket_show(at, &spans, NOW, &got) && !got.has_tokens);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_accounts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_processes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_owners, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tokens, setup, teardown)};

    return cmocka_run_group_tests_name("quota_table", tests, NULL, NULL);
}
