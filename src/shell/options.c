/*
 * options.c - the command line
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "options_int.h"

#include <errno.h>
#include <getopt.h>

#include "help_int.h"
#include "ottla/common/usage.h"
#include "ottla/common/version.h"
#include "output_int.h"

enum { OPT_CSV = 256, OPT_JSON, OPT_JSONL, OPT_BOOTSTRAP, OPT_COMMAND_CONFIG, OPT_TIMEOUT };

static const char short_options[] = "?0aAbc:d:eEf:F:h:HK:lL:no:p:P:qR:sStT:U:v:VwWxXz1";

static const struct option long_options[] = {
    {"command", required_argument, NULL, 'c'},
    {"file", required_argument, NULL, 'f'},
    {"list", no_argument, NULL, 'l'},
    {"set", required_argument, NULL, 'v'},
    {"variable", required_argument, NULL, 'v'},
    {"no-rc", no_argument, NULL, 'X'},
    {"version", no_argument, NULL, 'V'},
    {"help", optional_argument, NULL, '?'},
    {"echo-all", no_argument, NULL, 'a'},
    {"echo-errors", no_argument, NULL, 'b'},
    {"echo-queries", no_argument, NULL, 'e'},
    {"echo-hidden", no_argument, NULL, 'E'},
    {"log-file", required_argument, NULL, 'L'},
    {"no-readline", no_argument, NULL, 'n'},
    {"output", required_argument, NULL, 'o'},
    {"quiet", no_argument, NULL, 'q'},
    {"single-step", no_argument, NULL, 's'},
    {"single-line", no_argument, NULL, 'S'},
    {"no-align", no_argument, NULL, 'A'},
    {"csv", no_argument, NULL, OPT_CSV},
    {"json", no_argument, NULL, OPT_JSON},
    {"jsonl", no_argument, NULL, OPT_JSONL},
    {"html", no_argument, NULL, 'H'},
    {"field-separator", required_argument, NULL, 'F'},
    {"record-separator", required_argument, NULL, 'R'},
    {"field-separator-zero", no_argument, NULL, 'z'},
    {"record-separator-zero", no_argument, NULL, '0'},
    {"tuples-only", no_argument, NULL, 't'},
    {"table-attr", required_argument, NULL, 'T'},
    {"expanded", no_argument, NULL, 'x'},
    {"pset", required_argument, NULL, 'P'},
    {"host", required_argument, NULL, 'h'},
    {"port", required_argument, NULL, 'p'},
    {"username", required_argument, NULL, 'U'},
    {"no-password", no_argument, NULL, 'w'},
    {"password", no_argument, NULL, 'W'},
    {"dbname", required_argument, NULL, 'd'},
    {"bootstrap-server", required_argument, NULL, OPT_BOOTSTRAP},
    {"command-config", required_argument, NULL, OPT_COMMAND_CONFIG},
    {"timeout", required_argument, NULL, OPT_TIMEOUT},
    {NULL, 0, NULL, 0},
};

const struct option *
options_long(void)
{
    return long_options;
}

typedef struct Reading {
    Shell *shell;
    Options *options;
} Reading;

/* ---- faults ------------------------------------------------------------------------------------ */

static void
end(Reading *r, int exit_code)
{
    r->options->ended = true;
    r->options->exit_code = exit_code;
}

static void
complain(Reading *r, const char *what, const char *value)
{
    end(r, usage_fault("ottla", what, value, SHELL_EXIT_FAILURE));
}

static void
complain_fault(Reading *r, const Fault *f)
{
    fprintf(stderr, "ottla: %s\n", f->message);
    if (f->hint[0] != '\0')
        fprintf(stderr, "HINT:  %s\n", f->hint);
    end(r, SHELL_EXIT_FAILURE);
}

/* ---- one option -------------------------------------------------------------------------------- */

static void
set_target(Reading *r, const char *key, const char *value)
{
    Fault f;

    if (client_target_set(r->shell->target, strview_from(key), strview_from(value), &f) != 0)
        complain_fault(r, &f);
}

static void
set_print(Reading *r, const char *name, const char *value)
{
    ErrInfo err;

    if (print_options_set(&r->shell->pset, strview_from(name),
                          value == NULL ? (StrView){NULL, 0} : strview_from(value), &err) != 0)
        complain(r, "cannot set a printing option", err.text);
}

static void
set_variable(Reading *r, const char *name, const char *value)
{
    ErrInfo err;

    if (strcmp(name, "CONFIRM") == 0)
        r->options->confirm_given = true;
    if (variables_set(r->shell->vars, strview_from(name), strview_from(value), &err) != 0)
        complain(r, "cannot set a variable", err.text);
}

/* "name=value"; without '=' the value is NULL. The name is cut in a copy. */
static void
split(Reading *r, const char *text, void (*set)(Reading *, const char *, const char *))
{
    char *name = strdup(text);
    char *equals = name == NULL ? NULL : strchr(name, '=');

    if (name == NULL) {
        complain(r, "no memory", NULL);
        return;
    }
    if (equals != NULL)
        *equals = '\0';
    set(r, name, equals == NULL ? NULL : equals + 1);
    free(name);
}

static void
set_property(Reading *r, const char *name, const char *value)
{
    Fault f;

    if (value == NULL)
        complain(r, "-K wants property=value", name);
    else if (client_target_property(r->shell->target, strview_from(name), strview_from(value),
                                    &f) != 0)
        complain_fault(r, &f);
}

static void
add_action(Reading *r, ActionKind kind, const char *text)
{
    Options *o = r->options;

    if (o->action_count == OPTION_ACTIONS_MAX)
        complain(r, "more -c and -f than the shell takes", NULL);
    else
        o->actions[o->action_count++] = (Action){kind, text};
}

static void
open_log(Reading *r, const char *path)
{
    r->shell->log = fopen(path, "ae");
    if (r->shell->log == NULL) {
        fprintf(stderr, "ottla: %s: %s\n", path, strerror(errno));
        end(r, SHELL_EXIT_FAILURE);
    }
}

static void
open_output(Reading *r, const char *target)
{
    if (output_change(r->shell, target) != 0)
        end(r, SHELL_EXIT_FAILURE);
}

static void
help(Reading *r, const char *topic)
{
    if (topic == NULL || strcmp(topic, "options") == 0)
        help_options(stdout);
    else if (strcmp(topic, "commands") == 0)
        help_commands(stdout);
    else if (strcmp(topic, "variables") == 0)
        help_variables(stdout);
    else {
        complain(r, "--help knows options, commands, variables", topic);
        return;
    }
    end(r, SHELL_EXIT_OK);
}

/* Options that only set a printing option or a variable. */
typedef struct Shortcut {
    int option;
    bool variable; /* else a printing option */
    const char *name;
    const char *value; /* NULL: the argument */
} Shortcut;

static const Shortcut shortcuts[] = {
    {'A', false, "format", "unaligned"},  {OPT_CSV, false, "format", "csv"},
    {OPT_JSON, false, "format", "json"},  {OPT_JSONL, false, "format", "jsonl"},
    {'H', false, "format", "html"},       {'F', false, "fieldsep", NULL},
    {'R', false, "recordsep", NULL},      {'z', false, "fieldsep_zero", "on"},
    {'0', false, "recordsep_zero", "on"}, {'t', false, "tuples_only", "on"},
    {'T', false, "tableattr", NULL},      {'x', false, "expanded", "on"},
    {'a', true, "ECHO", "all"},           {'b', true, "ECHO", "errors"},
    {'e', true, "ECHO", "queries"},       {'E', true, "ECHO_HIDDEN", "on"},
    {'q', true, "QUIET", "on"},           {'s', true, "SINGLESTEP", "on"},
    {'S', true, "SINGLELINE", "on"},
};

static bool
take_shortcut(Reading *r, int option)
{
    for (size_t i = 0; i < sizeof shortcuts / sizeof shortcuts[0]; i++) {
        const Shortcut *s = &shortcuts[i];
        const char *value = s->value != NULL ? s->value : optarg;

        if (s->option != option)
            continue;
        if (s->variable)
            set_variable(r, s->name, value);
        else
            set_print(r, s->name, value);
        return true;
    }
    return false;
}

static void
take_connection(Reading *r, int option)
{
    Fault f;

    switch (option) {
    case 'h':
        set_target(r, "host", optarg);
        break;
    case 'p':
        set_target(r, "port", optarg);
        break;
    case 'U':
        set_target(r, "user", optarg);
        break;
    case OPT_TIMEOUT:
        set_target(r, "request_timeout", optarg);
        break;
    case 'w':
    case 'W':
        r->shell->ask_password = option == 'w' ? -1 : 1;
        break;
    case 'K':
        split(r, optarg, set_property);
        break;
    case OPT_COMMAND_CONFIG:
        if (client_target_properties(r->shell->target, optarg, &f) != 0)
            complain_fault(r, &f);
        break;
    default: /* -d, --bootstrap-server */
        if (client_target_parse(r->shell->target, strview_from(optarg), &f) != 0)
            complain_fault(r, &f);
    }
}

static void
take(Reading *r, int option, char **argv)
{
    switch (option) {
    case 'c':
    case 'f':
        add_action(r, option == 'c' ? ACTION_STRING : ACTION_FILE, optarg);
        break;
    case 'l':
        r->options->list = true;
        break;
    case 'X':
        r->options->no_rc = true;
        break;
    case 'v':
        split(r, optarg, set_variable);
        break;
    case 'P':
        split(r, optarg, set_print);
        break;
    case 'L':
        open_log(r, optarg);
        break;
    case 'o':
        open_output(r, optarg);
        break;
    case 'n':
        r->shell->no_editing = true;
        break;
    case '1':
        fputs("ottla: -1 has no effect: statements cannot be taken back\n", stderr);
        break;
    case 'V':
        printf("ottla %s (%s)\n", OT_VERSION, OT_BUILD_ID);
        end(r, SHELL_EXIT_OK);
        break;
    case '?':
        /* getopt says '?' for what it does not know, too */
        if (optopt != 0 && optopt != '?')
            complain(r, "unknown option, or one without its value", NULL);
        else if (optopt == 0 && strncmp(argv[optind - 1], "--help", 3) != 0 &&
                 strcmp(argv[optind - 1], "-?") != 0)
            complain(r, "unknown option", argv[optind - 1]);
        else
            help(r, optarg);
        break;
    default:
        take_connection(r, option);
    }
}

/* TARGET [USER] */
static void
take_operands(Reading *r, int argc, char **argv)
{
    Fault f;

    if (optind < argc && !r->options->ended &&
        client_target_parse(r->shell->target, strview_from(argv[optind]), &f) != 0)
        complain_fault(r, &f);
    if (optind + 1 < argc && !r->options->ended)
        set_target(r, "user", argv[optind + 1]);
    for (int i = optind + 2; i < argc; i++)
        fprintf(stderr, "ottla: extra argument \"%s\" ignored\n", argv[i]);
}

void
options_read(int argc, char **argv, Shell *shell, Options *ret)
{
    Reading reading = {shell, ret};
    int option;

    *ret = (Options){.exit_code = SHELL_EXIT_OK};
    opterr = 0;
    while (!ret->ended &&
           (optopt = 0, option = getopt_long(argc, argv, short_options, long_options, NULL)) != -1)
        if (!take_shortcut(&reading, option))
            take(&reading, option, argv);
    if (!ret->ended)
        take_operands(&reading, argc, argv);
}
