/*
 * wait_events.h - what a process can be seen waiting for
 *
 * Names are what the shell and manual show (shell-and-service.md 10): only added, never renamed.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_WAIT_EVENTS_H
#define OTTLA_IPC_WAIT_EVENTS_H

/* X(constant, type, name) */
#define WAIT_EVENT_ROWS(X)                                            \
    X(WAIT_EV_SUPERVISOR_MAIN, "Activity", "SupervisorMain")          \
    X(WAIT_EV_CHECKPOINTER_MAIN, "Activity", "CheckpointerMain")      \
    X(WAIT_EV_CLEANER_MAIN, "Activity", "CleanerMain")                \
    X(WAIT_EV_RETENTION_MAIN, "Activity", "RetentionMain")            \
    X(WAIT_EV_REPLICATOR_MAIN, "Activity", "ReplicatorMain")          \
    X(WAIT_EV_COORDINATOR_MAIN, "Activity", "CoordinatorMain")        \
    X(WAIT_EV_CONTROLLER_MAIN, "Activity", "ControllerMain")          \
    X(WAIT_EV_EXPORTER_MAIN, "Activity", "ExporterMain")              \
    X(WAIT_EV_LOGGER_MAIN, "Activity", "LoggerMain")                  \
    X(WAIT_EV_STARTUP_MAIN, "Activity", "StartupMain")                \
    X(WAIT_EV_CLIENT_READ, "Client", "ClientRead")                    \
    X(WAIT_EV_CLIENT_WRITE, "Client", "ClientWrite")                  \
    X(WAIT_EV_TLS_HANDSHAKE, "Client", "TlsHandshake")                \
    X(WAIT_EV_SASL_EXCHANGE, "Client", "SaslExchange")                \
    X(WAIT_EV_PRODUCE_ACKS, "IPC", "ProduceAcks")                     \
    X(WAIT_EV_PRODUCE_FLUSH, "IPC", "ProduceFlush")                   \
    X(WAIT_EV_FETCH_MIN_BYTES, "IPC", "FetchMinBytes")                \
    X(WAIT_EV_GROUP_JOIN, "IPC", "GroupJoin")                         \
    X(WAIT_EV_GROUP_SYNC, "IPC", "GroupSync")                         \
    X(WAIT_EV_COORDINATOR_REPLY, "IPC", "CoordinatorReply")           \
    X(WAIT_EV_CONTROLLER_REPLY, "IPC", "ControllerReply")             \
    X(WAIT_EV_METADATA_CATCH_UP, "IPC", "MetadataCatchUp")            \
    X(WAIT_EV_TXN_VERIFY, "IPC", "TxnVerify")                         \
    X(WAIT_EV_WORKER_START, "IPC", "WorkerStart")                     \
    X(WAIT_EV_CHECKPOINT, "IPC", "Checkpoint")                        \
    X(WAIT_EV_ELECTION, "IPC", "Election")                            \
    X(WAIT_EV_SUPERVISOR_REPLY, "IPC", "SupervisorReply")             \
    X(WAIT_EV_NAME_LOOKUP, "IPC", "NameLookup")                       \
    X(WAIT_EV_REQUEST_MEMORY, "IPC", "RequestMemory")                 \
    X(WAIT_EV_PARTITION_LOCK, "Lock", "PartitionLock")                \
    X(WAIT_EV_GROUP_LOCK, "Lock", "GroupLock")                        \
    X(WAIT_EV_TXN_LOCK, "Lock", "TxnLock")                            \
    X(WAIT_EV_TOPIC_CREATE, "Lock", "TopicCreate")                    \
    X(WAIT_EV_CONTROL_FILE, "Lock", "ControlFile")                    \
    X(WAIT_EV_SETTINGS_FILE, "Lock", "SettingsFile")                  \
    X(WAIT_EV_PARTITION_TABLE, "LWLock", "PartitionTable")            \
    X(WAIT_EV_METADATA_CACHE, "LWLock", "MetadataCache")              \
    X(WAIT_EV_PRODUCER_STATE, "LWLock", "ProducerState")              \
    X(WAIT_EV_FETCH_SESSIONS, "LWLock", "FetchSessions")              \
    X(WAIT_EV_QUOTA_TABLE, "LWLock", "QuotaTable")                    \
    X(WAIT_EV_ACL_CACHE, "LWLock", "AclCache")                        \
    X(WAIT_EV_SLOT_TABLE, "LWLock", "SlotTable")                      \
    X(WAIT_EV_LOG_SEGMENTS, "LWLock", "LogSegments")                  \
    X(WAIT_EV_STATS_FOLD, "LWLock", "StatsFold")                      \
    X(WAIT_EV_LOG_WRITE, "IO", "LogWrite")                            \
    X(WAIT_EV_LOG_SYNC, "IO", "LogSync")                              \
    X(WAIT_EV_LOG_READ, "IO", "LogRead")                              \
    X(WAIT_EV_LOG_SENDFILE, "IO", "LogSendfile")                      \
    X(WAIT_EV_INDEX_READ, "IO", "IndexRead")                          \
    X(WAIT_EV_INDEX_WRITE, "IO", "IndexWrite")                        \
    X(WAIT_EV_CHECKPOINT_WRITE, "IO", "CheckpointWrite")              \
    X(WAIT_EV_CHECKPOINT_SYNC, "IO", "CheckpointSync")                \
    X(WAIT_EV_METADATA_LOG_WRITE, "IO", "MetadataLogWrite")           \
    X(WAIT_EV_METADATA_LOG_SYNC, "IO", "MetadataLogSync")             \
    X(WAIT_EV_SNAPSHOT_WRITE, "IO", "SnapshotWrite")                  \
    X(WAIT_EV_SEGMENT_RENAME, "IO", "SegmentRename")                  \
    X(WAIT_EV_SEGMENT_UNLINK, "IO", "SegmentUnlink")                  \
    X(WAIT_EV_DIR_SYNC, "IO", "DirSync")                              \
    X(WAIT_EV_TLS_FILE_READ, "IO", "TlsFileRead")                     \
    X(WAIT_EV_QUOTA_THROTTLE, "Timeout", "QuotaThrottle")             \
    X(WAIT_EV_AUTH_FAILURE_DELAY, "Timeout", "AuthFailureDelay")      \
    X(WAIT_EV_RETRY_BACKOFF, "Timeout", "RetryBackoff")               \
    X(WAIT_EV_CLEANER_THROTTLE, "Timeout", "CleanerThrottle")         \
    X(WAIT_EV_REPLICATION_THROTTLE, "Timeout", "ReplicationThrottle") \
    X(WAIT_EV_ACCEPT_RATE, "Timeout", "AcceptRate")

typedef enum WaitEvent {
    WAIT_EV_NONE, /* running */
#define WAIT_EVENT_ENUM(constant, type, name) constant,
    WAIT_EVENT_ROWS(WAIT_EVENT_ENUM)
#undef WAIT_EVENT_ENUM
        WAIT_EV_COUNT
} WaitEvent;

/* Name and type of an event; NULL for WAIT_EV_NONE and unknown numbers. */
const char *wait_event_name(WaitEvent event);
const char *wait_event_type(WaitEvent event);

#endif
