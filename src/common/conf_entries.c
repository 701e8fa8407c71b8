/*
 * conf_entries.c - the files of the settings line by line, and ottla.auto.conf changed
 *
 * Runs in: backend (view file_settings, OttlaControl). Never: logs, changes what is in force.
 * Reads by the readers that a reload uses, into a set that is thrown away, so both say the same.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/conf_entries.h"

#include <stdio.h>
#include <stdlib.h>

#include "conf_int.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/common/vfs.h"

#define AUTO_FILE_MODE 0600
#define AUTO_HEAD      "# Written by ALTER SYSTEM: what is changed here by hand may be lost.\n"

/* A reader with a set and a report that nobody looks at. False: no memory. */
static bool
reader_open(ConfReader *ret, ConfReport *report)
{
    ConfSet *set = calloc(1, sizeof *set);

    if (set == NULL || (set->arena = arena_new(16384, 64 << 20)) == NULL) {
        free(set);
        return false;
    }
    conf_report_init(report);
    *ret = (ConfReader){.set = set, .report = report};
    return true;
}

static void
reader_close(ConfReader *reader)
{
    conf_report_release(reader->report);
    arena_free(reader->set->arena);
    free(reader->set);
}

void
conf_read_entries(const ConfArgs *args, ConfEntryFn take, void *arg)
{
    ConfWatch watch = {.take = take, .arg = arg};
    ConfReport report;
    ConfReader reader;

    if (!reader_open(&reader, &report))
        return;
    reader.watch = &watch;
    if (args->properties != NULL)
        conf_read_properties(&reader, args->properties);
    if (args->file != NULL)
        conf_read_file(&reader, args->file, args->file_required);
    if (args->auto_file != NULL)
        conf_read_file(&reader, args->auto_file, false);
    reader_close(&reader);
}

/* ---- ottla.auto.conf ---- */

/* What the file is to hold. */
typedef struct AutoFile {
    const ConfAutoEdit *edit;
    StrBuf text;
    char error[256]; /* "": none */
} AutoFile;

/* The same setting, however it is written. */
static bool
same_name(StrView a, StrView b)
{
    int id = conf_find_loose(a);

    return id >= 0 ? conf_find_loose(b) == id : strview_equal(a, b);
}

static void
add_quoted(StrBuf *text, StrView value)
{
    strbuf_add_char(text, '\'');
    for (int32_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == '\'' || value.ptr[i] == '\\')
            strbuf_add_char(text, value.ptr[i] == '\'' ? '\'' : '\\');
        strbuf_add_char(text, value.ptr[i]);
    }
    strbuf_add_char(text, '\'');
}

static void
add_line(StrBuf *text, StrView name, StrView value)
{
    strbuf_add_view(text, name);
    strbuf_add_cstr(text, " = ");
    add_quoted(text, value);
    strbuf_add_char(text, '\n');
}

/* What is in the file and stays. */
static void
keep_entry(void *arg, const ConfEntry *entry)
{
    AutoFile *file = arg;

    if (entry->name.ptr == NULL) {
        snprintf(file->error, sizeof file->error, "%.100s:%d: %.100s", entry->file, entry->line,
                 entry->error);
        return;
    }
    if (file->edit->reset_all)
        return;
    for (int32_t i = 0; i < file->edit->count; i++)
        if (same_name(file->edit->changes[i].name, entry->name))
            return;
    add_line(&file->text, entry->name, entry->value);
}

/* Would a line of ottla.auto.conf with this name and value be right? */
static int
judge(const ConfAutoChange *change, ErrInfo *err)
{
    char shown[80];
    ConfReport report;
    ConfReader reader;
    StrView said;
    int rc = 0;

    for (int32_t i = 0; i < change->value.len; i++)
        if ((uint8_t)change->value.ptr[i] < 0x20)
            return err_set(err, OT_E_INVALID_CONFIG, "the value of %s holds a control byte",
                           log_escape(change->name, shown, sizeof shown));
    if (change->value.len > LIMIT_CONFIG_VALUE_LEN || change->name.len > LIMIT_CONFIG_VALUE_LEN)
        return err_set(err, OT_E_INVALID_CONFIG, "a value of more than %d bytes",
                       LIMIT_CONFIG_VALUE_LEN);
    if (!reader_open(&reader, &report))
        return err_set(err, OT_E_NO_MEMORY, "no memory for the settings");
    reader.place = "ottla.auto.conf";
    conf_put(&reader, change->name, change->value);
    said = strbuf_view(&report.errors);
    if (report.error_count > 0) /* the first line of what was said */
        rc = err_set(err, OT_E_INVALID_CONFIG, "%.*s",
                     said.len > 0 ? (int)strcspn(said.ptr, "\n") : 0, said.ptr);
    reader_close(&reader);
    return rc;
}

/* A name that is taken out may be any that stands in the file, or no longer does. */
static int
judge_all(const ConfAutoEdit *edit, ErrInfo *err)
{
    for (int32_t i = 0; i < edit->count; i++) {
        int rc = edit->changes[i].value.ptr == NULL ? 0 : judge(&edit->changes[i], err);

        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The last change of a setting counts. */
static bool
is_superseded(const ConfAutoEdit *edit, int32_t at)
{
    for (int32_t i = at + 1; i < edit->count; i++)
        if (same_name(edit->changes[i].name, edit->changes[at].name))
            return true;
    return false;
}

static void
add_changes(AutoFile *file)
{
    for (int32_t i = 0; i < file->edit->count; i++) {
        const ConfAutoChange *change = &file->edit->changes[i];
        int id = conf_find_loose(change->name);

        if (change->value.ptr != NULL && !is_superseded(file->edit, i))
            add_line(&file->text, id < 0 ? change->name : strview_from(conf_rows[id].name),
                     change->value);
    }
}

int
conf_auto_edit(const char *path, const ConfAutoEdit *edit, ErrInfo *err)
{
    AutoFile file = {.edit = edit};
    int rc = judge_all(edit, err);

    if (rc < 0 || path == NULL)
        return rc;
    strbuf_init(&file.text, LIMIT_CONF_FILE_BYTES, NULL);
    strbuf_add_cstr(&file.text, AUTO_HEAD);
    conf_read_entries(&(ConfArgs){.auto_file = path}, keep_entry, &file);
    add_changes(&file);
    if (file.error[0] != '\0' && !edit->reset_all)
        rc = err_set(err, OT_E_INVALID_CONFIG, "mend the file first: %s", file.error);
    else if (strbuf_failed(&file.text))
        rc = err_set(err, OT_E_LIMIT, "%s would have more than %d bytes, or there is no memory",
                     path, LIMIT_CONF_FILE_BYTES);
    else {
        StrView text = strbuf_view(&file.text);

        rc = vfs_replace_file(path, (BytesView){(const uint8_t *)text.ptr, text.len},
                              AUTO_FILE_MODE, VFS_SYNCED, err);
    }
    strbuf_release(&file.text);
    return rc;
}
