/*
 * interrupt_int.h - Ctrl-C: what the signal reaches, and waits that it ends
 *
 * The handler sets a flag and tells the client and the SQL session that work; everything else happens in the
 * main loop.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_INTERRUPT_INT_H
#define OTTLA_SHELL_INTERRUPT_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/client/client.h"
#include "ottla/sql/sql.h"

/* Installs the handler; SIGPIPE is ignored from now on. */
void interrupt_init(void);

/* Whom the handler tells; NULL: nobody. Also when they are about to be closed. */
void interrupt_target(Client *client, Sql *sql);

/* Has Ctrl-C been pressed since interrupt_clear? */
bool shell_interrupted(void);

/* Forgets it, at the client and the SQL session, too: for those who have dealt with it, as the prompt has. */
void interrupt_clear(Client *client);

/* Waits. True: interrupted. */
bool interrupt_wait_ms(int64_t ms);

#endif
