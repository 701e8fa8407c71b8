/*
 * test_producer_state.c - sequences, epochs, repetitions, and the pool that remembers them
 *
 * Proves log.md 8.1-8.4 and observed.md 2, through the log and for the pure part alone; the pool under
 * eviction and random adding and removing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/producer_state.h"

#include <stdlib.h>
#include <string.h>

#include "ottla/common/random.h"
#include "ottla/protocol/batch_builder.h"
#include "storage/storage_kit.h"

static int
send_batch(PartitionRef ref, int64_t id, int16_t epoch, int32_t sequence)
{
    return kit_append(ref, &(KitBatch){.producer_id = id, .epoch = epoch, .sequence = sequence},
                      NULL);
}

static void
sequences(void **state)
{
    PartitionRef ref = kit_partition("sequences", 0);
    PlogAppendResult result;

    (void)state;
    /* an unknown producer may begin anywhere */
    assert_int_equal(send_batch(ref, 1, 0, 17), 0);
    assert_int_equal(send_batch(ref, 1, 0, 19), OT_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(send_batch(ref, 1, 0, 18), 0);
    /* lower epoch; higher epoch must begin at 0 */
    assert_int_equal(send_batch(ref, 1, 2, 3), OT_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(send_batch(ref, 1, 2, 0), 0);
    assert_int_equal(send_batch(ref, 1, 0, 19), OT_E_INVALID_PRODUCER_EPOCH);
    /* the window holds five; the sixth oldest is out of order */
    for (int s = 1; s < 10; s++)
        assert_int_equal(send_batch(ref, 1, 2, s), 0);
    for (int s = 5; s < 10; s++) {
        assert_int_equal(
            kit_append(ref, &(KitBatch){.producer_id = 1, .epoch = 2, .sequence = s}, &result), 0);
        assert_true(result.duplicate);
        assert_int_equal(result.base_offset, 2 + s);
        assert_int_equal(result.log_append_time_ms, KIT_NOW_MS);
    }
    assert_int_equal(send_batch(ref, 1, 2, 4), OT_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    /* the same first sequence with another length is no repetition */
    assert_int_equal(
        kit_append(ref, &(KitBatch){.count = 2, .producer_id = 1, .epoch = 2, .sequence = 9}, NULL),
        OT_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(kit_offsets(ref).log_end_offset, 12);
    /* an id with epoch -1 is taken and recognised */
    assert_int_equal(send_batch(ref, 2, -1, 5), 0);
    assert_int_equal(
        kit_append(ref, &(KitBatch){.producer_id = 2, .epoch = -1, .sequence = 5}, &result), 0);
    assert_true(result.duplicate);
    /* transactions do not begin here yet */
    assert_int_equal(
        kit_append(ref, &(KitBatch){.producer_id = 3, .attributes = BATCH_ATTR_TRANSACTIONAL},
                   NULL),
        OT_E_INVALID_TXN_STATE);
}

static void
sequences_wrap(void **state)
{
    PartitionRef ref = kit_partition("wrap", 0);
    PlogAppendResult result;

    (void)state;
    assert_int_equal(
        kit_append(ref, &(KitBatch){.count = 4, .producer_id = 1, .sequence = INT32_MAX - 1},
                   &result),
        0);
    /* last sequence is 1 after MAX-1, MAX, 0, 1 */
    assert_int_equal(send_batch(ref, 1, 0, 3), OT_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(
        kit_append(ref, &(KitBatch){.count = 4, .producer_id = 1, .sequence = INT32_MAX - 1},
                   &result),
        0);
    assert_true(result.duplicate);
    assert_int_equal(send_batch(ref, 1, 0, 2), 0);
    assert_int_equal(send_batch(ref, 2, 0, INT32_MAX), 0);
    assert_int_equal(send_batch(ref, 2, 0, 1), OT_E_OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert_int_equal(send_batch(ref, 2, 0, 0), 0);
}

static void
snapshot_bytes(void **state)
{
    uint8_t file[10 + 2 * 46] = {0};
    ProducerState s = PRODUCER_STATE_EMPTY;
    ProducerState back;
    int32_t count;
    int64_t id;

    (void)state;
    s.epoch = 3;
    s.last_timestamp = KIT_NOW_MS;
    s.batch_count = 2;
    s.batches[0] = (ProducerBatch){10, 5, 7, 0};
    s.batches[1] = (ProducerBatch){20, KIT_NOW_MS, 9, 1};
    s.txn_first_offset = 19;
    producer_snapshot_put(file, 0, 77, &s);
    s = PRODUCER_STATE_EMPTY;
    s.epoch = 1;
    s.coordinator_epoch = 4;
    producer_snapshot_put(file, 1, 78, &s);
    producer_snapshot_seal(file, 2);
    assert_int_equal(producer_snapshot_check((BytesView){file, sizeof file}, &count, NULL), 0);
    assert_int_equal(count, 2);
    producer_snapshot_get((BytesView){file, sizeof file}, 0, &id, &back);
    assert_int_equal(id, 77);
    assert_int_equal(back.batch_count, 1);
    assert_int_equal(producer_last_sequence(&back), 9);
    assert_int_equal(producer_last_offset(&back), 20);
    assert_int_equal(back.txn_first_offset, 19);
    producer_snapshot_get((BytesView){file, sizeof file}, 1, &id, &back);
    assert_int_equal(back.batch_count, 0);
    assert_int_equal(back.coordinator_epoch, 4);
    for (size_t i = 0; i < sizeof file; i++) {
        file[i] ^= 1;
        assert_int_equal(producer_snapshot_check((BytesView){file, sizeof file}, &count, NULL),
                         OT_E_CORRUPT);
        file[i] ^= 1;
    }
    for (int32_t len = 0; len < (int32_t)sizeof file; len++)
        assert_int_equal(producer_snapshot_check((BytesView){file, len}, &count, NULL),
                         OT_E_CORRUPT);
}

/* The tree of a partition against a plain array. */
static void
pool_tree(void **state)
{
    PartitionRef ref = kit_partition("tree", 0);
    RandomSeq seq = {12345};
    bool there[200] = {false};
    PartitionSlot *slot;
    uint32_t n = 0;

    (void)state;
    assert_int_equal(plog_lock(ref, &slot, NULL), 0);
    for (int i = 0; i < 20000; i++) {
        int64_t id = (int64_t)random_seq_below(&seq, 200);
        ProducerEntry *e = producer_find(slot, id);

        assert_int_equal(e != NULL, there[id]);
        if (e == NULL) {
            ProducerState s = PRODUCER_STATE_EMPTY;

            e = producer_obtain(slot, id);
            assert_non_null(e);
            s.epoch = 1;
            producer_put(e, &s);
            n++;
        } else {
            producer_remove(slot, e);
            n--;
        }
        there[id] = !there[id];
        assert_int_equal(slot->producer_count, n);
        if (i % 1000 == 0) {
            producer_relink(slot);
            assert_int_equal(slot->producer_count, n);
        }
    }
    producer_remove_all(slot);
    assert_int_equal(producer_pool_used(), 0);
    plog_unlock(slot);
}

static bool
is_known(PartitionRef ref, int64_t id)
{
    PartitionSlot *slot;
    bool known;

    assert_int_equal(plog_lock(ref, &slot, NULL), 0);
    known = producer_find(slot, id) != NULL;
    plog_unlock(slot);
    return known;
}

/* One that fills the pool loses his own: the few of another partition stay, as does who is active among many. */
static void
each_loses_his_own(void **state)
{
    PartitionRef greedy = kit_partition("full", 0);
    PartitionRef modest = kit_partition("full", 1);

    (void)state;
    for (int i = 1; i <= 20; i++)
        assert_int_equal(
            kit_append(modest, &(KitBatch){.producer_id = i, .timestamp = KIT_NOW_MS}, NULL), 0);
    for (int i = 0; i < 2000; i++) {
        assert_int_equal(
            kit_append(greedy,
                       &(KitBatch){.producer_id = 1000 + i, .timestamp = KIT_NOW_MS + 1 + i}, NULL),
            0);
        assert_int_equal(
            kit_append(
                greedy,
                &(KitBatch){.producer_id = 999, .sequence = i, .timestamp = KIT_NOW_MS + 1 + i},
                NULL),
            0);
        assert_true(i < 1 || is_known(greedy, 999));
    }
    assert_int_equal(producer_pool_used(), 300);
    assert_int_equal(pslot_at(modest.slot)->producer_count, 20);
    for (int i = 1; i <= 20; i++)
        assert_true(is_known(modest, i));
    assert_int_equal(pslot_at(greedy.slot)->producer_count, 280);
    assert_false(is_known(greedy, 1000));
}

/* 300 entries in all: an old one goes, from another partition too; open transactions stay. */
static void
pool_is_full(void **state)
{
    PartitionRef a = kit_partition("full", 0);
    PartitionRef b = kit_partition("full", 1);
    PartitionSlot *slot;

    (void)state;
    for (int i = 1; i <= 300; i++)
        assert_int_equal(
            kit_append(a, &(KitBatch){.producer_id = i, .timestamp = KIT_NOW_MS + i}, NULL), 0);
    assert_int_equal(producer_pool_used(), 300);
    /* instead of an older one; of those looked at for the next, it is never the oldest */
    assert_int_equal(
        kit_append(a, &(KitBatch){.producer_id = 1000, .timestamp = KIT_NOW_MS + 1000}, NULL), 0);
    assert_int_equal(send_batch(b, 1001, 0, 0), 0); /* b has none: one of a goes */
    assert_int_equal(producer_pool_used(), 300);
    assert_int_equal(pslot_at(a.slot)->producer_count, 299);
    assert_int_equal(plog_lock(a, &slot, NULL), 0);
    assert_non_null(producer_find(slot, 300));
    assert_non_null(producer_find(slot, 1000));
    for (int i = 1; i <= 1000; i++) {
        ProducerEntry *e = producer_find(slot, i);
        ProducerState s;

        if (e == NULL)
            continue;
        producer_get(e, &s);
        s.txn_first_offset = 5;
        producer_put(e, &s);
    }
    plog_unlock(slot);
    assert_int_equal(send_batch(b, 1002, 0, 0), 0); /* 1001 goes */
    assert_int_equal(send_batch(a, 1003, 0, 0), 0); /* 1002 of b goes */
    assert_int_equal(plog_lock(a, &slot, NULL), 0);
    ProducerState s;
    producer_get(producer_find(slot, 1003), &s);
    s.txn_first_offset = 5;
    producer_put(producer_find(slot, 1003), &s);
    plog_unlock(slot);
    assert_int_equal(send_batch(b, 1004, 0, 0), OT_E_NOT_ENOUGH_REPLICAS);
    assert_int_equal(kit_append_ok(b, &(KitBatch){0}), 2); /* without an id: as ever */
}

static void
idle_producers_expire(void **state)
{
    PartitionRef ref = kit_partition("expire", 0);
    PlogProducer *list;
    int32_t count;

    (void)state;
    for (int i = 1; i <= 200; i++)
        assert_int_equal(
            kit_append(ref, &(KitBatch){.producer_id = i, .timestamp = KIT_NOW_MS + i}, NULL), 0);
    assert_int_equal(plog_expire_producers(ref, KIT_NOW_MS + 1150, 1000), 150);
    assert_int_equal(plog_producers(ref, kit_arena, &list, &count, NULL), 0);
    assert_int_equal(count, 50);
    /* forgotten: any sequence again */
    assert_int_equal(send_batch(ref, 3, 0, 44), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sequences, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(sequences_wrap, kit_setup, kit_teardown),
        cmocka_unit_test(snapshot_bytes),
        cmocka_unit_test_setup_teardown(pool_tree, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(each_loses_his_own, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(pool_is_full, kit_setup, kit_teardown),
        cmocka_unit_test_setup_teardown(idle_producers_expire, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
