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

/* The request a backend serves, or served last; written at each, so it is small. Multiple of 8. */
typedef struct SlotActivity {
    int64_t since_us; /* monotonic: when the request was begun */
    int16_t api_key;  /* -1: none */
    int16_t api_version;
    int32_t correlation_id;
} SlotActivity;

/* The topic that request is about, the first if there are several; written when it is another one. */
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
    SLOT_COUNT_WAKEUPS,      /* returns from a sleep */
    SLOT_COUNT_SIGNALS_SENT, /* wake-ups that needed a signal */
    SLOT_COUNT_RESCANS,
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
    AtomicU32 restarts;   /* supervisor: how often a worker of this slot was started again */
    AtomicU32 last_exit;  /* supervisor: how the one before ended: SlotExit; 0: it did not */

    alignas(CACHE_LINE_BYTES) AtomicU32 latch_set;
    AtomicU32 latch_sleeps;
    AtomicU64 help[SLOT_HELP_CELLS]; /* SlotRef packed: whom to wake when woken (latch.c) */

    alignas(CACHE_LINE_BYTES) AtomicU64 image_pin; /* pinned image generation; 0: none */
    AtomicI64 image_pin_since_us;
    AtomicU32 critical;   /* locks held: > 0 in a critical section */
    AtomicU32 wait_event; /* WaitEvent; 0: running */
    AtomicU32 activity_state;
    AtomicU32 cancel_serial; /* raised by who wants the current wait cancelled */
    AtomicI64 progress_us;   /* monotonic: last turn of the main loop */
    AtomicI64 waiting_since_us;
    AtomicI64 state_since_us;     /* monotonic: activity_state is what it is since then */
    AtomicI64 throttled_until_us; /* monotonic; in the past: not throttled */
    AtomicU32 shows_topic;        /* 1: the topic is of the present request */

    alignas(CACHE_LINE_BYTES) AtomicU64 counters[SLOT_COUNT_COUNT];

    alignas(CACHE_LINE_BYTES) TwoCopy activity_head;
    SlotActivity activity[2];
    TwoCopy topic_head;
    SlotTopic topic[2];
    TwoCopy client_head;
    SlotClient client[2];
    TwoCopy rates_head;
    SlotRates rates[2];
    TwoCopy title_head;
    SlotTitle title[2];
    char panic[SLOT_PANIC_MAX]; /* written once by the dying process; zero-terminated */
} ProcSlot;

static_assert(sizeof(SlotActivity) % 8 == 0 && sizeof(SlotTitle) % 8 == 0 &&
                  sizeof(SlotTopic) % 8 == 0 && sizeof(SlotClient) % 8 == 0 &&
                  sizeof(SlotRates) % 8 == 0,
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
 * Publish what this process does, and for whom. Nothing happens without a slot. slot_set_activity begins
 * a request: it shows no topic until slot_set_topic says which; that costs next to nothing while the key,
 * whatever it stands for, is the same as before.
 */
void slot_set_activity(const SlotActivity *activity);
void slot_set_topic(uint64_t key, const char *name, int32_t partition);
void slot_set_client(const SlotClient *client);
void slot_set_activity_state(ActivityState state, int64_t now_us);

/* Of this process, now and then while bytes move: notes a moment for rates if the last is SLOT_RATE_US ago. */
void slot_note_rates(int64_t now_us);

/* Fills one text: cut, control and non-ASCII bytes become '?'. */
void slot_text_set(char *dst, size_t size, StrView text);

/* Wait event of this process; returns the one before, to be put back. */
WaitEvent slot_set_wait_event(WaitEvent event);

/* Adds to a counter of this process; nothing without a slot. */
void slot_count_add(SlotCounter counter, uint64_t amount);

/*
 * Readers: whole copies, never waiting. They may be of a dead process: check the generation before
 * and after if that matters. False: nothing was ever published.
 */
bool slot_read_activity(int32_t index, SlotActivity *ret);
bool slot_read_topic(int32_t index, SlotTopic *ret); /* false, too: not of the present request */
bool slot_read_client(int32_t index, SlotClient *ret);
bool slot_read_rates(int32_t index, SlotRates *ret);
bool slot_read_title(int32_t index, char ret[SLOT_TITLE_MAX]);

/* Copies the panic text, always zero-terminated; "" when there is none. */
void slot_read_panic(int32_t index, char ret[SLOT_PANIC_MAX]);

/* Stores a text as this process's panic text; the ot_panic_hook of children. */
void slot_panic(const char *text);

#endif
