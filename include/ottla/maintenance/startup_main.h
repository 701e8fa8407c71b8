/*
 * startup_main.h - worker process: opens and recovers partition logs after a start, then exits
 *
 * Startup worker n of N walks every partition n, n+N, ... of the partition table and opens those that
 * nobody opened yet; unclean logs are recovered from their recovery point. A partition that a backend
 * needs first is opened by that backend. Exit 0 when all are open or failed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_STARTUP_MAIN_H
#define OTTLA_MAINTENANCE_STARTUP_MAIN_H

/* Main function of the child (see KindMain); exits by itself. start is not used. */
_Noreturn void startup_main(int instance, const void *start);

#endif
