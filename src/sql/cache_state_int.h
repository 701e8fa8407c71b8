/*
 * cache_state_int.h - the answers of one statement
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_CACHE_STATE_INT_H
#define OTTLA_SQL_CACHE_STATE_INT_H

#include "sql/cache_int.h"

struct Cache {
    CacheMap topics; /* also those that do not exist: error is set */
    bool all_topics;
    const DescribeClusterResponse *cluster;
    CacheDirs *dirs; /* a place per broker; NULL: not begun */
    bool *dirs_asked;
    int32_t dir_count;
    CacheMap logs; /* "topic/partition/node" to CacheLog */
    const ListPartitionReassignmentsResponse *reassignments;
    CacheMap groups;
    bool all_groups;
};

/* Of the statement that runs; NULL: no memory, told. */
Cache *cache_of(Sql *sql, Fault *f);

/* What a call_many left in a request: 0, 1: an answer is missing (unreachable, refused), -1: the statement ends. */
int cache_look_at(const ClientRequest *request, Fault *f);

int cache_no_memory(Fault *f);

#endif
