/*
 * worker_int.h - a coordinator worker: its shards, their logs, the answers under way
 *
 *   coordinator_main.c  the loop
 *   shard_host.c        which partitions it has, and what becomes of each
 *   shard_load.c        reading a partition's log into a shard
 *   shard_log.c         appending, and what the answers wait for
 *   answers.c           requests that wait for an answer; answers on their way
 *   serve.c             what each API does with which shard
 *   serve_many.c        requests that name several groups
 *   serve_walk.c        what the statistics ask
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COORDINATOR_WORKER_INT_H
#define OTTLA_COORDINATOR_WORKER_INT_H

#include "coordinator/batches_int.h"
#include "coordinator/metadata_view_int.h"
#include "coordinator/reply_queue_int.h"
#include "ottla/coordinator/requests.h"
#include "ottla/groups/shard.h"
#include "ottla/protocol/record.h"
#include "ottla/replica/replica.h"

#define LOAD_SLICE_US  5000 /* a turn's time for applying records */
#define HOST_WAITS_MAX 64   /* appends that are waited for; later ones join the last */
#define NO_RETRY       INT64_MAX
#define RETRY_WRITE_US \
    (100 * INT64_C(1000)) /* after a write that found too few replicas or no space */
#define RETRY_FAILED_US  (1000 * INT64_C(1000))
#define RETRY_FAILED_MAX (60 * RETRY_FAILED_US)
#define STALL_US         (1000 * INT64_C(1000))
#define COORDINATOR_LOG  "coordinator"

/* ---- answers ----------------------------------------------------------------------------------- */

/* A result of an answer: whose it is, and what has become of it since. */
typedef struct AnswerPart {
    int32_t partition; /* -1: no shard's */
    int16_t code;      /* 0: it holds */
} AnswerPart;

/* An answer, encoded; the queues of its shards name it. */
typedef struct Answer {
    MboxCookie cookie;
    int16_t status;
    int16_t late_status; /* when its time is up: 15, or 16 of OffsetFetch */
    int32_t waits;       /* queues it is in, and one of who puts it there */
    AnswerPart *parts;   /* its results; NULL: what fails fails the whole */
    int32_t part_count;
    size_t size;
    uint8_t bytes[];
} Answer;

/* A request that waits for the core's answer; its token names it. */
typedef struct Call {
    MboxCookie cookie;
    uint32_t serial; /* of this use of the entry */
    int32_t partition;
    int16_t api_key;
    bool used;
    int32_t next_free;
} Call;

typedef struct Calls {
    Call *list;
    int32_t room;
    int32_t count;      /* used ones */
    int32_t first_free; /* -1: none */
    int32_t look_at;    /* whose client is looked after next */
} Calls;

/* ---- a partition ------------------------------------------------------------------------------- */

typedef enum HostState {
    HOST_NONE, /* led by somebody else */
    HOST_LOADING,
    HOST_ACTIVE,
    HOST_FAILED, /* until retry_us */
} HostState;

/* An append whose commit is waited for. */
typedef struct HostWait {
    int64_t end; /* behind its last record */
    ReplicaWait wait;
} HostWait;

typedef struct HostLoad {
    uint8_t *buffer;
    size_t room;
    size_t len; /* whole batches and maybe a piece */
    size_t at;
    int64_t offset; /* the next to be read */
    int64_t begin_us;
    int64_t records;
    bool settling; /* all was read; what the metadata says about it is applied */
} HostLoad;

typedef struct Host {
    int32_t partition;
    HostState state;
    PartitionRef ref;
    int32_t leader_epoch;
    GroupShard *shard;
    HostLoad load;
    int64_t retry_us;     /* HOST_FAILED; HOST_LOADING: not before */
    int64_t backoff_us;   /* of the next failure */
    int64_t load_us;      /* the last load took; -1: none has ended */
    int64_t load_records; /* that it read */
    int64_t next_offset;  /* of the log, with what was not appended yet */
    int64_t committed;    /* everything below is where acks=all would have it */
    Batches batches;      /* of this turn */
    HostWait waits[HOST_WAITS_MAX];
    int32_t wait_first, wait_count;
    int32_t wait_node;
    bool poll;             /* nobody will wake us for it */
    ReplyQueue replicated; /* wait for the high watermark */
    ReplyQueue durable;    /* wait for their own records */
    bool metadata_due;
    int64_t expire_us; /* when offsets are looked through again */
    ExpiryCursor expiry;
    bool expiring;
} Host;

/* ---- the worker --------------------------------------------------------------------------------- */

typedef struct Worker {
    int index;
    int workers;
    MboxWorker mailbox;
    Arena *arena; /* of one operation */
    GroupOut out;
    GroupSettings settings;
    MetadataView view;
    GroupMemory memory;
    Calls calls;
    Host *hosts; /* by partition / workers */
    int32_t host_count;
    int32_t first_host;     /* whose timers are looked at first */
    int64_t steps_until_us; /* no more of them in this turn */
    Uuid topic_id;
    int32_t partitions; /* of __consumer_offsets; 0: it does not exist */
    bool count_changed; /* of its partitions: nothing is served any more */
    uint64_t image_generation;
    int64_t now_us;
    int64_t commit_timeout_us;
} Worker;

/* ---- shard_host.c ------------------------------------------------------------------------------- */

/* Takes over what the image says about the worker's partitions, if it has changed. */
void hosts_follow(Worker *w);

/* The host of a group; its partition where it is not this worker's is -1. NULL: not here. */
Host *host_of_group(Worker *w, StrView group_id);

/* 0: it serves; else what a request is answered (1.4). host NULL: 16. */
int16_t host_status(const Host *host);

/*
 * The shard and its log do not agree any more, or the log cannot be used: everybody who waits gets the code, the
 * shard is dropped and loaded again after retry_us.
 */
void host_fail(Worker *w, Host *host, int16_t code, int64_t retry_us);

/* How long a shard that fails now is left alone; doubles each time. */
int64_t host_next_backoff(Host *host);

/* The partition is not this node's any more, or the worker ends. */
void host_close(Worker *w, Host *host);

/* Timers, offsets that expire, metadata that changed: of all shards what one turn allows. */
void hosts_run_timers(Worker *w);

/* When it wants to run next without being woken. */
int64_t host_deadline_us(const Worker *w, const Host *host);

/* ---- shard_load.c ------------------------------------------------------------------------------- */

/* Loads on, for until_us at most. */
void host_load(Worker *w, Host *host, int64_t until_us);
void host_load_release(Host *host);

/* ---- shard_log.c -------------------------------------------------------------------------------- */

/* The operation is over: its records, its replies, its lines of history are taken out of w->out. */
void host_take_out(Worker *w, Host *host);

/* Appends what the turn has gathered. */
void host_flush(Worker *w, Host *host);

/* Looks how far the log is safe, and sends what may leave, or what has waited too long. */
void host_settle(Worker *w, Host *host);

/* Everybody in the queues gets this code. */
void host_answer_all(Host *host, int16_t code);

/* ---- answers.c ---------------------------------------------------------------------------------- */

/* A new operation: its arena and out are empty; env is filled. The metadata is pinned until env_end. */
void env_begin(Worker *w, GroupEnv *env);
void env_end(Worker *w);

/* Which code a failed append means to clients (1.5). */
int16_t coordinator_code_of(int rc);

/* NULL message: status alone. waits is 1: the caller's. */
Answer *answer_new(const MboxCookie *cookie, int16_t status, const MessageDesc *desc,
                   int16_t version, const void *message);

/* What answers hold that are not on their way yet. */
size_t answers_bytes(void);

/* Nothing more is waited for by the caller, or by a queue; the last one sends it. */
void answer_release(Answer *answer);

/* Its results one by one are of these shards (-1: of none): one shard's failure leaves the others. */
void answer_set_parts(Answer *answer, const int32_t *partitions, int32_t count);

/* What this shard has said in it does not hold: the code instead. Not released. */
void answer_except(Answer *answer, int32_t partition, int16_t code);

/* As answer_except, then answer_release. */
void answer_fail(Answer *answer, int32_t partition, int16_t code);

/* It waits for the shard: REPLY_NOW does not. */
void answer_wait(Worker *w, Host *host, Answer *answer, GroupReplyWhen when);

void calls_init(Calls *calls);
GroupToken call_begin(Calls *calls, const MboxCookie *cookie, int16_t api_key, int32_t partition);

/* NULL: no such call. */
Call *call_find(Calls *calls, GroupToken token);
void call_end(Calls *calls, Call *call);

/* Forgets calls whose clients are gone, of some that wait; all: of all. */
void calls_abandon(Worker *w, bool all);

/* ---- serve.c, serve_many.c ------------------------------------------------------------------------ */

/* One request; the bytes live until the turn ends. */
void serve_request(Worker *w, const MboxRequest *request, Arena *arena);

/* What a request was decoded into. */
typedef struct Served {
    CoordinatorRequest head;
    const MboxCookie *cookie;
    Arena *arena; /* of the turn */
    void *in;     /* the request's struct */
} Served;

void serve_offset_fetch(Worker *w, Served *s);
void serve_describe_groups(Worker *w, Served *s);
void serve_consumer_describe(Worker *w, Served *s);
void serve_delete_groups(Worker *w, Served *s);
void serve_list_groups(Worker *w, Served *s);

/* serve_walk.c: what the statistics ask */
void serve_walk(Worker *w, Served *s);

/* Answers with a code alone. */
void serve_status(const Served *s, int16_t status);

/* ---- settings.c ------------------------------------------------------------------------------------ */

/* Takes the values in force now. */
void coordinator_settings(GroupSettings *ret);

#endif
