/*
 * gate.h - the backends' shared region
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_GATE_H
#define OTTLA_BACKEND_GATE_H

#include "ottla/ipc/region.h"

size_t backend_gate_shm_size(const ShmLimits *limits);
void backend_gate_shm_init(void *base, const ShmLimits *limits);

#endif
