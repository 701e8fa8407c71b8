/*
 * hostile_fetch.c - attacks by fetches: readers that never read, and a fetch of very many partitions
 *
 * Part of hostile.c, which calls them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "hostile.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ottla/protocol/frame.h"
#include "ottla/protocol/msg_fetch.h"
#include "wire_requests.h"

#define TOPIC     "hostile"
#define NAMED_MAX 100000 /* partitions that a fetch may name */

static bool
fill_topic(int batches)
{
    Arena *arena = arena_new(1 << 20, 0);
    WireProduce produce = {.topic = TOPIC, .acks = 1, .batch = wire_batch(1, 900000, arena)};
    bool good = true;

    for (int i = 0; i < batches; i++)
        good = wire_produce(&witness, &produce) == 0 && good;
    arena_free(arena);
    return good;
}

/* A fetch of partitions [0, count) of the topic as a frame, from malloc. */
static uint8_t *
fetch_frame(int32_t count, int32_t wait_ms, size_t *ret_len)
{
    Arena *arena = arena_new(4096, 0);
    FetchRequestPartition *parts = arena_calloc(arena, (size_t)count, sizeof *parts);
    FetchRequestTopic topic;
    FetchRequest request;
    RequestHead head = {
        .api = api_find(API_Fetch), .api_version = 11, .client_id = STRVIEW("deaf")};
    FrameBody body = {&fetch_request_desc, &request, 11};
    FrameOut out;
    ErrInfo err;
    uint8_t *copy;

    fetch_request_init(&request);
    fetch_request_topic_init(&topic);
    for (int32_t i = 0; i < count; i++) {
        fetch_request_partition_init(&parts[i]);
        parts[i].partition = i;
        parts[i].partition_max_bytes = 50 << 20;
    }
    topic.topic = STRVIEW(TOPIC);
    topic.partitions = parts;
    topic.partitions_count = count;
    request.replica_id = -1;
    request.max_wait_ms = wait_ms;
    request.min_bytes = wait_ms > 0 ? INT32_MAX : 1;
    request.max_bytes = 50 << 20;
    request.session_epoch = -1;
    request.topics = &topic;
    request.topics_count = 1;
    if (frame_encode_request(&head, &body, &out, arena, &err) != 0)
        give_up("fetch frame");
    copy = malloc(out.len);
    if (copy == NULL)
        give_up("malloc");
    memcpy(copy, out.buf, out.len);
    *ret_len = out.len;
    arena_free(arena);
    return copy;
}

static void
attack_deaf(void)
{
    size_t len;
    uint8_t *frame = fetch_frame(1, 0, &len);
    bool small = true, lives = true;
    int fds[8];

    check(wire_create_topic(&witness, TOPIC, 1) == 0 && fill_topic(12), "a topic of 11 MB");
    for (int i = 0; i < 8; i++)
        fds[i] = dial(4096);
    for (int round = 0; round < 400; round++)
        for (int i = 0; i < 8; i++)
            (void)send(fds[i], frame, len, MSG_NOSIGNAL | MSG_DONTWAIT); /* never reads */
    for (int round = 0; round < 10; round++) {
        lives = witness_lives() && lives;
        for (int i = 0; i < 8; i++)
            small = within(fds[i], api_find(API_Fetch), (int64_t)len) && small;
        pause_ms(50);
    }
    check(lives, "readers that never read: the witness is answered");
    check(small, "... they cost no memory");
    for (int i = 0; i < 8; i++)
        close(fds[i]);
    free(frame);
}

/*
 * A fetch that names as many partitions as it may: one that waits for more bytes than there are, and
 * one whose answer nobody reads. Measured again and again, for the largest moment counts.
 */
static void
attack_named(void)
{
    size_t len[2];
    uint8_t *frame[2] = {fetch_frame(NAMED_MAX, 20000, &len[0]),
                         fetch_frame(NAMED_MAX, 0, &len[1])};
    bool small = true, lives = true;
    int fds[2];

    for (int i = 0; i < 2; i++) {
        fds[i] = dial(4096);
        check(push(fds[i], frame[i], len[i]), "a fetch that names 100,000 partitions is taken");
    }
    for (int round = 0; round < 100 && small; round++) {
        for (int i = 0; i < 2; i++)
            small = within(fds[i], api_find(API_Fetch), (int64_t)len[i]) && small;
        lives = round % 10 != 0 || (witness_lives() && lives);
        pause_ms(5);
    }
    check(lives, "... the witness is answered");
    check(small, "... and it stays within its memory");
    for (int i = 0; i < 2; i++) {
        close(fds[i]);
        free(frame[i]);
    }
}

void
attack_by_fetches(void)
{
    attack_deaf();
    attack_named();
}
