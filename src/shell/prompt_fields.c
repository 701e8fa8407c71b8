/*
 * prompt_fields.c - what the escapes of prompts stand for in this session
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "prompt_fields_int.h"

#include <inttypes.h>

#include "child_int.h"
#include "edit_int.h"
#include "instance_int.h"
#include "prompt_int.h"

typedef struct Asker {
    Shell *shell;
    const Input *input;
    bool second; /* PROMPT2 */
} Asker;

static const char *
variable(void *arg, StrView name)
{
    return variables_get(((Asker *)arg)->shell->vars, name);
}

static void
run(void *arg, const char *command, StrBuf *out)
{
    (void)arg;
    (void)child_capture(command, out); /* a prompt cannot fail */
}

static void
add_host(const Asker *a, bool full, StrBuf *out)
{
    const ClientInfo *info = a->shell->client == NULL ? NULL : client_info(a->shell->client);
    size_t len;

    if (info == NULL)
        return;
    if (info->is_socket) {
        strbuf_add_cstr(out, "[local]");
        return;
    }
    len = full || (info->host[0] >= '0' && info->host[0] <= '9') ? strlen(info->host)
                                                                 : strcspn(info->host, ".");
    strbuf_add(out, info->host, len);
}

static char
status_of(const Asker *a)
{
    char open;

    if (a->input == NULL || !a->second) {
        if (a->input != NULL && !cond_active(&a->input->conds))
            return '@';
        if (a->shell->client == NULL)
            return '!';
        return variables_on(a->shell->vars, "SINGLELINE") ? '^' : '=';
    }
    open = lexer_open(&a->input->lexer);
    return open != '\0' ? open : '-';
}

static void
add_controller(const Asker *a, StrBuf *out)
{
    int32_t node;
    Fault f;

    if (a->shell->client != NULL && client_controller(a->shell->client, &node, &f) == 0)
        strbuf_printf(out, "%" PRId32, node);
    else
        strbuf_add_char(out, '?');
}

static void
add_variable(const Asker *a, const char *name, StrBuf *out)
{
    const char *value = variables_get(a->shell->vars, strview_from(name));

    strbuf_add_cstr(out, value == NULL ? "" : value);
}

static bool
field(void *arg, char letter, StrBuf *out)
{
    const Asker *a = arg;
    const char *state;

    switch (letter) {
    case 'M':
    case 'm':
        add_host(a, letter == 'M', out);
        return true;
    case '>':
        add_variable(a, "PORT", out);
        return true;
    case 'n':
        add_variable(a, "USER", out);
        return true;
    case 'I':
        strbuf_add_cstr(out, instance_name(a->shell));
        return true;
    case 'N':
        add_variable(a, "NODE_ID", out);
        return true;
    case 'C':
        add_controller(a, out);
        return true;
    case 'R':
        strbuf_add_char(out, status_of(a));
        return true;
    case 'x':
        if (a->shell->in_transaction)
            strbuf_add_char(out, '*');
        return true;
    case '#':
        strbuf_add_char(out, instance_is_super(a->shell) ? '#' : '>');
        return true;
    case 'l':
        strbuf_printf(out, "%" PRId64, a->input == NULL ? 0 : a->input->line + 1);
        return true;
    case '?':
        state = variables_get(a->shell->vars, STRVIEW("SQLSTATE"));
        if (state != NULL && strcmp(state, "00000") != 0)
            strbuf_add_cstr(out, state);
        return true;
    case '~':
        strbuf_add_cstr(out, a->shell->topic);
        return true;
    default:
        return false;
    }
}

static void
expand(Asker *a, const char *name, StrBuf *ret)
{
    const char *format = variables_get(a->shell->vars, strview_from(name));
    PromptEnv env = {.field = field,
                     .variable = variable,
                     .run = run,
                     .arg = a,
                     .marks = edit_is_active(a->shell),
                     .width = (int)a->shell->prompt_columns};

    strbuf_clear(ret);
    if (format != NULL)
        prompt_expand(strview_from(format), &env, ret);
}

void
shell_prompt(Shell *shell, const Input *input, StrBuf *ret)
{
    Asker a = {shell, input, shell->statement.len > 0 || lexer_open(&input->lexer) != 0};

    expand(&a, a.second ? "PROMPT2" : "PROMPT1", ret);
    if (!a.second)
        shell->prompt_columns = prompt_width(strbuf_view(ret));
}

void
shell_prompt_message(Shell *shell, const Input *input, StrBuf *ret)
{
    Asker a = {shell, input, false};

    expand(&a, "PROMPT3", ret);
}
