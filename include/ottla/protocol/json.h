/*
 * json.h - any message as JSON and back, from its description
 *
 * Gives every field of the version, in the order of the table: bytes and records as hex, uuids in
 * 8-4-4-4-12 form, int64 as plain integers, tags that the table does not know under _unknownTags.
 * One line, no spaces, ASCII only. Used by tests, the log dump and the shell. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PROTOCOL_JSON_H
#define OTTLA_PROTOCOL_JSON_H

#include "ottla/common/arena.h"
#include "ottla/common/err.h"
#include "ottla/common/strbuf.h"
#include "ottla/protocol/messages.h"

/* Appends the message. Records that lie in a file are printed as their length: "file:4711". */
void json_add_message(StrBuf *text, const MessageDesc *desc, int16_t version, const void *msg);

/* Appends a string with its quotes, in ASCII; invalid UTF-8 becomes U+FFFD. */
void json_add_string(StrBuf *text, StrView v);

/* JSON that says a message in a version. */
typedef struct JsonText {
    StrView text;
    int16_t version;
} JsonText;

/*
 * Fills a message from what json_add_message prints, and from less: fields of the message itself that are not given
 * have their defaults; inside arrays and structs uuids, tagged and nullable fields may be missing (zero, null), all
 * others must be there. Uuids may be in Kafka's form, too. Unknown tags cannot be given.
 *
 * ret  the message's C struct; strings and arrays lie in the arena
 * OT_E_MALFORMED: no such JSON, unknown field, value that does not fit; err says what and where. OT_E_NO_MEMORY.
 */
int json_read_message(JsonText text, const MessageDesc *desc, void *ret, Arena *arena, ErrInfo *err)
    __attribute__((warn_unused_result));

#endif
