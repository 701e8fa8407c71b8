/*
 * cond_int.h - \if, \elif, \else, \endif: which branch counts, and whether an expression is true
 *
 * Each branch remembers how long the statement was when it began, so that what a branch that does
 * not count put into it can be taken back. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_COND_INT_H
#define OTTLA_SHELL_COND_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/view.h"

#define COND_DEPTH_MAX 64

typedef enum CondState {
    COND_TRUE,      /* this branch counts */
    COND_FALSE,     /* no branch counted so far */
    COND_IGNORED,   /* one counted before, or the whole \if lies in a branch that does not count */
    COND_ELSE_TRUE, /* as above, behind \else */
    COND_ELSE_FALSE,
} CondState;

typedef struct CondLevel {
    CondState state;
    size_t statement_len;
    int paren_depth;
} CondLevel;

typedef struct CondStack {
    CondLevel levels[COND_DEPTH_MAX];
    int depth;
} CondStack;

/* No \if, or the innermost branch counts. */
bool cond_active(const CondStack *stack);

/* The innermost \if, NULL: none. */
CondLevel *cond_top(CondStack *stack);

/* Must the expression of an \elif be looked at, or is its branch ignored whatever it says? */
bool cond_wants_elif(const CondStack *stack);

/*
 * Each step: 0, or OT_E_STATE (\else without \if and so on), OT_E_LIMIT with a text. value is the
 * expression's; ignored where no branch can count.
 */
int cond_if(CondStack *stack, bool value, ErrInfo *err);
int cond_elif(CondStack *stack, bool value, ErrInfo *err);
int cond_else(CondStack *stack, ErrInfo *err);
int cond_endif(CondStack *stack, ErrInfo *err);

/*
 * The value of an expression in words: one boolean, or "a OP b" with = <> < >; numbers compare as
 * numbers, other words as bytes. OT_E_INVALID: neither.
 */
int cond_value(const StrView *words, int count, bool *ret, ErrInfo *err);

#endif
