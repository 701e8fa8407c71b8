/*
 * test_net.c - sockets listen, accept, transfer and name their addresses
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/common/net.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void
wait_for(int fd, short events)
{
    struct pollfd poll_fd = {.fd = fd, .events = events};

    assert_int_equal(poll(&poll_fd, 1, 5000), 1);
}

/* In a process that dies when it asks for a socket to the network. */
static int
parse_without_network(const char *host)
{
    NetAddress found[NET_ADDRESSES_MAX];
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
            _exit(99);
        _exit(net_parse_address(host, found));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static void
numbers_ask_nobody(void **state)
{
    int rc = parse_without_network("10.1.2.3");

    (void)state;
    if (rc == 99)
        skip(); /* no filters here */
    assert_int_equal(rc, 1);
    assert_int_equal(parse_without_network("10.1"), 1);
    assert_int_equal(parse_without_network("0:0:0:0:0:0:0:1"), 1);
    assert_int_equal(parse_without_network("no-such-host.example"), 0);
    assert_int_equal(parse_without_network("localhost"), 0);
}

static void
connections_carry_bytes(void **state)
{
    NetListenOptions options = {.backlog = 4, .send_buffer = -1, .receive_buffer = 65536};
    char sent[] = "abcd";
    struct iovec iov[] = {{sent, 2}, {sent + 2, 2}};
    NetAddress found[NET_ADDRESSES_MAX], bound, peer;
    int listener, client, server, second;
    FILE *file = tmpfile();
    char text[NET_TEXT_MAX], bytes[16] = "";
    ErrInfo err;

    (void)state;
    assert_true(net_resolve("127.0.0.1", 0, true, found, &err) == 1);
    listener = net_listen(&found[0], &options, &err);
    assert_true(listener >= 0);
    assert_int_equal(net_local_address(listener, &bound, &err), 0);
    assert_true(net_port(&bound) != 0);
    second = net_listen(&bound, &options, &err);
    assert_int_equal(second, OT_E_EXISTS);
    assert_int_equal(net_accept(listener, &peer, &err), OT_E_AGAIN);
    client = net_connect(&bound, &err);
    assert_true(client >= 0);
    wait_for(client, POLLOUT);
    assert_int_equal(net_connect_result(client, &err), 0);
    wait_for(listener, POLLIN);
    server = net_accept(listener, &peer, &err);
    assert_true(server >= 0);
    net_address_text(&peer, text);
    assert_memory_equal(text, "127.0.0.1:", 10);
    net_host_text(&peer, text);
    assert_string_equal(text, "127.0.0.1");
    net_set_nodelay(client);

    assert_int_equal(net_read(server, bytes, sizeof bytes), OT_E_AGAIN);
    assert_int_equal(net_writev_more(client, iov, 1), 2);
    assert_int_equal(net_writev(client, iov + 1, 1), 2);
    fputs("0123456789", file);
    fflush(file);
    assert_int_equal(net_sendfile(client, fileno(file), 4, 3), 3);
    assert_int_equal(net_sendfile(client, fileno(file), 10, 3), 0);
    for (int64_t len = 0; len < 7;) {
        int64_t got;

        wait_for(server, POLLIN);
        got = net_read(server, bytes + len, 7 - (size_t)len);
        assert_true(got > 0);
        len += got;
    }
    assert_string_equal(bytes, "abcd456");
    close(client);
    wait_for(server, POLLIN);
    assert_int_equal(net_read(server, bytes, sizeof bytes), 0);
    for (int i = 0; i < 100; i++) {
        int64_t rc = net_writev(server, iov, 1);

        if (rc == OT_E_CLOSED)
            break;
        assert_true(rc == 2 && i < 99);
        (void)poll(NULL, 0, 1);
    }
    fclose(file);
    close(server);
    close(listener);
}

static void
unix_sockets_know_their_peer(void **state)
{
    char dir[] = "/tmp/ottla-test-net-XXXXXX", path[60], long_path[200];
    const NetUnixAccess access = {.mode = 0750, .group = getuid() == 0 ? 12345 : getgid()};
    int listener, client, server;
    NetAddress address;
    struct stat st;
    NetPeer peer;
    char text[NET_TEXT_MAX];
    ErrInfo err;

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/s", dir);
    listener = net_listen_unix(path, &access, 4, &err);
    assert_true(listener >= 0);
    close(listener);
    listener = net_listen_unix(path, &access, 4, &err); /* over the file that was left */
    assert_true(listener >= 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, access.mode);
    assert_int_equal(st.st_gid, access.group);
    assert_int_equal(net_local_address(listener, &address, &err), 0);
    client = net_connect(&address, &err);
    assert_true(client >= 0);
    server = net_accept(listener, &address, &err);
    assert_true(server >= 0);
    net_address_text(&address, text);
    assert_string_equal(text, "[local]");
    assert_int_equal(net_unix_peer(server, &peer, &err), 0);
    assert_int_equal(peer.pid, getpid());
    assert_int_equal(peer.uid, getuid());
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    assert_int_equal(net_listen_unix(long_path, &access, 4, &err), OT_E_INVALID);
    assert_int_equal(net_set_nonblocking(server, &err), 0);
    close(client);
    close(server);
    close(listener);
    unlink(path);
    rmdir(dir);
}

static void
names_resolve_or_not(void **state)
{
    NetAddress found[NET_ADDRESSES_MAX];
    ErrInfo err;
    char text[NET_TEXT_MAX];

    (void)state;
    assert_int_equal(net_resolve("no.such.host.invalid", 1, false, found, &err), OT_E_NOT_FOUND);
    assert_int_equal(net_resolve("::1", 9092, false, found, &err), 1);
    net_address_text(&found[0], text);
    assert_string_equal(text, "[::1]:9092");
    assert_int_equal(net_resolve("::ffff:10.1.2.3", 1, false, found, &err), 1);
    net_host_text(&found[0], text);
    assert_string_equal(text, "10.1.2.3");
    assert_true(net_resolve("", 1, true, found, &err) >= 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_ask_nobody),
        cmocka_unit_test(connections_carry_bytes),
        cmocka_unit_test(unix_sockets_know_their_peer),
        cmocka_unit_test(names_resolve_or_not),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
