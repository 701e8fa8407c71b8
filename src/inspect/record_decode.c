/*
 * record_decode.c - what the records of Kafka's own logs say, as JSON
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/inspect/record_decode.h"

#include <stdio.h>
#include <string.h>

#include "ottla/protocol/record_frame.h"

#define DECODE_CHUNK_BYTES 65536

LogContent
log_content_of_topic(StrView topic)
{
    static const char *const names[LOG_CONTENT_COUNT] = {
        [LOG_CONTENT_METADATA] = "__cluster_metadata",
        [LOG_CONTENT_OFFSETS] = "__consumer_offsets",
        [LOG_CONTENT_TRANSACTIONS] = "__transaction_state",
        [LOG_CONTENT_SHARE] = "__share_group_state",
    };

    for (int i = 0; i < LOG_CONTENT_COUNT; i++)
        if (names[i] != NULL && strview_equal(topic, strview_from(names[i])))
            return (LogContent)i;
    return LOG_CONTENT_PLAIN;
}

/* Each coordinator counts its records from 0; which log a kind of key belongs to is in its name. */
static LogContent
home_of(const MessageDesc *desc)
{
    if (strncmp(desc->name, "TransactionLog", 14) == 0)
        return LOG_CONTENT_TRANSACTIONS;
    if (strncmp(desc->name, "ShareSnapshot", 13) == 0 ||
        strncmp(desc->name, "ShareUpdate", 11) == 0)
        return LOG_CONTENT_SHARE;
    return LOG_CONTENT_OFFSETS;
}

static const MessageDesc *
find_coordinator_record(LogContent content, MessageKind kind, int16_t number)
{
    for (int i = 0; i < message_count; i++)
        if (message_list[i]->kind == kind && message_list[i]->number == number &&
            home_of(message_list[i]) == content)
            return message_list[i];
    return NULL;
}

/* Reads the body behind the frame and prints it with name and version. */
static bool
add_body(WireReader *r, const MessageDesc *desc, int16_t version, StrBuf *text,
         const char **ret_why)
{
    void *body = arena_alloc(r->arena, desc->body->bytes);

    if (body == NULL) {
        *ret_why = "no memory";
        return false;
    }
    desc->read(r, version, body);
    if (r->err != 0) {
        *ret_why = r->err_field != NULL ? r->err_field : "body";
        return false;
    }
    strbuf_printf(text, "{\"type\":\"%s\",\"version\":%d,\"data\":", desc->name, (int)version);
    json_add_message(text, desc, version, body);
    strbuf_add_char(text, '}');
    if (wire_left(r) != 0) {
        *ret_why = "bytes behind the record";
        return false;
    }
    return true;
}

static bool
add_coordinator_record(LogContent content, const Record *record, Arena *arena, StrBuf *key,
                       StrBuf *value, const char **ret_why)
{
    const MessageDesc *desc;
    int16_t number, version;
    WireReader r;

    if (record->key.ptr == NULL) {
        *ret_why = "no key";
        return false;
    }
    wire_reader_init(&r, record->key.ptr, (size_t)record->key.len, arena);
    number = wire_read_int16(&r, "type");
    desc = r.err != 0 ? NULL : find_coordinator_record(content, MESSAGE_KEY, number);
    if (desc == NULL) {
        *ret_why = "unknown kind of key";
        return false;
    }
    if (!add_body(&r, desc, 0, key, ret_why))
        return false;
    if (record->value.ptr == NULL) {
        strbuf_add_cstr(value, "null");
        return true;
    }
    wire_reader_init(&r, record->value.ptr, (size_t)record->value.len, arena);
    version = wire_read_int16(&r, "version");
    desc = r.err != 0 ? NULL : find_coordinator_record(content, MESSAGE_VALUE, number);
    if (desc == NULL || !message_has_version(desc, version)) {
        *ret_why = "unknown version of the value";
        return false;
    }
    return add_body(&r, desc, version, value, ret_why);
}

static bool
add_metadata_record(const Record *record, Arena *arena, StrBuf *key, StrBuf *value,
                    const char **ret_why)
{
    const MessageDesc *desc;
    int16_t version;
    WireReader r;

    if (record->key.ptr != NULL || record->value.ptr == NULL) {
        *ret_why = "a key, or no value";
        return false;
    }
    strbuf_add_cstr(key, "null");
    wire_reader_init(&r, record->value.ptr, (size_t)record->value.len, arena);
    desc = record_frame_read(&r, MESSAGE_METADATA, &version);
    if (desc == NULL) {
        *ret_why = r.err_field != NULL ? r.err_field : "frame";
        return false;
    }
    return add_body(&r, desc, version, value, ret_why);
}

bool
record_decode(LogContent content, const Record *record, StrBuf *key, StrBuf *value,
              const char **ret_why)
{
    Arena *arena = arena_new(DECODE_CHUNK_BYTES, 0);
    bool good;

    *ret_why = "";
    if (arena == NULL) {
        *ret_why = "no memory";
        return false;
    }
    good = content == LOG_CONTENT_METADATA
               ? add_metadata_record(record, arena, key, value, ret_why)
               : add_coordinator_record(content, record, arena, key, value, ret_why);
    arena_free(arena);
    return good;
}

const char *
control_decode(const Record *record, StrBuf *value)
{
    static const char *const names[] = {
        [CONTROL_LEADER_CHANGE] = "LeaderChange",     [CONTROL_SNAPSHOT_HEADER] = "SnapshotHeader",
        [CONTROL_SNAPSHOT_FOOTER] = "SnapshotFooter", [CONTROL_KRAFT_VERSION] = "KRaftVersion",
        [CONTROL_KRAFT_VOTERS] = "KRaftVoters",
    };
    Arena *arena = arena_new(DECODE_CHUNK_BYTES, 0);
    const MessageDesc *desc = NULL;
    const char *name = NULL;
    int16_t type, version;
    WireReader r;

    if (arena != NULL && control_record_type(record->key, &type) && type >= CONTROL_LEADER_CHANGE &&
        type <= CONTROL_KRAFT_VOTERS && record->value.ptr != NULL && record->value.len >= 2)
        desc = message_find_by_number(MESSAGE_CONTROL, type);
    if (desc != NULL) {
        void *body = arena_alloc(arena, desc->body->bytes);

        version = (int16_t)wire_load16(record->value.ptr);
        wire_reader_init(&r, record->value.ptr, (size_t)record->value.len, arena);
        if (body != NULL && message_has_version(desc, version)) {
            desc->read(&r, version, body);
            if (r.err == 0) {
                json_add_message(value, desc, version, body);
                name = names[type];
            }
        }
    }
    arena_free(arena);
    return name;
}
