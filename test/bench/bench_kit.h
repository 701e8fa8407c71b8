/*
 * bench_kit.h - what the programs of make bench share: the end of one, the clock, figures in order
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_BENCH_KIT_H
#define TEST_BENCH_KIT_H

#include <stddef.h>
#include <sys/types.h>

/* Ends the program: says what, behind its name, on stderr. */
_Noreturn void die(const char *what);

double now_us(void);

/* Rising. */
void sort_figures(double *figures, size_t count);

/* The figure below which so large a part (0 to 1) of the others lies; of sorted ones. */
double percentile(const double *sorted, size_t count, double part);

/* Starts a node in a session of its own, with its output dropped. */
pid_t launch_node(char **command);

#endif
