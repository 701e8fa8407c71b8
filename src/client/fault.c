/*
 * fault.c - faults: their texts, and the table from Kafka's errors to SQLSTATEs
 *
 * Runs in: the shell and the other programs that talk to a node. Pure.
 * Never: prints, allocates.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/client/fault.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "ottla/common/errlist.h"

typedef struct FaultRow {
    char sqlstate[6];
    int16_t errors[12]; /* ends with 0 */
} FaultRow;

/* 4.1. Errors that the specification's table leaves out stand beside their nearest kin. */
static const FaultRow fault_rows[] = {
    {"XX001", {KERR_CORRUPT_MESSAGE}},
    {"28000",
     {KERR_UNSUPPORTED_SASL_MECHANISM, KERR_ILLEGAL_SASL_STATE, KERR_SASL_AUTHENTICATION_FAILED}},
    {"42501",
     {KERR_TOPIC_AUTHORIZATION_FAILED, KERR_GROUP_AUTHORIZATION_FAILED,
      KERR_CLUSTER_AUTHORIZATION_FAILED, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
      KERR_DELEGATION_TOKEN_AUTHORIZATION_FAILED}},
    {"42P01", {KERR_UNKNOWN_TOPIC_OR_PARTITION, KERR_UNKNOWN_TOPIC_ID}},
    {"42704",
     {KERR_GROUP_ID_NOT_FOUND, KERR_RESOURCE_NOT_FOUND, KERR_TRANSACTIONAL_ID_NOT_FOUND,
      KERR_BROKER_ID_NOT_REGISTERED, KERR_DELEGATION_TOKEN_NOT_FOUND}},
    {"42P07", {KERR_TOPIC_ALREADY_EXISTS}},
    {"42710", {KERR_DUPLICATE_RESOURCE, KERR_DUPLICATE_BROKER_REGISTRATION}},
    {"42602", {KERR_INVALID_TOPIC_EXCEPTION, KERR_INVALID_GROUP_ID}},
    {"22023",
     {KERR_INVALID_PARTITIONS, KERR_INVALID_REPLICATION_FACTOR, KERR_INVALID_REPLICA_ASSIGNMENT,
      KERR_INVALID_CONFIG, KERR_INVALID_REQUEST, KERR_UNSUPPORTED_COMPRESSION_TYPE,
      KERR_UNACCEPTABLE_CREDENTIAL, KERR_INVALID_REGULAR_EXPRESSION}},
    {"22003", {KERR_OFFSET_OUT_OF_RANGE, KERR_INVALID_TIMESTAMP}},
    {"0A000",
     {KERR_UNSUPPORTED_VERSION, KERR_UNSUPPORTED_FOR_MESSAGE_FORMAT, KERR_SECURITY_DISABLED,
      KERR_DELEGATION_TOKEN_AUTH_DISABLED, KERR_TOPIC_DELETION_DISABLED,
      KERR_UNSUPPORTED_ENDPOINT_TYPE}},
    {"23514", {KERR_POLICY_VIOLATION, KERR_INVALID_RECORD}},
    {"40001",
     {KERR_COORDINATOR_LOAD_IN_PROGRESS, KERR_COORDINATOR_NOT_AVAILABLE, KERR_NOT_COORDINATOR,
      KERR_REBALANCE_IN_PROGRESS, KERR_NOT_CONTROLLER, KERR_CONCURRENT_TRANSACTIONS,
      KERR_LEADER_NOT_AVAILABLE, KERR_NOT_LEADER_OR_FOLLOWER, KERR_FENCED_LEADER_EPOCH,
      KERR_UNKNOWN_LEADER_EPOCH, KERR_MEMBER_ID_REQUIRED}},
    {"40001",
     {KERR_BROKER_NOT_AVAILABLE, KERR_REPLICA_NOT_AVAILABLE, KERR_NETWORK_EXCEPTION,
      KERR_NOT_ENOUGH_REPLICAS, KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND}},
    {"53400", {KERR_THROTTLING_QUOTA_EXCEEDED}},
    {"55000",
     {KERR_ELIGIBLE_LEADERS_NOT_AVAILABLE, KERR_ELECTION_NOT_NEEDED,
      KERR_PREFERRED_LEADER_NOT_AVAILABLE, KERR_NO_REASSIGNMENT_IN_PROGRESS,
      KERR_INVALID_UPDATE_VERSION, KERR_FEATURE_UPDATE_FAILED}},
    {"55006",
     {KERR_NON_EMPTY_GROUP, KERR_REASSIGNMENT_IN_PROGRESS, KERR_GROUP_SUBSCRIBED_TO_TOPIC}},
    {"54000",
     {KERR_MESSAGE_TOO_LARGE, KERR_RECORD_LIST_TOO_LARGE, KERR_OFFSET_METADATA_TOO_LARGE,
      KERR_TELEMETRY_TOO_LARGE}},
    {"58030", {KERR_KAFKA_STORAGE_ERROR, KERR_LOG_DIR_NOT_FOUND}},
    {"57P05", {KERR_REQUEST_TIMED_OUT}},
};

void
fault_clear(Fault *f)
{
    memset(f, 0, sizeof *f);
    f->node_id = -1;
    f->position = -1;
}

void
fault_clean(char *text)
{
    for (char *at = text; *at != '\0'; at++) {
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = *at == '\n' || *at == '\t' ? ' ' : '?';
        else if ((unsigned char)*at == 0xc2 && (unsigned char)at[1] >= 0x80 &&
                 (unsigned char)at[1] < 0xa0)
            at[0] = at[1] = '?'; /* U+0080 to U+009F do what ESC does */
    }
}

static void put_text(char *to, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

static void
put_text(char *to, size_t size, const char *format, va_list args)
{
    if (vsnprintf(to, size, format, args) < 0)
        to[0] = '\0';
    fault_clean(to);
}

static void
put_state(Fault *f, const char *sqlstate)
{
    fault_clear(f);
    (void)snprintf(f->sqlstate, sizeof f->sqlstate, "%s", sqlstate);
}

int
fault_set(Fault *f, const char *sqlstate, const char *format, ...)
{
    va_list args;

    put_state(f, sqlstate);
    va_start(args, format);
    put_text(f->message, sizeof f->message, format, args);
    va_end(args);
    return -1;
}

void
fault_detail(Fault *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_text(f->detail, sizeof f->detail, format, args);
    va_end(args);
}

void
fault_hint(Fault *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    put_text(f->hint, sizeof f->hint, format, args);
    va_end(args);
}

const char *
fault_sqlstate_of(int16_t kafka_error)
{
    if (kafka_error == KERR_NONE)
        return "00000";
    for (size_t i = 0; i < sizeof fault_rows / sizeof fault_rows[0]; i++) {
        for (const int16_t *at = fault_rows[i].errors; *at != 0; at++) {
            if (*at == kafka_error)
                return fault_rows[i].sqlstate;
        }
    }
    return FAULT_INTERNAL;
}

static const ErrRow *
row_of(int16_t kafka_error)
{
    if (kafka_error < KERR_FIRST || kafka_error > KERR_LAST)
        return NULL;
    const ErrRow *row = &err_kafka_rows[kafka_error - KERR_FIRST];
    return row->name == NULL ? NULL : row;
}

const char *
fault_kafka_name(int16_t kafka_error)
{
    const ErrRow *row = row_of(kafka_error);

    return row == NULL ? "UNKNOWN" : row->name;
}

const char *
fault_kafka_text(int16_t kafka_error)
{
    const ErrRow *row = row_of(kafka_error);

    return row == NULL ? "an error that this program does not know" : row->text;
}

int
fault_kafka(Fault *f, int16_t kafka_error, int32_t node_id, const char *format, ...)
{
    va_list args;

    put_state(f, fault_sqlstate_of(kafka_error));
    f->kafka_error = kafka_error;
    f->node_id = node_id;
    if (format != NULL) {
        va_start(args, format);
        put_text(f->message, sizeof f->message, format, args);
        va_end(args);
    }
    if (f->message[0] == '\0') /* also when a server's own words begin with a zero byte */
        (void)snprintf(f->message, sizeof f->message, "%s", fault_kafka_text(kafka_error));
    if (node_id >= 0)
        fault_detail(f, "%s (%d) from node %d", fault_kafka_name(kafka_error), kafka_error,
                     node_id);
    else
        fault_detail(f, "%s (%d)", fault_kafka_name(kafka_error), kafka_error);
    if (kafka_error == KERR_REQUEST_TIMED_OUT)
        fault_hint(f, "The request may have taken effect.");
    else if (kafka_error == KERR_SECURITY_DISABLED)
        fault_hint(f, "The node has no authorizer (authorizer.class.name).");
    return -1;
}
