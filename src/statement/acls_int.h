/*
 * acls_int.h - what goes with a user: access control lists and quotas
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_ACLS_INT_H
#define OTTLA_STATEMENT_ACLS_INT_H

#include "exec_int.h"

/* Removes all access control lists of User:NAME; a cluster without an authoriser has none. */
int acls_drop_of(Exec *x, StrView user);

/* Removes all quotas that name the user, with clients and without. */
int quotas_drop_of(Exec *x, StrView user);

#endif
