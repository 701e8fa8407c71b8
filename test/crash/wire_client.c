/*
 * wire_client.c - the smallest client that tests need
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "wire_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "ottla/protocol/frame.h"

#define ANSWER_BYTES_MAX (64 << 20)

static void
give_up(const char *what)
{
    fprintf(stderr, "wire client: %s\n", what);
    exit(3);
}

void
wire_client_init(WireClient *client, uint16_t server_port)
{
    *client = (WireClient){.fd = -1, .server_port = server_port, .arena = arena_new(1 << 16, 0)};
    if (client->arena == NULL) {
        give_up("no memory");
    }
}

void
wire_client_close(WireClient *client)
{
    if (client->fd >= 0) {
        close(client->fd);
    }
    client->fd = -1;
    client->local_port = 0;
}

bool
wire_client_connect(WireClient *client)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(client->server_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in self;
    socklen_t size = sizeof self;
    struct timeval wait = {.tv_sec = WIRE_ANSWER_SECONDS};
    int one = 1;

    wire_client_close(client);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        give_up("no socket");
    }
    if (connect(client->fd, (struct sockaddr *)&to, sizeof to) != 0 ||
        getsockname(client->fd, (struct sockaddr *)&self, &size) != 0) {
        wire_client_close(client);
        return false;
    }
    (void)setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    client->local_port = ntohs(self.sin_port);
    return true;
}

static WireResult
take(WireClient *client, void *to, size_t bytes)
{
    uint8_t *at = to;
    while (bytes > 0) {
        ssize_t got = recv(client->fd, at, bytes, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
            return WIRE_SILENCE;
        }
        if (got <= 0) {
            return WIRE_BROKEN;
        }
        at += got;
        bytes -= (size_t)got;
    }
    return WIRE_OK;
}

static bool
put(WireClient *client, const uint8_t *from, size_t bytes)
{
    while (bytes > 0) {
        ssize_t sent = send(client->fd, from, bytes, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent <= 0) {
            return false;
        }
        from += sent;
        bytes -= (size_t)sent;
    }
    return true;
}

WireResult
wire_client_call(WireClient *client, const WireCall *call)
{
    RequestHead head = {.api = api_find(call->api_key),
                        .api_version = call->version,
                        .correlation_id = ++client->correlation_id,
                        .client_id = STRVIEW("crash-load")};
    FrameBody body = {call->request_desc, call->request, call->version};
    FrameOut out;
    ErrInfo err = {0};
    uint8_t size_bytes[4];

    arena_reset(client->arena);
    if (frame_encode_request(&head, &body, &out, client->arena, &err) != 0) {
        give_up(err.text);
    }
    if (!put(client, out.buf, out.len)) {
        return WIRE_BROKEN;
    }
    WireResult result = take(client, size_bytes, sizeof size_bytes);
    if (result != WIRE_OK) {
        return result;
    }
    uint32_t size = wire_load32(size_bytes);
    if (size < 4 || size > ANSWER_BYTES_MAX) {
        give_up("an answer of impossible size");
    }
    uint8_t *frame = arena_alloc(client->arena, size);
    if (frame == NULL) {
        give_up("no memory");
    }
    result = take(client, frame, size);
    if (result != WIRE_OK) {
        return result;
    }
    WireReader r;
    wire_reader_init(&r, frame, size, client->arena);
    if (wire_read_int32(&r, "correlationId") != client->correlation_id) {
        give_up("an answer to another request");
    }
    if (frame_response_header_version(head.api, call->version) > 0) {
        (void)wire_read_tags(&r);
    }
    call->response_desc->read(&r, call->version, call->ret_response);
    if (r.err != 0) {
        give_up("an answer that cannot be read");
    }
    return WIRE_OK;
}
