/*
 * log_pipe.c - the pipe that the logger collects
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/log_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/vfs.h"

#define PIPE_BYTES (1 << 20) /* what anybody may have; each packet takes a page of it */
#define READER_FD  3

static int read_fd = -1;
static int write_fd = -1;
static int stderr_fd = -1; /* what stderr was at the start */
static bool in_use;        /* stderr is the pipe */

int
log_pipe_open(ErrInfo *err)
{
    int fds[2];

    ot_assert(read_fd < 0 && write_fd < 0);
    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK | O_DIRECT) != 0)
        return err_set_errno(err, OT_E_SYSTEM, errno, "pipe of the logger");
    stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, READER_FD + 1);
    if (stderr_fd < 0) /* there is none */
        stderr_fd = vfs_open("/dev/null", O_WRONLY, 0, NULL);
    if (stderr_fd < 0) {
        vfs_close(fds[0]);
        vfs_close(fds[1]);
        return err_set(err, OT_E_SYSTEM, "stderr cannot be kept");
    }
    (void)fcntl(fds[1], F_SETPIPE_SZ, PIPE_BYTES); /* refused: a smaller one loses lines sooner */
    read_fd = fds[0];
    write_fd = fds[1];
    return 0;
}

bool
log_pipe_use(bool wanted)
{
    if (write_fd < 0)
        return false;
    if (wanted != in_use && dup2(wanted ? write_fd : stderr_fd, STDERR_FILENO) == STDERR_FILENO)
        in_use = wanted;
    return in_use;
}

void
log_pipe_close_reader(void)
{
    vfs_close(read_fd);
    read_fd = -1;
}

int
log_pipe_become_reader(void)
{
    int null = vfs_open("/dev/null", O_RDWR, 0, NULL);

    if (null >= 0) {
        (void)dup2(null, STDIN_FILENO);
        (void)dup2(null, STDOUT_FILENO);
    }
    (void)log_pipe_use(false);
    if (read_fd != READER_FD && dup2(read_fd, READER_FD) != READER_FD)
        return OT_E_SYSTEM;
    if (close_range(READER_FD + 1, ~0U, 0) != 0)
        return OT_E_SYSTEM;
    read_fd = write_fd = stderr_fd = -1;
    return READER_FD;
}

void
log_pipe_close(void)
{
    (void)log_pipe_use(false);
    vfs_close(read_fd);
    vfs_close(write_fd);
    vfs_close(stderr_fd);
    read_fd = write_fd = stderr_fd = -1;
}
