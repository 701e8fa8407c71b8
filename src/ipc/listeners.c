/*
 * listeners.c - from the settings to the table of listeners
 *
 * Runs in: supervisor (parses), controller (judges changes), every child (reads its inherited copy).
 * Never: resolves a name or opens a socket; postmaster/listen.c does that.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/ipc/listeners.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "ottla/common/text.h"
#include "ottla/common/view.h"

ListenerTable node_listeners;

#define DEFAULT_PORT            9092
#define DEFAULT_CONTROLLER_NAME "CONTROLLER"

static const char *const protocol_names[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};

/* Takes the next trimmed, non-empty item off a comma-separated list; false at its end. */
static bool
next_item(StrView *rest, StrView *ret)
{
    while (rest->len > 0) {
        const char *comma = memchr(rest->ptr, ',', (size_t)rest->len);
        int32_t len = comma == NULL ? rest->len : (int32_t)(comma - rest->ptr);
        StrView item = text_trim((StrView){rest->ptr, len});
        int32_t used = comma == NULL ? len : len + 1;

        rest->ptr += used;
        rest->len -= used;
        if (item.len > 0) {
            *ret = item;
            return true;
        }
    }
    return false;
}

static bool
list_has(const char *list, const char *name)
{
    StrView rest = strview_from(list == NULL ? "" : list);
    StrView item;

    while (next_item(&rest, &item))
        if (text_equal_nocase(item, strview_from(name)))
            return true;
    return false;
}

static bool
protocol_from_name(StrView name, SecurityProtocol *ret)
{
    for (int i = 0; i < 4; i++) {
        if (text_equal_nocase(name, strview_from(protocol_names[i]))) {
            *ret = (SecurityProtocol)i;
            return true;
        }
    }
    return false;
}

/* The protocol of a listener name: the map's, else the name itself, else PLAINTEXT for controllers. */
static int
find_protocol(const ListenerSettings *settings, Listener *row, ErrInfo *err)
{
    const char *map = settings->protocol_map == NULL ? "" : settings->protocol_map;
    StrView rest = strview_from(map);
    StrView name = strview_from(row->name);
    StrView item;
    bool found = false;

    while (next_item(&rest, &item)) {
        const char *colon = memchr(item.ptr, ':', (size_t)item.len);
        SecurityProtocol protocol;
        if (colon == NULL)
            return err_set(err, OT_E_CONFIG,
                           "listener.security.protocol.map: \"%.*s\" is not NAME:PROTOCOL",
                           (int)item.len, item.ptr);
        StrView key = text_trim((StrView){item.ptr, (int32_t)(colon - item.ptr)});
        StrView value = text_trim((StrView){colon + 1, item.len - (int32_t)(colon + 1 - item.ptr)});
        if (!protocol_from_name(value, &protocol))
            return err_set(err, OT_E_CONFIG,
                           "listener.security.protocol.map: unknown protocol \"%.*s\" of %.*s",
                           (int)value.len, value.ptr, (int)key.len, key.ptr);
        if (found || !text_equal_nocase(key, name))
            continue;
        row->protocol = protocol;
        found = true;
    }
    if (found || protocol_from_name(name, &row->protocol))
        return 0;
    if (row->is_controller) {
        row->protocol = SECURITY_PLAINTEXT;
        return 0;
    }
    return err_set(err, OT_E_CONFIG,
                   "listeners: no protocol for %s in listener.security.protocol.map", row->name);
}

/* Parses NAME://HOST:PORT into name, host (without brackets) and port. */
static int
parse_endpoint(const char *setting, StrView item, Listener *ret, ErrInfo *err)
{
    const char *end = item.ptr + item.len;
    const char *sep = memmem(item.ptr, (size_t)item.len, "://", 3);
    const char *host = sep == NULL ? NULL : sep + 3;
    const char *colon = host == NULL ? NULL : memrchr(host, ':', (size_t)(end - host));
    int32_t port = -1;

    if (colon == NULL || sep == item.ptr)
        return err_set(err, OT_E_CONFIG, "%s: \"%.*s\" is not NAME://HOST:PORT", setting,
                       (int)item.len, item.ptr);
    if (!text_to_int32((StrView){colon + 1, (int32_t)(end - colon - 1)}, &port) || port < 0 ||
        port > 65535)
        return err_set(err, OT_E_CONFIG, "%s: \"%.*s\" has no port from 0 to 65535", setting,
                       (int)item.len, item.ptr);
    size_t name_len = (size_t)(sep - item.ptr);
    size_t host_len = (size_t)(colon - host);
    if (host_len >= 2 && host[0] == '[' && host[host_len - 1] == ']') {
        host++;
        host_len -= 2;
    }
    if (name_len >= LISTENER_NAME_MAX || host_len >= LISTENER_HOST_MAX)
        return err_set(err, OT_E_CONFIG, "%s: name or host of \"%.*s\" is too long", setting,
                       (int)item.len, item.ptr);
    for (size_t i = 0; i < name_len; i++)
        ret->name[i] = (char)toupper((unsigned char)item.ptr[i]);
    ret->name[name_len] = '\0';
    memcpy(ret->host, host, host_len);
    ret->host[host_len] = '\0';
    ret->port = (uint16_t)port;
    return 0;
}

static Listener *
add_row(ListenerTable *table, ErrInfo *err)
{
    if (table->count == LISTENERS_MAX) {
        err_set(err, OT_E_CONFIG, "listeners: more than %d", LISTENERS_MAX - 1);
        return NULL;
    }
    Listener *row = &table->rows[table->count++];
    memset(row, 0, sizeof *row);
    for (int i = 0; i < LISTENER_FDS_MAX; i++)
        row->fds[i] = -1;
    return row;
}

static bool
is_ip(const char *host, int family)
{
    unsigned char bytes[16];

    return inet_pton(family, host, bytes) == 1;
}

/* Kafka lets two listeners share a port only as one IPv4 and one IPv6 address. */
static bool
ports_clash(const Listener *a, const Listener *b)
{
    bool pair = (is_ip(a->host, AF_INET) && is_ip(b->host, AF_INET6)) ||
                (is_ip(a->host, AF_INET6) && is_ip(b->host, AF_INET));

    return a->port != 0 && a->port == b->port && !pair;
}

static int
check_unique(const ListenerTable *table, const Listener *row, ErrInfo *err)
{
    for (const Listener *other = table->rows; other < row; other++) {
        if (strcmp(other->name, row->name) == 0)
            return err_set(err, OT_E_CONFIG, "listeners: %s twice", row->name);
        if (ports_clash(other, row))
            return err_set(err, OT_E_CONFIG, "listeners: %s and %s have the same port %u",
                           other->name, row->name, row->port);
    }
    return 0;
}

static int
parse_rows(const ListenerSettings *settings, const char *controllers, bool want_controller,
           ListenerTable *table, ErrInfo *err)
{
    StrView rest = strview_from(settings->listeners);
    StrView item;

    while (next_item(&rest, &item)) {
        Listener parsed = {0};
        int rc = parse_endpoint("listeners", item, &parsed, err);
        if (rc < 0)
            return rc;
        parsed.is_controller = list_has(controllers, parsed.name);
        if (parsed.is_controller != want_controller)
            continue;
        Listener *row = add_row(table, err);
        if (row == NULL)
            return OT_E_CONFIG;
        memcpy(row->name, parsed.name, sizeof row->name);
        memcpy(row->host, parsed.host, sizeof row->host);
        row->port = parsed.port;
        row->is_controller = parsed.is_controller;
        row->is_listed = true;
        if (settings->port != 0 && table->count == 1 && !row->is_controller)
            row->port = settings->port;
        rc = find_protocol(settings, row, err);
        if (rc == 0)
            rc = check_unique(table, row, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The controller listener of a node that lists none: named in VotersRecord, never opened. */
static int
add_default_controller(const char *controllers, ListenerTable *table, ErrInfo *err)
{
    StrView rest = strview_from(controllers);
    StrView name;
    uint16_t port = table->rows[0].port;

    if (!next_item(&rest, &name) || name.len >= LISTENER_NAME_MAX)
        return err_set(err, OT_E_CONFIG, "controller.listener.names: \"%s\" names none",
                       controllers);
    Listener *row = add_row(table, err);
    if (row == NULL)
        return OT_E_CONFIG;
    memcpy(row->name, name.ptr, (size_t)name.len);
    snprintf(row->host, sizeof row->host, "localhost");
    row->port = port == 0 || port == 65535 ? 0 : (uint16_t)(port + 1);
    row->protocol = SECURITY_PLAINTEXT;
    row->is_controller = true;
    return 0;
}

static bool
is_any_address(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static int
parse_advertised(const ListenerSettings *settings, ListenerTable *table, ErrInfo *err)
{
    StrView rest = strview_from(settings->advertised == NULL ? "" : settings->advertised);
    StrView item;

    while (next_item(&rest, &item)) {
        Listener parsed = {0};
        int rc = parse_endpoint("advertised.listeners", item, &parsed, err);
        if (rc < 0)
            return rc;
        Listener *row = NULL;
        for (int i = 0; i < table->count; i++)
            if (strcmp(table->rows[i].name, parsed.name) == 0)
                row = &table->rows[i];
        if (row == NULL)
            return err_set(err, OT_E_CONFIG, "advertised.listeners: %s is not in listeners",
                           parsed.name);
        if (is_any_address(parsed.host) || parsed.host[0] == '\0')
            return err_set(err, OT_E_CONFIG,
                           "advertised.listeners: \"%.*s\" names no host that a client could use",
                           (int)item.len, item.ptr);
        memcpy(row->advertised_host, parsed.host, sizeof row->advertised_host);
        row->advertised_port = parsed.port;
    }
    for (int i = 0; i < table->count; i++) {
        Listener *row = &table->rows[i];
        if (row->advertised_host[0] != '\0')
            continue;
        if (is_any_address(row->host) && !row->is_controller)
            return err_set(err, OT_E_CONFIG,
                           "listeners: %s is on every address (%s): advertised.listeners must say "
                           "which one clients use",
                           row->name, row->host);
        snprintf(row->advertised_host, sizeof row->advertised_host, "%s",
                 row->host[0] != '\0'         ? row->host
                 : settings->hostname != NULL ? settings->hostname
                                              : "localhost");
        row->advertised_port = row->port;
    }
    return 0;
}

static int
choose_inter_broker(const ListenerSettings *settings, ListenerTable *table, ErrInfo *err)
{
    const char *wanted = settings->inter_broker_name;
    Listener *chosen = &table->rows[0];

    if (wanted == NULL || *wanted == '\0')
        wanted = NULL;
    for (int i = 0; i < table->count; i++) {
        Listener *row = &table->rows[i];
        if (!row->is_controller &&
            strcasecmp(row->name, wanted == NULL ? "PLAINTEXT" : wanted) == 0)
            chosen = row;
    }
    if (wanted != NULL && strcasecmp(chosen->name, wanted) != 0)
        return err_set(err, OT_E_CONFIG, "inter.broker.listener.name: %s is not in listeners",
                       wanted);
    chosen->is_inter_broker = true;
    return 0;
}

static int
check_protocols(const ListenerTable *table, ErrInfo *err)
{
    for (int i = 0; i < table->count; i++)
        if (table->rows[i].protocol != SECURITY_PLAINTEXT)
            return err_set(err, OT_E_CONFIG,
                           "listeners: %s uses %s, which this build does not speak: only PLAINTEXT",
                           table->rows[i].name, protocol_names[table->rows[i].protocol]);
    return 0;
}

int
listeners_parse(const ListenerSettings *settings, ListenerTable *ret, ErrInfo *err)
{
    ListenerSettings given = *settings;
    ListenerTable table = {.count = 0};
    char default_listeners[64];
    const char *controllers = settings->controller_names;
    int rc;

    if (controllers == NULL || *controllers == '\0')
        controllers = DEFAULT_CONTROLLER_NAME;
    if (given.listeners == NULL || *given.listeners == '\0') {
        snprintf(default_listeners, sizeof default_listeners, "PLAINTEXT://localhost:%u",
                 given.port != 0 ? given.port : DEFAULT_PORT);
        given.listeners = default_listeners;
    }
    rc = parse_rows(&given, controllers, false, &table, err);
    if (rc == 0 && table.count == 0)
        rc = err_set(err, OT_E_CONFIG, "listeners: \"%s\" has no listener for clients",
                     given.listeners);
    int broker_rows = table.count;
    if (rc == 0)
        rc = parse_rows(&given, controllers, true, &table, err);
    if (rc == 0 && table.count == broker_rows)
        rc = add_default_controller(controllers, &table, err);
    if (rc == 0)
        rc = check_protocols(&table, err);
    if (rc == 0)
        rc = parse_advertised(&given, &table, err);
    if (rc == 0)
        rc = choose_inter_broker(&given, &table, err);
    if (rc == 0 && given.unix_dir != NULL && *given.unix_dir != '\0') {
        Listener *row = add_row(&table, err);
        if (row == NULL)
            return OT_E_CONFIG;
        snprintf(row->name, sizeof row->name, "LOCAL");
        snprintf(row->host, sizeof row->host, "%s", given.unix_dir);
        row->is_unix = true;
    }
    if (rc == 0)
        *ret = table;
    return rc;
}

const Listener *
listeners_find(const ListenerTable *table, const char *name)
{
    for (int i = 0; i < table->count; i++)
        if (strcasecmp(table->rows[i].name, name) == 0)
            return &table->rows[i];
    return NULL;
}

const Listener *
listeners_advertised_for(const ListenerTable *table, int index)
{
    const Listener *row = &table->rows[index];

    if (!row->is_unix && !row->is_controller)
        return row;
    for (int i = 0; i < table->count; i++)
        if (table->rows[i].is_inter_broker)
            return &table->rows[i];
    return &table->rows[0];
}
