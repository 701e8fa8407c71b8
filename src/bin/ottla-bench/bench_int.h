/*
 * bench_int.h - what the parts of ottla-bench share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BENCH_INT_H
#define OTTLA_BENCH_INT_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/hdr.h"

#define EXIT_FAILED 1 /* records failed or are missing, or it was stopped */
#define EXIT_USAGE  2 /* also: nobody to connect to, no such topic */

#define BENCH_PROPERTIES_MAX 100
#define BENCH_SIZE_MIN       32 /* of a record of `latency`: it carries its mark */
#define BENCH_SIZE_MAX       (64 << 20)
#define BENCH_PARTITIONS_MAX 10000
#define BENCH_DRAIN_MS       30000 /* what is outstanding at the end has so long */

typedef enum BenchMode { BENCH_PRODUCE, BENCH_CONSUME, BENCH_LATENCY, BENCH_MODE_COUNT } BenchMode;

typedef struct BenchOptions {
    BenchMode mode;
    const char *bootstrap; /* host[:port],... */
    const char *topic;
    const char *group;   /* consume: as a member of it; NULL: all partitions, without a group */
    int64_t count;       /* records; 0: no such limit */
    int64_t duration_us; /* 0: no such limit */
    int64_t warmup_us;   /* not measured */
    int64_t rate;        /* records a second on schedule; 0: as fast as it goes */
    int64_t progress_us; /* 0: no progress */
    int64_t keys;        /* different ones; 0: none */
    int32_t size;        /* bytes of a value */
    int32_t create;      /* partitions of the topic to make; 0: it is there */
    int32_t replication;
    bool follow; /* consume: goes on behind the end */
    bool json;
    const char *properties[BENCH_PROPERTIES_MAX]; /* librdkafka's, name=value */
    int property_count;
} BenchOptions;

/* SIGINT or SIGTERM has come: end and tell what was measured. */
extern volatile sig_atomic_t bench_stopped;

/* ---- meter.c ------------------------------------------------------------------------------------- */

/* What is measured. Several threads add. */
typedef struct Meter {
    const BenchOptions *options;
    pthread_mutex_t lock;
    Hdr total, interval; /* microseconds */
    int64_t records, bytes, failed, missing;
    int64_t interval_records, interval_bytes;
    int64_t begin_us;    /* measuring began: behind the warm-up */
    int64_t end_us;      /* the last record that counts */
    int64_t next_us;     /* of progress */
    int64_t interval_us; /* the interval began */
    char first_fault[256];
    bool has_latency;
} Meter;

void meter_init(Meter *m, const BenchOptions *options, bool has_latency);

/* Measuring begins behind the warm-up of a run that begins now. */
void meter_begin(Meter *m, int64_t now_us);

/* A record is done, so long after it was due. */
void meter_add(Meter *m, int64_t now_us, int64_t latency_us, int64_t bytes);
void meter_fail(Meter *m, const char *why);

/* Writes a line of progress to stderr when it is time. */
void meter_progress(Meter *m, int64_t now_us);

/* The result to stdout. The exit code. */
int meter_report(Meter *m);

/* ---- kafka.c ------------------------------------------------------------------------------------- */

typedef struct BenchTopic {
    int32_t partitions[BENCH_PARTITIONS_MAX];
    int32_t count;
} BenchTopic;

/* A handle with the properties of the options and those given (name, value, ..., NULL); exits with a message on a fault. */
rd_kafka_t *bench_handle(const BenchOptions *o, rd_kafka_type_t type, void *opaque,
                         const char *const *properties);

/* Makes the topic if the options say so, finds its partitions; exits with a message when there is none. */
void bench_find_topic(const BenchOptions *o, rd_kafka_t *rk, BenchTopic *ret);

/* Assigns all partitions, at their beginning or where they end now; exits with a message on a fault. */
void bench_assign(rd_kafka_t *rk, const BenchOptions *o, const BenchTopic *topic, bool at_end);

/* A message to stderr, and the end. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* ---- send.c -------------------------------------------------------------------------------------- */

/* The mark in front of a value of `latency`. */
typedef struct BenchMark {
    uint64_t run;
    int64_t due_us; /* when it should have been sent; monotonic */
    int64_t serial;
} BenchMark;

/* A producer: sends on schedule from the caller's thread, hears of deliveries in one of its own. */
typedef struct Sender {
    const BenchOptions *o;
    Meter *meter;
    rd_kafka_t *rk;
    uint64_t run;        /* 0: values carry no mark */
    bool measures;       /* deliveries are what is measured */
    int64_t delivered;   /* hearing thread */
    volatile bool hears; /* the thread goes on */
    pthread_t thread;
} Sender;

void sender_begin(Sender *s, const BenchOptions *o, Meter *m, uint64_t run);

/* Sends until a limit of the options is reached or it is stopped. */
void sender_run(Sender *s);

/* librdkafka's callback for deliveries; opaque is the Sender. */
void sender_heard(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque);

/* Waits for what is outstanding, ends the thread. Records that were acknowledged. */
int64_t sender_end(Sender *s);

/* ---- the modes ----------------------------------------------------------------------------------- */

int bench_produce(const BenchOptions *o);
int bench_consume(const BenchOptions *o);
int bench_latency(const BenchOptions *o);

#endif
