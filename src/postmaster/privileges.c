/*
 * privileges.c - from root to the user of the data
 *
 * Runs in: supervisor, before any file of the node is opened.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/privileges.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "ottla/common/vfs.h"

#define PASSWD_BUFFER 16384

static int
fill(const struct passwd *entry, RunAs *ret)
{
    ret->uid = entry->pw_uid;
    ret->gid = entry->pw_gid;
    snprintf(ret->name, sizeof ret->name, "%s", entry->pw_name);
    return 1;
}

/* 1: found; 0: no such user. */
static int
find_name(const char *name, RunAs *ret)
{
    char buffer[PASSWD_BUFFER];
    struct passwd entry;
    struct passwd *found = NULL;

    if (getpwnam_r(name, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return 0;
    return fill(found, ret);
}

static int
find_uid(uid_t uid, RunAs *ret)
{
    char buffer[PASSWD_BUFFER];
    struct passwd entry;
    struct passwd *found = NULL;

    if (getpwuid_r(uid, &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
        return 0;
    return fill(found, ret);
}

int
privileges_choose(const char *user, const char *data_dir, RunAs *ret, ErrInfo *err)
{
    struct stat st;

    *ret = (RunAs){.uid = geteuid(), .gid = getegid()};
    if (geteuid() != 0) {
        RunAs wanted = *ret;
        if (user != NULL && !find_name(user, &wanted))
            return err_set(err, OT_E_CONFIG, "--user: no user \"%s\"", user);
        if (wanted.uid != ret->uid)
            return err_set(err, OT_E_PERMISSION, "--user: only root can change to \"%s\"", user);
        (void)find_uid(ret->uid, ret); /* a uid without a name is fine */
        ret->gid = getegid();
        return 0;
    }
    if (user != NULL) {
        if (!find_name(user, ret))
            return err_set(err, OT_E_CONFIG, "--user: no user \"%s\"", user);
    } else if (vfs_stat(data_dir, &st, NULL) == 0 && st.st_uid != 0) {
        ret->uid = st.st_uid;
        ret->gid = st.st_gid;
        (void)find_uid(st.st_uid, ret); /* a uid without a name is fine */
    } else if (!find_name("ottla", ret) && !find_name("nobody", ret)) {
        return err_set(err, OT_E_CONFIG,
                       "started by root, and neither user ottla nor nobody exists: give --user");
    }
    ret->change = ret->uid != 0;
    return 0;
}

int
privileges_drop(const RunAs *as, ErrInfo *err)
{
    if (!as->change)
        return 0;
    int rc = as->name[0] != '\0' ? initgroups(as->name, as->gid) : setgroups(1, &as->gid);
    if (rc != 0 || setgid(as->gid) != 0 || setuid(as->uid) != 0)
        return err_set_errno(err, OT_E_PERMISSION, errno, "changing to user %s (%u)", as->name,
                             as->uid);
    if (setuid(0) == 0)
        return err_set(err, OT_E_PERMISSION, "privileges came back after changing the user");
    (void)prctl(PR_SET_DUMPABLE, 1); /* changing the user had switched core dumps off */
    return 0;
}
