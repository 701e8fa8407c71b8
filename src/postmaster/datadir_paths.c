/*
 * datadir_paths.c - which directories the settings name
 *
 * Runs in: supervisor, before the first fork.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datadir_int.h"
#include "ottla/ipc/node.h"
#include "ottla/storage/logdirs.h"

/* An absolute path without trailing slashes; relative ones start at base (NULL: working directory). */
static int
absolute_path(const char *path, size_t len, char ret[NODE_PATH_MAX], ErrInfo *err)
{
    char cwd[NODE_PATH_MAX];
    int made;

    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 2 && path[0] == '.' && path[1] == '/') {
        path += 2;
        len -= 2;
    }
    if (len == 0)
        return err_set(err, OT_E_CONFIG, "the path of a directory is empty");
    if (path[0] == '/') {
        made = snprintf(ret, NODE_PATH_MAX, "%.*s", (int)len, path);
    } else {
        if (getcwd(cwd, sizeof cwd) == NULL)
            return err_set_errno(err, OT_E_CONFIG, errno, "working directory");
        if (len == 1 && path[0] == '.')
            made = snprintf(ret, NODE_PATH_MAX, "%s", cwd);
        else
            made = snprintf(ret, NODE_PATH_MAX, "%s/%.*s", cwd, (int)len, path);
    }
    if (made >= NODE_PATH_MAX)
        return err_set(err, OT_E_CONFIG, "path longer than %d bytes: %.*s", NODE_PATH_MAX - 1,
                       (int)len, path);
    return 0;
}

static DatadirPlace *
add_place(Datadir *dir, const char *path, ErrInfo *err)
{
    for (int i = 0; i < dir->place_count; i++)
        if (strcmp(dir->places[i].path, path) == 0)
            return &dir->places[i];
    if (dir->place_count == DATADIR_PLACES_MAX) {
        err_set(err, OT_E_CONFIG, "log.dirs: more than %d directories", LOGDIRS_MAX);
        return NULL;
    }
    DatadirPlace *place = &dir->places[dir->place_count++];
    *place = (DatadirPlace){.lock_fd = -1};
    snprintf(place->path, sizeof place->path, "%s", path);
    return place;
}

static int
add_log_dirs(Datadir *dir, const char *list, ErrInfo *err)
{
    const char *p = list;

    while (*p != '\0') {
        char path[NODE_PATH_MAX];
        size_t len = strcspn(p, ",");
        const char *item = p;

        p += len + (p[len] == ',');
        while (len > 0 && (*item == ' ' || *item == '\t')) {
            item++;
            len--;
        }
        while (len > 0 && (item[len - 1] == ' ' || item[len - 1] == '\t'))
            len--;
        if (len == 0)
            continue;
        int rc = absolute_path(item, len, path, err);
        if (rc < 0)
            return rc;
        DatadirPlace *place = add_place(dir, path, err);
        if (place == NULL)
            return OT_E_CONFIG;
        if (place->is_log)
            return err_set(err, OT_E_CONFIG, "log.dirs: %s twice", path);
        place->is_log = true;
    }
    if (dir->place_count == 0)
        return err_set(err, OT_E_CONFIG, "log.dirs: no directory in \"%s\"", list);
    return 0;
}

int
datadir_work_out_paths(const DatadirSettings *settings, Datadir *dir, ErrInfo *err)
{
    char path[NODE_PATH_MAX + 8];
    DatadirPlace *place;
    int rc = absolute_path(settings->data_dir, strlen(settings->data_dir), dir->path, err);

    if (rc < 0)
        return rc;
    if (settings->log_dirs != NULL) {
        rc = add_log_dirs(dir, settings->log_dirs, err);
        if (rc < 0)
            return rc;
    } else {
        if (snprintf(path, sizeof path, "%s/log", dir->path) >= NODE_PATH_MAX)
            return err_set(err, OT_E_CONFIG, "path longer than %d bytes", NODE_PATH_MAX - 1);
        place = add_place(dir, path, err);
        place->is_log = true;
    }
    /* Kafka's rule: metadata lies in the first log directory unless told otherwise. */
    if (settings->metadata_dir != NULL) {
        rc = absolute_path(settings->metadata_dir, strlen(settings->metadata_dir), path, err);
        if (rc < 0)
            return rc;
        place = add_place(dir, path, err);
    } else if (settings->log_dirs != NULL) {
        place = &dir->places[0];
    } else {
        if (snprintf(path, sizeof path, "%s/meta", dir->path) >= NODE_PATH_MAX)
            return err_set(err, OT_E_CONFIG, "path longer than %d bytes", NODE_PATH_MAX - 1);
        place = add_place(dir, path, err);
    }
    if (place == NULL)
        return OT_E_CONFIG;
    place->is_metadata = true;
    memcpy(node_info.data_dir, dir->path, sizeof node_info.data_dir);
    memcpy(node_info.metadata_dir, place->path, sizeof node_info.metadata_dir);
    return 0;
}
