/*
 * cmd_password.c - \password, and new passwords in general
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#include "terminal_int.h"

/* \password [USER]: derived here by the statement that does it, which asks for the password. */
CommandResult
cmd_password(CommandCall *call)
{
    Shell *shell = call->shell;
    const char *word = command_word(call);
    const char *user = word != NULL ? word : variables_get(shell->vars, STRVIEW("USER"));
    CommandResult result;
    StrBuf text;

    if (user == NULL || user[0] == '\0' || (word == NULL && strcmp(user, "ANONYMOUS") == 0))
        return command_fail(call, "whose? There is no user of this connection");
    if (strncmp(user, "User:", 5) == 0)
        user += 5;
    strbuf_init(&text, 4096, NULL);
    strbuf_add_cstr(&text, "ALTER USER \"");
    for (; *user != '\0'; user++) {
        if (*user == '"')
            strbuf_add_char(&text, '"');
        strbuf_add_char(&text, *user);
    }
    strbuf_add_cstr(&text, "\" PASSWORD PROMPT");
    shell->asks_password = true;
    if (strbuf_failed(&text))
        result = command_fail(call, "the name is too long");
    else
        result = shell_send(shell, strbuf_view(&text)) ? COMMAND_DONE : COMMAND_FAILED;
    shell->asks_password = false;
    strbuf_release(&text);
    return result;
}

int
shell_new_password(const char *user, char *ret, size_t size, Fault *f)
{
    char question[512];
    StrBuf first, second;
    int rc = 0;

    strbuf_init(&first, size - 1, NULL);
    strbuf_init(&second, size - 1, NULL);
    (void)snprintf(question, sizeof question, "Enter new password for user \"%s\": ", user);
    if (!terminal_ask(question, false, &first) || !terminal_ask("Enter it again: ", false, &second))
        rc = fault_set(f, FAULT_CANCELED, "no password was typed");
    else if (strcmp(first.ptr, second.ptr) != 0)
        rc = fault_set(f, "28P01", "Passwords didn't match.");
    else if (first.len == 0)
        rc = fault_set(f, FAULT_BAD_PARAMETER, "the password is empty");
    else
        memcpy(ret, first.ptr, first.len + 1);
    explicit_bzero(first.ptr, first.len);
    explicit_bzero(second.ptr, second.len);
    strbuf_release(&first);
    strbuf_release(&second);
    return rc;
}
