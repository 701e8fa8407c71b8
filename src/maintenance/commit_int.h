/*
 * commit_int.h - group commits of one log directory
 *
 * One commit makes all partitions durable that somebody waits for (plog_commit.h), by as few flushes as it
 * takes, and releases all who wait. flush.ms uses the same path: a partition whose time has come joins
 * the next commit.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_COMMIT_INT_H
#define OTTLA_MAINTENANCE_COMMIT_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"

typedef struct Committer Committer;

typedef struct CommitReport {
    int32_t partitions; /* made durable; 0: nobody asked, nothing was flushed */
    int64_t flush_us;
    bool used_syncfs;
} CommitReport;

/* The committer of a directory; NULL: no memory. */
Committer *committer_new(int dir);
void committer_free(Committer *c);

/*
 * One commit of all that ask now, and of those whose flush.ms has passed at now_us; wakes who waits.
 * everything: somebody died, trust no summary of who asks.
 * OT_E_KAFKA_STORAGE_ERROR: a flush failed; the directory is FAILED, nothing of this commit or a later one is
 * published, and all who wait were woken to see it. OT_E_NO_MEMORY: tried again at commit_next_us.
 */
int commit_run(Committer *c, int64_t now_us, bool everything, CommitReport *ret, ErrInfo *err);

/* When commit_run wants to run again although nobody asks; INT64_MAX: never. */
int64_t commit_next_us(const Committer *c);

#endif
