/*
 * meta_properties.c - reads and writes meta.properties in Kafka's format
 *
 * Runs in: supervisor. Never: decides whether ids fit together (datadir.c).
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/meta_properties.h"

#include <stdio.h>
#include <string.h>

#include "ottla/common/arena.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"

static StrView
next_line(StrView *rest)
{
    const char *end = memchr(rest->ptr, '\n', (size_t)rest->len);
    int32_t len = end == NULL ? rest->len : (int32_t)(end - rest->ptr);
    int32_t used = end == NULL ? len : len + 1;
    StrView line = text_trim((StrView){rest->ptr, len});

    rest->ptr += used;
    rest->len -= used;
    return line;
}

/* Nothing that would be read as another value when it is printed. */
static bool
is_plain(StrView text)
{
    for (int32_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
            return false;
    return true;
}

/* One key=value; unknown keys are ignored, as Kafka does. */
static int
take_value(StrView key, StrView value, MetaProperties *props, ErrInfo *err)
{
    bool good = true;
    int32_t number = -1;

    if (strview_equal(key, STRVIEW("version"))) {
        good = text_to_int32(value, &number) && number >= 0 && number <= 1;
        props->version = number;
    } else if (strview_equal(key, STRVIEW("cluster.id"))) {
        good = value.len > 0 && value.len < NODE_CLUSTER_ID_MAX && is_plain(value);
        if (good) {
            memcpy(props->cluster_id, value.ptr, (size_t)value.len);
            props->cluster_id[value.len] = '\0';
        }
    } else if (strview_equal(key, STRVIEW("node.id")) || strview_equal(key, STRVIEW("broker.id"))) {
        good = text_to_int32(value, &props->node_id) && props->node_id >= 0;
    } else if (strview_equal(key, STRVIEW("directory.id"))) {
        good = uuid_from_text(value, &props->directory_id);
        props->has_directory_id = good;
    }
    if (!good)
        return err_set(err, OT_E_CORRUPT, "bad value \"%.*s\" of %.*s", (int)value.len, value.ptr,
                       (int)key.len, key.ptr);
    return 0;
}

int
meta_properties_parse(StrView text, MetaProperties *ret, ErrInfo *err)
{
    MetaProperties props = {.version = 0, .node_id = -1};
    StrView rest = text;

    while (rest.len > 0) {
        StrView line = next_line(&rest);
        if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == '!')
            continue;
        const char *sep = memchr(line.ptr, '=', (size_t)line.len);
        if (sep == NULL)
            return err_set(err, OT_E_CORRUPT, "\"%.*s\" is not key=value", (int)line.len, line.ptr);
        StrView key = text_trim((StrView){line.ptr, (int32_t)(sep - line.ptr)});
        StrView value = text_trim((StrView){sep + 1, line.len - (int32_t)(sep + 1 - line.ptr)});
        int rc = take_value(key, value, &props, err);
        if (rc < 0)
            return rc;
    }
    if (props.version == 1 && props.cluster_id[0] == '\0')
        return err_set(err, OT_E_CORRUPT, "no cluster.id");
    if (props.version == 1 && props.node_id < 0)
        return err_set(err, OT_E_CORRUPT, "no node.id");
    *ret = props;
    return 0;
}

int
meta_properties_print(const MetaProperties *props, char ret[META_PROPERTIES_MAX])
{
    char id[UUID_TEXT_LEN + 1];

    uuid_to_text(props->directory_id, id);
    return snprintf(ret, META_PROPERTIES_MAX,
                    "version=1\ncluster.id=%s\nnode.id=%d\ndirectory.id=%s\n", props->cluster_id,
                    props->node_id, id);
}

static void
file_path(const char *dir, char ret[NODE_PATH_MAX + 32])
{
    snprintf(ret, NODE_PATH_MAX + 32, "%s/" META_PROPERTIES_FILE, dir);
}

int
meta_properties_load(const char *dir, MetaProperties *ret, ErrInfo *err)
{
    char path[NODE_PATH_MAX + 32];
    Arena *arena = arena_new(META_PROPERTIES_MAX + 64, 0);
    BytesView bytes;
    int rc;

    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory");
    file_path(dir, path);
    rc = vfs_read_file(path, META_PROPERTIES_MAX, arena, &bytes, err);
    if (rc == 0) {
        rc = meta_properties_parse((StrView){(const char *)bytes.ptr, bytes.len}, ret, err);
        if (rc < 0)
            err_prefix(err, "%s", path);
    }
    arena_free(arena);
    return rc;
}

int
meta_properties_store(const char *dir, const MetaProperties *props, ErrInfo *err)
{
    char path[NODE_PATH_MAX + 32];
    char text[META_PROPERTIES_MAX];
    int len = meta_properties_print(props, text);

    file_path(dir, path);
    return vfs_replace_file(path, (BytesView){(const uint8_t *)text, len}, 0640, VFS_SYNCED, err);
}
