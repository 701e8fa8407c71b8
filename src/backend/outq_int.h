/*
 * outq_int.h - bytes on their way to the client: pieces of memory and of files, in order
 *
 * An OutMsg is one answer: memory pieces (sent by one writev) and file slices (sent by sendfile).
 * It owns no memory: pieces point into the request's arena, which lives until the last byte is out.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_OUTQ_INT_H
#define OTTLA_BACKEND_OUTQ_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/arena.h"

/* Called once when the piece's descriptor is no longer needed: sent, or the connection is gone. */
typedef void (*OutRelease)(void *owner, int fd);

typedef struct OutPiece {
    const uint8_t *mem; /* NULL: a file slice */
    size_t len;         /* bytes left */
    int fd;
    int64_t pos;        /* in the file */
    OutRelease release; /* NULL: the descriptor is held otherwise */
    void *owner;
} OutPiece;

/* One answer. Zero-initialized: empty. */
typedef struct OutMsg {
    Arena *arena;
    OutPiece *pieces;
    int count;
    int capacity;
    int next;           /* first piece not wholly sent */
    int64_t bytes_left; /* of all pieces */
} OutMsg;

/* Adds memory at the end; it must live until the message is sent. OT_E_MEMORY: arena is full. */
int outmsg_add_mem(OutMsg *msg, const void *mem, size_t len) __attribute__((warn_unused_result));

/* Adds len bytes of a file from pos. OT_E_MEMORY: arena is full; release was called. */
int outmsg_add_file(OutMsg *msg, const OutPiece *slice) __attribute__((warn_unused_result));

/* Gives back what the pieces not yet sent hold. */
void outmsg_drop(OutMsg *msg);

typedef enum OutStatus {
    OUT_SENT,    /* everything is in the socket */
    OUT_BLOCKED, /* the socket takes no more now */
    OUT_BROKEN,  /* the client is gone, or a file could not be read: close the connection */
} OutStatus;

/*
 * Sends as much of the message as the socket (non-blocking) takes. more: another message follows at
 * once, so the last bytes may wait for it (MSG_MORE). ret_sent: bytes taken.
 */
OutStatus outmsg_send(OutMsg *msg, int sock, bool more, int64_t *ret_sent);

#endif
