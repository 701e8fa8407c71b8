/*
 * cmd_dump.c - \sf: statements that recreate what a cluster has
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#include "output_int.h"
#include "ottla/statement/dump.h"

/* \sf TOPIC, \sf topic TOPIC, \sf *, \sf users, acls, quotas */
CommandResult
cmd_dump(CommandCall *call)
{
    static const struct {
        const char *word;
        StatementDump what;
    } words[] = {{"*", STATEMENT_DUMP_ALL},
                 {"users", STATEMENT_DUMP_USERS},
                 {"acls", STATEMENT_DUMP_ACLS},
                 {"quotas", STATEMENT_DUMP_QUOTAS}};
    Shell *shell = call->shell;
    const StatementEnv env = {.client = &shell->client};
    StatementDump what = STATEMENT_DUMP_TOPIC;
    char *word = command_word_copy(call), *second = word == NULL ? NULL : command_word_copy(call);
    const char *topic = second != NULL && strcmp(word, "topic") == 0 ? second : word;
    CommandResult result = COMMAND_DONE;
    StrBuf text;
    Fault f;

    for (size_t i = 0; i < sizeof words / sizeof words[0] && word != NULL && topic == word; i++) {
        if (strcmp(word, words[i].word) == 0)
            what = words[i].what;
    }
    strbuf_init(&text, STATEMENT_DUMP_MAX, NULL);
    if (word == NULL) {
        result = command_fail(call, "missing required argument");
    } else if (statement_dump(&env, what, strview_from(topic), &text, &f) != 0) {
        shell_report(shell, &f, (StrView){NULL, 0});
        shell_check_connection(shell);
        result = COMMAND_FAILED;
    } else {
        shell_say(shell, "%s", text.ptr);
    }
    strbuf_release(&text);
    free(second);
    free(word);
    return result;
}
