/*
 * failure_record.c - log directories that failed, remembered on disk until they are repaired
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/failure_record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "ottla/common/clock.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/node.h"
#include "ottla/storage/control_file.h"
#include "storage/logdirs_int.h"

/* Rows of directories that are not configured now; inherited by fork, never changed after the start. */
static ControlRow *foreign;
static int32_t foreign_count;

static void
control_path(char ret[LIMIT_PATH_BYTES])
{
    (void)snprintf(ret, LIMIT_PATH_BYTES, "%s/" CONTROL_FILE, node_info.data_dir);
}

static void
note_path(int dir, char ret[LIMIT_PATH_BYTES])
{
    (void)snprintf(ret, LIMIT_PATH_BYTES, "%s/" FAILED_NOTE, logdir_path(dir));
}

/* ---- at the start ------------------------------------------------------------------------------- */

static void
require_repair_of_all(const char *why)
{
    int dir;

    for (dir = 0; dir < logdir_count(); dir++)
        logdir_require_repair(dir, LOGDIR_FAILURE_FLUSH, why);
    node_info.metadata_failed = true;
}

static void
take_rows(const ControlFile *file)
{
    int32_t i;

    for (i = 0; i < file->count; i++) {
        const ControlRow *row = &file->rows[i];
        int dir = logdir_find_uuid(row->directory_id);
        bool metadata = uuid_equal(row->directory_id, node_info.metadata_dir_id);

        node_info.metadata_failed |= metadata;
        if (dir >= 0) {
            logdir_require_repair(dir, row->failure, row->text);
            logdir_private(dir)->repair_ms = row->time_ms;
        } else if (!metadata && foreign_count < LOGDIRS_MAX) {
            foreign[foreign_count++] = *row;
        }
    }
}

/* Room for a file with all its rows, which are too many for a stack and are wanted rarely; NULL: no memory. */
static ControlFile *
file_new(ErrInfo *err)
{
    ControlFile *file = malloc(sizeof *file);

    if (file == NULL)
        (void)err_set(err, OT_E_NO_MEMORY, "no memory for the rows of failed directories");
    else
        file->node = (ControlNode){0}; /* rows are written before they are read */
    return file;
}

static int
load_control(ControlFile *file, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc;

    control_path(path);
    rc = control_file_load(path, file, err);
    if (rc == OT_E_CORRUPT) {
        require_repair_of_all("the control file is damaged");
        return 0;
    }
    if (rc != 0)
        return rc == OT_E_NOT_FOUND ? 0 : rc;
    if (file->count > 0) {
        foreign = malloc((size_t)file->count * sizeof *foreign);
        if (foreign == NULL)
            return err_set(err, OT_E_NO_MEMORY, "no memory for the rows of %s", path);
    }
    take_rows(file);
    return 0;
}

/* What was noted in a failed directory itself, when the control file could not be written. */
static void
load_note(int dir, ControlFile *file)
{
    char path[LIMIT_PATH_BYTES];
    int rc;

    note_path(dir, path);
    rc = control_file_load(path, file, NULL);
    if (rc == OT_E_READ)
        return; /* it cannot be used anyway */
    if (rc == 0 && file->count > 0)
        logdir_require_repair(dir, file->rows[0].failure, file->rows[0].text);
    else if (rc != OT_E_NOT_FOUND)
        logdir_require_repair(dir, LOGDIR_FAILURE_FLUSH, "the note of a failure is damaged");
}

int
failure_record_load(ErrInfo *err)
{
    ControlFile *file = file_new(err);
    int rc;
    int dir;

    if (file == NULL)
        return OT_E_NO_MEMORY;
    free(foreign);
    foreign = NULL;
    foreign_count = 0;
    node_info.metadata_failed = false;
    rc = load_control(file, err);
    for (dir = 0; rc == 0 && dir < logdir_count(); dir++)
        load_note(dir, file);
    free(file);
    return rc;
}

/* ---- while the node runs -------------------------------------------------------------------------- */

bool
failure_is_recorded(int dir)
{
    return atomic_u32_load(&logdir_shared(dir)->recorded) != 0;
}

static void
fill_row(int dir, ControlRow *ret)
{
    *ret = (ControlRow){.directory_id = logdir_uuid(dir),
                        .time_ms = atomic_i64_load(&logdir_shared(dir)->failed_ms)};
    (void)snprintf(ret->path, sizeof ret->path, "%s", logdir_path(dir));
    ret->failure = logdir_failure(dir, ret->text);
    if (ret->failure == LOGDIR_FAILURE_NONE) /* whoever noticed it died before it could say more */
        ret->failure = LOGDIR_FAILURE_FLUSH;
}

static void
fill_metadata_row(ControlRow *ret)
{
    *ret = (ControlRow){.directory_id = node_info.metadata_dir_id,
                        .failure = LOGDIR_FAILURE_FLUSH,
                        .time_ms = clock_wall_ms(),
                        .text = "the metadata log could not be written or flushed"};
    (void)snprintf(ret->path, sizeof ret->path, "%s", node_info.metadata_dir);
}

/*
 * DIR/control as it should be now; what another process marked before it came here is in it. node: its state; NULL: as it was
 * written last.
 */
static int
store_control(const ControlNode *node, ErrInfo *err)
{
    ControlFile *file = file_new(err);
    char path[LIMIT_PATH_BYTES];
    int dir;
    int rc = file == NULL ? OT_E_NO_MEMORY : logdirs_control_lock(err);

    if (rc != 0) {
        free(file);
        return rc;
    }
    control_path(path);
    if (control_file_load(path, file, NULL) != 0)
        file->node = (ControlNode){0};
    if (node != NULL) {
        int64_t checkpoint_ms = file->node.checkpoint_ms;

        file->node = *node;
        if (node->checkpoint_ms == 0)
            file->node.checkpoint_ms = checkpoint_ms; /* of the run before */
    }
    file->count = foreign_count;
    if (foreign_count > 0)
        memcpy(file->rows, foreign, (size_t)foreign_count * sizeof *foreign);
    for (dir = 0; dir < logdir_count(); dir++) {
        if (failure_is_recorded(dir))
            fill_row(dir, &file->rows[file->count++]);
    }
    if (atomic_u32_load(logdirs_metadata_failed()) != 0)
        fill_metadata_row(&file->rows[file->count++]);
    rc = control_file_store(path, file, err);
    logdirs_control_unlock();
    free(file);
    return rc;
}

int
failure_record_add(int dir, ErrInfo *err)
{
    ControlFile *note;
    char path[LIMIT_PATH_BYTES];
    ErrInfo unused = {0};
    int rc;

    if (!logdir_id_is_known(dir))
        return 0; /* nothing was written to it in this run, and there is no name to write down */
    atomic_u32_store(&logdir_shared(dir)->recorded, 1);
    rc = store_control(NULL, err);
    note = file_new(&unused);
    if (note == NULL)
        return rc;
    note->count = 1;
    fill_row(dir, &note->rows[0]);
    note_path(dir, path);
    if (control_file_store(path, note, &unused) == 0)
        rc = 0;
    free(note);
    return rc;
}

int
failure_record_metadata(bool failed, ErrInfo *err)
{
    if (!failed && atomic_u32_load(logdirs_metadata_failed()) == 0)
        return 0;
    atomic_u32_store(logdirs_metadata_failed(), failed);
    return store_control(NULL, err);
}

int
failure_record_remove(int dir, ErrInfo *err)
{
    char path[LIMIT_PATH_BYTES];
    int rc;

    /* The note first: what is left halfway is repaired once more. */
    note_path(dir, path);
    rc = vfs_unlink(path, err);
    if (rc != 0 && rc != OT_E_NOT_FOUND)
        return rc;
    rc = vfs_sync_dir(logdir_path(dir), err);
    if (rc != 0)
        return rc;
    atomic_u32_store(&logdir_shared(dir)->recorded, 0);
    rc = store_control(NULL, err);
    if (rc != 0)
        atomic_u32_store(&logdir_shared(dir)->recorded, 1);
    return rc;
}

int
control_record_node(const ControlNode *node, ErrInfo *err)
{
    return store_control(node, err);
}
