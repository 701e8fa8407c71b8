/*
 * http_lib_int.h - the functions of libmicrohttpd that the exporter uses, loaded by it alone
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_EXPORTER_HTTP_LIB_INT_H
#define OTTLA_EXPORTER_HTTP_LIB_INT_H

#include <microhttpd.h>
#include <stdbool.h>

#include "ottla/common/err.h"

/* Members are named like the library's functions behind MHD_. */
typedef struct HttpLib {
    __typeof__(&MHD_start_daemon) start_daemon;
    __typeof__(&MHD_stop_daemon) stop_daemon;
    __typeof__(&MHD_run) run;
    __typeof__(&MHD_get_timeout) get_timeout;
    __typeof__(&MHD_get_daemon_info) get_daemon_info;
    __typeof__(&MHD_get_connection_info) get_connection_info;
    __typeof__(&MHD_lookup_connection_value) lookup_connection_value;
    __typeof__(&MHD_create_response_from_buffer) create_response_from_buffer;
    __typeof__(&MHD_create_response_from_buffer_with_free_callback_cls)
        create_response_from_buffer_with_free_callback_cls;
    __typeof__(&MHD_add_response_header) add_response_header;
    __typeof__(&MHD_queue_response) queue_response;
    __typeof__(&MHD_destroy_response) destroy_response;
    __typeof__(&MHD_suspend_connection) suspend_connection;
    __typeof__(&MHD_resume_connection) resume_connection;
} HttpLib;

/* NULL: it cannot be had; err says why. */
const HttpLib *http_lib(ErrInfo *err);

#endif
