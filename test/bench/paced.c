/*
 * paced.c - what a disk alone makes of records that come at a steady rate
 *
 *     paced DIR FILES BYTES RATE SECONDS
 *
 * Appends RATE times a second BYTES to the FILES files of DIR in turn, and flushes each file that it wrote to before it goes on: what
 * came due meanwhile is written with the next. A latency counts from the time at which the bytes were due, as that of acks.c
 * does. Prints p50 and p99 in us: the floor of acks.c with acks=all, in which no code of ours has a part.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "bench_kit.h"

#define TOGETHER_MAX 64 /* appends between two rounds of flushes */

typedef struct Paced {
    int *files;
    uint64_t *written; /* by file, in which round it was written to last */
    long count;
    char *bytes;
    size_t len;
    double begin_us, step_us;
    double *latencies;
    long due, total;
} Paced;

static void *
zeroed(size_t count, size_t size)
{
    void *p = calloc(count, size);
    if (p == NULL) {
        die("no memory");
    }
    return p;
}

static void
open_files(Paced *p, const char *dir)
{
    char path[4096];
    for (long i = 0; i < p->count; i++) {
        snprintf(path, sizeof path, "%s/%ld-of-%ld", dir, i, p->count);
        p->files[i] = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (p->files[i] < 0) {
            die("a file cannot be made");
        }
    }
}

static void
wait_until(double us)
{
    double left = us - now_us();
    if (left > 0) {
        struct timespec pause = {(time_t)(left / 1e6), (long)left % 1000000 * 1000};
        nanosleep(&pause, NULL);
    }
}

/* Writes what is due, then flushes each file of these once. */
static void
one_round(Paced *p, uint64_t round)
{
    int written[TOGETHER_MAX];
    long first = p->due, files = 0;
    double now = now_us();
    while (p->due < p->total && p->due - first < TOGETHER_MAX &&
           p->begin_us + (double)p->due * p->step_us <= now) {
        long file = p->due++ % p->count;
        if (write(p->files[file], p->bytes, p->len) != (ssize_t)p->len) {
            die("a file cannot be written");
        }
        if (p->written[file] != round) {
            p->written[file] = round;
            written[files++] = p->files[file];
        }
    }
    for (long i = 0; i < files; i++) {
        if (fdatasync(written[i]) != 0) {
            die("a file cannot be flushed");
        }
    }
    now = now_us();
    for (long i = first; i < p->due; i++) {
        p->latencies[i] = now - (p->begin_us + (double)i * p->step_us);
    }
}

int
main(int argc, char **argv)
{
    Paced p = {0};
    double rate;
    if (argc != 6) {
        die("wrong arguments");
    }
    p.count = atol(argv[2]);
    p.len = (size_t)atol(argv[3]);
    rate = atof(argv[4]);
    p.total = (long)(rate * atof(argv[5]));
    if (p.count <= 0 || p.len == 0 || rate <= 0 || p.total <= 0) {
        die("wrong arguments");
    }
    p.step_us = 1e6 / rate;
    p.files = zeroed((size_t)p.count, sizeof *p.files);
    p.written = zeroed((size_t)p.count, sizeof *p.written);
    p.bytes = zeroed(p.len, 1);
    p.latencies = zeroed((size_t)p.total, sizeof *p.latencies);
    open_files(&p, argv[1]);
    p.begin_us = now_us();
    for (uint64_t round = 1; p.due < p.total; round++) {
        wait_until(p.begin_us + (double)p.due * p.step_us);
        one_round(&p, round);
    }
    sort_figures(p.latencies, (size_t)p.total);
    printf("%.0f %.0f\n", percentile(p.latencies, (size_t)p.total, 0.5),
           percentile(p.latencies, (size_t)p.total, 0.99));
    return 0;
}
