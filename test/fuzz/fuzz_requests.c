/*
 * fuzz_requests.c - any bytes as a request frame: header, body, written again
 *
 * The input is a frame without its size, so the header itself picks API and version. Claims:
 *   - nothing is read beyond the input (ASan), no undefined behaviour (UBSan);
 *   - reading takes at most message_memory_ratio() * bytes + a constant of memory;
 *   - what was read can be written in the same version, and the written bytes are a fixed point:
 *     reading and writing them again gives the same bytes and the same values.
 *
 * Corpus: test/fuzz/corpus/requests, made by test/fuzz/seed_requests.pl.
 * Layers: protocol
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/protocol/frame.h"
#include "ottla/protocol/json.h"

#define MEMORY_SLACK_BYTES 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *
write_again(const MessageDesc *desc, int16_t version, const void *msg, size_t *ret_len)
{
    WireSizer s = {0};
    desc->size(&s, version, msg);
    ot_assert(s.err == 0);
    ot_assert(s.slices_count == 0);
    uint8_t *buf = malloc(s.bytes + 1);
    ot_assert(buf != NULL);
    WireWriter w;
    wire_writer_init(&w, buf, s.bytes);
    desc->write(&w, version, msg);
    ot_assert(w.pos == w.end);
    *ret_len = s.bytes;
    return buf;
}

static void
check_fixed_point(const MessageDesc *desc, int16_t version, const void *msg, Arena *arena)
{
    size_t first_len;
    size_t second_len;
    uint8_t *first = write_again(desc, version, msg, &first_len);
    void *again = malloc(desc->body->bytes);
    ot_assert(again != NULL);
    WireReader r;
    wire_reader_init(&r, first, first_len, arena);
    desc->read(&r, version, again);
    ot_assert(r.err == 0);
    ot_assert(wire_left(&r) == 0);
    uint8_t *second = write_again(desc, version, again, &second_len);
    ot_assert(first_len == second_len);
    ot_assert(memcmp(first, second, first_len) == 0);

    StrBuf text;
    StrBuf other;
    strbuf_init(&text, INT_MAX, NULL);
    strbuf_init(&other, INT_MAX, NULL);
    json_add_message(&text, desc, version, msg);
    json_add_message(&other, desc, version, again);
    ot_assert(text.len == other.len);
    ot_assert(memcmp(text.ptr, other.ptr, text.len) == 0);
    strbuf_release(&text);
    strbuf_release(&other);
    free(again);
    free(second);
    free(first);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static Arena *arena;
    WireReader r;
    RequestHead head;
    if (arena == NULL)
        arena = arena_new(1024, 0);
    ot_assert(arena != NULL);
    arena_reset(arena);
    wire_reader_init(&r, data, size, arena);
    if (frame_read_head(&r, &head) != 0)
        return 0;
    const MessageDesc *desc = message_find_by_number(MESSAGE_REQUEST, head.api->key);
    ot_assert(desc != NULL);
    if (!message_has_version(desc, head.api_version))
        return 0;
    void *msg = malloc(desc->body->bytes);
    ot_assert(msg != NULL);
    desc->read(&r, head.api_version, msg);
    ot_assert((double)arena_bytes(arena) <=
              message_memory_ratio(desc) * (double)size + MEMORY_SLACK_BYTES);
    if (r.err == 0)
        check_fixed_point(desc, head.api_version, msg, arena);
    free(msg);
    return 0;
}
