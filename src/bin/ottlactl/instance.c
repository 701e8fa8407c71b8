/*
 * instance.c - is there a server on a data directory, which one, and who keeps it
 *
 * Reads DIR/ottlad.pid and /proc; changes nothing. The lock on the pid file decides: the number in a file that nobody holds
 * may be that of anything by now.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl_int.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"

#define PID_FILE_MAX 8192 /* eight lines, two of them paths */
#define STATUS_LINE  8

/* Line n of a text, the first is 1; empty when there are fewer. */
static StrView
line_of(StrView text, int n)
{
    while (text.len > 0) {
        const char *end = memchr(text.ptr, '\n', (size_t)text.len);
        int32_t len = end == NULL ? text.len : (int32_t)(end - text.ptr);

        if (--n == 0)
            return (StrView){text.ptr, len};
        len += end != NULL;
        text.ptr += len;
        text.len -= len;
    }
    return STRVIEW("");
}

/* Does anybody hold the pid file? Asking needs no right to write. */
static bool
is_locked(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

bool
instance_look(const char *data_dir, Instance *ret, const char **ret_why)
{
    char path[PATH_MAX], text[PID_FILE_MAX];
    struct stat st;
    int32_t pid;
    int fd;

    *ret = (Instance){0};
    if (stat(data_dir, &st) != 0) {
        *ret_why = strerror(errno);
        return false;
    }
    if (!S_ISDIR(st.st_mode)) {
        *ret_why = "it is not a directory";
        return false;
    }
    if ((size_t)snprintf(path, sizeof path, "%s/ottlad.pid", data_dir) >= sizeof path) {
        *ret_why = "its path is too long";
        return false;
    }
    fd = vfs_open(path, O_RDONLY, 0, NULL);
    if (fd == OT_E_NOT_FOUND)
        return true;
    if (fd < 0) {
        *ret_why = "its ottlad.pid cannot be read";
        return false;
    }
    int64_t len = vfs_pread(fd, text, sizeof text, 0, NULL);
    bool locked = is_locked(fd);
    vfs_close(fd);
    StrView all = {text, len < 0 ? 0 : (int32_t)len};
    if (text_to_int32(line_of(all, 1), &pid) && pid > 1)
        ret->pid = pid;
    ret->running = locked && ret->pid != 0 && (kill(ret->pid, 0) == 0 || errno == EPERM);
    ret->orphans = locked && !ret->running;
    ret->ready =
        ret->running && strview_equal(text_trim(line_of(all, STATUS_LINE)), STRVIEW("ready"));
    return true;
}

/* A file of /proc/PID, which has no size; zero-terminated. The number of bytes, 0: not to be had. */
static size_t
read_proc(pid_t pid, const char *name, char *ret, size_t size)
{
    char path[64];
    size_t used = 0;
    int64_t got;

    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = vfs_open(path, O_RDONLY, 0, NULL);
    if (fd < 0)
        return 0;
    while (used < size - 1 &&
           (got = vfs_pread(fd, ret + used, size - 1 - used, (int64_t)used, NULL)) > 0)
        used += (size_t)got;
    vfs_close(fd);
    ret[used] = '\0';
    return used;
}

size_t
instance_command_line(pid_t pid, char *ret, size_t size)
{
    return read_proc(pid, "cmdline", ret, size);
}

bool
instance_process_lives(pid_t pid)
{
    char text[512];
    const char *state;

    if (kill(pid, 0) != 0 && errno == ESRCH)
        return false;
    if (read_proc(pid, "stat", text, sizeof text) == 0)
        return false;
    state = strrchr(text, ')'); /* behind the name, which may hold anything */
    return state == NULL || strncmp(state, ") Z", 3) != 0;
}

pid_t
instance_logger(pid_t supervisor)
{
    static char children[1 << 18]; /* more than the slots of a node have pids */
    char name[32], path[64];
    StrView rest = {children, 0};
    int32_t pid;

    snprintf(path, sizeof path, "task/%d/children", (int)supervisor);
    rest.len = (int32_t)read_proc(supervisor, path, children, sizeof children);
    while (rest.len > 0) {
        int32_t len = (int32_t)strcspn(rest.ptr, " ");

        if (text_to_int32((StrView){rest.ptr, len}, &pid) &&
            read_proc(pid, "comm", name, sizeof name) > 0 && strcmp(name, "ottlad-logger\n") == 0)
            return pid;
        len += len < rest.len;
        rest = (StrView){rest.ptr + len, rest.len - len};
    }
    return 0;
}

bool
instance_unit(pid_t pid, char ret[NAME_MAX + 1])
{
    char text[PATH_MAX];
    StrView all = {text, (int32_t)read_proc(pid, "cgroup", text, sizeof text)};

    for (int n = 1; line_of(all, n).len > 0; n++) {
        StrView line = line_of(all, n);

        while (line.len > 0) {
            const char *slash = memrchr(line.ptr, '/', (size_t)line.len);
            int32_t from = slash == NULL ? 0 : (int32_t)(slash + 1 - line.ptr);
            StrView name = {line.ptr + from, line.len - from};

            if (name.len > 8 && name.len <= NAME_MAX && memcmp(name.ptr, "ottlad", 6) == 0 &&
                memcmp(name.ptr + name.len - 8, ".service", 8) == 0) {
                snprintf(ret, NAME_MAX + 1, "%.*s", (int)name.len, name.ptr);
                return true;
            }
            line.len = slash == NULL ? 0 : (int32_t)(slash - line.ptr);
        }
    }
    return false;
}
