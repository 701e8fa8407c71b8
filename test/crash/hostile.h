/*
 * hostile.h - what the attacks share: the witness, connections, a look at the node
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_HOSTILE_H
#define TEST_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ottla/protocol/apis.h"

#include "tap.h"
#include "wire_client.h"

#define ANSWER_US 20000000 /* after it a connection counts as stuck */

/* ---- hostile.c: the program, and who must not suffer ---- */

/* A connection that behaves, and must never notice what the others do. */
extern WireClient witness;

/* Does the witness still get answers on the connection it always had? */
bool witness_lives(void);

/* Ends the program: the attack itself cannot be made. */
void give_up(const char *what);

void pause_ms(int ms);

/* ---- hostile_net.c: connections ---- */

/* Of how many the program was one end. */
extern long connections;

/* A new connection to the node, non-blocking; receive_buffer 0: the system's. */
int dial(int receive_buffer);

uint16_t local_port(int fd);

/* Reads and drops what there is. False: the connection has ended. */
bool drain(int fd);

/* Sends all, reading meanwhile. False: the other side closed. */
bool push(int fd, const void *bytes, size_t len);

/* Waits for so many bytes of an answer. False: the connection ended, or they did not come in time. */
bool hear(int fd, void *bytes, size_t len);

/* Waits for the end of the connection, dropping answers; closes it. False: it did not end. */
bool ends(int fd);

/* Of a connection of its own that sends these bytes. */
bool ends_after(const void *bytes, size_t len);

/* The same, but our side says that nothing more comes: waits are over then, too. */
bool ends_half_closed(const void *bytes, size_t len);

/* ---- hostile_node.c: what the node looks like ---- */

/* Looks at this node; what the backend of the witness has now is what each may have. */
void node_watch(pid_t supervisor);

/* Is the backend of this connection within what design.md 4 allows for so large a request? */
bool within(int fd, const ApiInfo *api, int64_t request_bytes);

/* The most memory that the backend of this connection ever had, shared pages included; 0: unknown. */
int64_t peak_bytes(int fd);

/* Waits until no backend is left but the witness's. */
bool all_gone(void);

/* ---- attacks, by family ---- */

/* hostile_frames.c. corpus: a folder of well-formed frames; rounds: how many mutants. */
void attack_by_frames(const char *corpus, int rounds, uint64_t seed);

/* hostile_bombs.c */
void attack_by_bombs(void);

/* hostile_fetch.c */
void attack_by_fetches(void);

#endif
