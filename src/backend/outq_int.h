/*
 * outq_int.h - bytes on their way to the client: pieces of memory and of files, in order
 *
 * An OutMsg is one answer: memory pieces (sent by one writev) and file slices (sent by sendfile).
 * It owns nothing: memory and descriptors live until the request's release (request_int.h).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_OUTQ_INT_H
#define OTTLA_BACKEND_OUTQ_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/arena.h"

typedef struct OutPiece {
    const uint8_t *mem; /* NULL: a file slice */
    size_t len;         /* bytes left */
    int64_t pos;        /* in the file */
    int fd;
} OutPiece;

/* One answer. Zero-initialized: empty. */
typedef struct OutMsg {
    OutPiece *pieces;
    int32_t count;
    int32_t capacity;
    int32_t next;       /* first piece not wholly sent */
    int64_t bytes_left; /* of all pieces */
} OutMsg;

/* Room for so many pieces, from the arena. OT_E_NO_MEMORY. */
int outmsg_init(OutMsg *msg, int32_t capacity, Arena *arena) __attribute__((warn_unused_result));

/* Adds bytes at the end; nothing when len is 0. There must be room. */
void outmsg_add_mem(OutMsg *msg, const void *mem, size_t len);
void outmsg_add_file(OutMsg *msg, int fd, int64_t pos, size_t len);

typedef enum OutStatus {
    OUT_SENT,       /* everything is in the socket */
    OUT_BLOCKED,    /* the socket takes no more now */
    OUT_BROKEN,     /* the client is gone: close the connection */
    OUT_UNREADABLE, /* the file piece at the front could not be read: close it, too */
} OutStatus;

/* What one call of outmsg_send handed to the socket. */
typedef struct OutCount {
    int64_t bytes;
    int64_t file_bytes; /* of these by sendfile */
} OutCount;

/*
 * Sends as much of the message as the socket (non-blocking) takes. more: another message follows at
 * once, so the last bytes may wait for it (MSG_MORE). Adds to *count.
 */
OutStatus outmsg_send(OutMsg *msg, int sock, bool more, OutCount *count);

#endif
