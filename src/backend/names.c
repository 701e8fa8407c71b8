/*
 * names.c - topic names as clients send them: legal, internal, echoed
 *
 * Called by handlers. Never: looks whether a topic exists.
 *
 * pure
 * SPDX-License-Identifier: Apache-2.0
 */
#include "backend/names_int.h"

#include "ottla/common/assert.h"
#include "ottla/common/text.h"

static bool
is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool
name_is_legal_topic(StrView name)
{
    if (name.len < 1 || name.len > NAME_TOPIC_MAX)
        return false;
    for (int32_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!is_alnum(c) && c != '.' && c != '_' && c != '-')
            return false;
    }
    return !strview_equal(name, STRVIEW(".")) && !strview_equal(name, STRVIEW(".."));
}

bool
name_is_internal_topic(StrView name)
{
    return strview_equal(name, STRVIEW("__consumer_offsets")) ||
           strview_equal(name, STRVIEW("__transaction_state")) ||
           strview_equal(name, STRVIEW("__share_group_state"));
}

bool
name_is_legal_software(StrView word)
{
    if (word.len < 1 || !is_alnum(word.ptr[0]) || !is_alnum(word.ptr[word.len - 1]))
        return false;
    for (int32_t i = 0; i < word.len; i++)
        if (!is_alnum(word.ptr[i]) && word.ptr[i] != '-' && word.ptr[i] != '.')
            return false;
    return true;
}

/* Bytes of the repaired text; writes it when to is not NULL. */
static int32_t
utf8_repair(StrView name, char *to)
{
    static const char replacement[] = "\xef\xbf\xbd";
    int32_t used = 0;

    for (int32_t i = 0; i < name.len;) {
        bool good;
        int32_t n = text_utf8_step((StrView){name.ptr + i, name.len - i}, &good);
        int32_t out = good ? n : 3;

        if (to != NULL)
            memcpy(to + used, good ? name.ptr + i : replacement, (size_t)out);
        used += out;
        i += n;
    }
    return used;
}

StrView
name_echo(Arena *arena, StrView name)
{
    int32_t len;
    char *copy;

    if (text_is_utf8(name))
        return name;
    len = utf8_repair(name, NULL);
    copy = arena_alloc(arena, (size_t)len);
    if (copy == NULL)
        return (StrView){NULL, 0};
    ot_assert(utf8_repair(name, copy) == len);
    return (StrView){copy, len};
}
