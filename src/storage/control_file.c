/*
 * control_file.c - DIR/control: what the node was doing last, which log directories failed
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/storage/control_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ottla/common/arena.h"
#include "ottla/common/crc32c.h"
#include "ottla/common/strbuf.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"

#define FIRST_LINE   "ottla-control 2\n"
#define FIRST_LINE_1 "ottla-control 1\n" /* has no line of the node's state */
#define CRC_KEY      "crc32c\t"
#define CRC_LINE_LEN (sizeof CRC_KEY - 1 + 8 + 1)
#define FILE_MAX     (CONTROL_ROWS_MAX * 4096)

static_assert(sizeof FIRST_LINE == sizeof FIRST_LINE_1, "read alike");

const char *
control_node_state_name(ControlNodeState state)
{
    static const char *const names[CONTROL_NODE_STATE_COUNT] = {"unknown", "in crash recovery",
                                                                "in production", "shut down"};

    return names[state];
}

/* ---- encoding ----------------------------------------------------------------------------------- */

static void
add_printable(StrBuf *out, const char *text)
{
    for (; *text != '\0'; text++)
        strbuf_add_char(out, (unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void
encode(const ControlFile *file, StrBuf *out)
{
    int32_t i;

    strbuf_add_cstr(out, FIRST_LINE);
    if (file->node.state != CONTROL_NODE_UNKNOWN) {
        strbuf_printf(out, "state\t%s\t%" PRId64 "\t%" PRId64 "\t",
                      control_node_state_name(file->node.state), file->node.changed_ms,
                      file->node.checkpoint_ms);
        add_printable(out, file->node.version);
        strbuf_add_char(out, '\n');
    }
    for (i = 0; i < file->count; i++) {
        const ControlRow *row = &file->rows[i];
        char id[UUID_TEXT_LEN + 1];

        uuid_to_text(row->directory_id, id);
        strbuf_printf(out, "failed\t%s\t%s\t%" PRId64 "\t", id, logdir_failure_name(row->failure),
                      row->time_ms);
        add_printable(out, row->path);
        strbuf_add_char(out, '\t');
        add_printable(out, row->text);
        strbuf_add_char(out, '\n');
    }
    if (!strbuf_failed(out))
        strbuf_printf(out, CRC_KEY "%08" PRIx32 "\n", crc32c(out->ptr, out->len));
}

int
control_file_store(const char *path, const ControlFile *file, ErrInfo *err)
{
    StrBuf text;
    int rc;

    strbuf_init(&text, FILE_MAX, NULL);
    encode(file, &text);
    if (strbuf_failed(&text))
        rc = err_set(err, OT_E_NO_MEMORY, "no memory for %s", path);
    else
        rc = vfs_replace_file(path, (BytesView){(const uint8_t *)text.ptr, (int32_t)text.len}, 0640,
                              VFS_SYNCED, err);
    strbuf_release(&text);
    return rc;
}

/* ---- decoding ----------------------------------------------------------------------------------- */

/* The bytes up to the next separator, which is taken away with them; false: there is none. */
static bool
take_until(StrView *rest, char separator, StrView *ret)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->ptr, separator, (size_t)rest->len);

    if (end == NULL)
        return false;
    *ret = (StrView){rest->ptr, (int32_t)(end - rest->ptr)};
    rest->len -= ret->len + 1;
    rest->ptr = end + 1;
    return true;
}

static bool
decode_failure(StrView name, LogDirFailure *ret)
{
    int failure;

    for (failure = LOGDIR_FAILURE_NONE + 1; failure < LOGDIR_FAILURE_COUNT; failure++) {
        if (strview_equal(name, strview_from(logdir_failure_name((LogDirFailure)failure)))) {
            *ret = (LogDirFailure)failure;
            return true;
        }
    }
    return false;
}

static bool
decode_row(StrView line, ControlRow *ret)
{
    StrView key;
    StrView id;
    StrView failure;
    StrView time;
    StrView path;

    if (!take_until(&line, '\t', &key) || !strview_equal(key, STRVIEW("failed")) ||
        !take_until(&line, '\t', &id) || !take_until(&line, '\t', &failure) ||
        !take_until(&line, '\t', &time) || !take_until(&line, '\t', &path))
        return false;
    if (!uuid_from_text(id, &ret->directory_id) || !decode_failure(failure, &ret->failure) ||
        !text_to_int64(time, &ret->time_ms) || path.len >= (int32_t)sizeof ret->path ||
        line.len >= (int32_t)sizeof ret->text)
        return false;
    (void)snprintf(ret->path, sizeof ret->path, "%.*s", (int)path.len, path.ptr);
    (void)snprintf(ret->text, sizeof ret->text, "%.*s", (int)line.len, line.ptr);
    return true;
}

/* The line of the node's state; false: it is another line, or cannot be read. */
static bool
decode_node(StrView line, ControlNode *ret)
{
    StrView key, state, changed, checkpoint;

    if (!take_until(&line, '\t', &key) || !strview_equal(key, STRVIEW("state")) ||
        !take_until(&line, '\t', &state) || !take_until(&line, '\t', &changed) ||
        !take_until(&line, '\t', &checkpoint) || line.len >= (int32_t)sizeof ret->version ||
        !text_to_int64(changed, &ret->changed_ms) ||
        !text_to_int64(checkpoint, &ret->checkpoint_ms))
        return false;
    (void)snprintf(ret->version, sizeof ret->version, "%.*s", (int)line.len, line.ptr);
    for (int i = CONTROL_NODE_UNKNOWN + 1; i < CONTROL_NODE_STATE_COUNT; i++)
        if (strview_equal(state, strview_from(control_node_state_name((ControlNodeState)i))))
            ret->state = (ControlNodeState)i;
    return ret->state != CONTROL_NODE_UNKNOWN;
}

/* The rows between the first line and that of the checksum, which holds. */
static bool
decode(StrView text, ControlFile *ret)
{
    char last[CRC_LINE_LEN + 1];
    StrView line;

    ret->count = 0;
    ret->node = (ControlNode){0};
    if (text.len < (int32_t)(sizeof FIRST_LINE - 1 + CRC_LINE_LEN))
        return false;
    text.len -= (int32_t)CRC_LINE_LEN;
    (void)snprintf(last, sizeof last, CRC_KEY "%08" PRIx32 "\n",
                   crc32c(text.ptr, (size_t)text.len));
    if (memcmp(text.ptr + text.len, last, CRC_LINE_LEN) != 0 ||
        (memcmp(text.ptr, FIRST_LINE, sizeof FIRST_LINE - 1) != 0 &&
         memcmp(text.ptr, FIRST_LINE_1, sizeof FIRST_LINE_1 - 1) != 0))
        return false;
    text.ptr += sizeof FIRST_LINE - 1;
    text.len -= (int32_t)(sizeof FIRST_LINE - 1);
    while (take_until(&text, '\n', &line)) {
        if (ret->node.state == CONTROL_NODE_UNKNOWN && ret->count == 0 &&
            decode_node(line, &ret->node))
            continue;
        if (ret->count == CONTROL_ROWS_MAX || !decode_row(line, &ret->rows[ret->count]))
            return false;
        ret->count++;
    }
    return text.len == 0;
}

int
control_file_load(const char *path, ControlFile *ret, ErrInfo *err)
{
    Arena *arena = arena_new(4096, 2 * (size_t)FILE_MAX);
    BytesView bytes;
    int rc;

    if (arena == NULL)
        return err_set(err, OT_E_NO_MEMORY, "no memory to read %s", path);
    rc = vfs_read_file(path, FILE_MAX, arena, &bytes, err);
    if (rc == OT_E_LIMIT ||
        (rc == 0 && !decode((StrView){(const char *)bytes.ptr, bytes.len}, ret)))
        rc = err_set(err, OT_E_CORRUPT, "%s is damaged", path);
    arena_free(arena);
    return rc;
}
