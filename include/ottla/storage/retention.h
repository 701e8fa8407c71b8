/*
 * retention.h - which segments of a log go, why the others stay, and until when
 *
 * The rules of log.md 10.2 as one walk from the oldest segment to the newest: what lies below the log
 * start goes; of the rest, what retention.bytes does not need; of that rest, what retention.ms does
 * not need. Each rule takes a run of segments and ends at the first that it does not take.
 * The worker acts on the answers, the statistics show them (`deletable_reason`).
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_RETENTION_H
#define OTTLA_STORAGE_RETENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/topic_settings.h"

#define RETENTION_NEVER INT64_MAX

typedef enum RetentionReason {
    /* it goes at the next check */
    RETENTION_BELOW_START, /* every record lies below the log start offset */
    RETENTION_OVER_SIZE,   /* without it retention.bytes are still there */
    RETENTION_TOO_OLD,     /* its largest timestamp is older than retention.ms */
    /* it stays */
    RETENTION_EMPTY,        /* the active segment, without records */
    RETENTION_UNCOMMITTED,  /* holds records at or above the high watermark */
    RETENTION_NOT_DELETED,  /* cleanup.policy does not delete */
    RETENTION_UNLIMITED,    /* neither time nor size has a limit */
    RETENTION_FUTURE,       /* its largest timestamp lies in the future: it waits for that */
    RETENTION_WITHIN,       /* within the limits */
    RETENTION_BEHIND_OLDER, /* an older segment stays */
    RETENTION_REASON_COUNT
} RetentionReason;

/* What all segments of a log have in common. */
typedef struct RetentionLog {
    int64_t now_ms; /* wall clock */
    int64_t log_start;
    int64_t high_watermark;
    int64_t total_bytes; /* of all segments */
} RetentionLog;

typedef struct RetentionSegment {
    int64_t end_offset;           /* base of the next one; LEO for the active one */
    int64_t largest_timestamp_ms; /* of a record; without any, when the file was written last */
    int64_t bytes;
    bool active;
} RetentionSegment;

typedef struct RetentionVerdict {
    RetentionReason reason;
    /*
     * Wall clock from which the time rule takes it, if nothing is appended to it and no older one
     * stays longer: RETENTION_NEVER when no time does.
     */
    int64_t due_ms;
} RetentionVerdict;

/* The walk over one log; segments are judged oldest first, each once. */
typedef struct RetentionWalk {
    const TopicSettings *settings;
    RetentionLog log;
    RetentionReason
        rule;           /* BELOW_START, OVER_SIZE, TOO_OLD: the one that takes now; WITHIN: over */
    int64_t bytes_left; /* of this segment and those behind it */
} RetentionWalk;

void retention_begin(RetentionWalk *walk, const TopicSettings *settings, const RetentionLog *log);

RetentionVerdict retention_judge(RetentionWalk *walk, const RetentionSegment *segment);

/* Does a segment with this verdict go? */
bool retention_goes(RetentionReason reason);

/*
 * A text for people: "oldest record below log start offset", or with the due time, RFC 3339 in UTC.
 * Returns ret.
 */
#define RETENTION_TEXT_MAX 128
const char *retention_text(const RetentionVerdict *verdict, char ret[RETENTION_TEXT_MAX]);

#endif
