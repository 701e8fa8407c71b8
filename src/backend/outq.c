/*
 * outq.c - sends one answer: runs of memory by sendmsg, file slices by sendfile
 *
 * Runs in: backend.
 * Never: allocates outside the message's arena, blocks on the socket, frames or orders answers.
 * Invariants:
 *   O1  bytes_left is the sum of len over pieces[next .. count)
 *   O2  a piece's release is called exactly once: when it is sent or dropped
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/outq_int.h"

#include <errno.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "ottla/common/assert.h"
#include "ottla/common/err.h"

#define OUT_PIECES_FIRST 4
#define OUT_IOV_MAX      64 /* memory pieces of one sendmsg */

static void
piece_release(OutPiece *piece)
{
    if (piece->mem == NULL && piece->release != NULL) {
        piece->release(piece->owner, piece->fd);
        piece->release = NULL;
    }
}

/* Room for one more piece; NULL: the arena is full. */
static OutPiece *
outmsg_push(OutMsg *msg)
{
    if (msg->count == msg->capacity) {
        int capacity = msg->capacity == 0 ? OUT_PIECES_FIRST : msg->capacity * 2;
        OutPiece *grown = arena_calloc(msg->arena, (size_t)capacity, sizeof *grown);

        if (grown == NULL)
            return NULL;
        if (msg->count > 0)
            memcpy(grown, msg->pieces, (size_t)msg->count * sizeof *grown);
        msg->pieces = grown;
        msg->capacity = capacity;
    }
    return &msg->pieces[msg->count++];
}

int
outmsg_add_mem(OutMsg *msg, const void *mem, size_t len)
{
    OutPiece *piece;

    if (len == 0)
        return 0;
    ot_assert(mem != NULL);
    piece = outmsg_push(msg);
    if (piece == NULL)
        return OT_E_MEMORY;
    *piece = (OutPiece){.mem = mem, .len = len, .fd = -1};
    msg->bytes_left += (int64_t)len;
    return 0;
}

int
outmsg_add_file(OutMsg *msg, const OutPiece *slice)
{
    OutPiece *piece;

    ot_assert(slice->mem == NULL && slice->fd >= 0);
    piece = slice->len == 0 ? NULL : outmsg_push(msg);
    if (piece == NULL) {
        OutPiece given = *slice;

        piece_release(&given);
        return slice->len == 0 ? 0 : OT_E_MEMORY;
    }
    *piece = *slice;
    msg->bytes_left += (int64_t)slice->len;
    return 0;
}

void
outmsg_drop(OutMsg *msg)
{
    for (int i = msg->next; i < msg->count; i++)
        piece_release(&msg->pieces[i]);
    msg->next = msg->count = 0;
    msg->bytes_left = 0;
}

/* Takes sent bytes off the front. */
static void
outmsg_advance(OutMsg *msg, size_t sent)
{
    msg->bytes_left -= (int64_t)sent;
    while (sent > 0) {
        OutPiece *piece = &msg->pieces[msg->next];
        size_t part = sent < piece->len ? sent : piece->len;

        ot_assert(msg->next < msg->count);
        piece->len -= part;
        if (piece->mem != NULL)
            piece->mem += part;
        else
            piece->pos += (int64_t)part;
        sent -= part;
        if (piece->len == 0) {
            piece_release(piece);
            msg->next++;
        }
    }
}

/* The run of memory pieces at the front; bytes written, or -1 with errno. */
static ssize_t
send_memory(const OutMsg *msg, int sock, bool more)
{
    struct iovec iov[OUT_IOV_MAX];
    struct msghdr hdr = {.msg_iov = iov};
    size_t used = 0;
    int i = msg->next;

    while (i < msg->count && used < OUT_IOV_MAX && msg->pieces[i].mem != NULL) {
        iov[used].iov_base = (void *)(uintptr_t)msg->pieces[i].mem;
        iov[used].iov_len = msg->pieces[i].len;
        used++;
        i++;
    }
    hdr.msg_iovlen = used;
    return sendmsg(sock, &hdr,
                   MSG_DONTWAIT | MSG_NOSIGNAL | (more || i < msg->count ? MSG_MORE : 0));
}

/* The file slice at the front; 0: the file is shorter than promised. */
static ssize_t
send_slice(const OutPiece *piece, int sock)
{
    off_t pos = piece->pos;

    return sendfile(sock, piece->fd, &pos, piece->len);
}

OutStatus
outmsg_send(OutMsg *msg, int sock, bool more, int64_t *ret_sent)
{
    *ret_sent = 0;
    while (msg->next < msg->count) {
        const OutPiece *piece = &msg->pieces[msg->next];
        ssize_t n = piece->mem != NULL ? send_memory(msg, sock, more) : send_slice(piece, sock);

        if (n > 0) {
            *ret_sent += n;
            outmsg_advance(msg, (size_t)n);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? OUT_BLOCKED : OUT_BROKEN;
    }
    ot_assert(msg->bytes_left == 0);
    return OUT_SENT;
}
