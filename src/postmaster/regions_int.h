/*
 * regions_int.h - maps all regions of the product
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_POSTMASTER_REGIONS_INT_H
#define OTTLA_POSTMASTER_REGIONS_INT_H

#include "ottla/ipc/region.h"

/* region_map with the product's table. */
int regions_map(const ShmLimits *limits, Region *ret, ErrInfo *err);

/* huge_pages=true: asks for them under the metadata image; a line when the kernel has none. */
void regions_advise_huge(const Region *region);

#endif
