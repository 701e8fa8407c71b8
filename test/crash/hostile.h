/*
 * hostile.h - what the attacks of hostile.c and hostile_fetch.c share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_TEST_HOSTILE_H
#define OTTLA_TEST_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/protocol/apis.h"

#include "wire_client.h"

/* A connection that behaves, and must never notice what the others do. */
extern WireClient witness;

/* Does the witness still get answers on the connection it always had? */
bool witness_lives(void);

/* One test of TAP. */
void check(bool good, const char *what);

/* Ends the program: the attack itself cannot be made. */
void give_up(const char *what);

void pause_ms(int ms);

/* A new connection, non-blocking; receive_buffer 0: the system's. */
int dial(int receive_buffer);

/* Reads and drops what there is. False: the connection has ended. */
bool drain(int fd);

/* Sends all, reading meanwhile. False: the other side closed. */
bool push(int fd, const void *bytes, size_t len);

/* Waits for so many bytes of an answer. False: the connection ended, or they did not come in time. */
bool hear(int fd, void *bytes, size_t len);

/* Is the backend of this connection within what design.md 4 allows for so large a request? */
bool within(int fd, const ApiInfo *api, int64_t request_bytes);

/* The most memory that the backend of this connection ever had, shared pages included; 0: unknown. */
int64_t peak_bytes(int fd);

/* hostile_bombs.c */
void attack_bombs(void);

/* hostile_fetch.c */
void attack_deaf(void);
void attack_named(void);

#endif
