/*
 * regions.h - the regions of the product, in the order they are carved
 *
 * X(name, writer, readers, crash rule). The owning module defines name_shm_size and name_shm_init;
 * postmaster/regions.c makes the table of RegionRow out of this list and hands it to region_map.
 * The order matters for memory alone: what every process touches comes first and lies close together, because
 * each stretch of 2 MiB that a process touches costs it a page of page tables (doc/internals/idle-connection.md).
 * Arguments for the crash rules stand in src/ipc/README.md and at the head of each module.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_REGIONS_H
#define OTTLA_IPC_REGIONS_H

#define SHM_REGIONS(X)                                                                           \
    X(shared_page, "supervisor, controller: word by word", "all",                                \
      "single words; any death: whole")                                                          \
    X(log_dirs, "everybody, word by word; names under their lock", "all", "single words")        \
    X(live_conf, "controller", "supervisor, two-copy", "two-copy; any death: whole")             \
    X(control, "supervisor; the file's lock: backends", "backends",                              \
      "two-copy; the lock protects nothing in memory")                                           \
    X(mailbox_heads, "workers: their owner words; all set bits", "all",                          \
      "a dead generation owns nothing; bits are idempotent, rescan after a death")               \
    X(backend_gate, "each slot its own word", "backends",                                        \
      "a word counts while its generation lives")                                                \
    X(producer_ids, "backends by CAS", "backends", "one word; ids in flight are lost, harmless") \
    X(stats, "everybody adds", "all", "single words; a death loses its own addition")            \
    X(request_stats, "everybody adds", "all", "single words; a death loses its own addition")    \
    X(flush_requests, "who appends sets bits", "checkpointers",                                  \
      "bits are idempotent; all are looked at after a death")                                    \
    X(proc_slot, "owner; supervisor: state word", "all, two-copy",                               \
      "counts while its generation lives; next owner clears")                                    \
    X(waiter, "owner; lock holders set ready bits", "owner",                                     \
      "bits are idempotent; stale generations ignored; rescan after a death")                    \
    X(mailbox, "one cell, one writer at a time", "the worker, the slot",                         \
      "state word names generation and serial; half a message is never FULL")                    \
    X(image, "controller", "all, pinned generation", "controller's death is a crash cycle")      \
    X(partition_table, "append lock; controller", "all, two-copy",                               \
      "published tuple is trusted, next lock owner repairs")                                     \
    X(topic_settings, "controller", "all, by handle", "controller's death is a crash cycle")     \
    X(segment_pool, "append lock", "all, by list generation",                                    \
      "owner word names the partition; repair takes back what its tuple does not name")          \
    X(producer_pool, "append lock", "append lock",                                               \
      "two-copy entries, end offset stored last; repair links anew and replays the gap")         \
    X(fetch_session, "who holds the session's lock", "same",                                     \
      "robust lock; a session in doubt is closed by the next owner")                             \
    X(coordinators, "each worker its own", "all",                                                \
      "single words; a line of history counts when its word names it")                           \
    X(listeners, "supervisor", "controller, two-copy", "two-copy; any death: whole")             \
    X(quota_usage, "backends, controller, by CAS", "all",                                        \
      "single words; a death loses or leaves its own amount; half a note fails its check")       \
    X(quota_hosts, "controller", "backends, two-copy", "two-copy; any death: whole")             \
    X(server_log, "who logs", "backends", "a half line's word is 0; mixed ones fail a checksum") \
    X(bulk, "writer of the message", "its reader", "owner word; dead generations taken back")

#endif
