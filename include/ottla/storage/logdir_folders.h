/*
 * logdir_folders.h - in which log directory a partition's folder really lies
 *
 * The metadata says where a log was last known to be; a node that was killed right after it moved one finds it
 * elsewhere (plog_move.h, V3). Read once at the start, and only where there is more than one directory.
 *
 * Runs in: controller.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_LOGDIR_FOLDERS_H
#define OTTLA_STORAGE_LOGDIR_FOLDERS_H

#include <stdint.h>

#include "ottla/common/view.h"

typedef struct LogDirFolders LogDirFolders;

/* Lists all directories; those that cannot be listed seem empty. NULL: no memory. */
LogDirFolders *logdir_folders_load(void);

/*
 * named if the folder lies there, or nowhere; else the directory where it lies. Where there are several of the name,
 * only one with this topic's id counts.
 * named -1: no directory; -1 is returned when it lies nowhere.
 */
int logdir_folders_find(const LogDirFolders *all, int named, StrView topic, int32_t partition,
                        Uuid topic_id);

void logdir_folders_free(LogDirFolders *all);

#endif
