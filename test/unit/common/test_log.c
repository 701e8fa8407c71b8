/*
 * test_log.c - lines are whole, clean, prefixed, limited
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/log_sink.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static int pipe_fds[2];
static char got[65536];

static int
open_pipe(void **state)
{
    (void)state;
    return pipe(pipe_fds);
}

static int
close_pipe(void **state)
{
    LogStyle style = {.fd = 2, .line_prefix = LOG_PREFIX_DEFAULT};

    (void)state;
    log_set_style(&style);
    log_set_threshold(LL_INFO);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return 0;
}

static void
use(const char *prefix, bool priority)
{
    LogStyle style = {.fd = pipe_fds[1], .priority_prefix = priority, .line_prefix = prefix};

    log_set_style(&style);
}

static const char *
read_lines(void)
{
    ssize_t len = read(pipe_fds[0], got, sizeof got - 1);

    assert_true(len > 0);
    got[len] = '\0';
    return got;
}

static void
lines_have_prefix_level_and_component(void **state)
{
    LogIdentity identity = {
        .instance = "main", .kind = "backend", .node_id = 3, .principal = "bob"};
    char want[200];

    (void)state;
    log_set_identity(&identity);
    use("[%p] %k %i/%N %-6u|%6u|%C%% ", true);
    log_msg(LL_WARNING, "net", "cannot accept: %s; fd=%d", "no\nmemory\x01", 5);
    snprintf(want, sizeof want,
             "<4>[%d] backend main/3 bob   |   bob|net%% WARNING:  net: cannot accept: "
             "no\\x0amemory\\x01; fd=5\n",
             (int)getpid());
    assert_string_equal(read_lines(), want);
    use("%k %q%h", false);
    log_msg(LL_LOG, "start", "ready");
    assert_string_equal(read_lines(), "backend LOG:  start: ready\n");
    use(LOG_PREFIX_DEFAULT, false);
    log_msg(LL_INFO, "x", "y");
    read_lines();
    assert_int_equal(got[4], '-');
    assert_non_null(strstr(got, " UTC ["));
}

/* Each escape, and what PostgreSQL makes of those that are none. */
static void
prefixes_have_all_escapes(void **state)
{
    LogIdentity identity = {.instance = "main",
                            .kind = "backend",
                            .node_id = 3,
                            .session = "1f.2a",
                            .client_address = "[::1]:77",
                            .client_host = "::1",
                            .principal = "User:bob",
                            .client_id = "a\tb",
                            .listener = "LOCAL"};
    int year, number;
    double epoch;

    (void)state;
    log_set_identity(&identity);
    use("%k %i %N %c %h %r %u %a %L %C %q%% ", false);
    log_msg(LL_LOG, "net", "x");
    assert_string_equal(read_lines(), "backend main 3 1f.2a ::1 [::1]:77 User:bob a\\x09b LOCAL "
                                      "net % LOG:  net: x\n");
    use("%t|%n|%l ", false);
    log_msg(LL_LOG, "net", "x");
    assert_int_equal(
        sscanf(read_lines(), "%d-%*d-%*d %*d:%*d:%*d UTC|%lf|%d LOG:", &year, &epoch, &number), 3);
    assert_true(year >= 2024 && epoch > 1.7e9 && number >= 2);
    use("[%5X%y%-|%!]%z%", false);
    log_msg(LL_LOG, "net", "x");
    assert_string_equal(read_lines(), "[]LOG:  net: x\n");
    log_set_identity(&(LogIdentity){.node_id = -1});
    use("%c|%h|%r|%u|%a|%L|%5u|%-2u|%N%q not here", false);
    log_msg(LL_LOG, "net", "x");
    assert_string_equal(read_lines(), "||||||     |  |-1LOG:  net: x\n");
}

static void
prefixes_have_codes(void **state)
{
    LogMore more = {.detail = "d"};

    (void)state;
    use("%e ", false);
    log_more(LL_WARNING, "net", &more, "no; peer=\"a; code=1\" code=53300");
    assert_string_equal(
        read_lines(), "53300 WARNING:  net: no; peer=\"a; code=1\" code=53300\n53300 DETAIL:  d\n");
    log_set_threshold(LL_DEBUG5);
    for (int level = LL_DEBUG5; level < LL_COUNT; level++) {
        bool failed = level == LL_ERROR || level >= LL_FATAL;

        log_msg((LogLevel)level, "net", "code=5 is no value");
        assert_memory_equal(read_lines(),
                            failed                ? "XX000 "
                            : level == LL_WARNING ? "01000 "
                                                  : "00000 ",
                            6);
    }
}

/* Each process counts the lines that are its own. */
static void
a_child_counts_from_one(void **state)
{
    (void)state;
    use("%l ", false);
    log_msg(LL_LOG, "net", "x");
    (void)read_lines();
    if (fork() == 0) {
        log_msg(LL_LOG, "net", "one");
        log_msg(LL_LOG, "net", "two");
        _exit(0);
    }
    while (wait(NULL) > 0)
        continue;
    assert_string_equal(read_lines(), "1 LOG:  net: one\n2 LOG:  net: two\n");
}

static void
more_lines_follow_in_one_write(void **state)
{
    LogMore more = {.detail = "two\nlines", .hint = "look"};

    (void)state;
    use(NULL, false);
    log_more(LL_ERROR, "log", &more, "disk is full");
    assert_string_equal(read_lines(),
                        "ERROR:  log: disk is full\nDETAIL:  two\\x0alines\nHINT:  look\n");
}

static void
long_lines_are_cut(void **state)
{
    char text[5000];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    use(LOG_PREFIX_DEFAULT, false);
    log_msg(LL_ERROR, "log", "%s", text);
    read_lines();
    assert_true(strlen(got) <= LOG_LINE_MAX);
    assert_string_equal(got + strlen(got) - 4, "...\n");
    memset(text, '\n', sizeof text - 1);
    log_msg(LL_ERROR, "log", "%s", text);
    assert_true(strlen(read_lines()) <= LOG_LINE_MAX);
}

static void
thresholds_and_categories(void **state)
{
    LogLevel level;

    (void)state;
    assert_false(log_enabled(LL_DEBUG1, "raft"));
    assert_true(log_set_category("raft", LL_DEBUG1));
    assert_true(log_enabled(LL_DEBUG1, "raft"));
    assert_false(log_enabled(LL_DEBUG1, "net"));
    assert_true(log_set_category("raft", LL_COUNT));
    assert_false(log_enabled(LL_DEBUG1, "raft"));
    for (int i = 0; i < LOG_CATEGORIES_MAX; i++) {
        char name[16];

        snprintf(name, sizeof name, "c%d", i);
        assert_true(log_set_category(name, LL_ERROR));
    }
    assert_false(log_set_category("one more", LL_ERROR));
    log_set_threshold(LL_LOG);
    assert_false(log_enabled(LL_ERROR, "net"));
    assert_true(log_level_from_name(STRVIEW("Warning"), &level) && level == LL_WARNING);
    assert_true(log_level_from_name(STRVIEW("debug"), &level) && level == LL_DEBUG1);
    assert_false(log_level_from_name(STRVIEW("loud"), &level));
    assert_string_equal(log_level_name(LL_PANIC), "PANIC");
    log_set_threshold(LL_INFO);
}

static void
floods_are_counted(void **state)
{
    LogRate rate = {0};
    uint32_t dropped;
    int allowed = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        allowed += log_rate_allow(&rate, 5000000 + i, 10, &dropped);
    assert_int_equal(allowed, 10);
    assert_true(log_rate_allow(&rate, 6000001, 10, &dropped));
    assert_int_equal(dropped, 90);
    assert_true(log_rate_allow(&rate, 6000002, 10, &dropped));
    assert_int_equal(dropped, 0);

    use(NULL, false);
    memset(&rate, 0, sizeof rate);
    for (int i = 0; i < 5; i++)
        log_limited(&rate, 2, LL_INFO, "net", "again");
    assert_string_equal(read_lines(), "INFO:  net: again\nINFO:  net: again\n");
    rate.window_start_us -= 2000000;
    log_limited(&rate, 2, LL_INFO, "net", "again");
    assert_string_equal(read_lines(), "INFO:  net: again\nDETAIL:  left out 3 more of this kind\n");
}

static void
outside_bytes_are_escaped(void **state)
{
    char buffer[16];

    (void)state;
    assert_string_equal(log_escape(STRVIEW("a\"b\\\n\xff"), buffer, sizeof buffer),
                        "a\\\"b\\\\\\x0a...");
    assert_string_equal(log_escape(STRVIEW("abc"), buffer, sizeof buffer), "abc");
    assert_string_equal(log_escape(STRVIEW("0123456789abcdef"), buffer, sizeof buffer),
                        "0123456789ab...");
    assert_string_equal(log_escape((StrView){NULL, 0}, buffer, sizeof buffer), "null");
}

/* Processes that write at once never mix their lines. */
static void
lines_of_processes_do_not_mix(void **state)
{
    int count = 0;
    FILE *lines;
    char line[400];

    (void)state;
    use(NULL, false);
    for (int child = 0; child < 4; child++) {
        if (fork() == 0) {
            for (int i = 0; i < 500; i++)
                log_msg(LL_ERROR, "child", "%0100d", child);
            _exit(0);
        }
    }
    close(pipe_fds[1]);
    pipe_fds[1] = dup(2);
    lines = fdopen(dup(pipe_fds[0]), "r");
    while (fgets(line, sizeof line, lines) != NULL) {
        assert_int_equal(strlen(line), strlen("ERROR:  child: \n") + 100);
        count++;
    }
    fclose(lines);
    assert_int_equal(count, 2000);
    while (wait(NULL) > 0)
        continue;
}

static LogFields fields;
static bool sink_takes;

static bool
keep_fields(const LogEntry *entry)
{
    log_journal_fields(entry, &fields);
    return sink_takes;
}

/* What follows "NAME=" in the message that was kept; NULL: it has no such field. */
static const char *
field(const char *name)
{
    static char value[LOG_LINE_MAX];
    size_t len = strlen(name);

    for (int i = 0; i < fields.count; i++) {
        const char *base = fields.list[i].iov_base;

        if (fields.list[i].iov_len <= len || memcmp(base, name, len) != 0 || base[len] != '=')
            continue;
        snprintf(value, sizeof value, "%.*s", (int)(fields.list[i].iov_len - len - 1),
                 base + len + 1);
        return value;
    }
    return NULL;
}

/* The journal gets a message with its fields; what it refuses is written as lines. */
static void
messages_have_fields(void **state)
{
    LogIdentity identity = {.instance = "main",
                            .kind = "backend",
                            .node_id = 3,
                            .session = "1f.2a",
                            .listener = "PLAINTEXT",
                            .client_address = "[::1]:77",
                            .principal = "User:bob",
                            .client_id = "app"};
    LogStyle style = {.fd = pipe_fds[1], .sink = keep_fields};
    char line[20];

    (void)state;
    log_set_identity(&identity);
    log_set_style(&style);
    log_set_request("Fetch", 42);
    sink_takes = true;
    log_more(LL_ERROR, "storage", (&(LogMore){"two\nlines", .event = LOG_EVENT_LOG_DIR_FAILED}),
             "bad\n%s", "disk");
    snprintf(line, sizeof line, "%d", __LINE__ - 1);
    assert_string_equal(field("MESSAGE"), "storage: bad\\x0adisk\nDETAIL:  two\nlines");
    assert_string_equal(field("PRIORITY"), "3");
    assert_int_equal(strlen(field("MESSAGE_ID")), 32);
    assert_string_equal(field("SYSLOG_IDENTIFIER"), "ottlad");
    assert_non_null(strstr(field("CODE_FILE"), "test_log.c"));
    assert_string_equal(field("CODE_FUNC"), "messages_have_fields");
    assert_true(atoi(field("CODE_LINE")) >= atoi(line) - 1 &&
                atoi(field("CODE_LINE")) <= atoi(line));
    assert_string_equal(field("OTTLA_INSTANCE"), "main");
    assert_string_equal(field("OTTLA_NODE_ID"), "3");
    assert_string_equal(field("OTTLA_KIND"), "backend");
    assert_string_equal(field("OTTLA_CATEGORY"), "storage");
    assert_string_equal(field("OTTLA_DETAIL"), "two\nlines");
    assert_null(field("OTTLA_HINT"));
    assert_string_equal(field("OTTLA_SESSION"), "1f.2a");
    assert_string_equal(field("OTTLA_LISTENER"), "PLAINTEXT");
    assert_string_equal(field("OTTLA_CLIENT_ADDR"), "[::1]:77");
    assert_string_equal(field("OTTLA_PRINCIPAL"), "User:bob");
    assert_string_equal(field("OTTLA_CLIENT_ID"), "app");
    assert_string_equal(field("OTTLA_API"), "Fetch");
    assert_string_equal(field("OTTLA_CORRELATION_ID"), "42");
    sink_takes = false;
    log_msg(LL_LOG, "x", "y");
    assert_null(field("MESSAGE_ID"));
    assert_string_equal(read_lines(), "LOG:  x: y\n");
    log_set_identity(&(LogIdentity){.node_id = -1});
    log_msg(LL_LOG, "x", "y");
    assert_null(field("OTTLA_NODE_ID"));
    assert_null(field("OTTLA_API"));
}

/* A message as JSON: one line of an object, whatever bytes it has; what does not fit is left out whole. */
static void
messages_become_json(void **state)
{
    static char long_text[LOG_LINE_MAX];
    static const LogPlace place = {"f.c", "g", 7};
    LogIdentity who = {.node_id = 3, .kind = "backend", .client_id = "a\"b\\\x80\xc3\xa9"};
    LogMore more = {.detail = long_text, .hint = long_text};
    LogEntry entry = {.level = LL_ERROR,
                      .priority = 3,
                      .component = "storage",
                      .text = "storage: bad; topic=t",
                      .more = &(LogMore){.detail = "one"},
                      .place = &place,
                      .identity = &who};
    char line[LOG_JSON_MAX];
    size_t len = log_json_line(&entry, 1740830400123, 12, line);

    (void)state;
    assert_string_equal(
        line, "{\"TIME\":\"2025-03-01T12:00:00.123Z\",\"_PID\":\"12\",\"PRIORITY\":\"3\","
              "\"SYSLOG_IDENTIFIER\":\"ottlad\",\"CODE_FILE\":\"f.c\",\"CODE_LINE\":\"7\","
              "\"CODE_FUNC\":\"g\",\"OTTLA_NODE_ID\":\"3\",\"OTTLA_KIND\":\"backend\","
              "\"OTTLA_CATEGORY\":\"storage\",\"OTTLA_LEVEL\":\"ERROR\","
              "\"OTTLA_CLIENT_ID\":\"a\\\"b\\\\\\ufffd\xc3\xa9\",\"OTTLA_TOPIC\":\"t\","
              "\"MESSAGE\":\"storage: bad; topic=t\\nDETAIL:  one\",\"OTTLA_DETAIL\":\"one\"}\n");
    assert_int_equal(len, strlen(line));
    memset(long_text, 1, sizeof long_text - 1); /* six bytes each */
    entry.more = &more;
    len = log_json_line(&entry, 0, 12, line);
    assert_int_equal(len, strlen(line));
    assert_true(len < LOG_JSON_MAX);
    assert_null(strstr(line, "\"MESSAGE\""));
    assert_non_null(strstr(line, "\"OTTLA_DETAIL\""));
    assert_string_equal(line + len - 3, "\"}\n");

    log_set_style(&(LogStyle){.fd = pipe_fds[1], .sink = log_json_write});
    log_msg(LL_LOG, "x", "y");
    assert_non_null(strstr(read_lines(), "\"MESSAGE\":\"x: y\"}\n"));
}

/* What a message lists at its end becomes fields; what a client wrote does not. */
static void
values_become_fields(void **state)
{
    static char text[LOG_LINE_MAX];
    LogStyle style = {.fd = pipe_fds[1], .sink = keep_fields};

    (void)state;
    log_set_style(&style);
    sink_takes = true;
    log_msg(LL_LOG, "retention", "segments removed; topic=%s partition=%d bytes=7", "or.ders-1",
            12);
    assert_string_equal(field("OTTLA_TOPIC"), "or.ders-1");
    assert_string_equal(field("OTTLA_PARTITION"), "12");
    assert_null(field("OTTLA_CODE"));
    log_msg(LL_WARNING, "supervisor", "closed: no slot; code=53300");
    assert_string_equal(field("OTTLA_CODE"), "53300");
    assert_null(field("OTTLA_TOPIC"));
    log_msg(LL_LOG, "net", "why; so; client=\"a\\\" b; topic=x\" partition=3");
    assert_null(field("OTTLA_TOPIC"));
    assert_string_equal(field("OTTLA_PARTITION"), "3");
    log_msg(LL_LOG, "net", "why; group=\"a \\\" b\" topic=x");
    assert_string_equal(field("OTTLA_GROUP"), "a \\\" b");
    assert_string_equal(field("OTTLA_TOPIC"), "x");
    log_msg(LL_LOG, "net", "why; group=\"\" topic=\"\"");
    assert_string_equal(field("OTTLA_GROUP"), "");
    log_msg(LL_LOG, "net", "closed: \"; topic=x\" is no name");
    assert_null(field("OTTLA_TOPIC"));
    log_msg(LL_LOG, "net", "no; topic=x is not the end");
    assert_null(field("OTTLA_TOPIC"));
    log_msg(LL_LOG, "net", "nothing; ");
    assert_null(field("OTTLA_TOPIC"));
    log_msg(LL_LOG, "net", "open; client=\"topic=x");
    assert_null(field("OTTLA_TOPIC"));
    memset(text, 'x', sizeof text - 1);
    log_msg(LL_LOG, "net", "cut; topic=%s partition=1", text);
    assert_null(field("OTTLA_TOPIC"));
}

/* A message as long as may be fills no more than there is. */
static void
fields_of_long_messages_are_cut(void **state)
{
    static char text[20000];
    LogStyle style = {.fd = pipe_fds[1], .sink = keep_fields};

    (void)state;
    memset(text, 'x', sizeof text - 1);
    log_set_style(&style);
    sink_takes = true;
    log_more(LL_ERROR, text, (&(LogMore){text, text, text, LOG_EVENT_NONE}), "%s", text);
    assert_true(fields.used <= sizeof fields.bytes);
    assert_true(fields.count > 5 && fields.count <= LOG_JOURNAL_FIELDS_MAX);
}

/* Fills what is read by nobody; how many writes it took. */
static int
fill(int fd, size_t size)
{
    char bytes[4096];
    int count = 0;

    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    while (write(fd, bytes, size) > 0)
        count++;
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    return count;
}

/* Would hang without it; the alarm ends the test then. */
static void
who_never_waits_loses_lines_and_says_how_many(void **state)
{
    (void)state;
    alarm(20);
    use("", false);
    log_never_wait(true);
    log_msg(LL_INFO, "test", "taken");
    assert_string_equal(read_lines(), "INFO:  test: taken\n");
    assert_true(fill(pipe_fds[1], 4096) > 0);
    for (int i = 0; i < 3; i++)
        log_msg(LL_INFO, "test", "lost %d", i);
    while (strlen(read_lines()) == sizeof got - 1) {
        /* until the pipe is empty */
    }
    log_msg(LL_INFO, "test", "taken again");
    log_msg(LL_INFO, "test", "and again");
    assert_string_equal(read_lines(),
                        "WARNING:  supervisor: log lines were lost, nobody took them; lines=3\n"
                        "INFO:  test: taken again\nINFO:  test: and again\n");
    log_never_wait(false);
    alarm(0);
}

static void
a_full_socket_takes_nothing(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char dir[] = "/tmp/ottla-log-XXXXXX";
    char byte[64];
    int reader = socket(AF_UNIX, SOCK_DGRAM, 0);
    int writer = socket(AF_UNIX, SOCK_DGRAM, 0);

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", dir);
    assert_true(log_socket_takes(address.sun_path, 0)); /* nobody there: an error at once */
    assert_int_equal(bind(reader, (const struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(connect(writer, (const struct sockaddr *)&address, sizeof address), 0);
    assert_true(log_socket_takes(address.sun_path, 0));
    assert_true(fill(writer, 1) > 0);
    assert_false(log_socket_takes(address.sun_path, 0));
    while (recv(reader, byte, sizeof byte, MSG_DONTWAIT) > 0) {
        /* until it is empty */
    }
    assert_true(log_socket_takes(address.sun_path, 0));
    close(writer);
    close(reader);
    unlink(address.sun_path);
    rmdir(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lines_have_prefix_level_and_component),
        TEST(prefixes_have_all_escapes),
        TEST(prefixes_have_codes),
        TEST(a_child_counts_from_one),
        TEST(more_lines_follow_in_one_write),
        TEST(long_lines_are_cut),
        TEST(thresholds_and_categories),
        TEST(floods_are_counted),
        TEST(outside_bytes_are_escaped),
        TEST(lines_of_processes_do_not_mix),
        TEST(messages_have_fields),
        TEST(messages_become_json),
        TEST(values_become_fields),
        TEST(fields_of_long_messages_are_cut),
        TEST(who_never_waits_loses_lines_and_says_how_many),
        TEST(a_full_socket_takes_nothing),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
