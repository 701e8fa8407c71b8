/*
 * test_postmaster.c - the real supervisor with small children of the test's own
 *
 * Proves on real processes, with a data directory in /tmp: start and the order of the kinds, titles
 * and comm names, a backend per connection on TCP and on the Unix socket, limits per address and in
 * all, pid file and its lock, clean and immediate stop, a killed backend that touches nobody, a killed worker
 * that makes a crash cycle, a worker that gives up and comes back, death of the supervisor that
 * ends all children.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ottla/backend/backend_main.h"
#include "ottla/common/clock.h"
#include "ottla/ipc/latch.h"
#include "ottla/ipc/mainloop.h"
#include "ottla/ipc/node.h"
#include "ottla/ipc/shared_page.h"
#include "ottla/ipc/title.h"
#include "ottla/postmaster/postmaster.h"

#define PATIENCE_US 15000000

extern char **environ;

/* ---- children ---- */

static void
fake_backend(int instance, const void *arg)
{
    const BackendStart *start = arg;
    char byte;

    (void)instance; /* as start->listener */
    title_set("%s %s idle", node_listeners.rows[start->listener].name, start->peer);
    (void)fcntl(start->fd, F_SETFL, 0);
    char answer[64];
    int len = snprintf(answer, sizeof answer, "%d\n", (int)getpid());
    (void)!write(start->fd, answer, (size_t)len);
    for (;;) {
        uint32_t why;
        if (recv(start->fd, &byte, 1, MSG_DONTWAIT) == 0)
            exit(0);
        why = mainloop_wait(clock_mono_us() + 20000, WAIT_EV_CLIENT_READ);
        if (why & WOKE_INTERRUPT && interrupt_take(INTERRUPT_TERMINATE))
            exit(0);
        if (interrupt_pending(INTERRUPT_ORPHANED))
            exit(1);
    }
}

static void
serve_until(Interrupt end, WaitEvent event)
{
    for (;;) {
        (void)mainloop_wait(MAINLOOP_NO_DEADLINE, event);
        if (interrupt_take(end))
            exit(0);
        if (interrupt_take(INTERRUPT_USR1)) /* the test's way to let a worker give up */
            exit(1);
        if (interrupt_pending(INTERRUPT_ORPHANED))
            exit(1);
    }
}

static void
fake_controller(int instance, const void *arg)
{
    (void)instance; /* there is one */
    (void)arg;      /* workers get none */
    atomic_u32_store(&shared_page->controller_active, 1);
    node_wake_supervisor();
    serve_until(INTERRUPT_TERMINATE, WAIT_EV_CONTROLLER_MAIN);
}

static void
fake_retention(int instance, const void *arg)
{
    (void)instance; /* there is one */
    (void)arg;      /* workers get none */
    serve_until(INTERRUPT_TERMINATE, WAIT_EV_RETENTION_MAIN);
}

static void
fake_checkpointer(int instance, const void *arg)
{
    (void)instance; /* there is one */
    (void)arg;      /* workers get none */
    serve_until(INTERRUPT_FINISH, WAIT_EV_CHECKPOINTER_MAIN);
}

static void
fake_startup(int instance, const void *arg)
{
    (void)instance; /* there is one */
    (void)arg;      /* workers get none */
    exit(0);
}

static const KindMains mains = {
    .main = {[PROC_BACKEND] = fake_backend,
             [PROC_CONTROLLER] = fake_controller,
             [PROC_CHECKPOINTER] = fake_checkpointer,
             [PROC_RETENTION] = fake_retention,
             [PROC_STARTUP] = fake_startup},
};

/* ---- a node under test ---- */

typedef struct Node {
    char dir[64];
    pid_t pid;
    int out;  /* its standard output */
    int port; /* from its line `ready` */
} Node;

static void
remove_dir(const char *dir)
{
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", dir, (char *)NULL);
        _exit(127);
    }
    (void)waitpid(pid, NULL, 0);
}

static void
launch_node(Node *node, void (*change)(PmSettings *))
{
    int out[2];

    assert_int_equal(pipe(out), 0);
    fflush(stdout);
    node->pid = fork();
    assert_true(node->pid >= 0);
    if (node->pid == 0) {
        static PmSettings settings;
        char log_path[96];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        snprintf(log_path, sizeof log_path, "%s.log", node->dir);
        int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND, 0600);
        dup2(out[1], 1);
        dup2(log, 2);
        close(out[0]);
        close(out[1]);
        pm_settings_default(node->dir, &settings);
        settings.listeners.listeners = "PLAINTEXT://127.0.0.1:0";
        settings.user = geteuid() == 0 ? "root" : NULL;
        settings.limits.backend_slots = 200;
        settings.limits.max_partitions = 100;
        settings.limits.producer_entries = 1000;
        settings.machine.backend_timeout_ms = 2000;
        if (change != NULL)
            change(&settings);
        int code = postmaster_run(&settings, &mains);
        fflush(stdout);
        _exit(code);
    }
    close(out[1]);
    node->out = out[0];
}

static void
await_ready(Node *node)
{
    char line[256] = "";
    size_t len = 0;

    while (strchr(line, '\n') == NULL) {
        ssize_t got = read(node->out, line + len, sizeof line - 1 - len);
        if (got <= 0)
            fail_msg("node %s did not get ready", node->dir);
        len += (size_t)got;
        line[len] = '\0';
    }
    assert_int_equal(sscanf(line, "ready 127.0.0.1:%d", &node->port), 1);
}

static void
start_node(Node *node, void (*change)(PmSettings *))
{
    snprintf(node->dir, sizeof node->dir, "/tmp/ottla-pm-XXXXXX");
    assert_non_null(mkdtemp(node->dir));
    launch_node(node, change);
    await_ready(node);
}

/* Exit code, or 256 + signal. */
static int
await_end(Node *node)
{
    int status;

    assert_int_equal(waitpid(node->pid, &status, 0), node->pid);
    close(node->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static void
clean_up(Node *node)
{
    char log_path[96];

    remove_dir(node->dir);
    snprintf(log_path, sizeof log_path, "%s.log", node->dir);
    (void)unlink(log_path);
}

/* The pid of the n-th child of the node whose title begins with the kind; 0: none. */
static pid_t
find_child(const Node *node, const char *kind, char *ret_title, size_t size)
{
    char want[128];
    const char *base = strrchr(node->dir, '/') + 1;
    DIR *proc = opendir("/proc");
    struct dirent *entry;
    pid_t found = 0;

    snprintf(want, sizeof want, "ottlad: %s: %s", base, kind);
    while (found == 0 && (entry = readdir(proc)) != NULL) {
        char path[300], text[512] = "";
        snprintf(path, sizeof path, "/proc/%s/cmdline", entry->d_name);
        int fd = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? open(path, O_RDONLY) : -1;
        if (fd < 0)
            continue;
        (void)!read(fd, text, sizeof text - 1);
        close(fd);
        if (strncmp(text, want, strlen(want)) == 0) {
            found = (pid_t)strtol(entry->d_name, NULL, 10);
            if (ret_title != NULL)
                snprintf(ret_title, size, "%s", text);
        }
    }
    closedir(proc);
    return found;
}

static pid_t
await_child(const Node *node, const char *kind, pid_t other_than)
{
    int64_t until = clock_mono_us() + PATIENCE_US;

    for (;;) {
        pid_t pid = find_child(node, kind, NULL, 0);
        if (pid != 0 && pid != other_than)
            return pid;
        if (clock_mono_us() > until)
            fail_msg("no %s of %s", kind, node->dir);
        usleep(5000);
    }
}

static int
connect_tcp(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    (void)!write(fd, "x", 1); /* accepting is deferred until data arrive */
    return fd;
}

/* The pid the backend says; 0: closed instead; -1: nothing came in time. */
static pid_t
read_pid(int fd, int patience_ms)
{
    char text[32] = "";
    struct timeval patience = {.tv_sec = patience_ms / 1000, .tv_usec = patience_ms % 1000 * 1000};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ssize_t got = recv(fd, text, sizeof text - 1, 0);
    if (got < 0 && errno != ECONNRESET)
        return -1;
    return got <= 0 ? 0 : (pid_t)strtol(text, NULL, 10);
}

static bool
is_gone(pid_t pid)
{
    int64_t until = clock_mono_us() + PATIENCE_US;

    while (kill(pid, 0) == 0) {
        char path[64], text[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
        int fd = open(path, O_RDONLY);
        if (fd >= 0) {
            (void)!read(fd, text, sizeof text - 1);
            close(fd);
            if (strstr(text, ") Z ") != NULL)
                return true; /* an orphan whose new parent is slow to reap */
        }
        if (clock_mono_us() > until)
            return false;
        usleep(5000);
    }
    return true;
}

/* ---- tests ---- */

static void
starts_serves_and_stops_cleanly(void **unused)
{
    Node node;
    char title[512], path[128], text[1024] = "";

    (void)unused; /* cmocka's signature */
    start_node(&node, NULL);
    int fd = connect_tcp(node.port);
    pid_t backend = read_pid(fd, 5000);
    assert_true(backend > 0);
    assert_int_equal(find_child(&node, "backend PLAINTEXT 127.0.0.1:", title, sizeof title),
                     backend);
    await_child(&node, "controller", 0);
    await_child(&node, "checkpointer", 0);
    await_child(&node, "retention", 0);

    snprintf(path, sizeof path, "/proc/%d/comm", (int)backend);
    FILE *file = fopen(path, "r");
    assert_non_null(fgets(text, sizeof text, file));
    fclose(file);
    assert_string_equal(text, "ottlad-backend\n");

    snprintf(path, sizeof path, "%s/ottlad.pid", node.dir);
    file = fopen(path, "r");
    size_t len = fread(text, 1, sizeof text - 1, file);
    text[len] = '\0';
    fclose(file);
    assert_int_equal(strtol(text, NULL, 10), node.pid);
    assert_non_null(strstr(text, node.dir));
    assert_non_null(strstr(text, "\nready   \n"));

    kill(node.pid, SIGINT);
    assert_int_equal(await_end(&node), EXIT_CODE_CLEAN);
    assert_true(is_gone(backend));
    assert_int_equal(access(path, F_OK), -1);
    close(fd);
    launch_node(&node, NULL); /* what was formatted opens again */
    await_ready(&node);
    kill(node.pid, SIGTERM);
    assert_int_equal(await_end(&node), EXIT_CODE_CLEAN);
    clean_up(&node);
}

static void
serves_the_unix_socket(void **unused)
{
    Node node;
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    (void)unused; /* cmocka's signature */
    start_node(&node, NULL);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/.s.ottla.%d", node.dir, node.port);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_true(read_pid(fd, 5000) > 0);
    close(fd);
    kill(node.pid, SIGINT);
    assert_int_equal(await_end(&node), EXIT_CODE_CLEAN);
    assert_int_equal(access(address.sun_path, F_OK), -1);
    clean_up(&node);
}

static void
limit_two_per_address(PmSettings *settings)
{
    settings->accept.max_per_address = 2;
}

static void
limit_two_in_all(PmSettings *settings)
{
    settings->accept.rules.node.connections = 2;
}

static void
limits_connections(void **unused)
{
    Node node;
    int fd[3];

    (void)unused; /* cmocka's signature */
    start_node(&node, limit_two_per_address);
    for (int i = 0; i < 3; i++) {
        fd[i] = connect_tcp(node.port);
        pid_t pid = read_pid(fd[i], 5000);
        assert_true(i < 2 ? pid > 0 : pid == 0); /* the third is closed */
    }
    for (int i = 0; i < 3; i++)
        close(fd[i]);
    kill(node.pid, SIGINT);
    assert_int_equal(await_end(&node), EXIT_CODE_CLEAN);
    clean_up(&node);

    start_node(&node, limit_two_in_all);
    for (int i = 0; i < 3; i++) {
        fd[i] = connect_tcp(node.port);
        pid_t pid = read_pid(fd[i], i < 2 ? 5000 : 200);
        assert_true(i < 2 ? pid > 0 : pid == -1); /* the third waits */
    }
    close(fd[0]);
    assert_true(read_pid(fd[2], 5000) > 0);
    close(fd[1]);
    close(fd[2]);
    kill(node.pid, SIGINT);
    assert_int_equal(await_end(&node), EXIT_CODE_CLEAN);
    clean_up(&node);
}

/* When a process was forked, on the clock of clock_mono_us; the kernel counts in 10 ms. */
static int64_t
started_at_us(pid_t pid)
{
    char path[64], text[1024] = "";
    int64_t ticks = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    (void)!read(fd, text, sizeof text - 1);
    close(fd);
    const char *p = strrchr(text, ')');
    for (int field = 2; p != NULL && field < 22; field++)
        p = strchr(p + 1, ' ');
    assert_non_null(p);
    ticks = strtoll(p, NULL, 10);
    return ticks * (1000000 / sysconf(_SC_CLK_TCK));
}

static void
three_spares(PmSettings *settings)
{
    settings->spare_backends = 3;
}

static void
spares_take_connections(void **unused)
{
    Node node;
    int fd[8];

    (void)unused; /* cmocka's signature */
    start_node(&node, three_spares);
    for (int i = 0; i < 8; i++) {
        await_child(&node, "backend spare", 0);
        int64_t before_us = clock_mono_us();
        fd[i] = connect_tcp(node.port);
        pid_t pid = read_pid(fd[i], 5000);
        assert_true(pid > 0);
        if (i == 0) /* it was there before the connection */
            assert_true(started_at_us(pid) < before_us);
    }
    pid_t spare = await_child(&node, "backend spare", 0);
    kill(spare, SIGKILL); /* nobody misses it */
    await_child(&node, "backend spare", spare);
    assert_int_equal(read_pid(fd[0], 100), -1);
    kill(await_child(&node, "retention", 0), SIGKILL);
    assert_int_equal(read_pid(fd[0], 5000), 0); /* a cycle; new spares after it */
    for (int i = 0; i < 8; i++)
        close(fd[i]);
    fd[0] = connect_tcp(node.port);
    assert_true(read_pid(fd[0], 10000) > 0);
    close(fd[0]);
    await_child(&node, "backend spare", 0);
    kill(node.pid, SIGTERM); /* spares are no clients: the stop need not wait */
    int64_t before = clock_mono_us();
    assert_int_equal(await_end(&node), EXIT_CODE_CLEAN);
    assert_true(clock_mono_us() - before < 10000000);
    clean_up(&node);
}

static void
second_start_is_refused(void **unused)
{
    Node node, second;

    (void)unused; /* cmocka's signature */
    start_node(&node, NULL);
    second = node;
    launch_node(&second, NULL);
    assert_int_equal(await_end(&second), EXIT_CODE_LOCKED);
    int fd = connect_tcp(node.port); /* the first is unharmed */
    assert_true(read_pid(fd, 5000) > 0);
    close(fd);
    kill(node.pid, SIGQUIT);
    assert_int_equal(await_end(&node), EXIT_CODE_FATAL);
    clean_up(&node);
}

static void
a_killed_backend_touches_nobody(void **unused)
{
    Node node;

    (void)unused; /* cmocka's signature */
    start_node(&node, NULL);
    int first = connect_tcp(node.port), second = connect_tcp(node.port);
    pid_t pid_first = read_pid(first, 5000), pid_second = read_pid(second, 5000);
    pid_t controller = await_child(&node, "controller", 0);
    kill(pid_first, SIGKILL);
    assert_int_equal(read_pid(first, 5000), 0); /* its own connection ends */
    assert_int_equal(read_pid(second, 300), -1);
    assert_int_equal(kill(pid_second, 0), 0);
    assert_int_equal(await_child(&node, "controller", 0), controller);
    close(first);
    close(second);
    kill(node.pid, SIGINT);
    assert_int_equal(await_end(&node), EXIT_CODE_CLEAN);
    clean_up(&node);
}

static void
a_killed_worker_makes_a_cycle(void **unused)
{
    static const char *const kinds[] = {"controller", "checkpointer", "retention"};
    Node node;

    (void)unused; /* cmocka's signature */
    start_node(&node, NULL);
    for (size_t i = 0; i < 3; i++) {
        int fd = connect_tcp(node.port);
        assert_true(read_pid(fd, 5000) > 0);
        pid_t other = await_child(&node, kinds[(i + 1) % 3], 0);
        pid_t worker = await_child(&node, kinds[i], 0);
        kill(worker, SIGKILL);
        assert_int_equal(read_pid(fd, 5000), 0); /* every connection is lost */
        await_child(&node, kinds[i], worker);
        await_child(&node, kinds[(i + 1) % 3], other);
        close(fd);
        fd = connect_tcp(node.port); /* and the next one served */
        assert_true(read_pid(fd, 10000) > 0);
        close(fd);
    }
    kill(node.pid, SIGINT);
    assert_int_equal(await_end(&node), EXIT_CODE_CLEAN);
    clean_up(&node);
}

static void
a_worker_that_gives_up_comes_back(void **unused)
{
    Node node;

    (void)unused; /* cmocka's signature */
    start_node(&node, NULL);
    pid_t controller = await_child(&node, "controller", 0);
    pid_t retention = await_child(&node, "retention", 0);
    int64_t before = clock_mono_us();
    kill(retention, SIGUSR1);
    await_child(&node, "retention", retention);
    assert_true(clock_mono_us() - before > 900000); /* after its pause */
    assert_int_equal(await_child(&node, "controller", 0), controller);
    kill(node.pid, SIGINT);
    assert_int_equal(await_end(&node), EXIT_CODE_CLEAN);
    clean_up(&node);
}

static void
children_die_with_the_supervisor(void **unused)
{
    static const char *const kinds[] = {"backend", "controller", "checkpointer", "retention"};
    Node node;
    pid_t pids[4];

    (void)unused; /* cmocka's signature */
    start_node(&node, NULL);
    int fd = connect_tcp(node.port);
    assert_true(read_pid(fd, 5000) > 0);
    for (int i = 0; i < 4; i++)
        pids[i] = await_child(&node, kinds[i], 0);
    kill(node.pid, SIGKILL);
    assert_int_equal(await_end(&node), 256 + SIGKILL);
    for (int i = 0; i < 4; i++)
        assert_true(is_gone(pids[i]));
    close(fd);
    launch_node(&node, NULL); /* the locks are free, the stale files no obstacle */
    await_ready(&node);
    kill(node.pid, SIGINT);
    assert_int_equal(await_end(&node), EXIT_CODE_CLEAN);
    clean_up(&node);
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_serves_and_stops_cleanly),
        cmocka_unit_test(serves_the_unix_socket),
        cmocka_unit_test(limits_connections),
        cmocka_unit_test(spares_take_connections),
        cmocka_unit_test(second_start_is_refused),
        cmocka_unit_test(a_killed_backend_touches_nobody),
        cmocka_unit_test(a_killed_worker_makes_a_cycle),
        cmocka_unit_test(a_worker_that_gives_up_comes_back),
        cmocka_unit_test(children_die_with_the_supervisor),
    };
    title_init(argc, argv, environ);
    signal(SIGPIPE, SIG_IGN);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
