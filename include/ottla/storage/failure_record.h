/*
 * failure_record.h - log directories that failed, remembered on disk until they are repaired
 *
 * Two places: DIR/control (control_file.h), and a note in the failed directory itself, as far as it
 * can still be written, for a disk that is carried to another node or a data directory that is lost.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_FAILURE_RECORD_H
#define OTTLA_STORAGE_FAILURE_RECORD_H

#include <stdbool.h>

#include "ottla/common/err.h"
#include "ottla/storage/control_file.h"

/*
 * Supervisor, at the start, when all directories are known: each log directory that DIR/control or its own
 * note names will come up REPAIRING (logdir_require_repair). Rows of directories that are not
 * configured any more are kept for the day they are. A row of the metadata directory sets
 * node_info.metadata_failed. A damaged file counts against every directory.
 * Fails only when DIR/control is there and cannot be read.
 */
int failure_record_load(ErrInfo *err);

/* Is the directory recorded, or to be? */
bool failure_is_recorded(int dir);

/*
 * Checkpointer of the directory: writes it down in both places; success when one of them has it.
 * Any number of checkpointers may do so at once.
 */
int failure_record_add(int dir, ErrInfo *err);

/*
 * Controller: the metadata log could not be written or flushed, the node ends; at the next start its
 * last segment is written again. After that, failed false: it was.
 */
int failure_record_metadata(bool failed, ErrInfo *err);

/* Checkpointer of the first directory: what the node is doing, beside the rows of failures. */
int control_record_node(const ControlNode *node, ErrInfo *err);

/* Checkpointer, after the repair: takes it out of both. May be repeated. */
int failure_record_remove(int dir, ErrInfo *err);

#endif
