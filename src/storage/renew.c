/*
 * renew.c - a file written again, so that what can be read of it is on the disk
 *
 * Runs in: whoever opens a log of a directory under repair; controller.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/renew.h"

#include <stdio.h>
#include <stdlib.h>

#include "ottla/common/limits.h"
#include "ottla/common/vfs.h"

#define COPY_BYTES (1024 * 1024)

static int
copy(int from, int to, ErrInfo *err)
{
    uint8_t *buffer = malloc(COPY_BYTES);
    int64_t pos = 0;
    int64_t got;
    int rc = 0;

    if (buffer == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to copy a file");
    do {
        got = vfs_pread(from, buffer, COPY_BYTES, pos, err);
        if (got < 0)
            rc = (int)got;
        else if (got > 0)
            rc = vfs_pwrite(to, buffer, (size_t)got, pos, err);
        pos += got;
    } while (rc == 0 && got == COPY_BYTES);
    free(buffer);
    if (rc == 0 && vfs_fdatasync(to, err) != 0) {
        if (err != NULL)
            err->code = OT_E_IO;
        rc = OT_E_IO;
    }
    return rc;
}

int
renew_file(const char *path, ErrInfo *err)
{
    char temporary[LIMIT_PATH_BYTES];
    int from;
    int to;
    int rc;

    if (snprintf(temporary, sizeof temporary, "%s.tmp", path) >= (int)sizeof temporary)
        return err_set(err, OT_E_INVALID, "path longer than %d bytes", LIMIT_PATH_BYTES - 5);
    from = vfs_open(path, O_RDONLY, 0, err);
    if (from < 0)
        return from;
    to = vfs_open(temporary, O_WRONLY | O_CREAT | O_TRUNC, 0640, err);
    rc = to < 0 ? to : copy(from, to, err);
    vfs_close(from);
    vfs_close(to < 0 ? -1 : to);
    if (rc == 0)
        rc = vfs_rename(temporary, path, err);
    if (rc != 0)
        err_prefix(err, "\"%s\" written again", path);
    if (rc != 0 && vfs_unlink(temporary, NULL) != 0) {
        /* a left-over is removed when the log is opened, and is in nobody's way */
    }
    return rc;
}
