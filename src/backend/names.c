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

/* What a lead byte promises: continuation bytes and the range of the first of them. */
typedef struct Utf8Lead {
    int more; /* -1: no lead byte */
    uint8_t low, high;
} Utf8Lead;

static Utf8Lead
utf8_lead(uint8_t c)
{
    if (c < 0x80)
        return (Utf8Lead){0, 0, 0};
    if (c >= 0xc2 && c <= 0xdf)
        return (Utf8Lead){1, 0x80, 0xbf};
    if (c >= 0xe0 && c <= 0xef)
        return (Utf8Lead){2, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf};
    if (c >= 0xf0 && c <= 0xf4)
        return (Utf8Lead){3, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf};
    return (Utf8Lead){-1, 0, 0};
}

/*
 * Bytes of the sequence at the front: whole when *ret_good, else the longest part of one that could
 * have become a sequence (at least 1), which is replaced as one.
 */
static int32_t
utf8_step(const uint8_t *at, int32_t left, bool *ret_good)
{
    Utf8Lead lead = utf8_lead(at[0]);
    int32_t n = 1;

    *ret_good = lead.more == 0;
    if (lead.more <= 0)
        return 1;
    while (n <= lead.more && n < left) {
        uint8_t low = n == 1 ? lead.low : 0x80, high = n == 1 ? lead.high : 0xbf;

        if (at[n] < low || at[n] > high)
            return n;
        n++;
    }
    *ret_good = n == lead.more + 1;
    return n;
}

/* Bytes of the repaired text; writes it when to is not NULL. */
static int32_t
utf8_repair(StrView name, char *to)
{
    static const char replacement[] = "\xef\xbf\xbd";
    int32_t used = 0;

    for (int32_t i = 0; i < name.len;) {
        bool good;
        int32_t n = utf8_step((const uint8_t *)name.ptr + i, name.len - i, &good);
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
    bool good = true;
    int32_t len;
    char *copy;

    for (int32_t i = 0; i < name.len && good;)
        i += utf8_step((const uint8_t *)name.ptr + i, name.len - i, &good);
    if (good)
        return name;
    len = utf8_repair(name, NULL);
    copy = arena_alloc(arena, (size_t)len);
    if (copy == NULL)
        return (StrView){NULL, 0};
    ot_assert(utf8_repair(name, copy) == len);
    return (StrView){copy, len};
}
