/*
 * log_events.h - messages that programs look for: each event and its MESSAGE_ID in the journal
 *
 * An id never changes and is never used again. contrib/systemd/ottla.catalog explains each to
 * journalctl -x; a test compares the two.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_LOG_EVENTS_H
#define OTTLA_COMMON_LOG_EVENTS_H

/* X(name, id) */
#define LOG_EVENTS(X)                                     \
    X(STARTED, "bb02b03406174f13bb4a14290f0983cb")        \
    X(READY, "6e71d1d6ee7045eabd87ea1a8eda541b")          \
    X(STOPPING, "68d05aad3f07411591b191ec07f02cae")       \
    X(CRASH, "c415e96a4a1e426aadc2434e8f9867dc")          \
    X(LOG_DIR_FAILED, "2e8248327f584e3ba91cd03853b27248") \
    X(CONTROLLER, "914124c1ce4a42d9aa6c4c1c4b6ff3c2")     \
    X(CONFIG_ERROR, "76ae54fa00cf4c2199f180cd484a1fea")

typedef enum LogEvent {
    LOG_EVENT_NONE,
#define LOG_EVENT_ID(name, id) LOG_EVENT_##name,
    LOG_EVENTS(LOG_EVENT_ID)
#undef LOG_EVENT_ID
        LOG_EVENT_COUNT
} LogEvent;

#endif
