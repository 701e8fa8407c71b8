/*
 * proc_usage_int.h - what the kernel says a process of this node uses
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_PROC_USAGE_INT_H
#define OTTLA_BACKEND_PROC_USAGE_INT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* CPU time in user and system mode together since the process was forked. False: it is gone. */
bool proc_cpu_ms(pid_t pid, int64_t *ret);

/* Memory it has in core, that which it shares with others included. False: it is gone. */
bool proc_rss_bytes(pid_t pid, int64_t *ret);

#endif
