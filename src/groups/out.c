/*
 * out.c - what an operation on groups wants done: records, replies, lines of history
 *
 * Runs in: coordinator; tests.
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/groups/env.h"

/* At most: of a batch without its records, and of a record beside key and value. */
#define BATCH_BYTES  61
#define RECORD_BYTES 32

void
group_out_init(GroupOut *out, Arena *arena)
{
    *out = (GroupOut){.arena = arena};
    out->replies_end = &out->replies;
    out->records_end = &out->records;
    out->rebalances_end = &out->rebalances;
}

void *
group_out_alloc(GroupOut *out, size_t count, size_t size)
{
    void *ptr = arena_calloc(out->arena, count, size);

    if (ptr == NULL)
        out->failed = true;
    return ptr;
}

StrView
group_out_text(GroupOut *out, StrView text)
{
    char *copy;

    if (text.ptr == NULL || text.len == 0)
        return text;
    copy = group_out_alloc(out, (size_t)text.len, 1);
    if (copy == NULL)
        return STRVIEW("");
    memcpy(copy, text.ptr, (size_t)text.len);
    return (StrView){copy, text.len};
}

static void
add_reply(GroupOut *out, const GroupReply *reply)
{
    GroupReply *copy;

    if (reply->token == 0)
        return;
    copy = group_out_alloc(out, 1, sizeof *copy);
    if (copy == NULL)
        return;
    *copy = *reply;
    *out->replies_end = copy;
    out->replies_end = &copy->next;
}

void
group_reply(GroupOut *out, GroupToken token, GroupReplyWhen when, const MessageDesc *desc,
            int16_t version, const void *message)
{
    ot_assert(desc->kind == MESSAGE_RESPONSE && message_has_version(desc, version));
    add_reply(
        out,
        &(GroupReply){
            .token = token, .when = when, .desc = desc, .version = version, .message = message});
}

void
group_reply_status(GroupOut *out, GroupToken token, GroupReplyWhen when, int16_t status)
{
    ot_assert(status != 0);
    add_reply(out, &(GroupReply){.token = token, .when = when, .status = status});
}

/* Version and body, as they stand in a record; ptr NULL: failed. */
static BytesView
encode(GroupOut *out, const MessageDesc *desc, int16_t prefix, int16_t version, const void *msg)
{
    WireSizer size = {0};
    WireWriter w;
    uint8_t *bytes;

    desc->size(&size, version, msg);
    if (size.err != 0 || size.bytes > INT32_MAX - 2) {
        out->failed = true;
        return (BytesView){0};
    }
    bytes = group_out_alloc(out, size.bytes + 2, 1);
    if (bytes == NULL)
        return (BytesView){0};
    bytes[0] = (uint8_t)((uint16_t)prefix >> 8);
    bytes[1] = (uint8_t)prefix;
    wire_writer_init(&w, bytes + 2, size.bytes);
    desc->write(&w, version, msg);
    return (BytesView){bytes, (int32_t)size.bytes + 2};
}

void
group_record(GroupOut *out, const MessageDesc *key_desc, const void *key,
             const MessageDesc *value_desc, int16_t value_version, const void *value)
{
    GroupRecord *record = group_out_alloc(out, 1, sizeof *record);

    ot_assert(key_desc->kind == MESSAGE_KEY && key_desc->number >= 0);
    if (record == NULL)
        return;
    record->key = encode(out, key_desc, key_desc->number, 0, key);
    if (value != NULL)
        record->value = encode(out, value_desc, value_version, value_version, value);
    if (out->failed)
        return;
    *out->records_end = record;
    out->records_end = &record->next;
    out->record_count++;
    out->record_bytes += (size_t)record->key.len + (size_t)record->value.len;
}

bool
group_out_fits(const GroupOut *out, const GroupSettings *settings)
{
    size_t bytes = BATCH_BYTES + out->record_bytes + (size_t)out->record_count * RECORD_BYTES;

    return bytes <= (size_t)settings->max_batch_bytes;
}

void
group_out_spread(GroupOut *out)
{
    out->spread = true;
    out->whole = out->record_count;
}

void
group_out_keep_whole(GroupOut *out)
{
    out->spread = false;
}

void
group_out_forget_records(GroupOut *out)
{
    out->records = NULL;
    out->records_end = &out->records;
    out->record_count = 0;
    out->record_bytes = 0;
}

void
group_rebalance_ended(GroupOut *out, const GroupRebalance *rebalance)
{
    GroupRebalance *copy = group_out_alloc(out, 1, sizeof *copy);

    if (copy == NULL)
        return;
    *copy = *rebalance;
    copy->group = group_out_text(out, rebalance->group);
    copy->cause_member = group_out_text(out, rebalance->cause_member);
    copy->waited_for = group_out_text(out, rebalance->waited_for);
    copy->next = NULL;
    *out->rebalances_end = copy;
    out->rebalances_end = &copy->next;
}

const char *
rebalance_cause_text(RebalanceCause cause)
{
    static const char *const texts[REBALANCE_CAUSE_COUNT] = {
        [REBALANCE_NEW_MEMBER] = "new member",
        [REBALANCE_MEMBER_LEFT] = "member left",
        [REBALANCE_MEMBER_EXPIRED] = "session expired",
        [REBALANCE_SUBSCRIPTION_CHANGED] = "subscription changed",
        [REBALANCE_METADATA_CHANGED] = "topics changed",
        [REBALANCE_LEADER_REJOINED] = "leader rejoined",
        [REBALANCE_MEMBER_REJOINED] = "static member rejoined",
        [REBALANCE_MEMBER_FENCED] = "member fenced",
        [REBALANCE_SYNC_FAILED] = "assignment not stored",
        [REBALANCE_SYNC_TIMEOUT] = "assignment missing",
        [REBALANCE_MIGRATION] = "protocol changed",
        [REBALANCE_GROUP_TOO_LARGE] = "group too large",
        [REBALANCE_RELOADED] = "coordinator changed",
    };

    ot_assert(cause < REBALANCE_CAUSE_COUNT);
    return texts[cause];
}
