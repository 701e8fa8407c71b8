/*
 * quota_table.h - the region of what clients have used of their quotas
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_QUOTA_TABLE_H
#define OTTLA_BACKEND_QUOTA_TABLE_H

#include "ottla/ipc/region.h"

size_t quota_usage_shm_size(const ShmLimits *limits);
void quota_usage_shm_init(void *base, const ShmLimits *limits);

#endif
