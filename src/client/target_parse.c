/*
 * target_parse.c - connection strings: URIs, keywords, lists of hosts, names of services
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: connects, prints.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdlib.h>
#include <string.h>

#include "client/target_int.h"
#include "ottla/common/text.h"

#define WORD_MAX CLIENT_SECRET_MAX /* of a value with its escapes taken away */

/* ---- keywords ---- */

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static const char *
skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

/* A bare or quoted value; a backslash takes the next byte as it is. NULL: fault. */
static const char *
read_value(const char *at, const char *end, char *ret, int32_t *ret_len, Fault *f)
{
    bool quoted = at < end && *at == '\'';
    int32_t len = 0;

    if (quoted)
        at++;
    while (at < end && (quoted ? *at != '\'' : !is_blank(*at))) {
        if (*at == '\\' && at + 1 < end)
            at++;
        if (len == WORD_MAX - 1) {
            (void)fault_set(f, FAULT_BAD_PARAMETER, "a value longer than %d bytes", WORD_MAX - 1);
            return NULL;
        }
        ret[len++] = *at++;
    }
    if (quoted && at == end) {
        (void)fault_set(f, FAULT_SYNTAX, "unterminated quoted value in a connection string");
        return NULL;
    }
    *ret_len = len;
    return quoted ? at + 1 : at;
}

/* "key = 'value' ..." */
static int
read_keywords(ClientTarget *t, StrView text, Fault *f)
{
    const char *at = text.ptr;
    const char *end = at + text.len;
    char value[WORD_MAX];
    StrView ports = {NULL, 0};
    char port_list[CLIENT_NAME_MAX];

    for (at = skip_blanks(at, end); at < end; at = skip_blanks(at, end)) {
        StrView key = {at, 0};
        int32_t len;

        while (at < end && *at != '=' && !is_blank(*at))
            at++;
        key.len = (int32_t)(at - key.ptr);
        at = skip_blanks(at, end);
        if (at == end || *at != '=')
            return fault_set(f, FAULT_SYNTAX, "missing \"=\" after \"%.*s\" in a connection string",
                             key.len, key.ptr);
        at = read_value(skip_blanks(at + 1, end), end, value, &len, f);
        if (at == NULL)
            return -1;
        /* Ports belong to hosts, which may stand behind them. */
        if (strview_equal(key, STRVIEW("port"))) {
            if (target_copy(port_list, sizeof port_list, (StrView){value, len}, "port", f) != 0)
                return -1;
            ports = strview_from(port_list);
        } else if (client_target_set(t, key, (StrView){value, len}, f) != 0) {
            return -1;
        }
    }
    explicit_bzero(value, sizeof value);
    return ports.ptr == NULL ? 0 : client_target_set(t, STRVIEW("port"), ports, f);
}

/* ---- URIs ---- */

static int
hex_of(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Takes %XX away. */
static int
unescape(StrView text, char ret[WORD_MAX], StrView *ret_view, Fault *f)
{
    int32_t len = 0;

    for (int32_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%') {
            int hi = i + 2 < text.len ? hex_of(text.ptr[i + 1]) : -1;
            int lo = i + 2 < text.len ? hex_of(text.ptr[i + 2]) : -1;

            if (hi < 0 || lo < 0 || hi + lo == 0)
                return fault_set(f, FAULT_SYNTAX, "invalid %%-escape in \"%.*s\"", text.len,
                                 text.ptr);
            c = (char)(hi << 4 | lo);
            i += 2;
        }
        if (len == WORD_MAX - 1)
            return fault_set(f, FAULT_BAD_PARAMETER, "a value longer than %d bytes", WORD_MAX - 1);
        ret[len++] = c;
    }
    ret[len] = '\0';
    *ret_view = (StrView){ret, len};
    return 0;
}

/* Sets one keyword from an escaped part of a URI. */
static int
set_escaped(ClientTarget *t, StrView key, StrView text, Fault *f)
{
    char buffer[WORD_MAX];
    StrView value;
    int status = unescape(text, buffer, &value, f);

    if (status == 0)
        status = client_target_set(t, key, value, f);
    explicit_bzero(buffer, sizeof buffer);
    return status;
}

/* Cuts text at the first c: *ret_before gets what stands before it, text what stands behind. False: no c. */
static bool
cut(StrView *text, char c, StrView *ret_before)
{
    const char *at = text->len > 0 ? memchr(text->ptr, c, (size_t)text->len) : NULL;

    if (at == NULL)
        return false;
    *ret_before = (StrView){text->ptr, (int32_t)(at - text->ptr)};
    *text = (StrView){at + 1, text->len - ret_before->len - 1};
    return true;
}

static int
read_query(ClientTarget *t, StrView query, Fault *f)
{
    bool more = query.len > 0;

    while (more) {
        StrView pair;
        StrView key;

        more = cut(&query, '&', &pair);
        if (!more)
            pair = query;
        if (!cut(&pair, '=', &key))
            return fault_set(f, FAULT_SYNTAX, "missing \"=\" in \"%.*s\" of a connection URI",
                             pair.len, pair.ptr);
        if (set_escaped(t, key, pair, f) != 0)
            return -1;
    }
    return 0;
}

/* What stands behind "scheme://". */
static int
read_uri(ClientTarget *t, StrView rest, Fault *f)
{
    StrView before = rest;
    StrView query = {NULL, 0};
    StrView path = {NULL, 0};
    StrView user;
    StrView login;

    if (cut(&rest, '?', &before)) {
        query = rest;
        rest = before;
    }
    if (rest.len > 0) {
        const char *slash = memchr(rest.ptr, '/', (size_t)rest.len);

        if (slash != NULL) {
            path = (StrView){slash, rest.len - (int32_t)(slash - rest.ptr)};
            rest.len -= path.len;
        }
    }
    if (cut(&rest, '@', &login)) {
        StrView password = login;

        if (!cut(&password, ':', &user))
            user = login;
        else if (set_escaped(t, STRVIEW("password"), password, f) != 0)
            return -1;
        if (user.len > 0 && set_escaped(t, STRVIEW("user"), user, f) != 0)
            return -1;
    }
    if (path.len > 1 && rest.len > 0)
        return fault_set(f, FAULT_SYNTAX, "unexpected \"%.*s\" behind the host of a connection URI",
                         path.len, path.ptr);
    if (path.len > 1 && set_escaped(t, STRVIEW("host"), path, f) != 0)
        return -1;
    if (rest.len > 0 && set_escaped(t, STRVIEW("host"), rest, f) != 0)
        return -1;
    return read_query(t, query, f);
}

static bool
has_prefix(StrView *text, const char *prefix)
{
    int32_t len = (int32_t)strlen(prefix);

    if (text->len < len || memcmp(text->ptr, prefix, (size_t)len) != 0)
        return false;
    *text = (StrView){text->ptr + len, text->len - len};
    return true;
}

int
client_target_parse(ClientTarget *t, StrView text, Fault *f)
{
    StrView rest = text_trim(text);

    if (rest.ptr == NULL || rest.len == 0)
        return 0;
    if (has_prefix(&rest, "ottlas://")) {
        if (target_put(t, CLIENT_KEY_SSLMODE, STRVIEW("verify-full"), true, f) != 0)
            return -1;
        return read_uri(t, rest, f);
    }
    if (has_prefix(&rest, "ottla://") || has_prefix(&rest, "kafka://"))
        return read_uri(t, rest, f);
    if (memchr(rest.ptr, '=', (size_t)rest.len) != NULL)
        return read_keywords(t, rest, f);
    if (memchr(rest.ptr, ':', (size_t)rest.len) == NULL &&
        memchr(rest.ptr, ',', (size_t)rest.len) == NULL && rest.ptr[0] != '/' &&
        target_has_service(rest))
        return target_put(t, CLIENT_KEY_SERVICE, rest, true, f);
    return target_put(t, CLIENT_KEY_HOST, rest, true, f);
}
