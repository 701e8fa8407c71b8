/*
 * json.h - prints any message as JSON, from its description
 *
 * Gives every field of the version, in the order of the table: bytes and records as hex, uuids in
 * 8-4-4-4-12 form, int64 as plain integers, tags that the table does not know under _unknownTags.
 * One line, no spaces, ASCII only. Used by tests, the log dump and the shell. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PROTOCOL_JSON_H
#define OTTLA_PROTOCOL_JSON_H

#include "ottla/common/strbuf.h"
#include "ottla/protocol/messages.h"

/* Appends the message. Records that lie in a file are printed as their length: "file:4711". */
void json_add_message(StrBuf *text, const MessageDesc *desc, int16_t version, const void *msg);

/* Appends a string with its quotes, in ASCII; invalid UTF-8 becomes U+FFFD. */
void json_add_string(StrBuf *text, StrView v);

#endif
