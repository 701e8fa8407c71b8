/*
 * atomics.h - words that several processes touch, and the orders they are touched in
 *
 * Shared structures hold these types instead of C11's own, so that every access names its order and
 * nothing outside ipc/ spells a memory order. load is an acquire load, store a release store; the
 * _relaxed forms order nothing; what changes a word and reads it in one step (add, or, and, swap,
 * cas) is sequentially consistent. A zeroed word is a valid one holding 0.
 *
 * C11 atomics and not ck_pr: ThreadSanitizer follows them, and it is blind to ck_pr's assembly.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_IPC_ATOMICS_H
#define OTTLA_IPC_ATOMICS_H

#include <assert.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE_BYTES 64

/*
 * For type T with prefix P: P_load, P_store and their _relaxed and _seq forms, P_add (returns the value
 * before), P_swap (returns the value before), P_cas (*expected gets the value found on failure).
 */
#define ATOMIC_TYPE(Name, P, T)                                                    \
    typedef struct Name {                                                          \
        _Atomic T v;                                                               \
    } Name;                                                                        \
    static inline T P##_load(const Name *a)                                        \
    {                                                                              \
        return atomic_load_explicit(&a->v, memory_order_acquire);                  \
    }                                                                              \
    static inline T P##_load_relaxed(const Name *a)                                \
    {                                                                              \
        return atomic_load_explicit(&a->v, memory_order_relaxed);                  \
    }                                                                              \
    static inline T P##_load_seq(const Name *a)                                    \
    {                                                                              \
        return atomic_load_explicit(&a->v, memory_order_seq_cst);                  \
    }                                                                              \
    static inline void P##_store(Name *a, T value)                                 \
    {                                                                              \
        atomic_store_explicit(&a->v, value, memory_order_release);                 \
    }                                                                              \
    static inline void P##_store_relaxed(Name *a, T value)                         \
    {                                                                              \
        atomic_store_explicit(&a->v, value, memory_order_relaxed);                 \
    }                                                                              \
    static inline void P##_store_seq(Name *a, T value)                             \
    {                                                                              \
        atomic_store_explicit(&a->v, value, memory_order_seq_cst);                 \
    }                                                                              \
    static inline T P##_add(Name *a, T amount)                                     \
    {                                                                              \
        return atomic_fetch_add_explicit(&a->v, amount, memory_order_seq_cst);     \
    }                                                                              \
    static inline T P##_swap(Name *a, T value)                                     \
    {                                                                              \
        return atomic_exchange_explicit(&a->v, value, memory_order_seq_cst);       \
    }                                                                              \
    static inline bool P##_cas(Name *a, T *expected, T desired)                    \
    {                                                                              \
        return atomic_compare_exchange_strong_explicit(                            \
            &a->v, expected, desired, memory_order_seq_cst, memory_order_acquire); \
    }                                                                              \
    static_assert(sizeof(Name) == sizeof(T), "an atomic word is as large as its value")

ATOMIC_TYPE(AtomicU32, atomic_u32, uint32_t);
ATOMIC_TYPE(AtomicI32, atomic_i32, int32_t);
ATOMIC_TYPE(AtomicU64, atomic_u64, uint64_t);
ATOMIC_TYPE(AtomicI64, atomic_i64, int64_t);

static inline uint32_t
atomic_u32_or(AtomicU32 *a, uint32_t bits)
{
    return atomic_fetch_or_explicit(&a->v, bits, memory_order_seq_cst);
}

static inline uint64_t
atomic_u64_or(AtomicU64 *a, uint64_t bits)
{
    return atomic_fetch_or_explicit(&a->v, bits, memory_order_seq_cst);
}

/* Statistics: a sum that orders nothing. */
static inline void
atomic_u64_count(AtomicU64 *a, uint64_t amount)
{
    (void)atomic_fetch_add_explicit(&a->v, amount, memory_order_relaxed);
}

/*
 * Fences, for orders between different words. fence_full stands between a store and a later load of
 * another word (register, then look). ThreadSanitizer knows no fences; there they are compiler and
 * processor fences only, and the words around them are atomic anyway.
 */
#if defined(__SANITIZE_THREAD__) && (defined(__x86_64__) || defined(__i386__))
#define fence_full()    __asm__ volatile("mfence" ::: "memory")
#define fence_acquire() __asm__ volatile("" ::: "memory")
#define fence_release() __asm__ volatile("" ::: "memory")
#elif defined(__SANITIZE_THREAD__)
#define fence_full()    __sync_synchronize()
#define fence_acquire() __sync_synchronize()
#define fence_release() __sync_synchronize()
#else
#define fence_full()    atomic_thread_fence(memory_order_seq_cst)
#define fence_acquire() atomic_thread_fence(memory_order_acquire)
#define fence_release() atomic_thread_fence(memory_order_release)
#endif

/*
 * Copies between shared memory and private memory that another process may change or read at the
 * same time: word by word, so that a race is a mix of words, never undefined. size is a multiple of
 * 8, both sides are 8-byte aligned. What the copy is worth is decided by the caller's check.
 */
static inline void
shared_copy_out(void *to, const void *from, size_t size)
{
    const AtomicU64 *src = from;
    uint64_t *dst = to;

    for (size_t i = 0; i < size / sizeof *dst; i++)
        dst[i] = atomic_u64_load_relaxed(&src[i]);
}

static inline void
shared_copy_in(void *to, const void *from, size_t size)
{
    AtomicU64 *dst = to;
    const uint64_t *src = from;

    for (size_t i = 0; i < size / sizeof *src; i++)
        atomic_u64_store_relaxed(&dst[i], src[i]);
}

#endif
