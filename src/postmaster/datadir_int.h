/*
 * datadir_int.h - what datadir.c and pid_file.c share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_DATADIR_INT_H
#define OTTLA_POSTMASTER_DATADIR_INT_H

#include <sys/types.h>

#include "ottla/postmaster/datadir.h"

/*
 * Opens DIR/ottlad.pid and takes its lock; a stale file is taken over. OT_E_BUSY: another ottlad
 * lives (err names pid and title), or orphans of a dead one.
 */
int pid_file_lock(Datadir *dir, ErrInfo *err);

/*
 * The text for a lock that is held: names the file, the holder's pid and command line as far as
 * they can be known (holder -1: look into the pid file of data_dir). Returns OT_E_BUSY.
 */
int pid_file_describe_holder(const char *data_dir, const char *locked_path, pid_t holder,
                             ErrInfo *err);

#endif
