/*
 * file_kind.h - what a file of a data directory is, by its name
 *
 * pure
 * Spec: log.md 5.1-5.3.
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_INSPECT_FILE_KIND_H
#define OTTLA_INSPECT_FILE_KIND_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/view.h"

typedef enum FileKind {
    FILE_KIND_OTHER, /* nothing that a node writes */
    FILE_KIND_LOG,
    FILE_KIND_INDEX,
    FILE_KIND_TIMEINDEX,
    FILE_KIND_TXNINDEX,
    FILE_KIND_PRODUCER_SNAPSHOT,
    FILE_KIND_METADATA_SNAPSHOT, /* OFFSET-EPOCH.checkpoint */
    FILE_KIND_EPOCHS,            /* leader-epoch-checkpoint */
    FILE_KIND_OFFSETS,           /* the other checkpoints of a log directory */
    FILE_KIND_PARTITION_METADATA,
    FILE_KIND_META_PROPERTIES,
    FILE_KIND_QUORUM_STATE,
    FILE_KIND_RESERVE,  /* space kept for a full disk */
    FILE_KIND_LEFTOVER, /* .tmp, .part, .deleted, .cleaned, .swap: a later start removes it */
    FILE_KIND_COUNT
} FileKind;

typedef struct FileName {
    FileKind kind;
    int64_t base;  /* base or end offset in the name; -1: none */
    int32_t epoch; /* of a metadata snapshot */
} FileName;

/* name: without folders. */
FileName file_name_parse(StrView name);

/* Topic and partition of the folder that a path lies in; false: its folder is no partition's. */
bool file_partition_of(const char *path, StrView *ret_topic, int32_t *ret_partition);

/* The part of a path behind its last slash. */
StrView file_base_name(const char *path);

#endif
