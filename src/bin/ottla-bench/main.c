/*
 * main.c - ottla-bench: how fast a cluster takes and gives records, and how long that takes
 *
 * Command line; the modes are in run.c. Speaks to any Kafka cluster, by librdkafka.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bin/ottla-bench/bench_int.h"
#include "ottla/common/text.h"
#include "ottla/common/usage.h"
#include "ottla/common/version.h"

volatile sig_atomic_t bench_stopped;

static void
on_signal(int number)
{
    (void)number;
    bench_stopped = bench_stopped + 1;
}

static void
print_help(void)
{
    fputs("ottla-bench: how fast a cluster takes and gives records, and how long that takes\n"
          "\n"
          "usage: ottla-bench produce|consume|latency [OPTION]...\n"
          "\n"
          "  produce            writes records; measures until each is acknowledged\n"
          "  consume            reads a topic from its beginning to its end\n"
          "  latency            writes and reads; measures until each record has come back\n"
          "\n"
          "  -h HOST[:PORT],... the cluster ($OTTLA_HOST:$OTTLA_PORT, else localhost:9092)\n"
          "  -t TOPIC           the topic (ottla-bench)\n"
          "  --create N[:R]     makes it first, with N partitions and R replicas (1)\n"
          "  -n RECORDS         ends after so many\n"
          "  -T SECONDS         ends after that time (10, without -n; consume: at the end)\n"
          "  -s BYTES           size of a value (1024)\n"
          "  -R, --rate N       N records a second on a fixed schedule; latency: 1000\n"
          "  --keys N           N different keys (none)\n"
          "  --warmup SECONDS   not measured\n"
          "  --group GROUP      consume: as a member of the group\n"
          "  --follow           consume: goes on behind the end\n"
          "  -X NAME=VALUE      a property of librdkafka: acks, linger.ms, compression.type ...\n"
          "  -P SECONDS         progress on standard error\n"
          "  --json             the result as one JSON object\n"
          "  --version, --help\n"
          "\n"
          "With a rate a record's time counts from the moment it was due, however late it left.\n"
          "Exit codes: 0 all is well, 1 records failed or are missing, or it was stopped;\n"
          "2 usage, nobody to connect to, no such topic.\n",
          stdout);
}

static int
complain(const char *what, const char *value)
{
    return usage_fault("ottla-bench", what, value, EXIT_USAGE);
}

static bool
take_number(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    return text_to_int64(strview_from(text), ret) && *ret >= min && *ret <= max;
}

/* Seconds with a fraction, as microseconds. */
static bool
take_seconds(const char *text, int64_t *ret_us)
{
    double seconds;

    if (!text_to_double(strview_from(text), &seconds) || !(seconds >= 0 && seconds <= 1e7))
        return false;
    *ret_us = (int64_t)(seconds * 1e6);
    return true;
}

/* N or N:R */
static bool
take_create(const char *text, BenchOptions *o)
{
    const char *colon = strchr(text, ':');
    StrView first = {text, (int32_t)(colon == NULL ? strlen(text) : (size_t)(colon - text))};

    o->replication = 1;
    return text_to_int32(first, &o->create) && o->create >= 1 &&
           o->create <= BENCH_PARTITIONS_MAX &&
           (colon == NULL || (text_to_int32(strview_from(colon + 1), &o->replication) &&
                              o->replication >= 1 && o->replication <= 32767));
}

enum {
    OPT_CREATE = 256,
    OPT_KEYS,
    OPT_WARMUP,
    OPT_GROUP,
    OPT_FOLLOW,
    OPT_JSON,
    OPT_VERSION,
    OPT_HELP,
};

static const struct option longs[] = {
    {"create", required_argument, NULL, OPT_CREATE},
    {"rate", required_argument, NULL, 'R'},
    {"keys", required_argument, NULL, OPT_KEYS},
    {"warmup", required_argument, NULL, OPT_WARMUP},
    {"group", required_argument, NULL, OPT_GROUP},
    {"follow", no_argument, NULL, OPT_FOLLOW},
    {"json", no_argument, NULL, OPT_JSON},
    {"version", no_argument, NULL, OPT_VERSION},
    {"help", no_argument, NULL, OPT_HELP},
    {NULL, 0, NULL, 0},
};

/* -1: go on; else the exit code. */
static int
take_option(int option, BenchOptions *o)
{
    int64_t number;

    switch (option) {
    case 'h':
        o->bootstrap = optarg;
        return -1;
    case 't':
        o->topic = optarg;
        return -1;
    case 'n':
        return take_number(optarg, 1, INT64_MAX / 1000000, &o->count)
                   ? -1
                   : complain("-n wants a number of records", optarg);
    case 'T':
        return take_seconds(optarg, &o->duration_us) && o->duration_us > 0
                   ? -1
                   : complain("-T wants seconds", optarg);
    case 's':
        if (!take_number(optarg, 0, BENCH_SIZE_MAX, &number))
            return complain("-s wants bytes, at most 64 MiB", optarg);
        o->size = (int32_t)number;
        return -1;
    case 'R':
        return take_number(optarg, 1, 100000000, &o->rate)
                   ? -1
                   : complain("--rate wants records a second", optarg);
    case 'P':
        return take_seconds(optarg, &o->progress_us) && o->progress_us > 0
                   ? -1
                   : complain("-P wants seconds", optarg);
    case 'X':
        if (o->property_count == BENCH_PROPERTIES_MAX)
            return complain("too many properties (-X)", NULL);
        o->properties[o->property_count++] = optarg;
        return -1;
    case OPT_CREATE:
        return take_create(optarg, o) ? -1
                                      : complain("--create wants PARTITIONS[:REPLICAS]", optarg);
    case OPT_KEYS:
        return take_number(optarg, 1, INT64_MAX, &o->keys)
                   ? -1
                   : complain("--keys wants a number", optarg);
    case OPT_WARMUP:
        return take_seconds(optarg, &o->warmup_us) ? -1
                                                   : complain("--warmup wants seconds", optarg);
    case OPT_GROUP:
        o->group = optarg;
        return -1;
    case OPT_FOLLOW:
        o->follow = true;
        return -1;
    case OPT_JSON:
        o->json = true;
        return -1;
    case OPT_VERSION:
        printf("ottla-bench %s, librdkafka %s\n", OT_VERSION, rd_kafka_version_str());
        return 0;
    case OPT_HELP:
        print_help();
        return 0;
    default:
        return EXIT_USAGE; /* getopt has said what it does not understand */
    }
}

/* The cluster, as the shell's environment names it, when it is one host that TCP reaches; else localhost:9092. */
static const char *
default_cluster(char *ret, size_t size)
{
    const char *host = getenv("OTTLA_HOST");
    const char *port = getenv("OTTLA_PORT");

    if (host == NULL || host[0] == '\0' || host[0] == '/')
        host = "localhost";
    if (port == NULL || port[0] == '\0')
        port = "9092";
    if (strpbrk(host, ":,") != NULL)
        return host; /* as librdkafka reads it */
    (void)snprintf(ret, size, "%s:%s", host, port);
    return ret;
}

/* What was not said follows from what was. -1: go on; else the exit code. */
static int
settle(BenchOptions *o)
{
    if (o->mode == BENCH_LATENCY && o->size < BENCH_SIZE_MIN)
        return complain("latency wants values of 32 bytes or more", NULL);
    if (o->mode == BENCH_LATENCY && o->rate == 0)
        o->rate = 1000;
    if (o->mode == BENCH_CONSUME && (o->rate > 0 || o->keys > 0))
        return complain("consume takes no --rate and no --keys", NULL);
    if (o->mode != BENCH_CONSUME && (o->group != NULL || o->follow))
        return complain("--group and --follow belong to consume", NULL);
    if (o->count == 0 && o->duration_us == 0 && o->mode != BENCH_CONSUME)
        o->duration_us = 10 * INT64_C(1000000);
    return -1;
}

/* -1: go on; else the exit code. */
static int
parse_options(int argc, char **argv, BenchOptions *o)
{
    static const char *const modes[BENCH_MODE_COUNT] = {
        [BENCH_PRODUCE] = "produce", [BENCH_CONSUME] = "consume", [BENCH_LATENCY] = "latency"};
    int option, exit_code;

    while ((option = getopt_long(argc, argv, "h:t:n:T:s:R:P:X:", longs, NULL)) != -1) {
        exit_code = take_option(option, o);
        if (exit_code >= 0)
            return exit_code;
    }
    if (optind == argc)
        return complain("produce, consume or latency?", NULL);
    if (optind + 1 < argc)
        return complain("too many words", argv[optind + 1]);
    while (o->mode < BENCH_MODE_COUNT && strcmp(argv[optind], modes[o->mode]) != 0)
        o->mode++;
    if (o->mode == BENCH_MODE_COUNT)
        return complain("produce, consume or latency, not", argv[optind]);
    return settle(o);
}

int
main(int argc, char **argv)
{
    char cluster[512];
    BenchOptions o = {.topic = "ottla-bench", .size = 1024};
    struct sigaction action = {.sa_handler = on_signal};
    int exit_code;

    o.bootstrap = default_cluster(cluster, sizeof cluster);
    exit_code = parse_options(argc, argv, &o);
    if (exit_code >= 0)
        return exit_code;
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    switch (o.mode) {
    case BENCH_PRODUCE:
        return bench_produce(&o);
    case BENCH_CONSUME:
        return bench_consume(&o);
    case BENCH_LATENCY:
        return bench_latency(&o);
    case BENCH_MODE_COUNT:
        break;
    }
    return EXIT_USAGE;
}
