/*
 * send.c - a producer that keeps to its schedule
 *
 * With a rate each record is due at a fixed moment, and its time counts from then on: what a stall holds up is late,
 * and is measured as late (no coordinated omission). Without one a record is due when there is room for it. A thread
 * of its own hears of deliveries at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "bin/ottla-bench/bench_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/random.h"

#define POOL_BYTES (1 << 20) /* values are cut out of it, so that batches do not compress away */
#define HEAR_MS    100
#define STEP_US    (20 * 1000) /* sleeps are no longer: progress, signals */
#define TIME_STEPS 64          /* records between two looks at the clock, without a rate */

/* In the hearing thread; the message's opaque is when it was due. */
void
sender_heard(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    Sender *s = opaque;
    int64_t now_us = clock_mono_us();

    (void)rk;
    if (message->err != 0) {
        meter_fail(s->meter, rd_kafka_err2str(message->err));
        return;
    }
    s->delivered++;
    if (s->measures)
        meter_add(s->meter, now_us, now_us - (int64_t)(intptr_t)message->_private,
                  (int64_t)message->len);
}

static void *
hear(void *arg)
{
    Sender *s = arg;

    while (s->hears)
        (void)rd_kafka_poll(s->rk, HEAR_MS);
    return NULL;
}

void
sender_begin(Sender *s, const BenchOptions *o, Meter *m, uint64_t run)
{
    static const char *const properties[] = {"acks", "all", NULL};
    static const char *const at_once[] = {"acks", "all", "linger.ms", "0", NULL};

    *s = (Sender){.o = o, .meter = m, .run = run, .measures = run == 0, .hears = true};
    s->rk = bench_handle(o, RD_KAFKA_PRODUCER, s, run == 0 ? properties : at_once);
    (void)prctl(PR_SET_TIMERSLACK, 1); /* a schedule in microseconds */
}

/* Sleeps until then, or a little: the caller looks again. */
static void
sleep_until(int64_t due_us, int64_t now_us)
{
    int64_t us = due_us - now_us < STEP_US ? due_us - now_us : STEP_US;
    struct timespec pause = {.tv_sec = 0, .tv_nsec = us * 1000};

    if (us > 0)
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
}

typedef struct Sending {
    char *pool;
    char *value; /* with a mark; else values lie in the pool */
    rd_kafka_topic_t *topic;
    int64_t serial;
} Sending;

/* False: there is no room now. */
static bool
send_one(Sender *s, Sending *g, int64_t due_us)
{
    const BenchOptions *o = s->o;
    char *value = g->pool + (g->serial * 61) % (POOL_BYTES - 1);
    char key[32];
    int key_len = 0;

    if (s->run != 0) {
        const BenchMark mark = {.run = s->run, .due_us = due_us, .serial = g->serial};

        memcpy(g->value, &mark, sizeof mark);
        value = g->value;
    }
    if (o->keys > 0)
        key_len = snprintf(key, sizeof key, "key-%lld", (long long)(g->serial % o->keys));
    if (rd_kafka_produce(g->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, value,
                         (size_t)o->size, key_len > 0 ? key : NULL, (size_t)key_len,
                         (void *)(intptr_t)due_us) == 0) {
        g->serial++;
        return true;
    }
    if (rd_kafka_last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL)
        return false;
    meter_fail(s->meter, rd_kafka_err2str(rd_kafka_last_error()));
    g->serial++;
    return true;
}

/* When the record with this serial is due. */
static int64_t
due_of(const BenchOptions *o, int64_t begin_us, int64_t serial)
{
    return begin_us + (int64_t)((__int128)serial * 1000000 / o->rate);
}

static void
send_all(Sender *s, Sending *g)
{
    const BenchOptions *o = s->o;
    int64_t begin_us = clock_mono_us(), now_us = begin_us;
    int64_t end_us = o->duration_us > 0 ? begin_us + o->warmup_us + o->duration_us : INT64_MAX;
    int64_t steps = 0;

    meter_begin(s->meter, begin_us);
    while (!bench_stopped && (o->count == 0 || g->serial < o->count)) {
        int64_t due_us;

        if (o->rate > 0 || steps++ % TIME_STEPS == 0) {
            now_us = clock_mono_us();
            meter_progress(s->meter, now_us);
        }
        due_us = o->rate > 0 ? due_of(o, begin_us, g->serial) : clock_mono_us();
        /* What was due before the end is sent, however late; but not for ever. */
        if (due_us >= end_us || now_us - end_us >= INT64_C(1000) * BENCH_DRAIN_MS)
            break;
        if (due_us > now_us && o->rate > 0) {
            sleep_until(due_us, now_us);
            continue;
        }
        if (!send_one(s, g, due_us)) {
            sleep_until(now_us + 1000, now_us);
            steps = 0;
        }
    }
}

void
sender_run(Sender *s)
{
    Sending g = {.pool = malloc((size_t)POOL_BYTES + (size_t)s->o->size),
                 .value = malloc((size_t)s->o->size)};
    RandomSeq seq = {.state = 1};

    if (g.pool == NULL || g.value == NULL)
        bench_fail("no memory for records of %d bytes", (int)s->o->size);
    for (int32_t i = 0; i < POOL_BYTES + s->o->size; i++)
        g.pool[i] = (char)(random_seq_next(&seq) >> 56);
    memcpy(g.value, g.pool, (size_t)s->o->size);
    g.topic = rd_kafka_topic_new(s->rk, s->o->topic, NULL);
    if (g.topic == NULL || pthread_create(&s->thread, NULL, hear, s) != 0)
        bench_fail("cannot begin: %s", rd_kafka_err2str(rd_kafka_last_error()));
    send_all(s, &g);
    rd_kafka_topic_destroy(g.topic);
    free(g.pool);
    free(g.value);
}

int64_t
sender_end(Sender *s)
{
    int64_t end_us = clock_mono_us() + INT64_C(1000) * BENCH_DRAIN_MS;

    while (rd_kafka_outq_len(s->rk) > 0 && clock_mono_us() < end_us) {
        (void)rd_kafka_flush(s->rk, HEAR_MS);
        meter_progress(s->meter, clock_mono_us());
    }
    s->hears = false;
    (void)pthread_join(s->thread, NULL);
    (void)rd_kafka_poll(s->rk, 0);
    for (int left = rd_kafka_outq_len(s->rk); left > 0; left--)
        meter_fail(s->meter, "not acknowledged in time");
    rd_kafka_purge(s->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    return s->delivered;
}
