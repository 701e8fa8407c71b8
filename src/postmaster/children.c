/*
 * children.c - who lives in which slot; hashed by pid and by client address
 *
 * Runs in: supervisor. Never: touches shared memory. A connection costs O(1) here, however many
 * there are; all memory is taken once (untouched pages cost nothing).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/children.h"

#include <netinet/in.h>
#include <string.h>

#include "ottla/common/assert.h"
#include "own_memory_int.h"

#define BUCKETS 8192 /* chains stay short up to the 16,384 slots of the default */
#define NOBODY  (-1)

/* One address with at least one backend. */
typedef struct AddressCount {
    ClientAddress address;
    int32_t count;
    int32_t next; /* of its chain, or of the free list */
} AddressCount;

struct Children {
    size_t size; /* of the memory of all of it */
    int32_t backend_slots;
    int32_t slots; /* backends, then workers */
    int32_t live_count;
    int32_t live_of_kind[PROC_KIND_COUNT];
    int32_t connected_to[CHILDREN_LISTENERS_MAX];
    int32_t free_backends; /* used entries of free_stack */
    int32_t address_free;  /* free list of addresses */
    int32_t pid_bucket[BUCKETS];
    int32_t address_bucket[BUCKETS];
    Child *child;        /* by slot */
    int32_t *pid_next;   /* by slot */
    int32_t *live;       /* slots of the living, dense */
    int32_t *live_at;    /* by slot: index in live */
    int32_t *free_stack; /* free backend slots */
    AddressCount *addresses;
};

/* Cuts size bytes off the free part, at a multiple of 16. */
static void *
cut(char **io_free, size_t size)
{
    void *ret = *io_free;

    *io_free += (size + 15) & ~(size_t)15;
    return ret;
}

Children *
children_new(int32_t backend_slots, int32_t worker_slots)
{
    size_t slots = (size_t)backend_slots + (size_t)worker_slots;
    size_t size = sizeof(Children) +
                  slots * (sizeof(Child) + 4 * sizeof(int32_t) + sizeof(AddressCount)) +
                  7 * 16; /* what the cuts are rounded up by */
    char *bytes = own_memory_take(size);
    Children *c;

    if (bytes == NULL)
        return NULL;
    c = cut(&bytes, sizeof *c);
    c->size = size;
    c->child = cut(&bytes, slots * sizeof *c->child);
    c->pid_next = cut(&bytes, slots * sizeof *c->pid_next);
    c->live = cut(&bytes, slots * sizeof *c->live);
    c->live_at = cut(&bytes, slots * sizeof *c->live_at);
    c->free_stack = cut(&bytes, slots * sizeof *c->free_stack);
    c->addresses = cut(&bytes, slots * sizeof *c->addresses);
    c->backend_slots = backend_slots;
    c->slots = (int32_t)slots;
    for (int i = 0; i < BUCKETS; i++) {
        c->pid_bucket[i] = NOBODY;
        c->address_bucket[i] = NOBODY;
    }
    for (int32_t i = 0; i < backend_slots; i++) /* low slots first: their pages are warm */
        c->free_stack[i] = backend_slots - 1 - i;
    c->free_backends = backend_slots;
    for (int32_t i = 0; i < c->slots; i++)
        c->addresses[i].next = i + 1 < c->slots ? i + 1 : NOBODY;
    return c;
}

void
children_free(Children *c)
{
    if (c != NULL)
        own_memory_give(c, c->size);
}

int32_t
children_free_slot(const Children *c, ProcKind kind, bool reserved)
{
    if (kind == PROC_BACKEND) {
        /* Of a small table at least half is for TCP. */
        int32_t kept = c->backend_slots >= 2 * CHILDREN_RESERVED_SLOTS ? CHILDREN_RESERVED_SLOTS
                                                                       : c->backend_slots / 2;
        if (c->free_backends == 0 || (!reserved && c->free_backends <= kept))
            return OT_E_FULL;
        return c->free_stack[c->free_backends - 1];
    }
    for (int32_t i = c->backend_slots; i < c->slots; i++)
        if (c->child[i].pid == 0)
            return i;
    return OT_E_FULL;
}

static uint32_t
pid_hash(pid_t pid)
{
    return (uint32_t)pid * 2654435761u >> 16 & (BUCKETS - 1);
}

static uint32_t
address_hash(const ClientAddress *address)
{
    uint32_t h = 2166136261u;

    for (size_t i = 0; i < sizeof address->b; i++)
        h = (h ^ address->b[i]) * 16777619u;
    return (h ^ h >> 13) & (BUCKETS - 1);
}

static bool
is_counted(const ClientAddress *address)
{
    static const ClientAddress none;

    return memcmp(address, &none, sizeof none) != 0;
}

/* The chain link that points at the entry of an address, or at the chain's end. */
static int32_t *
address_link(Children *c, const ClientAddress *address)
{
    int32_t *link = &c->address_bucket[address_hash(address)];

    while (*link != NOBODY && memcmp(&c->addresses[*link].address, address, sizeof *address) != 0)
        link = &c->addresses[*link].next;
    return link;
}

static void
count_address(Children *c, const ClientAddress *address)
{
    int32_t *link;

    if (!is_counted(address))
        return;
    link = address_link(c, address);
    if (*link == NOBODY) {
        int32_t fresh = c->address_free; /* at most one per slot, so there is one */
        ot_assert(fresh != NOBODY);
        c->address_free = c->addresses[fresh].next;
        c->addresses[fresh] = (AddressCount){.address = *address, .next = NOBODY};
        *link = fresh;
    }
    c->addresses[*link].count++;
}

static void
uncount_address(Children *c, const ClientAddress *address)
{
    int32_t *link;

    if (!is_counted(address))
        return;
    link = address_link(c, address);
    ot_assert(*link != NOBODY);
    int32_t index = *link;
    if (--c->addresses[index].count > 0)
        return;
    *link = c->addresses[index].next;
    c->addresses[index].next = c->address_free;
    c->address_free = index;
}

/* by: 1 or -1. */
static void
count_listener(Children *c, const Child *child, int32_t by)
{
    if (!child->connected)
        return;
    ot_assert(child->instance >= 0 && child->instance < CHILDREN_LISTENERS_MAX);
    c->connected_to[child->instance] += by;
    ot_assert(c->connected_to[child->instance] >= 0);
}

void
children_add(Children *c, const Child *child)
{
    int32_t slot = child->slot;
    uint32_t bucket = pid_hash(child->pid);

    ot_assert(slot >= 0 && slot < c->slots && child->pid > 0);
    ot_assert(c->child[slot].pid == 0);
    if (child->kind == PROC_BACKEND) {
        ot_assert(c->free_backends > 0 && c->free_stack[c->free_backends - 1] == slot);
        c->free_backends--;
        count_address(c, &child->address);
        count_listener(c, child, 1);
    }
    c->child[slot] = *child;
    c->pid_next[slot] = c->pid_bucket[bucket];
    c->pid_bucket[bucket] = slot;
    c->live_at[slot] = c->live_count;
    c->live[c->live_count++] = slot;
    c->live_of_kind[child->kind]++;
}

const Child *
children_find(const Children *c, pid_t pid)
{
    for (int32_t slot = c->pid_bucket[pid_hash(pid)]; slot != NOBODY; slot = c->pid_next[slot])
        if (c->child[slot].pid == pid)
            return &c->child[slot];
    return NULL;
}

void
children_assign(Children *c, pid_t pid, int instance, const ClientAddress *address)
{
    const Child *found = children_find(c, pid);

    ot_assert(found != NULL && found->kind == PROC_BACKEND && !found->connected);
    Child *child = &c->child[found->slot];
    child->instance = instance;
    child->address = *address;
    child->connected = true;
    count_address(c, address);
    count_listener(c, child, 1);
}

void
children_remove(Children *c, pid_t pid)
{
    int32_t *link = &c->pid_bucket[pid_hash(pid)];

    while (*link != NOBODY && c->child[*link].pid != pid)
        link = &c->pid_next[*link];
    ot_assert(*link != NOBODY);
    int32_t slot = *link;
    Child *child = &c->child[slot];
    *link = c->pid_next[slot];
    if (child->kind == PROC_BACKEND) {
        uncount_address(c, &child->address);
        count_listener(c, child, -1);
        c->free_stack[c->free_backends++] = slot;
    }
    int32_t last = c->live[--c->live_count];
    c->live[c->live_at[slot]] = last;
    c->live_at[last] = c->live_at[slot];
    c->live_of_kind[child->kind]--;
    child->pid = 0;
}

int32_t
children_count(const Children *c)
{
    return c->live_count;
}

int32_t
children_count_kind(const Children *c, ProcKind kind)
{
    return c->live_of_kind[kind];
}

int32_t
children_count_address(const Children *c, const ClientAddress *address)
{
    int32_t i = c->address_bucket[address_hash(address)];

    while (i != NOBODY && memcmp(&c->addresses[i].address, address, sizeof *address) != 0)
        i = c->addresses[i].next;
    return i == NOBODY ? 0 : c->addresses[i].count;
}

int32_t
children_count_listener(const Children *c, int listener)
{
    ot_assert(listener >= 0 && listener < CHILDREN_LISTENERS_MAX);
    return c->connected_to[listener];
}

const Child *
children_at(const Children *c, int32_t n)
{
    ot_assert(n >= 0 && n < c->live_count);
    return &c->child[c->live[n]];
}

ClientAddress
client_address_of(const NetAddress *peer)
{
    ClientAddress ret = {{0}};

    if (peer->storage.ss_family == AF_INET) {
        struct sockaddr_in v4;
        memcpy(&v4, &peer->storage, sizeof v4);
        ret.b[10] = ret.b[11] = 0xff;
        memcpy(ret.b + 12, &v4.sin_addr, 4);
    } else if (peer->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 v6;
        memcpy(&v6, &peer->storage, sizeof v6);
        memcpy(ret.b, &v6.sin6_addr, sizeof ret.b);
    }
    return ret;
}
