/*
 * fetch_int.h - one Fetch request on its way: parts that h_fetch.c puts together
 *
 *   fetch_parts.c   the partitions that a request names itself
 *   fetch_read.c    resolves and reads partitions within the byte budgets (log.md 12.1-12.3)
 *   fetch_wait.c    registers interest, counts what came (12.6)
 *   fetch_answer.c  builds the response, file slices included (12.5)
 *   h_fetch.c       sessions and control flow (12.7)
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_FETCH_INT_H
#define OTTLA_BACKEND_FETCH_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/fetch_session_int.h"
#include "backend/fetch_set_int.h"
#include "backend/request_int.h"
#include "ottla/protocol/msg_fetch.h"

/* What one pass found out about one partition. */
typedef struct FetchRead {
    FetchPart *part;
    FetchTopic *topic;
    int32_t index; /* of the part, in the session or in the request */
    int16_t error; /* KERR_*, 0 */
    bool unknown;  /* no such topic or partition: does not end a wait, is not looked at again */
    bool diverging;
    bool answered; /* is in the answer (an incremental one leaves out what is no news) */
    PlogEpochEnd diverged;
    PlogOffsets offsets; /* valid when error is 0 */
    PlogSlice slice;
    PlogAborted *aborted;
    int32_t aborted_count; /* -1: null */
    int32_t leader;        /* of the metadata; -1 unknown */
    int32_t leader_epoch;
} FetchRead;

/* What a pass reads. */
typedef struct FetchPartList {
    FetchRead *reads;
    int32_t count;
} FetchPartList;

/* Entries of partitions in a request. */
int32_t fetch_named_count(const FetchRequest *req);

/* What a request says of a partition, old or new. */
void fetch_part_set(FetchPart *part, const FetchRequestPartition *from);

/* The partitions a request names, each once. False: no memory. */
bool fetch_own_parts(const FetchRequest *req, bool by_id, Arena *arena, FetchPartList *ret);

/* What a request asks of every partition. */
typedef struct FetchArgs {
    int16_t version;
    int8_t isolation; /* 0 or 1 */
    PlogBound bound;
    int32_t replica_id; /* >= 0: a follower; -1: a consumer */
    int32_t max_bytes;  /* of the answer, already capped by fetch.max.bytes */
    int32_t min_bytes;
    Arena *arena;
    bool again; /* after a wait: who was known is not "unknown" now, but gone */
} FetchArgs;

/* What a pass found out in all. */
typedef struct FetchSummary {
    int64_t bytes;
    int32_t known;  /* partitions that exist */
    bool ends_wait; /* an error or a diverging epoch: answer now */
} FetchSummary;

/*
 * Reads count partitions in order within the budgets. Slices of an earlier pass were released. Partitions
 * already found unknown stay so.
 */
FetchSummary fetch_read_all(FetchRead *reads, int32_t count, const FetchArgs *args);

/* Partitions read, for the test of O(hot). */
extern uint64_t fetch_read_looks;

/* Lets go of all slices that are still held. */
void fetch_read_release(FetchRead *reads, int32_t count);

/* ---- waiting ------------------------------------------------------------------------------- */

/* How the interest of a partition stands. */
typedef enum FetchInterest {
    FETCH_REGISTERED,
    FETCH_POLL, /* no node free: look again after a while */
    FETCH_GONE, /* the partition is no more */
} FetchInterest;

/* waiter: the session's or this process's slot; key: what fetch_wait_next returns for it. */
FetchInterest fetch_wait_register(WaiterId waiter, FetchPart *part, PlogBound bound, uint32_t key);

/*
 * Interest of requests without a session is kept by the connection from one to the next: begin, one
 * fetch_nodes_register per partition, end (which drops what this request does not name).
 */
void fetch_nodes_begin(void);
FetchInterest fetch_nodes_register(FetchPart *part, PlogBound bound, uint32_t key);
void fetch_nodes_end(void);

/* Ends all interest of the connection: nothing was fetched for WAIT_IDLE_DROP_US. */
void fetch_nodes_drop(void);

/* Partitions the connection's nodes are kept for. */
int32_t fetch_nodes_count(void);

/*
 * Counts a partition's bytes anew. True: the fetch is to be answered now, whatever their number
 * (gone, truncated, a full segment, diverging).
 */
bool fetch_wait_count(FetchPart *part, PlogBound bound, int64_t *io_total);

/* Partitions counted by waiting fetches, for the test of O(ready). */
extern uint64_t fetch_wait_looks;

/* ---- answering ----------------------------------------------------------------------------- */

typedef struct FetchAnswer {
    int16_t error;
    int32_t session_id;
    FetchPartList list; /* only reads with answered set are sent */
} FetchAnswer;

/* Encodes and queues the answer. Its slices are needed until the request's release. */
ReqResult fetch_answer_send(Request *rq, const FetchAnswer *answer);

#endif
