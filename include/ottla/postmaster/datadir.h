/*
 * datadir.h - the data directory and the log directories: whose they are, locked, formatted
 *
 * Runs in: supervisor, before the first fork. Fills node_info and the table of log directories.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_DATADIR_H
#define OTTLA_POSTMASTER_DATADIR_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/limits.h"
#include "ottla/controller/format_plan.h"

/* What the settings and the command line say; strings may be NULL (not set). */
typedef struct DatadirSettings {
    const char *data_dir;       /* -D */
    const char *log_dirs;       /* log.dirs or log.dir; NULL: DIR/log */
    const char *metadata_dir;   /* metadata.log.dir; NULL: the first of log_dirs, else DIR/meta */
    const char *cluster_id;     /* cluster.id; NULL: that of the directory, or a new one */
    int32_t node_id;            /* -1: that of the directory, or 1 */
    bool auto_format;           /* an unformatted directory is formatted as a single node */
    const char *voter_listener; /* of the controller listener, for VotersRecord */
    const char *voter_host;
    uint16_t voter_port;
    const FormatPlan *plan; /* of ottla-initdb; NULL: that of a single node */
} DatadirSettings;

#define DATADIR_PLACES_MAX (LIMIT_LOG_DIRS + 1) /* and the metadata directory */

/* One directory that holds a meta.properties. */
typedef struct DatadirPlace {
    char path[1024];
    bool is_log;      /* listed in log.dirs */
    bool is_metadata; /* holds the metadata log */
    int lock_fd;      /* .lock, inherited by every child on purpose; -1: none */
    bool made;        /* by datadir_prepare of this process */
    bool formatted;   /* before this process came */
    bool unusable;    /* EIO, EROFS: the node starts beside it, if it holds logs alone */
    char why[200];    /* ... */
} DatadirPlace;

typedef struct Datadir {
    char path[1024]; /* absolute */
    bool made;       /* as that of a place */
    DatadirPlace places[DATADIR_PLACES_MAX];
    int place_count;
    int pid_fd; /* ottlad.pid, locked; -1: not written */
} Datadir;

/*
 * Works out the paths and, before privileges are dropped, makes directories that are missing and
 * gives missing or empty ones to uid and gid (-1: leaves them). Fills ret and node_info's paths.
 * OT_E_CONFIG: a path is too long, too many log.dirs. OT_E_NOT_FOUND: missing and not to be made.
 */
int datadir_prepare(const DatadirSettings *settings, int uid, int gid, Datadir *ret, ErrInfo *err);

/*
 * Takes the locks, checks owner and mode, formats or verifies, registers the log directories,
 * takes their clean markers. When it fails, everything is closed again. A log directory whose disk
 * fails (EIO, EROFS) does not keep the others from being used; the metadata directory does, and DIR.
 *
 * OT_E_BUSY: a lock is held (text names the holder). OT_E_PERMISSION: owner, mode or access.
 * OT_E_CONFIG: not formatted and not to be, ids that contradict the settings or one another.
 */
int datadir_open(Datadir *dir, const DatadirSettings *settings, ErrInfo *err);

/*
 * Formats the directories and does nothing else: locks are taken, no clean marker is, and everything is closed again. Needs
 * datadir_prepare. ignore_formatted: those that are formatted are left as they are; else OT_E_EXISTS for the first.
 */
int datadir_format_alone(Datadir *dir, const DatadirSettings *settings, bool ignore_formatted,
                         ErrInfo *err);

/* After a failure: takes away what formatting has written, and directories that are empty then and were not there. */
void datadir_undo_format(const Datadir *dir);

/* What the pid file says beside the pid; strings are copied into the file. */
typedef struct PidFileInfo {
    uint16_t port;
    const char *socket_dir;     /* "" without a Unix socket */
    const char *listen_address; /* first TCP listener's host; "" for every address */
} PidFileInfo;

/* Writes all lines of ottlad.pid with the status "starting". Needs datadir_open. */
int datadir_write_pid_file(Datadir *dir, const PidFileInfo *info, ErrInfo *err);

/* Rewrites the status line in place: "starting", "ready", "recovery", "stopping". */
void datadir_set_status(Datadir *dir, const char *status);

/* Removes the pid file; the locks go with the process. */
void datadir_remove_pid_file(Datadir *dir);

/*
 * Tells the shared half of the log directories which were closed in order, after each region was made. But for
 * the first one those alone that were put aside: the others are not clean any more.
 */
void datadir_publish_clean(bool first);

#endif
