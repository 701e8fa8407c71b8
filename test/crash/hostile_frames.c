/*
 * hostile_frames.c - attacks by bytes that are no request: sizes that lie, halves, other protocols, counts beyond the
 * buffer, mutated frames, silence, dribbled bytes
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hostile.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ottla/common/arena.h"
#include "ottla/common/random.h"
#include "ottla/common/vfs.h"
#include "ottla/protocol/apis.h"

#define REQUEST_MAX  104857600 /* socket.request.max.bytes by default */
#define CORPUS_MAX   8192
#define FRAME_MAX    (1 << 20)
#define SILENT_COUNT 1000

static RandomSeq seq;
static BytesView *corpus;
static int corpus_count;

/* ---- frames ------------------------------------------------------------------------------------- */

static void
read_corpus(const char *dir)
{
    Arena *arena = arena_new(1 << 20, 0); /* as long as the program */
    char path[PATH_MAX];
    StrView *names;
    ErrInfo err;
    int32_t count;

    if (arena == NULL || vfs_list(dir, CORPUS_MAX, arena, &names, &count, &err) != 0)
        give_up(dir);
    corpus = arena_calloc(arena, (size_t)count, sizeof *corpus);
    for (int32_t i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i].ptr);
        if (vfs_read_file(path, FRAME_MAX, arena, &corpus[corpus_count], &err) != 0)
            give_up(err.text);
        corpus_count += corpus[corpus_count].len > 0;
    }
    if (corpus_count == 0)
        give_up("empty corpus");
}

static void
put_size(uint8_t *frame, uint32_t size)
{
    wire_store32(frame, size);
}

/* A frame of the corpus with its size; its length. */
static size_t
sample_frame(uint8_t *frame)
{
    BytesView sample = corpus[random_seq_below(&seq, (uint64_t)corpus_count)];

    memcpy(frame + 4, sample.ptr, (size_t)sample.len);
    put_size(frame, (uint32_t)sample.len);
    return (size_t)sample.len + 4;
}

/* Changes some bytes behind the size, which stays right. */
static size_t
mutate(uint8_t *frame, size_t len)
{
    static const uint8_t nasty[] = {0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe};
    int changes = 1 + (int)random_seq_below(&seq, 8);

    for (int i = 0; i < changes && len > 5; i++) {
        size_t at = 4 + (size_t)random_seq_below(&seq, len - 4);

        switch (random_seq_below(&seq, 5)) {
        case 0:
            frame[at] ^= (uint8_t)(1u << random_seq_below(&seq, 8));
            break;
        case 1:
            frame[at] = nasty[random_seq_below(&seq, sizeof nasty)];
            break;
        case 2:
            for (size_t k = at; k < len && k < at + 4; k++)
                frame[k] = k == at ? 0x7f : 0xff;
            break;
        case 3: /* a piece is left out */
            memmove(frame + at, frame + at + 1, len - at - 1);
            len--;
            break;
        default: /* a piece twice */
            memmove(frame + at + 1, frame + at, len - at);
            len++;
            break;
        }
    }
    put_size(frame, (uint32_t)(len - 4));
    return len;
}

/* ---- the attacks -------------------------------------------------------------------------------- */

static void
attack_sizes(void)
{
    static const uint32_t sizes[] = {0xffffffffu, 0x80000000u, 0x7fffffffu, REQUEST_MAX + 1, 0, 1};
    bool ended = true;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t frame[64] = {0};

        put_size(frame, sizes[i]);
        ended = ended && ends_after(frame, sizeof frame);
    }
    check(ended, "sizes that cannot be: closed");
    check(witness_lives(), "... the witness is answered");
}

/* The largest size allowed, and no bytes: memory is promised, not taken. */
static void
attack_promises(void)
{
    int fds[6];
    uint8_t frame[2048] = {0, 0, 0, 0, 0, 0, 0, 9};
    bool small = true, ended = true;

    put_size(frame, REQUEST_MAX);
    for (size_t i = 0; i < 6; i++) {
        fds[i] = dial(0);
        (void)push(fds[i], frame, sizeof frame);
    }
    check(witness_lives(), "six frames of 100 MiB begun: the witness is answered");
    for (size_t i = 0; i < 6; i++)
        small = within(fds[i], api_find(API_Produce), (int64_t)sizeof frame) && small;
    check(small, "... and cost nothing as long as they do not come");
    for (size_t i = 0; i < 6; i++) {
        (void)shutdown(fds[i], SHUT_WR);
        ended = ends(fds[i]) && ended;
    }
    check(ended, "... and end with their clients");
}

static void
attack_halves(void)
{
    static uint8_t frame[FRAME_MAX + 64];
    int fds[60];
    bool ended = true;

    for (size_t i = 0; i < 60; i++) {
        size_t len = sample_frame(frame);

        fds[i] = dial(0);
        (void)push(fds[i], frame, 1 + (size_t)random_seq_below(&seq, len - 1));
    }
    check(witness_lives(), "60 halves of frames and silence: the witness is answered");
    for (size_t i = 0; i < 60; i++) {
        if (i % 2 == 0) {
            close(fds[i]);
            continue;
        }
        (void)shutdown(fds[i], SHUT_WR);
        ended = ends(fds[i]) && ended;
    }
    check(ended, "... and none is stuck");
}

static void
attack_protocols(void)
{
    static const char *const texts[] = {"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                        "SSH-2.0-OpenSSH_9.2\r\n",
                                        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03tls",
                                        "EHLO localhost\r\n",
                                        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                        "\xff\xff\xff\xff\xff\xff\xff\xff"};
    static uint8_t noise[65536];
    bool ended = true;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        ended = ends_after(texts[i], strlen(texts[i])) && ended;
    check(ended, "HTTP, TLS, SSH, SMTP: closed");
    for (int round = 0; round < 50; round++) {
        size_t len = 1 + (size_t)random_seq_below(&seq, sizeof noise);

        for (size_t i = 0; i < len; i++)
            noise[i] = (uint8_t)random_seq_next(&seq);
        ended = ends_half_closed(noise, len) && ended;
    }
    check(ended, "noise: closed");
    check(witness_lives(), "... the witness is answered");
}

/* Every API in every version, whose body is nothing but the largest counts. */
static void
attack_counts(void)
{
    static const uint8_t bodies[][12] = {
        {0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff},
        {0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff, 0xff, 0xff, 0x0f, 0xff, 0xff},
        {0x80, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00, 0x80, 0x00, 0x00, 0x00},
        {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
         0xff}}; /* no varint ends */
    bool ended = true;

    for (int16_t key = 0; key < 95; key++)
        for (int16_t version = 0; version < 19; version++)
            for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
                uint8_t frame[64];
                size_t len = 14;
                const ApiInfo *api = api_find(key);

                if (api == NULL || version > api->offer_hi)
                    continue;
                wire_store16(frame + 4, (uint16_t)key);
                wire_store16(frame + 6, (uint16_t)version);
                wire_store32(frame + 8, 1);
                wire_store16(frame + 12, 0xffff); /* no client id */
                if (version >= api->flexible_from)
                    frame[len++] = 0;
                memcpy(frame + len, bodies[i], sizeof bodies[i]);
                len += sizeof bodies[i];
                put_size(frame, (uint32_t)(len - 4));
                ended = ends_half_closed(frame, len) && ended;
            }
    check(ended, "counts beyond the buffer, in every API and version: answered or closed");
    check(witness_lives(), "... the witness is answered");
}

static void
attack_mutants(int rounds)
{
    static uint8_t frame[2 * FRAME_MAX];
    bool ended = true, lives = true;

    for (int i = 0; i < rounds; i++) {
        size_t len = mutate(frame, sample_frame(frame));

        if (random_seq_below(&seq, 8) == 0) /* and a size that is wrong, too */
            put_size(frame, (uint32_t)(len - 4 + random_seq_below(&seq, 64) - 32));
        ended = ends_half_closed(frame, len) && ended;
        if (i % 100 == 0)
            lives = witness_lives() && lives;
    }
    printf("# %d mutants of %d frames\n", rounds, corpus_count);
    check(ended, "mutated frames: answered or closed");
    check(lives && witness_lives(), "... the witness is answered");
}

/* A large request of nonsense: its memory is bounded, and it is answered or closed. */
static void
attack_large(void)
{
    static const int16_t keys[] = {API_Produce, API_Fetch, API_Metadata, API_CreateTopics};
    const size_t len = 16 << 20;
    uint8_t *frame = malloc(len + 4);
    bool small = true, ended = true;

    if (frame == NULL)
        give_up("malloc");
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) {
        int fd = dial(0);

        memset(frame, 0, len + 4);
        put_size(frame, (uint32_t)len);
        wire_store16(frame + 4, (uint16_t)keys[k]);
        wire_store16(frame + 6, 4);
        wire_store16(frame + 12, 0xffff);
        wire_store32(frame + 14, 0x00ffffff); /* whatever it is in this API: a large count */
        if (push(fd, frame, len)) {           /* all but the last bytes */
            small = within(fd, api_find(keys[k]), (int64_t)len) && small;
            (void)push(fd, frame + len, 4);
        }
        (void)shutdown(fd, SHUT_WR);
        ended = ends(fd) && ended;
    }
    free(frame);
    check(small, "requests of 16 MiB stay within their memory");
    check(ended, "... and are answered or closed");
}

static void
attack_silence(void)
{
    int fds[SILENT_COUNT];
    bool open = true;

    for (int i = 0; i < SILENT_COUNT; i++)
        fds[i] = dial(0);
    check(witness_lives(), "1,000 silent connections: the witness is answered");
    for (int i = 0; i < SILENT_COUNT; i++) {
        open = drain(fds[i]) && open;
        close(fds[i]);
    }
    check(open, "... and they are left alone"); /* connections.max.idle.ms is far away */
}

static void
attack_dribble(void)
{
    static uint8_t frame[FRAME_MAX + 64];
    int fds[20];
    bool ended = true;
    size_t len;

    do
        len = sample_frame(frame);
    while (len < 40);
    for (int i = 0; i < 20; i++)
        fds[i] = dial(0);
    for (size_t at = 0; at < 40; at++)
        for (int i = 0; i < 20; i++)
            (void)push(fds[i], frame + at, 1);
    check(witness_lives(), "frames byte by byte: the witness is answered");
    for (int i = 0; i < 20; i++) {
        (void)shutdown(fds[i], SHUT_WR);
        ended = ends(fds[i]) && ended;
    }
    check(ended, "... and none is stuck");
}

void
attack_by_frames(const char *corpus_dir, int rounds, uint64_t seed)
{
    seq = (RandomSeq){seed};
    read_corpus(corpus_dir);
    attack_sizes();
    attack_promises();
    attack_halves();
    attack_protocols();
    attack_counts();
    attack_mutants(rounds);
    attack_large();
    attack_silence();
    attack_dribble();
}
