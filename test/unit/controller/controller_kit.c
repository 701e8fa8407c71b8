/*
 * controller_kit.c - a small shared region, folders and requests for tests of the controller
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "controller/controller_kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ottla/common/clock.h"
#include "ottla/controller/live_conf.h"
#include "ottla/controller/quota_hosts.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/ipc/waitlist.h"
#include "ottla/storage/flush_requests.h"
#include "ottla/storage/logdirs.h"
#include "ottla/storage/partition_slot.h"
#include "ottla/storage/plog.h"

static Region region;
static const Uuid directory_id = {{7, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 15}};

const char *
kit_folder(void)
{
    static char path[64];

    snprintf(path, sizeof path, "/tmp/ottla-controller-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

void
kit_remove(const char *folder)
{
    char command[256];

    assert_true(strncmp(folder, "/tmp/ottla-controller-", 22) == 0);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

void
kit_region(size_t image_bytes, int32_t partitions)
{
    static const RegionRow rows[] = {
        {"shared_page", shared_page_shm_size, shared_page_shm_init, "", "", ""},
        {"proc_slot", proc_slot_shm_size, proc_slot_shm_init, "", "", ""},
        {"waiter", waiter_shm_size, waiter_shm_init, "", "", ""},
        {"partition_table", partition_table_shm_size, partition_table_shm_init, "", "", ""},
        {"topic_settings", topic_settings_shm_size, topic_settings_shm_init, "", "", ""},
        {"log_dirs", log_dirs_shm_size, log_dirs_shm_init, "", "", ""},
        {"flush_requests", flush_requests_shm_size, flush_requests_shm_init, "", "", ""},
        {"image", image_shm_size, image_shm_init, "", "", ""},
        {"live_conf", live_conf_shm_size, live_conf_shm_init, "", "", ""},
        {"quota_hosts", quota_hosts_shm_size, quota_hosts_shm_init, "", "", ""},
    };
    ShmLimits limits;
    ErrInfo err = {0};

    shm_limits_default(&limits);
    limits.max_partitions = partitions;
    limits.backend_slots = 64;
    limits.worker_slots = 16;
    limits.image_bytes = image_bytes == 0 ? (size_t)64 << 20 : image_bytes;
    if (region_map(rows, (int)(sizeof rows / sizeof rows[0]), &limits, &region, &err) != 0)
        fail_msg("region: %s", err.text);
}

void
kit_region_end(void)
{
    region_unmap(&region);
    logdirs_clear();
}

ControllerSettings
kit_settings(const char *folder)
{
    return (ControllerSettings){
        .metadata_dir = folder,
        .log = {.segment_bytes = 1 << 30,
                .segment_ms = 604800000,
                .max_retention_bytes = 100 << 20,
                .max_retention_ms = 604800000},
        .snapshot_bytes = 20 << 20,
        .snapshot_interval_ms = 3600000,
        .node_id = 1,
        .metadata_dir_id = directory_id,
        .incarnation_id = random_uuid(),
        .listeners = &one_node_listeners,
        .min_insync_replicas = 1,
    };
}

void
kit_format(const char *folder)
{
    ErrInfo err = {0};

    if (one_node_format(folder, directory_id, clock_wall_ms(), &err) != 0)
        fail_msg("format: %s", err.text);
}

void
kit_start(Controller *c, const char *folder)
{
    ControllerSettings settings = kit_settings(folder);
    ErrInfo err = {0};

    if (logdir_count() == 0)
        assert_true(logdir_add(folder, directory_id, &err) >= 0);
    if (controller_start(c, &settings, clock_wall_ms(), &err) != 0)
        fail_msg("start: %s", err.text);
}

const char *
kit_open(Controller *c, size_t image_bytes, int32_t partitions)
{
    const char *folder = kit_folder();

    kit_region(image_bytes, partitions);
    kit_format(folder);
    kit_start(c, folder);
    return folder;
}

void
kit_close(Controller *c, const char *folder)
{
    controller_stop(c);
    kit_region_end();
    kit_remove(folder);
}

const char *
kit_golden(void)
{
    static const char path[] = "../shared/peers/golden";

    return access(path, R_OK) == 0 ? path : NULL;
}

int16_t
kit_create(Controller *c, const char *name, int32_t partitions)
{
    Arena *arena = arena_new(65536, 0);
    TurnItem item = one_node_create_item(name, partitions, arena);
    ErrInfo err = {0};
    int16_t code;

    if (controller_turn(c, &item, 1, arena, clock_wall_ms(), &err) != 0)
        fail_msg("turn: %s", err.text);
    code = item.status == 0 ? one_node_created(&item, arena, NULL) : item.status;
    arena_free(arena);
    return code;
}
