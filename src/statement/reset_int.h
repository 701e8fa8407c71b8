/*
 * reset_int.h - where committed offsets go
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STATEMENT_RESET_INT_H
#define OTTLA_STATEMENT_RESET_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/view.h"

typedef enum ResetTo {
    RESET_EARLIEST,
    RESET_LATEST,
    RESET_CURRENT, /* what is committed, or the end where nothing is */
    RESET_OFFSET,
    RESET_TIME, /* the first record at a time or later */
    RESET_SHIFT,
    RESET_FILE,
} ResetTo;

/* What is known of one partition. */
typedef struct ResetPartition {
    int64_t committed; /* -1: nothing */
    int64_t start, end;
    int64_t at_time; /* RESET_TIME: -1: all records are older */
    int64_t asked;   /* RESET_OFFSET, RESET_FILE: the offset; RESET_SHIFT: by how much */
} ResetPartition;

/* The new offset, within start and end; *ret_clamped: another was asked for. */
int64_t reset_target(ResetTo to, const ResetPartition *p, bool *ret_clamped);

/* A line "topic,partition,offset", as kafka-consumer-groups --export writes it; names may be quoted by '"'. */
bool reset_csv_line(StrView line, StrView *ret_topic, int32_t *ret_partition, int64_t *ret_offset);

#endif
