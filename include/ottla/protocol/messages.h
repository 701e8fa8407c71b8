/*
 * messages.h - what a program can ask about the messages: names, versions, fields, codecs
 *
 * The generated codecs carry a description each; tests, fuzzers, the JSON printer, the log dump and
 * the shell work on these. Request code calls the typed functions of msg_*.h instead. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_PROTOCOL_MESSAGES_H
#define OTTLA_PROTOCOL_MESSAGES_H

#include "ottla/protocol/wire.h"

typedef enum WireType {
    WIRE_BOOL,
    WIRE_INT8,
    WIRE_INT16,
    WIRE_UINT16,
    WIRE_INT32,
    WIRE_UINT32,
    WIRE_INT64,
    WIRE_FLOAT64,
    WIRE_STRING,
    WIRE_UUID,
    WIRE_BYTES,
    WIRE_RECORDS,
    WIRE_STRUCT,
    WIRE_TYPE_COUNT
} WireType;

/* What a field names. */
typedef enum WireEntity {
    WIRE_ENTITY_NONE,
    WIRE_ENTITY_TRANSACTIONAL_ID,
    WIRE_ENTITY_PRODUCER_ID,
    WIRE_ENTITY_GROUP_ID,
    WIRE_ENTITY_TOPIC_NAME,
    WIRE_ENTITY_BROKER_ID,
    WIRE_ENTITY_COUNT
} WireEntity;

typedef struct StructDesc StructDesc;

/* A closed range of versions; lo > hi is empty. */
typedef struct VersionRange {
    int16_t lo;
    int16_t hi;
} VersionRange;

typedef struct FieldDesc {
    const char *name;      /* Kafka's: maxWaitMs */
    const StructDesc *sub; /* WIRE_STRUCT */
    uint32_t pos;          /* of the value in the C struct: element pointer of an array */
    uint32_t count_pos;    /* of the count of an array */
    VersionRange versions; /* where the struct around it exists */
    VersionRange nullable;
    int32_t tag;    /* -1: none; else the field is tagged in all its versions */
    uint8_t type;   /* WireType */
    uint8_t entity; /* WireEntity */
    bool array;
    bool pointer;   /* a nullable struct: the value is a pointer, NULL is null */
    bool key;       /* part of the key of its array */
    bool ignorable; /* may be dropped in a version that lacks it */
    bool rigid;     /* keeps the old length form in flexible versions */
} FieldDesc;

struct StructDesc {
    const char *name; /* of the C type */
    const FieldDesc *fields;
    uint32_t fields_count;
    uint32_t bytes;   /* sizeof */
    int32_t tags_pos; /* of unknown_tags; -1: never flexible */
};

typedef enum MessageKind {
    MESSAGE_REQUEST,
    MESSAGE_RESPONSE,
    MESSAGE_HEADER,
    MESSAGE_DATA,
    MESSAGE_METADATA,   /* record of the metadata log */
    MESSAGE_REMOTE_LOG, /* record of remote-log metadata */
    MESSAGE_CONTROL,    /* control record of the metadata log */
    MESSAGE_KEY,        /* key of a coordinator record */
    MESSAGE_VALUE,
    MESSAGE_KIND_COUNT
} MessageKind;

typedef struct MessageDesc {
    const char *name; /* ProduceRequest */
    const StructDesc *body;
    void (*read)(WireReader *r, int16_t version, void *ret);
    void (*size)(WireSizer *s, int16_t version, const void *msg);
    void (*write)(WireWriter *w, int16_t version, const void *msg);
    void (*init)(void *ret);
    uint8_t kind;   /* MessageKind */
    int16_t number; /* API key, record number or control type; -1: none */
    VersionRange versions;
    int16_t flexible_from; /* INT16_MAX: never */
} MessageDesc;

/* All messages, sorted by name. */
extern const MessageDesc *const message_list[];
extern const int message_count;

/* NULL: no such message. */
const MessageDesc *message_find(const char *name);

/* Not for MESSAGE_KEY and MESSAGE_VALUE: each coordinator's log counts its records from 0. */
const MessageDesc *message_find_by_number(MessageKind kind, int16_t number);

static inline bool
message_has_version(const MessageDesc *desc, int16_t version)
{
    return version >= desc->versions.lo && version <= desc->versions.hi;
}

/* sizeof a value of the field, or of one element of its array. */
size_t message_element_bytes(const FieldDesc *f);

/*
 * Most arena bytes that reading n bytes of any version can ask for, divided by n: the sum over the
 * levels of nesting of the worst (bytes of an element in memory / fewest bytes on the wire).
 */
double message_memory_ratio(const MessageDesc *desc);

#endif
