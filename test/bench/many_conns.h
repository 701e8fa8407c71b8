/*
 * many_conns.h - thousands of connections in one process, each with one request under way
 *
 * An answer is handed to the caller's function when it is there; connections that have something to
 * do at a certain time are called then, too. Any broken connection ends the program: the loads that use
 * this measure nodes that lose nobody.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_MANY_CONNS_H
#define TEST_MANY_CONNS_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/protocol/messages.h"

typedef struct ManyConn {
    int fd;
    int16_t api_key, api_version; /* of the request under way; -1: none */
    int32_t correlation_id;
    double sent_us;  /* when it left */
    double due_us;   /* when on_due is called next; 0: never */
    int32_t heap_at; /* place among those that are due, from 1; 0: none */
    uint8_t *in;     /* of an answer that is not whole */
    uint32_t in_len, in_room;
    uint8_t *out; /* of a request that the socket did not take at once */
    uint32_t out_len, out_done;
} ManyConn;

typedef struct ManyHandlers {
    /* An answer to a request of this API (-1: of many_send_bytes): the body behind its header. */
    void (*on_answer)(ManyConn *conn, int16_t api_key, WireReader *body, double now);
    void (*on_due)(ManyConn *conn, double now);
} ManyHandlers;

/* Room for so many connections, as far as the process may have them. */
void many_init(size_t count, ManyHandlers handlers);

/* Connects and waits until it is done. */
void many_connect(ManyConn *conn, uint16_t port);

/* Takes a connected socket. */
void many_adopt(ManyConn *conn, int fd);

/* Sends a request; none may be under way. */
void many_send(ManyConn *conn, int16_t api_key, int16_t version, const MessageDesc *desc,
               const void *request);

/* Sends these bytes as they are; the answer is as many bytes with a size before them. */
void many_send_bytes(ManyConn *conn, const uint8_t *bytes, uint32_t len);

void many_due(ManyConn *conn, double at_us);

/* Serves all until the time, or until done says so after an event. */
void many_run(double until_us, bool (*done)(void));

#endif
