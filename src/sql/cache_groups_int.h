/*
 * cache_groups_int.h - how groups are described
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_CACHE_GROUPS_INT_H
#define OTTLA_SQL_CACHE_GROUPS_INT_H

#include "sql/cache_state_int.h"

#define GROUPS_AT_ONCE 100 /* of one description request */

/* Members and state of the groups that have none yet; exists is false for those that there are not. */
int groups_describe(Sql *sql, Client *client, const CacheGroups *groups, Fault *f);

#endif
