/*
 * datadir_identity.c - whose the directories are: their meta.properties read, made, compared
 *
 * Runs in: supervisor, before the first fork.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "datadir_int.h"
#include "ottla/common/log.h"
#include "ottla/common/random.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/node.h"
#include "ottla/storage/logdirs.h"

/* Ids must agree with one another and with the settings; a missing directory id is made. */
static int
verify_place(const DatadirPlace *place, const DatadirSettings *settings, MetaProperties *props,
             int index, ErrInfo *err)
{
    MetaProperties *mine = &props[index];
    const MetaProperties *first = props;
    int rc = 0;

    while (first->node_id < 0) /* those whose disk fails */
        first++;
    if (strcmp(mine->cluster_id, first->cluster_id) != 0)
        return err_set(err, OT_E_CONFIG, "%s belongs to cluster %s, the first directory to %s",
                       place->path, mine->cluster_id, first->cluster_id);
    if (mine->node_id != first->node_id)
        return err_set(err, OT_E_CONFIG, "%s belongs to node %d, the first directory to node %d",
                       place->path, mine->node_id, first->node_id);
    if (settings->node_id >= 0 && mine->node_id != settings->node_id)
        return err_set(err, OT_E_CONFIG, "%s belongs to node %d, but node.id is %d", place->path,
                       mine->node_id, settings->node_id);
    if (settings->cluster_id != NULL && strcmp(settings->cluster_id, mine->cluster_id) != 0)
        return err_set(err, OT_E_CONFIG, "%s belongs to cluster %s, but cluster.id is %s",
                       place->path, mine->cluster_id, settings->cluster_id);
    if (!mine->has_directory_id) {
        mine->directory_id = random_uuid();
        mine->has_directory_id = true;
        mine->version = 1;
        rc = meta_properties_store(place->path, mine, err);
    }
    for (int i = 0; rc == 0 && i < index; i++)
        if (uuid_equal(props[i].directory_id, mine->directory_id))
            rc = err_set(err, OT_E_CONFIG, "%s has the directory.id of another directory",
                         place->path);
    return rc;
}

/* Kafka refuses a metadata log that lies where none belongs. */
static int
check_stray_metadata(const DatadirPlace *place, ErrInfo *err)
{
    char path[NODE_PATH_MAX + 32];
    struct stat st;

    if (place->is_metadata)
        return 0;
    snprintf(path, sizeof path, "%s/__cluster_metadata-0", place->path);
    if (vfs_stat(path, &st, NULL) == 0)
        return err_set(err, OT_E_CONFIG, "%s is a metadata log outside of the metadata directory",
                       path);
    return 0;
}

/* The places' properties, read. A place put aside whose properties cannot be read has none: "". */
static int
load_properties(Datadir *dir, MetaProperties *props, bool *missing, int *ret_formatted,
                ErrInfo *err)
{
    *ret_formatted = 0;
    for (int i = 0; i < dir->place_count; i++) {
        DatadirPlace *place = &dir->places[i];
        int rc = meta_properties_load(place->path, &props[i], err);

        missing[i] = rc == OT_E_NOT_FOUND && !place->unusable;
        *ret_formatted += rc == 0;
        if (rc == 0 || missing[i])
            continue;
        props[i] = (MetaProperties){.node_id = -1};
        if (rc == OT_E_NOT_FOUND || datadir_put_aside(dir, place, rc, err) == 0)
            continue;
        return rc == OT_E_CORRUPT ? OT_E_CONFIG : rc;
    }
    return 0;
}

/* Into the table of log directories. */
static int
add_log_dir(const Datadir *dir, DatadirPlace *place, const MetaProperties *props, ErrInfo *err)
{
    int rc = 0;

    if (!place->unusable)
        rc = datadir_put_aside(dir, place, logdir_add(place->path, props->directory_id, err), err);
    if (place->unusable)
        rc = logdir_add_failed(place->path, props->has_directory_id ? &props->directory_id : NULL,
                               place->why, err);
    return rc < 0 ? rc : 0;
}

static int
check_some_usable(const Datadir *dir, ErrInfo *err)
{
    const char *why = "";

    for (int i = 0; i < dir->place_count; i++) {
        if (dir->places[i].is_log && !dir->places[i].unusable)
            return 0;
        if (dir->places[i].unusable)
            why = dir->places[i].why;
    }
    return err_set(err, OT_E_IO, "no log directory can be used: %s", why);
}

int
datadir_load_identity(Datadir *dir, const DatadirSettings *settings, ErrInfo *err)
{
    MetaProperties props[DATADIR_PLACES_MAX];
    bool missing[DATADIR_PLACES_MAX] = {false};
    const char *unformatted = NULL;
    const MetaProperties *known = NULL;
    int formatted;
    int rc = load_properties(dir, props, missing, &formatted, err);

    if (rc < 0)
        return rc;
    for (int i = 0; i < dir->place_count; i++)
        if (missing[i])
            unformatted = dir->places[i].path;
    if (unformatted != NULL && !settings->auto_format)
        rc = err_set(err, OT_E_CONFIG, "%s is not formatted, and --no-auto-format is given",
                     unformatted);
    else if (unformatted != NULL && formatted > 0)
        rc = datadir_complete(dir, settings, props, missing, err);
    else if (unformatted != NULL)
        rc = datadir_format(dir, settings, props, missing, err);
    node_info.freshly_formatted = formatted == 0;
    for (int i = 0; rc == 0 && i < dir->place_count; i++) {
        DatadirPlace *place = &dir->places[i];

        if (props[i].node_id >= 0) {
            if (known == NULL)
                known = &props[i];
            rc = datadir_put_aside(dir, place, verify_place(place, settings, props, i, err), err);
        }
        if (rc == 0)
            rc = check_stray_metadata(place, err);
        if (rc == 0 && place->is_log)
            rc = add_log_dir(dir, place, &props[i], err);
        if (place->is_metadata)
            node_info.metadata_dir_id = props[i].directory_id;
    }
    if (rc == 0)
        rc = check_some_usable(dir, err);
    if (rc == 0) { /* the metadata directory's are known, at least */
        memcpy(node_info.cluster_id, known->cluster_id, sizeof node_info.cluster_id);
        node_info.node_id = known->node_id;
    }
    return rc;
}
