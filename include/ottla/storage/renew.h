/*
 * renew.h - a file written again, so that what can be read of it is on the disk
 *
 * After a flush that failed, the kernel's memory shows bytes that are not on the disk, and a flush that
 * follows succeeds without them. Writing the same bytes over them is not enough: ext4 then writes them
 * into blocks that its tree still calls unwritten, and reads zeros after the next mount. What helps is
 * a file that has nothing to do with the old one.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_RENEW_H
#define OTTLA_STORAGE_RENEW_H

#include "ottla/common/err.h"

/*
 * Copies the file beside itself (path.tmp), flushes the copy, renames it over the old one. The name is
 * durable when the folder is flushed. Who has the old file open keeps that. Blocks as long as it takes.
 * On failure the old file stands. A failed flush: OT_E_IO, whatever its cause. OT_E_NOT_FOUND.
 */
int renew_file(const char *path, ErrInfo *err) __attribute__((warn_unused_result));

#endif
