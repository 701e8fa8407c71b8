/*
 * target.c - the values of a target: keywords, defaults, environment, lists of hosts
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: connects, prints.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/client/target.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/target_int.h"
#include "ottla/common/text.h"

#define CONNECT_TIMEOUT_MS 10000
#define REQUEST_TIMEOUT_MS 30000
#define TIMEOUT_MAX_MS     (24 * 3600 * 1000)

static const char *const key_names[] = {
#define X(upper, lower) [CLIENT_KEY_##upper] = #lower,
    CLIENT_KEYS(X)
#undef X
};

/* The variable of the environment that stands for a keyword; NULL: none. */
static const char *const key_environment[CLIENT_KEY_COUNT] = {
    [CLIENT_KEY_HOST] = "OTTLA_HOST",
    [CLIENT_KEY_PORT] = "OTTLA_PORT",
    [CLIENT_KEY_USER] = "OTTLA_USER",
    [CLIENT_KEY_PASSWORD] = "OTTLA_PASSWORD",
    [CLIENT_KEY_PASSFILE] = "OTTLA_PASSFILE",
    [CLIENT_KEY_SSLMODE] = "OTTLA_SSLMODE",
    [CLIENT_KEY_SSLROOTCERT] = "OTTLA_SSLROOTCERT",
    [CLIENT_KEY_SSLCERT] = "OTTLA_SSLCERT",
    [CLIENT_KEY_SSLKEY] = "OTTLA_SSLKEY",
    [CLIENT_KEY_MECHANISM] = "OTTLA_MECHANISM",
    [CLIENT_KEY_CONNECT_TIMEOUT] = "OTTLA_CONNECT_TIMEOUT",
    [CLIENT_KEY_CLIENT_ID] = "OTTLA_CLIENT_ID",
    [CLIENT_KEY_SERVICE] = "OTTLA_SERVICE",
};

static const char *const ssl_names[CLIENT_SSL_COUNT] = {
    [CLIENT_SSL_DISABLE] = "disable",
    [CLIENT_SSL_REQUIRE] = "require",
    [CLIENT_SSL_VERIFY_CA] = "verify-ca",
    [CLIENT_SSL_VERIFY_FULL] = "verify-full",
};

int
target_key_of(StrView name)
{
    for (int i = 0; i < CLIENT_KEY_COUNT; i++) {
        if (strview_equal(name, strview_from(key_names[i])))
            return i;
    }
    return -1;
}

void
target_notice(const ClientTarget *t, bool important, const char *format, ...)
{
    char text[512];
    va_list args;

    if (t->notice == NULL)
        return;
    va_start(args, format);
    if (vsnprintf(text, sizeof text, format, args) < 0)
        text[0] = '\0';
    va_end(args);
    t->notice(t->notice_arg, important, text);
}

int
target_copy(char *to, size_t size, StrView value, const char *what, Fault *f)
{
    if ((size_t)value.len >= size)
        return fault_set(f, FAULT_BAD_PARAMETER, "%s of %d bytes; at most %zu", what, value.len,
                         size - 1);
    if (value.len > 0 && memchr(value.ptr, '\0', (size_t)value.len) != NULL)
        return fault_set(f, FAULT_BAD_PARAMETER, "%s with a zero byte", what);
    if (value.len > 0)
        memcpy(to, value.ptr, (size_t)value.len);
    to[value.len] = '\0';
    return 0;
}

/* ---- hosts and ports ---- */

static int
to_port(StrView text, uint16_t *ret, Fault *f)
{
    int32_t port;

    if (!text_to_int32(text, &port) || port < 1 || port > 65535)
        return fault_set(f, FAULT_BAD_PARAMETER, "invalid port \"%.*s\"", text.len, text.ptr);
    *ret = (uint16_t)port;
    return 0;
}

/* The next part of a comma list; false: none is left. */
static bool
next_part(StrView *rest, StrView *ret)
{
    const char *comma;

    if (rest->ptr == NULL)
        return false;
    comma = rest->len > 0 ? memchr(rest->ptr, ',', (size_t)rest->len) : NULL;
    *ret = (StrView){rest->ptr, comma == NULL ? rest->len : (int32_t)(comma - rest->ptr)};
    *rest = comma == NULL ? (StrView){NULL, 0} : (StrView){comma + 1, rest->len - ret->len - 1};
    return true;
}

/* "host", "host:port", "[address]:port", "/directory"; an IPv6 address without brackets has no port behind it. */
static int
put_host(ClientHost *host, StrView text, Fault *f)
{
    StrView name = text;
    StrView port = {NULL, 0};
    const char *colon = text.len > 0 ? memrchr(text.ptr, ':', (size_t)text.len) : NULL;

    if (text.len > 0 && text.ptr[0] == '[') {
        const char *close = memchr(text.ptr, ']', (size_t)text.len);

        if (close == NULL)
            return fault_set(f, FAULT_SYNTAX, "\"%.*s\": no ']' behind the address", text.len,
                             text.ptr);
        name = (StrView){text.ptr + 1, (int32_t)(close - text.ptr) - 1};
        if (close + 1 != text.ptr + text.len) {
            if (close[1] != ':')
                return fault_set(f, FAULT_SYNTAX, "\"%.*s\": text behind ']'", text.len, text.ptr);
            port = (StrView){close + 2, text.len - (int32_t)(close + 2 - text.ptr)};
        }
    } else if (colon != NULL && text.ptr[0] != '/' &&
               memchr(text.ptr, ':', (size_t)(colon - text.ptr)) == NULL) {
        name.len = (int32_t)(colon - text.ptr);
        port = (StrView){colon + 1, text.len - name.len - 1};
    }
    host->port = 0;
    if (port.ptr != NULL && to_port(port, &host->port, f) != 0)
        return -1;
    if (name.len == 0)
        name = STRVIEW("localhost");
    return target_copy(host->name, sizeof host->name, name, "host", f);
}

/* "host[:port][,...]" into the list of hosts. */
static int
put_hosts(ClientTarget *t, StrView list, Fault *f)
{
    ClientHost hosts[CLIENT_HOSTS_MAX];
    int32_t count = 0;
    StrView part;

    while (next_part(&list, &part)) {
        if (count == CLIENT_HOSTS_MAX)
            return fault_set(f, FAULT_LIMIT, "more than %d hosts", CLIENT_HOSTS_MAX);
        if (put_host(&hosts[count++], text_trim(part), f) != 0)
            return -1;
    }
    memcpy(t->hosts, hosts, (size_t)count * sizeof hosts[0]);
    t->host_count = count;
    return 0;
}

/* One port for all, or one for each host in their order. */
static int
put_ports(ClientTarget *t, StrView list, Fault *f)
{
    uint16_t ports[CLIENT_HOSTS_MAX];
    int32_t count = 0;
    StrView part;

    while (next_part(&list, &part)) {
        if (count == CLIENT_HOSTS_MAX)
            return fault_set(f, FAULT_LIMIT, "more than %d ports", CLIENT_HOSTS_MAX);
        if (to_port(text_trim(part), &ports[count++], f) != 0)
            return -1;
    }
    if (count == 1) {
        t->port = ports[0];
        return 0;
    }
    if (t->host_count != count)
        return fault_set(f, FAULT_BAD_PARAMETER, "%d ports for %d hosts", count, t->host_count);
    for (int32_t i = 0; i < count; i++)
        t->hosts[i].port = ports[i];
    return 0;
}

/* ---- the other values ---- */

/* Bare numbers are seconds, as in PostgreSQL. */
static int
put_timeout(int32_t *to, StrView text, const char *what, Fault *f)
{
    int64_t ms;
    int64_t seconds;

    if (text_to_int64(text, &seconds) && seconds >= 0 && seconds <= TIMEOUT_MAX_MS / 1000)
        ms = seconds * 1000;
    else if (!text_to_quantity(text, TEXT_UNIT_MS, &ms) || ms <= 0 || ms > TIMEOUT_MAX_MS)
        return fault_set(f, FAULT_BAD_PARAMETER, "invalid %s \"%.*s\"", what, text.len, text.ptr);
    *to = ms == 0 ? TIMEOUT_MAX_MS : (int32_t)ms;
    return 0;
}

static int
put_sslmode(ClientTarget *t, StrView text, Fault *f)
{
    for (int i = 0; i < CLIENT_SSL_COUNT; i++) {
        if (strview_equal(text, strview_from(ssl_names[i]))) {
            t->sslmode = (ClientSsl)i;
            return 0;
        }
    }
    (void)fault_set(f, FAULT_BAD_PARAMETER, "invalid sslmode \"%.*s\"", text.len, text.ptr);
    fault_hint(f, "Valid are disable, require, verify-ca, verify-full.");
    return -1;
}

static int
put_mechanism(ClientTarget *t, StrView text, Fault *f)
{
    static const char *const known[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (text_equal_nocase(text, strview_from(known[i])))
            return target_copy(t->mechanism, sizeof t->mechanism, strview_from(known[i]),
                               "mechanism", f);
    }
    (void)fault_set(f, FAULT_BAD_PARAMETER, "invalid mechanism \"%.*s\"", text.len, text.ptr);
    fault_hint(f, "Valid are PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER.");
    return -1;
}

static int
put_value(ClientTarget *t, ClientKey key, StrView v, Fault *f)
{
    switch (key) {
    case CLIENT_KEY_HOST:
        return put_hosts(t, v, f);
    case CLIENT_KEY_PORT:
        return put_ports(t, v, f);
    case CLIENT_KEY_USER:
        return target_copy(t->user, sizeof t->user, v, "user", f);
    case CLIENT_KEY_PASSWORD:
        return target_copy(t->password, sizeof t->password, v, "password", f);
    case CLIENT_KEY_PASSFILE:
        return target_copy(t->passfile, sizeof t->passfile, v, "passfile", f);
    case CLIENT_KEY_SSLMODE:
        return put_sslmode(t, v, f);
    case CLIENT_KEY_SSLROOTCERT:
        return target_copy(t->sslrootcert, sizeof t->sslrootcert, v, "sslrootcert", f);
    case CLIENT_KEY_SSLCERT:
        return target_copy(t->sslcert, sizeof t->sslcert, v, "sslcert", f);
    case CLIENT_KEY_SSLKEY:
        return target_copy(t->sslkey, sizeof t->sslkey, v, "sslkey", f);
    case CLIENT_KEY_MECHANISM:
        return put_mechanism(t, v, f);
    case CLIENT_KEY_TOKEN:
        return target_copy(t->token, sizeof t->token, v, "token", f);
    case CLIENT_KEY_CONNECT_TIMEOUT:
        return put_timeout(&t->connect_timeout_ms, v, "connect_timeout", f);
    case CLIENT_KEY_REQUEST_TIMEOUT:
        return put_timeout(&t->request_timeout_ms, v, "request_timeout", f);
    case CLIENT_KEY_CLIENT_ID:
        return target_copy(t->client_id, sizeof t->client_id, v, "client_id", f);
    case CLIENT_KEY_SERVICE:
        return target_copy(t->service, sizeof t->service, v, "service", f);
    case CLIENT_KEY_COUNT:
        break;
    }
    return fault_set(f, FAULT_INTERNAL, "keyword %d", (int)key);
}

int
target_put(ClientTarget *t, ClientKey key, StrView value, bool given, Fault *f)
{
    if (put_value(t, key, value, f) != 0)
        return -1;
    if (given)
        t->given |= 1u << key;
    return 0;
}

int
client_target_set(ClientTarget *t, StrView key, StrView value, Fault *f)
{
    int found = target_key_of(key);

    if (found < 0)
        return fault_set(f, FAULT_SYNTAX, "invalid connection option \"%.*s\"", key.len, key.ptr);
    return target_put(t, (ClientKey)found, value, true, f);
}

void
client_target_init(ClientTarget *t)
{
    memset(t, 0, sizeof *t);
    t->port = CLIENT_PORT;
    t->connect_timeout_ms = CONNECT_TIMEOUT_MS;
    t->request_timeout_ms = REQUEST_TIMEOUT_MS;
    (void)snprintf(t->client_id, sizeof t->client_id, "ottla");
}

/* ---- what was not given ---- */

static int
take_environment(ClientTarget *t, uint32_t before, Fault *f)
{
    for (int i = 0; i < CLIENT_KEY_COUNT; i++) {
        const char *value = key_environment[i] == NULL ? NULL : getenv(key_environment[i]);

        if (value == NULL || value[0] == '\0' || (t->given & 1u << i) != 0)
            continue;
        /* A port of the environment is not meant for hosts that were given with theirs; nor a list of ports for other hosts. */
        if (i == CLIENT_KEY_PORT && (before & 1u << CLIENT_KEY_HOST) != 0 &&
            strchr(value, ',') != NULL)
            continue;
        if (target_put(t, (ClientKey)i, strview_from(value), false, f) != 0) {
            fault_detail(f, "From the environment variable %s.", key_environment[i]);
            return -1;
        }
    }
    return 0;
}

int
client_target_finish(ClientTarget *t, Fault *f)
{
    uint32_t before = t->given;
    const char *service = getenv("OTTLA_SERVICE");

    if (t->finished)
        return 0;
    if (!target_given(t, CLIENT_KEY_SERVICE) && service != NULL && service[0] != '\0' &&
        target_put(t, CLIENT_KEY_SERVICE, strview_from(service), false, f) != 0)
        return -1;
    if (t->service[0] != '\0' && target_take_service(t, f) != 0)
        return -1;
    if (take_environment(t, before, f) != 0)
        return -1;
    if (t->user[0] != '\0' && t->password[0] == '\0') {
        char password[CLIENT_SECRET_MAX];
        bool sockets = t->host_count > 0;

        for (int32_t i = 0; i < t->host_count; i++)
            sockets = sockets && t->hosts[i].name[0] == '/';
        if (!sockets &&
            client_target_password(
                t, t->host_count == 0 ? "localhost" : t->hosts[0].name,
                t->host_count == 0 || t->hosts[0].port == 0 ? t->port : t->hosts[0].port, password))
            memcpy(t->password, password, sizeof t->password);
        explicit_bzero(password, sizeof password);
    }
    t->finished = true;
    return 0;
}
