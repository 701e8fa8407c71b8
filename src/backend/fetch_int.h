/*
 * fetch_int.h - one Fetch request on its way: parts that h_fetch.c puts together
 *
 *   fetch_parts.c   the partitions of a pass, read from the request's bytes one at a time
 *   fetch_read.c    resolves and reads partitions within the byte budgets (log.md 12.1-12.3)
 *   fetch_wait.c    registers interest, counts what came (12.6)
 *   fetch_answer.c  builds the response, file slices included (12.5)
 *   fetch_serve.c   a session while a request is served on it (12.7)
 *   h_fetch.c       start, wait, finish, answer
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_FETCH_INT_H
#define OTTLA_BACKEND_FETCH_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/fetch_session_int.h"
#include "backend/fetch_set_int.h"
#include "ottla/replica/interest.h"
#include "backend/request_int.h"
#include "ottla/protocol/msg_fetch.h"

/* What a pass holds of a partition that has records: one descriptor is pinned for each. */
typedef struct FetchData {
    PlogSlice slice;
    PartitionRef ref; /* whose it is */
    FetchResponseAbortedTransaction *aborted;
    int32_t aborted_count;
} FetchData;

/*
 * One partition of a pass: which, and what was found out about it. A request may name 100,000, so this
 * is all that is kept of each (with its bytes in the request and in the answer).
 */
typedef struct FetchEntry {
    uint32_t topic; /* index in the session's set, or position in the request's body */
    uint32_t part;
    union {
        struct { /* error is 0 */
            int64_t high_watermark;
            int64_t last_stable_offset;
            int64_t log_start_offset;
        };
        struct { /* otherwise: of the metadata; -1 unknown */
            int32_t leader;
            int32_t leader_epoch;
        };
    };
    PlogEpochEnd diverged; /* diverging */
    int32_t data;          /* index; -1: no records */
    int16_t error;         /* KERR_*, 0 */
    bool unknown : 1;      /* no such topic or partition: ends no wait, is not looked at again */
    bool diverging : 1;
    bool answered : 1; /* is in the answer (an incremental one leaves out what is no news) */
} FetchEntry;

_Static_assert(sizeof(FetchEntry) <= 56, "part of what a named partition costs");

/* A named partition that exists, kept so that it can be waited for: the first of a request only. */
typedef struct FetchKept {
    FetchPart part;
    StrView name; /* of a topic asked for by id, known since the request began to wait */
} FetchKept;

#define FETCH_KEPT_MAX WAIT_NODES_PER_SLOT

/* What a pass reads: hot parts of a session, or the partitions that a request names. */
typedef struct FetchList {
    FetchEntry *entries;
    int32_t count;
    int32_t room;
    FetchData *data;
    int32_t data_count;
    int32_t data_room;
    const FetchSet *set; /* of the session, whose lock is held; NULL: a request's own */
    BytesView body;      /* of the request; what follows is for its own partitions alone */
    int16_t version;
    bool seen; /* a pass was made: who is unknown stays so */
    FetchKept *kept;
    int32_t kept_count;
    int32_t kept_room;
} FetchList;

/* ---- the request, piece by piece (fetch_parts.c) -------------------------------------------- */

/* Reads a request but for its topics, which are judged and counted. False: malformed, noted. */
bool fetch_request_parse(Request *rq, FetchRequest *ret, int32_t *ret_count);

/* Goes through the partitions of a request that was parsed. */
typedef struct FetchWalk {
    WireReader reader;
    Arena *arena;
    int16_t version;
    int32_t topics_left;
    int32_t parts_left;
    uint32_t topic_pos; /* positions in the body */
    uint32_t part_pos;
    bool in_topic;
    FetchRequestTopic topic;
    FetchRequestPartition part;
} FetchWalk;

void fetch_walk_init(FetchWalk *walk, const Request *rq);

/* The next partition into walk->topic and walk->part. False: there is none, or the bytes are wrong. */
bool fetch_walk_next(FetchWalk *walk);

/* What a request says of a partition, old or new. */
void fetch_part_set(FetchPart *part, const FetchRequestPartition *from);

/* The count partitions that a request names, each once. False: no memory. */
bool fetch_own_list(const Request *rq, int32_t count, FetchList *ret);

/* Room for so many entries, with their answers' slices. False: no memory. */
bool fetch_list_room(FetchList *list, int32_t count, Arena *arena);

/* Reads entries in their order. */
typedef struct FetchCursor {
    const FetchList *list;
    int32_t next;
    int32_t kept;       /* known partitions passed */
    uint32_t topic_pos; /* own: of the topic that key holds; UINT32_MAX: none */
    FetchKey topic;
} FetchCursor;

/* An entry with its partition. */
typedef struct FetchLook {
    FetchEntry *entry;
    FetchPart *part;   /* of the session, kept, or own */
    FetchTopic *topic; /* of the session, where a name may be learnt; otherwise NULL */
    FetchKey key;
    bool known; /* seen in an earlier pass */
    int32_t leader;
    int32_t leader_epoch;
    FetchPart own;
} FetchLook;

void fetch_cursor_init(FetchCursor *cursor, const FetchList *list);

/* The next entry. False: that was all. ret->part may point into ret. */
bool fetch_cursor_next(FetchCursor *cursor, FetchLook *ret);

/* What names an entry. */
FetchKey fetch_entry_key(const FetchList *list, const FetchEntry *entry);

/* Before a wait: the names of topics asked for by id, so that later "deleted" is told from "other id". */
void fetch_keep_names(FetchList *list, Arena *arena);

/* Lets go of all slices that are still held. */
void fetch_list_release(FetchList *list);

/* ---- reading -------------------------------------------------------------------------------- */

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
 * Reads the entries in order within the budgets. Slices of an earlier pass were released. Partitions
 * found unknown by an earlier pass stay so.
 */
FetchSummary fetch_read_all(FetchList *list, const FetchArgs *args);

/* Partitions read, for the test of O(hot). */
extern uint64_t fetch_read_looks;

/* ---- waiting ------------------------------------------------------------------------------- */

/* waiter: the session's or this process's slot; key: what fetch_wait_next returns for it. */
InterestResult fetch_wait_register(WaiterId waiter, FetchPart *part, PlogBound bound, uint32_t key);

/*
 * Interest of requests without a session is kept by the connection from one to the next: begin, one
 * fetch_nodes_register per partition, end (which drops what this request does not name).
 */
void fetch_nodes_begin(void);
InterestResult fetch_nodes_register(FetchPart *part, PlogBound bound, uint32_t key);
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

/* ---- a request on its way --------------------------------------------------------------------- */

typedef enum FetchMode {
    FETCH_SESSIONLESS,
    FETCH_FULL, /* answered whole, then kept as a new session */
    FETCH_INCREMENTAL,
} FetchMode;

typedef struct FetchContext {
    FetchRequest req;
    FetchArgs args;
    FetchMode mode;
    int32_t named;  /* partitions that the request names */
    FetchList list; /* what this pass reads */
    int64_t deadline_us;
    int64_t total;   /* bytes that are ready, as counted while waiting */
    bool poll;       /* some partition has no wait node */
    int64_t poll_us; /* when to look at those again */

    /* FETCH_INCREMENTAL: which session, and that nobody else went on with it meanwhile. */
    int32_t session_index;
    uint32_t session_serial;
    int32_t session_id;
    int32_t session_epoch; /* the next one expected after this request */
} FetchContext;

/*
 * A session while it is served: its lock is held (hold), and its parts are changed by this request
 * alone. The order is update, attach, take_ready, collect, a pass over what was collected; then either
 * news and leave, or register, and later take_ready again.
 */

/* Adds, changes and forgets what the request says. False: no room for all of it. */
bool fetch_serve_update(FetchHold *hold, const FetchContext *ctx, const Request *rq);

/*
 * What became ready since the last look joins the hot parts. count: also add their bytes to the
 * total; true then: answer now. rescan: somebody died, look at everything.
 */
bool fetch_serve_take_ready(FetchHold *hold, FetchContext *ctx, bool rescan, bool count);

/* The hot parts become what this pass reads. False: no memory. */
bool fetch_serve_collect(FetchHold *hold, FetchContext *ctx, Request *rq);

/* Registers the parts that were read, then counts what came since. True: answer now. */
bool fetch_serve_register(FetchContext *ctx, const FetchHold *hold);

/* Counts the parts that have no node. They are hot, so this pass has read them. True: answer now. */
bool fetch_serve_poll(const FetchHold *hold, FetchContext *ctx);

/* Marks what was just read and is news to the client, and notes that the client knows it from now on. */
void fetch_serve_news(FetchHold *hold, FetchContext *ctx);

/* Nobody serves the session from here on: nobody is woken for it. Gives up the lock. */
void fetch_serve_leave(FetchHold *hold, int64_t now_us);

/* A full fetch becomes a session with the same parts: its id; 0: there is no room for one. */
int32_t fetch_serve_begin(const FetchContext *ctx, int64_t now_us);

/* ---- answering ----------------------------------------------------------------------------- */

typedef struct FetchAnswer {
    int16_t error;
    int32_t session_id;
    const FetchList *list; /* only entries with answered set are sent; NULL: none */
    bool committed;        /* read_committed: lists of aborted transactions are not null */
} FetchAnswer;

/* Encodes and queues the answer. Its slices are needed until the request's release. */
ReqResult fetch_answer_send(Request *rq, const FetchAnswer *answer);

#endif
