/*
 * messages_int.h - what reading and writing of table messages share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SQL_MESSAGES_INT_H
#define OTTLA_SQL_MESSAGES_INT_H

#include "ottla/client/consume.h"
#include "ottla/client/produce.h"
#include "ottla/protocol/batch.h"
#include "sql/sql_int.h"

typedef enum MessagesColumn {
    M_TOPIC,
    M_PARTITION,
    M_OFFSET,
    M_TIMESTAMP,
    M_TIMESTAMP_MS,
    M_TIMESTAMP_TYPE,
    M_KEY,
    M_VALUE,
    M_KEY_SIZE,
    M_VALUE_SIZE,
    M_HEADERS,
    M_LEADER_EPOCH,
    M_PRODUCER_ID,
    M_PRODUCER_EPOCH,
    M_SEQUENCE,
    M_TRANSACTIONAL,
    M_CONTROL,
    M_COMPRESSION,
    M_BATCH_BASE_OFFSET,
    M_CRC_OK,
    M_ARG_TOPIC,
    M_ARG_PARTITION,
    M_ARG_ISOLATION,
    M_MAX_WAIT_MS,
    M_MAX_BYTES,
} MessagesColumn;

/* What outlives a statement. */
typedef struct Messages {
    int64_t read_statement; /* of which `read` counts */
    int64_t read;           /* messages that were looked at */
    int64_t written_statement;
    uint64_t session; /* of the client that the producer belongs to */
    ClientProducer *producer;
    struct Produced {
        char *topic; /* the same pointer for the same topic in a row */
        int32_t partition;
        int64_t offset;
        int64_t timestamp_ms;
    } * produced;
    int32_t produced_count;
    int32_t produced_room;
    bool produced_lost; /* no memory for all of them */
} Messages;

/* NULL with 53200. */
Messages *messages_state(Sql *sql, Fault *f);

/* ---- messages_value.c ---- */

/* Key or value as the session wants to see it; views live as long as the arena and the bytes. */
bool messages_value(SqlScan *scan, SqlFormat format, BytesView bytes, SqlValue *ret);

/* [["name","value"], ...]; a value that is no UTF-8 is {"base64":"..."}. */
bool messages_headers(Arena *arena, BytesView encoded, SqlValue *ret);

/* ---- messages_write.c ---- */

int messages_insert(Sql *sql, const SqlValue *values, int64_t *ret_rowid, Fault *f);
int messages_flush(Sql *sql, Fault *f);
void messages_forget(Sql *sql);

#endif
