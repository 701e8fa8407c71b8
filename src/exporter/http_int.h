/*
 * http_int.h - the exporter's HTTP server, over libmicrohttpd
 *
 * GET and HEAD of /metrics, /healthz and /. Turned by the process's main loop: no thread. A client that is slow,
 * sends nonsense, or opens many connections meets the limits below and nobody else does.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_EXPORTER_HTTP_INT_H
#define OTTLA_EXPORTER_HTTP_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "ottla/common/err.h"
#include "exporter/page_int.h"

#define HTTP_CONNECTIONS_MAX  64 /* in all; others wait in the kernel's queue */
#define HTTP_CONNECTIONS_PEER 48 /* of one address */
#define HTTP_REQUEST_BYTES_MAX \
    16384                   /* request line and headers; the library's answer is 431 or so */
#define HTTP_IDLE_S      20 /* a connection on which nothing moves is closed */
#define HTTP_REQUEST_US  (60 * INT64_C(1000000)) /* and one that gets no answer done in this time */
#define HTTP_SOCKETS_MAX 4                       /* addresses of one name */
#define HTTP_ADDRESS_MAX 300                     /* host:port with its zero */

/* What is served. */
typedef struct HttpSource {
    /* A page with a reader more; NULL: not yet, the request waits for http_resume. */
    Page *(*page)(void *arg, PromFormat format);
    bool (*healthy)(void *arg);
    void *arg;
} HttpSource;

/*
 * Listens on host:port ([address]:port for IPv6; port 0: any) and serves. One server per process.
 * OT_E_CONFIG: no such address; OT_E_EXISTS: in use; OT_E_UNSUPPORTED: no library.
 */
int http_open(const char *address, const HttpSource *source, ErrInfo *err);
void http_close(void); /* connections end at once */
bool http_is_open(void);

/* Where it listens, with the real port. */
const char *http_address(void);

/* Once a turn of the main loop: whatever its sockets are ready for; closes what has taken too long. */
void http_turn(int64_t now_us);

/* When the next turn must be, whatever happens. Monotonic. */
int64_t http_deadline_us(int64_t now_us);

/* Requests that wait for a page. */
int32_t http_waiting(void);

/* They ask for their page again; give_up: those for whom there is none get 503. */
void http_resume(bool give_up);

#endif
