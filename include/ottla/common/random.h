/*
 * random.h - random numbers from the kernel
 *
 * Safe after fork: nothing is kept in the process. Pure modules take a seeded generator (RandomSeq)
 * instead, so that a run can be repeated from its seed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_RANDOM_H
#define OTTLA_COMMON_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "ottla/common/view.h"

/* Fills the buffer; waits for the kernel's pool only in the first seconds after boot. */
void random_bytes(void *buffer, size_t size);

uint64_t random_u64(void);

/*
 * A version 4 uuid as Kafka makes them for topics, directories and clusters: none of the reserved
 * ones (high half zero, low half below 100), and its text does not begin with '-', which command
 * line tools would take for an option.
 */
Uuid random_uuid(void);

/* A repeatable sequence; the same seed gives the same numbers on every machine. */
typedef struct RandomSeq {
    uint64_t state;
} RandomSeq;

uint64_t random_seq_next(RandomSeq *seq);

/* Evenly in [0, bound); bound > 0. */
uint64_t random_seq_below(RandomSeq *seq, uint64_t bound);

#endif
