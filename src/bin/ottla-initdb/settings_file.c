/*
 * settings_file.c - DIR/ottla.conf of a directory that is formatted: what was given, in the file's own words
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "initdb_int.h"
#include "ottla/common/conf.h"
#include "ottla/common/vfs.h"

#define FILE_BYTES_MAX (8u << 20)

static void
add_assignment(StrBuf *out, const char *assignment)
{
    const char *equal = strchr(assignment, '=');

    strbuf_printf(out, "%.*s = '", (int)(equal - assignment), assignment);
    for (const char *p = equal + 1; *p != '\0'; p++) {
        if (*p == '\'' || *p == '\\')
            strbuf_add_char(out, '\\');
        strbuf_add_char(out, *p);
    }
    strbuf_add_cstr(out, "'\n");
}

static int
make_text(const SettingsFile *file, StrBuf *out, ErrInfo *err)
{
    ConfReport report;
    int rc = 0;

    strbuf_add_cstr(out, "# Settings of this node; see ottla.conf(5) and ottla-settings(5).\n");
    if (file->properties != NULL) {
        conf_report_init(&report);
        strbuf_printf(out, "# Made from %s.\n\n", file->properties);
        rc = conf_convert_properties(file->properties, out, &report);
        if (rc < 0)
            rc = err_set(err, rc, "%.*s", (int)strcspn(report.errors.ptr, "\n"), report.errors.ptr);
        conf_report_release(&report);
    }
    if (file->assignment_count > 0)
        strbuf_add_cstr(out, "\n# given when the directory was formatted\n");
    for (int i = 0; i < file->assignment_count; i++)
        add_assignment(out, file->assignments[i]);
    return rc == 0 && strbuf_failed(out) ? err_set(err, OT_E_NO_MEMORY, "no memory") : rc;
}

int
settings_file_write(SettingsFile *file, ErrInfo *err)
{
    struct stat st;
    StrBuf text;
    int rc;

    if (vfs_stat(file->path, &st, NULL) == 0)
        return file->properties == NULL
                   ? 0
                   : err_set(err, OT_E_EXISTS, "%s is there already", file->path);
    strbuf_init(&text, FILE_BYTES_MAX, NULL);
    rc = make_text(file, &text, err);
    if (rc == 0)
        rc = vfs_replace_file(file->path, (BytesView){(const uint8_t *)text.ptr, (int32_t)text.len},
                              0640, VFS_SYNCED, err);
    file->written = rc == 0;
    strbuf_release(&text);
    return rc;
}
