/*
 * title.h - what ps and the shell show about this process
 *
 * "ottlad: INSTANCE: KIND DETAIL", written over the memory of the arguments (libbsd) without a
 * system call, and published in the process's slot. The supervisor keeps its command line.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_TITLE_H
#define OTTLA_IPC_TITLE_H

#include <stdbool.h>

/*
 * Once in main(), before any thread or fork: moves the environment away so that there is room for
 * titles.
 */
void title_init(int argc, char **argv, char **environment);

/* update.process.title: false keeps the first title of a process. */
void title_enable_updates(bool on);

/*
 * First title of a child and its comm name ("ottlad-KIND", 15 bytes); set by the launcher. kind is
 * kept by pointer.
 */
void title_begin(const char *kind);

/*
 * Changes the part behind "ottlad: INSTANCE: KIND ". Bytes that are not printable ASCII become '?';
 * cut at SLOT_TITLE_MAX.
 */
void title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
