/*
 * datadir.c - the directories of the node: prepared, locked, opened
 *
 * Runs in: supervisor, before the first fork. Never: looks into a partition folder.
 *
 * Order matters: locks come before anything is read, clean markers are taken when everything else is known
 * to be right.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/datadir.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datadir_int.h"
#include "ottla/common/log.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/node.h"
#include "ottla/storage/failure_record.h"
#include "ottla/storage/logdir_state.h"

static bool was_clean[LOGDIRS_MAX]; /* had its clean marker when this process started */

int
datadir_put_aside(const Datadir *dir, DatadirPlace *place, int code, const ErrInfo *err)
{
    if ((code != OT_E_IO && code != OT_E_READ) || !place->is_log || place->is_metadata ||
        strcmp(place->path, dir->path) == 0)
        return code;
    if (!place->unusable)
        snprintf(place->why, sizeof place->why, "%.*s", (int)sizeof place->why - 1, err->text);
    place->unusable = true;
    return 0;
}

/* ---- before privileges are dropped ---- */

/* used: a node lives there although its own names may lie further down; then it stays whose it is. */
static int
prepare_place(const char *path, bool may_make, bool used, const int owner[2], bool *ret_made,
              ErrInfo *err)
{
    struct stat st;
    char name[NAME_MAX + 1];
    bool fresh = false;
    int rc = vfs_stat(path, &st, NULL);

    if (rc == OT_E_NOT_FOUND) {
        if (!may_make)
            return err_set(err, OT_E_NOT_FOUND, "directory %s does not exist", path);
        rc = vfs_mkdirs(path, 0750, err);
        fresh = true;
        *ret_made = rc == 0;
    } else if (rc == 0 && !S_ISDIR(st.st_mode)) {
        return err_set(err, OT_E_CONFIG, "%s is not a directory", path);
    } else if (rc == 0 && !used && owner[0] >= 0 && (int)st.st_uid != owner[0]) {
        rc = datadir_looks_empty(path, name, err);
        fresh = rc == 1;
        rc = rc < 0 ? rc : 0;
    }
    if (rc == 0 && fresh && owner[0] >= 0 && chown(path, (uid_t)owner[0], (gid_t)owner[1]) != 0)
        rc = err_set_errno(err, OT_E_PERMISSION, errno, "giving %s to user %d", path, owner[0]);
    return rc;
}

int
datadir_prepare(const DatadirSettings *settings, int uid, int gid, Datadir *ret, ErrInfo *err)
{
    const int owner[2] = {uid, gid};
    int rc;

    *ret = (Datadir){.pid_fd = -1};
    rc = datadir_work_out_paths(settings, ret, err);
    if (rc == 0)
        rc = prepare_place(ret->path, settings->auto_format, datadir_is_formatted(ret), owner,
                           &ret->made, err);
    for (int i = 0; rc == 0 && i < ret->place_count; i++)
        rc = datadir_put_aside(ret, &ret->places[i],
                               prepare_place(ret->places[i].path, settings->auto_format, false,
                                             owner, &ret->places[i].made, err),
                               err);
    return rc;
}

/* ---- locks, owner, mode ---- */

static int
check_owner(const Datadir *dir, ErrInfo *err)
{
    struct stat st;
    char name[NAME_MAX + 1];
    int rc = vfs_stat(dir->path, &st, err);

    if (rc < 0)
        return OT_E_PERMISSION; /* it was there a moment ago, under another user */
    if (st.st_uid != geteuid())
        return err_set(err, OT_E_PERMISSION,
                       "data directory %s belongs to user %u, this process runs as user %u",
                       dir->path, st.st_uid, geteuid());
    if ((st.st_mode & 0027) == 0)
        return 0;
    /* A developer's fresh folder is put right; one with data was opened up by somebody. */
    if (!datadir_is_formatted(dir) && datadir_looks_empty(dir->path, name, NULL) == 1 &&
        chmod(dir->path, 0750) == 0)
        return 0;
    return err_set(err, OT_E_PERMISSION,
                   "data directory %s has mode %04o: others may get in; chmod 0750 it", dir->path,
                   st.st_mode & 07777);
}

/* A file system that cannot be written may be written elsewhere. OT_E_IO, as err says already: nobody does. */
static int
lock_for_reading(const Datadir *dir, DatadirPlace *place, const char *path, ErrInfo *err)
{
    pid_t holder = -1;
    int fd = vfs_open(path, O_RDONLY, 0, NULL);

    if (fd < 0)
        return OT_E_IO;
    place->lock_fd = fd;
    if (vfs_try_read_lock(fd, &holder, NULL) == OT_E_BUSY)
        return pid_file_describe_holder(dir->path, path, holder, err);
    return OT_E_IO;
}

static int
lock_place(const Datadir *dir, DatadirPlace *place, ErrInfo *err)
{
    char path[NODE_PATH_MAX + 16];
    pid_t holder = -1;
    int rc;

    snprintf(path, sizeof path, "%s/.lock", place->path);
    rc = vfs_open(path, O_RDWR | O_CREAT, 0640, err);
    if (rc == OT_E_IO)
        return lock_for_reading(dir, place, path, err);
    if (rc < 0)
        return rc;
    place->lock_fd = rc;
    rc = vfs_try_lock(place->lock_fd, &holder, err);
    if (rc == OT_E_BUSY)
        return pid_file_describe_holder(dir->path, path, holder, err);
    return rc;
}

/* Directories that failed and were not repaired since; see storage/failure_record.h. */
static int
take_failures(ErrInfo *err)
{
    int rc = failure_record_load(err);

    for (int i = 0; rc == 0 && i < logdir_count(); i++) {
        const char *text;
        LogDirFailure failure = logdir_repair_reason(i, &text);
        if (failure != LOGDIR_FAILURE_NONE && !logdir_is_put_aside(i))
            log_msg(LL_WARNING, "datadir",
                    "log directory failed before: its logs are verified and written again; dir=%s "
                    "failure=%s reason=\"%s\"",
                    logdir_path(i), logdir_failure_name(failure), text);
    }
    return rc;
}

static int
take_clean_markers(ErrInfo *err)
{
    int rc = 0;

    node_info.clean_start = true;
    for (int i = 0; rc == 0 && i < logdir_count(); i++) {
        const char *text;
        int64_t broker_epoch;
        rc = logdir_take_clean_marker(i, &was_clean[i], &broker_epoch, err);
        if (logdir_repair_reason(i, &text) != LOGDIR_FAILURE_NONE)
            was_clean[i] = false;
        if (rc == 0 && !was_clean[i])
            node_info.clean_start = false;
    }
    return rc;
}

/* What the start says of directories that were put aside, in the order of the table. */
static void
report_put_aside(const Datadir *dir)
{
    int index = 0;

    for (int i = 0; i < dir->place_count; i++) {
        const DatadirPlace *place = &dir->places[i];

        if (!place->is_log)
            continue;
        if (place->unusable)
            log_msg(LL_ERROR, "datadir",
                    was_clean[index] ? "log directory is read as it was closed: %s; dir=%s"
                                     : "log directory cannot be used: %s; dir=%s",
                    place->why, place->path);
        index++;
    }
}

void
datadir_publish_clean(bool first)
{
    for (int i = 0; i < logdir_count(); i++)
        if (first || logdir_is_put_aside(i))
            logdir_set_clean(i, was_clean[i]);
}

static void
close_all(Datadir *dir)
{
    for (int i = 0; i < dir->place_count; i++) {
        vfs_close(dir->places[i].lock_fd);
        dir->places[i].lock_fd = -1;
    }
    if (dir->pid_fd >= 0)
        datadir_remove_pid_file(dir);
    vfs_close(dir->pid_fd);
    dir->pid_fd = -1;
    logdirs_clear();
}

int
datadir_open(Datadir *dir, const DatadirSettings *settings, ErrInfo *err)
{
    int rc = check_owner(dir, err);

    if (rc == 0)
        rc = pid_file_lock(dir, err);
    for (int i = 0; rc == 0 && i < dir->place_count; i++)
        rc = datadir_put_aside(dir, &dir->places[i], lock_place(dir, &dir->places[i], err), err);
    if (rc == 0)
        rc = datadir_load_identity(dir, settings, err);
    if (rc == 0)
        rc = take_failures(err);
    if (rc == 0)
        rc = take_clean_markers(err);
    if (rc == 0) {
        report_put_aside(dir);
        return 0;
    }
    close_all(dir);
    return rc;
}

/* OT_E_EXISTS for the first place that is formatted. */
static int
refuse_formatted(const Datadir *dir, ErrInfo *err)
{
    for (int i = 0; i < dir->place_count; i++)
        if (dir->places[i].formatted)
            return err_set(err, OT_E_EXISTS, "%s is formatted already", dir->places[i].path);
    return 0;
}

int
datadir_format_alone(Datadir *dir, const DatadirSettings *settings, bool ignore_formatted,
                     ErrInfo *err)
{
    int rc = check_owner(dir, err);

    if (rc == 0)
        rc = pid_file_lock(dir, err);
    for (int i = 0; rc == 0 && i < dir->place_count; i++) {
        rc = lock_place(dir, &dir->places[i], err);
        dir->places[i].formatted = rc == 0 && datadir_place_is_formatted(&dir->places[i]);
    }
    if (rc == 0 && !ignore_formatted)
        rc = refuse_formatted(dir, err);
    if (rc == 0)
        rc = datadir_load_identity(dir, settings, err);
    close_all(dir);
    return rc;
}
