/*
 * checkpointer_main.h - worker process: checkpoints one log directory
 *
 * Every checkpoint.interval.ms (30 s), every 256 MiB of new data, and at the ordered stop: flush the
 * changed logs, write producer snapshots, then recovery points, log start offsets and high watermarks.
 * After the final checkpoint of an ordered stop it writes the clean-shutdown marker. instance is the
 * index of the log directory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_CHECKPOINTER_MAIN_H
#define OTTLA_MAINTENANCE_CHECKPOINTER_MAIN_H

/* Main function of the child (see KindMain); exits by itself. start is not used. */
_Noreturn void checkpointer_main(int instance, const void *start);

#endif
