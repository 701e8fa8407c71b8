/*
 * datadir_format.c - directories that nobody formatted yet: what may lie in them, what is written into them
 *
 * Runs in: supervisor, before the first fork.
 * meta.properties is written last: its presence means "formatted", so a start that was killed halfway is simply
 * repeated.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "datadir_int.h"
#include "ottla/common/arena.h"
#include "ottla/common/clock.h"
#include "ottla/common/log.h"
#include "ottla/common/random.h"
#include "ottla/common/vfs.h"
#include "ottla/controller/metadata_format.h"
#include "ottla/ipc/node.h"

#define FOLDER_ENTRIES_MAX 1000000 /* names of a directory that is looked through for emptiness */

/* May a directory hold this although nobody formatted it? Left-overs of a killed formatting, too. */
static bool
harmless_name(StrView name)
{
    static const char *const names[] = {
        ".lock",
        "lost+found",
        "ottla.conf",
        "ottla.auto.conf",
        "conf.d",
        "meta",
        "log",
        "ottlad.pid",
        "bootstrap.checkpoint",
        "control",
        ".gitkeep",
        ".gitignore",
        META_PROPERTIES_FILE ".tmp",
        "bootstrap.checkpoint.tmp",
        "__cluster_metadata-0",
        "server.properties",
    };

    if (name.len > 9 && memcmp(name.ptr, ".s.ottla.", 9) == 0)
        return true;
    if (name.len > 4 && memcmp(name.ptr + name.len - 4, ".log", 4) == 0)
        return true; /* where whoever starts us sends our output */
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strview_equal(name, strview_from(names[i])))
            return true;
    return false;
}

int
datadir_looks_empty(const char *path, char ret_name[NAME_MAX + 1], ErrInfo *err)
{
    Arena *arena = arena_new(65536, (size_t)256 << 20);
    StrView *names;
    int32_t count = 0;
    int rc = OT_E_NO_MEMORY;

    if (arena != NULL)
        rc = vfs_list(path, FOLDER_ENTRIES_MAX, arena, &names, &count, err);
    if (rc == 0)
        rc = 1;
    for (int32_t i = 0; rc == 1 && i < count; i++) {
        if (!harmless_name(names[i])) {
            snprintf(ret_name, NAME_MAX + 1, "%.*s", (int)names[i].len, names[i].ptr);
            rc = 0;
        }
    }
    arena_free(arena);
    return rc;
}

bool
datadir_place_is_formatted(const DatadirPlace *place)
{
    char path[NODE_PATH_MAX + 32];
    struct stat st;

    snprintf(path, sizeof path, "%s/" META_PROPERTIES_FILE, place->path);
    return vfs_stat(path, &st, NULL) == 0;
}

bool
datadir_is_formatted(const Datadir *dir)
{
    for (int i = 0; i < dir->place_count; i++)
        if (datadir_place_is_formatted(&dir->places[i]))
            return true;
    return false;
}

/* What Kafka's format tool writes into a directory before its meta.properties. */
static int
format_place(const DatadirPlace *place, const DatadirSettings *settings,
             const MetaProperties *props, ErrInfo *err)
{
    const MetadataVoter voter = {
        .node_id = props->node_id,
        .directory_id = props->directory_id,
        .listener = settings->voter_listener,
        .host = settings->voter_host,
        .port = settings->voter_port,
        .now_ms = clock_wall_ms(),
    };
    int rc = metadata_format_bootstrap(place->path, settings->plan, err);
    bool voters = settings->plan == NULL || !settings->plan->no_voters;

    if (rc == 0 && place->is_metadata && voters)
        rc = metadata_format_quorum(place->path, &voter, err);
    return rc;
}

/*
 * Writes the meta.properties of the places in todo; that of the metadata directory
 * first: a log directory that has one while the metadata directory has none has lost its metadata.
 */
static int
store_properties(const Datadir *dir, const MetaProperties *props, const bool *todo, ErrInfo *err)
{
    int rc = 0;

    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; rc == 0 && i < dir->place_count; i++)
            if (dir->places[i].is_metadata == (pass == 0) && todo[i])
                rc = meta_properties_store(dir->places[i].path, &props[i], err);
    return rc;
}

static int
refuse_not_empty(const DatadirPlace *place, ErrInfo *err)
{
    char name[NAME_MAX + 1];
    int rc = datadir_looks_empty(place->path, name, err);

    if (rc == 0)
        return err_set(err, OT_E_CONFIG,
                       "%s is not formatted and not empty (there is \"%s\"): it will not be "
                       "formatted automatically",
                       place->path, name);
    return rc < 0 ? rc : 0;
}

int
datadir_complete(const Datadir *dir, const DatadirSettings *settings, MetaProperties *props,
                 const bool *missing, ErrInfo *err)
{
    const MetaProperties *known = NULL;
    int rc = 0;

    for (int i = 0; i < dir->place_count; i++) {
        if (missing[i] && dir->places[i].is_metadata)
            return err_set(err, OT_E_CONFIG,
                           "the metadata directory %s has no " META_PROPERTIES_FILE
                           ", but a log directory has one: its metadata is lost",
                           dir->places[i].path);
        if (!missing[i] && known == NULL && props[i].cluster_id[0] != '\0')
            known = &props[i];
    }
    for (int i = 0; rc == 0 && i < dir->place_count; i++) {
        if (!missing[i])
            continue;
        props[i] = *known;
        props[i].version = 1;
        props[i].directory_id = random_uuid();
        props[i].has_directory_id = true;
        rc = refuse_not_empty(&dir->places[i], err);
        if (rc == 0)
            rc = format_place(&dir->places[i], settings, &props[i], err);
        if (rc == 0)
            log_msg(LL_LOG, "datadir", "formatted %s for this node", dir->places[i].path);
    }
    return rc < 0 ? rc : store_properties(dir, props, missing, err);
}

int
datadir_format(const Datadir *dir, const DatadirSettings *settings, MetaProperties *props,
               const bool *todo, ErrInfo *err)
{
    MetaProperties common = {.version = 1, .has_directory_id = true};
    int rc = 0;

    common.node_id = settings->node_id >= 0 ? settings->node_id : 1;
    if (settings->cluster_id != NULL) {
        if (strlen(settings->cluster_id) >= NODE_CLUSTER_ID_MAX)
            return err_set(err, OT_E_CONFIG, "cluster.id is longer than %d bytes",
                           NODE_CLUSTER_ID_MAX - 1);
        snprintf(common.cluster_id, sizeof common.cluster_id, "%s", settings->cluster_id);
    } else {
        uuid_to_text(random_uuid(), common.cluster_id);
    }
    for (int i = 0; rc == 0 && i < dir->place_count; i++) {
        if (!todo[i])
            continue;
        props[i] = common;
        props[i].directory_id = dir->places[i].is_metadata && settings->plan != NULL &&
                                        settings->plan->has_voter_directory
                                    ? settings->plan->voter_directory
                                    : random_uuid();
        rc = refuse_not_empty(&dir->places[i], err);
    }
    for (int i = 0; rc == 0 && i < dir->place_count; i++)
        if (todo[i])
            rc = format_place(&dir->places[i], settings, &props[i], err);
    if (rc == 0)
        rc = store_properties(dir, props, todo, err);
    if (rc == 0)
        log_msg(LL_LOG, "datadir", "formatted %s as a single node; cluster_id=%s node_id=%d",
                dir->path, common.cluster_id, common.node_id);
    return rc;
}

/* A file or an empty folder; one that is not there is fine, and of the others people are told by what they find. */
static void
remove_name(const char *dir, const char *name, bool folder)
{
    char path[NODE_PATH_MAX + 128];

    snprintf(path, sizeof path, "%s%s%s", dir, *name == '\0' ? "" : "/", name);
    (void)!(folder ? vfs_rmdir(path, NULL) : vfs_unlink(path, NULL));
}

void
datadir_undo_format(const Datadir *dir)
{
    static const char *const files[] = {
        META_PROPERTIES_FILE, META_PROPERTIES_FILE ".tmp", "bootstrap.checkpoint",
        "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint", ".lock"};

    for (int i = 0; i < dir->place_count; i++) {
        const DatadirPlace *place = &dir->places[i];

        if (place->formatted)
            continue;
        for (size_t k = 0; k < sizeof files / sizeof files[0]; k++)
            remove_name(place->path, files[k], false);
        remove_name(place->path, "__cluster_metadata-0", true);
        if (place->made)
            remove_name(place->path, "", true);
    }
    if (dir->made)
        remove_name(dir->path, "", true);
}
