/*
 * privileges.h - which user the node runs as when root starts it
 *
 * Runs in: supervisor, at start.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_PRIVILEGES_H
#define OTTLA_POSTMASTER_PRIVILEGES_H

#include <sys/types.h>

#include "ottla/common/err.h"

typedef struct RunAs {
    uid_t uid;
    gid_t gid;
    char name[64]; /* "" when the user database does not know the uid */
    int change;    /* 1: privileges must be dropped to it */
} RunAs;

/*
 * Who to run as. Not root: this user, and `user` may only name it. Root: `user` when given, else the
 * owner of data_dir when that is not root, else "ottla", else "nobody".
 * OT_E_CONFIG: unknown user. OT_E_PERMISSION: another user, but not root.
 */
int privileges_choose(const char *user, const char *data_dir, RunAs *ret, ErrInfo *err);

/* Changes user and groups for good; core dumps stay allowed. Does nothing without change. */
int privileges_drop(const RunAs *as, ErrInfo *err);

#endif
