/*
 * stream_format_int.h - messages as text: formats with tokens, as kcat has them, and JSON
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_STREAM_FORMAT_INT_H
#define OTTLA_SHELL_STREAM_FORMAT_INT_H

#include "ottla/common/strbuf.h"
#include "ottla/protocol/record.h"

#define STREAM_HEADERS_MAX 10000

/* A message, wherever it came from. */
typedef struct StreamMessage {
    StrView topic;
    int32_t partition;
    int32_t leader_epoch; /* -1: not known, as the next two */
    int64_t producer_id;
    int64_t lag; /* messages behind it */
    int64_t offset;
    int64_t timestamp;
    bool append_time;
    int32_t broker; /* -1: not known */
    BytesView key;
    BytesView value;
    const RecordHeader *headers;
    int32_t header_count;
} StreamMessage;

typedef struct StreamFormat {
    const char *format;        /* tokens; NULL: value and delimiter */
    const char *delimiter;     /* behind each message of the plain form; "\n" */
    const char *key_delimiter; /* NULL: keys are not shown in the plain form */
    const char *null;          /* what null looks like, "" */
    bool json;                 /* one object a line instead */
    bool utc;                  /* of %{ts:...}; else the zone of the process */
} StreamFormat;

/* "": the format is good. Else what is wrong with it. */
const char *stream_format_check(const char *format);

/* Appends a message. What does not fit into the buffer makes it fail. */
void stream_format_add(const StreamFormat *format, const StreamMessage *message, StrBuf *to);

/* Takes the escapes \n \r \t \\ \0 \xNN away. Another backslash stays. To be freed; NULL: no memory. */
char *stream_unescape(const char *text, size_t *ret_len);

#endif
