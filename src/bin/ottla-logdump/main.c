/*
 * main.c - ottla-logdump: shows what stands in the files of a node
 *
 * Command line and choice of files; the printing is src/inspect.
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
#include <time.h>

#include "ottla/common/text.h"
#include "ottla/common/usage.h"
#include "ottla/common/version.h"
#include "ottla/common/vfs.h"
#include "ottla/inspect/dump.h"
#include "ottla/inspect/file_kind.h"

#define EXIT_DAMAGE 1
#define EXIT_USAGE  2
#define FILES_MAX   (1 << 20) /* in one folder */

static volatile sig_atomic_t stopped;

typedef struct Args {
    DumpOptions dump;
    const char *data_dir;
    const char *topic; /* topic or topic-partition */
    bool json;
} Args;

static void
on_signal(int number)
{
    (void)number;
    stopped = 1;
}

static void
print_help(void)
{
    fputs("ottla-logdump: shows what stands in the files of a node\n"
          "\n"
          "usage: ottla-logdump [OPTION]... FILE...\n"
          "       ottla-logdump [OPTION]... -D DIR -t TOPIC[-PARTITION]\n"
          "\n"
          "  -D DIR           data directory (or a directory of log.dirs)\n"
          "  -t TOPIC[-PARTITION]\n"
          "                   all segments of a topic, or of one partition\n"
          "  -d, --data       records too, not only batches\n"
          "  --headers-only   batches only (the default)\n"
          "  --from POINT, --to POINT\n"
          "                   first and last offset, or a time: 2026-11-21T10:00:00Z or "
          "@MILLISECONDS\n"
          "  --decode WHAT    offsets, txn, share, metadata, json or none; default: by the topic's "
          "name\n"
          "  -f, --follow     goes on when the last file grows\n"
          "  -n LIMIT         rows at most\n"
          "  -z, --stats      a summary of sizes, codecs, producers and keys instead of rows\n"
          "  --json           one JSON object a line\n"
          "  --version, --help\n"
          "\n"
          "Exit codes: 0 all is well, 1 damage was found, 2 something could not be read.\n",
          stdout);
}

static int
complain(const char *what, const char *value)
{
    return usage_fault("ottla-logdump", what, value, EXIT_USAGE);
}

/* @ms or 2026-11-21T10:00:00[.123]Z */
static bool
parse_time(const char *text, int64_t *ret_ms)
{
    struct tm tm = {0};
    const char *rest;
    int ms = 0, digits = 0;

    if (text[0] == '@')
        return text_to_int64(strview_from(text + 1), ret_ms);
    rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
    if (rest == NULL)
        return false;
    if (*rest == '.')
        for (rest++; digits < 3 && *rest >= '0' && *rest <= '9'; digits++)
            ms = ms * 10 + (*rest++ - '0');
    for (; digits > 0 && digits < 3; digits++)
        ms *= 10;
    if (strcmp(rest, "Z") != 0)
        return false;
    *ret_ms = (int64_t)timegm(&tm) * 1000 + ms;
    return true;
}

static bool
parse_point(const char *text, int64_t *offset, int64_t *time_ms)
{
    int64_t value;

    if (text_to_int64(strview_from(text), &value) && value >= 0) {
        *offset = value;
        return true;
    }
    return parse_time(text, time_ms);
}

static bool
parse_decode(const char *text, DumpOptions *options)
{
    static const struct {
        const char *name;
        DumpDecode decode;
        LogContent content;
    } words[] = {
        {"offsets", DUMP_DECODE_CONTENT, LOG_CONTENT_OFFSETS},
        {"txn", DUMP_DECODE_CONTENT, LOG_CONTENT_TRANSACTIONS},
        {"share", DUMP_DECODE_CONTENT, LOG_CONTENT_SHARE},
        {"metadata", DUMP_DECODE_CONTENT, LOG_CONTENT_METADATA},
        {"json", DUMP_DECODE_JSON, LOG_CONTENT_PLAIN},
        {"none", DUMP_DECODE_NONE, LOG_CONTENT_PLAIN},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(text, words[i].name) == 0) {
            options->decode = words[i].decode;
            options->content = words[i].content;
            return true;
        }
    }
    return false;
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, Args *args)
{
    enum { OPT_HEADERS = 256, OPT_FROM, OPT_TO, OPT_DECODE, OPT_JSON, OPT_VERSION, OPT_HELP };
    static const struct option longs[] = {
        {"data", no_argument, NULL, 'd'},
        {"headers-only", no_argument, NULL, OPT_HEADERS},
        {"from", required_argument, NULL, OPT_FROM},
        {"to", required_argument, NULL, OPT_TO},
        {"decode", required_argument, NULL, OPT_DECODE},
        {"follow", no_argument, NULL, 'f'},
        {"stats", no_argument, NULL, 'z'},
        {"json", no_argument, NULL, OPT_JSON},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
    };
    DumpOptions *d = &args->dump;
    int option;

    while ((option = getopt_long(argc, argv, "D:t:dfn:z", longs, NULL)) != -1) {
        switch (option) {
        case 'D':
            args->data_dir = optarg;
            break;
        case 't':
            args->topic = optarg;
            break;
        case 'd':
        case OPT_HEADERS:
            d->records = option == 'd';
            break;
        case 'f':
            d->follow = true;
            break;
        case 'n':
            if (!text_to_int64(strview_from(optarg), &d->limit) || d->limit < 1)
                return complain("-n wants a number of rows", optarg);
            break;
        case 'z':
            d->statistics = true;
            break;
        case OPT_FROM:
            if (!parse_point(optarg, &d->from_offset, &d->from_time))
                return complain("--from wants an offset or a time", optarg);
            break;
        case OPT_TO:
            if (!parse_point(optarg, &d->to_offset, &d->to_time))
                return complain("--to wants an offset or a time", optarg);
            break;
        case OPT_DECODE:
            if (!parse_decode(optarg, d))
                return complain("--decode wants offsets, txn, share, metadata, json or none",
                                optarg);
            break;
        case OPT_JSON:
            args->json = true;
            break;
        case OPT_VERSION:
            printf("ottla-logdump %s (%s)\n", OT_VERSION, OT_BUILD_ID);
            return 0;
        case OPT_HELP:
            print_help();
            return 0;
        default:
            return complain("unknown option, or one without its value", NULL);
        }
    }
    if ((args->topic == NULL) != (args->data_dir == NULL))
        return complain("-D and -t belong together", NULL);
    if ((args->topic == NULL) == (optind == argc))
        return complain("wants files, or -D and -t", NULL);
    return -1;
}

/* ---- files ---------------------------------------------------------------------------------------- */

typedef struct Run {
    const Args *args;
    RowOut out;
    DumpResult result;
    bool failed;
} Run;

static bool
enough(const Run *run)
{
    return run->result.rows >= run->args->dump.limit || stopped != 0 || ferror(run->out.to) != 0;
}

/* A followed run follows its last file only: those before it are complete. */
static void
dump_one(Run *run, const char *path, bool last)
{
    DumpOptions options = run->args->dump;
    ErrInfo err = {0};

    options.follow = options.follow && last;
    if (dump_file(path, &options, &run->out, &run->result, &err) != 0) {
        fflush(run->out.to);
        fprintf(stderr, "ottla-logdump: %s\n", err.text);
        run->failed = true;
    }
}

/* The segments of one folder, in the order of their offsets (names sort so). */
static void
dump_folder(Run *run, const char *folder, bool last_folder)
{
    Arena *arena = arena_new(65536, 0);
    char path[PATH_MAX];
    ErrInfo err = {0};
    StrView *names;
    int32_t count, last = -1;

    if (arena == NULL || vfs_list(folder, FILES_MAX, arena, &names, &count, &err) != 0) {
        fprintf(stderr, "ottla-logdump: %s\n", arena == NULL ? "no memory" : err.text);
        run->failed = true;
        arena_free(arena);
        return;
    }
    for (int32_t i = 0; i < count; i++)
        if (file_name_parse(names[i]).kind == FILE_KIND_LOG)
            last = i;
    for (int32_t i = 0; i < count && !enough(run); i++) {
        if (file_name_parse(names[i]).kind != FILE_KIND_LOG)
            continue;
        if (snprintf(path, sizeof path, "%s/%.*s", folder, names[i].len, names[i].ptr) <
            (int)sizeof path)
            dump_one(run, path, last_folder && i == last);
    }
    arena_free(arena);
}

static bool
folder_is_wanted(const char *name, const char *topic)
{
    size_t len = strlen(topic);

    if (strcmp(name, topic) == 0)
        return true;
    return strncmp(name, topic, len) == 0 && name[len] == '-' && name[len + 1] != '\0' &&
           strspn(name + len + 1, "0123456789") == strlen(name + len + 1);
}

/* DIR is a data directory (logs below log/ and meta/) or a directory of logs. */
static void
dump_topic(Run *run)
{
    static const char *const below[] = {"", "/log", "/meta"};
    Arena *arena = arena_new(65536, 0);
    char *wanted =
        NULL; /* the folder found before: it is dumped when it is known not to be the last */
    char path[PATH_MAX];

    for (size_t b = 0; arena != NULL && b < sizeof below / sizeof below[0]; b++) {
        StrView *names;
        int32_t count;

        if (snprintf(path, sizeof path, "%s%s", run->args->data_dir, below[b]) >=
                (int)sizeof path ||
            vfs_list(path, FILES_MAX, arena, &names, &count, NULL) != 0)
            continue;
        for (int32_t i = 0; i < count; i++) {
            if (!folder_is_wanted(names[i].ptr, run->args->topic))
                continue;
            if (wanted != NULL && !enough(run))
                dump_folder(run, wanted, false);
            wanted = arena_printf(arena, "%s%s/%s", run->args->data_dir, below[b], names[i].ptr);
        }
    }
    if (wanted != NULL && !enough(run)) {
        dump_folder(run, wanted, true);
    } else if (wanted == NULL) {
        fprintf(stderr, "ottla-logdump: no folder of %s in %s\n", run->args->topic,
                run->args->data_dir);
        run->failed = true;
    }
    arena_free(arena);
}

int
main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};
    Args args = {0};
    Run run = {.args = &args};
    int rc;

    dump_options_init(&args.dump);
    args.dump.stopped = &stopped;
    rc = parse_options(argc, argv, &args);
    if (rc >= 0)
        return rc;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    row_out_init(&run.out, stdout, args.json);
    if (args.topic != NULL)
        dump_topic(&run);
    for (int i = optind; i < argc && !enough(&run); i++)
        dump_one(&run, argv[i], i == argc - 1);
    row_out_fini(&run.out);
    if (fflush(stdout) != 0 && errno != EPIPE)
        run.failed = true;
    return run.failed ? EXIT_USAGE : run.result.damaged > 0 ? EXIT_DAMAGE : 0;
}
