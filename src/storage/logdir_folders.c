/*
 * logdir_folders.c - in which log directory a partition's folder really lies
 *
 * Runs in: controller, once.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/logdir_folders.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/arena.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/common/vfs.h"
#include "ottla/storage/checkpoint_files.h"
#include "ottla/storage/logdirs.h"

#define FOLDERS_MAX 1000000 /* names in a log directory */

/* What a directory holds; sorted, as vfs_list gives it. */
typedef struct DirNames {
    StrView *names;
    int32_t count;
} DirNames;

struct LogDirFolders {
    Arena *arena;
    DirNames dirs[LOGDIRS_MAX];
};

LogDirFolders *
logdir_folders_load(void)
{
    LogDirFolders *all = calloc(1, sizeof *all);

    if (all == NULL || (all->arena = arena_new(65536, 0)) == NULL) {
        free(all);
        return NULL;
    }
    for (int dir = 0; logdir_count() > 1 && dir < logdir_count(); dir++) {
        DirNames *d = &all->dirs[dir];
        ErrInfo err = {0};

        if (vfs_list(logdir_path(dir), FOLDERS_MAX, all->arena, &d->names, &d->count, &err) != 0) {
            log_msg(LL_WARNING, "storage", "log directory cannot be listed: %s", err.text);
            d->count = 0;
        }
    }
    return all;
}

static int
compare_names(const void *pa, const void *pb)
{
    const StrView *a = pa, *b = pb;
    int32_t common = a->len < b->len ? a->len : b->len;
    int order = memcmp(a->ptr, b->ptr, (size_t)common);

    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static bool
holds(const DirNames *d, StrView name)
{
    return d->count > 0 &&
           bsearch(&name, d->names, (size_t)d->count, sizeof name, compare_names) != NULL;
}

static bool
is_topics(int dir, const char *name, Uuid topic_id)
{
    char folder[LIMIT_PATH_BYTES];
    Uuid id;
    int n = snprintf(folder, sizeof folder, "%s/%s", logdir_path(dir), name);

    return n > 0 && n < (int)sizeof folder && partition_metadata_load(folder, &id, NULL) == 0 &&
           uuid_equal(id, topic_id);
}

int
logdir_folders_find(const LogDirFolders *all, int named, StrView topic, int32_t partition,
                    Uuid topic_id)
{
    char name[PARTITION_DIR_NAME_MAX];

    if (logdir_count() < 2)
        return named;
    partition_dir_name(topic, partition, name);
    for (int dir = 0; dir < logdir_count(); dir++) {
        if (dir == named || !holds(&all->dirs[dir], strview_from(name)) ||
            !is_topics(dir, name, topic_id))
            continue;
        /* An older topic of the name may have left its folder in the directory that is named. */
        return named >= 0 && holds(&all->dirs[named], strview_from(name)) &&
                       is_topics(named, name, topic_id)
                   ? named
                   : dir;
    }
    return named;
}

void
logdir_folders_free(LogDirFolders *all)
{
    if (all == NULL)
        return;
    arena_free(all->arena);
    free(all);
}
