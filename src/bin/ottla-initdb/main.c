/*
 * main.c - ottla-initdb: formats the directories of a node
 *
 * Command line and settings; what is written is src/postmaster/datadir*.c and src/controller/metadata_format.c, the same code by which
 * a server formats an empty directory.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "initdb_int.h"
#include "ottla/common/conf.h"
#include "ottla/common/log.h"
#include "ottla/common/text.h"
#include "ottla/common/usage.h"
#include "ottla/common/version.h"
#include "ottla/common/vfs.h"
#include "ottla/controller/format_plan.h"
#include "ottla/postmaster/datadir.h"
#include "ottla/postmaster/pm_settings.h"
#include "ottla/postmaster/privileges.h"

#define EXIT_DONE       0
#define EXIT_FAILED     1
#define ASSIGNMENTS_MAX 1024
#define CONTROLLER_PORT 9093 /* named for a voter whose first listener has no port yet */

/* Who votes about metadata; one of the three may be given. */
typedef enum Quorum {
    QUORUM_UNSAID,
    QUORUM_STANDALONE,
    QUORUM_INITIAL, /* -I */
    QUORUM_NONE,    /* -N */
} Quorum;

typedef struct Args {
    const char *data_dir;
    const char *config; /* an ottla.conf or a server.properties */
    const char *from_properties;
    const char *cluster_id;
    const char *user;
    const char *controllers; /* -I */
    Quorum quorum;
    int32_t node_id; /* -1: as set */
    bool ignore_formatted, no_clean;
    const char *assignments[ASSIGNMENTS_MAX];
    int assignment_count;
    FormatPlan plan;
} Args;

static void
print_help(void)
{
    fputs("ottla-initdb: formats the directories of a node\n"
          "\n"
          "usage: ottla-initdb -D DIR [OPTION]...\n"
          "\n"
          "  -D DIR                       data directory\n"
          "  -c NAME=VALUE                a setting; goes into DIR/ottla.conf\n"
          "  -c FILE, --config FILE       settings of the node: an ottla.conf or a "
          "server.properties\n"
          "  --from-properties FILE       makes DIR/ottla.conf from a server.properties\n"
          "  -t, --cluster-id ID          id of the cluster; without it a new one\n"
          "  --node-id N                  number of the node (1, or node.id of the settings)\n"
          "  -r, --release-version V      features as of this release of Kafka (4.3)\n"
          "  -f, --feature NAME=LEVEL     one feature's level; may be repeated\n"
          "  -S, --add-scram CREDENTIAL   MECHANISM=[name=...,password=...]; may be repeated\n"
          "  -s, --standalone             this node is the only voter of its quorum (the default)\n"
          "  -I, --initial-controllers ID@HOST:PORT:DIRECTORY\n"
          "                               the same, with the id of its metadata directory\n"
          "  -N, --no-initial-controllers writes no quorum: other nodes are its voters\n"
          "  -g, --ignore-formatted       leaves directories that are formatted as they are\n"
          "  -n, --no-clean               after a failure: leaves what was written\n"
          "  --user USER                  when root calls it: who the node runs as\n"
          "  --version, --help\n"
          "\n"
          "The options are those of kafka-storage's format. Exit codes: 0 done, 1 not, and nothing "
          "is left behind.\n",
          stdout);
}

static int
complain(const char *what, const char *value)
{
    return usage_fault("ottla-initdb", what, value, EXIT_FAILED);
}

static int
fail(const ErrInfo *err)
{
    fprintf(stderr, "ottla-initdb: %s\n", err->text);
    return EXIT_FAILED;
}

/* ---- command line ---- */

static int
take_feature(Args *args, const char *text)
{
    const char *equal = strchr(text, '=');
    int32_t level;
    ErrInfo err;

    if (equal == NULL || !text_to_int32(strview_from(equal + 1), &level) || level < 0 ||
        level > INT16_MAX)
        return complain("--feature wants NAME=LEVEL", text);
    StrView name = {text, (int32_t)(equal - text)};
    return format_plan_feature(&args->plan, name, (int16_t)level, &err) < 0 ? fail(&err) : -1;
}

/* -c is a setting as ottlad has it, or a file as kafka-storage has it. */
static int
take_c(Args *args, const char *text)
{
    if (strchr(text, '=') == NULL) {
        args->config = text;
        return -1;
    }
    if (strncmp(text, "config_file=", 12) == 0) {
        args->config = text + 12;
        return -1;
    }
    if (args->assignment_count == ASSIGNMENTS_MAX)
        return complain("too many settings (-c)", NULL);
    args->assignments[args->assignment_count++] = text;
    return -1;
}

static int
take_quorum(Args *args, Quorum quorum)
{
    if (args->quorum != QUORUM_UNSAID && args->quorum != quorum)
        return complain(
            "--standalone, --initial-controllers and --no-initial-controllers exclude each other",
            NULL);
    args->quorum = quorum;
    return -1;
}

/* One option; -1: go on. */
static int
take_option(Args *args, int option, const char *value)
{
    ErrInfo err;

    switch (option) {
    case 'D':
        args->data_dir = value;
        return -1;
    case 't':
        args->cluster_id = value;
        return -1;
    case 'c':
        return take_c(args, value);
    case 'f':
        return take_feature(args, value);
    case 'r':
        return format_plan_release(&args->plan, strview_from(value), &err) < 0 ? fail(&err) : -1;
    case 'S':
        return format_plan_scram(&args->plan, strview_from(value), &err) < 0 ? fail(&err) : -1;
    case 's':
        return take_quorum(args, QUORUM_STANDALONE);
    case 'I':
        args->controllers = value;
        return take_quorum(args, QUORUM_INITIAL);
    case 'N':
        return take_quorum(args, QUORUM_NONE);
    case 'g':
        args->ignore_formatted = true;
        return -1;
    case 'n':
        args->no_clean = true;
        return -1;
    default:
        return complain("unknown option, or one without its value", NULL);
    }
}

static int
parse_options(int argc, char **argv, Args *args)
{
    enum { OPT_CONFIG = 256, OPT_FROM, OPT_NODE_ID, OPT_USER, OPT_VERSION, OPT_HELP };
    static const struct option longs[] = {
        {"config", required_argument, NULL, OPT_CONFIG},
        {"from-properties", required_argument, NULL, OPT_FROM},
        {"cluster-id", required_argument, NULL, 't'},
        {"node-id", required_argument, NULL, OPT_NODE_ID},
        {"release-version", required_argument, NULL, 'r'},
        {"feature", required_argument, NULL, 'f'},
        {"add-scram", required_argument, NULL, 'S'},
        {"standalone", no_argument, NULL, 's'},
        {"initial-controllers", required_argument, NULL, 'I'},
        {"no-initial-controllers", no_argument, NULL, 'N'},
        {"ignore-formatted", no_argument, NULL, 'g'},
        {"no-clean", no_argument, NULL, 'n'},
        {"user", required_argument, NULL, OPT_USER},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
    };
    int option, code;

    while ((option = getopt_long(argc, argv, "D:c:t:r:f:S:sI:Ngn", longs, NULL)) != -1) {
        code = -1;
        if (option == OPT_CONFIG) {
            args->config = optarg;
        } else if (option == OPT_FROM) {
            args->from_properties = optarg;
        } else if (option == OPT_USER) {
            args->user = optarg;
        } else if (option == OPT_NODE_ID) {
            if (!text_to_int32(strview_from(optarg), &args->node_id) || args->node_id < 0)
                return complain("--node-id wants a number", optarg);
        } else if (option == OPT_VERSION) {
            printf("ottla-initdb %s (%s)\n", OT_VERSION, OT_BUILD_ID);
            return EXIT_DONE;
        } else if (option == OPT_HELP) {
            print_help();
            return EXIT_DONE;
        } else {
            code = take_option(args, option, optarg);
        }
        if (code >= 0)
            return code;
    }
    if (optind < argc)
        return complain("unexpected argument", argv[optind]);
    if (args->config != NULL && args->from_properties != NULL)
        return complain("--config and --from-properties exclude each other", NULL);
    return args->data_dir == NULL ? complain("-D DIR is missing", NULL) : -1;
}

/* ---- settings ---- */

/* Loads the settings as the server will, and says what is wrong with them. */
static int
load_settings(const Args *args, const char *own_file)
{
    const ConfArgs sources = {.file = args->config != NULL ? args->config : own_file,
                              .file_required = args->config != NULL,
                              .properties = args->from_properties,
                              .assignments = args->assignments,
                              .assignment_count = args->assignment_count,
                              .environment = true};
    ConfReport report;

    conf_report_init(&report);
    int rc = conf_load(&sources, &report);
    if (rc < 0)
        fprintf(stderr, "%s", report.errors.ptr);
    if (report.warning_count > 0)
        fprintf(stderr, "%s", report.warnings.ptr);
    conf_report_release(&report);
    return rc < 0 ? EXIT_FAILED : -1;
}

/* The controller's listener, as it goes into the set of voters. */
static int
name_voter(PmSettings *settings, ListenerTable *table, ErrInfo *err)
{
    static char hostname[256];
    int rc;

    if (gethostname(hostname, sizeof hostname - 1) == 0)
        settings->listeners.hostname = hostname;
    rc = listeners_parse(&settings->listeners, table, err);
    for (int i = 0; rc == 0 && i < table->count; i++) {
        const Listener *row = &table->rows[i];

        if (!row->is_controller)
            continue;
        settings->dir.voter_listener = row->name;
        settings->dir.voter_host = row->advertised_host;
        settings->dir.voter_port =
            row->advertised_port != 0 ? row->advertised_port : CONTROLLER_PORT;
        break;
    }
    return rc;
}

/* ID@HOST:PORT:DIRECTORY of this node alone: quorums of several are not there yet. */
static int
take_controllers(Args *args, PmSettings *settings, ErrInfo *err)
{
    static char host[256];
    int32_t id, port;
    char text[512];
    char *at, *directory, *colon;

    if (strchr(args->controllers, ',') != NULL)
        return err_set(err, OT_E_CONFIG,
                       "quorums of several controllers come with the feature of several nodes");
    if ((size_t)snprintf(text, sizeof text, "%s", args->controllers) >= sizeof text ||
        (at = strchr(text, '@')) == NULL || (directory = strrchr(text, ':')) == NULL)
        return err_set(err, OT_E_CONFIG, "--initial-controllers wants ID@HOST:PORT:DIRECTORY");
    *at = *directory = '\0';
    colon = strrchr(at + 1, ':');
    if (colon == NULL || !text_to_int32(strview_from(text), &id) || id < 0 ||
        !text_to_int32(strview_from(colon + 1), &port) || port < 1 || port > 65535 ||
        !uuid_from_text(strview_from(directory + 1), &args->plan.voter_directory))
        return err_set(err, OT_E_CONFIG, "--initial-controllers wants ID@HOST:PORT:DIRECTORY");
    *colon = '\0';
    if (settings->dir.node_id >= 0 && settings->dir.node_id != id)
        return err_set(err, OT_E_CONFIG, "--initial-controllers names node %d, but node.id is %d",
                       id, settings->dir.node_id);
    snprintf(host, sizeof host, "%s", at + 1);
    settings->dir.node_id = id;
    settings->dir.voter_host = host;
    settings->dir.voter_port = (uint16_t)port;
    args->plan.has_voter_directory = true;
    return 0;
}

/* Everything that is known before a directory is touched. */
static int
work_out(Args *args, PmSettings *settings, ErrInfo *err)
{
    static ListenerTable listeners;
    int rc = pm_settings_load(args->data_dir, true, 0, settings, err);

    if (rc == 0 && args->node_id >= 0 && settings->dir.node_id >= 0 &&
        settings->dir.node_id != args->node_id)
        rc = err_set(err, OT_E_CONFIG, "--node-id is %d, but node.id of the settings is %d",
                     args->node_id, settings->dir.node_id);
    if (rc == 0 && args->node_id >= 0)
        settings->dir.node_id = args->node_id;
    if (rc == 0)
        rc = name_voter(settings, &listeners, err);
    if (rc == 0 && args->quorum == QUORUM_INITIAL)
        rc = take_controllers(args, settings, err);
    if (rc == 0)
        rc = format_plan_check(&args->plan, err);
    args->plan.no_voters = args->quorum == QUORUM_NONE;
    settings->dir.cluster_id = args->cluster_id;
    settings->dir.plan = &args->plan;
    return rc;
}

/* ---- the work ---- */

static int
become_owner(const Args *args, PmSettings *settings, Datadir *dir, ErrInfo *err)
{
    RunAs as;
    int rc = privileges_choose(args->user, args->data_dir, &as, err);

    if (rc == 0)
        rc = datadir_prepare(&settings->dir, as.change ? (int)as.uid : -1,
                             as.change ? (int)as.gid : -1, dir, err);
    return rc == 0 ? privileges_drop(&as, err) : rc;
}

static void
report_done(const Args *args, const Datadir *dir)
{
    for (int i = 0; i < dir->place_count; i++) {
        const DatadirPlace *place = &dir->places[i];
        const char *what = !place->is_metadata    ? "data"
                           : args->plan.no_voters ? "metadata"
                                                  : "dynamic metadata voter";

        if (place->formatted)
            printf("%s is formatted already\n", place->path);
        else
            printf("Formatting %s directory %s with metadata.version %s.\n", what, place->path,
                   format_plan_version(&args->plan));
    }
}

static int
format(const Args *args, PmSettings *settings, SettingsFile *file)
{
    static Datadir dir;
    ErrInfo err;
    int rc = become_owner(args, settings, &dir, &err);

    if (rc == 0)
        rc = datadir_format_alone(&dir, &settings->dir, args->ignore_formatted, &err);
    if (rc == 0 && args->config == NULL)
        rc = settings_file_write(file, &err);
    if (rc == 0)
        rc = vfs_sync_dir(dir.path, &err);
    if (rc == 0) {
        report_done(args, &dir);
        return EXIT_DONE;
    }
    if (!args->no_clean) {
        if (file->written)
            (void)!vfs_unlink(file->path, NULL);
        datadir_undo_format(&dir);
    }
    return fail(&err);
}

int
main(int argc, char **argv)
{
    static Args args = {.node_id = -1};
    static PmSettings settings;
    static SettingsFile file;
    ErrInfo err;

    format_plan_init(&args.plan);
    log_set_threshold(LL_FATAL); /* what a server would log is printed here, or an error */
    int code = parse_options(argc, argv, &args);
    if (code >= 0)
        return code;
    if ((size_t)snprintf(file.path, sizeof file.path, "%s/ottla.conf", args.data_dir) >=
        sizeof file.path)
        return complain("path is too long", args.data_dir);
    file.properties = args.from_properties;
    file.assignments = args.assignments;
    file.assignment_count = args.assignment_count;
    code = load_settings(&args, file.path);
    if (code >= 0)
        return code;
    if (work_out(&args, &settings, &err) < 0)
        return fail(&err);
    return format(&args, &settings, &file);
}
