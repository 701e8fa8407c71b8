/*
 * variables.c - the variables of the shell: a sorted list of names and values
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "variables_int.h"

#include <stdlib.h>

#include "ottla/common/text.h"

typedef struct Variable {
    char *name;
    char *value;
} Variable;

struct Variables {
    Variable *list; /* sorted by name */
    int count;
    int size;
};

Variables *
variables_new(void)
{
    Variables *vars = calloc(1, sizeof *vars);

    for (int i = 0; vars != NULL && i < special_vars_count; i++) {
        if (special_vars[i].start == NULL)
            continue;
        if (variables_set(vars, strview_from(special_vars[i].name),
                          strview_from(special_vars[i].start), NULL) != 0) {
            variables_free(vars);
            return NULL;
        }
    }
    return vars;
}

void
variables_free(Variables *vars)
{
    if (vars == NULL)
        return;
    for (int i = 0; i < vars->count; i++) {
        free(vars->list[i].name);
        free(vars->list[i].value);
    }
    free(vars->list);
    free(vars);
}

bool
variable_name_is_valid(StrView name)
{
    for (int32_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '_' && c < 0x80)
            return false;
    }
    return name.len > 0 && name.len <= VARIABLE_NAME_BYTES_MAX;
}

static int
compare(StrView a, const char *b)
{
    size_t len = strlen(b);
    size_t shorter = (size_t)a.len < len ? (size_t)a.len : len;
    int order = shorter == 0 ? 0 : memcmp(a.ptr, b, shorter);

    if (order != 0)
        return order;
    return (size_t)a.len < len ? -1 : (size_t)a.len > len;
}

/* Its place, or where it would have to be. */
static int
place_of(const Variables *vars, StrView name, bool *ret_found)
{
    int lo = 0;
    int hi = vars->count;

    while (lo < hi) {
        int mid = (lo + hi) / 2;
        int order = compare(name, vars->list[mid].name);

        if (order == 0) {
            *ret_found = true;
            return mid;
        }
        if (order < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    *ret_found = false;
    return lo;
}

const char *
variables_get(const Variables *vars, StrView name)
{
    bool found;
    int i = place_of(vars, name, &found);

    return found ? vars->list[i].value : NULL;
}

static int
insert(Variables *vars, int at, StrView name, char *value)
{
    char *copy;

    if (vars->count == vars->size) {
        int size = vars->size == 0 ? 64 : vars->size * 2;
        Variable *list = realloc(vars->list, (size_t)size * sizeof *list);

        if (list == NULL)
            return OT_E_NO_MEMORY;
        vars->list = list;
        vars->size = size;
    }
    copy = strndup(name.ptr, (size_t)name.len);
    if (copy == NULL)
        return OT_E_NO_MEMORY;
    memmove(&vars->list[at + 1], &vars->list[at],
            (size_t)(vars->count - at) * sizeof vars->list[0]);
    vars->list[at] = (Variable){copy, value};
    vars->count++;
    return 0;
}

static void
drop(Variables *vars, int at)
{
    free(vars->list[at].name);
    free(vars->list[at].value);
    vars->count--;
    memmove(&vars->list[at], &vars->list[at + 1],
            (size_t)(vars->count - at) * sizeof vars->list[0]);
}

int
variables_set(Variables *vars, StrView name, StrView value, ErrInfo *err)
{
    const SpecialVar *row;
    char *copy;
    bool found;
    int at;

    if (!variable_name_is_valid(name))
        return err_set(err, OT_E_INVALID, "invalid variable name: \"%.*s\"", name.len, name.ptr);
    if (value.len > VARIABLE_VALUE_BYTES_MAX)
        return err_set(err, OT_E_LIMIT, "the value of \"%.*s\" is too long", name.len, name.ptr);
    row = special_var_find(name);
    if (value.ptr == NULL && row != NULL)
        value = strview_from(row->start);
    if (value.ptr != NULL && row != NULL && !special_var_check(row, value, &value, err))
        return OT_E_INVALID;
    at = place_of(vars, name, &found);
    if (value.ptr == NULL) {
        if (found)
            drop(vars, at);
        return 0;
    }
    if (!found && vars->count >= VARIABLES_MAX)
        return err_set(err, OT_E_LIMIT, "there are %d variables already", vars->count);
    copy = strndup(value.ptr, (size_t)value.len);
    if (copy == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory");
    if (found) {
        free(vars->list[at].value);
        vars->list[at].value = copy;
        return 0;
    }
    if (insert(vars, at, name, copy) != 0) {
        free(copy);
        return err_set(err, OT_E_NO_MEMORY, "no memory");
    }
    return 0;
}

void
variables_state(Variables *vars, const char *name, const char *value)
{
    (void)variables_set(vars, strview_from(name), strview_from(value), NULL); /* as promised */
}

bool
variables_on(const Variables *vars, const char *name)
{
    const char *value = variables_get(vars, strview_from(name));
    bool on;

    return value != NULL && variable_parse_bool(strview_from(value), &on) && on;
}

bool
variables_is(const Variables *vars, const char *name, const char *value)
{
    const char *is = variables_get(vars, strview_from(name));

    return is != NULL && strcmp(is, value) == 0;
}

int64_t
variables_number(const Variables *vars, const char *name, int64_t otherwise)
{
    const char *value = variables_get(vars, strview_from(name));
    int64_t number;

    return value != NULL && text_to_int64(strview_from(value), &number) ? number : otherwise;
}

bool
variables_at(const Variables *vars, int index, const char **ret_name, const char **ret_value)
{
    if (index >= vars->count)
        return false;
    *ret_name = vars->list[index].name;
    *ret_value = vars->list[index].value;
    return true;
}
