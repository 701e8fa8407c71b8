/*
 * record_frame.h - what stands before the body of a key or value in the system logs
 *
 *   metadata, remote log   uvarint 1, uvarint record number, uvarint version
 *   key of a coordinator   int16 record number (the body has version 0)
 *   value, data            int16 version
 *   control                nothing: the first field of the body repeats the version
 *
 * Pure. Spec: README.md of the protocol facts, "What stands before a record's body".
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PROTOCOL_RECORD_FRAME_H
#define OTTLA_PROTOCOL_RECORD_FRAME_H

#include "ottla/protocol/messages.h"

/* The bytes before the body of this kind of message; to be followed by desc->size and desc->write. */
void record_frame_size(WireSizer *s, const MessageDesc *desc, int16_t version);
void record_frame_write(WireWriter *w, const MessageDesc *desc, int16_t version);

/*
 * Reads what stands before a record of kind MESSAGE_METADATA or MESSAGE_REMOTE_LOG. NULL, with the
 * reader's error: OT_E_MALFORMED, or OT_E_UNSUPPORTED_VERSION for a frame version, record number or
 * version that is not in the tables; err_field says which.
 */
const MessageDesc *record_frame_read(WireReader *r, MessageKind kind, int16_t *ret_version);

#endif
