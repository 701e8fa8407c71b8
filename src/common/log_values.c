/*
 * log_values.c - the values at the end of a log message
 *
 * Runs in: every process. Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/log_values.h"

#include <string.h>

/* Is this the end of a message that lists values: "key=value key=value ..."? Quoted values hold what they like. */
static bool
is_list(const char *at)
{
    while (*at != '\0') {
        bool quoted;

        while ((*at >= 'a' && *at <= 'z') || *at == '_')
            at++;
        if (*at++ != '=')
            return false;
        quoted = *at == '"';
        for (at += quoted; *at != '\0' && *at != (quoted ? '"' : ' '); at++)
            if (quoted && *at == '\\' && at[1] != '\0')
                at++;
        if (quoted && *at++ != '"')
            return false;
        if (*at == ' ')
            at++;
        else if (*at != '\0')
            return false;
    }
    return true;
}

const char *
log_values_begin(const char *text)
{
    const char *at = text;

    while ((at = strstr(at, "; ")) != NULL) {
        at += 2;
        if (*at != '\0' && is_list(at))
            return at;
    }
    return NULL;
}

/* The end of a value, behind a backslash nothing ends it. */
static const char *
value_end(const char *at)
{
    bool quoted = false;

    for (; *at != '\0' && (quoted || *at != ' '); at++) {
        if (*at == '"')
            quoted = !quoted;
        else if (quoted && *at == '\\' && at[1] != '\0')
            at++;
    }
    return at;
}

bool
log_values_find(const char *list, const char *key, StrView *ret)
{
    size_t len = strlen(key);
    const char *at = list, *end;

    while (at != NULL && (strncmp(at, key, len) != 0 || at[len] != '=')) {
        at = value_end(at);
        at = *at == ' ' ? at + 1 : NULL;
    }
    if (at == NULL)
        return false;
    at += len + 1;
    end = value_end(at);
    if (*at == '"') {
        at++;
        end--;
    }
    *ret = (StrView){at, (int32_t)(end - at)};
    return true;
}
