/*
 * fault.h - what a program of ours tells its user when something failed
 *
 * The shell prints it as psql does: ERROR with a code, the place in the statement, DETAIL, HINT. Codes are
 * SQLSTATEs; Kafka's errors are mapped to them by one table. Functions that take a Fault return 0, or -1 with
 * the fault filled.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CLIENT_FAULT_H
#define OTTLA_CLIENT_FAULT_H

#include <stdint.h>

typedef struct Fault {
    char sqlstate[6];
    int16_t kafka_error; /* 0: none */
    int32_t node_id;     /* who said so; -1: nobody in particular */
    int32_t position;    /* byte in the statement, from 0; -1: none */
    char message[512];   /* zero-terminated; one line */
    char detail[512];    /* "": none */
    char hint[512];      /* "": none */
} Fault;

/* Codes that our own code says; those of Kafka's errors come from the table. */
#define FAULT_CANNOT_CONNECT  "08001"
#define FAULT_CONNECTION_LOST "08006"
#define FAULT_BAD_REPLY       "08P01"
#define FAULT_NOT_SUPPORTED   "0A000"
#define FAULT_BAD_PARAMETER   "22023"
#define FAULT_SYNTAX          "42601"
#define FAULT_NO_MEMORY       "53200"
#define FAULT_LIMIT           "54000"
#define FAULT_CANCELED        "57014"
#define FAULT_TIMEOUT         "57P05"
#define FAULT_FILE            "58030"
#define FAULT_NO_FILE         "58P01"
#define FAULT_INTERNAL        "XX000"
#define FAULT_CORRUPT         "XX001"

/* No fault: everything empty, numbers at "none". */
void fault_clear(Fault *f);

/* Texts may hold bytes from outside, and a terminal must not see those that steer it: they become '?', line feeds blanks. */
void fault_clean(char *text);

/* Sets code and message, clears the rest; returns -1. Texts are cleaned. One that is too long is cut. */
int fault_set(Fault *f, const char *sqlstate, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void fault_detail(Fault *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void fault_hint(Fault *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * A Kafka error: the code by the table, detail "NAME (n) from node i" (without the node when it is -1), and for
 * some errors a hint. A NULL format takes the error's own text. Returns -1.
 */
int fault_kafka(Fault *f, int16_t kafka_error, int32_t node_id, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The code of a Kafka error (4.1 of the shell's specification); "XX000" for one that is in no row. */
const char *fault_sqlstate_of(int16_t kafka_error);

/* "TOPIC_ALREADY_EXISTS"; "UNKNOWN" for a number that Kafka does not have. Its text, in a few words. */
const char *fault_kafka_name(int16_t kafka_error);
const char *fault_kafka_text(int16_t kafka_error);

#endif
