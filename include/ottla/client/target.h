/*
 * target.h - where to connect: connection strings, services, environment, password file, Java properties
 *
 * What is said explicitly wins over the service, that over the environment, that over the defaults. Without
 * any host the order is: the Unix socket of the packaged node, then localhost. Reads files and the
 * environment, opens no connection.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CLIENT_TARGET_H
#define OTTLA_CLIENT_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/client/fault.h"
#include "ottla/common/view.h"

#define CLIENT_HOSTS_MAX        32
#define CLIENT_PORT             9092
#define CLIENT_SOCKET_DIRECTORY "/run/ottla"
#define CLIENT_HOST_MAX         256 /* with the zero byte, as all of these */
#define CLIENT_NAME_MAX         256
#define CLIENT_SECRET_MAX       4096
#define CLIENT_PATH_MAX         1024

typedef struct ClientHost {
    char name[CLIENT_HOST_MAX]; /* host, address, or directory of a Unix socket: begins with '/' */
    uint16_t port;              /* 0: that of the target */
} ClientHost;

typedef enum ClientSsl {
    CLIENT_SSL_DISABLE,
    CLIENT_SSL_REQUIRE,
    CLIENT_SSL_VERIFY_CA,
    CLIENT_SSL_VERIFY_FULL,
    CLIENT_SSL_COUNT
} ClientSsl;

/* The keywords of connection strings, and their names. */
#define CLIENT_KEYS(X)                  \
    X(HOST, host)                       \
    X(PORT, port)                       \
    X(USER, user)                       \
    X(PASSWORD, password)               \
    X(PASSFILE, passfile)               \
    X(SSLMODE, sslmode)                 \
    X(SSLROOTCERT, sslrootcert)         \
    X(SSLCERT, sslcert)                 \
    X(SSLKEY, sslkey)                   \
    X(MECHANISM, mechanism)             \
    X(TOKEN, token)                     \
    X(CONNECT_TIMEOUT, connect_timeout) \
    X(REQUEST_TIMEOUT, request_timeout) \
    X(CLIENT_ID, client_id)             \
    X(SERVICE, service)
#define X(upper, lower) CLIENT_KEY_##upper,
typedef enum ClientKey { CLIENT_KEYS(X) CLIENT_KEY_COUNT } ClientKey;
#undef X

typedef struct ClientTarget {
    uint32_t given;     /* a bit per ClientKey: said explicitly */
    bool finished;      /* client_target_finish was here */
    int32_t host_count; /* 0: the default order */
    ClientHost hosts[CLIENT_HOSTS_MAX];
    uint16_t port; /* of hosts without one */
    ClientSsl sslmode;
    int32_t connect_timeout_ms;
    int32_t request_timeout_ms;
    char user[CLIENT_NAME_MAX]; /* "": none, as the others */
    char password[CLIENT_SECRET_MAX];
    char token[CLIENT_SECRET_MAX];
    char mechanism[CLIENT_NAME_MAX];
    char client_id[CLIENT_NAME_MAX];
    char service[CLIENT_NAME_MAX];
    char passfile[CLIENT_PATH_MAX];
    char sslrootcert[CLIENT_PATH_MAX];
    char sslcert[CLIENT_PATH_MAX];
    char sslkey[CLIENT_PATH_MAX];
    /* Told what was ignored. important: a warning; else it is said only to those who want to know all. May be NULL. */
    void (*notice)(void *arg, bool important, const char *text);
    void *notice_arg;
} ClientTarget;

/* The defaults; nothing is given. */
void client_target_init(ClientTarget *t);

/*
 * A connection string: ottla://..., kafka://..., ottlas://... (TLS); host=... keywords; the name of a service; or
 * host[:port][,...]. Adds to what was given before, a later value wins.
 * Faults: 42601 the text, 22023 a value.
 */
int client_target_parse(ClientTarget *t, StrView text, Fault *f)
    __attribute__((warn_unused_result));

/* One keyword. host and port take comma lists; connect_timeout seconds or "500ms", request_timeout likewise. */
int client_target_set(ClientTarget *t, StrView key, StrView value, Fault *f)
    __attribute__((warn_unused_result));

/* A file of properties of Java clients: those that have a keyword here are taken, others noticed. 58P01: no such file. */
int client_target_properties(ClientTarget *t, const char *path, Fault *f)
    __attribute__((warn_unused_result));

/* One Java property, as -K prop=value gives it. */
int client_target_property(ClientTarget *t, StrView name, StrView value, Fault *f)
    __attribute__((warn_unused_result));

/*
 * Fills what was not given from the service, the environment, and the password file (for each host the first
 * line that fits; a file that others may read is ignored with a notice). client_open does it if nobody has.
 */
int client_target_finish(ClientTarget *t, Fault *f) __attribute__((warn_unused_result));

/* The password for a host as the password file or the target has it; false: none. */
bool client_target_password(const ClientTarget *t, const char *host, uint16_t port,
                            char ret[CLIENT_SECRET_MAX]);

#endif
