/*
 * datadir.c - paths, locks, owner and mode, formatting, identity of the directories
 *
 * Runs in: supervisor, before the first fork. Never: looks into a partition folder.
 *
 * Order matters: locks come before anything is read, meta.properties is written last when
 * formatting (its presence means "formatted", so a start that was killed halfway is simply repeated),
 * clean markers are taken when everything else is known to be right.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/datadir.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datadir_int.h"
#include "ottla/common/arena.h"
#include "ottla/common/clock.h"
#include "ottla/common/log.h"
#include "ottla/common/random.h"
#include "ottla/common/vfs.h"
#include "ottla/controller/metadata_format.h"
#include "ottla/ipc/node.h"
#include "ottla/postmaster/meta_properties.h"
#include "ottla/storage/failure_record.h"
#include "ottla/storage/logdir_state.h"

#define FOLDER_ENTRIES_MAX 1000000 /* names of a directory that is looked through for emptiness */

static bool was_clean[LOGDIRS_MAX]; /* had its clean marker when this process started */

/*
 * What a failure at a directory means for the start: one whose disk fails and that holds logs alone is
 * put aside. The code otherwise.
 */
static int
put_aside(const Datadir *dir, DatadirPlace *place, int code, const ErrInfo *err)
{
    if ((code != OT_E_IO && code != OT_E_READ) || !place->is_log || place->is_metadata ||
        strcmp(place->path, dir->path) == 0)
        return code;
    if (!place->unusable)
        snprintf(place->why, sizeof place->why, "%.*s", (int)sizeof place->why - 1, err->text);
    place->unusable = true;
    return 0;
}

/* ---- paths ---- */

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

static int
work_out_paths(const DatadirSettings *settings, Datadir *dir, ErrInfo *err)
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

/* ---- before privileges are dropped ---- */

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

/* 1: nothing but harmless names; 0: something else, named in ret_name. */
static int
looks_empty(const char *path, char ret_name[NAME_MAX + 1], ErrInfo *err)
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

/* Makes the directory when it is missing; a missing or empty one becomes uid's. */
static int
prepare_place(const char *path, bool may_make, const int owner[2], ErrInfo *err)
{
    struct stat st;
    char name[NAME_MAX + 1];
    bool fresh = false;
    int rc = vfs_stat(path, &st, NULL);

    if (rc == OT_E_NOT_FOUND) {
        if (!may_make)
            return err_set(err, OT_E_NOT_FOUND, "directory %s does not exist", path);
        rc = vfs_mkdirs(path, 0750, err);
        fresh = true;
    } else if (rc == 0 && !S_ISDIR(st.st_mode)) {
        return err_set(err, OT_E_CONFIG, "%s is not a directory", path);
    } else if (rc == 0 && owner[0] >= 0 && (int)st.st_uid != owner[0]) {
        rc = looks_empty(path, name, err);
        fresh = rc == 1;
        rc = rc < 0 ? rc : 0;
    }
    if (rc == 0 && fresh && owner[0] >= 0 && chown(path, (uid_t)owner[0], (gid_t)owner[1]) != 0)
        rc = err_set_errno(err, OT_E_PERMISSION, errno, "giving %s to user %d", path, owner[0]);
    return rc;
}

int
datadir_prepare(const DatadirSettings *settings, int uid, int gid, Datadir *ret, ErrInfo *err)
{
    const int owner[2] = {uid, gid};
    int rc;

    *ret = (Datadir){.pid_fd = -1};
    rc = work_out_paths(settings, ret, err);
    if (rc == 0)
        rc = prepare_place(ret->path, settings->auto_format, owner, err);
    for (int i = 0; rc == 0 && i < ret->place_count; i++)
        rc = put_aside(ret, &ret->places[i],
                       prepare_place(ret->places[i].path, settings->auto_format, owner, err), err);
    return rc;
}

/* ---- locks, owner, mode ---- */

static bool
is_formatted(const Datadir *dir)
{
    char path[NODE_PATH_MAX + 32];
    struct stat st;

    for (int i = 0; i < dir->place_count; i++) {
        snprintf(path, sizeof path, "%s/" META_PROPERTIES_FILE, dir->places[i].path);
        if (vfs_stat(path, &st, NULL) == 0)
            return true;
    }
    return false;
}

static int
check_owner(const Datadir *dir, ErrInfo *err)
{
    struct stat st;
    char name[NAME_MAX + 1];
    int rc = vfs_stat(dir->path, &st, err);

    if (rc < 0)
        return OT_E_PERMISSION; /* it was there a moment ago, under another user */
    if (st.st_uid != geteuid())
        return err_set(err, OT_E_PERMISSION,
                       "data directory %s belongs to user %u, this process runs as user %u",
                       dir->path, st.st_uid, geteuid());
    if ((st.st_mode & 0027) == 0)
        return 0;
    /* A developer's fresh folder is put right; one with data was opened up by somebody. */
    if (!is_formatted(dir) && looks_empty(dir->path, name, NULL) == 1 &&
        chmod(dir->path, 0750) == 0)
        return 0;
    return err_set(err, OT_E_PERMISSION,
                   "data directory %s has mode %04o: others may get in; chmod 0750 it", dir->path,
                   st.st_mode & 07777);
}

static int
lock_place(const Datadir *dir, DatadirPlace *place, ErrInfo *err)
{
    char path[NODE_PATH_MAX + 16];
    pid_t holder = -1;
    int rc;

    snprintf(path, sizeof path, "%s/.lock", place->path);
    rc = vfs_open(path, O_RDWR | O_CREAT, 0640, err);
    if (rc < 0)
        return rc;
    place->lock_fd = rc;
    rc = vfs_try_lock(place->lock_fd, &holder, err);
    if (rc == OT_E_BUSY)
        return pid_file_describe_holder(dir->path, path, holder, err);
    return rc;
}

/* ---- identity ---- */

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
    int rc = metadata_format_bootstrap(place->path, err);

    if (rc == 0 && place->is_metadata)
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
    int rc = looks_empty(place->path, name, err);

    if (rc == 0)
        return err_set(err, OT_E_CONFIG,
                       "%s is not formatted and not empty (there is \"%s\"): it will not be "
                       "formatted automatically",
                       place->path, name);
    return rc < 0 ? rc : 0;
}

/* A new log directory of a formatted node, or the rest of a formatting that was killed. */
static int
complete_places(const Datadir *dir, const DatadirSettings *settings, MetaProperties *props,
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

/* Fresh directories, all that can be used, get their meta.properties last; see the head of the file. */
static int
format_places(const Datadir *dir, const DatadirSettings *settings, MetaProperties *props,
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
        props[i].directory_id = random_uuid();
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
        if (rc == OT_E_NOT_FOUND || put_aside(dir, place, rc, err) == 0)
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
        rc = put_aside(dir, place, logdir_add(place->path, props->directory_id, err), err);
    if (place->unusable) {
        log_msg(LL_ERROR, "datadir", "log directory cannot be used: %s; dir=%s", place->why,
                place->path);
        rc = logdir_add_failed(place->path, props->has_directory_id ? &props->directory_id : NULL,
                               place->why, err);
    }
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

static int
load_identity(Datadir *dir, const DatadirSettings *settings, ErrInfo *err)
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
        rc = complete_places(dir, settings, props, missing, err);
    else if (unformatted != NULL)
        rc = format_places(dir, settings, props, missing, err);
    node_info.freshly_formatted = formatted == 0;
    for (int i = 0; rc == 0 && i < dir->place_count; i++) {
        DatadirPlace *place = &dir->places[i];

        if (props[i].node_id >= 0) {
            if (known == NULL)
                known = &props[i];
            rc = put_aside(dir, place, verify_place(place, settings, props, i, err), err);
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

/* Directories that failed and were not repaired since; see storage/failure_record.h. */
static int
take_failures(ErrInfo *err)
{
    int rc = failure_record_load(err);

    for (int i = 0; rc == 0 && i < logdir_count(); i++) {
        const char *text;
        LogDirFailure failure = logdir_repair_reason(i, &text);
        if (failure != LOGDIR_FAILURE_NONE)
            log_msg(LL_WARNING, "datadir",
                    "log directory failed before: its logs are verified and written again; dir=%s "
                    "failure=%s reason=\"%s\"",
                    logdir_path(i), logdir_failure_name(failure), text);
    }
    return rc;
}

static int
take_clean_markers(ErrInfo *err)
{
    int rc = 0;

    node_info.clean_start = true;
    for (int i = 0; rc == 0 && i < logdir_count(); i++) {
        const char *text;
        int64_t broker_epoch;
        rc = logdir_take_clean_marker(i, &was_clean[i], &broker_epoch, err);
        if (logdir_repair_reason(i, &text) != LOGDIR_FAILURE_NONE)
            was_clean[i] = false;
        if (rc == 0 && !was_clean[i])
            node_info.clean_start = false;
    }
    return rc;
}

void
datadir_publish_clean(void)
{
    for (int i = 0; i < logdir_count(); i++)
        logdir_set_clean(i, was_clean[i]);
}

int
datadir_open(Datadir *dir, const DatadirSettings *settings, ErrInfo *err)
{
    int rc = check_owner(dir, err);

    if (rc == 0)
        rc = pid_file_lock(dir, err);
    for (int i = 0; rc == 0 && i < dir->place_count; i++)
        rc = put_aside(dir, &dir->places[i], lock_place(dir, &dir->places[i], err), err);
    if (rc == 0)
        rc = load_identity(dir, settings, err);
    if (rc == 0)
        rc = take_failures(err);
    if (rc == 0)
        rc = take_clean_markers(err);
    if (rc == 0)
        return 0;
    for (int i = 0; i < dir->place_count; i++) {
        vfs_close(dir->places[i].lock_fd);
        dir->places[i].lock_fd = -1;
    }
    if (dir->pid_fd >= 0)
        datadir_remove_pid_file(dir);
    vfs_close(dir->pid_fd);
    dir->pid_fd = -1;
    logdirs_clear();
    return rc;
}
