/*
 * frame.c - request and response headers, whole frames in one buffer
 *
 * Runs in: backend, replicator, controller, shell. Pure.
 * Never: copies records that lie in files; refuses what Kafka lets pass in a header.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/protocol/frame.h"

#include "ottla/common/assert.h"

#define FRAME_SIZE_BYTES 4

int16_t
frame_request_header_version(const ApiInfo *api, int16_t version)
{
    return version >= api->flexible_from ? 2 : 1;
}

int16_t
frame_response_header_version(const ApiInfo *api, int16_t version)
{
    if (api->key == API_ApiVersions)
        return 0;
    return version >= api->flexible_from ? 1 : 0;
}

/* Tags of a header are nobody's business: skipped without memory. */
static void
skip_tags(WireReader *r)
{
    for (int32_t left = wire_read_tag_count(r); left > 0 && r->err == 0; left--) {
        const uint8_t *outer_end;
        (void)wire_read_tag_begin(r, &outer_end);
        r->pos = r->end;
        wire_read_tag_end(r, outer_end);
    }
}

int
frame_read_head(WireReader *r, RequestHead *ret)
{
    int16_t key = wire_read_int16(r, "requestApiKey");
    *ret = (RequestHead){.api_version = wire_read_int16(r, "requestApiVersion")};
    ret->correlation_id = wire_read_int32(r, "correlationId");
    if (r->err != 0)
        return r->err;
    ret->api = api_find(key);
    if (ret->api == NULL) {
        wire_fail(r, OT_E_INVALID_REQUEST, "requestApiKey");
        return r->err;
    }
    ret->client_id = wire_read_string(r, false, true, "clientId");
    if (frame_request_header_version(ret->api, ret->api_version) == 2)
        skip_tags(r);
    return r->err;
}

/* Writes size, header and body; the buffer is exactly as large as they are. */
static int
encode(const RequestHead *head, const FrameBody *body, bool request, FrameOut *ret, Arena *arena,
       ErrInfo *err)
{
    WireSizer s = {.bytes = FRAME_SIZE_BYTES};
    bool tagged;
    if (request) {
        tagged = frame_request_header_version(head->api, head->api_version) == 2;
        s.bytes += 8;
        wire_size_string(&s, false, true, head->client_id, "clientId");
    } else {
        tagged = frame_response_header_version(head->api, body->version) == 1;
        s.bytes += 4;
    }
    s.bytes += tagged ? 1 : 0;
    body->desc->size(&s, body->version, body->msg);
    if (s.err != 0)
        return err_set(err, s.err, "%s version %d: %s cannot be written", body->desc->name,
                       body->version, s.err_field);
    size_t frame_bytes = wire_size_on_wire(&s) - FRAME_SIZE_BYTES;
    if (frame_bytes > INT32_MAX)
        return err_set(err, OT_E_MESSAGE_TOO_LARGE, "%s of %zu bytes", body->desc->name,
                       frame_bytes);
    uint8_t *buf = arena_alloc(arena, s.bytes);
    WireSlice *slices = NULL;
    if (s.slices_count > 0)
        slices = arena_alloc(arena, (size_t)s.slices_count * sizeof *slices);
    if (buf == NULL || (s.slices_count > 0 && slices == NULL))
        return err_set(err, OT_E_NO_MEMORY, "%s of %zu bytes", body->desc->name, s.bytes);

    WireWriter w;
    wire_writer_init(&w, buf, s.bytes);
    w.slices = slices;
    w.slices_max = s.slices_count;
    wire_write_int32(&w, (int32_t)frame_bytes);
    if (request) {
        wire_write_int16(&w, head->api->key);
        wire_write_int16(&w, head->api_version);
    }
    wire_write_int32(&w, head->correlation_id);
    if (request)
        wire_write_string(&w, false, head->client_id);
    if (tagged)
        wire_write_uvarint(&w, 0);
    body->desc->write(&w, body->version, body->msg);
    ot_assert(w.pos == w.end);
    ot_assert(w.slices_count == s.slices_count);
    *ret = (FrameOut){buf, s.bytes, slices, w.slices_count, s.file_bytes};
    return 0;
}

int
frame_encode_response(const RequestHead *head, const FrameBody *body, FrameOut *ret, Arena *arena,
                      ErrInfo *err)
{
    return encode(head, body, false, ret, arena, err);
}

int
frame_encode_request(const RequestHead *head, const FrameBody *body, FrameOut *ret, Arena *arena,
                     ErrInfo *err)
{
    ot_assert(body->version == head->api_version);
    return encode(head, body, true, ret, arena, err);
}
