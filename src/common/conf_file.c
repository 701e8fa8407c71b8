/*
 * conf_file.c - ottla.conf, -c name=value and OTTLA_CONF_*: the sources that people write by hand
 *
 * Runs in: supervisor. Never: logs; reports with file and line.
 * Spec: shell-and-service.md 12.1.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf_int.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/common/vfs.h"

#define INCLUDE_FILES_MAX 1000

static void read_one(ConfReader *reader, const char *path, bool required);

/* Bytes of a line, and where the next word begins. */
typedef struct Line {
    const char *at;
    const char *end;
} Line;

static bool
is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f';
}

static void
skip_blanks(Line *line)
{
    while (line->at < line->end && is_blank(*line->at))
        line->at++;
}

/* Nothing but a comment is left. */
static bool
at_end(Line *line)
{
    skip_blanks(line);
    return line->at == line->end || *line->at == '#';
}

static StrView
take_name(Line *line)
{
    const char *start = line->at;

    while (line->at < line->end && !is_blank(*line->at) && *line->at != '=' && *line->at != '#')
        line->at++;
    return (StrView){start, (int32_t)(line->at - start)};
}

/* A value in quotes, with '' and \' inside. False: no closing quote, or no memory. */
static bool
take_quoted(ConfReader *reader, Line *line, StrView *ret)
{
    char *out = arena_alloc(reader->set->arena, (size_t)(line->end - line->at) + 1);
    int32_t len = 0;

    if (out == NULL)
        return false;
    for (line->at++; line->at < line->end; line->at++) {
        if (*line->at == '\\' && line->at + 1 < line->end &&
            (line->at[1] == '\'' || line->at[1] == '\\')) {
            line->at++;
        } else if (*line->at == '\'') {
            if (line->at + 1 == line->end || line->at[1] != '\'') {
                line->at++;
                *ret = (StrView){out, len};
                return true;
            }
            line->at++;
        }
        out[len++] = *line->at;
    }
    return false;
}

/* A bare value reaches to a comment or the end of the line. */
static StrView
take_bare(Line *line)
{
    const char *start = line->at, *end;

    while (line->at < line->end &&
           !(*line->at == '#' && (line->at == start || is_blank(line->at[-1]))))
        line->at++;
    end = line->at;
    while (end > start && is_blank(end[-1]))
        end--;
    return (StrView){start, (int32_t)(end - start)};
}

static int
ends_in_conf(StrView name)
{
    return name.len > 5 && name.ptr[0] != '.' && memcmp(name.ptr + name.len - 5, ".conf", 5) == 0;
}

/* The path of an include, relative to the file that names it. */
static const char *
relative_path(ConfReader *reader, StrView name)
{
    const char *slash = reader->file == NULL ? NULL : strrchr(reader->file, '/');

    if (slash == NULL || (name.len > 0 && name.ptr[0] == '/'))
        return arena_strdup(reader->set->arena, name);
    return arena_printf(reader->set->arena, "%.*s/%.*s", (int)(slash - reader->file), reader->file,
                        (int)name.len, name.ptr);
}

static void
include_dir(ConfReader *reader, const char *path)
{
    StrView *names;
    int32_t count;
    ErrInfo err;

    if (vfs_list(path, INCLUDE_FILES_MAX, reader->set->arena, &names, &count, &err) < 0) {
        conf_error(reader, "%s", err.text);
        return;
    }
    for (int32_t i = 0; i < count; i++) {
        const char *file;

        if (!ends_in_conf(names[i]))
            continue;
        file = arena_printf(reader->set->arena, "%s/%s", path, names[i].ptr);
        if (file == NULL)
            conf_error(reader, "no memory for the settings");
        else
            read_one(reader, file, true);
    }
}

/* include, include_if_exists, include_dir, include_properties: true when it was one. */
static bool
take_include(ConfReader *reader, StrView name, StrView value)
{
    bool file = strview_equal(name, STRVIEW("include"));
    bool maybe = strview_equal(name, STRVIEW("include_if_exists"));
    bool dir = strview_equal(name, STRVIEW("include_dir"));
    bool properties = strview_equal(name, STRVIEW("include_properties"));
    const char *path;

    if (!file && !maybe && !dir && !properties)
        return false;
    path = relative_path(reader, value);
    if (value.len == 0 || path == NULL) {
        conf_error(reader, "%.*s needs a path", (int)name.len, name.ptr);
    } else if (reader->depth >= LIMIT_CONF_INCLUDE_DEPTH) {
        conf_error(reader, "files include each other more than %d deep", LIMIT_CONF_INCLUDE_DEPTH);
    } else if (dir) {
        include_dir(reader, path);
    } else if (properties) {
        conf_read_properties(reader, path);
    } else {
        read_one(reader, path, file);
    }
    return true;
}

static void
read_line(ConfReader *reader, StrView text)
{
    Line line = {text.ptr, text.ptr + text.len};
    StrView name, value;
    char shown[80];

    if (at_end(&line))
        return;
    name = take_name(&line);
    skip_blanks(&line);
    if (line.at < line.end && *line.at == '=') {
        line.at++;
        skip_blanks(&line);
    }
    if (name.len == 0) {
        conf_error(reader, "a line begins with the name of a setting");
        return;
    }
    if (line.at < line.end && *line.at == '\'') {
        if (!take_quoted(reader, &line, &value)) {
            conf_error(reader, "%s: the closing quote is missing",
                       log_escape(name, shown, sizeof shown));
            return;
        }
        if (!at_end(&line)) {
            conf_error(reader, "%s: text behind the closing quote",
                       log_escape(name, shown, sizeof shown));
            return;
        }
    } else {
        value = take_bare(&line);
    }
    if (!take_include(reader, name, value))
        conf_put(reader, name, value);
}

/* Is the file one of those that led here? Then it would be read for ever. */
static bool
is_cycle(const ConfReader *reader, const char *path, ConfFrame *ret)
{
    struct stat st;

    *ret = (ConfFrame){.outer = reader->frame};
    if (vfs_stat(path, &st, NULL) < 0)
        return false;
    ret->device = st.st_dev;
    ret->inode = st.st_ino;
    for (const ConfFrame *frame = reader->frame; frame != NULL; frame = frame->outer)
        if (frame->device == ret->device && frame->inode == ret->inode)
            return true;
    return false;
}

static void read_lines(ConfReader *reader, BytesView bytes);

/* Reads one file with the reader's place saved around it. */
static void
read_one(ConfReader *reader, const char *path, bool required)
{
    const char *outer_file = reader->file;
    int outer_line = reader->line;
    ConfFrame frame;
    BytesView bytes;
    ErrInfo err;
    int rc;

    if (is_cycle(reader, path, &frame)) {
        conf_error(reader, "%s includes itself", path);
        return;
    }
    rc = vfs_read_file(path, LIMIT_CONF_FILE_BYTES, reader->set->arena, &bytes, &err);
    if (rc < 0) {
        if (rc != OT_E_NOT_FOUND || required)
            conf_error(reader, "%s", err.text);
        return;
    }
    reader->file = path;
    reader->line = 0;
    reader->depth++;
    reader->frame = &frame;
    read_lines(reader, bytes);
    reader->frame = frame.outer;
    reader->depth--;
    reader->file = outer_file;
    reader->line = outer_line;
}

static void
read_lines(ConfReader *reader, BytesView bytes)
{
    for (int32_t at = 0; at < bytes.len;) {
        const uint8_t *start = bytes.ptr + at;
        const uint8_t *feed = memchr(start, '\n', (size_t)(bytes.len - at));
        int32_t len = feed == NULL ? bytes.len - at : (int32_t)(feed - start);

        reader->line++;
        if (len > LIMIT_CONF_LINE_BYTES)
            conf_error(reader, "line of more than %d bytes", LIMIT_CONF_LINE_BYTES);
        else
            read_line(reader, (StrView){(const char *)start, len});
        at += len + 1;
    }
}

void
conf_read_file(ConfReader *reader, const char *path, bool required)
{
    size_t len = strlen(path);

    reader->file = NULL;
    reader->what = NULL;
    if (len > 11 && strcmp(path + len - 11, ".properties") == 0) {
        if (required || access(path, F_OK) == 0)
            conf_read_properties(reader, path);
        return;
    }
    read_one(reader, path, required);
}

void
conf_read_assignment(ConfReader *reader, const char *assignment)
{
    const char *equal = strchr(assignment, '=');
    char shown[80];

    reader->file = NULL;
    reader->what = "command line";
    if (equal == NULL || equal == assignment) {
        conf_error(reader, "-c wants name=value, not \"%s\"",
                   log_escape(strview_from(assignment), shown, sizeof shown));
        return;
    }
    conf_put(reader, text_trim((StrView){assignment, (int32_t)(equal - assignment)}),
             strview_from(equal + 1));
    reader->what = NULL;
}

void
conf_read_environment(ConfReader *reader)
{
    static const char prefix[] = "OTTLA_CONF_";

    reader->file = NULL;
    reader->what = "environment";
    for (char **entry = environ; entry != NULL && *entry != NULL; entry++) {
        const char *name = *entry + sizeof prefix - 1, *equal;

        if (strncmp(*entry, prefix, sizeof prefix - 1) != 0)
            continue;
        equal = strchr(name, '=');
        if (equal != NULL)
            conf_put(reader, (StrView){name, (int32_t)(equal - name)}, strview_from(equal + 1));
    }
    reader->what = NULL;
}
