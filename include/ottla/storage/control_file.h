/*
 * control_file.h - DIR/control: what the node was doing last, which log directories failed and are not repaired yet
 *
 * A failed flush leaves pages in the kernel's memory that look written and are not (design.md 6), so
 * the node that starts next must know. The same format, with a single row, is the note that is left
 * in the failed directory itself when it can still be written.
 *
 * Lines of text, fields behind single tabs, as an operator may look into it:
 *
 *   ottla-control 2
 *   state <in crash recovery|in production|shut down> <unix ms> <unix ms of the last checkpoint> <version>
 *   failed <directory.id> <write|flush> <unix ms> <path> <what happened>
 *   crc32c <of all bytes before this line, 8 hex digits>
 *
 * The line "state" may be missing, as in files of version 1. Path and text are for people; a control byte in them becomes '?'.
 * Runs in: supervisor (load), checkpointer (store).
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_CONTROL_FILE_H
#define OTTLA_STORAGE_CONTROL_FILE_H

#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/view.h"
#include "ottla/storage/logdir_state.h"

#define CONTROL_FILE "control"       /* in the data directory */
#define FAILED_NOTE  ".ottla_failed" /* in the failed directory */
#define CONTROL_ROWS_MAX \
    (2 * LOGDIRS_MAX + 1) /* those configured, as many that are not any more, metadata */

typedef struct ControlRow {
    Uuid directory_id;
    LogDirFailure failure;
    int64_t time_ms;
    char path[LIMIT_LOG_DIR_BYTES];
    char text[LOGDIR_FAILURE_TEXT_BYTES];
} ControlRow;

/* As the checkpointer of the first log directory last saw it; for people and tools, no start depends on it. */
typedef enum ControlNodeState {
    CONTROL_NODE_UNKNOWN,
    CONTROL_NODE_RECOVERING,
    CONTROL_NODE_PRODUCTION,
    CONTROL_NODE_SHUT_DOWN,
    CONTROL_NODE_STATE_COUNT
} ControlNodeState;

#define CONTROL_VERSION_MAX 32

typedef struct ControlNode {
    ControlNodeState state;
    int64_t changed_ms;
    int64_t checkpoint_ms; /* 0: none since the directory was formatted */
    char version[CONTROL_VERSION_MAX];
} ControlNode;

typedef struct ControlFile {
    ControlNode node;
    int32_t count;
    ControlRow rows[CONTROL_ROWS_MAX];
} ControlFile;

/* "in production" */
const char *control_node_state_name(ControlNodeState state);

/* OT_E_NOT_FOUND: no such file. OT_E_CORRUPT: not this format, or a wrong checksum. */
int control_file_load(const char *path, ControlFile *ret, ErrInfo *err);

/* Whole and durable, or the old one stays. */
int control_file_store(const char *path, const ControlFile *file, ErrInfo *err);

#endif
