/*
 * walks_node.c - samples about the node: who it is, its processes, connections, disks
 *
 * Runs in: exporter, backend. Items: as each walk says; single ones give all their samples at once.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/version.h"
#include "ottla/common/vfs.h"
#include "ottla/controller/image.h"
#include "ottla/coordinator/requests.h"
#include "ottla/ipc/listeners.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/slot.h"
#include "ottla/metrics/walks.h"
#include "ottla/storage/logdir_state.h"
#include "ottla/storage/logdirs.h"
#include "ottla/storage/partition_slot.h"

/* A family whose samples are told apart by one label with a fixed set of values. */
static int64_t
take_each(MetricScan *scan, int64_t item, const char *const *names, const int64_t *values,
          int32_t count)
{
    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    for (int32_t i = 0; i < count; i++) {
        StrView label = strview_from(names[i]);

        metric_take(scan, &label, values[i]);
    }
    return METRIC_END;
}

/* ---- who it is ---------------------------------------------------------------------------------- */

int64_t
metric_walk_build_info(MetricScan *scan, int64_t item)
{
    static const char *const version[] = {OT_VERSION};

    return take_each(scan, item, version, &(int64_t){1}, 1);
}

int64_t
metric_walk_node_info(MetricScan *scan, int64_t item)
{
    char id[16];
    StrView labels[3];

    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    (void)snprintf(id, sizeof id, "%d", (int)node_info.node_id);
    labels[0] = strview_from(id);
    labels[1] = strview_from(node_info.cluster_id);
    labels[2] = strview_from(node_info.instance);
    metric_take(scan, labels, 1);
    return METRIC_END;
}

int64_t
metric_walk_raft_role(MetricScan *scan, int64_t item)
{
    static const char *const roles[] = {"leader", "follower", "candidate", "observer"};
    bool leads = atomic_u32_load(&shared_page->controller_active) != 0;
    const int64_t values[] = {leads, !leads, 0, 0};

    return take_each(scan, item, roles, values, 4);
}

int64_t
metric_walk_brokers(MetricScan *scan, int64_t item)
{
    static const char *const states[] = {"active", "fenced", "controlled_shutdown"};
    int64_t counts[3] = {0};
    ImagePin pin = image_pin();
    const Image *image = image_of(&pin);
    int32_t after = INT32_MIN;
    const ImageBroker *broker;

    while (image != NULL && (broker = image_broker_after(image, after)) != NULL) {
        counts[broker->in_controlled_shutdown ? 2 : broker->fenced ? 1 : 0]++;
        after = broker->id;
    }
    image_unpin(&pin);
    return take_each(scan, item, states, counts, 3);
}

/* ---- processes ---------------------------------------------------------------------------------- */

/* Workers that there should be, and that run; a startup worker may have done its job. */
static const struct {
    const char *name;
    ProcKind kind;
} worker_kinds[] = {
    {"controller", PROC_CONTROLLER}, {"checkpointer", PROC_CHECKPOINTER},
    {"retention", PROC_RETENTION},   {"coordinator", PROC_COORDINATOR},
    {"exporter", PROC_EXPORTER},     {"logger", PROC_LOGGER},
};

#define WORKER_KINDS ((int32_t)(sizeof worker_kinds / sizeof worker_kinds[0]))

static void
count_workers(int64_t ret[WORKER_KINDS])
{
    for (int32_t i = 0; i < WORKER_KINDS; i++)
        ret[i] = 0;
    for (int32_t s = slot_skip_unused(slot_backend_count()); s < slot_count();
         s = slot_skip_unused(s + 1))
        for (int32_t i = 0; i < WORKER_KINDS; i++)
            ret[i] += slot_state(s) == SLOT_RUNNING &&
                      atomic_u32_load(&slot_at(s)->kind) == (uint32_t)worker_kinds[i].kind;
    for (int32_t i = 0; i < WORKER_KINDS; i++) /* it has no slot */
        if (worker_kinds[i].kind == PROC_LOGGER)
            ret[i] = atomic_i32_load(&shared_page->logger_pid) != 0;
}

static int64_t
workers_wanted(ProcKind kind)
{
    switch (kind) {
    case PROC_CHECKPOINTER:
        return logdir_count();
    case PROC_COORDINATOR:
        return coordinator_worker_count();
    case PROC_LOGGER:
        return strcmp(conf_str(CONF_LOG_DESTINATION), "file") == 0;
    default:
        return 1;
    }
}

static int64_t
take_workers(MetricScan *scan, int64_t item, bool dead)
{
    const char *names[WORKER_KINDS];
    int64_t values[WORKER_KINDS];

    count_workers(values);
    for (int32_t i = 0; i < WORKER_KINDS; i++) {
        int64_t wanted = workers_wanted(worker_kinds[i].kind);

        names[i] = worker_kinds[i].name;
        if (dead)
            values[i] = wanted > values[i] ? wanted - values[i] : 0;
    }
    return take_each(scan, item, names, values, WORKER_KINDS);
}

int64_t
metric_walk_workers(MetricScan *scan, int64_t item)
{
    return take_workers(scan, item, false);
}

int64_t
metric_walk_workers_dead(MetricScan *scan, int64_t item)
{
    return take_workers(scan, item, true);
}

/* Whom a backend serves. False: nobody, it is a spare one or ends. */
static bool
find_client(int32_t slot, SlotClient *ret)
{
    return slot_state(slot) == SLOT_RUNNING && slot_read_client(slot, ret) &&
           ret->connected_ms != 0;
}

#define STATE_SPARE ACTIVITY_COUNT

int64_t
metric_walk_backends(MetricScan *scan, int64_t item)
{
    const char *names[ACTIVITY_COUNT + 1];
    int64_t counts[ACTIVITY_COUNT + 1] = {0};
    int32_t end = slot_backend_count();

    for (int32_t i = slot_skip_unused(0); item == 0 && i < end; i = slot_skip_unused(i + 1)) {
        uint32_t doing = (uint32_t)slot_activity_state(i);
        SlotClient client;

        if (slot_state(i) == SLOT_RUNNING && doing < ACTIVITY_COUNT)
            counts[find_client(i, &client) ? doing : STATE_SPARE]++;
    }
    for (int state = 0; state < ACTIVITY_COUNT; state++)
        names[state] = activity_name((ActivityState)state);
    names[STATE_SPARE] = "spare";
    return take_each(scan, item, names, counts, ACTIVITY_COUNT + 1);
}

/* Is it one that clients connect to? A listener that was opened after this process began has no name here. */
static bool
listener_serves(int index)
{
    const Listener *row = &node_listeners.rows[index];

    return index < node_listeners.count && row->name[0] != '\0' && !row->is_controller;
}

int64_t
metric_walk_connections(MetricScan *scan, int64_t item)
{
    const char *names[LISTENERS_MAX + 1];
    int64_t counts[LISTENERS_MAX + 1] = {0};
    int32_t listeners = 0, end = slot_backend_count();
    int32_t place[LISTENERS_MAX];

    for (int i = 0; i < LISTENERS_MAX; i++) {
        place[i] = listener_serves(i) ? listeners : -1;
        if (place[i] >= 0)
            names[listeners++] = node_listeners.rows[i].name;
    }
    names[listeners] = "other";
    for (int32_t i = slot_skip_unused(0); item == 0 && i < end; i = slot_skip_unused(i + 1)) {
        SlotClient client;
        int32_t at;

        if (!find_client(i, &client))
            continue;
        at = client.listener >= 0 && client.listener < LISTENERS_MAX ? place[client.listener] : -1;
        counts[at < 0 ? listeners : at]++;
    }
    return take_each(scan, item, names, counts, listeners + (counts[listeners] > 0));
}

int64_t
metric_walk_delayed(MetricScan *scan, int64_t item)
{
    static const char *const kinds[] = {"produce", "fetch", "group", "other"};
    int64_t counts[4] = {0};
    int32_t end = slot_backend_count();

    for (int32_t i = slot_skip_unused(0); item == 0 && i < end; i = slot_skip_unused(i + 1)) {
        WaitEvent event = slot_wait_event(i);

        if (slot_state(i) != SLOT_RUNNING)
            continue;
        if (event == WAIT_EV_PRODUCE_ACKS || event == WAIT_EV_PRODUCE_FLUSH)
            counts[0]++;
        else if (event == WAIT_EV_FETCH_MIN_BYTES)
            counts[1]++;
        else if (event == WAIT_EV_GROUP_JOIN || event == WAIT_EV_GROUP_SYNC)
            counts[2]++;
        else if (event == WAIT_EV_COORDINATOR_REPLY || event == WAIT_EV_CONTROLLER_REPLY ||
                 event == WAIT_EV_REQUEST_MEMORY)
            counts[3]++;
    }
    return take_each(scan, item, kinds, counts, 4);
}

/* What accept.c says of a listener. The clock comes first: what ends meanwhile is told as it ended. */
static int64_t
blocked_us(int listener)
{
    int64_t now_us = clock_mono_us();
    int64_t word = atomic_i64_load(&shared_page->accept_blocked[listener]);
    int64_t us = (word & 1) != 0 ? now_us - word / 2 : word / 2;

    return metric_keep_most(&shared_page->accept_blocked_told[listener], us);
}

int64_t
metric_walk_accept_blocked(MetricScan *scan, int64_t item)
{
    const char *names[LISTENERS_MAX];
    int64_t values[LISTENERS_MAX];
    int32_t count = 0;

    for (int i = 0; item == 0 && i < LISTENERS_MAX; i++)
        if (listener_serves(i)) {
            names[count] = node_listeners.rows[i].name;
            values[count++] = blocked_us(i);
        }
    return take_each(scan, item, names, values, count);
}

/* ---- connections ------------------------------------------------------------------- */

int64_t
metric_walk_connections_rejected(MetricScan *scan, int64_t item)
{
    static const char *const reasons[] = {"limit"};
    int64_t value = (int64_t)stat_sum(STAT_CONNECTIONS_REFUSED);

    return take_each(scan, item, reasons, &value, 1);
}

int64_t
metric_walk_authentications(MetricScan *scan, int64_t item)
{
    static const char *const results[] = {"success", "failure"};
    const int64_t values[] = {(int64_t)stat_sum(STAT_CONNECTIONS), 0};

    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    for (int i = 0; i < 2; i++) {
        const StrView labels[] = {STRVIEW("ANONYMOUS"), strview_from(results[i])};

        metric_take(scan, labels, values[i]);
    }
    return METRIC_END;
}

/* ---- replication: there is none in a node alone ------------------------------------------------ */

int64_t
metric_walk_replication_bytes(MetricScan *scan, int64_t item)
{
    static const StrView labels[][2] = {{STRVIEW("in"), STRVIEW("replication")},
                                        {STRVIEW("in"), STRVIEW("reassignment")},
                                        {STRVIEW("out"), STRVIEW("replication")},
                                        {STRVIEW("out"), STRVIEW("reassignment")}};

    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    for (int i = 0; i < 4; i++)
        metric_take(scan, labels[i], 0);
    return METRIC_END;
}

int64_t
metric_walk_replication_throttled(MetricScan *scan, int64_t item)
{
    static const char *const sides[] = {"leader", "follower"};

    return take_each(scan, item, sides, (const int64_t[]){0, 0}, 2);
}

/* ---- disks -------------------------------------------------------------------------------------- */

int64_t
metric_walk_flushes(MetricScan *scan, int64_t item)
{
    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    metric_take_part(
        scan, NULL,
        &(MetricSample){.part = "_sum", .value = (int64_t)stat_sum(STAT_FLUSH_US), .digits = 6});
    metric_take_part(scan, NULL,
                     &(MetricSample){.part = "_count", .value = (int64_t)stat_sum(STAT_FLUSHES)});
    return METRIC_END;
}

/* Items: log directories. value: -1 when it cannot be known; then there is no sample. */
static int64_t
take_dirs(MetricScan *scan, int64_t item, int64_t (*value)(int dir))
{
    for (; item < logdir_count(); item++) {
        StrView path = strview_from(logdir_path((int)item));
        int64_t number;

        if (!metric_room(scan))
            return item;
        number = value((int)item);
        if (number >= 0)
            metric_take(scan, &path, number);
    }
    return METRIC_END;
}

static int64_t
is_online(int dir)
{
    LogDirState state = logdir_state(dir);

    return state == LOGDIR_ONLINE || state == LOGDIR_FULL;
}

static int64_t
is_full(int dir)
{
    return logdir_state(dir) == LOGDIR_FULL;
}

static int64_t
total_bytes(int dir)
{
    LogDirUsage usage;

    logdir_usage(dir, &usage);
    return usage.total_bytes;
}

static int64_t
usable_bytes(int dir)
{
    LogDirUsage usage;

    logdir_usage(dir, &usage);
    return usage.usable_bytes;
}

/* Partitions of a directory, or only those whose log is not open. */
static int64_t
partitions_of(int dir, bool unopened_only)
{
    int64_t count = 0;

    for (int32_t i = 0; i < pslot_high(); i++) {
        const PartitionSlot *slot = pslot_at(i);
        PslotState state = pslot_state(slot);

        if (state != PSLOT_FREE && state != PSLOT_DELETING && pslot_dir(slot) == dir)
            count += !unopened_only || state == PSLOT_UNOPENED;
    }
    return count;
}

static int64_t
partitions_in(int dir)
{
    return partitions_of(dir, false);
}

/* While the startup workers are at it; what is new later is opened by who uses it. */
static int64_t
to_recover(int dir)
{
    bool under_way = atomic_u32_load(&shared_page->recovery_done) <
                     atomic_u32_load(&shared_page->recovery_total);

    return under_way ? partitions_of(dir, true) : 0;
}

int64_t
metric_walk_log_dir_online(MetricScan *scan, int64_t item)
{
    return take_dirs(scan, item, is_online);
}

int64_t
metric_walk_log_dir_full(MetricScan *scan, int64_t item)
{
    return take_dirs(scan, item, is_full);
}

int64_t
metric_walk_log_dir_total(MetricScan *scan, int64_t item)
{
    return take_dirs(scan, item, total_bytes);
}

int64_t
metric_walk_log_dir_usable(MetricScan *scan, int64_t item)
{
    return take_dirs(scan, item, usable_bytes);
}

int64_t
metric_walk_log_dir_partitions(MetricScan *scan, int64_t item)
{
    return take_dirs(scan, item, partitions_in);
}

int64_t
metric_walk_recovery(MetricScan *scan, int64_t item)
{
    return take_dirs(scan, item, to_recover);
}

#define SECTOR_BYTES 512 /* of the file, whatever the device has */

/* What was read from and written to the device below a directory. False: there is no block device. */
static bool
device_bytes(int dir, int64_t ret[2])
{
    char path[64], text[256] = "";
    uint64_t read, written;
    struct stat st;
    int64_t len;
    int fd;

    if (logdir_fd(dir) < 0 || fstat(logdir_fd(dir), &st) != 0)
        return false;
    (void)snprintf(path, sizeof path, "/sys/dev/block/%u:%u/stat", major(st.st_dev),
                   minor(st.st_dev));
    fd = vfs_open(path, O_RDONLY | O_CLOEXEC, 0, NULL);
    if (fd < 0)
        return false;
    len = vfs_pread(fd, text, sizeof text - 1, 0, NULL);
    vfs_close(fd);
    /* reads, merged, sectors, ms, writes, merged, sectors */
    if (len <= 0 || sscanf(text, "%*u %*u %" SCNu64 " %*u %*u %*u %" SCNu64, &read, &written) != 2)
        return false;
    ret[0] = (int64_t)(read * SECTOR_BYTES);
    ret[1] = (int64_t)(written * SECTOR_BYTES);
    return true;
}

/* Items: log directories. */
int64_t
metric_walk_disk_bytes(MetricScan *scan, int64_t item)
{
    static const StrView ops[] = {STRVIEW("read"), STRVIEW("write")};

    for (; item < logdir_count(); item++) {
        StrView path = strview_from(logdir_path((int)item));
        int64_t bytes[2];

        if (!metric_room(scan))
            return item;
        if (!device_bytes((int)item, bytes))
            continue;
        for (int i = 0; i < 2; i++)
            metric_take(scan, (const StrView[]){path, ops[i]}, bytes[i]);
    }
    return METRIC_END;
}

/* ---- the walk itself ---------------------------------------------------------------------------- */

int64_t
metric_walk_series_dropped(MetricScan *scan, int64_t item)
{
    if (item > 0)
        return METRIC_END;
    if (!metric_room(scan))
        return item;
    metric_take(scan, NULL, scan->series_dropped);
    return METRIC_END;
}
