/*
 * http_lib.c - the functions of libmicrohttpd that the exporter uses, loaded by it alone
 *
 * Runs in: exporter.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "exporter/http_lib_int.h"

#include "ottla/common/dynlib.h"

#define SONAME "libmicrohttpd.so.12"

const HttpLib *
http_lib(ErrInfo *err)
{
    static HttpLib lib;
    static const DynFunction functions[] = {
        DYN_FUNCTION(lib, MHD_, start_daemon),
        DYN_FUNCTION(lib, MHD_, stop_daemon),
        DYN_FUNCTION(lib, MHD_, run),
        DYN_FUNCTION(lib, MHD_, get_timeout),
        DYN_FUNCTION(lib, MHD_, get_daemon_info),
        DYN_FUNCTION(lib, MHD_, get_connection_info),
        DYN_FUNCTION(lib, MHD_, lookup_connection_value),
        DYN_FUNCTION(lib, MHD_, create_response_from_buffer),
        DYN_FUNCTION(lib, MHD_, create_response_from_buffer_with_free_callback_cls),
        DYN_FUNCTION(lib, MHD_, add_response_header),
        DYN_FUNCTION(lib, MHD_, queue_response),
        DYN_FUNCTION(lib, MHD_, destroy_response),
        DYN_FUNCTION(lib, MHD_, suspend_connection),
        DYN_FUNCTION(lib, MHD_, resume_connection),
    };
    static bool loaded;

    if (!loaded)
        loaded = dynlib_load(SONAME, functions, sizeof functions / sizeof functions[0], err) == 0;
    return loaded ? &lib : NULL;
}
