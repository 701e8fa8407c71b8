/*
 * h_ottla_control.c - OttlaControl: a super user has the settings read again, ends or cancels a backend, changes
 * ottla.auto.conf
 *
 * Runs in: backend. Only on connections of our own programs (conn_is_own), for super users (conn_is_super); every
 * order leaves a line that says who gave it and what came of it: here if it was refused, else by audit.c. The
 * supervisor does what concerns processes (ipc/control.h); the file is written here, under a lock.
 * Spec: shell-and-service.md 5, 12.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <string.h>

#include "backend/conn_int.h"
#include "backend/dispatch_int.h"
#include "backend/gate_int.h"
#include "ottla/common/conf_entries.h"
#include "ottla/common/log.h"
#include "ottla/ipc/control.h"
#include "ottla/ipc/node_settings.h"
#include "ottla/ipc/wait_events.h"
#include "ottla/protocol/msg_ottla_control.h"

#define CONTROL_PATIENCE_US \
    (10 * 1000 * 1000) /* for the supervisor's answer, for the file's lock */
#define CONTROL_CHANGES_MAX 1000

/* Of the message. */
typedef enum Order { ORDER_RELOAD, ORDER_TERMINATE, ORDER_CANCEL, ORDER_ALTER_SYSTEM } Order;

typedef struct ControlWork {
    OttlaControlRequest in;
    OttlaControlResponse out;
    char text[CONTROL_TEXT_MAX + 64];
} ControlWork;

/*
 * The line of an order that was not carried out; what was, audit.c tells. Names of settings, never their values. Of those who
 * may give no orders there are as many lines as of other faults of clients.
 */
static void
tell_refused(const Request *rq, const ControlWork *work)
{
    static const char *const orders[] = {
        [ORDER_RELOAD] = "reload",
        [ORDER_TERMINATE] = "terminate",
        [ORDER_CANCEL] = "cancel",
        [ORDER_ALTER_SYSTEM] = "alter system",
    };
    const OttlaControlRequest *in = &work->in;
    const char *order = in->order >= 0 && in->order <= ORDER_ALTER_SYSTEM ? orders[in->order] : "?";
    char who[CONN_PRINCIPAL_MAX], names[160] = "", said[200], name[64];
    uint32_t dropped = 0;
    size_t used = 0;

    if (work->out.error_code == KERR_CLUSTER_AUTHORIZATION_FAILED &&
        !gate_line_allowed(rq->now_us, &dropped))
        return;
    for (int32_t i = 0; i < in->settings_count && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i == 0 ? "" : ",",
                                 log_escape(in->settings[i].name, name, sizeof name));
    log_msg(LL_LOG, "backend",
            "order not carried out: %s; principal=\"%s\" peer=%s pid=%d settings=\"%s\" "
            "reset_all=%s validate_only=%s code=%d said=\"%s\" left_out=%u",
            order, log_escape(strview_from(rq->conn->principal), who, sizeof who), rq->conn->peer,
            (int)in->pid, names, in->reset_all ? "yes" : "no", in->validate_only ? "yes" : "no",
            work->out.error_code, log_escape(work->out.message, said, sizeof said), dropped);
}

static ReqResult
answer(Request *rq, ControlWork *work, int16_t code)
{
    work->out.error_code = code;
    if (work->text[0] != '\0')
        work->out.message = strview_from(work->text);
    rq->failed = code != 0;
    if (code != 0)
        tell_refused(rq, work);
    return request_respond(rq, &ottla_control_response_desc, &work->out);
}

/* ---- by the supervisor ------------------------------------------------------------------------ */

static ReqResult
ask_supervisor(Request *rq, const ControlWork *work)
{
    ControlOrder order = {.what = work->in.order == ORDER_RELOAD      ? CONTROL_RELOAD
                                  : work->in.order == ORDER_TERMINATE ? CONTROL_TERMINATE
                                                                      : CONTROL_CANCEL,
                          .pid = work->in.pid,
                          .generation = (uint32_t)work->in.generation};

    if (order.what == CONTROL_RELOAD)
        order.pid = 0;
    control_ask(&order);
    rq->deadline_us = rq->now_us + CONTROL_PATIENCE_US;
    rq->wait_event = WAIT_EV_SUPERVISOR_REPLY;
    return REQ_PENDING;
}

static ReqResult
tell_reload(Request *rq, ControlWork *work, int16_t code)
{
    ControlReload reload;

    control_read_reload(&reload);
    snprintf(work->text, sizeof work->text, "%s", reload.text);
    return answer(rq, work, code);
}

ReqResult
h_ottla_control_finish(Request *rq)
{
    ControlWork *work = rq->state;

    switch (control_answer()) {
    case CONTROL_DONE:
        return work->in.order == ORDER_RELOAD ? tell_reload(rq, work, 0) : answer(rq, work, 0);
    case CONTROL_FAILED:
        return tell_reload(rq, work, KERR_INVALID_CONFIG);
    case CONTROL_NO_PROCESS:
        snprintf(work->text, sizeof work->text, "no process has the pid %d and the generation %lld",
                 (int)work->in.pid, (long long)work->in.generation);
        return answer(rq, work, KERR_RESOURCE_NOT_FOUND);
    case CONTROL_NO_BACKEND:
        snprintf(work->text, sizeof work->text, "process %d serves no connection",
                 (int)work->in.pid);
        return answer(rq, work, KERR_INVALID_REQUEST);
    case CONTROL_NOTHING:
    case CONTROL_RELOAD:
    case CONTROL_TERMINATE:
    case CONTROL_CANCEL:
    case CONTROL_STATE_COUNT:
        break;
    }
    if (rq->now_us < rq->deadline_us && !rq->cancelled)
        return REQ_PENDING;
    snprintf(work->text, sizeof work->text, "the supervisor has not answered yet");
    return answer(rq, work, KERR_REQUEST_TIMED_OUT);
}

/* ---- ottla.auto.conf ---------------------------------------------------------------------------- */

/* Which of the changes wait for a restart. */
static bool
list_restarts(Request *rq, ControlWork *work)
{
    const OttlaControlRequest *in = &work->in;

    work->out.needs_restart =
        arena_calloc(rq->arena, (size_t)in->settings_count, sizeof *work->out.needs_restart);
    for (int32_t i = 0; work->out.needs_restart != NULL && i < in->settings_count; i++) {
        int id = conf_find_loose(in->settings[i].name);

        if (id >= 0 && conf_rows[id].change == CONF_CHANGE_START)
            work->out.needs_restart[work->out.needs_restart_count++] =
                strview_from(conf_rows[id].name);
    }
    return work->out.needs_restart != NULL || in->settings_count == 0;
}

static int
edit_file(const Request *rq, const ControlWork *work, const ConfAutoEdit *edit, ErrInfo *err)
{
    const char *path = work->in.validate_only ? NULL : node_settings_sources()->auto_file;
    int rc;

    if (path == NULL && !work->in.validate_only)
        return err_set(err, OT_E_INVALID_CONFIG, "this node was started without ottla.auto.conf");
    if (path == NULL)
        return conf_auto_edit(NULL, edit, err);
    if (!control_lock_auto_file(rq->now_us + CONTROL_PATIENCE_US))
        return err_set(err, OT_E_TIMEOUT, "another process changes ottla.auto.conf");
    rc = conf_auto_edit(path, edit, err);
    control_unlock_auto_file();
    return rc;
}

static ReqResult
alter_system(Request *rq, ControlWork *work)
{
    const OttlaControlRequest *in = &work->in;
    ConfAutoEdit edit = {.count = in->settings_count, .reset_all = in->reset_all};
    ConfAutoChange *changes;
    ErrInfo err = {0};
    int rc;

    if (in->settings_count > CONTROL_CHANGES_MAX) {
        snprintf(work->text, sizeof work->text, "more than %d settings", CONTROL_CHANGES_MAX);
        return answer(rq, work, KERR_INVALID_REQUEST);
    }
    changes = arena_calloc(rq->arena, (size_t)in->settings_count, sizeof *changes);
    if ((changes == NULL && in->settings_count > 0) || !list_restarts(rq, work))
        return request_close(rq, "no memory for an order");
    for (int32_t i = 0; i < in->settings_count; i++)
        changes[i] = (ConfAutoChange){in->settings[i].name, in->settings[i].value};
    edit.changes = changes;
    rc = edit_file(rq, work, &edit, &err);
    if (rc == 0)
        return answer(rq, work, 0);
    snprintf(work->text, sizeof work->text, "%.300s", err.text);
    work->out.needs_restart_count = 0;
    return answer(rq, work, err_to_kafka(rc));
}

ReqResult
h_ottla_control_start(Request *rq)
{
    ControlWork *work = arena_calloc(rq->arena, 1, sizeof *work);

    if (work == NULL)
        return request_close(rq, "no memory for an order");
    if (!request_read(rq, &ottla_control_request_desc, &work->in))
        return REQ_CLOSE;
    ottla_control_response_init(&work->out);
    rq->state = work;
    if (!conn_is_super(rq->conn)) {
        snprintf(work->text, sizeof work->text, "only super users give orders to a node");
        return answer(rq, work, KERR_CLUSTER_AUTHORIZATION_FAILED);
    }
    switch (work->in.order) {
    case ORDER_RELOAD:
        return ask_supervisor(rq, work);
    case ORDER_TERMINATE:
    case ORDER_CANCEL:
        if (work->in.pid > 0 && work->in.generation >= 0 && work->in.generation <= UINT32_MAX)
            return ask_supervisor(rq, work);
        snprintf(work->text, sizeof work->text,
                 "an order about a process needs its pid and generation");
        return answer(rq, work, KERR_INVALID_REQUEST);
    case ORDER_ALTER_SYSTEM:
        return alter_system(rq, work);
    default:
        snprintf(work->text, sizeof work->text, "there is no order %d", work->in.order);
        return answer(rq, work, KERR_INVALID_REQUEST);
    }
}
