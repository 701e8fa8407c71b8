/*
 * rate.c - one librdkafka client that produces or consumes as fast as it can
 *
 *     rate produce SERVER TOPIC RECORD_BYTES COUNT
 *     rate consume SERVER TOPIC RECORD_BYTES COUNT
 *
 * Partition 0, acks=1, large batches: the settings under which a client comes nearest to its own
 * ceiling. Prints "SECONDS RECORDS" and then waits for the end of standard input before it
 * disconnects, so that the CPU time of the broker's process for this connection can be read first.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench_kit.h"

#define STALL_MS 30000

static int64_t delivered;

static _Noreturn void
die_of(const char *what, const char *why)
{
    char text[1024];
    snprintf(text, sizeof text, "%s: %s", what, why);
    die(text);
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[512];
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != 0) {
        die_of(name, text);
    }
}

static void
on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *arg)
{
    (void)rk;
    (void)arg;
    if (m->err != 0) {
        die_of("delivery", rd_kafka_err2str(m->err));
    }
    delivered++;
}

static rd_kafka_t *
client(rd_kafka_type_t type, rd_kafka_conf_t *conf, const char *server)
{
    char text[512];
    set(conf, "bootstrap.servers", server);
    set(conf, "socket.nagle.disable", "true");
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL) {
        die_of("client", text);
    }
    return rk;
}

static double
produce(const char *server, const char *topic, size_t bytes, int64_t count)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "linger.ms", "20");
    set(conf, "batch.num.messages", "100000");
    set(conf, "batch.size", "1000000");
    set(conf, "queue.buffering.max.messages", "1000000");
    set(conf, "queue.buffering.max.kbytes", "1000000");
    set(conf, "request.required.acks", "1");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_t *rk = client(RD_KAFKA_PRODUCER, conf, server);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    char *value = malloc(bytes);
    for (size_t i = 0; i < bytes; i++) {
        value[i] = (char)('a' + i % 26);
    }
    const struct rd_kafka_metadata *md;
    if (rd_kafka_metadata(rk, 0, rkt, &md, STALL_MS) != 0) {
        die_of(topic, "no metadata");
    }
    rd_kafka_metadata_destroy(md);
    double begin = now_us();
    for (int64_t i = 0; i < count; i++) {
        while (rd_kafka_produce(rkt, 0, 0, value, bytes, NULL, 0, NULL) != 0) {
            rd_kafka_poll(rk, 10); /* the client's own queue is full */
        }
        if (i % 4096 == 0) {
            rd_kafka_poll(rk, 0);
        }
    }
    if (rd_kafka_flush(rk, STALL_MS) != 0 || delivered != count) {
        die_of(topic, "not all delivered");
    }
    return (now_us() - begin) / 1e6;
}

static double
consume(const char *server, const char *topic, int64_t count)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "group.id", "unused");
    set(conf, "fetch.message.max.bytes", "10000000");
    set(conf, "queued.min.messages", "1000000");
    rd_kafka_t *rk = client(RD_KAFKA_CONSUMER, conf, server);
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(rk, topic, NULL);
    static rd_kafka_message_t *batch[10000];
    double begin = now_us();
    rd_kafka_consume_start(rkt, 0, RD_KAFKA_OFFSET_BEGINNING);
    for (int64_t seen = 0; seen < count;) {
        ssize_t got = rd_kafka_consume_batch(rkt, 0, STALL_MS, batch, 10000);
        if (got <= 0) {
            die_of(topic, "nothing came");
        }
        for (ssize_t i = 0; i < got; i++) {
            seen += batch[i]->err == 0;
            rd_kafka_message_destroy(batch[i]);
        }
    }
    return (now_us() - begin) / 1e6;
}

int
main(int argc, char **argv)
{
    if (argc != 6) {
        die("usage: rate produce|consume SERVER TOPIC RECORD_BYTES COUNT");
    }
    size_t bytes = (size_t)strtol(argv[4], NULL, 10);
    int64_t count = strtol(argv[5], NULL, 10);
    double seconds = strcmp(argv[1], "produce") == 0 ? produce(argv[2], argv[3], bytes, count)
                                                     : consume(argv[2], argv[3], count);
    char c;
    printf("%.3f %lld\n", seconds, (long long)count);
    fflush(stdout);
    while (read(STDIN_FILENO, &c, 1) > 0) {
    }
    _exit(0); /* a client that is told to go leaves without farewell */
}
