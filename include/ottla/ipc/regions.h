/*
 * regions.h - the regions of the product, in the order they are carved
 *
 * X(name, writer, readers, crash rule). The owning module defines name_shm_size and name_shm_init;
 * postmaster/regions.c makes the table of RegionRow out of this list and hands it to region_map.
 * Arguments for the crash rules stand in src/ipc/README.md and at the head of each module.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_REGIONS_H
#define OTTLA_IPC_REGIONS_H

#define SHM_REGIONS(X)                                                                        \
    X(shared_page, "supervisor, controller: word by word", "all",                             \
      "single words; any death: whole")                                                       \
    X(proc_slot, "owner; supervisor: state word", "all, two-copy",                            \
      "counts while its generation lives; next owner clears")                                 \
    X(waiter, "owner; lock holders set ready bits", "owner",                                  \
      "bits are idempotent; stale generations ignored; rescan after a death")                 \
    X(mailbox, "one cell, one writer at a time", "the worker, the slot",                      \
      "state word names generation and serial; half a message is never FULL")                 \
    X(bulk, "writer of the message", "its reader", "owner word; dead generations taken back") \
    X(stats, "everybody adds", "all", "single words; a death loses its own addition")         \
    X(partition_table, "append lock; controller", "all, two-copy",                            \
      "published tuple is trusted, next lock owner repairs")                                  \
    X(topic_settings, "controller", "all, by handle", "controller's death is a crash cycle")  \
    X(segment_pool, "append lock", "all, by list generation",                                 \
      "owner word names the partition; repair takes back what its tuple does not name")       \
    X(producer_pool, "append lock", "append lock",                                            \
      "two-copy entries, end offset stored last; repair links anew and replays the gap")      \
    X(log_dirs, "everybody, word by word; names under their lock", "all", "single words")     \
    X(flush_requests, "who appends sets bits", "checkpointers",                               \
      "bits are idempotent; all are looked at after a death")                                 \
    X(image, "controller", "all, pinned generation", "controller's death is a crash cycle")   \
    X(live_conf, "controller", "supervisor, two-copy", "two-copy; any death: whole")          \
    X(listeners, "supervisor", "controller, two-copy", "two-copy; any death: whole")          \
    X(fetch_session, "who holds the session's lock", "same",                                  \
      "robust lock; a session in doubt is closed by the next owner")                          \
    X(backend_gate, "each slot its own word", "backends",                                     \
      "a word counts while its generation lives")                                             \
    X(quota_usage, "backends by CAS", "backends",                                             \
      "single words; a death loses or leaves its own amount")                                 \
    X(producer_ids, "backends by CAS", "backends", "one word; ids in flight are lost, harmless")

#endif
