/*
 * variables_int.h - the variables of the shell: names, values, and the special ones' rules
 *
 * A variable is text. Those of special_vars[] are checked when they are set and have a value always;
 * whoever is steered by one asks for it when it matters, so that no copy can be stale. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_VARIABLES_INT_H
#define OTTLA_SHELL_VARIABLES_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "ottla/common/view.h"

#define VARIABLES_MAX            10000
#define VARIABLE_NAME_BYTES_MAX  255
#define VARIABLE_VALUE_BYTES_MAX (16 << 20)

typedef enum SpecialKind {
    SPECIAL_BOOL,
    SPECIAL_NUMBER, /* not negative */
    SPECIAL_CHOICE, /* one of the words of choices */
    SPECIAL_SWITCH, /* a boolean or one of choices */
    SPECIAL_TEXT,
    SPECIAL_FACT, /* set by the shell; the user may set it, too, to no effect */
} SpecialKind;

/* A variable with a meaning. */
typedef struct SpecialVar {
    const char *name;
    SpecialKind kind;
    const char *choices; /* "a b c"; of a boolean: the only value, or NULL */
    const char *start;   /* value at the start and after \unset; NULL: then it is not defined */
    const char *help;
} SpecialVar;

extern const SpecialVar special_vars[];
extern const int special_vars_count;

const SpecialVar *special_var_find(StrView name);

/*
 * The value as it is stored: "on" for an empty boolean, a choice in lower case, and so on. False: the
 * row does not allow it, *err says what it allows.
 */
bool special_var_check(const SpecialVar *row, StrView value, StrView *ret, ErrInfo *err);

/* true, t, on, yes, 1 and their unique beginnings; false likewise. False: neither. */
bool variable_parse_bool(StrView text, bool *ret);

typedef struct Variables Variables;

/* With the special ones at their first values. NULL: no memory. */
Variables *variables_new(void);
void variables_free(Variables *vars);

/* Letters, digits, underscores, bytes above 127; not empty. */
bool variable_name_is_valid(StrView name);

/* Zero-terminated, valid until the variable is set again. NULL: not defined. */
const char *variables_get(const Variables *vars, StrView name);

/* A null value unsets. OT_E_INVALID: a name or value that cannot be, OT_E_LIMIT: too many. */
int variables_set(Variables *vars, StrView name, StrView value, ErrInfo *err);

/* For facts that the shell itself states; a failure (no memory) leaves the old value. */
void variables_state(Variables *vars, const char *name, const char *value);

bool variables_on(const Variables *vars, const char *name);
bool variables_is(const Variables *vars, const char *name, const char *value);
int64_t variables_number(const Variables *vars, const char *name, int64_t otherwise);

/* In the order of their names: index 0, 1, ...; false behind the last. */
bool variables_at(const Variables *vars, int index, const char **ret_name, const char **ret_value);

#endif
