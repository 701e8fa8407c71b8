/*
 * cmd_tail.c - \tail: the last messages of topics, and what comes after them
 *
 * The last of all partitions are shown in the order of their timestamps; what follows as it comes.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "stream_int.h"

#include <stdlib.h>

#include "interrupt_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/text.h"
#include "output_int.h"
#include "regex_int.h"
#include "stream_range_int.h"

#define TAIL_TOPICS_MAX 100
#define TAIL_DEFAULT    10
#define TAIL_WAIT_MS    200                 /* of one look at a topic that is followed */
#define TAIL_HELD_BYTES ((size_t)512 << 20) /* messages that are put in order */

typedef struct Tail {
    CommandCall *call;
    bool follow;
    int32_t partition; /* -1: all */
    StreamRange range;
    const char *group; /* NULL: none; as the others malloc'ed */
    char *format_text;
    char *pipe;
    StreamFormat format;
    Regex *key_regex;
    Regex *value_regex;
    char *topics[TAIL_TOPICS_MAX];
    int32_t topic_count;
    ClientScan *scans[TAIL_TOPICS_MAX];
    Output out;
    Arena *arena; /* of one message, or of those that are held */
    StrBuf text;
} Tail;

typedef struct Held {
    StreamMessage message;
    int64_t order; /* in which it came */
} Held;

/* ---- arguments ---- */

static int
take_number(CommandCall *call, const char *word, int64_t *ret)
{
    if (word != NULL && text_to_int64(strview_from(word), ret) && *ret >= 0 && *ret <= INT32_MAX)
        return 0;
    (void)command_fail(call, "a number from 0 is expected, not \"%s\"", word == NULL ? "" : word);
    return -1;
}

static int
take_regex(CommandCall *call, const char *word, Regex **ret)
{
    Fault f;

    regex_free(*ret);
    *ret = word == NULL ? NULL : regex_new(word, &f);
    if (*ret != NULL)
        return 0;
    (void)command_fail(call, "%s", word == NULL ? "a pattern is missing" : f.message);
    return -1;
}

/* One option; its letter is behind the '-'. */
static int
take_option(Tail *tail, const char *option)
{
    CommandCall *call = tail->call;
    int64_t number;
    Fault f;

    if (strcmp(option, "-f") == 0) {
        tail->follow = true;
        return 0;
    }
    if (strcmp(option, "-J") == 0) {
        tail->format.json = true;
        return 0;
    }
    if (strcmp(option, "-k") == 0)
        return take_regex(call, command_word(call), &tail->key_regex);
    if (strcmp(option, "-v") == 0)
        return take_regex(call, command_word(call), &tail->value_regex);
    if (strcmp(option, "-F") == 0)
        return stream_take_text(call, option, &tail->format_text);
    if (strcmp(option, "-g") == 0) {
        char *group = NULL;

        if (stream_take_text(call, option, &group) != 0)
            return -1;
        tail->group = group;
        tail->range = (StreamRange){.from = STREAM_FROM_STORED};
        return 0;
    }
    if (strcmp(option, "-o") == 0) {
        const char *word = command_word(call);

        if (word != NULL && stream_range_parse(call->shell, word, &tail->range, &f) == 0)
            return 0;
        (void)command_fail(call, "%s", word == NULL ? "an offset is missing" : f.message);
        return -1;
    }
    if (strcmp(option, "-n") == 0 || strcmp(option, "-p") == 0) {
        if (take_number(call, command_word(call), &number) != 0)
            return -1;
        if (option[1] == 'n')
            tail->range = (StreamRange){.from = STREAM_FROM_LAST, .number = number};
        else
            tail->partition = (int32_t)number;
        return 0;
    }
    (void)command_fail(call, "there is no option %s", option);
    return -1;
}

static int
take_arguments(Tail *tail)
{
    CommandCall *call = tail->call;
    const char *word;

    while ((word = command_pipe_word(call)) != NULL) {
        if (word[0] == '|') {
            tail->pipe = strdup(word);
        } else if (word[0] == '-' && word[1] != '\0') {
            char option[64];

            (void)snprintf(option, sizeof option, "%s", word);
            if (take_option(tail, option) != 0)
                return -1;
        } else if (tail->topic_count == TAIL_TOPICS_MAX) {
            (void)command_fail(call, "more than %d topics", TAIL_TOPICS_MAX);
            return -1;
        } else {
            tail->topics[tail->topic_count++] = strdup(word);
        }
    }
    if (tail->topic_count == 0 && call->shell->topic[0] != '\0')
        tail->topics[tail->topic_count++] = strdup(call->shell->topic);
    if (call->bad)
        return -1;
    if (tail->topic_count == 0) {
        (void)command_fail(call, "which topic? (\\c topic NAME chooses one for good)");
        return -1;
    }
    return 0;
}

/* The format of -F, else that of MESSAGE_FORMAT. */
static int
choose_format(Tail *tail)
{
    Shell *shell = tail->call->shell;
    const char *variable = variables_get(shell->vars, STRVIEW("MESSAGE_FORMAT"));
    const char *fault;

    tail->format.delimiter = "\n";
    tail->format.null = "";
    tail->format.utc =
        shell->sql_env.timezone != NULL && strcmp(shell->sql_env.timezone, "UTC") == 0;
    tail->format.format = tail->format_text;
    if (tail->format.format == NULL && variable != NULL && variable[0] != '\0')
        tail->format.format = variable;
    if (tail->format.format == NULL)
        return 0;
    fault = stream_format_check(tail->format.format);
    if (fault[0] == '\0')
        return 0;
    (void)command_fail(tail->call, "the format has no such token: %s", fault);
    return -1;
}

/* ---- messages ---- */

static bool
wanted(const Tail *tail, const ClientRecord *record)
{
    return (tail->key_regex == NULL || regex_matches(tail->key_regex, record->record.key)) &&
           (tail->value_regex == NULL || regex_matches(tail->value_regex, record->record.value));
}

/* False: nobody reads any more. */
static bool
show(Tail *tail, const StreamMessage *message)
{
    strbuf_clear(&tail->text);
    stream_format_add(&tail->format, message, &tail->text);
    return stream_write(tail->call->shell, tail->out.file, tail->text.ptr, tail->text.len);
}

static int
open_scan(Tail *tail, int32_t i, Fault *f)
{
    Shell *shell = tail->call->shell;
    ClientScanOptions o = CLIENT_SCAN_DEFAULTS;
    int32_t *partitions = NULL;
    int64_t *starts = NULL;
    int status = 0;

    o.topic = strview_from(tail->topics[i]);
    o.follow = tail->follow && !tail->range.has_until_offset && !tail->range.has_until_time;
    o.max_wait_ms = TAIL_WAIT_MS;
    stream_range_apply(&tail->range, &o);
    if (tail->range.from == STREAM_FROM_FIRST)
        o.offset_skip = tail->range.number;
    if (tail->range.from == STREAM_FROM_STORED && tail->group == NULL)
        return fault_set(f, FAULT_BAD_PARAMETER, "stored offsets of which group? (-g GROUP)");
    if (tail->range.from == STREAM_FROM_STORED)
        status =
            stream_stored(shell, tail->group, o.topic, &partitions, &starts, &o.partition_count, f);
    o.partitions = partitions;
    o.starts = starts;
    if (tail->partition >= 0) {
        int64_t start = partitions != NULL && tail->partition < o.partition_count
                            ? starts[tail->partition]
                            : CLIENT_NO_BOUND;

        o.partitions = &tail->partition;
        o.partition_count = 1;
        o.starts = &start;
        if (status == 0)
            status = client_scan_open(shell->client, &o, &tail->scans[i], f);
    } else if (status == 0) {
        status = client_scan_open(shell->client, &o, &tail->scans[i], f);
    }
    free(partitions);
    free(starts);
    return status;
}

/* ---- the last ones, in order ---- */

static BytesView
copy_bytes(Arena *arena, BytesView bytes, bool *ok)
{
    uint8_t *copy;

    if (bytes.ptr == NULL)
        return bytes;
    copy = arena_alloc(arena, (size_t)bytes.len + 1);
    *ok = *ok && copy != NULL;
    if (copy != NULL && bytes.len > 0)
        memcpy(copy, bytes.ptr, (size_t)bytes.len);
    return (BytesView){copy, copy == NULL ? 0 : bytes.len};
}

/* Makes a message independent of the scan. */
static bool
copy_message(Arena *arena, const StreamMessage *from, Held *to)
{
    RecordHeader *headers = arena_calloc(arena, (size_t)from->header_count + 1, sizeof *headers);
    bool ok = headers != NULL;

    to->message = *from;
    to->message.key = copy_bytes(arena, from->key, &ok);
    to->message.value = copy_bytes(arena, from->value, &ok);
    for (int32_t i = 0; ok && i < from->header_count; i++) {
        BytesView name = copy_bytes(
            arena, (BytesView){(const uint8_t *)from->headers[i].key.ptr, from->headers[i].key.len},
            &ok);

        headers[i].key = (StrView){(const char *)name.ptr, name.len};
        headers[i].value = copy_bytes(arena, from->headers[i].value, &ok);
    }
    to->message.headers = headers;
    return ok;
}

static int
by_time(const void *a, const void *b)
{
    const Held *x = a;
    const Held *y = b;

    if (x->message.timestamp != y->message.timestamp)
        return x->message.timestamp < y->message.timestamp ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

typedef struct HeldList {
    Held *list;
    int64_t count;
    int64_t room;
} HeldList;

static int
hold(Tail *tail, HeldList *held, StrView topic, const ClientRecord *record, Fault *f)
{
    StreamMessage message;

    if (held->count == held->room) {
        int64_t room = held->room == 0 ? 256 : held->room * 2;
        Held *more = realloc(held->list, (size_t)room * sizeof *more);

        if (more == NULL)
            return fault_set(f, FAULT_NO_MEMORY, "no memory for so many messages");
        held->list = more;
        held->room = room;
    }
    if (!stream_message_of(tail->call->shell, topic, record, tail->arena, &message) ||
        !copy_message(tail->arena, &message, &held->list[held->count]))
        return fault_set(f, FAULT_NO_MEMORY, "the messages do not fit into memory; ask for fewer");
    held->list[held->count].order = held->count;
    held->count++;
    return 0;
}

/* Collects what was there when the scans were opened. */
static int
gather(Tail *tail, HeldList *held, Fault *f)
{
    for (int32_t i = 0; i < tail->topic_count; i++) {
        ClientRecord record;
        int got = 1;

        while (got == 1 && !(tail->follow && client_scan_caught_up(tail->scans[i]))) {
            got = client_scan_next(tail->scans[i], &record, f);
            if (got == 1 && wanted(tail, &record) &&
                hold(tail, held, strview_from(tail->topics[i]), &record, f) != 0)
                return -1;
            if (got == 0 && tail->follow)
                got = 1; /* nothing yet, though there was something */
        }
        if (got < 0)
            return -1;
    }
    return 0;
}

/* 1: nobody reads any more. */
static int
show_last(Tail *tail, Fault *f)
{
    HeldList held = {NULL, 0, 0};
    int status = gather(tail, &held, f);

    if (status == 0 && held.count > 0) {
        qsort(held.list, (size_t)held.count, sizeof held.list[0], by_time);
        for (int64_t i = 0; i < held.count && status == 0; i++)
            status = show(tail, &held.list[i].message) ? 0 : 1;
    }
    free(held.list);
    arena_reset(tail->arena);
    return status;
}

/* ---- what follows ---- */

static int
follow(Tail *tail, Fault *f)
{
    for (int32_t i = 0;; i = (i + 1) % tail->topic_count) {
        StrView topic = strview_from(tail->topics[i]);
        ClientRecord record;
        int got;

        while ((got = client_scan_next(tail->scans[i], &record, f)) == 1) {
            StreamMessage message;

            if (!wanted(tail, &record))
                continue;
            arena_reset(tail->arena);
            if (!stream_message_of(tail->call->shell, topic, &record, tail->arena, &message))
                return fault_set(f, FAULT_NO_MEMORY, "no memory for a message");
            if (!show(tail, &message))
                return 0;
        }
        if (got < 0)
            return -1;
        if (stream_reader_gone(tail->out.file))
            return 0;
        if (shell_interrupted())
            return fault_set(f, FAULT_CANCELED, "canceled on user's request");
    }
}

static int
run(Tail *tail, Fault *f)
{
    int status;

    for (int32_t i = 0; i < tail->topic_count; i++) {
        if (open_scan(tail, i, f) != 0)
            return -1;
    }
    tail->follow = tail->follow && !tail->range.has_until_offset && !tail->range.has_until_time;
    status = show_last(tail, f);
    if (status != 0)
        return status < 0 ? -1 : 0;
    return tail->follow ? follow(tail, f) : 0;
}

/* Shows what the arguments say. */
static CommandResult
show_tail(Tail *tail)
{
    Shell *shell = tail->call->shell;
    CommandResult result;
    Fault f;

    fault_clear(&f);
    tail->out = shell->out;
    if (tail->pipe != NULL && output_open(shell, tail->pipe, &tail->out) != 0)
        return COMMAND_FAILED;
    result = stream_end(tail->call, run(tail, &f), &f);
    if (tail->pipe != NULL)
        output_close(&tail->out);
    return result;
}

CommandResult
cmd_tail(CommandCall *call)
{
    Tail *tail = calloc(1, sizeof *tail);
    CommandResult result = COMMAND_FAILED;

    if (tail == NULL)
        return command_fail(call, "no memory");
    tail->call = call;
    tail->partition = -1;
    tail->range = (StreamRange){.from = STREAM_FROM_LAST, .number = TAIL_DEFAULT};
    tail->arena = arena_new(65536, TAIL_HELD_BYTES);
    strbuf_init(&tail->text, STREAM_MESSAGE_BYTES_MAX, NULL);
    if (take_arguments(tail) == 0 && choose_format(tail) == 0) {
        if (call->shell->client == NULL)
            (void)command_fail(call, "you are currently not connected");
        else if (tail->arena != NULL)
            result = show_tail(tail);
    }
    for (int32_t i = 0; i < tail->topic_count; i++) {
        client_scan_close(tail->scans[i]);
        free(tail->topics[i]);
    }
    regex_free(tail->key_regex);
    regex_free(tail->value_regex);
    free(tail->format_text);
    free(tail->pipe);
    { /* given away as const */
        char *group;
        memcpy(&group, &tail->group, sizeof group);
        free(group);
    }
    strbuf_release(&tail->text);
    arena_free(tail->arena);
    free(tail);
    return result;
}
