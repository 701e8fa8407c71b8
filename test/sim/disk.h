/*
 * disk.h - a disk that writes down what was asked of it and can lose power at any instant
 *
 * Installed as vfs_ops. All calls below one root folder are done for real (on a memory file system) and
 * recorded. disk_power_loss builds, in another folder, a state that a machine may find after the power
 * failed: the first operations up to a chosen one happened; what was synced by then is there; of the rest
 * any part is. The model is weaker than any file system in use, on purpose:
 *
 *   D1  bytes and sizes are on disk after fsync or fdatasync of their file, or syncfs of a folder above it; before that each write
 *       and each truncation is there, or not, or there in some of its sectors of 512 bytes, whatever came
 *       before and after it; a size may be there without its bytes (zeros)
 *   D2  names are on disk after fsync of their folder, or syncfs; fsync of a file says nothing about its
 *       name, fsync of a folder nothing about the bytes of its files, nor about the folder's own name
 *   D3  a change of names is there or not as a whole; one that depends on another that is not there (the same
 *       name) is not there either
 *   D4  a sector is never torn, and what was synced is never lost
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef TEST_SIM_DISK_H
#define TEST_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/random.h"

/* What the disk does wrong: tests that the simulator notices. */
typedef enum DiskFault {
    DISK_GOOD,
    DISK_FOLDER_SYNC_LOST, /* fsync of a folder does nothing: as if the code forgot it */
    DISK_FILE_SYNC_LOST,   /* fsync, fdatasync of files do nothing */
    DISK_INDEX_SYNC_LOST,  /* the same for index files alone */
    DISK_FAULT_COUNT
} DiskFault;

/* Begins to record below root, an absolute path; what is there now is on disk. One at a time. */
void disk_begin(const char *root);

/* Gives the system calls back and forgets what was recorded. */
void disk_end(void);

void disk_set_fault(DiskFault fault);

/* Operations recorded since disk_begin: the moment a promise belongs to. */
int64_t disk_now(void);

/*
 * Builds in folder to (which must not exist) what is found when power fails after the first `ops`
 * operations. What survives of the rest is chosen by random.
 */
void disk_power_loss(int64_t ops, RandomSeq *random, const char *to);

/* The recorded operations as text, up to one, for a failing seed. */
void disk_print(int64_t ops);

#endif
