/*
 * cond.c - \if, \elif, \else, \endif: which branch counts, and whether an expression is true
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "cond_int.h"

#include "ottla/common/text.h"
#include "variables_int.h"

bool
cond_active(const CondStack *stack)
{
    CondState state;

    if (stack->depth == 0)
        return true;
    state = stack->levels[stack->depth - 1].state;
    return state == COND_TRUE || state == COND_ELSE_TRUE;
}

CondLevel *
cond_top(CondStack *stack)
{
    return stack->depth == 0 ? NULL : &stack->levels[stack->depth - 1];
}

bool
cond_wants_elif(const CondStack *stack)
{
    return stack->depth > 0 && stack->levels[stack->depth - 1].state == COND_FALSE;
}

int
cond_if(CondStack *stack, bool value, ErrInfo *err)
{
    bool active = cond_active(stack);

    if (stack->depth == COND_DEPTH_MAX)
        return err_set(err, OT_E_LIMIT, "\\if: more than %d inside each other", COND_DEPTH_MAX);
    stack->levels[stack->depth++] = (CondLevel){.state = !active ? COND_IGNORED
                                                         : value ? COND_TRUE
                                                                 : COND_FALSE};
    return 0;
}

int
cond_elif(CondStack *stack, bool value, ErrInfo *err)
{
    CondLevel *top = cond_top(stack);

    if (top == NULL)
        return err_set(err, OT_E_STATE, "\\elif: no matching \\if");
    switch (top->state) {
    case COND_TRUE:
        top->state = COND_IGNORED;
        return 0;
    case COND_FALSE:
        top->state = value ? COND_TRUE : COND_FALSE;
        return 0;
    case COND_IGNORED:
        return 0;
    case COND_ELSE_TRUE:
    case COND_ELSE_FALSE:
        break;
    }
    return err_set(err, OT_E_STATE, "\\elif: cannot occur after \\else");
}

int
cond_else(CondStack *stack, ErrInfo *err)
{
    CondLevel *top = cond_top(stack);

    if (top == NULL)
        return err_set(err, OT_E_STATE, "\\else: no matching \\if");
    switch (top->state) {
    case COND_TRUE:
    case COND_IGNORED:
        top->state = COND_ELSE_FALSE;
        return 0;
    case COND_FALSE:
        top->state = COND_ELSE_TRUE;
        return 0;
    case COND_ELSE_TRUE:
    case COND_ELSE_FALSE:
        break;
    }
    return err_set(err, OT_E_STATE, "\\else: cannot occur after \\else");
}

int
cond_endif(CondStack *stack, ErrInfo *err)
{
    if (stack->depth == 0)
        return err_set(err, OT_E_STATE, "\\endif: no matching \\if");
    stack->depth--;
    return 0;
}

/* Less, equal, greater: -1, 0, 1. */
static int
compare(StrView a, StrView b)
{
    double x, y;
    int32_t len = a.len < b.len ? a.len : b.len;
    int order;

    if (text_to_double(a, &x) && text_to_double(b, &y))
        return x < y ? -1 : x > y;
    order = len == 0 ? 0 : memcmp(a.ptr, b.ptr, (size_t)len);
    if (order != 0)
        return order < 0 ? -1 : 1;
    return a.len < b.len ? -1 : a.len > b.len;
}

int
cond_value(const StrView *words, int count, bool *ret, ErrInfo *err)
{
    if (count == 1 && variable_parse_bool(words[0], ret))
        return 0;
    if (count == 3) {
        int order = compare(words[0], words[2]);

        if (strview_equal(words[1], STRVIEW("=")))
            *ret = order == 0;
        else if (strview_equal(words[1], STRVIEW("<>")))
            *ret = order != 0;
        else if (strview_equal(words[1], STRVIEW("<")))
            *ret = order < 0;
        else if (strview_equal(words[1], STRVIEW(">")))
            *ret = order > 0;
        else
            return err_set(err, OT_E_INVALID, "\"%.*s\" is none of = <> < >", words[1].len,
                           words[1].ptr);
        return 0;
    }
    if (count == 1)
        return err_set(err, OT_E_INVALID, "unrecognized value \"%.*s\": a boolean is expected",
                       words[0].len, words[0].ptr);
    return err_set(err, OT_E_INVALID,
                   "an expression is a boolean, or two words with = <> < > between them");
}
