/*
 * crashpoint.h - places where a test lets the process die by SIGKILL
 *
 * crashpoint("plog.append.written") marks an instant between two steps of a sequence that must
 * survive the death of its process. Compiled only where OT_SLOW_ASSERTS is defined; elsewhere it is
 * nothing. A test arms one by name in the process that shall die (crashpoint_arm, or the
 * environment variable OTTLA_CRASHPOINT=name[:n], the n-th passage), or in whatever process of a running
 * node comes by next: in a file that OTTLA_CRASHPOINT_FILE names and all processes map; a row of it may name
 * another signal, so that the process stops there.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_CRASHPOINT_H
#define OTTLA_COMMON_CRASHPOINT_H

#include <stdint.h>

/* A row of that file. Written by the test: left 0, all others, left n. */
typedef struct CrashpointRow {
    int32_t left; /* passages until somebody dies; 0: not armed */
    int32_t pid;  /* of who died */
    char name[116];
    int32_t signal; /* 0: SIGKILL */
} CrashpointRow;

#define CRASHPOINT_ROWS 4

#ifdef OT_SLOW_ASSERTS
#define crashpoint(name) crashpoint_pass(name)
#else
#define crashpoint(name) ((void)0)
#endif

/* Dies here by SIGKILL when this name is armed and its count has come down to it. */
void crashpoint_pass(const char *name);

/* Arms one name for this process (and those it forks); nth 1: at the next passage. NULL disarms. */
void crashpoint_arm(const char *name, int nth);

/* Instead of dying, calls this (tests that count or stop); NULL: die. */
extern void (*crashpoint_hook)(const char *name);

#endif
