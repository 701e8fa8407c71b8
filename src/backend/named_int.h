/*
 * named_int.h - the partitions that a request names, each topic together: pure
 *
 * Several APIs take topics with partitions, in which a topic may come in several entries and a
 * partition twice. Sorting them once shows both.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_NAMED_INT_H
#define OTTLA_BACKEND_NAMED_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/arena.h"
#include "ottla/common/view.h"

typedef struct Named {
    StrView topic; /* compared when the id is zero */
    Uuid id;
    int32_t partition;
    int32_t serial; /* place in the request */
    const void *topic_in;
    const void *in; /* the partition in the request's struct */
} Named;

/* Partitions of a request in its order, until they are sorted. */
typedef struct NamedList {
    Named *items;
    int32_t count;
    int32_t room;
} NamedList;

/* Room for so many, from the arena. False: no memory. */
bool named_list_init(NamedList *list, int64_t room, Arena *arena);

/* The next one of the request, by name; in: its struct there. */
void named_list_add(NamedList *list, StrView topic, int32_t partition, const void *in);

/* By topic, then partition, then place in the request. */
void named_sort(Named *list, int32_t count);

/* Do the i-th and the one after it name the same topic? False at the end of the list. */
bool named_same_topic_next(const Named *list, int32_t i, int32_t count);

/* The same partition? */
bool named_repeated_next(const Named *list, int32_t i, int32_t count);

#endif
