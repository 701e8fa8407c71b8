/*
 * epochs.c - the leader epochs of a log
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/epochs.h"

#include <string.h>

int32_t
epochs_assign(EpochEntry *list, int32_t count, EpochEntry add)
{
    if (count > 0 && list[count - 1].epoch == add.epoch &&
        add.start_offset >= list[count - 1].start_offset)
        return count;
    while (count > 0 &&
           (list[count - 1].epoch >= add.epoch || list[count - 1].start_offset >= add.start_offset))
        count--;
    list[count] = add;
    return count + 1;
}

int32_t
epochs_truncate_end(const EpochEntry *list, int32_t count, int64_t end_offset)
{
    while (count > 0 && list[count - 1].start_offset >= end_offset)
        count--;
    return count;
}

int32_t
epochs_truncate_start(EpochEntry *list, int32_t count, int64_t start_offset)
{
    int32_t gone = 0;

    while (gone < count && list[gone].start_offset <= start_offset)
        gone++;
    if (gone == 0)
        return count;
    list[gone - 1].start_offset = start_offset;
    memmove(list, list + gone - 1, (size_t)(count - gone + 1) * sizeof *list);
    return count - gone + 1;
}

EpochEntry
epochs_end_offset(const EpochEntry *list, int32_t count, int32_t epoch, int64_t log_end)
{
    static const EpochEntry undefined = {-1, -1};
    int32_t next = 0;

    if (epoch == -1 || count == 0)
        return undefined;
    if (epoch == list[count - 1].epoch)
        return (EpochEntry){epoch, log_end};
    while (next < count && list[next].epoch <= epoch)
        next++;
    if (next == count)
        return undefined;
    return (EpochEntry){next == 0 ? epoch : list[next - 1].epoch, list[next].start_offset};
}

int32_t
epochs_of_offset(const EpochEntry *list, int32_t count, int64_t offset)
{
    while (count > 0 && list[count - 1].start_offset > offset)
        count--;
    return count == 0 ? -1 : list[count - 1].epoch;
}
