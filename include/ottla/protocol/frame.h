/*
 * frame.h - whole frames: the headers around a body, and how a response leaves
 *
 * A frame is an int32 size (itself not counted), a header and a body. Who reads from the socket
 * strips the size and hands the rest to frame_read_head(), then reads the body with the codec of
 * (api_key, api_version). Pure. Spec: README.md of the protocol facts, "Headers"; observed.md 5.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PROTOCOL_FRAME_H
#define OTTLA_PROTOCOL_FRAME_H

#include "ottla/common/err.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/messages.h"

typedef struct RequestHead {
    const ApiInfo *api;
    int16_t api_version; /* as sent, perhaps one that nobody serves */
    int32_t correlation_id;
    StrView client_id; /* view, may be null, may be invalid UTF-8 */
} RequestHead;

/*
 * Reads a request header, leaving the reader at the body. Tags of the header are skipped.
 * Negative, and sticky in the reader:
 *   OT_E_INVALID_REQUEST  no API has this key (Kafka closes the connection)
 *   OT_E_MALFORMED        the header is cut off
 */
int frame_read_head(WireReader *r, RequestHead *ret) __attribute__((warn_unused_result));

/* 1 or 2; an unknown version above the known ones is flexible, a negative one is not. */
int16_t frame_request_header_version(const ApiInfo *api, int16_t version);

/* 0 or 1; ApiVersions has 0 always, its client does not know yet what the server speaks. */
int16_t frame_response_header_version(const ApiInfo *api, int16_t version);

/*
 * A frame on its way out: the bytes of buf, and after buf_pos of each slice the bytes of its file
 * (slices in rising buf_pos). Memory is the arena's.
 */
typedef struct FrameOut {
    uint8_t *buf;
    size_t len;
    WireSlice *slices;
    int32_t slices_count;
    size_t file_bytes; /* sum of the slices */
} FrameOut;

/* What a frame carries: &x_desc, the version to write, and the struct of that message. */
typedef struct FrameBody {
    const MessageDesc *desc;
    const void *msg;
    int16_t version; /* of a response to ApiVersions it may differ from the request's */
} FrameBody;

/*
 * The whole response, size included. Nothing is given back on an error:
 *   OT_E_UNSUPPORTED_VERSION  a value that the version cannot carry (a bug of the handler)
 *   OT_E_MESSAGE_TOO_LARGE    a string above 32767 bytes or a frame above INT32_MAX
 *   OT_E_NO_MEMORY            the arena is at its cap
 */
int frame_encode_response(const RequestHead *head, const FrameBody *body, FrameOut *ret,
                          Arena *arena, ErrInfo *err) __attribute__((warn_unused_result));

/* The same for a request that this node, the shell or a test sends; head->api_version is written. */
int frame_encode_request(const RequestHead *head, const FrameBody *body, FrameOut *ret,
                         Arena *arena, ErrInfo *err) __attribute__((warn_unused_result));

#endif
