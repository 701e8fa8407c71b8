/*
 * hostile_bombs.c - batches that grow when they are decompressed, in each codec
 *
 * A bomb is a Produce request below a megabyte whose one record has a value of up to 256 MiB of zeros. It is
 * well-formed, so the broker reads all of it before it can answer. Another claims a record longer than what follows,
 * and a third holds nothing but zeros, which are no records.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ottla/common/compress.h"
#include "ottla/protocol/apis.h"
#include "ottla/protocol/batch.h"
#include "ottla/protocol/wire.h"
#include "wire_requests.h"

#define TOPIC       "bombs"
#define PACKED_MAX  900000
#define PEAK_SLACK  (12 << 20) /* contexts of codecs, stack, shared pages first touched */
#define HEADER_ROOM 256

typedef enum BombKind {
    BOMB_RECORD, /* a record that is as long as it says */
    BOMB_LIE,    /* one that says it is longer */
    BOMB_ZEROS,
    BOMB_KIND_COUNT
} BombKind;

typedef struct Bomb {
    uint8_t bytes[PACKED_MAX + (256 << 10)];
    size_t len;
} Bomb;

static const struct {
    Codec codec;
    const char *name;
    int64_t bytes; /* as many as fit into a request */
} codecs[] = {{CODEC_GZIP, "gzip", 128 << 20},
              {CODEC_SNAPPY, "snappy", 8 << 20},
              {CODEC_LZ4, "lz4", 128 << 20},
              {CODEC_ZSTD, "zstd", 256 << 20}};

static int
take(void *arg, const uint8_t *bytes, size_t len)
{
    Bomb *bomb = arg;

    if (bomb->len + len > sizeof bomb->bytes)
        give_up("a bomb is too large");
    memcpy(bomb->bytes + bomb->len, bytes, len);
    bomb->len += len;
    return 0;
}

static size_t
put_varint(uint8_t *at, int64_t value)
{
    uint64_t rest = (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
    size_t n = 0;

    for (; rest > 127; rest >>= 7)
        at[n++] = (uint8_t)(rest | 128);
    at[n++] = (uint8_t)rest;
    return n;
}

/* What stands before the zeros. */
static size_t
put_record_head(uint8_t *at, BombKind kind, int64_t zeros)
{
    uint8_t behind[32];
    size_t n = 3; /* attributes, timestamp and offset of 0 */
    size_t len;

    if (kind == BOMB_ZEROS)
        return 0;
    memset(behind, 0, sizeof behind);
    n += put_varint(behind + n, -1);        /* no key */
    n += put_varint(behind + n, zeros - 1); /* the last zero is the number of headers */
    len = put_varint(at, (int64_t)n + zeros + (kind == BOMB_LIE ? 1000 : 0));
    memcpy(at + len, behind, n);
    return len + n;
}

/* The batch, compressed: its bytes. */
static void
make_bomb(Bomb *bomb, int which, BombKind kind)
{
    static const uint8_t zeros[65536];
    Arena *arena = arena_new(1 << 16, 0);
    Encoder *encoder =
        encoder_open(codecs[which].codec, codecs[which].codec == CODEC_LZ4 ? 9 : 1, arena);
    uint8_t head[64];
    size_t head_len = put_record_head(head, kind, codecs[which].bytes);

    memset(bomb->bytes, 0, BATCH_HEADER_BYTES);
    bomb->len = BATCH_HEADER_BYTES;
    if (encoder == NULL || encoder_put(encoder, head, head_len, take, bomb) != 0)
        give_up("encoder");
    for (int64_t done = 0; done < codecs[which].bytes; done += (int64_t)sizeof zeros)
        if (encoder_put(encoder, zeros, sizeof zeros, take, bomb) != 0)
            give_up("encoder");
    if (encoder_finish(encoder, take, bomb) != 0)
        give_up("encoder");
    encoder_close(encoder);
    arena_free(arena);
    wire_store32(bomb->bytes + 8, (uint32_t)bomb->len - 12);
    bomb->bytes[16] = 2;
    wire_store16(bomb->bytes + 21, (uint16_t)codecs[which].codec);
    memset(bomb->bytes + 43, 0xff, 14); /* no producer */
    wire_store32(bomb->bytes + 57, 1);  /* one record */
    batch_seal(bomb->bytes, bomb->len);
}

/* A Produce v7 of it; the length of the frame. */
static size_t
put_frame(uint8_t *frame, const Bomb *bomb)
{
    size_t n = 4;

    wire_store16(frame + n, API_Produce);
    wire_store16(frame + n + 2, 7);
    wire_store32(frame + n + 4, 1);
    wire_store16(frame + n + 8, 0xffff);  /* no client id */
    wire_store16(frame + n + 10, 0xffff); /* no transactional id */
    wire_store16(frame + n + 12, 1);      /* acks */
    wire_store32(frame + n + 14, 10000);
    wire_store32(frame + n + 18, 1);
    wire_store16(frame + n + 22, sizeof TOPIC - 1);
    memcpy(frame + n + 24, TOPIC, sizeof TOPIC - 1);
    n += 24 + sizeof TOPIC - 1;
    wire_store32(frame + n, 1);
    wire_store32(frame + n + 4, 0);
    wire_store32(frame + n + 8, (uint32_t)bomb->len);
    memcpy(frame + n + 12, bomb->bytes, bomb->len);
    n += 12 + bomb->len;
    wire_store32(frame, (uint32_t)n - 4);
    return n;
}

void
attack_by_bombs(void)
{
    Bomb *bomb = malloc(sizeof *bomb);
    uint8_t *frame = malloc(sizeof *bomb + HEADER_ROOM);
    int64_t usual = peak_bytes(witness.fd);
    bool small = true, answered = true, lives = true;

    if (bomb == NULL || frame == NULL)
        give_up("malloc");
    check(wire_create_topic(&witness, TOPIC, 1) == 0 && usual > 0, "a topic for bombs");
    for (int i = 0; i < (int)(sizeof codecs / sizeof codecs[0]); i++)
        for (int kind = 0; kind < BOMB_KIND_COUNT; kind++) {
            int fd = dial(0);
            int64_t most, peak;
            uint8_t answer[4];

            make_bomb(bomb, i, (BombKind)kind);
            most = usual + (1 << 20) + 3 * (int64_t)bomb->len + PEAK_SLACK;
            (void)push(fd, frame, put_frame(frame, bomb)); /* seen by the answer */
            lives = witness_lives() && lives;
            answered = hear(fd, answer, sizeof answer) && answered;
            peak = peak_bytes(fd);
            if (peak <= 0 || peak > most)
                printf("# %s, kind %d: %zu bytes, peak %lld, allowed %lld\n", codecs[i].name, kind,
                       bomb->len, (long long)peak, (long long)most);
            small = peak > 0 && peak <= most && small;
            close(fd);
        }
    check(answered, "decompression bombs in each codec: answered");
    check(lives, "... the witness is answered meanwhile");
    check(small, "... and cost no memory");
    free(bomb);
    free(frame);
}
