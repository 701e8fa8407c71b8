/*
 * child.c - commands of the system shell: run, written to, read from
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "child_int.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

/* By /bin/sh. */
static int
start(const char *command, const posix_spawn_file_actions_t *actions, pid_t *ret_pid)
{
    char shell[] = "/bin/sh", flag[] = "-c";
    char *copy = strdup(command);
    char *argv[] = {shell, flag, copy, NULL};
    posix_spawnattr_t attr;
    sigset_t back;
    int rc;

    if (copy == NULL)
        return ENOMEM;
    sigemptyset(&back);
    sigaddset(&back, SIGPIPE);         /* ignored here, not there */
    (void)posix_spawnattr_init(&attr); /* these three cannot fail here */
    (void)posix_spawnattr_setsigdefault(&attr, &back);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF);
    rc = posix_spawn(ret_pid, shell, actions, &attr, argv, environ);
    (void)posix_spawnattr_destroy(&attr);
    free(copy);
    return rc;
}

static int
wait_for(pid_t pid)
{
    int status;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int
child_run(const char *command)
{
    pid_t pid;
    int rc;

    fflush(NULL);
    rc = start(command, NULL, &pid);
    if (rc != 0) {
        errno = rc;
        return -1;
    }
    return wait_for(pid);
}

FILE *
child_open(const char *command, bool read, int64_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    int fds[2], ours, theirs, rc;
    FILE *file;
    pid_t pid = 0;

    fflush(NULL);
    if (pipe2(fds, O_CLOEXEC) != 0)
        return NULL;
    ours = fds[read ? 0 : 1];
    theirs = fds[read ? 1 : 0];
    rc = posix_spawn_file_actions_init(&actions);
    if (rc == 0) {
        rc =
            posix_spawn_file_actions_adddup2(&actions, theirs, read ? STDOUT_FILENO : STDIN_FILENO);
        if (rc == 0)
            rc = start(command, &actions, &pid);
        (void)posix_spawn_file_actions_destroy(&actions);
    }
    close(theirs);
    file = rc == 0 ? fdopen(ours, read ? "r" : "w") : NULL;
    if (file == NULL) {
        rc = rc != 0 ? rc : errno;
        close(ours);
        if (pid != 0)
            (void)wait_for(pid); /* its pipe is closed: it ends */
        errno = rc;
        return NULL;
    }
    *ret_pid = pid;
    return file;
}

int
child_close(FILE *file, int64_t pid)
{
    fclose(file);
    return wait_for((pid_t)pid);
}

int
child_capture(const char *command, StrBuf *out)
{
    int64_t pid;
    FILE *file = child_open(command, true, &pid);
    char piece[4096];
    size_t len;

    if (file == NULL)
        return -1;
    while ((len = fread(piece, 1, sizeof piece, file)) > 0 && !strbuf_failed(out))
        strbuf_add(out, piece, len);
    return child_close(file, pid);
}
