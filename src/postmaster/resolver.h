/*
 * resolver.h - addresses of host names, asked for by a child: no DNS while connections are accepted
 *
 * Settings may name hosts (max.connections.per.ip.overrides, listeners added by request). Addresses
 * written as numbers are known at once. For names resolver_lookup gives what was found last and notes that
 * they are asked for; resolver_run forks a child that asks, one name after the other, and writes each
 * finding into a pipe. Whatever it may wait for, the supervisor does not.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef POSTMASTER_RESOLVER_H
#define POSTMASTER_RESOLVER_H

#include "ottla/common/net.h"

#define RESOLVER_NAMES_MAX 128 /* names that are known at a time */
#define RESOLVER_ASKED     (-1)

/*
 * The addresses of a host, without ports: how many; 0: it has none. RESOLVER_ASKED: not known yet. ""
 * stands for every address of this machine.
 */
int resolver_lookup(const char *host, NetAddress ret[NET_ADDRESSES_MAX]);

/* Settings are about to be read: names are to be asked for anew, and forgotten when nobody looks them up. */
void resolver_expire(void);

/*
 * Asks for the names that were looked up since; a child that asks already is ended. found is called in
 * the main loop when there is something new.
 */
void resolver_run(void (*found)(void *arg), void *arg);

/* Is there a child that asks? False: nothing more will be found by itself. */
bool resolver_is_asking(void);

/* Child of another kind: what it inherited of a question that is open. */
void resolver_close_inherited(void);

#endif
