/*
 * reset.c - where committed offsets go
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "reset_int.h"

#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/text.h"

/* a + b without overflow: at the bounds of the type it stays there. */
static int64_t
add_clamped(int64_t a, int64_t b)
{
    int64_t sum;

    if (!__builtin_add_overflow(a, b, &sum))
        return sum;
    return b > 0 ? INT64_MAX : INT64_MIN;
}

int64_t
reset_target(ResetTo to, const ResetPartition *p, bool *ret_clamped)
{
    int64_t base = p->committed >= 0 ? p->committed : p->end, target = 0;

    switch (to) {
    case RESET_EARLIEST:
        target = p->start;
        break;
    case RESET_LATEST:
        target = p->end;
        break;
    case RESET_CURRENT:
        target = base;
        break;
    case RESET_OFFSET:
    case RESET_FILE:
        target = p->asked;
        break;
    case RESET_TIME:
        target = p->at_time < 0 ? p->end : p->at_time;
        break;
    case RESET_SHIFT:
        target = add_clamped(base, p->asked);
        break;
    }
    *ret_clamped = target < p->start || target > p->end;
    return target < p->start ? p->start : target > p->end ? p->end : target;
}

bool
reset_csv_line(StrView line, StrView *ret_topic, int32_t *ret_partition, int64_t *ret_offset)
{
    StrView fields[3];
    int count = 0;

    line = text_trim(line);
    for (int32_t at = 0; at <= line.len; at++) {
        int32_t start = at;

        while (at < line.len && line.ptr[at] != ',')
            at++;
        if (count == 3)
            return false;
        fields[count++] = text_trim((StrView){line.ptr + start, at - start});
    }
    if (count != 3)
        return false;
    if (fields[0].len >= 2 && fields[0].ptr[0] == '"' && fields[0].ptr[fields[0].len - 1] == '"')
        fields[0] = (StrView){fields[0].ptr + 1, fields[0].len - 2};
    *ret_topic = fields[0];
    return fields[0].len > 0 && text_to_int32(fields[1], ret_partition) && *ret_partition >= 0 &&
           text_to_int64(fields[2], ret_offset);
}
