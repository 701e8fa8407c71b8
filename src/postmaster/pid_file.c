/*
 * pid_file.c - DIR/ottlad.pid: eight lines about the running node, and the lock on it
 *
 * Runs in: supervisor. The lock belongs to the open file description, so it lasts until the last
 * child that inherited it is gone: a new supervisor cannot start beside orphans of the old one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datadir_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/log.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/node.h"

#define PID_FILE_NAME  "ottlad.pid"
#define STATUS_WIDTH   8
#define OPEN_TRIES_MAX 5 /* each lost race needs another supervisor that stops at that moment */

/*
 * Children of a dead supervisor end by themselves within milliseconds, but for one that is inside a
 * flush: nothing ends that but the disk, and giving up would only have the service manager start us again.
 */
#define ORPHAN_PATIENCE_MS 30000
#define ORPHAN_LOOK_MS     20

static void
pid_file_path(const char *data_dir, char ret[NODE_PATH_MAX + 16])
{
    snprintf(ret, NODE_PATH_MAX + 16, "%s/" PID_FILE_NAME, data_dir);
}

/* First line of the pid file; -1 when there is none. */
static pid_t
read_pid(const char *data_dir)
{
    char path[NODE_PATH_MAX + 16];
    char text[32] = "";
    int32_t pid = -1;

    pid_file_path(data_dir, path);
    int fd = vfs_open(path, O_RDONLY, 0, NULL);
    if (fd < 0)
        return -1;
    int64_t len = vfs_pread(fd, text, sizeof text - 1, 0, NULL);
    vfs_close(fd);
    if (len <= 0)
        return -1;
    if (!text_to_int32((StrView){text, (int32_t)strcspn(text, "\n")}, &pid) || pid <= 1)
        return -1;
    return pid;
}

/* Command line or title of a process, its zero bytes made blanks; "" when it cannot be read. */
static void
read_title(pid_t pid, char *ret, size_t size)
{
    char path[64];
    int64_t len = 0;

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    int fd = vfs_open(path, O_RDONLY, 0, NULL);
    if (fd >= 0) {
        len = vfs_pread(fd, ret, size - 1, 0, NULL);
        vfs_close(fd);
    }
    if (len < 0)
        len = 0;
    while (len > 0 && ret[len - 1] == '\0')
        len--;
    for (int64_t i = 0; i < len; i++)
        if (ret[i] < 0x20 || ret[i] > 0x7e)
            ret[i] = ' ';
    ret[len] = '\0';
}

int
pid_file_describe_holder(const char *data_dir, const char *locked_path, pid_t holder, ErrInfo *err)
{
    char title[100];

    if (holder <= 0)
        holder = read_pid(data_dir);
    if (holder <= 0)
        return err_set(err, OT_E_BUSY, "%s is locked by another process", locked_path);
    if (kill(holder, 0) != 0 && errno == ESRCH)
        return err_set(err, OT_E_BUSY, "%s is locked by children of process %d, which is dead",
                       locked_path, (int)holder);
    read_title(holder, title, sizeof title);
    return err_set(err, OT_E_BUSY, "%s is locked by process %d (%s)", locked_path, (int)holder,
                   title);
}

/* Is the file that was opened and locked still the one of that name? */
static bool
still_named(int fd, const char *path)
{
    struct stat mine, named;

    return fstat(fd, &mine) == 0 && vfs_stat(path, &named, NULL) == 0 &&
           mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

/* The supervisor that wrote the pid file is dead; its children are about to notice. */
static bool
only_orphans_live(const char *data_dir)
{
    pid_t pid = read_pid(data_dir);

    return pid > 0 && kill(pid, 0) != 0 && errno == ESRCH;
}

int
pid_file_lock(Datadir *dir, ErrInfo *err)
{
    char path[NODE_PATH_MAX + 16];

    pid_file_path(dir->path, path);
    int64_t give_up_ms = clock_mono_ms() + ORPHAN_PATIENCE_MS;
    for (int i = 0; i < OPEN_TRIES_MAX; i++) {
        pid_t holder = -1;
        int fd = vfs_open(path, O_RDWR | O_CREAT | O_EXCL, 0640, err);
        if (fd == OT_E_EXISTS)
            fd = vfs_open(path, O_RDWR, 0, err);
        if (fd == OT_E_NOT_FOUND)
            continue; /* removed in between by its owner */
        if (fd < 0)
            return fd;
        int rc = vfs_try_lock(fd, &holder, err);
        if (rc == 0 && !still_named(fd, path)) {
            vfs_close(fd);
            continue;
        }
        if (rc == 0) {
            dir->pid_fd = fd;
            return 0;
        }
        vfs_close(fd);
        if (rc != OT_E_BUSY)
            return rc;
        if (only_orphans_live(dir->path) && clock_mono_ms() < give_up_ms) {
            (void)poll(NULL, 0, ORPHAN_LOOK_MS); /* a pause */
            i--;
            continue;
        }
        return pid_file_describe_holder(dir->path, path, holder, err);
    }
    return err_set(err, OT_E_BUSY, "%s comes and goes: another ottlad is stopping", path);
}

/* Everything but the status line, which has a fixed width and comes last. */
static int
pid_file_text(const Datadir *dir, const PidFileInfo *info, const char *status, char *ret,
              size_t size)
{
    return snprintf(ret, size, "%d\n%s\n%lld\n%u\n%s\n%s\n%s\n%-*s\n", (int)getpid(), dir->path,
                    (long long)(clock_wall_ms() / 1000), info->port, info->socket_dir,
                    info->listen_address, "anonymous", STATUS_WIDTH, status);
}

int
datadir_write_pid_file(Datadir *dir, const PidFileInfo *info, ErrInfo *err)
{
    char text[3 * NODE_PATH_MAX];
    int len = pid_file_text(dir, info, "starting", text, sizeof text);
    int rc = vfs_truncate(dir->pid_fd, 0, err);

    if (rc == 0)
        rc = vfs_pwrite(dir->pid_fd, text, (size_t)len, 0, err);
    if (rc == 0)
        rc = vfs_fsync(dir->pid_fd, err);
    if (rc != OT_E_NO_SPACE)
        return rc;
    /* The lock is what counts; the text is for people, who want a node that makes room to start. */
    log_msg(LL_WARNING, "datadir", "disk is full: the pid file stays empty: %s", err->text);
    return vfs_truncate(dir->pid_fd, 0, err);
}

void
datadir_set_status(Datadir *dir, const char *status)
{
    char padded[STATUS_WIDTH + 2];
    int64_t size;

    if (dir->pid_fd < 0)
        return;
    size = vfs_size(dir->pid_fd, NULL);
    if (size < STATUS_WIDTH + 1)
        return;
    snprintf(padded, sizeof padded, "%-*.*s\n", STATUS_WIDTH, STATUS_WIDTH, status);
    /* For people and tools only: a full disk must not stop the node. */
    (void)!vfs_pwrite(dir->pid_fd, padded, STATUS_WIDTH + 1, size - (STATUS_WIDTH + 1), NULL);
}

void
datadir_remove_pid_file(Datadir *dir)
{
    char path[NODE_PATH_MAX + 16];

    pid_file_path(dir->path, path);
    (void)!vfs_unlink(path, NULL); /* a stale file is harmless: the lock decides */
}
