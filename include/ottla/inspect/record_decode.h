/*
 * record_decode.h - what the records of Kafka's own logs say, as JSON
 *
 * pure
 * Spec: README.md of the protocol facts, "What stands before a record's body".
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_INSPECT_RECORD_DECODE_H
#define OTTLA_INSPECT_RECORD_DECODE_H

#include <stdbool.h>

#include "ottla/protocol/json.h"
#include "ottla/protocol/record.h"

typedef enum LogContent {
    LOG_CONTENT_PLAIN, /* anything: not decoded */
    LOG_CONTENT_METADATA,
    LOG_CONTENT_OFFSETS,
    LOG_CONTENT_TRANSACTIONS,
    LOG_CONTENT_SHARE,
    LOG_CONTENT_COUNT
} LogContent;

/* What a topic of this name holds. */
LogContent log_content_of_topic(StrView topic);

/*
 * Adds key and value of a record as JSON objects: {"type":"OffsetCommitKey","version":1,"data":{...}};
 * null for a null one. False: they are not what such a log holds; *ret_why says why, and texts hold
 * whatever was added so far.
 */
bool record_decode(LogContent content, const Record *record, StrBuf *key, StrBuf *value,
                   const char **ret_why);

/* Name and body of a control record of the metadata log; NULL: none that is known. */
const char *control_decode(const Record *record, StrBuf *value);

#endif
