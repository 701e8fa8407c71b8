/*
 * main.c - ottla-verify: checks a data directory, running or not
 *
 * Command line, finding the log directories, workers; the checks are src/inspect.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ottla/common/text.h"
#include "ottla/common/usage.h"
#include "ottla/common/version.h"
#include "ottla/common/vfs.h"
#include "ottla/inspect/verify.h"

#define EXIT_DAMAGE 1
#define EXIT_FAILED 2
#define JOBS_MAX    64
#define DIRS_MAX    64

typedef struct Args {
    const char *dirs[DIRS_MAX];
    int dir_count;
    const char *topic;
    int32_t jobs;
    int32_t index_interval;
    bool repair, progress, json;
} Args;

/* What was found, by one worker and in all; in memory that the workers share. */
typedef struct Totals {
    Verify sum;
    bool failed;
} Totals;

static void
print_help(void)
{
    fputs("ottla-verify: checks the files of a node\n"
          "\n"
          "usage: ottla-verify -D DIR [-D DIR]... [OPTION]...\n"
          "\n"
          "  -D DIR           data directory, or a directory of log.dirs\n"
          "  --topic TOPIC    this topic alone\n"
          "  -j N             works with N processes\n"
          "  -P, --progress   says on standard error how far it is\n"
          "  --repair-index   makes wrong and missing .index and .timeindex files anew (node "
          "stopped)\n"
          "  --index-interval BYTES\n"
          "                   index.interval.bytes of files made anew (4096)\n"
          "  --json           one JSON object a line\n"
          "  --version, --help\n"
          "\n"
          "A log is never changed. While a node runs on DIR, the segments that it writes to are "
          "left out.\n"
          "Exit codes: 0 clean, 1 damage was found, 2 something could not be checked.\n",
          stdout);
}

static int
complain(const char *what, const char *value)
{
    return usage_fault("ottla-verify", what, value, EXIT_FAILED);
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, Args *args)
{
    enum { OPT_TOPIC = 256, OPT_REPAIR, OPT_INTERVAL, OPT_JSON, OPT_VERSION, OPT_HELP };
    static const struct option longs[] = {
        {"topic", required_argument, NULL, OPT_TOPIC},
        {"progress", no_argument, NULL, 'P'},
        {"repair-index", no_argument, NULL, OPT_REPAIR},
        {"index-interval", required_argument, NULL, OPT_INTERVAL},
        {"json", no_argument, NULL, OPT_JSON},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, OPT_HELP},
        {NULL, 0, NULL, 0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "D:j:P", longs, NULL)) != -1) {
        switch (option) {
        case 'D':
            if (args->dir_count == DIRS_MAX)
                return complain("too many directories", optarg);
            args->dirs[args->dir_count++] = optarg;
            break;
        case 'j':
            if (!text_to_int32(strview_from(optarg), &args->jobs) || args->jobs < 1 ||
                args->jobs > JOBS_MAX)
                return complain("-j wants a number from 1 to 64", optarg);
            break;
        case 'P':
            args->progress = true;
            break;
        case OPT_TOPIC:
            args->topic = optarg;
            break;
        case OPT_REPAIR:
            args->repair = true;
            break;
        case OPT_INTERVAL:
            if (!text_to_int32(strview_from(optarg), &args->index_interval) ||
                args->index_interval < 0)
                return complain("--index-interval wants a number of bytes", optarg);
            break;
        case OPT_JSON:
            args->json = true;
            break;
        case OPT_VERSION:
            printf("ottla-verify %s (%s)\n", OT_VERSION, OT_BUILD_ID);
            return 0;
        case OPT_HELP:
            print_help();
            return 0;
        default:
            return complain("unknown option, or one without its value", NULL);
        }
    }
    if (optind < argc)
        return complain("unexpected argument", argv[optind]);
    if (args->dir_count == 0)
        return complain("-D DIR is missing", NULL);
    return -1;
}

/* ---- directories ---------------------------------------------------------------------------------- */

/* Does a node hold the lock of this directory? */
static bool
is_running(const char *dir)
{
    char path[PATH_MAX];
    bool running;
    int fd;

    if (snprintf(path, sizeof path, "%s/.lock", dir) >= (int)sizeof path)
        return false;
    fd = vfs_open(path, O_RDWR, 0, NULL);
    if (fd < 0)
        return false;
    running = vfs_try_lock(fd, NULL, NULL) == OT_E_BUSY;
    vfs_close(fd);
    return running;
}

static bool
exists(const char *path)
{
    struct stat st;

    return vfs_stat(path, &st, NULL) == 0;
}

/* A data directory holds log/ and meta/; anything else is a log directory itself. */
static int
expand(const char *dir, char (*ret)[PATH_MAX])
{
    static const char *const below[] = {"log", "meta"};
    int count = 0;

    for (size_t i = 0; i < sizeof below / sizeof below[0]; i++)
        if (snprintf(ret[count], PATH_MAX, "%s/%s", dir, below[i]) < PATH_MAX && exists(ret[count]))
            count++;
    if (count == 0 && snprintf(ret[0], PATH_MAX, "%s", dir) < PATH_MAX)
        count = 1;
    return count;
}

/* ---- workers -------------------------------------------------------------------------------------- */

static void
add_counts(Totals *to, const Verify *from)
{
    to->sum.partitions += from->partitions;
    to->sum.segments += from->segments;
    to->sum.batches += from->batches;
    to->sum.records += from->records;
    to->sum.bytes += from->bytes;
    to->sum.damage += from->damage;
    to->sum.notes += from->notes;
    to->sum.repaired += from->repaired;
}

static bool
is_wanted(const Args *args, const VerifyDir *dir, int32_t index)
{
    return args->topic == NULL ||
           strview_equal(verify_dir_topic(dir, index), strview_from(args->topic));
}

/* Every jobs-th partition. Rows are flushed one by one, so that workers do not mix them. */
static void
work(const Args *args, Verify v, const VerifyDir *dir, int32_t worker, Totals *mine)
{
    int32_t count = verify_dir_count(dir);

    for (int32_t i = worker; i < count; i += args->jobs) {
        ErrInfo err = {0};

        if (is_wanted(args, dir, i) && verify_partition(&v, dir, i, &err) != 0) {
            fprintf(stderr, "ottla-verify: %s\n", err.text);
            mine->failed = true;
        }
        if (args->progress)
            fprintf(stderr, "%s: partition %" PRId32 " of %" PRId32 "\n", args->dirs[0], i + 1,
                    count);
    }
    add_counts(mine, &v);
}

/* totals: [0] of all, then one per worker. */
static void
run_workers(const Args *args, const Verify *v, const VerifyDir *dir, Totals *totals)
{
    fflush(NULL);
    memset(totals + 1, 0, (size_t)args->jobs * sizeof *totals);
    for (int32_t w = 0; w < args->jobs; w++) {
        pid_t pid = w == args->jobs - 1 ? -1 : fork(); /* the last share is ours */

        if (pid > 0)
            continue;
        work(args, *v, dir, w, totals + 1 + w); /* a failed fork: here, one after the other */
        if (pid == 0) {
            fflush(NULL);
            _exit(0);
        }
    }
    for (int status = 0; wait(&status) > 0;)
        totals->failed |= status != 0;
    for (int32_t w = 0; w < args->jobs; w++) {
        add_counts(totals, &totals[1 + w].sum);
        totals->failed |= totals[1 + w].failed;
    }
}

static void
check_dir(const Args *args, const char *path, bool running, RowOut *out, Totals *totals)
{
    Verify v = {.out = out,
                .running = running || is_running(path),
                .repair = args->repair,
                .index_interval = args->index_interval};
    VerifyDir *dir = NULL;
    ErrInfo err = {0};

    if (args->repair && v.running) {
        fprintf(stderr, "ottla-verify: %s: a node is running there; nothing is repaired\n", path);
        totals->failed = true;
        return;
    }
    if (verify_dir_open(&v, path, &dir, &err) != 0) {
        fprintf(stderr, "ottla-verify: %s\n", err.text);
        totals->failed = true;
        return;
    }
    add_counts(totals, &v);
    v = (Verify){
        .out = out, .running = v.running, .repair = v.repair, .index_interval = v.index_interval};
    run_workers(args, &v, dir, totals);
    verify_dir_close(dir);
}

static void
print_totals(RowOut *out, const Totals *totals)
{
    row_out_begin(out, "");
    row_out_int(out, "partitions", totals->sum.partitions);
    row_out_int(out, "segments", totals->sum.segments);
    row_out_int(out, "batches", totals->sum.batches);
    row_out_int(out, "records", totals->sum.records);
    row_out_int(out, "bytes", totals->sum.bytes);
    row_out_int(out, "damaged", totals->sum.damage);
    row_out_int(out, "notes", totals->sum.notes);
    row_out_int(out, "repaired", totals->sum.repaired);
    (void)row_out_end(out); /* the exit code says the same */
}

int
main(int argc, char **argv)
{
    static char paths[2][PATH_MAX];
    Args args = {.jobs = 1, .index_interval = VERIFY_INDEX_INTERVAL};
    Totals *totals;
    RowOut out;
    int rc = parse_options(argc, argv, &args);

    if (rc >= 0)
        return rc;
    totals = mmap(NULL, ((size_t)args.jobs + 1) * sizeof *totals, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (totals == MAP_FAILED)
        return complain("no memory", strerror(errno));
    setvbuf(stdout, NULL, _IOLBF, 1 << 16); /* a row leaves as one write */
    row_out_init(&out, stdout, args.json);
    for (int i = 0; i < args.dir_count; i++) {
        int count = expand(args.dirs[i], paths);

        for (int j = 0; j < count; j++)
            check_dir(&args, paths[j], is_running(args.dirs[i]), &out, totals);
    }
    print_totals(&out, totals);
    row_out_fini(&out);
    return totals->failed ? EXIT_FAILED : totals->sum.damage > 0 ? EXIT_DAMAGE : 0;
}
