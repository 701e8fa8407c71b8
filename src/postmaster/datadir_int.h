/*
 * datadir_int.h - what datadir.c, datadir_*.c and pid_file.c share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_DATADIR_INT_H
#define OTTLA_POSTMASTER_DATADIR_INT_H

#include <limits.h>
#include <sys/types.h>

#include "ottla/postmaster/datadir.h"
#include "ottla/postmaster/meta_properties.h"

/*
 * What a failure at a directory means for the start: one whose disk fails and that holds logs alone is
 * put aside. The code otherwise.
 */
int datadir_put_aside(const Datadir *dir, DatadirPlace *place, int code, const ErrInfo *err);

/* ---- datadir_paths.c ---- */

/* The places, and node_info's paths, out of the settings. */
int datadir_work_out_paths(const DatadirSettings *settings, Datadir *dir, ErrInfo *err);

/* ---- datadir_format.c ---- */

/* 1: nothing in it but what an unformatted directory may hold; 0: something else, named in ret_name. */
int datadir_looks_empty(const char *path, char ret_name[NAME_MAX + 1], ErrInfo *err);

bool datadir_place_is_formatted(const DatadirPlace *place);
bool datadir_is_formatted(const Datadir *dir); /* one of its places */

/* The places in todo, all that can be used, become those of a new node; their meta.properties come last. */
int datadir_format(const Datadir *dir, const DatadirSettings *settings, MetaProperties *props,
                   const bool *todo, ErrInfo *err);

/* A new log directory of a formatted node, or the rest of a formatting that was killed. */
int datadir_complete(const Datadir *dir, const DatadirSettings *settings, MetaProperties *props,
                     const bool *missing, ErrInfo *err);

/* ---- datadir_identity.c ---- */

/*
 * Formats what is to be, compares ids with one another and the settings, fills node_info and the table of log
 * directories.
 */
int datadir_load_identity(Datadir *dir, const DatadirSettings *settings, ErrInfo *err);

/* ---- pid_file.c ---- */

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
