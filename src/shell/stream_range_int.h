/*
 * stream_range_int.h - where a stream begins and ends: offsets, counts from an end, points in time
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_STREAM_RANGE_INT_H
#define OTTLA_SHELL_STREAM_RANGE_INT_H

#include "ottla/client/consume.h"
#include "shell_int.h"

typedef enum StreamFrom {
    STREAM_FROM_BEGINNING,
    STREAM_FROM_END,
    STREAM_FROM_STORED, /* what a group has committed */
    STREAM_FROM_OFFSET,
    STREAM_FROM_LAST,  /* so many before the end */
    STREAM_FROM_FIRST, /* so many behind the beginning */
    STREAM_FROM_TIME,
} StreamFrom;

typedef struct StreamRange {
    StreamFrom from;
    int64_t number; /* of the kinds that have one */
    bool has_until_offset;
    bool has_until_time;
    int64_t until; /* not wanted any more */
} StreamRange;

/*
 * beginning, start, end, stored, N, -N, +N, A:B, :end, :B, @TIME, @TIME:TIME. Times: ms or seconds since 1970, -1h before now,
 * or what SQL's ts() reads. 22023.
 */
int stream_range_parse(Shell *shell, const char *text, StreamRange *ret, Fault *f);

/* One point in time as above, without '@'. */
int stream_time_parse(Shell *shell, const char *text, int64_t *ret_ms, Fault *f);

/* The bounds of a scan. STREAM_FROM_STORED and FIRST are the caller's. */
void stream_range_apply(const StreamRange *range, ClientScanOptions *o);

#endif
