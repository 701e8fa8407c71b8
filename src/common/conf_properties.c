/*
 * conf_properties.c - Kafka's server.properties
 *
 * Runs in: supervisor. Never: logs; reports with file and line.
 * Spec: shell-and-service.md 12.2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>

#include "conf_int.h"
#include "ottla/common/limits.h"
#include "ottla/common/properties.h"
#include "ottla/common/vfs.h"

static void
put_pair(ConfReader *reader, const Properties *pair, const ConfProviders *providers, StrBuf *filled)
{
    StrView name = strbuf_view(&pair->name), value = strbuf_view(&pair->value);
    int id = conf_find(CONF_SCOPE_BROKER, name);

    if (conf_providers_own(name))
        return; /* read before everything else */
    if (value.len > 0 && strchr(" \t\f", value.ptr[value.len - 1]) != NULL)
        conf_warning(reader, "%s: the value ends in a blank", name.ptr);
    if (id >= 0 && reader->set->settings[id].place != NULL &&
        strncmp(reader->set->settings[id].place, reader->file, strlen(reader->file)) == 0)
        conf_warning(reader, "%s is set a second time; the last one counts", name.ptr);
    if (conf_providers_fill(reader, providers, pair, filled))
        conf_put(reader, name, strbuf_view(filled));
}

/* Of a file, so far. */
typedef struct Kind {
    int zookeeper_line; /* that names ZooKeeper; 0: none */
    bool has_roles;
} Kind;

static void
look_at_kind(const Properties *pair, Kind *kind)
{
    StrView name = strbuf_view(&pair->name);

    if (strview_equal(name, STRVIEW("zookeeper.connect")))
        kind->zookeeper_line = pair->line;
    else if (strview_equal(name, STRVIEW("process.roles")))
        kind->has_roles = true;
}

/* The file of a broker that keeps its metadata in ZooKeeper: started with it, a node would begin an empty cluster. */
static void
refuse_zookeeper(ConfReader *inner, const Kind *kind)
{
    if (kind->zookeeper_line == 0 || kind->has_roles)
        return;
    inner->line = kind->zookeeper_line;
    conf_error(inner,
               "zookeeper.connect without process.roles: the metadata of this broker lies in "
               "ZooKeeper; move "
               "the cluster to KRaft with Apache Kafka 3.9 first (ottla.conf(5), ZOOKEEPER)");
}

void
conf_read_properties(ConfReader *reader, const char *path)
{
    ConfReader inner = *reader;
    ConfProviders providers = {0};
    Properties pairs;
    StrBuf filled;
    BytesView bytes;
    Kind kind = {0};
    ErrInfo err;

    if (vfs_read_file(path, LIMIT_CONF_FILE_BYTES, reader->set->arena, &bytes, &err) < 0) {
        conf_error(reader, "%s", err.text);
        return;
    }
    inner.file = path;
    inner.what = NULL;
    inner.properties = true;
    conf_providers_find(&inner, bytes, &providers);
    strbuf_init(&filled, LIMIT_CONF_LINE_BYTES, NULL);
    properties_init(&pairs, bytes);
    for (;;) {
        PropertiesResult result = properties_next(&pairs);

        if (result == PROPERTIES_END)
            break;
        inner.line = pairs.line;
        if (pairs.latin1)
            conf_warning(&inner, "no UTF-8; read as ISO-8859-1");
        if (result == PROPERTIES_LONG)
            conf_error(&inner, "line of more than %d bytes", LIMIT_CONF_LINE_BYTES);
        else if (result == PROPERTIES_BAD_ESCAPE)
            conf_error(&inner, "\\u is not followed by four hexadecimal digits");
        else
            put_pair(&inner, &pairs, &providers, &filled);
        if (result != PROPERTIES_LONG && result != PROPERTIES_BAD_ESCAPE)
            look_at_kind(&pairs, &kind);
    }
    refuse_zookeeper(&inner, &kind);
    properties_fini(&pairs);
    strbuf_release(&filled);
}
