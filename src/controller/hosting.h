/*
 * hosting.h - partition slots of this node: given and taken as the metadata says
 *
 * Runs in: controller. Between record_apply and publication new partitions get their slots, which nobody can
 * know yet; behind publication changed and deleted ones are told to their slots. Partition files
 * are never touched.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_HOSTING_H
#define OTTLA_CONTROLLER_HOSTING_H

#include "controller/records.h"
#include "ottla/common/conf.h"
#include "ottla/storage/logdirs.h"

/* Handles of settings records. */
typedef struct HandleList {
    uint64_t *items;
    int32_t count, room;
} HandleList;

typedef struct Hosting {
    int32_t node_id;
    int64_t slots_used;
    int32_t dir_partitions[LOGDIRS_MAX]; /* hosted replicas per log directory */
    int32_t dir_picked[LOGDIRS_MAX];     /* chosen by the decision that is being made */
    bool dir_cordoned[LOGDIRS_MAX];      /* take no new replicas while others do */

    /* Given in this turn: taken back by hosting_undo. */
    PartitionRef *fresh_slots;
    int32_t fresh_slot_count, fresh_slot_room;
    HandleList fresh_settings;

    HandleList stale_settings; /* given up by this turn: freed by hosting_commit */

    uint64_t default_settings; /* of all topics without settings of their own; 0: none yet */
    bool compaction_wanted;    /* some topic asks for it */
} Hosting;

void hosting_init(Hosting *h, int32_t node_id);
void hosting_fini(Hosting *h);

/*
 * After replay, before anything was published: slots for all partitions of this node, with what the
 * checkpoint files say. OT_E_LIMIT: max.partitions or the settings records do not suffice.
 */
int hosting_start(Hosting *h, ImageWriter *w, ErrInfo *err);

/*
 * Slots and settings for what the changes of this turn brought; writes them into the image being built.
 * OT_E_LIMIT: no slot free; hosting_undo and image_abort must follow.
 */
int hosting_prepare(Hosting *h, ImageWriter *w, const ChangeList *changes, ErrInfo *err);

/*
 * The changes are in the log: leadership, settings and retirements go to the slots. A changed setting of
 * nodes goes to all topics: the record that topics without settings of their own share, and
 * those of the others.
 */
void hosting_commit(Hosting *h, const Image *image, const ChangeList *changes);

/* The files of settings were read again: as if all settings of nodes had changed. */
void hosting_refresh_settings(Hosting *h, const Image *image);

/* The changes are not in the log: the turn's slots and settings go back. */
void hosting_undo(Hosting *h);

/*
 * The log directory with the fewest partitions (Kafka's choice for new replicas), those counted that were picked
 * before in the same decision; hosting_forget_picks ends it.
 */
Uuid hosting_pick_directory(void *hosting);
void hosting_forget_picks(Hosting *h);

/*
 * Directories of this node that cordoned.log.dirs names, as the image and the settings say, in the order of
 * log.dirs; their number. ret has room for LOGDIRS_MAX.
 */
int32_t hosting_cordoned(const Image *image, int32_t node_id, Uuid *ret);

/* From now on these and no others. */
void hosting_cordon(Hosting *h, const Uuid *dirs, int32_t count);

/* A replica that is in another directory than the metadata says. */
typedef struct HostedDir {
    PartitionRef ref;
    Uuid topic_id;
    int32_t partition;
    int dir; /* where it is */
} HostedDir;

/* At most room of them; walks all slots. */
int32_t hosting_misplaced(HostedDir *ret, int32_t room);

/* The metadata says so now, or cannot. */
void hosting_placed(Hosting *h, const HostedDir *list, int32_t count);

/* Is the path one of this node's log directories? */
bool hosting_has_log_dir(StrView path);

#endif
