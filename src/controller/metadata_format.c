/*
 * metadata_format.c - what formatting puts into directories before their meta.properties
 *
 * Runs in: supervisor.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/controller/metadata_format.h"

#include <stdio.h>
#include <stdlib.h>

#include "controller/features.h"
#include "controller/metalog.h"
#include "controller/records.h"
#include "ottla/common/clock.h"
#include "ottla/common/vfs.h"

static void
add_credentials(const FormatPlan *plan, RecordList *records)
{
    for (int i = 0; i < plan->credential_count; i++) {
        const FormatCredential *c = &plan->credentials[i];
        UserScramCredentialRecord record;

        user_scram_credential_record_init(&record);
        record.name = strview_from(c->name);
        record.mechanism = (int8_t)c->mechanism;
        record.salt = (BytesView){c->salt, c->salt_len};
        record.stored_key = (BytesView){c->keys.stored_key, c->keys.key_len};
        record.server_key = (BytesView){c->keys.server_key, c->keys.key_len};
        record.iterations = c->iterations;
        record_list_add(records, &user_scram_credential_record_desc, 0, &record);
    }
}

int
metadata_format_bootstrap(const char *dir, const FormatPlan *plan, ErrInfo *err)
{
    SnapshotFacts facts = {.now_ms = clock_wall_ms()};
    Arena *arena = arena_new(8192, 0);
    char path[LIMIT_PATH_BYTES];
    SnapshotWriter *w;
    RecordList records;
    int rc = 0;

    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to format %s", dir);
    record_list_init(&records, arena);
    features_bootstrap(plan == NULL ? NULL : plan->levels, &records);
    if (plan != NULL)
        add_credentials(plan, &records);
    snprintf(path, sizeof path, "%s/bootstrap.checkpoint", dir);
    w = snapshot_begin_as(path, &facts, err);
    if (w == NULL || records.no_memory) {
        snapshot_abandon(w);
        arena_free(arena);
        return w == NULL ? OT_E_IO : err_set(err, OT_E_NO_MEMORY, "no memory to format %s", dir);
    }
    for (int32_t i = 0; rc == 0 && i < records.count; i++)
        rc = snapshot_add(w, records.items[i], err);
    if (rc == 0)
        rc = snapshot_finish(w, NULL, err);
    else
        snapshot_abandon(w);
    arena_free(arena);
    return rc;
}

int
metadata_format_quorum(const char *dir, const MetadataVoter *voter, ErrInfo *err)
{
    SnapshotFacts facts = {
        .last_timestamp = voter->now_ms,
        .now_ms = voter->now_ms,
        .kraft_version = 1,
        .voters = {.count = 1,
                   .voter = {voter->node_id, voter->directory_id},
                   .endpoint_count = 1,
                   .endpoints = {{strview_from(voter->listener), strview_from(voter->host),
                                  voter->port}}},
    };
    char folder[LIMIT_PATH_BYTES];
    SnapshotWriter *w;
    int rc;

    if ((size_t)snprintf(folder, sizeof folder, "%s/%s", dir, METALOG_FOLDER) >= sizeof folder)
        return err_set(err, OT_E_CONFIG, "the path %s is too long", dir);
    rc = vfs_mkdir(folder, 0750, err);
    if (rc != 0 && rc != OT_E_EXISTS)
        return rc;
    rc = vfs_sync_dir(dir, err);
    if (rc != 0)
        return rc;
    w = snapshot_begin(folder, &facts, err);
    return w == NULL ? OT_E_IO : snapshot_finish(w, NULL, err);
}
