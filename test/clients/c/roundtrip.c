/*
 * roundtrip.c - librdkafka against a node: create, produce with every codec, read back, compare
 *
 *     roundtrip SERVER PREFIX           everything
 *     roundtrip --read SERVER TOPIC     only reads TOPIC and compares: what kafkajs wrote, which has "" for null headers
 *
 * The records are those of test/clients/README.md. Prints one line per codec; exit code 1 when anything differs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT       300
#define PARTITIONS  3
#define DEADLINE_MS 60000
#define VALUE_MAX   1500

typedef struct Rec {
    char key[16];
    int key_len; /* -1 null */
    unsigned char value[VALUE_MAX];
    int value_len; /* -1 null */
    int headers;
    char first[16];
} Rec;

static void
record_make(int i, Rec *rec)
{
    rec->key_len =
        i % 7 == 3 && i % 10 != 9 ? -1 : snprintf(rec->key, sizeof rec->key, "key-%d", i % 11);
    rec->value_len = i % 10 == 9 ? -1 : i % 10 == 8 ? 0 : i * 37 % VALUE_MAX;
    for (int j = 0; j < rec->value_len; j++) {
        rec->value[j] = (unsigned char)(i * 31 + j * 7);
    }
    rec->headers = i % 3 == 0 ? 3 : 0;
    snprintf(rec->first, sizeof rec->first, "%d", i);
}

static void
die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static rd_kafka_t *
client_new(rd_kafka_type_t type, const char *server, const char *codec)
{
    char text[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *pairs[][2] = {
        {"bootstrap.servers", server},
        {type == RD_KAFKA_PRODUCER ? "compression.type" : "check.crcs",
         type == RD_KAFKA_PRODUCER ? codec : "true"},
        {type == RD_KAFKA_PRODUCER ? "enable.idempotence" : "enable.partition.eof", "true"},
        {type == RD_KAFKA_PRODUCER ? "linger.ms" : "fetch.wait.max.ms", "20"},
        {type == RD_KAFKA_PRODUCER ? "client.id" : "group.id", "roundtrip"},
        {type == RD_KAFKA_PRODUCER ? "acks" : "enable.auto.commit",
         type == RD_KAFKA_PRODUCER ? "all" : "false"},
    };
    for (size_t n = 0; n < sizeof pairs / sizeof pairs[0]; n++) {
        if (rd_kafka_conf_set(conf, pairs[n][0], pairs[n][1], text, sizeof text) != 0) {
            die(pairs[n][0], text);
        }
    }
    rd_kafka_t *rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL) {
        die("client", text);
    }
    return rk;
}

static void
topic_create(rd_kafka_t *rk, const char *topic)
{
    char text[512];
    rd_kafka_NewTopic_t *nt = rd_kafka_NewTopic_new(topic, PARTITIONS, 1, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_CreateTopics(rk, &nt, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, DEADLINE_MS);
    if (event == NULL || rd_kafka_event_error(event) != 0) {
        die(topic, "was not created");
    }
    size_t count = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    if (count != 1 || rd_kafka_topic_result_error(results[0]) != 0) {
        die(topic, "was refused");
    }
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(nt);
}

static void
produce(const char *server, const char *topic, const char *codec)
{
    rd_kafka_t *rk = client_new(RD_KAFKA_PRODUCER, server, codec);
    topic_create(rk, topic);
    for (int i = 0; i < COUNT; i++) {
        Rec rec;
        record_make(i, &rec);
        rd_kafka_headers_t *headers = rd_kafka_headers_new(3);
        if (rec.headers > 0) {
            rd_kafka_header_add(headers, "h", -1, rec.first, -1);
            rd_kafka_header_add(headers, "h", -1, "twice", -1);
            rd_kafka_header_add(headers, "nul", -1, NULL, 0);
        }
        int key_len = rec.key_len < 0 ? 0 : rec.key_len;
        int value_len = rec.value_len < 0 ? 0 : rec.value_len;
        void *key = rec.key_len < 0 ? NULL : rec.key;
        void *value = rec.value_len < 0 ? NULL : rec.value;
        rd_kafka_resp_err_t err = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(i % PARTITIONS),
            RD_KAFKA_V_KEY(key, (size_t)key_len), RD_KAFKA_V_VALUE(value, (size_t)value_len),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_END);
        if (err != 0) {
            die("produce", rd_kafka_err2str(err));
        }
    }
    if (rd_kafka_flush(rk, DEADLINE_MS) != 0) {
        die("flush", "not all delivered");
    }
    rd_kafka_destroy(rk);
}

/* null_len: what a null header of the rules reads as (-1, or 0 from a client without null headers). */
static int
headers_match(const rd_kafka_message_t *m, const Rec *rec, int null_len)
{
    rd_kafka_headers_t *headers = NULL;
    int count = rd_kafka_message_headers(m, &headers) == 0 ? (int)rd_kafka_header_cnt(headers) : 0;
    if (count != rec->headers) {
        return 0;
    }
    const char *names[] = {"h", "h", "nul"};
    const char *values[] = {rec->first, "twice", ""};
    for (int n = 0; n < count; n++) {
        const char *name = NULL;
        const void *value = NULL;
        size_t size = 0;
        rd_kafka_header_get_all(headers, (size_t)n, &name, &value, &size);
        int is_null = n == 2 && null_len < 0;
        if (strcmp(name, names[n]) != 0 || (value == NULL) != is_null ||
            size != strlen(values[n]) || (size > 0 && memcmp(value, values[n], size) != 0)) {
            return 0;
        }
    }
    return 1;
}

static int
bytes_match(const void *got, size_t got_len, const void *want, int want_len)
{
    if (want_len < 0) {
        return got == NULL;
    }
    return got != NULL && got_len == (size_t)want_len && memcmp(got, want, got_len) == 0;
}

static void
consume(const char *server, const char *topic, int null_len)
{
    rd_kafka_t *rk = client_new(RD_KAFKA_CONSUMER, server, NULL);
    rd_kafka_poll_set_consumer(rk);
    rd_kafka_topic_partition_list_t *parts = rd_kafka_topic_partition_list_new(PARTITIONS);
    for (int p = 0; p < PARTITIONS; p++) {
        rd_kafka_topic_partition_list_add(parts, topic, p)->offset = 0;
    }
    rd_kafka_assign(rk, parts);
    rd_kafka_topic_partition_list_destroy(parts);
    int next[PARTITIONS] = {0, 1, 2};
    int ended = 0, seen = 0;
    while (ended < PARTITIONS) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, DEADLINE_MS);
        if (m == NULL) {
            die(topic, "nothing came");
        }
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            ended++;
        } else if (m->err != 0) {
            die(topic, rd_kafka_message_errstr(m));
        } else {
            Rec rec;
            record_make(next[m->partition], &rec);
            if (!bytes_match(m->key, m->key_len, rec.key, rec.key_len) ||
                !bytes_match(m->payload, m->len, rec.value, rec.value_len) ||
                !headers_match(m, &rec, null_len)) {
                fprintf(stderr, "%s %d offset %lld differs\n", topic, (int)m->partition,
                        (long long)m->offset);
                exit(1);
            }
            next[m->partition] += PARTITIONS;
            seen++;
        }
        rd_kafka_message_destroy(m);
    }
    if (seen != COUNT) {
        die(topic, "records are missing or doubled");
    }
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

int
main(int argc, char **argv)
{
    static const char *const codecs[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    if (argc == 4 && strcmp(argv[1], "--read") == 0) {
        consume(argv[2], argv[3], 0);
        printf("librdkafka reads %s\n", argv[3]);
        return 0;
    }
    if (argc != 3) {
        die("usage", "roundtrip [--read] SERVER PREFIX");
    }
    for (size_t n = 0; n < sizeof codecs / sizeof codecs[0]; n++) {
        char topic[256];
        snprintf(topic, sizeof topic, "%s-%s", argv[2], codecs[n]);
        produce(argv[1], topic, codecs[n]);
        consume(argv[1], topic, -1);
        printf("librdkafka %s: %s: %d records\n", rd_kafka_version_str(), codecs[n], COUNT);
    }
    return 0;
}
