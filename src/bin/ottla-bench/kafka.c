/*
 * kafka.c - handles of librdkafka, the topic and its partitions
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bin/ottla-bench/bench_int.h"

#define TIMEOUT_MS 10000
#define STEP_MS    500 /* of it: whether there is anybody at all is looked at so often */

static volatile bool nobody; /* every broker was tried in vain */

_Noreturn void
bench_fail(const char *format, ...)
{
    va_list args;

    fputs("ottla-bench: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(EXIT_USAGE);
}

static void
note_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)rk;
    (void)reason;
    (void)opaque;
    nobody |= code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
}

static void
set_property(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[256];

    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) != RD_KAFKA_CONF_OK)
        bench_fail("%s", text);
}

/* name=value of the command line. */
static void
set_given(rd_kafka_conf_t *conf, const char *given)
{
    char name[128];
    const char *equals = strchr(given, '=');

    if (equals == NULL || (size_t)(equals - given) >= sizeof name)
        bench_fail("-X wants NAME=VALUE: %s", given);
    (void)snprintf(name, sizeof name, "%.*s", (int)(equals - given), given);
    set_property(conf, name, equals + 1);
}

rd_kafka_t *
bench_handle(const BenchOptions *o, rd_kafka_type_t type, void *opaque,
             const char *const *properties)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    char text[256];
    rd_kafka_t *rk;

    set_property(conf, "bootstrap.servers", o->bootstrap);
    set_property(conf, "client.id", "ottla-bench");
    set_property(conf, "log_level", "2");
    for (int i = 0; properties[i] != NULL; i += 2)
        set_property(conf, properties[i], properties[i + 1]);
    for (int i = 0; i < o->property_count; i++)
        set_given(conf, o->properties[i]);
    rd_kafka_conf_set_opaque(conf, opaque);
    rd_kafka_conf_set_error_cb(conf, note_error);
    if (type == RD_KAFKA_PRODUCER && opaque != NULL)
        rd_kafka_conf_set_dr_msg_cb(conf, sender_heard);
    rk = rd_kafka_new(type, conf, text, sizeof text);
    if (rk == NULL)
        bench_fail("%s", text);
    return rk;
}

static void
create_topic(const BenchOptions *o, rd_kafka_t *rk)
{
    char text[256];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(o->topic, o->create, o->replication, text, sizeof text);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_event_t *event;
    const rd_kafka_topic_result_t **results;
    size_t count = 0;

    if (topic == NULL)
        bench_fail("%s", text);
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    if (event == NULL)
        bench_fail("nobody answers at %s", o->bootstrap);
    if (rd_kafka_event_error(event) != 0)
        bench_fail("topic %s cannot be made: %s", o->topic, rd_kafka_event_error_string(event));
    results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
    for (size_t i = 0; i < count; i++) {
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);

        if (code != 0 && code != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            bench_fail("topic %s cannot be made: %s", o->topic,
                       rd_kafka_topic_result_error_string(results[i]));
    }
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
}

/* The metadata of the topic, waited for while somebody may answer. */
static rd_kafka_resp_err_t
ask_metadata(rd_kafka_t *rk, rd_kafka_topic_t *topic, const struct rd_kafka_metadata **ret)
{
    rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR__TRANSPORT;

    nobody = false;
    for (int ms = 0; ms < TIMEOUT_MS && !nobody; ms += STEP_MS) {
        code = rd_kafka_metadata(rk, 0, topic, ret, STEP_MS);
        if (code != RD_KAFKA_RESP_ERR__TRANSPORT && code != RD_KAFKA_RESP_ERR__TIMED_OUT)
            break;
        (void)rd_kafka_poll(rk, 0); /* note_error */
    }
    return code;
}

/* The partitions as the metadata has them now. False: *ret_why, which lives on. */
static bool
read_topic(const BenchOptions *o, rd_kafka_t *rk, BenchTopic *ret, const char **ret_why)
{
    rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, o->topic, NULL);
    const struct rd_kafka_metadata *data;
    rd_kafka_resp_err_t code = ask_metadata(rk, topic, &data);

    rd_kafka_topic_destroy(topic);
    *ret_why = code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__TIMED_OUT
                   ? "nobody answers"
                   : rd_kafka_err2str(code);
    if (code != 0)
        return false;
    ret->count = 0;
    for (int i = 0; i < data->topic_cnt; i++) {
        code = data->topics[i].err;
        for (int p = 0; p < data->topics[i].partition_cnt && ret->count < BENCH_PARTITIONS_MAX; p++)
            ret->partitions[ret->count++] = data->topics[i].partitions[p].id;
    }
    rd_kafka_metadata_destroy(data);
    *ret_why = code != 0 ? rd_kafka_err2str(code) : "it has no partitions";
    return code == 0 && ret->count > 0;
}

void
bench_find_topic(const BenchOptions *o, rd_kafka_t *rk, BenchTopic *ret)
{
    const char *why = "";

    if (o->create > 0)
        create_topic(o, rk);
    for (int tries = 0; tries < 20; tries++) { /* one that was just made has no leader at first */
        if (read_topic(o, rk, ret, &why))
            return;
        if (strcmp(why, "nobody answers") == 0)
            bench_fail("nobody answers at %s", o->bootstrap);
        (void)rd_kafka_poll(rk, 100);
    }
    bench_fail("topic %s cannot be used: %s", o->topic, why);
}

void
bench_assign(rd_kafka_t *rk, const BenchOptions *o, const BenchTopic *topic, bool at_end)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(topic->count);

    for (int32_t i = 0; i < topic->count; i++) {
        int64_t low = 0, high = 0;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            rk, o->topic, topic->partitions[i], &low, &high, TIMEOUT_MS);

        if (code != 0)
            bench_fail("%s-%d: %s", o->topic, (int)topic->partitions[i], rd_kafka_err2str(code));
        rd_kafka_topic_partition_list_add(list, o->topic, topic->partitions[i])->offset =
            at_end ? high : low;
    }
    if (rd_kafka_assign(rk, list) != 0)
        bench_fail("partitions of %s cannot be assigned", o->topic);
    rd_kafka_topic_partition_list_destroy(list);
}
