/*
 * folders_int.h - partition folders nobody serves: -delete ones are removed, strays set aside
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_FOLDERS_INT_H
#define OTTLA_MAINTENANCE_FOLDERS_INT_H

#include <stdint.h>

/*
 * Removes the -delete folders of a directory that got their name more than delay_ms ago. Returns the
 * wall clock when the next one is due, INT64_MAX when there is none.
 */
int64_t folders_remove_deleted(int dir, int64_t now_ms, int64_t delay_ms);

/* Renames folders of partitions that the table does not know to -stray. Once, after a start. */
void folders_set_strays_aside(int dir);

/* Unlinks the *.deleted files in a folder. */
void folders_remove_deleted_files(const char *folder);

#endif
