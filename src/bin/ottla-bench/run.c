/*
 * run.c - the three modes: produce, consume, and latency from one to the other
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>
#include <time.h>

#include "bin/ottla-bench/bench_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/random.h"

#define POLL_MS 100

static Meter meter;
static BenchTopic topic;

/* ---- produce ------------------------------------------------------------------------------------- */

int
bench_produce(const BenchOptions *o)
{
    Sender sender;

    meter_init(&meter, o, true);
    sender_begin(&sender, o, &meter, 0);
    bench_find_topic(o, sender.rk, &topic);
    sender_run(&sender);
    (void)sender_end(&sender);
    return meter_report(&meter);
}

/* ---- consume ------------------------------------------------------------------------------------- */

static void
subscribe(const BenchOptions *o, rd_kafka_t *rk)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);

    (void)rd_kafka_topic_partition_list_add(list, o->topic, RD_KAFKA_PARTITION_UA);
    if (rd_kafka_subscribe(rk, list) != 0)
        bench_fail("topic %s cannot be subscribed to", o->topic);
    rd_kafka_topic_partition_list_destroy(list);
}

/* Takes messages until a limit is reached, or the end of every partition. */
static void
take_all(const BenchOptions *o, rd_kafka_t *rk)
{
    int64_t begin_us = 0, end_us = INT64_MAX;
    int64_t count = 0;
    int32_t ended = 0;

    if (o->duration_us > 0)
        end_us = clock_mono_us() + o->warmup_us + o->duration_us;
    meter_begin(&meter, clock_mono_us());
    while (!bench_stopped && (o->count == 0 || count < o->count)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(rk, POLL_MS);
        int64_t now_us = clock_mono_us();

        meter_progress(&meter, now_us);
        if (message != NULL && message->err == 0) {
            if (begin_us == 0) { /* the time to find the first record is no throughput */
                begin_us = now_us;
                meter_begin(&meter, now_us);
            }
            meter_add(&meter, now_us, 0, (int64_t)(message->len + message->key_len));
            count++;
        } else if (message != NULL && message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ended++;
        } else if (message != NULL) {
            meter_fail(&meter, rd_kafka_message_errstr(message));
        }
        if (message != NULL)
            rd_kafka_message_destroy(message);
        if (now_us >= end_us || (!o->follow && ended >= topic.count))
            break;
    }
}

int
bench_consume(const BenchOptions *o)
{
    const char *const properties[] = {"group.id",
                                      o->group != NULL ? o->group : "ottla-bench",
                                      "enable.auto.commit",
                                      o->group != NULL ? "true" : "false",
                                      "auto.offset.reset",
                                      "earliest",
                                      "enable.partition.eof",
                                      "true",
                                      NULL};
    rd_kafka_t *rk;

    meter_init(&meter, o, false);
    rk = bench_handle(o, RD_KAFKA_CONSUMER, NULL, properties);
    (void)rd_kafka_poll_set_consumer(rk);
    bench_find_topic(o, rk, &topic);
    if (o->group != NULL)
        subscribe(o, rk);
    else
        bench_assign(rk, o, &topic, false);
    take_all(o, rk);
    (void)rd_kafka_consumer_close(rk);
    return meter_report(&meter);
}

/* ---- latency ------------------------------------------------------------------------------------- */

/* The reading side. */
typedef struct Receiver {
    rd_kafka_t *rk;
    uint64_t run;
    volatile int64_t received; /* of this run; the thread writes */
    volatile bool goes_on;
    pthread_t thread;
} Receiver;

static void *
receive(void *arg)
{
    Receiver *r = arg;

    while (r->goes_on) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(r->rk, POLL_MS);
        int64_t now_us = clock_mono_us();
        BenchMark mark;

        if (message == NULL)
            continue;
        if (message->err == 0 && message->len >= sizeof mark) {
            memcpy(&mark, message->payload, sizeof mark);
            if (mark.run == r->run) { /* others may write to the topic, too */
                meter_add(&meter, now_us, now_us - mark.due_us, (int64_t)message->len);
                r->received++;
            }
        } else if (message->err != 0) {
            meter_fail(&meter, rd_kafka_message_errstr(message));
        }
        rd_kafka_message_destroy(message);
    }
    return NULL;
}

/* Waits until all that was acknowledged has come, or does not come any more. */
static void
wait_for_all(const Receiver *r, int64_t sent)
{
    int64_t end_us = clock_mono_us() + INT64_C(1000) * BENCH_DRAIN_MS;

    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};

    while (r->received < sent && clock_mono_us() < end_us && bench_stopped < 2)
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    meter.missing = r->received < sent ? sent - r->received : 0;
}

int
bench_latency(const BenchOptions *o)
{
    static const char *const properties[] = {
        "group.id", "ottla-bench", "enable.auto.commit", "false", "fetch.wait.max.ms", "500", NULL};
    Receiver receiver = {.run = random_u64() | 1, .goes_on = true};
    Sender sender;

    meter_init(&meter, o, true);
    sender_begin(&sender, o, &meter, receiver.run);
    bench_find_topic(o, sender.rk, &topic);
    receiver.rk = bench_handle(o, RD_KAFKA_CONSUMER, NULL, properties);
    (void)rd_kafka_poll_set_consumer(receiver.rk);
    bench_assign(receiver.rk, o, &topic, true);
    if (pthread_create(&receiver.thread, NULL, receive, &receiver) != 0)
        bench_fail("no thread to read");
    sender_run(&sender);
    wait_for_all(&receiver, sender_end(&sender));
    receiver.goes_on = false;
    (void)pthread_join(receiver.thread, NULL);
    (void)rd_kafka_consumer_close(receiver.rk);
    return meter_report(&meter);
}
