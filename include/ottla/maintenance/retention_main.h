/*
 * retention_main.h - worker process: unlinks what nobody may read any more
 *
 * Folders of deleted topics are renamed to -delete and removed after the delay; segments below the
 * log start offset are renamed to .deleted and removed after file.delete.delay.ms; strays are renamed.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_MAINTENANCE_RETENTION_MAIN_H
#define OTTLA_MAINTENANCE_RETENTION_MAIN_H

/* Main function of the child (see KindMain); exits by itself. start is not used. */
_Noreturn void retention_main(int instance, const void *start);

#endif
