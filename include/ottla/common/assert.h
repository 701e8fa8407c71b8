/*
 * assert.h - assertions that stay in release builds
 *
 * An assertion checks a promise of our own code, never what a client, a peer or a disk said.
 * A failing one hands its text to ot_panic_hook (which stores it in the process's shared slot, so
 * that the supervisor can print it in the obituary), writes it to stderr and aborts.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COMMON_ASSERT_H
#define OTTLA_COMMON_ASSERT_H

/* Called once with the panic text before the process aborts; NULL: nobody wants it. */
extern void (*ot_panic_hook)(const char *text);

/* Writes the text and aborts. Safe to call anywhere but in a signal handler. */
_Noreturn void ot_panic_at(const char *file, int line, const char *func, const char *what);

#define ot_assert(cond) \
    ((__builtin_expect(!(cond), 0)) ? ot_panic_at(__FILE__, __LINE__, __func__, #cond) : (void)0)

#define ot_unreachable() ot_panic_at(__FILE__, __LINE__, __func__, "unreachable")

/* Costly checks: only where OT_SLOW_ASSERTS is defined (debug, asan and tsan variants). */
#ifdef OT_SLOW_ASSERTS
#define ot_assert_slow(cond) ot_assert(cond)
#else
#define ot_assert_slow(cond) ((void)sizeof(cond))
#endif

#endif
