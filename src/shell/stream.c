/*
 * stream.c - what the commands that read or write messages share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "stream_int.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "interrupt_int.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/msg_offset_fetch.h"
#include "output_int.h"

#define OFFSET_FETCH_VERSION_MAX 7 /* later ones ask for several groups */

bool
stream_message_of(const Shell *shell, StrView topic, const ClientRecord *record, Arena *arena,
                  StreamMessage *ret)
{
    int32_t count = record->record.header_count;
    RecordHeader *headers;
    BytesView rest = record->record.headers;

    if (count > STREAM_HEADERS_MAX)
        count = STREAM_HEADERS_MAX;
    headers = arena_calloc(arena, (size_t)count + 1, sizeof *headers);
    if (headers == NULL)
        return false;
    for (int32_t i = 0; i < count; i++)
        (void)record_header_next(&rest, &headers[i]);
    *ret = (StreamMessage){.topic = topic,
                           .partition = record->partition,
                           .leader_epoch = batch_leader_epoch(record->batch),
                           .producer_id = batch_producer_id(record->batch),
                           .lag = -1,
                           .offset = record->record.offset,
                           .timestamp = record->record.timestamp,
                           .append_time = record->append_time,
                           .broker = client_info(shell->client)->node_id,
                           .key = record->record.key,
                           .value = record->record.value,
                           .headers = headers,
                           .header_count = count};
    return true;
}

bool
stream_write(Shell *shell, FILE *file, const char *bytes, size_t len)
{
    if (fwrite(bytes, 1, len, file) == len && fflush(file) == 0)
        return true;
    if (file == stdout)
        output_check(shell);
    else if (errno != EPIPE)
        (void)shell_error(shell, FAULT_FILE, "could not write: %s", strerror(errno));
    return false;
}

bool
stream_reader_gone(FILE *file)
{
    struct pollfd at = {.fd = fileno(file), .events = 0};

    return poll(&at, 1, 0) > 0 && (at.revents & (POLLERR | POLLNVAL)) != 0;
}

int
stream_take_text(CommandCall *call, const char *option, char **to)
{
    free(*to);
    *to = option[2] != '\0' ? strdup(option + 2) : command_word_copy(call);
    if (*to != NULL)
        return 0;
    (void)command_fail(call, "an argument of %s is missing", option);
    return -1;
}

int
stream_take_delimiter(CommandCall *call, const char *option, char **to)
{
    size_t len = 0;
    char *word = NULL;

    if (stream_take_text(call, option, &word) != 0)
        return -1;
    free(*to);
    *to = stream_unescape(word, &len);
    free(word);
    if (*to != NULL && strlen(*to) == len)
        return 0;
    (void)command_fail(call, *to == NULL ? "no memory" : "a delimiter has no zero byte");
    return -1;
}

CommandResult
stream_end(CommandCall *call, int status, const Fault *f)
{
    Shell *shell = call->shell;

    if (status == 0)
        return COMMAND_DONE;
    if (strcmp(f->sqlstate, FAULT_CANCELED) == 0 && shell_interrupted()) {
        interrupt_clear(shell->client);
        return COMMAND_DONE;
    }
    shell_report(shell, f, (StrView){NULL, 0});
    shell_check_connection(shell);
    return COMMAND_FAILED;
}

/* ---- offsets of a group ---- */

static int
ask_stored(Shell *shell, StrView group, StrView topic, const int32_t *partitions, int64_t *starts,
           int32_t count, Arena *arena, Fault *f)
{
    OffsetFetchRequestTopic wanted;
    OffsetFetchRequest request;
    OffsetFetchResponse response;
    ClientCall call = client_call_to(CLIENT_HERE, API_OffsetFetch);
    int32_t *copy = arena_alloc(arena, (size_t)count * sizeof *copy + 1);

    if (copy == NULL)
        return fault_set(f, FAULT_NO_MEMORY, "no memory for offsets");
    memcpy(copy, partitions, (size_t)count * sizeof *copy);
    if (client_coordinator(shell->client, 0, group, &call.node_id, f) != 0)
        return -1;
    offset_fetch_request_init(&request);
    offset_fetch_request_topic_init(&wanted);
    wanted.name = topic;
    wanted.partition_indexes = copy;
    wanted.partition_indexes_count = count;
    request.group_id = group;
    request.topics = &wanted;
    request.topics_count = 1;
    call.version_max = OFFSET_FETCH_VERSION_MAX;
    if (client_call(shell->client, &call, &request, &response, arena, f) != 0)
        return -1;
    if (response.error_code != KERR_NONE)
        return fault_kafka(f, response.error_code, call.node_id, "offsets of group \"%.*s\": %s",
                           group.len, group.ptr, fault_kafka_text(response.error_code));
    for (int32_t i = 0; i < response.topics_count; i++) {
        for (int32_t k = 0; k < response.topics[i].partitions_count; k++) {
            const OffsetFetchResponsePartition *from = &response.topics[i].partitions[k];

            if (from->partition_index >= 0 && from->partition_index < count &&
                from->committed_offset >= 0)
                starts[from->partition_index] = from->committed_offset;
        }
    }
    return 0;
}

int
stream_stored(Shell *shell, const char *group, StrView topic, int32_t **ret_partitions,
              int64_t **ret_starts, int32_t *ret_count, Fault *f)
{
    Arena *arena = arena_new(65536, (size_t)64 << 20);
    int32_t *partitions = NULL;
    int64_t *starts = NULL;
    int32_t count = 0;
    int status = -1;

    if (client_partition_count(shell->client, topic, &count, f) == 0) {
        partitions = calloc((size_t)count + 1, sizeof *partitions);
        starts = calloc((size_t)count + 1, sizeof *starts);
        if (arena == NULL || partitions == NULL || starts == NULL) {
            (void)fault_set(f, FAULT_NO_MEMORY, "no memory for offsets");
        } else {
            for (int32_t i = 0; i < count; i++) {
                partitions[i] = i;
                starts[i] = CLIENT_NO_BOUND;
            }
            status =
                ask_stored(shell, strview_from(group), topic, partitions, starts, count, arena, f);
        }
    }
    arena_free(arena);
    if (status != 0) {
        free(partitions);
        free(starts);
        return -1;
    }
    *ret_partitions = partitions;
    *ret_starts = starts;
    *ret_count = count;
    return 0;
}
