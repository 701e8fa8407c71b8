/*
 * lag_int.h - how far a committed offset is behind
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_LAG_INT_H
#define OTTLA_SQL_LAG_INT_H

#include "sql/cache_int.h"

/*
 * Records from the committed offset, or from the start of the log if that is later, to its end; 0 at least. -1: the
 * partition or the offset is not known, or there is no committed offset.
 */
int64_t partition_lag(const CachePartition *partition, int64_t committed);

/*
 * Asks for start and end of the partitions that the groups have offsets of or members on. topics, partitions: constraints
 * of the statement, or NULL.
 */
int lag_ask_for_ends(SqlScan *scan, const CacheGroups *groups, const SqlKey *topics,
                     const SqlKey *partitions, Fault *f);

#endif
