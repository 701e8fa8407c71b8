/*
 * load_reading.h - one partition read from the outside: fetches, sessions, records
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_LOAD_READING_H
#define TEST_LOAD_READING_H

#include "load_client.h"
#include "ottla/protocol/msg_fetch.h"
#include "ottla/protocol/record.h"

/*
 * Who reads one partition, with a fetch session or without. A session goes on when its connection
 * broke: on the next one, in another process of the node.
 */
typedef struct Reading {
    WireClient *client;
    ClientState *me;
    int32_t partition;
    int64_t next;
    bool sessions;
    int32_t session_id;
    int32_t session_epoch;
} Reading;

/* One fetch of one partition. ret->records is empty when there is nothing new. */
WireResult fetch_once(Reading *r, FetchResponsePartition *ret);

typedef bool (*EachRecord)(const Record *record, void *arg);

/*
 * Calls back for every record of a fetch answer from an offset on; the offset after the last one, or -1:
 * the callback refused.
 */
int64_t walk_records(const RecordsView *records, int64_t from, EachRecord each, void *arg,
                     Arena *arena);

#endif
