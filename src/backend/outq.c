/*
 * outq.c - sends one answer: runs of memory by writev, file slices by sendfile
 *
 * Runs in: backend.
 * Never: blocks on the socket, frames or orders answers, gives anything back.
 * Invariant: bytes_left is the sum of len over pieces[next .. count).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/outq_int.h"

#include "ottla/common/assert.h"
#include "ottla/common/err.h"
#include "ottla/common/net.h"

#define OUT_IOV_MAX 64 /* memory pieces of one writev */

int
outmsg_init(OutMsg *msg, int32_t capacity, Arena *arena)
{
    *msg = (OutMsg){.capacity = capacity};
    msg->pieces = arena_calloc(arena, (size_t)capacity, sizeof *msg->pieces);
    return msg->pieces == NULL ? OT_E_NO_MEMORY : 0;
}

void
outmsg_add_mem(OutMsg *msg, const void *mem, size_t len)
{
    if (len == 0)
        return;
    ot_assert(mem != NULL);
    ot_assert(msg->count < msg->capacity);
    msg->pieces[msg->count++] = (OutPiece){.mem = mem, .len = len, .fd = -1};
    msg->bytes_left += (int64_t)len;
}

void
outmsg_add_file(OutMsg *msg, int fd, int64_t pos, size_t len)
{
    if (len == 0)
        return;
    ot_assert(msg->count < msg->capacity);
    msg->pieces[msg->count++] = (OutPiece){.fd = fd, .pos = pos, .len = len};
    msg->bytes_left += (int64_t)len;
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
        if (piece->len == 0)
            msg->next++;
    }
}

/* The run of memory pieces at the front; as net_writev. */
static int64_t
send_memory(const OutMsg *msg, int sock, bool more)
{
    struct iovec iov[OUT_IOV_MAX];
    int used = 0;
    int32_t i = msg->next;

    while (i < msg->count && used < OUT_IOV_MAX && msg->pieces[i].mem != NULL) {
        iov[used].iov_base = (void *)(uintptr_t)msg->pieces[i].mem;
        iov[used].iov_len = msg->pieces[i].len;
        used++;
        i++;
    }
    return more || i < msg->count ? net_writev_more(sock, iov, used) : net_writev(sock, iov, used);
}

OutStatus
outmsg_send(OutMsg *msg, int sock, bool more, OutCount *count)
{
    while (msg->next < msg->count) {
        const OutPiece *piece = &msg->pieces[msg->next];
        bool file = piece->mem == NULL;
        int64_t n = file ? net_sendfile(sock, piece->fd, piece->pos, piece->len)
                         : send_memory(msg, sock, more);

        if (n == OT_E_AGAIN)
            return OUT_BLOCKED;
        if (file && (n == OT_E_READ || n == 0)) /* 0: it is shorter than promised */
            return OUT_UNREADABLE;
        if (n <= 0)
            return OUT_BROKEN;
        count->bytes += n;
        count->file_bytes += file ? n : 0;
        outmsg_advance(msg, (size_t)n);
    }
    ot_assert(msg->bytes_left == 0);
    return OUT_SENT;
}
