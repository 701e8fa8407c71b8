/*
 * group_split.c - keys of one request that several workers answer
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/group_split_int.h"

#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"

bool
group_split_init(GroupSplit *split, int32_t count, Arena *arena)
{
    *split = (GroupSplit){.count = count, .left = count};
    split->keys = arena_calloc(arena, (size_t)count + 1, sizeof *split->keys);
    if (split->keys == NULL)
        return false;
    for (int32_t i = 0; i < count; i++)
        split->keys[i].part = split->keys[i].like = -1;
    return true;
}

/* An id and where it stands. */
typedef struct Placed {
    StrView id;
    int32_t at;
} Placed;

static int
compare_placed(const void *a, const void *b)
{
    const Placed *x = a, *y = b;
    int32_t len = x->id.len < y->id.len ? x->id.len : y->id.len;
    int order = len == 0 ? 0 : memcmp(x->id.ptr, y->id.ptr, (size_t)len);

    if (order == 0)
        order = (x->id.len > y->id.len) - (x->id.len < y->id.len);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

bool
group_split_unique(GroupSplit *split, const StrView *ids, bool leave_out, Arena *arena)
{
    Placed *list = arena_calloc(arena, (size_t)split->count + 1, sizeof *list);

    if (list == NULL)
        return false;
    for (int32_t i = 0; i < split->count; i++)
        list[i] = (Placed){ids[i], i};
    qsort(list, (size_t)split->count, sizeof *list, compare_placed);
    for (int32_t i = 1, first = 0; i < split->count; i++)
        if (!strview_equal(list[i].id, list[first].id)) {
            first = i;
        } else if (leave_out) {
            split->keys[list[i].at].left_out = true;
            split->left--;
        } else {
            split->keys[list[i].at].like = list[first].at;
        }
    return true;
}

void
group_split_put(GroupSplit *split, int32_t i, int32_t part, int16_t code)
{
    SplitKey *key = &split->keys[i];

    ot_assert(i >= 0 && i < split->count && part < SPLIT_PARTS_MAX && key->part == -1);
    if (key->left_out || key->like >= 0)
        return;
    key->code = code;
    if (code != 0)
        return;
    key->part = part;
    key->place = split->counts[part]++;
}

int32_t
group_split_only(const GroupSplit *split)
{
    for (int32_t part = 0; part < SPLIT_PARTS_MAX; part++)
        if (split->counts[part] > 0)
            return split->counts[part] == split->count ? part : -1;
    return -1;
}
