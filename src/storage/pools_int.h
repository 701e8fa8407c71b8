/*
 * pools_int.h - shared chunks of segment lists, hot index entries, and producer entries
 *
 * All functions that change something need the partition's append lock; readers of segment lists
 * follow the rule at seglist_read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_STORAGE_POOLS_INT_H
#define OTTLA_STORAGE_POOLS_INT_H

#include "ottla/storage/partition_slot.h"
#include "ottla/storage/producer_state.h"
#include "ottla/storage/segment_format.h"

/* ---- segment list ----------------------------------------------------------------------------- */

/* An inactive segment. */
typedef struct SegEntry {
    int64_t base_offset;
    int64_t max_timestamp;     /* -1: no record has one */
    int32_t size;              /* bytes of its .log */
    int32_t max_timestamp_rel; /* last offset of the batch that holds it, relative to base */
} SegEntry;

/*
 * Appends an entry to the list that the tuple roots (tuple is the caller's private copy, published
 * later). OT_E_LIMIT: the pool is full.
 */
int seglist_append(const PartitionSlot *slot, PlogTuple *tuple, const SegEntry *entry,
                   ErrInfo *err);

/* Drops the first count entries from the tuple; the chunks go back by seglist_release_dropped after
 * publication. */
void seglist_drop_first(PlogTuple *tuple, int32_t count);

/* Gives back the chunks from old_head up to, not including, the tuple's head; raises list_generation. */
void seglist_release_dropped(PartitionSlot *slot, uint32_t old_head, const PlogTuple *tuple);

/*
 * The entry at index [0, seg_count); false: the list changed meanwhile (readers start again). The process remembers
 * where it was last, so a walk upwards costs O(1) for each entry; any other step a few looks at other chunks.
 */
bool seglist_get(const PartitionSlot *slot, const PlogTuple *tuple, int32_t index, SegEntry *ret);

/*
 * The last entry with base <= offset, found by O(log^2) of the chunks; *ret_index -1: none (offset lies in the active
 * segment or before the first). False as seglist_get. Readers without the lock: afterwards list_generation of
 * the slot must be what it was before the tuple was read, else start again.
 */
bool seglist_find(const PlogTuple *tuple, int64_t offset, int32_t *ret_index, SegEntry *ret);

/* ---- hot index entries ---------------------------------------------------------------------- */

#define HOT_INDEX_ENTRIES 25
#define HOT_TIME_ENTRIES  19

/* Entries of the active segment's indexes that are not in the files yet. */
typedef struct HotChunk {
    IndexEntry index[HOT_INDEX_ENTRIES];
    TimeEntry time[HOT_TIME_ENTRIES];
} HotChunk;

/* 0: the pool is full (then entries go to the files at once). */
uint32_t hot_alloc(const PartitionSlot *slot);
void hot_free(PartitionSlot *slot, uint32_t chunk);
HotChunk *hot_at(uint32_t chunk);

/* Takes back chunks that carry this partition's name but are not in its tuple (repair, burial). */
void segment_pool_sweep(PartitionSlot *slot, const PlogTuple *tuple);

/* Burial: gives back what the last tuple of the slot reaches; costs what is given back. */
void segment_pool_release(PartitionSlot *slot, const PlogTuple *tuple);

/* Chunks taken now, for tests. */
uint32_t segment_pool_used(void);

/* ---- producers ---------------------------------------------------------------------------------- */

typedef struct ProducerEntry ProducerEntry;

/* NULL: not known here. */
ProducerEntry *producer_find(const PartitionSlot *slot, int64_t producer_id);

/*
 * Finds or makes the entry (with PRODUCER_STATE_EMPTY). A full pool lets the oldest producer without
 * open transaction go, of this partition or of another one whose lock is free. NULL: only open
 * transactions are left.
 */
ProducerEntry *producer_obtain(PartitionSlot *slot, int64_t producer_id);

int64_t producer_entry_id(const ProducerEntry *entry);
void producer_get(const ProducerEntry *entry, ProducerState *ret);

/* Whole or not at all for whoever looks after our death. */
void producer_put(ProducerEntry *entry, const ProducerState *state);

void producer_remove(PartitionSlot *slot, ProducerEntry *entry);

/* Calls cb for every producer of the partition, in no order; cb must not add or remove. */
void producer_each(const PartitionSlot *slot, void (*cb)(ProducerEntry *entry, void *arg),
                   void *arg);

/* Removes all; also finds those that are not linked: looks at every entry of the node. */
void producer_remove_all(PartitionSlot *slot);

/* Burial: removes all that are linked; costs what is removed. */
void producer_release_linked(PartitionSlot *slot);

/* Repair: links every entry that carries the partition's name, whatever state the links are in. */
void producer_relink(PartitionSlot *slot);

/* First offset of the earliest open transaction, -1: none. */
int64_t producer_first_unstable(const PartitionSlot *slot);

uint32_t producer_pool_used(void);

#endif
