/*
 * main.c - ottlad: command line, settings, main functions of the processes
 *
 * Everything else is the supervisor's (src/postmaster). This file alone knows which function each kind
 * of process runs.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ottla/backend/backend_main.h"
#include "ottla/common/conf.h"
#include "ottla/common/log_sink.h"
#include "ottla/common/text.h"
#include "ottla/common/usage.h"
#include "ottla/common/version.h"
#include "ottla/controller/controller_main.h"
#include "ottla/coordinator/coordinator_main.h"
#include "ottla/exporter/exporter_main.h"
#include "ottla/ipc/node_settings.h"
#include "ottla/ipc/title.h"
#include "ottla/logger/logger_main.h"
#include "ottla/maintenance/checkpointer_main.h"
#include "ottla/maintenance/retention_main.h"
#include "ottla/maintenance/startup_main.h"
#include "ottla/postmaster/pm_settings.h"
#include "ottla/postmaster/postmaster.h"

#define ASSIGNMENTS_MAX 1024 /* of -c; there are fewer settings */

typedef struct Options {
    const char *data_dir;
    const char *user;
    const char *show; /* -C */
    uint16_t port;
    bool no_auto_format;
    bool check;
    char config_file[PATH_MAX]; /* "": none that exists or is wanted */
    char auto_file[PATH_MAX];
    char properties[PATH_MAX];
    bool config_required;
    const char *assignments[ASSIGNMENTS_MAX];
    int assignment_count;
} Options;

static void
run_backend(int instance, const void *start)
{
    (void)instance; /* the listener, which start names, too */
    backend_main(start);
}

static const KindMains process_mains = {
    .main = {[PROC_BACKEND] = run_backend,
             [PROC_CONTROLLER] = controller_main,
             [PROC_CHECKPOINTER] = checkpointer_main,
             [PROC_RETENTION] = retention_main,
             [PROC_STARTUP] = startup_main,
             [PROC_COORDINATOR] = coordinator_main,
             [PROC_EXPORTER] = exporter_main,
             [PROC_LOGGER] = logger_main},
};

static void
print_help(void)
{
    fputs("ottlad: a Kafka-compatible log server\n"
          "\n"
          "usage: ottlad -D DIR [-p PORT] [-c NAME=VALUE]... [--properties FILE] [--user USER]\n"
          "              [--no-auto-format]\n"
          "       ottlad [-D DIR] [-c NAME=VALUE]... --check | -C NAME\n"
          "\n"
          "  -D DIR              data directory; an empty or missing one is formatted\n"
          "  -p PORT             port of the first listener (9092)\n"
          "  -c NAME=VALUE       a setting; stronger than every file\n"
          "  --properties FILE   reads a server.properties of Kafka's, too\n"
          "  --user USER         when root starts it: who to run as\n"
          "  --no-auto-format    a directory that is not formatted is an error\n"
          "  --check             reads and judges the settings, starts nothing (exit 0 or 78)\n"
          "  -C NAME             prints the value of a setting\n"
          "  --version, --help\n"
          "\n"
          "It stays in the foreground and prints \"ready ADDRESS\" when clients can connect.\n"
          "SIGTERM waits for clients, SIGINT does not, SIGQUIT stops at once; SIGHUP reads the\n"
          "settings again.\n",
          stdout);
}

static int
complain(const char *what, const char *value)
{
    return usage_fault("ottlad", what, value, EXIT_CODE_CONFIG);
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, Options *options)
{
    enum { OPT_PROPERTIES = 256, OPT_USER, OPT_NO_FORMAT, OPT_CHECK, OPT_VERSION, OPT_HELP };
    static const struct option longs[] = {
        {"properties", required_argument, NULL, OPT_PROPERTIES},
        {"user", required_argument, NULL, OPT_USER},
        {"no-auto-format", no_argument, NULL, OPT_NO_FORMAT},
        {"check", no_argument, NULL, OPT_CHECK},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
    };
    int32_t port;
    int option;

    while ((option = getopt_long(argc, argv, "D:p:c:C:", longs, NULL)) != -1) {
        switch (option) {
        case 'D':
            options->data_dir = optarg;
            break;
        case 'p':
            if (!text_to_int32(strview_from(optarg), &port) || port < 1 || port > 65535)
                return complain("-p wants a port from 1 to 65535", optarg);
            options->port = (uint16_t)port;
            break;
        case 'c':
            if (strchr(optarg, '=') == NULL)
                return complain("-c wants NAME=VALUE", optarg);
            if (options->assignment_count == ASSIGNMENTS_MAX)
                return complain("too many settings (-c)", NULL);
            options->assignments[options->assignment_count++] = optarg;
            break;
        case 'C':
            options->show = optarg;
            break;
        case OPT_PROPERTIES:
            if (realpath(optarg, options->properties) == NULL)
                return complain(strerror(errno), optarg);
            break;
        case OPT_USER:
            options->user = optarg;
            break;
        case OPT_NO_FORMAT:
            options->no_auto_format = true;
            break;
        case OPT_CHECK:
            options->check = true;
            break;
        case OPT_VERSION:
            printf("ottlad %s (%s)\n", OT_VERSION, OT_BUILD_ID);
            return EXIT_CODE_CLEAN;
        case OPT_HELP:
            print_help();
            return EXIT_CODE_CLEAN;
        default:
            return complain("unknown option, or one without its value", NULL);
        }
    }
    if (optind < argc)
        return complain("unexpected argument", argv[optind]);
    if (options->data_dir == NULL && !options->check && options->show == NULL)
        return complain("-D DIR is missing", NULL);
    return -1;
}

/* "config_file" of -c, in the loose spelling that -c allows; NULL: not given. */
static const char *
find_config_assignment(const Options *options)
{
    for (int i = options->assignment_count; i-- > 0;) {
        const char *text = options->assignments[i];
        const char *sep = strchr(text, '=');
        StrView name = text_trim((StrView){text, (int32_t)(sep - text)});
        if (text_equal_nocase(name, STRVIEW("config_file")) ||
            text_equal_nocase(name, STRVIEW("config.file")))
            return sep + 1;
    }
    return NULL;
}

/* A path that does not depend on where the process is; the file need not be there. */
static bool
make_absolute(const char *path, char ret[PATH_MAX])
{
    char here[PATH_MAX] = "";
    int len;

    if (path[0] != '/' && getcwd(here, sizeof here) == NULL)
        return false;
    len = snprintf(ret, PATH_MAX, "%s%s%s", here, path[0] == '/' ? "" : "/", path);
    return len < PATH_MAX;
}

/*
 * Absolute paths, because SIGHUP reads the files again and --user may have taken us elsewhere. Nothing needs to exist: the
 * directory may be made by this start, and a file be written into it later.
 */
static int
find_files(Options *options)
{
    const char *given = find_config_assignment(options);
    char dir[PATH_MAX];

    if (given != NULL) {
        options->config_required = true;
        if (realpath(given, options->config_file) == NULL)
            return complain(strerror(errno), given);
    }
    if (options->data_dir == NULL)
        return -1;
    if (!make_absolute(options->data_dir, dir))
        return complain("path is too long", options->data_dir);
    if (given == NULL && snprintf(options->config_file, PATH_MAX, "%s/ottla.conf", dir) >= PATH_MAX)
        return complain("path is too long", dir);
    if (snprintf(options->auto_file, PATH_MAX, "%s/ottla.auto.conf", dir) >= PATH_MAX)
        return complain("path is too long", dir);
    return -1;
}

/* Loads the settings; -1: all is well, else the exit code. The report was logged. */
static int
load_settings(Options *options)
{
    ConfArgs args = {
        .file = options->config_file[0] == '\0' ? NULL : options->config_file,
        .file_required = options->config_required,
        .auto_file = options->auto_file[0] == '\0' ? NULL : options->auto_file,
        .properties = options->properties[0] == '\0' ? NULL : options->properties,
        .assignments = options->assignments,
        .assignment_count = options->assignment_count,
        .environment = true,
    };
    ConfReport report;

    node_settings_remember(&args);
    node_settings_apply(); /* mistakes in the settings are to reach the journal as errors, too */
    conf_report_init(&report);
    int rc = conf_load(&args, &report);
    if (rc == 0)
        node_settings_apply();
    pm_settings_log_report(&report);
    if (rc == 0 && strcmp(conf_str(CONF_LOG_DESTINATION), "journal") == 0 && !log_journal_found())
        log_msg(LL_WARNING, "settings",
                "log.destination is journal, but there is none here: lines go to stderr");
    if (rc < 0)
        log_event(LL_FATAL, "settings", LOG_EVENT_CONFIG_ERROR, "%d errors; nothing was started",
                  report.error_count);
    conf_report_release(&report);
    return rc < 0 ? EXIT_CODE_CONFIG : -1;
}

static int
show_setting(const char *name)
{
    int id = conf_find_loose(strview_from(name));

    if (id < 0) {
        const char *near = conf_nearest(CONF_SCOPE_BROKER, strview_from(name));
        fprintf(stderr, "ottlad: no setting \"%s\"%s%s\n", name,
                near == NULL ? "" : "; nearest is ", near == NULL ? "" : near);
        return EXIT_CODE_CONFIG;
    }
    const char *value = conf_str((ConfId)id);
    if (conf_is_sensitive(&conf_rows[id]) && value != NULL)
        value = "[hidden]";
    printf("%s\n", value == NULL ? "" : value);
    return EXIT_CODE_CLEAN;
}

int
main(int argc, char **argv, char **environment)
{
    static Options options;
    static PmSettings settings;
    ErrInfo err;

    title_init(argc, argv, environment);
    int code = parse_options(argc, argv, &options);
    if (code < 0)
        code = find_files(&options);
    if (code < 0)
        code = load_settings(&options);
    if (code >= 0)
        return code;
    if (options.show != NULL)
        return show_setting(options.show);
    int rc = pm_settings_load(options.data_dir == NULL ? "." : options.data_dir,
                              !options.no_auto_format, options.port, &settings, &err);
    if (rc == 0 && options.check) {
        ListenerTable unused;
        rc = listeners_parse(&settings.listeners, &unused, &err);
    }
    if (rc < 0) {
        log_msg(LL_FATAL, "settings", "%s", err.text);
        return EXIT_CODE_CONFIG;
    }
    if (options.check) {
        printf("settings are valid\n");
        return EXIT_CODE_CLEAN;
    }
    settings.user = options.user;
    if (options.config_file[0] != '\0' && access(options.config_file, R_OK) == 0)
        settings.config_file = options.config_file;
    return postmaster_run(&settings, &process_mains);
}
