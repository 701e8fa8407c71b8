/*
 * waitlist.h - who waits for the progress of which partition
 *
 * A waiter is a process slot or a fetch session. It owns a fixed array of nodes; a registered node is
 * linked into the list of one partition and stays there over many requests. Whoever makes progress
 * (the holder of the partition's append lock) walks the list, sets the node's bit in its waiter's
 * ready set and collects the owners to wake; the waiter looks at its ready nodes only: O(ready).
 *
 * Who may do what, per word:
 *   list head        pushed by CAS by anybody who registers; unlinked by the append lock holder
 *   node next        its owner before the push, then the append lock holder of its list
 *   node state       owner: free to linked, wanted on and off; lock holder: linked to free
 *   ready bits       set by lock holders, taken by the owner (readyset.h)
 *
 * The order for waiting is: register, look at the partition, sleep. wait_register ends and
 * wait_notify begins with a full fence [W1]: either the registration is seen by the notifier or its
 * publication is seen by the look. A notifier killed between publication and wake-up: every waiter
 * re-checks everything (rescan_epoch), and wait_begin_take says so.
 *
 * Crash rules: src/ipc/waitlist.c.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_WAITLIST_H
#define OTTLA_IPC_WAITLIST_H

#include "ottla/ipc/latch.h"
#include "ottla/ipc/readyset.h"
#include "ottla/ipc/slot.h"

#define WAIT_NODES_PER_SLOT    1024 /* partitions a connection may watch without a session */
#define WAIT_NODES_PER_SESSION 4096
#define WAIT_NODE_NONE         (-1)
#define WAIT_IDLE_DROP_US      (2 * 1000 * 1000) /* interest of a session nobody serves ends */

/* Of one partition; part of its slot. Zeroed memory is an empty list. Never cleared while the
 * region lives, not even when the partition's slot gets another partition: nodes may be linked. */
typedef struct WaitList {
    AtomicU32 head;      /* node + 1; 0: empty */
    AtomicU32 unlinking; /* node + 1 that the append lock holder is taking out; 0: none */
} WaitList;

/* What a node waits for; what happened. */
typedef enum WaitMask {
    WAIT_ON_LOG_END = 1,        /* LEO moved */
    WAIT_ON_HIGH_WATERMARK = 2, /* HW or LSO moved */
    WAIT_ON_DURABLE = 4,        /* durable offset moved */
    WAIT_ON_STATE = 8,          /* leadership, log start, deletion, failure: look again */
    WAIT_ON_ANY = 15,
} WaitMask;

/* Index of a waiter: slot index, or wait_session_waiter(session). */
typedef int32_t WaiterId;

size_t waiter_shm_size(const ShmLimits *limits);
void waiter_shm_init(void *base, const ShmLimits *limits);

/* The waiter of a fetch session slot. */
WaiterId wait_session_waiter(int32_t session);

/* Nodes this waiter owns: what it may be registered for at once. */
int32_t wait_node_count(WaiterId waiter);

/*
 * Makes the waiter new: another generation, so that no node, bit or wake-up of before counts. For a
 * slot nobody needs to call it: its first use by a new owner of the slot does, so that who never waits
 * for a partition touches nothing. For a session by the creator of a session, and by whoever
 * finds its lock with a dead owner (with any generation it did not have before), who then registers
 * all partitions again.
 */
void wait_claim(WaiterId waiter, uint32_t generation);

/*
 * The session's waiter has a new generation; returns it. Who was attached is woken: it waits for nothing
 * now, and learns so by looking at the session again.
 */
uint32_t wait_renew(WaiterId waiter);

/*
 * Session waiters: whom a ready node wakes from now on: this process (parked or serving it), or
 * nobody. Nobody for WAIT_IDLE_DROP_US: the interest is dropped by the next notifier, and the next
 * take says everything. A slot's waiter always wakes its slot.
 */
void wait_attach(WaiterId waiter);
void wait_detach(WaiterId waiter, int64_t now_us);

/* What a registration is about. */
typedef struct WaitInterest {
    WaitList *list;
    uint32_t list_id; /* index of the partition's slot: names the list in reports */
    uint32_t mask;    /* WaitMask bits */
    uint32_t key;     /* the owner's own name for the node, returned when it is ready */
} WaitInterest;

/*
 * Registers or renews interest. *io_node names the node used for this list before, or is
 * WAIT_NODE_NONE; afterwards it names the node in use (it may be another one). A name may be kept for
 * as long as one likes: names of ended use name nothing. Cheap when the node is still linked: two
 * words. After it, look at the partition. Only the waiter's owner (for a session: who holds its
 * lock). OT_E_LIMIT: all nodes are in use or still linked to other lists; sweep the list that
 * wait_stale_list names and try again, or poll.
 */
int wait_register(WaiterId waiter, const WaitInterest *interest, int32_t *io_node)
    __attribute__((warn_unused_result));

/*
 * Ends the interest. The node stays linked until a lock holder passes; it can be renewed.
 * WAIT_NODE_NONE and names of ended use are ignored.
 */
void wait_unregister(WaiterId waiter, int32_t node);

/* True while the node is registered under the waiter's generation for this list. */
bool wait_is_registered(WaiterId waiter, int32_t node, uint32_t list_id);

/*
 * A list in which an unwanted node of this waiter still hangs: take the append lock of the partition
 * with this slot index, call wait_sweep_locked, unlock. False: none, the nodes are all in use.
 */
bool wait_stale_list(WaiterId waiter, uint32_t *ret_list_id);

/* Append lock holder: takes all nodes nobody wants out of the list; frees nodes of the waiter that
 * a death left neither linked nor free: the caller's own waiter, or -1. */
void wait_sweep_locked(WaitList *list, uint32_t list_id, WaiterId waiter);

/* Nodes looked at since the process began: tests of cost. */
uint64_t wait_steps(void);

/*
 * Append lock holder, after publishing: marks the waiters of what happened (WaitMask bits) ready and
 * adds their owners to the batch; takes out nodes nobody wants. Flush the batch after unlocking.
 * Also finishes an unlinking that a dead holder left.
 */
void wait_notify(WaitList *list, uint32_t list_id, uint32_t events, int64_t now_us,
                 WakeBatch *batch);

/* True when somebody hangs in the list: a cheap look before preparing a notification. [W1] applies. */
bool wait_list_in_use(const WaitList *list);

/* A walk over the ready nodes of a waiter. */
typedef struct WaitTake {
    ReadyCursor cursor;
    WaiterId waiter;
    bool everything; /* somebody died or interest was dropped: register and look at all */
} WaitTake;

/*
 * Begins to take what is ready. When everything is true the ready nodes say nothing: renew all
 * registrations, then look at all partitions. That is so once after each rise of rescan_epoch, also one
 * that came while nobody looked. rescan: the owner's own doubt.
 */
void wait_begin_take(WaitTake *take, WaiterId waiter, bool rescan);

/* The next ready node: its name as registered, and its key. False: no more. */
bool wait_next(WaitTake *take, int32_t *ret_node, uint32_t *ret_key);

/* Puts back what was not returned yet (bounded work). */
void wait_end_take(WaitTake *take);

#endif
