/*
 * bench_kit.c - what the programs of make bench share: the end of one, the clock, figures in order
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "bench_kit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void
die(const char *what)
{
    fprintf(stderr, "%s: %s\n", program_invocation_short_name, what);
    exit(1);
}

double
now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void
sort_figures(double *figures, size_t count)
{
    qsort(figures, count, sizeof *figures, compare);
}

double
percentile(const double *sorted, size_t count, double part)
{
    return sorted[(size_t)((double)(count - 1) * part)];
}

pid_t
launch_node(char **command)
{
    pid_t pid = fork();

    if (pid < 0)
        die("no process for the node");
    if (pid == 0) {
        (void)setsid();
        (void)!freopen("/dev/null", "w", stdout);
        (void)!freopen("/dev/null", "w", stderr);
        execv(command[0], command);
        _exit(127);
    }
    return pid;
}
