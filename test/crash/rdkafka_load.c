/*
 * rdkafka_load.c - two ordinary producers of librdkafka while processes of a node are killed
 *
 *     rdkafka_load PORT
 *
 * An idempotent producer with acks=all, a plain one with acks=1, a topic each, several requests in flight. They go
 * on until a line comes on stdin, then flush; a consumer reads both topics from the beginning. It proves (exit
 * status, TAP on stdout): every message with a successful delivery report is there; those of the idempotent
 * producer once, and in order.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <librdkafka/rdkafka.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGES_MAX  32000000 /* a byte each, touched when it is sent */
#define QUIET_SECONDS 60       /* without any delivery or message: something is stuck */
#define PER_TURN      50

typedef struct Writer {
    const char *topic;
    const char *idempotence, *acks;
    rd_kafka_t *rk;
    uint8_t *delivered, *seen; /* by number */
    int64_t sent, reports, failed;
} Writer;

static Writer writers[2] = {
    {.topic = "rdkafka-idempotent", .idempotence = "true", .acks = "all"},
    {.topic = "rdkafka-plain", .idempotence = "false", .acks = "1"},
};

static void
give_up(const char *what, const char *why)
{
    printf("Bail out! %s: %s\n", what, why);
    exit(1);
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        give_up(name, why);
}

static void
delivered(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    Writer *w = opaque;
    int64_t number = (int64_t)(intptr_t)message->_private;
    (void)rk;
    w->reports++;
    if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        w->delivered[number] = 1;
    else
        w->failed++;
}

static void
begin_writer(Writer *w, const char *server)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char why[256];
    set(conf, "bootstrap.servers", server);
    set(conf, "enable.idempotence", w->idempotence);
    set(conf, "acks", w->acks);
    set(conf, "linger.ms", "2");
    set(conf, "message.timeout.ms", "120000");
    set(conf, "reconnect.backoff.max.ms", "100");
    set(conf, "log_level", "2");
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    rd_kafka_conf_set_opaque(conf, w);
    w->delivered = calloc(MESSAGES_MAX, 1);
    w->seen = calloc(MESSAGES_MAX, 1);
    w->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (w->rk == NULL || w->delivered == NULL || w->seen == NULL)
        give_up("producer", why);
}

static void
send_some(Writer *w)
{
    for (int i = 0; i < PER_TURN && w->sent < MESSAGES_MAX && w->sent - w->reports < 2000; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "%lld", (long long)w->sent);
        rd_kafka_resp_err_t rc =
            rd_kafka_producev(w->rk, RD_KAFKA_V_TOPIC(w->topic), RD_KAFKA_V_PARTITION(0),
                              RD_KAFKA_V_VALUE(text, (size_t)len),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_TIMESTAMP(1000),
                              RD_KAFKA_V_OPAQUE((void *)(intptr_t)w->sent), RD_KAFKA_V_END);
        if (rc != RD_KAFKA_RESP_ERR_NO_ERROR)
            break; /* the queue is full for now */
        w->sent++;
    }
    rd_kafka_poll(w->rk, 5);
}

/* Is there a line, or the end, on stdin? */
static bool
told_to_stop(void)
{
    struct pollfd in = {.fd = 0, .events = POLLIN};
    return poll(&in, 1, 2) > 0;
}

static void
end_writer(Writer *w)
{
    (void)rd_kafka_flush(w->rk, QUIET_SECONDS * 1000);
    printf("# %s: %lld sent, %lld reports, %lld failed\n", w->topic, (long long)w->sent,
           (long long)w->reports, (long long)w->failed);
    rd_kafka_destroy(w->rk);
}

/* Everything of the topic; false: messages of an idempotent producer are doubled or out of order. */
static bool
read_topic(Writer *w, const char *server)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    int64_t low, high, next = 0, last = -1;
    bool in_order = true;
    char why[256];
    rd_kafka_t *rk;
    set(conf, "bootstrap.servers", server);
    set(conf, "group.id", "none");
    set(conf, "enable.auto.commit", "false");
    set(conf, "log_level", "2");
    rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (rk == NULL)
        give_up("consumer", why);
    if (rd_kafka_query_watermark_offsets(rk, w->topic, 0, &low, &high, QUIET_SECONDS * 1000) != 0)
        give_up(w->topic, "its offsets cannot be asked for");
    rd_kafka_topic_partition_list_add(list, w->topic, 0)->offset = 0;
    rd_kafka_assign(rk, list);
    while (next < high) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, QUIET_SECONDS * 1000);
        char text[32] = {0};
        long long number;
        if (m == NULL)
            give_up(w->topic, "nothing more comes");
        if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            memcpy(text, m->payload, m->len < 31 ? m->len : 31);
            number = strtoll(text, NULL, 10);
            in_order &= number == last + 1 && m->offset == next;
            last = number;
            next = m->offset + 1;
            w->seen[number] = 1;
        }
        rd_kafka_message_destroy(m);
    }
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
    return in_order;
}

int
main(int argc, char **argv)
{
    char server[64];
    int failures = 0, test = 0;
    if (argc != 2)
        return 2;
    (void)snprintf(server, sizeof server, "127.0.0.1:%s", argv[1]);
    for (int i = 0; i < 2; i++)
        begin_writer(&writers[i], server);
    while (!told_to_stop())
        for (int i = 0; i < 2; i++)
            send_some(&writers[i]);
    for (int i = 0; i < 2; i++)
        end_writer(&writers[i]);
    for (int i = 0; i < 2; i++) {
        Writer *w = &writers[i];
        bool in_order = read_topic(w, server), complete = true;
        int64_t count = 0;
        for (int64_t n = 0; n < w->sent; n++) {
            complete &= !w->delivered[n] || w->seen[n];
            count += w->delivered[n];
        }
        failures += !complete || count == 0 || w->sent == MESSAGES_MAX;
        printf("%s %d - %s: every one of %lld delivered messages is there\n",
               complete && count > 0 ? "ok" : "not ok", ++test, w->topic, (long long)count);
        printf("%s %d - ... and sent until the end\n", w->sent < MESSAGES_MAX ? "ok" : "not ok",
               ++test);
        if (i == 0 && w->failed == 0) {
            failures += !in_order;
            printf("%s %d - %s: once, in order\n", in_order ? "ok" : "not ok", ++test, w->topic);
        }
    }
    printf("1..%d\n", test);
    return failures != 0;
}
