/*
 * metalog_int.h - what the files of the metadata log share
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_METALOG_INT_H
#define OTTLA_CONTROLLER_METALOG_INT_H

#include "controller/metalog.h"

#define META_INDEX_INTERVAL 4096 /* bytes of log between entries of the indexes */
#define INDEX_ENTRY         8
#define TIME_ENTRY          12

void metalog_file(const MetaLog *log, int64_t base, const char *suffix, char ret[LIMIT_PATH_BYTES]);

/* Makes room for one more entry of a list; false: no memory. */
bool metalog_list_room(MetaLog *log, void **items, int32_t count, int32_t *room, size_t bytes);

/*
 * Index entries that a batch at pos of the active segment brings; writes them when the segment is
 * open for writing, else only counts.
 */
int metalog_index_batch(MetaLog *log, BytesView batch, int64_t pos, ErrInfo *err);

/* Forgets what belongs to the active segment: a new one begins. */
void metalog_index_reset(MetaLog *log);

/* Walks the batches of one file from pos on; see metalog_replay.c. */
typedef struct FileWalk {
    int fd;
    int64_t pos;
    int64_t size;
    uint8_t *buffer;
    size_t room;
    size_t at;   /* where in the buffer the byte at pos lies */
    size_t have; /* bytes in the buffer */
    bool check_crc;
} FileWalk;

int file_walk_open(FileWalk *walk, const char *path, ErrInfo *err);
void file_walk_close(FileWalk *walk);

/* 1: *ret is the next whole batch. 0: the file ends, or what stands at pos is no whole good batch. */
int file_walk_next(FileWalk *walk, BytesView *ret, ErrInfo *err);

/* Past the batch that file_walk_next() gave; its bytes stay valid until the next call of that. */
void file_walk_past(FileWalk *walk, int32_t bytes);

#endif
