/*
 * retention.c - which segments of a log go, why the others stay, and until when
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/retention.h"

#include <stdio.h>
#include <time.h>

#include "ottla/common/assert.h"

void
retention_begin(RetentionWalk *walk, const TopicSettings *settings, const RetentionLog *log)
{
    *walk = (RetentionWalk){.settings = settings,
                            .log = *log,
                            .rule = RETENTION_BELOW_START,
                            .bytes_left = log->total_bytes};
}

bool
retention_goes(RetentionReason reason)
{
    return reason == RETENTION_BELOW_START || reason == RETENTION_OVER_SIZE ||
           reason == RETENTION_TOO_OLD;
}

static bool
has_size_limit(const TopicSettings *s)
{
    return s->cleanup_delete && s->retention_bytes >= 0;
}

static bool
has_time_limit(const TopicSettings *s)
{
    return s->cleanup_delete && s->retention_ms >= 0;
}

/* The rule says now - largest > retention.ms, so the first millisecond is one later. */
static int64_t
due_ms(const TopicSettings *s, const RetentionSegment *segment)
{
    int64_t due;

    if (!has_time_limit(s) ||
        __builtin_add_overflow(segment->largest_timestamp_ms, s->retention_ms, &due) ||
        due == INT64_MAX)
        return RETENTION_NEVER;
    return due + 1;
}

/* Does the rule take this segment, all before it being gone? */
static bool
takes(const RetentionWalk *walk, RetentionReason rule, const RetentionSegment *segment)
{
    const TopicSettings *s = walk->settings;

    switch (rule) {
    case RETENTION_BELOW_START:
        return !segment->active && segment->end_offset <= walk->log.log_start;
    case RETENTION_OVER_SIZE:
        /* as a difference: retention.bytes may be as large as a number can be */
        return has_size_limit(s) && walk->bytes_left - segment->bytes >= s->retention_bytes;
    case RETENTION_TOO_OLD:
        return due_ms(s, segment) <= walk->log.now_ms;
    case RETENTION_EMPTY:
    case RETENTION_UNCOMMITTED:
    case RETENTION_NOT_DELETED:
    case RETENTION_UNLIMITED:
    case RETENTION_FUTURE:
    case RETENTION_WITHIN:
    case RETENTION_BEHIND_OLDER:
    case RETENTION_REASON_COUNT:
        break;
    }
    return false;
}

/* Why a segment stays that no rule took although it was its turn. */
static RetentionReason
why_kept(const RetentionWalk *walk, const RetentionSegment *segment)
{
    const TopicSettings *s = walk->settings;

    if (!s->cleanup_delete)
        return RETENTION_NOT_DELETED;
    if (!has_size_limit(s) && !has_time_limit(s))
        return RETENTION_UNLIMITED;
    if (has_time_limit(s) && segment->largest_timestamp_ms > walk->log.now_ms)
        return RETENTION_FUTURE;
    return RETENTION_WITHIN;
}

RetentionVerdict
retention_judge(RetentionWalk *walk, const RetentionSegment *segment)
{
    RetentionVerdict verdict = {RETENTION_BEHIND_OLDER, due_ms(walk->settings, segment)};
    bool empty = segment->active && segment->bytes == 0;
    bool committed = segment->end_offset <= walk->log.high_watermark;

    if (empty) {
        verdict = (RetentionVerdict){RETENTION_EMPTY, RETENTION_NEVER};
        walk->rule = RETENTION_WITHIN;
        return verdict;
    }
    while (walk->rule <= RETENTION_TOO_OLD) {
        if (committed && takes(walk, walk->rule, segment)) {
            verdict.reason = walk->rule;
            walk->bytes_left -= segment->bytes;
            return verdict;
        }
        walk->rule = walk->rule == RETENTION_TOO_OLD ? RETENTION_WITHIN : walk->rule + 1;
        if (walk->rule == RETENTION_WITHIN)
            verdict.reason = committed ? why_kept(walk, segment) : RETENTION_UNCOMMITTED;
    }
    return verdict;
}

static const char *
reason_text(RetentionReason reason)
{
    switch (reason) {
    case RETENTION_BELOW_START:
        return "goes: below the log start offset";
    case RETENTION_OVER_SIZE:
        return "goes: retention.bytes are there without it";
    case RETENTION_TOO_OLD:
        return "goes: older than retention.ms";
    case RETENTION_EMPTY:
        return "stays: empty and active";
    case RETENTION_UNCOMMITTED:
        return "stays: reaches above the high watermark";
    case RETENTION_NOT_DELETED:
        return "stays: cleanup.policy does not delete";
    case RETENTION_UNLIMITED:
        return "stays: no limit of time or size";
    case RETENTION_FUTURE:
        return "stays: a timestamp in the future";
    case RETENTION_WITHIN:
        return "stays: within the limits";
    case RETENTION_BEHIND_OLDER:
        return "stays: an older segment does";
    case RETENTION_REASON_COUNT:
        break;
    }
    ot_unreachable();
}

const char *
retention_text(const RetentionVerdict *verdict, char ret[RETENTION_TEXT_MAX])
{
    time_t seconds = (time_t)(verdict->due_ms / 1000);
    struct tm utc;
    char when[32];

    if (retention_goes(verdict->reason) || verdict->due_ms == RETENTION_NEVER ||
        gmtime_r(&seconds, &utc) == NULL ||
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        (void)snprintf(ret, RETENTION_TEXT_MAX, "%s", reason_text(verdict->reason));
    else
        (void)snprintf(ret, RETENTION_TEXT_MAX, "%s; by time from %s", reason_text(verdict->reason),
                       when);
    return ret;
}
