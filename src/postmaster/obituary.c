/*
 * obituary.c - says what a dead child was doing and why it may have died
 *
 * Runs in: supervisor. Never: follows a pointer out of shared memory; texts are copied by their
 * fixed sizes, and a two-copy text is whole whatever instant its writer died at.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/postmaster/obituary.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ottla/common/assert.h"
#include "ottla/common/log.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"
#include "ottla/ipc/slot.h"
#include "ottla/postmaster/postmaster.h"
#include "ottla/protocol/apis.h"

static void
describe_end(const Child *child, const PmExit *how, char *ret, size_t size)
{
    const char *kind = process_kinds[child->kind].name;

    if (how->exited) {
        snprintf(ret, size, "%s ended with exit code %d", kind, how->code);
    } else {
        const char *name = sigabbrev_np(how->code);
        const char *text = sigdescr_np(how->code);
        snprintf(ret, size, "%s died by signal %d: SIG%s (%s)", kind, how->code,
                 name == NULL ? "?" : name, text == NULL ? "unknown" : text);
    }
}

static void
describe_work(const LastWords *words, char *ret, size_t size)
{
    size_t len = 0;

    ret[0] = '\0';
    if (words->panic[0] != '\0')
        len += (size_t)snprintf(ret, size, "panic: %s", words->panic);
    if (len < size && words->api_key >= 0) {
        const ApiInfo *api = api_find(words->api_key);
        len += (size_t)snprintf(ret + len, size - len, "%sserving %s v%d", len > 0 ? "; " : "",
                                api == NULL ? "an unknown API" : api->name, words->api_version);
        if (len < size && words->client_id[0] != '\0')
            len += (size_t)snprintf(ret + len, size - len, " of \"%s\"", words->client_id);
        if (len < size && words->peer[0] != '\0')
            len += (size_t)snprintf(ret + len, size - len, " from %s", words->peer);
        if (len < size && words->topic[0] != '\0')
            len += (size_t)snprintf(ret + len, size - len, ", topic %s", words->topic);
    }
    if (len < size && words->title[0] != '\0')
        snprintf(ret + len, size - len, "%slast title \"%s\"", len > 0 ? "; " : "", words->title);
}

static void
give_hint(const Child *child, const PmExit *how, const LastWords *words, char *ret, size_t size)
{
    const char *hint = "";

    if (!how->exited && how->code == SIGKILL && words->oom_killed)
        hint = "the kernel killed a process for want of memory of late: see journalctl -k";
    else if (!how->exited && how->code == SIGKILL)
        hint = "somebody sent it SIGKILL";
    else if (!how->exited && (how->code == SIGSEGV || how->code == SIGBUS || how->code == SIGILL ||
                              how->code == SIGFPE || how->code == SIGABRT))
        hint = "this is a fault in ottlad; the core dump tells more (coredumpctl)";
    else if (how->exited && how->code == 1 && process_kinds[child->kind].exit1_hint != NULL)
        hint = process_kinds[child->kind].exit1_hint;
    snprintf(ret, size, "%s", hint);
}

void
obituary_write(const Child *child, const PmExit *how, const LastWords *words, Obituary *ret)
{
    describe_end(child, how, ret->what, sizeof ret->what);
    describe_work(words, ret->detail, sizeof ret->detail);
    give_hint(child, how, words, ret->hint, sizeof ret->hint);
}

/*
 * The kernel's count of out-of-memory kills rose since this was asked last: at the start, or when a child was
 * killed. Not at every death: to read it takes longer than to fork.
 */
static bool
oom_kill_seen(void)
{
    static int64_t last = -1;
    static char text[16384];
    int64_t now = 0;

    int fd = vfs_open("/proc/vmstat", O_RDONLY, 0, NULL);
    if (fd < 0)
        return false;
    int64_t len = vfs_pread(fd, text, sizeof text - 1, 0, NULL);
    vfs_close(fd);
    text[len < 0 ? 0 : len] = '\0';
    const char *row = strstr(text, "\noom_kill ");
    if (row == NULL)
        return false;
    row += strlen("\noom_kill ");
    if (!text_to_int64((StrView){row, (int32_t)strcspn(row, "\n")}, &now))
        return false;
    bool rose = last >= 0 && now > last;
    last = now;
    return rose;
}

bool
obituary_panicked(const Child *child)
{
    char panic[SLOT_PANIC_MAX];

    slot_read_panic(child->slot, panic);
    return panic[0] != '\0';
}

void
obituary_log(const Child *child, const PmExit *how, PmDeath death)
{
    static Obituary text; /* too large for a stack frame that is used this rarely */
    char panic[SLOT_PANIC_MAX];
    char title[SLOT_TITLE_MAX] = "";
    SlotActivity activity = {.api_key = -1};
    SlotClient client = {0};
    SlotTopic topic = {0};
    LogLevel level = death == PM_DEATH_CRASH ? LL_ERROR : LL_WARNING;

    if (death == PM_DEATH_ROUTINE || (death == PM_DEATH_GAVE_UP && child->kind == PROC_BACKEND))
        return; /* it spoke for itself */
    slot_read_panic(child->slot, panic);
    (void)slot_read_title(child->slot, title); /* "" when it never had one */
    slot_read_activity(child->slot, &activity);
    (void)slot_read_client(child->slot, &client); /* likewise */
    if ((activity.api_key != API_Produce && activity.api_key != API_Fetch) ||
        !slot_read_topic(child->slot, &topic))
        topic.name[0] = '\0';
    const LastWords words = {
        .panic = panic,
        .title = title,
        .client_id = client.client_id,
        .peer = client.peer,
        .topic = topic.name,
        .api_key = activity.api_key,
        .api_version = activity.api_version,
        .oom_killed = !how->exited && how->code == SIGKILL && oom_kill_seen(),
    };
    obituary_write(child, how, &words, &text);
    const LogMore more = {
        .detail = text.detail[0] == '\0' ? NULL : text.detail,
        .hint = text.hint[0] == '\0' ? NULL : text.hint,
    };
    log_more(level, "supervisor", &more, "%s; pid=%d instance=%d slot=%d", text.what,
             (int)child->pid, child->instance, child->slot);
}

/* ---- the supervisor's own ------------------------------------------------------------------------- */

static void
own_panic(const char *text)
{
    log_msg(LL_PANIC, "supervisor", "%s", text);
    _exit(EXIT_CODE_INTERNAL);
}

void
obituary_watch_self(void)
{
    ot_panic_hook = own_panic;
    (void)oom_kill_seen(); /* from now on */
}
