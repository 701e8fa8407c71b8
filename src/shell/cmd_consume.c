/*
 * cmd_consume.c - \consume: a topic as a stream, or as a member of a group; by librdkafka
 *
 * Without a group the partitions and their bounds are those that a scan of our own takes (stream_range.h); with one, the
 * group says where to begin, and what was shown is committed when the command ends.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "stream_int.h"

#include <stdlib.h>

#include "interrupt_int.h"
#include "kafka_lib_int.h"
#include "ottla/common/text.h"
#include "output_int.h"
#include "stream_range_int.h"

#define CONSUME_POLL_MS      100
#define CONSUME_SETTINGS_MAX 50
#define CONSUME_PARTS_MAX    100000

typedef struct ConsumePart {
    int32_t partition;
    int64_t end; /* INT64_MAX: none */
    bool done;
} ConsumePart;

typedef struct Consume {
    CommandCall *call;
    const KafkaLib *lib;
    rd_kafka_t *rk;
    char *topic;
    char *group;
    char *format_text;
    char *delimiter;
    char *key_delimiter;
    char *settings[CONSUME_SETTINGS_MAX];
    int setting_count;
    StreamRange range;
    bool has_range;
    int32_t partition; /* -1: all */
    int64_t count;     /* messages to show; 0: any number */
    bool at_end;       /* -e */
    bool unbuffered;
    StreamFormat format;
    ConsumePart *parts;
    int32_t part_count;
    int64_t shown;
    Output out;
    char *pipe;
    StrBuf text;
} Consume;

/* ---- arguments ---- */

static int
missing(Consume *s, const char *option)
{
    (void)command_fail(s->call, "an argument of %s is missing", option);
    return -1;
}

static int
take_number(Consume *s, const char *option, int64_t *ret)
{
    const char *word = command_word(s->call);

    if (word == NULL)
        return missing(s, option);
    if (text_to_int64(strview_from(word), ret) && *ret >= 0 && *ret <= INT32_MAX)
        return 0;
    (void)command_fail(s->call, "\"%s\" is no number for %s", word, option);
    return -1;
}

static int
take_range(Consume *s)
{
    const char *word = command_word(s->call);
    Fault f;

    if (word == NULL)
        return missing(s, "-o");
    s->has_range = true;
    if (stream_range_parse(s->call->shell, word, &s->range, &f) == 0)
        return 0;
    (void)command_fail(s->call, "%s", f.message);
    return -1;
}

static int
take_option(Consume *s, const char *option)
{
    int64_t number = 0;

    if (option[2] != '\0')
        goto unknown;
    switch (option[1]) {
    case 'o':
        return take_range(s);
    case 'g':
        return stream_take_text(s->call, option, &s->group);
    case 'f':
    case 'F':
        return stream_take_text(s->call, option, &s->format_text);
    case 'D':
        return stream_take_delimiter(s->call, option, &s->delimiter);
    case 'K':
        return stream_take_delimiter(s->call, option, &s->key_delimiter);
    case 'c':
        return take_number(s, option, &s->count);
    case 'p':
        if (take_number(s, option, &number) != 0)
            return -1;
        s->partition = (int32_t)number;
        return 0;
    case 'e':
        s->at_end = true;
        return 0;
    case 'u':
        s->unbuffered = true;
        return 0;
    case 'J':
        s->format.json = true;
        return 0;
    case 'Z':
        s->format.null = "NULL";
        return 0;
    case 'X':
        if (s->setting_count == CONSUME_SETTINGS_MAX)
            return missing(s, option);
        return stream_take_text(s->call, option, &s->settings[s->setting_count++]);
    default:
        break;
    }
unknown:
    (void)command_fail(s->call, "there is no option %s", option);
    return -1;
}

static int
take_arguments(Consume *s)
{
    const char *word;
    const char *fault;

    while ((word = command_pipe_word(s->call)) != NULL) {
        char option[64];

        (void)snprintf(option, sizeof option, "%s", word);
        if (word[0] == '|') {
            s->pipe = strdup(word);
        } else if (word[0] == '-' && word[1] != '\0') {
            if (take_option(s, option) != 0)
                return -1;
        } else if (s->topic == NULL) {
            s->topic = strdup(word);
        } else {
            (void)command_fail(s->call, "one topic only");
            return -1;
        }
    }
    if (s->topic == NULL && s->call->shell->topic[0] != '\0')
        s->topic = strdup(s->call->shell->topic);
    if (s->call->bad)
        return -1;
    if (s->topic == NULL) {
        (void)command_fail(s->call, "which topic?");
        return -1;
    }
    s->format.format = s->format_text;
    s->format.delimiter = s->delimiter == NULL ? "\n" : s->delimiter;
    s->format.key_delimiter = s->key_delimiter;
    fault = s->format_text == NULL ? "" : stream_format_check(s->format_text);
    if (fault[0] != '\0') {
        (void)command_fail(s->call, "the format has no such token: %s", fault);
        return -1;
    }
    return 0;
}

/* ---- where to begin and to end ---- */

/* Bounds of the partitions, as our own client finds them. */
static int
find_bounds(Consume *s, Fault *f)
{
    ClientScanOptions o = CLIENT_SCAN_DEFAULTS;
    rd_kafka_topic_partition_list_t *list;
    rd_kafka_resp_err_t error;
    ClientScan *scan;
    int32_t partition;
    int64_t start, end;

    o.topic = strview_from(s->topic);
    o.follow = !s->at_end;
    if (s->partition >= 0) {
        o.partitions = &s->partition;
        o.partition_count = 1;
    }
    stream_range_apply(&s->range, &o);
    if (s->range.from == STREAM_FROM_FIRST)
        o.offset_skip = s->range.number;
    if (client_scan_open(s->call->shell->client, &o, &scan, f) != 0)
        return -1;
    s->parts = calloc(CONSUME_PARTS_MAX, sizeof *s->parts);
    list = s->lib->topic_partition_list_new(16);
    for (int32_t i = 0; s->parts != NULL && i < CONSUME_PARTS_MAX &&
                        client_scan_range(scan, i, &partition, &start, &end);
         i++) {
        s->parts[s->part_count++] =
            (ConsumePart){.partition = partition, .end = end, .done = start >= end};
        if (start < end)
            s->lib->topic_partition_list_add(list, s->topic, partition)->offset = start;
    }
    client_scan_close(scan);
    error = s->lib->assign(s->rk, list);
    s->lib->topic_partition_list_destroy(list);
    if (s->parts == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for partitions");
    return error == 0 ? 0 : kafka_fault(s->lib, error, "assignment", f);
}

static int
join_group(Consume *s, Fault *f)
{
    rd_kafka_topic_partition_list_t *list = s->lib->topic_partition_list_new(1);
    rd_kafka_resp_err_t error;

    s->lib->topic_partition_list_add(list, s->topic, RD_KAFKA_PARTITION_UA);
    error = s->lib->subscribe(s->rk, list);
    s->lib->topic_partition_list_destroy(list);
    return error == 0 ? 0 : kafka_fault(s->lib, error, "subscription", f);
}

static int
open_consumer(Consume *s, Fault *f)
{
    rd_kafka_conf_t *conf = kafka_conf(s->call->shell, s->lib, f);
    char error[256];
    int status;

    if (conf == NULL)
        return -1;
    status = kafka_set(s->lib, conf, "group.id", s->group == NULL ? "ottla" : s->group, f);
    if (status == 0)
        status =
            kafka_set(s->lib, conf, "enable.auto.commit", s->group == NULL ? "false" : "true", f);
    if (status == 0)
        status = kafka_set(s->lib, conf, "enable.partition.eof", "true", f);
    if (status == 0)
        status = kafka_set(s->lib, conf, "auto.offset.reset",
                           s->range.from == STREAM_FROM_END ? "latest" : "earliest", f);
    for (int i = 0; i < s->setting_count && status == 0; i++)
        status = kafka_set_pair(s->lib, conf, s->settings[i], f);
    s->rk = status != 0 ? NULL : s->lib->new (RD_KAFKA_CONSUMER, conf, error, sizeof error);
    if (s->rk == NULL) {
        s->lib->conf_destroy(conf);
        return status != 0 ? -1 : fault_set(f, FAULT_BAD_PARAMETER, "%s", error);
    }
    (void)s->lib->poll_set_consumer(s->rk); /* of a consumer that is new it cannot fail */
    return s->group == NULL ? find_bounds(s, f) : join_group(s, f);
}

/* ---- messages ---- */

/* The part of a message; NULL: of a member of a group that has not been at its end. */
static ConsumePart *
part_of(Consume *s, int32_t partition)
{
    for (int32_t i = 0; i < s->part_count; i++) {
        if (s->parts[i].partition == partition)
            return &s->parts[i];
    }
    return NULL;
}

static bool
all_done(const Consume *s)
{
    for (int32_t i = 0; i < s->part_count; i++) {
        if (!s->parts[i].done)
            return false;
    }
    return s->group == NULL;
}

static void
fill(Consume *s, const rd_kafka_message_t *m, RecordHeader *headers, StreamMessage *ret)
{
    rd_kafka_timestamp_type_t type;
    rd_kafka_headers_t *list = NULL;
    int64_t low = -1, high = -1;
    const char *topic = s->lib->topic_name(m->rkt);

    *ret = (StreamMessage){.topic = strview_from(topic),
                           .partition = m->partition,
                           .leader_epoch = -1,
                           .producer_id = -1,
                           .lag = -1,
                           .offset = m->offset,
                           .timestamp = s->lib->message_timestamp(m, &type),
                           .broker = s->lib->message_broker_id(m),
                           .key = {m->key, (int32_t)m->key_len},
                           .value = {m->payload, (int32_t)m->len},
                           .headers = headers};
    ret->append_time = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME;
    if (s->lib->get_watermark_offsets(s->rk, topic, m->partition, &low, &high) == 0 && high >= 0)
        ret->lag = high - m->offset - 1;
    if (s->lib->message_headers(m, &list) != 0)
        return;
    for (size_t i = 0; i < STREAM_HEADERS_MAX; i++) {
        const char *name;
        const void *value;
        size_t size;

        if (s->lib->header_get_all(list, i, &name, &value, &size) != 0)
            break;
        headers[ret->header_count].key = strview_from(name);
        headers[ret->header_count++].value = (BytesView){value, (int32_t)size};
    }
}

/* 0: go on. 1: enough. */
static int
show(Consume *s, const rd_kafka_message_t *m, RecordHeader *headers)
{
    ConsumePart *part = part_of(s, m->partition);
    StreamMessage message;
    bool good;

    if (part != NULL && m->offset >= part->end) {
        part->done = true;
        return all_done(s) ? 1 : 0;
    }
    fill(s, m, headers, &message);
    strbuf_clear(&s->text);
    stream_format_add(&s->format, &message, &s->text);
    good = fwrite(s->text.ptr, 1, s->text.len, s->out.file) == s->text.len;
    if (s->unbuffered)
        good = fflush(s->out.file) == 0 && good;
    if (!good)
        return 1;
    s->shown++;
    if (part != NULL && m->offset + 1 >= part->end)
        part->done = true;
    return (s->count > 0 && s->shown >= s->count) || all_done(s) ? 1 : 0;
}

/* A member of a group is at the end when all partitions that it has now are; one of them has just come there. */
static bool
group_done(Consume *s, int32_t partition)
{
    rd_kafka_topic_partition_list_t *list = NULL;
    ConsumePart *part = part_of(s, partition);
    bool done;

    if (s->parts == NULL)
        s->parts = calloc(CONSUME_PARTS_MAX, sizeof *s->parts);
    if (part == NULL && s->parts != NULL && s->part_count < CONSUME_PARTS_MAX) {
        part = &s->parts[s->part_count++];
        *part = (ConsumePart){.partition = partition, .end = INT64_MAX};
    }
    if (part != NULL)
        part->done = true;
    done = s->lib->assignment(s->rk, &list) == 0;
    for (int i = 0; done && i < list->cnt; i++) {
        part = part_of(s, list->elems[i].partition);
        done = part != NULL && part->done;
    }
    if (list != NULL)
        s->lib->topic_partition_list_destroy(list);
    return done;
}

/* Errors among the messages; the end of a partition is one. Results as show, -1: fault. */
static int
take_error(Consume *s, const rd_kafka_message_t *m, Fault *f)
{
    ConsumePart *part = part_of(s, m->partition);

    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (part != NULL && s->at_end)
            part->done = true;
        return s->at_end && (s->group != NULL ? group_done(s, m->partition) : all_done(s)) ? 1 : 0;
    }
    if (m->err == RD_KAFKA_RESP_ERR__TRANSPORT || m->err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return 0; /* it connects again by itself */
    return kafka_fault(s->lib, m->err, s->topic, f);
}

static int
consume_all(Consume *s, Fault *f)
{
    RecordHeader *headers = calloc(STREAM_HEADERS_MAX, sizeof *headers);
    int status = headers == NULL ? fault_set(f, FAULT_NO_MEMORY, "no memory") : 0;

    if (status == 0 && s->group == NULL && all_done(s))
        status = 1;
    while (status == 0 && !shell_interrupted()) {
        rd_kafka_message_t *m = s->lib->consumer_poll(s->rk, CONSUME_POLL_MS);

        if (m != NULL) {
            status = m->err == 0 ? show(s, m, headers) : take_error(s, m, f);
            s->lib->message_destroy(m);
        } else if (fflush(s->out.file) != 0 || stream_reader_gone(s->out.file)) {
            status = 1;
        }
    }
    (void)fflush(s->out.file); /* a reader that is gone has had enough */
    if (s->out.file == stdout)
        output_check(s->call->shell);
    free(headers);
    return status < 0 ? -1 : 0;
}

static CommandResult
run(Consume *s)
{
    Shell *shell = s->call->shell;
    CommandResult result;
    Fault f;
    int status = -1;

    fault_clear(&f);
    s->out = shell->out;
    s->lib = kafka_lib(&f);
    if (s->pipe != NULL && output_open(shell, s->pipe, &s->out) != 0)
        return COMMAND_FAILED;
    if (s->lib != NULL && open_consumer(s, &f) == 0)
        status = consume_all(s, &f);
    if (s->rk != NULL) {
        (void)s->lib->consumer_close(s->rk); /* leaves the group; nothing follows that could fail */
        s->lib->destroy(s->rk);
    }
    if (s->pipe != NULL)
        output_close(&s->out);
    if (shell_interrupted())
        interrupt_clear(shell->client);
    result = stream_end(s->call, status, &f);
    if (status == 0)
        shell_state_success(shell, s->shown);
    return result;
}

CommandResult
cmd_consume(CommandCall *call)
{
    Consume *s = calloc(1, sizeof *s);
    CommandResult result = COMMAND_FAILED;

    if (s == NULL)
        return command_fail(call, "no memory");
    s->call = call;
    s->partition = -1;
    s->format.null = "";
    s->format.utc =
        call->shell->sql_env.timezone != NULL && strcmp(call->shell->sql_env.timezone, "UTC") == 0;
    strbuf_init(&s->text, STREAM_MESSAGE_BYTES_MAX, NULL);
    if (take_arguments(s) == 0) {
        if (call->shell->client == NULL)
            (void)command_fail(call, "you are currently not connected");
        else if (s->range.from == STREAM_FROM_STORED && s->group == NULL)
            (void)command_fail(call, "stored offsets of which group? (-g GROUP)");
        else if (s->group != NULL && (s->partition >= 0 || s->range.has_until_offset))
            (void)command_fail(call, "a group has its own partitions and offsets");
        else
            result = run(s);
    }
    for (int i = 0; i < s->setting_count; i++)
        free(s->settings[i]);
    free(s->topic);
    free(s->group);
    free(s->format_text);
    free(s->delimiter);
    free(s->key_delimiter);
    free(s->pipe);
    free(s->parts);
    strbuf_release(&s->text);
    free(s);
    return result;
}
