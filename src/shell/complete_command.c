/*
 * complete_command.c - backslash commands for completion: their names, and what their arguments are
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"
#include "complete_int.h"

#include <ctype.h>

#include "ottla/common/conf.h"
#include "ottla/common/text.h"
#include "ottla/protocol/apis.h"
#include "ottla/statement/parse.h"

#define WORDS_MAX 64

/* What an argument may be. */
typedef enum ArgKind {
    ARG_NONE,
    ARG_WORDS, /* those of the row */
    ARG_FILE,
    ARG_TOPIC,
    ARG_GROUP,
    ARG_USER,
    ARG_BROKER,
    ARG_TRANSACTION,
    ARG_METRICS,
    ARG_VARIABLE,
    ARG_VALUE_OF_VARIABLE,
    ARG_OPTION,
    ARG_VALUE_OF_OPTION,
    ARG_STATEMENT,
    ARG_API,
    ARG_CONFIG_RESOURCE, /* behind the kind of resource */
    ARG_CONNECT,         /* behind "topic" */
    ARG_SETTING,
} ArgKind;

/* Commands, blanks between them, and their first two arguments; the second kind counts for all behind it. */
static const struct {
    const char *commands;
    ArgKind first, second;
    const char *words;
} arguments[] = {
    {"d dt l dp dpu dpo dpm dr dP offsets tail consume produce copy", ARG_TOPIC, ARG_TOPIC, NULL},
    {"dg reset", ARG_GROUP, ARG_NONE, NULL},
    {"dG", ARG_TRANSACTION, ARG_NONE, NULL},
    {"du password", ARG_USER, ARG_NONE, NULL},
    {"dm", ARG_METRICS, ARG_NONE, NULL},
    {"dc", ARG_WORDS, ARG_CONFIG_RESOURCE, "topic broker group logger"},
    {"da", ARG_WORDS, ARG_CONFIG_RESOURCE, "TOPIC USER"},
    {"dconfig", ARG_SETTING, ARG_NONE, NULL},
    {"sf", ARG_TOPIC, ARG_NONE, NULL},
    {"c connect", ARG_WORDS, ARG_CONNECT, "topic -"},
    {"i ir include include_relative o out w write e edit cd g gx L s", ARG_FILE, ARG_FILE, NULL},
    {"pset", ARG_OPTION, ARG_VALUE_OF_OPTION, NULL},
    {"x", ARG_WORDS, ARG_NONE, "on off auto"},
    {"t timing", ARG_WORDS, ARG_NONE, "on off"},
    {"encoding", ARG_WORDS, ARG_NONE, "UTF8"},
    {"set", ARG_VARIABLE, ARG_VALUE_OF_VARIABLE, NULL},
    {"unset getenv prompt gset", ARG_VARIABLE, ARG_NONE, NULL},
    {"echo qecho warn", ARG_WORDS, ARG_NONE, "-n"},
    {"?", ARG_WORDS, ARG_NONE, "commands options variables tables formats"},
    {"h help", ARG_STATEMENT, ARG_STATEMENT, NULL},
    {"api", ARG_API, ARG_NONE, NULL},
    {"watch", ARG_WORDS, ARG_WORDS, "c= i= m="},
};

static bool
in_list(const char *list, StrView word)
{
    while (*list != '\0') {
        int32_t len = (int32_t)strcspn(list, " ");

        if (strview_equal((StrView){list, len}, word))
            return true;
        list += len;
        list += *list == ' ';
    }
    return false;
}

/* ---- arguments --------------------------------------------------------------------------------- */

static void
add_apis(Shell *shell, Completions *c)
{
    const ClientInfo *info = shell->client == NULL ? NULL : client_info(shell->client);

    for (int32_t i = 0; info != NULL && i < info->api_count; i++) {
        const ApiInfo *api = api_find(info->apis[i].key);

        if (api != NULL && api->name != NULL)
            complete_add_cstr(c, api->name);
    }
}

/* The next word of statements that begin with the words before it. */
static void
add_statements(StrView before, Completions *c)
{
    const char *names[STATEMENT_NAMES_MAX];
    int32_t count = statement_names(names, STATEMENT_NAMES_MAX);

    for (int32_t i = 0; i < count; i++) {
        StrView name = strview_from(names[i]);
        char word[64];

        if (name.len <= before.len || !text_equal_nocase((StrView){name.ptr, before.len}, before))
            continue;
        (void)snprintf(word, sizeof word, "%.*s", (int)strcspn(name.ptr + before.len, " "),
                       name.ptr + before.len);
        complete_add_keyword(c, word);
    }
}

static void
add_option_values(StrView option, Completions *c)
{
    for (int i = 0; print_option_name(i) != NULL; i++) {
        if (strview_equal(strview_from(print_option_name(i)), option))
            complete_add_list(c, print_option_values(i));
    }
}

static void
add_variable_values(StrView name, Completions *c)
{
    const SpecialVar *row = special_var_find(name);

    if (row == NULL)
        return;
    if (row->kind == SPECIAL_BOOL || row->kind == SPECIAL_SWITCH)
        complete_add_list(c, "on off");
    if (row->choices != NULL)
        complete_add_list(c, row->choices);
}

static void
add_resources(Shell *shell, StrView kind, Completions *c)
{
    if (text_equal_nocase(kind, STRVIEW("topic")))
        complete_add_names(shell, c, NAMES_TOPICS);
    else if (text_equal_nocase(kind, STRVIEW("group")))
        complete_add_names(shell, c, NAMES_GROUPS);
    else if (text_equal_nocase(kind, STRVIEW("user")))
        complete_add_names(shell, c, NAMES_USERS);
    else if (text_equal_nocase(kind, STRVIEW("broker")) ||
             text_equal_nocase(kind, STRVIEW("logger")))
        complete_add_names(shell, c, NAMES_BROKERS);
}

typedef struct Argument {
    ArgKind kind;
    const char *words;
    StrView before; /* the argument in front of it; null: none */
    StrView all_before;
} Argument;

static void
add_argument(Shell *shell, const Argument *a, Completions *c)
{
    static const NameKind names[] = {
        [ARG_TOPIC] = NAMES_TOPICS,    [ARG_GROUP] = NAMES_GROUPS,
        [ARG_USER] = NAMES_USERS,      [ARG_BROKER] = NAMES_BROKERS,
        [ARG_METRICS] = NAMES_METRICS, [ARG_TRANSACTION] = NAMES_TRANSACTIONS,
    };

    switch (a->kind) {
    case ARG_NONE:
        break;
    case ARG_WORDS:
        complete_add_list(c, a->words);
        c->no_space = c->count > 0 && c->words[0][strlen(c->words[0]) - 1] == '=';
        break;
    case ARG_FILE:
        complete_add_files(c);
        break;
    case ARG_TOPIC:
    case ARG_GROUP:
    case ARG_USER:
    case ARG_BROKER:
    case ARG_TRANSACTION:
    case ARG_METRICS:
        complete_add_names(shell, c, names[a->kind]);
        break;
    case ARG_VARIABLE:
        complete_add_variables(shell, c);
        for (int i = 0; i < special_vars_count; i++)
            complete_add_cstr(c, special_vars[i].name);
        break;
    case ARG_VALUE_OF_VARIABLE:
        add_variable_values(a->before, c);
        break;
    case ARG_OPTION:
        for (int i = 0; print_option_name(i) != NULL; i++)
            complete_add_cstr(c, print_option_name(i));
        break;
    case ARG_VALUE_OF_OPTION:
        add_option_values(a->before, c);
        break;
    case ARG_STATEMENT:
        add_statements(a->all_before, c);
        break;
    case ARG_API:
        add_apis(shell, c);
        break;
    case ARG_CONFIG_RESOURCE:
        add_resources(shell, a->before, c);
        break;
    case ARG_CONNECT:
        if (strview_equal(a->before, STRVIEW("topic")))
            complete_add_names(shell, c, NAMES_TOPICS);
        break;
    case ARG_SETTING:
        complete_add_configs(c, CONF_SCOPE_BROKER);
        break;
    }
}

/* ---- the command ------------------------------------------------------------------------------- */

/* Words between blanks; quotes hold blanks together. The last one ends at the cursor and may be empty. */
static int
split(StrView text, StrView words[WORDS_MAX])
{
    int count = 0;
    int32_t i = 0;

    while (count < WORDS_MAX) {
        int32_t begin;
        char quote = '\0';

        while (i < text.len && isspace((unsigned char)text.ptr[i]) && count > 0)
            i++;
        begin = i;
        for (; i < text.len && (quote != '\0' || !isspace((unsigned char)text.ptr[i])); i++) {
            if (quote == text.ptr[i])
                quote = '\0';
            else if (quote == '\0' && (text.ptr[i] == '\'' || text.ptr[i] == '"'))
                quote = text.ptr[i];
        }
        words[count++] = (StrView){text.ptr + begin, i - begin};
        if (i >= text.len)
            break;
    }
    return count;
}

static void
add_command_names(Completions *c)
{
    for (int i = 0; i < command_rows_count; i++) {
        if (command_rows[i].usage != NULL)
            complete_add_cstr(c, command_rows[i].name);
    }
}

/* Without the letters that may follow a name: \dt+ takes what \dt takes. */
static StrView
plain_name(StrView name)
{
    while (name.len > 1 && (name.ptr[name.len - 1] == '+' || name.ptr[name.len - 1] == 'S'))
        name.len--;
    return name;
}

void
complete_command(Shell *shell, StrView text, Completions *c)
{
    StrView words[WORDS_MAX];
    int count = split(text, words);
    StrView name = plain_name(words[0]);

    c->typed = words[count - 1];
    if (count == 1) {
        add_command_names(c);
        return;
    }
    if (count == WORDS_MAX)
        return;
    for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
        Argument a = {.kind = count == 2 ? arguments[i].first : arguments[i].second,
                      .words = arguments[i].words,
                      .before = words[count - 2]};

        if (!in_list(arguments[i].commands, name))
            continue;
        a.all_before = (StrView){words[1].ptr, (int32_t)(c->typed.ptr - words[1].ptr)};
        add_argument(shell, &a, c);
        return;
    }
}
