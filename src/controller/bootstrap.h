/*
 * bootstrap.h - the first records of a new cluster: those of bootstrap.checkpoint
 *
 * Runs in: controller, when its log has no data yet.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_BOOTSTRAP_H
#define OTTLA_CONTROLLER_BOOTSTRAP_H

#include "controller/records.h"

/*
 * Appends the records of DIR/bootstrap.checkpoint, or without that file those of a fresh node, and the default that
 * eligible.leader.replicas.version asks for; in a transaction where metadata.version knows one (cluster.md 3.2).
 * OT_E_CORRUPT: the file cannot be read. OT_E_UNSUPPORTED_VERSION: a feature or a level that this version does not offer.
 */
int bootstrap_records(const char *metadata_dir, int32_t min_insync_replicas, RecordList *ret,
                      ErrInfo *err) __attribute__((warn_unused_result));

#endif
