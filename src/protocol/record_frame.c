/*
 * record_frame.c - what stands before the body of a key or value in the system logs
 *
 * Used by controller, coordinator and tools. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/record_frame.h"

#define FRAME_VERSION 1

static bool
has_number(const MessageDesc *desc)
{
    return desc->kind == MESSAGE_METADATA || desc->kind == MESSAGE_REMOTE_LOG;
}

void
record_frame_size(WireSizer *s, const MessageDesc *desc, int16_t version)
{
    if (has_number(desc))
        s->bytes +=
            1 + wire_uvarint_size((uint32_t)desc->number) + wire_uvarint_size((uint32_t)version);
    else if (desc->kind != MESSAGE_CONTROL)
        s->bytes += 2;
}

void
record_frame_write(WireWriter *w, const MessageDesc *desc, int16_t version)
{
    if (has_number(desc)) {
        wire_write_uvarint(w, FRAME_VERSION);
        wire_write_uvarint(w, (uint32_t)desc->number);
        wire_write_uvarint(w, (uint32_t)version);
    } else if (desc->kind != MESSAGE_CONTROL) {
        wire_write_int16(w, desc->kind == MESSAGE_KEY ? desc->number : version);
    }
}

const MessageDesc *
record_frame_read(WireReader *r, MessageKind kind, int16_t *ret_version)
{
    if (wire_read_uvarint(r, "frameVersion") != FRAME_VERSION)
        wire_fail(r, OT_E_UNSUPPORTED_VERSION, "frameVersion");
    uint32_t number = wire_read_uvarint(r, "recordNumber");
    uint32_t version = wire_read_uvarint(r, "version");
    if (r->err != 0)
        return NULL;
    const MessageDesc *desc =
        number > INT16_MAX ? NULL : message_find_by_number(kind, (int16_t)number);
    if (desc == NULL) {
        wire_fail(r, OT_E_UNSUPPORTED_VERSION, "recordNumber");
        return NULL;
    }
    if (version > INT16_MAX || !message_has_version(desc, (int16_t)version)) {
        wire_fail(r, OT_E_UNSUPPORTED_VERSION, "version");
        return NULL;
    }
    *ret_version = (int16_t)version;
    return desc;
}
