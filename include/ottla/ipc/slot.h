/*
 * slot.h - process slots: who lives, under which generation, and what it is doing
 *
 * Indexes [0, backend_slots) are backends, then come the workers. The state word is
 * generation << 8 | state. The supervisor stores STARTING with the next generation before it forks
 * and DEAD with the same generation when the child is gone; the child stores RUNNING itself. What
 * names (slot, generation) counts while the word says that generation and not DEAD, so a death
 * releases pins, nodes, cells and chunks by one store and sweeps nothing.
 *
 * The supervisor uses slot_prepare and slot_mark_dead alone, and reads panic texts by copy.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_SLOT_H
#define OTTLA_IPC_SLOT_H

#include <sys/types.h>

#include "ottla/common/view.h"
#include "ottla/ipc/atomics.h"
#include "ottla/ipc/proc_kind.h"
#include "ottla/ipc/region.h"
#include "ottla/ipc/twocopy.h"
#include "ottla/ipc/wait_events.h"

#define SLOT_NONE       (-1)
#define SLOT_PANIC_MAX  512 /* bytes of a panic text with its zero */
#define SLOT_TITLE_MAX  256 /* bytes of a title with its zero */
#define SLOT_TEXT_MAX   128 /* bytes of each activity text with its zero; longer is cut */
#define SLOT_HELP_CELLS 7   /* sleepers a woken process wakes on behalf of its waker */

/* Low byte of the state word. */
typedef enum SlotState {
    SLOT_DEAD = 0, /* free for the supervisor to give away */
    SLOT_STARTING, /* forked or about to be */
    SLOT_RUNNING,  /* claimed by its process */
} SlotState;

/* What the shell shows as state (shell-and-service.md 10). */
typedef enum ActivityState {
    ACTIVITY_STARTING,
    ACTIVITY_TLS,
    ACTIVITY_AUTHENTICATING,
    ACTIVITY_IDLE,
    ACTIVITY_ACTIVE,
    ACTIVITY_WAITING,
    ACTIVITY_THROTTLED,
    ACTIVITY_SENDING,
    ACTIVITY_CLOSING,
    ACTIVITY_DISABLED,
    ACTIVITY_COUNT
} ActivityState;

/* The request a backend serves, or served last. */
typedef struct SlotActivity {
    int64_t since_us; /* monotonic: when the request was begun */
    int16_t api_key;  /* -1: none */
    int16_t api_version;
    int32_t correlation_id;
} SlotActivity;

/* The topic that the last Produce or Fetch was about, the first of several; written when it is another one. */
typedef struct SlotTopic {
    int64_t partition;
    char name[SLOT_TEXT_MAX];
} SlotTopic;

#define SLOT_PEER_MAX     64 /* bytes of a peer's text with its zero */
#define SLOT_SOFTWARE_MAX 48

/* Whose connection a backend serves; written when some of it changes. Multiple of 8. */
typedef struct SlotClient {
    int64_t connected_ms; /* wall clock; 0: no connection */
    int64_t listener;     /* index into node_listeners */
    char client_id[SLOT_TEXT_MAX];
    char principal[SLOT_TEXT_MAX];
    char peer[SLOT_PEER_MAX];
    char software[SLOT_SOFTWARE_MAX];
    char software_version[SLOT_SOFTWARE_MAX];
} SlotClient;

/* What a process had moved at two earlier moments, 10 to 20 s ago: rates are differences to them. */
typedef struct SlotRates {
    struct {
        int64_t at_us; /* monotonic */
        uint64_t bytes_in, bytes_out;
    } older, newer;
} SlotRates;

#define SLOT_RATE_US (10 * 1000 * 1000) /* a new moment is noted so often while bytes move */

typedef struct SlotTitle {
    char text[SLOT_TITLE_MAX];
} SlotTitle;

/* Counters of one process, cleared by the slot's next owner. */
typedef enum SlotCounter {
    SLOT_COUNT_REQUESTS,
    SLOT_COUNT_BYTES_IN,
    SLOT_COUNT_BYTES_OUT,
    SLOT_COUNT_ERRORS,
    SLOT_COUNT_THROTTLE_MS, /* that clients were told to wait */
    SLOT_COUNT_COUNT
} SlotCounter;

/*
 * Cache lines by writer: (0) supervisor and owner, rarely; (1) wakers; (2) the owner, often; (3)
 * counters, the owner; then texts, the owner.
 */
typedef struct ProcSlot {
    alignas(CACHE_LINE_BYTES) AtomicU64 state;
    AtomicI32 pid; /* stored by the child itself; 0 until then */
    AtomicU32 kind;
    AtomicI32 instance;
    AtomicI64 started_ms; /* wall clock */
    AtomicU64 control;    /* what is asked of the supervisor, and its answer (control.h) */

    alignas(CACHE_LINE_BYTES) AtomicU32 latch_set;
    AtomicU32 latch_sleeps;
    AtomicU64 help[SLOT_HELP_CELLS]; /* SlotRef packed: whom to wake when woken (latch.c) */

    alignas(CACHE_LINE_BYTES) AtomicU64 image_pin; /* pinned image generation; 0: none */
    AtomicI64 image_pin_since_us;
    AtomicU32 critical;    /* locks held: > 0 in a critical section */
    AtomicU32 wait_event;  /* WaitEvent of a lock that it waits for; 0: none */
    AtomicU32 sleep_event; /* what its main loop waits for while it sleeps (latch_sleeps) */
    AtomicU32 activity_state;
    AtomicU32 cancel_serial; /* raised by who wants the current wait cancelled */
    AtomicI64 progress_us;   /* monotonic: last turn of the main loop */
    AtomicI64 waiting_since_us;
    AtomicI64 state_since_us;     /* monotonic: activity_state is what it is since then */
    AtomicI64 throttled_until_us; /* monotonic; in the past: not throttled */
    AtomicU64 request; /* api key << 48 | version << 32 | correlation id, of the last one */
    AtomicI64 request_since_us; /* monotonic: when it was begun */
    AtomicU64 lock_wanted;      /* names the lock that it waits for, as plock_use.h does; 0: none */
    AtomicI64 lock_wanted_us;   /* monotonic: since when */

    alignas(CACHE_LINE_BYTES) AtomicU64 counters[SLOT_COUNT_COUNT];

    alignas(CACHE_LINE_BYTES) TwoCopy topic_head;
    SlotTopic topic[2];
    TwoCopy client_head;
    SlotClient client[2];
    TwoCopy rates_head;
    SlotRates rates[2];
    TwoCopy title_head;
    SlotTitle title[2];
    char panic[SLOT_PANIC_MAX]; /* written once by the dying process; zero-terminated */
} ProcSlot;

static_assert(sizeof(SlotTitle) % 8 == 0 && sizeof(SlotTopic) % 8 == 0 &&
                  sizeof(SlotClient) % 8 == 0 && sizeof(SlotRates) % 8 == 0,
              "copied by words");
static_assert(sizeof(ProcSlot) <= 2944, "a slot is a good half page");

/* A process for good: its slot may have got another owner, then it is not alive. */
typedef struct SlotRef {
    int32_t index; /* SLOT_NONE: nobody */
    uint32_t generation;
} SlotRef;

/* This process. NULL and SLOT_NONE in the supervisor and before slot_claim. */
extern ProcSlot *my_slot;
extern int32_t my_slot_index;
extern uint32_t my_generation;

size_t proc_slot_shm_size(const ShmLimits *limits);
void proc_slot_shm_init(void *base, const ShmLimits *limits);

/* Slots of backends; slots in all. */
int32_t slot_backend_count(void);
int32_t slot_count(void);

/*
 * The first index at or behind this one whose slot was ever used: walks over slots go on there, so that they do
 * not touch (and by that allocate) the memory of all others. May be slot_count().
 */
int32_t slot_skip_unused(int32_t index);

/* The slot with this index; index < slot_count(). */
ProcSlot *slot_at(int32_t index);

/*
 * Supervisor, before fork: the slot must be DEAD; stores STARTING with the next generation, which
 * it returns. When fork fails: slot_mark_dead.
 */
uint32_t slot_prepare(int32_t index);

/* Supervisor, after the child was reaped: one store. */
void slot_mark_dead(int32_t index, uint32_t generation);

/*
 * Child, once, before it uses anything else of ipc: makes the slot its own (my_slot and the like),
 * clears what its predecessor left (texts, pins, latch, wait nodes, cells), installs the panic hook
 * and says RUNNING. The generation is the one slot_prepare returned.
 */
void slot_claim(int32_t index, uint32_t generation, ProcKind kind, int32_t instance);

/* True while the slot is STARTING or RUNNING under this generation. */
bool slot_is_alive(int32_t index, uint32_t generation);

/* The slot's state word taken apart. */
uint32_t slot_generation(int32_t index);
SlotState slot_state(int32_t index);

/* SlotRef as one word, 0 for nobody: index + 1 in the upper half. */
uint64_t slot_ref_pack(SlotRef ref);
SlotRef slot_ref_unpack(uint64_t word);
SlotRef slot_ref_self(void);
bool slot_ref_alive(uint64_t word);

/*
 * The title without "ottlad: instance: " for others to read; process titles proper are the
 * caller's. Cut at SLOT_TITLE_MAX - 1; control and non-ASCII bytes become '?'.
 */
void slot_set_title(const char *text);

/*
 * Publish what this process does, and for whom; nothing happens without a slot. slot_set_request begins one: what is
 * API, version and correlation id as in ProcSlot.request. slot_set_topic says what a Produce or Fetch is about; while
 * the key, whatever it stands for, is the same as before that is a comparison. These run for every request, and are
 * inline for that.
 */
static inline void
slot_set_request(uint64_t what, int64_t since_us)
{
    ProcSlot *slot = my_slot;

    if (slot == NULL)
        return;
    atomic_u64_store_relaxed(&slot->request, what);
    atomic_i64_store_relaxed(&slot->request_since_us, since_us);
}

extern uint64_t slot_shown_topic; /* the key of what was published last; 0: nothing */
void slot_publish_topic(uint64_t key, const char *name, int32_t partition);

static inline void
slot_set_topic(uint64_t key, const char *name, int32_t partition)
{
    if (key != slot_shown_topic)
        slot_publish_topic(key, name, partition);
}

/*
 * What a connection will be doing while it sleeps, since when, and what it has moved so far. Awake it is active,
 * which need not be said: slot_activity_state.
 */
static inline void
slot_set_activity_state(ActivityState state, int64_t now_us)
{
    if (my_slot == NULL || atomic_u32_load_relaxed(&my_slot->activity_state) == (uint32_t)state)
        return;
    atomic_i64_store_relaxed(&my_slot->state_since_us, now_us);
    atomic_u32_store(&my_slot->activity_state, (uint32_t)state);
}

typedef struct SlotProgress {
    uint64_t requests, bytes_in, bytes_out;
} SlotProgress;

static inline void
slot_set_progress(ActivityState state, const SlotProgress *progress, int64_t now_us)
{
    ProcSlot *slot = my_slot;

    if (slot == NULL)
        return;
    if (atomic_u64_load_relaxed(&slot->counters[SLOT_COUNT_REQUESTS]) != progress->requests ||
        atomic_u32_load_relaxed(&slot->activity_state) != (uint32_t)state) {
        atomic_u64_store_relaxed(&slot->counters[SLOT_COUNT_REQUESTS], progress->requests);
        atomic_i64_store_relaxed(&slot->state_since_us, now_us);
        atomic_u32_store(&slot->activity_state, (uint32_t)state);
    }
    atomic_u64_store_relaxed(&slot->counters[SLOT_COUNT_BYTES_IN], progress->bytes_in);
    atomic_u64_store_relaxed(&slot->counters[SLOT_COUNT_BYTES_OUT], progress->bytes_out);
}

void slot_set_client(const SlotClient *client);

/* Of this process, now and then while bytes move: notes a moment for rates if the last is SLOT_RATE_US ago. */
extern int64_t slot_rates_due_us;
void slot_publish_rates(int64_t now_us);

static inline void
slot_note_rates(int64_t now_us)
{
    if (now_us >= slot_rates_due_us)
        slot_publish_rates(now_us);
}

/* Fills one text: cut, control and non-ASCII bytes become '?'. */
void slot_text_set(char *dst, size_t size, StrView text);

/* Wait event of this process; returns the one before, to be put back. */
static inline WaitEvent
slot_set_wait_event(WaitEvent event)
{
    WaitEvent before;

    if (my_slot == NULL)
        return WAIT_EV_NONE;
    before = (WaitEvent)atomic_u32_load_relaxed(&my_slot->wait_event);
    atomic_u32_store_relaxed(&my_slot->wait_event, (uint32_t)event);
    return before;
}

/*
 * What this process waits for is a lock of shared memory: its address, which is the same everywhere. NULL: no more.
 * Only who has to wait says so.
 */
void slot_set_lock_wanted(const void *lock);

/* Adds to a counter of this process; nothing without a slot. One writer: no locked instruction needed. */
static inline void
slot_count_add(SlotCounter counter, uint64_t amount)
{
    if (my_slot != NULL)
        atomic_u64_store_relaxed(&my_slot->counters[counter],
                                 atomic_u64_load_relaxed(&my_slot->counters[counter]) + amount);
}

/*
 * Readers: whole copies, never waiting. They may be of a dead process: check the generation before
 * and after if that matters. False: nothing was ever published.
 */
void slot_read_activity(int32_t index, SlotActivity *ret);
bool slot_read_topic(int32_t index, SlotTopic *ret); /* of the last Produce or Fetch */
bool slot_read_client(int32_t index, SlotClient *ret);
bool slot_read_rates(int32_t index, SlotRates *ret);
bool slot_read_title(int32_t index, char ret[SLOT_TITLE_MAX]);

/* What it waits for now; WAIT_EV_NONE: it runs. */
WaitEvent slot_wait_event(int32_t index);

/* What a backend does now: awake it is active, once it has a connection. */
ActivityState slot_activity_state(int32_t index);

/* As views and metrics name it: "idle". */
const char *activity_name(ActivityState state);

/* Copies the panic text, always zero-terminated; "" when there is none. */
void slot_read_panic(int32_t index, char ret[SLOT_PANIC_MAX]);

/* Stores a text as this process's panic text; the ot_panic_hook of children. */
void slot_panic(const char *text);

#endif
