/*
 * main.c - ottla-controldata: what the files of a node say about it, without asking it
 *
 * Reads DIR/control, the meta.properties of all its directories, their markers, and the metadata log. Changes nothing.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/common/strbuf.h"
#include "ottla/common/usage.h"
#include "ottla/common/version.h"
#include "ottla/common/vfs.h"
#include "ottla/controller/metadata_facts.h"
#include "ottla/postmaster/datadir.h"
#include "ottla/postmaster/meta_properties.h"
#include "ottla/storage/control_file.h"

#define EXIT_DONE       0
#define EXIT_FAILED     1
#define ASSIGNMENTS_MAX 64
#define TEXT_MAX        (1u << 20)
#define NAME_WIDTH      36

typedef struct Args {
    const char *data_dir;
    const char *config;
    const char *assignments[ASSIGNMENTS_MAX];
    int assignment_count;
    bool json;
} Args;

/* Lines "name: value", or members of one JSON object. */
typedef struct Sheet {
    StrBuf text;
    bool json;
    bool open; /* an object of a list was begun */
    bool first;
} Sheet;

static void
print_help(void)
{
    fputs(
        "ottla-controldata: what the files of a node say about it, without asking it\n"
        "\n"
        "usage: ottla-controldata -D DIR [-c NAME=VALUE]... [--json]\n"
        "\n"
        "  -D DIR           data directory\n"
        "  -c NAME=VALUE    a setting that says where its directories are (config_file, log.dirs,\n"
        "                   metadata.log.dir), when DIR/ottla.conf does not\n"
        "  --json           one JSON object\n"
        "  --version, --help\n"
        "\n"
        "Exit codes: 0 read, 1 something cannot be read, or its checksum is wrong.\n",
        stdout);
}

static int
complain(const char *what, const char *value)
{
    return usage_fault("ottla-controldata", what, value, EXIT_FAILED);
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, Args *args)
{
    enum { OPT_JSON = 256, OPT_VERSION, OPT_HELP };
    static const struct option longs[] = {
        {"json", no_argument, NULL, OPT_JSON},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "D:c:", longs, NULL)) != -1) {
        switch (option) {
        case 'D':
            args->data_dir = optarg;
            break;
        case 'c':
            if (strchr(optarg, '=') == NULL)
                return complain("-c wants NAME=VALUE", optarg);
            if (strncmp(optarg, "config_file=", 12) == 0)
                args->config = optarg + 12;
            else if (args->assignment_count == ASSIGNMENTS_MAX)
                return complain("too many settings (-c)", NULL);
            else
                args->assignments[args->assignment_count++] = optarg;
            break;
        case OPT_JSON:
            args->json = true;
            break;
        case OPT_VERSION:
            printf("ottla-controldata %s (%s)\n", OT_VERSION, OT_BUILD_ID);
            return EXIT_DONE;
        case OPT_HELP:
            print_help();
            return EXIT_DONE;
        default:
            return complain("unknown option, or one without its value", NULL);
        }
    }
    if (optind < argc)
        return complain("unexpected argument", argv[optind]);
    return args->data_dir == NULL ? complain("-D DIR is missing", NULL) : -1;
}

/* ---- the sheet ---- */

static void put(Sheet *sheet, const char *name, const char *key, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* One fact; name for people, key for programs. A value of digits alone is a number there. */
static void
put(Sheet *sheet, const char *name, const char *key, const char *format, ...)
{
    char value[2 * PATH_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (!sheet->json) {
        strbuf_printf(&sheet->text, "%s%s:%*s%s\n", sheet->open ? "  " : "", name,
                      (int)(NAME_WIDTH - strlen(name) - (sheet->open ? 2 : 0)), "", value);
        return;
    }
    strbuf_printf(&sheet->text, "%s\"%s\":", sheet->first ? "" : ",", key);
    sheet->first = false;
    if (value[0] != '\0' && strspn(value, "-0123456789") == strlen(value) && strlen(value) < 19 &&
        strcmp(key, "cluster_id") != 0)
        strbuf_add_cstr(&sheet->text, value);
    else
        strbuf_add_json(&sheet->text, strview_from(value));
}

static void
put_time(Sheet *sheet, const char *name, const char *key, int64_t wall_ms)
{
    char text[CLOCK_TEXT_LEN + 1];

    if (sheet->json) {
        put(sheet, name, key, "%" PRId64, wall_ms);
        return;
    }
    clock_format(wall_ms, text);
    put(sheet, name, key, "%s", wall_ms == 0 ? "never" : text);
}

/* ---- what is read ---- */

static bool
exists(const char *dir, const char *name)
{
    char path[PATH_MAX];
    struct stat st;

    return (size_t)snprintf(path, sizeof path, "%s/%s", dir, name) < sizeof path &&
           vfs_stat(path, &st, NULL) == 0;
}

/* The directories as the settings have them; a file of settings that is wrong is no reason to see nothing. */
static int
find_directories(const Args *args, Datadir *ret, ErrInfo *err)
{
    static char own_file[PATH_MAX];
    DatadirSettings settings = {.data_dir = args->data_dir, .node_id = -1};
    ConfArgs sources = {.file = args->config != NULL ? args->config : own_file,
                        .file_required = args->config != NULL,
                        .assignments = args->assignments,
                        .assignment_count = args->assignment_count};
    ConfReport report;

    snprintf(own_file, sizeof own_file, "%s/ottla.conf", args->data_dir);
    conf_report_init(&report);
    if (conf_load(&sources, &report) < 0)
        fprintf(stderr, "ottla-controldata: WARNING: settings are not used: %s", report.errors.ptr);
    conf_report_release(&report);
    if (conf_is_set(CONF_LOG_DIRS))
        settings.log_dirs = conf_str(CONF_LOG_DIRS);
    else if (conf_is_set(CONF_LOG_DIR))
        settings.log_dirs = conf_str(CONF_LOG_DIR);
    if (conf_is_set(CONF_METADATA_LOG_DIR))
        settings.metadata_dir = conf_str(CONF_METADATA_LOG_DIR);
    return datadir_prepare(&settings, -1, -1, ret, err);
}

static int
show_control(Sheet *sheet, const char *data_dir, ControlFile **ret)
{
    ControlFile *file = calloc(1, sizeof *file);
    char path[PATH_MAX];
    ErrInfo err;
    int rc;

    *ret = file;
    if (file == NULL ||
        (size_t)snprintf(path, sizeof path, "%s/" CONTROL_FILE, data_dir) >= sizeof path)
        return complain("no memory, or the path is too long", data_dir);
    rc = control_file_load(path, file, &err);
    put(sheet, "Control file", "control_file", "%s",
        rc == 0                ? "checksum is right"
        : rc == OT_E_NOT_FOUND ? "none: never started"
                               : "WRONG CHECKSUM");
    if (rc != 0 && rc != OT_E_NOT_FOUND) {
        fprintf(stderr, "ottla-controldata: WARNING: %s\n", err.text);
        *file = (ControlFile){0};
    }
    put(sheet, "State of the node", "state", "%s", control_node_state_name(file->node.state));
    put_time(sheet, "Since", "state_since", file->node.changed_ms);
    put_time(sheet, "Last checkpoint", "checkpoint", file->node.checkpoint_ms);
    put(sheet, "Written by version", "version", "%s", file->node.version);
    return rc == 0 || rc == OT_E_NOT_FOUND ? EXIT_DONE : EXIT_FAILED;
}

static const char *
failure_of(const ControlFile *file, Uuid id)
{
    for (int32_t i = 0; i < file->count; i++)
        if (uuid_equal(file->rows[i].directory_id, id))
            return file->rows[i].text;
    return NULL;
}

static int
show_place(Sheet *sheet, const DatadirPlace *place, const ControlFile *control)
{
    MetaProperties props;
    char id[UUID_TEXT_LEN + 1];
    ErrInfo err;
    int rc = meta_properties_load(place->path, &props, &err);

    put(sheet,
        place->is_log && place->is_metadata ? "Log and metadata directory"
        : place->is_log                     ? "Log directory"
                                            : "Metadata directory",
        "path", "%s", place->path);
    sheet->open = true;
    if (sheet->json)
        put(sheet, "", "kind", "%s",
            place->is_log ? (place->is_metadata ? "both" : "log") : "metadata");
    if (rc < 0) {
        put(sheet, "meta.properties", "meta_properties", "%s",
            rc == OT_E_NOT_FOUND ? "none: not formatted" : err.text);
        sheet->open = false;
        return EXIT_FAILED;
    }
    uuid_to_text(props.directory_id, id);
    put(sheet, "Directory id", "directory_id", "%s", props.has_directory_id ? id : "none");
    if (place->is_log)
        put(sheet, "Closed in order", "clean", "%s",
            exists(place->path, ".kafka_cleanshutdown") ? "yes" : "no");
    const char *failure = failure_of(control, props.directory_id);
    if (failure != NULL || exists(place->path, FAILED_NOTE))
        put(sheet, "Failed", "failure", "%s", failure != NULL ? failure : "its own note says so");
    sheet->open = false;
    return EXIT_DONE;
}

static int
show_identity(Sheet *sheet, const Datadir *dir)
{
    for (int i = 0; i < dir->place_count; i++) {
        MetaProperties props;

        if (meta_properties_load(dir->places[i].path, &props, NULL) < 0)
            continue;
        put(sheet, "Format version", "format_version", "%d", props.version);
        put(sheet, "Cluster id", "cluster_id", "%s", props.cluster_id);
        put(sheet, "Node id", "node_id", "%d", props.node_id);
        return EXIT_DONE;
    }
    return EXIT_FAILED;
}

static int
show_metadata(Sheet *sheet, const char *metadata_dir)
{
    MetadataFacts facts;
    ErrInfo err;
    int rc = metadata_facts_load(metadata_dir, &facts, &err);

    if (rc == OT_E_NOT_FOUND) {
        put(sheet, "Metadata log", "metadata_log", "none");
        return EXIT_DONE;
    }
    if (rc < 0) {
        put(sheet, "Metadata log", "metadata_log", "CANNOT BE READ");
        fprintf(stderr, "ottla-controldata: WARNING: %s\n", err.text);
        return EXIT_FAILED;
    }
    put(sheet, "Metadata epoch", "metadata_epoch", "%d", facts.epoch);
    put(sheet, "Metadata end offset", "metadata_end_offset", "%" PRId64, facts.end_offset);
    if (facts.snapshot_offset >= 0) {
        put(sheet, "Newest snapshot", "snapshot_offset",
            sheet->json ? "%" PRId64 : "offset %" PRId64, facts.snapshot_offset);
        put(sheet, "Its epoch", "snapshot_epoch", "%d", facts.snapshot_epoch);
    }
    if (facts.torn_bytes > 0)
        put(sheet, "Torn bytes at its end", "metadata_torn_bytes", "%" PRId64, facts.torn_bytes);
    for (int32_t i = 0; i < facts.feature_count; i++)
        if (facts.features[i].level >= 0)
            put(sheet, facts.features[i].name, facts.features[i].name, "%d",
                facts.features[i].level);
    return EXIT_DONE;
}

/* Everything, the directories as a list in JSON. */
static int
show(Sheet *sheet, const Args *args, const Datadir *dir)
{
    ControlFile *control;
    int code;

    put(sheet, "Data directory", "data_directory", "%s", dir->path);
    code = show_control(sheet, args->data_dir, &control);
    if (control == NULL)
        return EXIT_FAILED;
    code |= show_identity(sheet, dir);
    for (int i = 0; i < dir->place_count; i++)
        if (dir->places[i].is_metadata)
            code |= show_metadata(sheet, dir->places[i].path);
    if (sheet->json)
        strbuf_add_cstr(&sheet->text, ",\"directories\":[");
    for (int i = 0; i < dir->place_count; i++) {
        if (sheet->json)
            strbuf_add_cstr(&sheet->text, i == 0 ? "{" : ",{");
        sheet->first = true;
        code |= show_place(sheet, &dir->places[i], control);
        if (sheet->json)
            strbuf_add_char(&sheet->text, '}');
    }
    if (sheet->json)
        strbuf_add_char(&sheet->text, ']');
    free(control);
    return code;
}

int
main(int argc, char **argv)
{
    static Args args;
    static Datadir dir;
    Sheet sheet = {.first = true};
    ErrInfo err;
    int code = parse_options(argc, argv, &args);

    if (code >= 0)
        return code;
    log_set_threshold(LL_FATAL);
    if (find_directories(&args, &dir, &err) < 0) {
        fprintf(stderr, "ottla-controldata: %s\n", err.text);
        return EXIT_FAILED;
    }
    sheet.json = args.json;
    strbuf_init(&sheet.text, TEXT_MAX, NULL);
    if (sheet.json)
        strbuf_add_char(&sheet.text, '{');
    code = show(&sheet, &args, &dir);
    if (sheet.json)
        strbuf_add_cstr(&sheet.text, "}\n");
    if (!strbuf_failed(&sheet.text))
        fputs(sheet.text.ptr, stdout);
    strbuf_release(&sheet.text);
    return code;
}
