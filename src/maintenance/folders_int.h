/*
 * folders_int.h - partition folders nobody serves: -delete ones are removed, strays set aside
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_FOLDERS_INT_H
#define OTTLA_MAINTENANCE_FOLDERS_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/view.h"

/*
 * -delete folders: noted when they get their name (since_ms, monotonic clock), or found, all of them, in the
 * log directories: after a start, and when somebody else renamed one; then they are as old as their ctime
 * says, new if that lies in the future. Never in a walk otherwise: a deletion costs what is deleted.
 */
void folders_note_deleted(const char *path, int64_t since_ms);
void folders_find_deleted(void);

/*
 * Removes those that got their name at least delay_ms ago; one that resists is tried again later. Returns
 * when the next one is due, INT64_MAX when there is none.
 */
int64_t folders_remove_deleted(int64_t now_ms, int64_t delay_ms, int32_t *ret_removed);

/* Removes a folder and the files in it. False: it is still there, and a line says why. */
bool folders_remove(const char *folder);

/* Whose folder it is, as its name and its partition.metadata say. */
typedef struct FolderOwner {
    bool known;
    Uuid topic_id;
    int32_t partition;
} FolderOwner;

/* Calls found for each -future folder of a directory. */
void folders_find_futures(int dir,
                          void (*found)(int dir, const char *folder, const FolderOwner *owner));

/* Renames folders of partitions that the table does not know to -stray, and second ones that a move left
 * to -delete. Once, after a start. */
void folders_set_strays_aside(int dir);

/*
 * Unlinks the *.deleted files in a folder that belong to segments with a base offset lower than below. Returns
 * how many. What cannot be removed stays, with a line, until its log is opened the next time.
 */
int32_t folders_remove_deleted_files(const char *folder, int64_t below);

#endif
