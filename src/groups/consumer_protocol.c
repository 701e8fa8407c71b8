/*
 * consumer_protocol.c - what consumers put into the opaque bytes of classic groups
 *
 * Runs in: coordinator; tests. Every byte in here came from a client.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "groups/consumer_protocol_int.h"

#define VERSION_MAX 3

/* Behind the version; -1: there is none. */
static int16_t
begin(WireReader *r, BytesView bytes, Arena *arena)
{
    int16_t version;

    wire_reader_init(r, bytes.ptr, (size_t)bytes.len, arena);
    version = wire_read_int16(r, "version");
    if (r->err != 0 || version < 0)
        return -1;
    return version > VERSION_MAX ? VERSION_MAX : version;
}

int16_t
protocol_version(BytesView bytes)
{
    WireReader r;

    return begin(&r, bytes, NULL);
}

int
protocol_read_topics(BytesView bytes, Arena *arena, StrView **ret, int32_t *ret_count)
{
    WireReader r;
    StrView *topics;
    int32_t count;

    if (begin(&r, bytes, arena) < 0)
        return OT_E_MALFORMED;
    topics = wire_read_string_array(&r, false, false, &count, "topics");
    if (r.err != 0)
        return r.err;
    *ret = topics;
    *ret_count = count;
    return 0;
}

int
protocol_read_subscription(BytesView bytes, Arena *arena, ConsumerProtocolSubscription *ret)
{
    WireReader r;
    int16_t version = begin(&r, bytes, arena);

    if (version < 0)
        return OT_E_MALFORMED;
    consumer_protocol_subscription_init(ret);
    consumer_protocol_subscription_read(&r, version, ret);
    return r.err;
}

int
protocol_read_assignment(BytesView bytes, Arena *arena, ConsumerProtocolAssignment *ret)
{
    WireReader r;
    int16_t version;

    consumer_protocol_assignment_init(ret);
    if (bytes.len == 0)
        return 0;
    version = begin(&r, bytes, arena);
    if (version < 0)
        return OT_E_MALFORMED;
    consumer_protocol_assignment_read(&r, version, ret);
    return r.err;
}

BytesView
protocol_write_assignment(GroupOut *out, int16_t version,
                          const ConsumerProtocolAssignment *assignment)
{
    WireSizer size = {0};
    WireWriter w;
    uint8_t *bytes;

    consumer_protocol_assignment_size(&size, version, assignment);
    if (size.err != 0 || size.bytes > INT32_MAX - 2) {
        out->failed = true;
        return (BytesView){0};
    }
    bytes = group_out_alloc(out, size.bytes + 2, 1);
    if (bytes == NULL)
        return (BytesView){0};
    wire_writer_init(&w, bytes, size.bytes + 2);
    wire_write_int16(&w, version);
    consumer_protocol_assignment_write(&w, version, assignment);
    return (BytesView){bytes, (int32_t)size.bytes + 2};
}
