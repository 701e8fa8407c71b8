/*
 * regex_syntax.c - is a text a regular expression as Kafka takes it (RE2's syntax)?
 *
 * One pass from left to right; of open groups only the number is kept. Names of groups and of Unicode
 * properties are checked for their form alone.
 *
 * Pure.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/regex_syntax.h"

#include <string.h>

#define REPEAT_MAX 1000
#define GROUPS_MAX 1000 /* open at once */

static const char bad_escape[] = "an escape is not known";
static const char no_bracket[] = "a bracket is not closed";
static const char bad_range[] = "a range of characters is not one";

typedef struct Scan {
    const char *at;
    const char *end;
    int open;          /* groups */
    bool has_operand;  /* something stands before that may be repeated */
    bool was_repeated; /* by *, +, ? or {} */
} Scan;

static bool
more(const Scan *s)
{
    return s->at < s->end;
}

static bool
take(Scan *s, char c)
{
    if (!more(s) || *s->at != c)
        return false;
    s->at++;
    return true;
}

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool
is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool
is_hex(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Behind "\x": two digits, or some in braces. */
static const char *
scan_hex(Scan *s)
{
    int digits = 0;

    if (take(s, '{')) {
        for (; more(s) && is_hex(*s->at) && digits < 8; s->at++)
            digits++;
        return digits > 0 && take(s, '}') ? NULL : bad_escape;
    }
    for (; more(s) && is_hex(*s->at) && digits < 2; s->at++)
        digits++;
    return digits == 2 ? NULL : bad_escape;
}

/* Behind "\p": a letter, or a name in braces. */
static const char *
scan_property(Scan *s)
{
    int letters = 0;

    if (!take(s, '{')) {
        if (!more(s) || !is_word(*s->at))
            return bad_escape;
        s->at++;
        return NULL;
    }
    (void)take(s, '^'); /* either will do */
    for (; more(s) && is_word(*s->at); s->at++)
        letters++;
    return letters > 0 && take(s, '}') ? NULL : bad_escape;
}

/* Behind the backslash. ret_set: it stands for many characters. */
static const char *
scan_escape(Scan *s, bool in_class, bool *ret_set)
{
    char c;

    *ret_set = false;
    if (!more(s))
        return "it ends in a backslash";
    c = *s->at++;
    if (c == 'x')
        return scan_hex(s);
    if (c == 'p' || c == 'P') {
        *ret_set = true;
        return scan_property(s);
    }
    if (strchr("dDsSwW", c) != NULL && c != '\0') {
        *ret_set = true;
        return NULL;
    }
    if (c >= '1' && c <= '7' && !(more(s) && *s->at >= '0' && *s->at <= '7'))
        return "there are no back references";
    if (c >= '0' && c <= '7') {
        for (int i = 0; i < 2 && more(s) && *s->at >= '0' && *s->at <= '7'; i++)
            s->at++;
        return NULL;
    }
    if (strchr("aftnrv", c) != NULL && c != '\0')
        return NULL;
    if (!in_class && strchr("AbBz", c) != NULL && c != '\0')
        return NULL;
    /* Punctuation may always be escaped; letters and digits mean something, or nothing at all. */
    return is_word(c) && c != '_' ? bad_escape : NULL;
}

/* Inside brackets: "[:alpha:]". False: none stands here. */
static bool
scan_class_name(Scan *s, const char **ret_fault)
{
    static const char *const names[] = {"alnum", "alpha", "ascii", "blank", "cntrl",
                                        "digit", "graph", "lower", "print", "punct",
                                        "space", "upper", "word",  "xdigit"};
    const char *close;
    const char *name = s->at + 2;

    if (s->end - s->at < 2 || s->at[0] != '[' || s->at[1] != ':')
        return false;
    close = memmem(name, (size_t)(s->end - name), ":]", 2);
    if (close == NULL)
        return false;
    *ret_fault = "a class of characters is not known";
    if (name < close && *name == '^')
        name++;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strlen(names[i]) == (size_t)(close - name) &&
            memcmp(names[i], name, (size_t)(close - name)) == 0)
            *ret_fault = NULL;
    s->at = close + 2;
    return true;
}

/* One character of a class, and its byte for ranges; -1: it is a set. */
static const char *
scan_class_char(Scan *s, int *ret)
{
    bool set = false;
    const char *fault;

    if (!more(s))
        return no_bracket;
    *ret = (unsigned char)*s->at++;
    if (*ret != '\\')
        return NULL;
    if (more(s))
        *ret = is_word(*s->at) ? -2 : (unsigned char)*s->at;
    fault = scan_escape(s, true, &set);
    if (set)
        *ret = -1;
    return fault;
}

/* Behind the opening bracket. */
static const char *
scan_class(Scan *s)
{
    const char *fault = NULL;
    bool first = true;

    (void)take(s, '^'); /* either will do */
    for (; more(s) && (*s->at != ']' || first); first = false) {
        int low, high;

        if (scan_class_name(s, &fault)) {
            if (fault != NULL)
                return fault;
            continue;
        }
        fault = scan_class_char(s, &low);
        if (fault != NULL)
            return fault;
        if (s->end - s->at < 2 || s->at[0] != '-' || s->at[1] == ']')
            continue;
        s->at++;
        fault = scan_class_char(s, &high);
        if (fault != NULL)
            return fault;
        /* Bytes above 0x7f are parts of characters, whose order is not looked at. */
        if (low == -1 || high == -1 || (low >= 0 && high >= 0 && high < 0x80 && low > high))
            return bad_range;
    }
    return take(s, ']') ? NULL : no_bracket;
}

/* Behind "(?": flags, or the name of a group. */
static const char *
scan_group_head(Scan *s)
{
    const char *start;

    if (take(s, 'P') || (s->end - s->at >= 2 && s->at[0] == '<' && is_word(s->at[1]))) {
        if (!take(s, '<'))
            return "a named group begins with (?P<";
        start = s->at;
        while (more(s) && is_word(*s->at))
            s->at++;
        return s->at > start && take(s, '>') ? NULL : "the name of a group is not one";
    }
    while (more(s) && strchr("imsU-", *s->at) != NULL && *s->at != '\0')
        s->at++;
    if (take(s, ':'))
        return NULL;
    if (take(s, ')')) { /* flags alone: no group */
        s->open--;
        return NULL;
    }
    return "a kind of group is not known";
}

/* "{2}", "{2,}", "{2,3}" behind the brace; anything else is a brace as it is. */
static bool
scan_count(Scan *s, const char **ret_fault)
{
    const char *at = s->at;
    int counts[2] = {-1, -1};
    int n = 0;

    for (;; at++) {
        const char *start = at;

        for (counts[n] = -1; at < s->end && is_digit(*at); at++)
            counts[n] = (counts[n] < 0            ? 0
                         : counts[n] > REPEAT_MAX ? counts[n]
                                                  : counts[n] * 10) +
                        (*at - '0');
        if (at == start && n == 0)
            return false;
        if (at == s->end || n == 1 || *at != ',')
            break;
        n = 1;
    }
    if (at == s->end || *at != '}')
        return false;
    s->at = at + 1;
    *ret_fault = counts[0] > REPEAT_MAX || counts[1] > REPEAT_MAX ||
                         (counts[1] >= 0 && counts[0] > counts[1])
                     ? "a count of repetitions is not one"
                     : NULL;
    return true;
}

/* A repetition: something is there to be repeated, once. */
static const char *
repeat(Scan *s)
{
    if (!s->has_operand)
        return "nothing stands before a repetition";
    if (s->was_repeated)
        return "a repetition is repeated";
    (void)take(s, '?'); /* lazy or not */
    s->was_repeated = true;
    return NULL;
}

static const char *
open_group(Scan *s)
{
    if (++s->open > GROUPS_MAX)
        return "groups are nested too deeply";
    s->has_operand = false;
    return take(s, '?') ? scan_group_head(s) : NULL;
}

static const char *
scan_one(Scan *s)
{
    char c = *s->at++;
    const char *fault = NULL;
    bool set;

    switch (c) {
    case '*':
    case '+':
    case '?':
        return repeat(s);
    case '{':
        if (scan_count(s, &fault))
            return fault != NULL ? fault : repeat(s);
        break;
    case '(':
        s->was_repeated = false;
        return open_group(s);
    case '|':
        s->was_repeated = s->has_operand = false;
        return NULL;
    case ')':
        if (s->open-- == 0)
            return "a parenthesis is not opened";
        break;
    case '[':
        fault = scan_class(s);
        break;
    case '\\':
        if (take(s, 'Q')) {
            const char *close = memmem(s->at, (size_t)(s->end - s->at), "\\E", 2);

            s->at = close == NULL ? s->end : close + 2;
        } else {
            fault = scan_escape(s, false, &set);
        }
        break;
    default:
        break;
    }
    s->has_operand = true;
    s->was_repeated = false;
    return fault;
}

const char *
regex_syntax_fault(StrView pattern)
{
    Scan s = {.at = pattern.ptr, .end = pattern.ptr + pattern.len};

    while (more(&s)) {
        const char *fault = scan_one(&s);

        if (fault != NULL)
            return fault;
    }
    return s.open > 0 ? "a parenthesis is not closed" : NULL;
}
