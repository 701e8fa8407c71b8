/*
 * test_twocopy.c - readers see whole records only, whatever instant the writer dies at [T1-T4]
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/twocopy.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "ipc/shm_kit.h"
#include "ottla/common/assert.h"
#include "ottla/common/clock.h"

#define WORDS 48

typedef struct Record {
    uint64_t w[WORDS];
} Record;

typedef struct Shared {
    TwoCopy head;
    Record copies[2];
    AtomicU64 published; /* by a writer that says so after publishing */
    AtomicU32 stop;
} Shared;

static void
fill(Record *r, uint64_t serial)
{
    for (uint64_t i = 0; i < WORDS; i++)
        r->w[i] = serial * 1000 + i;
}

/* The record's serial; dies when the record is mixed. */
static uint64_t
whole(const Record *r)
{
    uint64_t serial = r->w[0] / 1000;

    for (uint64_t i = 0; i < WORDS; i++)
        ot_assert(r->w[i] == serial * 1000 + i || (serial == 0 && r->w[i] == 0));
    return serial;
}

static void
reads_what_was_written(void **state)
{
    static Shared s;
    Record r;

    (void)state;
    assert_int_equal(twocopy_read(&s.head, s.copies, sizeof r, &r), 0);
    for (uint64_t i = 1; i < 10; i++) {
        fill(&r, i);
        twocopy_write(&s.head, s.copies, &r, sizeof r);
        assert_int_equal(twocopy_read(&s.head, s.copies, sizeof r, &r), i);
        assert_int_equal(whole(&r), i);
        assert_int_equal(whole(twocopy_current(&s.head, s.copies, sizeof r)), i);
    }
}

static void
half_written_copy_is_not_seen(void **state)
{
    static Shared s;
    Record r;
    Record *spare;

    (void)state;
    fill(&r, 1);
    twocopy_write(&s.head, s.copies, &r, sizeof r);
    spare = twocopy_begin(&s.head, s.copies, sizeof r);
    spare->w[3] = 99; /* the writer dies here */
    assert_int_equal(twocopy_read(&s.head, s.copies, sizeof r, &r), 1);
    assert_int_equal(whole(&r), 1);
}

static Shared thread_shared;

static void *
read_until_stop(void *arg)
{
    uint64_t last = 0;

    (void)arg;
    while (atomic_u32_load(&thread_shared.stop) == 0) {
        Record r;
        uint64_t before = atomic_u64_load(&thread_shared.published);
        uint64_t serial;

        (void)twocopy_read(&thread_shared.head, thread_shared.copies, sizeof r, &r);
        serial = whole(&r);
        ot_assert(serial >= last && serial >= before);
        last = serial;
    }
    return NULL;
}

static void
threads_read_whole_records(void **state)
{
    pthread_t threads[2];

    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_until_stop, NULL), 0);
    for (uint64_t i = 1; i < 60000; i++) {
        Record r;

        fill(&r, i);
        twocopy_write(&thread_shared.head, thread_shared.copies, &r, sizeof r);
        atomic_u64_store(&thread_shared.published, i);
    }
    atomic_u32_store(&thread_shared.stop, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
}

/* A writer process: goes on from the published record, as the next lock owner does. */
static void
write_for_ever(void *arg)
{
    Shared *s = arg;
    Record r;

    (void)twocopy_read(&s->head, s->copies, sizeof r, &r);
    for (uint64_t serial = whole(&r) + 1;; serial++) {
        fill(&r, serial);
        twocopy_write(&s->head, s->copies, &r, sizeof r);
        atomic_u64_store(&s->published, serial);
    }
}

static void
killed_writers_leave_whole_records(void **state)
{
    RandomSeq seq = kit_seed("two copies under kill -9");
    int64_t end_us = clock_mono_us() + kit_stress_us();
    Shared *s = kit_scratch;
    uint64_t last = 0;
    int kills = 0;

    (void)state;
    while (clock_mono_us() < end_us) {
        pid_t pid = kit_fork(write_for_ever, s);
        int64_t until_us = clock_mono_us() + (int64_t)random_seq_below(&seq, 3000);

        while (clock_mono_us() < until_us) {
            Record r;

            (void)twocopy_read(&s->head, s->copies, sizeof r, &r);
            assert_true(whole(&r) >= last);
            last = whole(&r);
        }
        kit_kill(pid);
        kills++;
        {
            Record r;
            uint64_t said = atomic_u64_load(&s->published);

            (void)twocopy_read(&s->head, s->copies, sizeof r, &r);
            assert_true(whole(&r) == said || whole(&r) == said + 1);
        }
    }
    printf("# %d writers killed, %llu records\n", kills, (unsigned long long)last);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(half_written_copy_is_not_seen),
        cmocka_unit_test(threads_read_whole_records),
        cmocka_unit_test_setup_teardown(killed_writers_leave_whole_records, kit_setup,
                                        kit_teardown),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
