/*
 * cmd_password.c - \password, and new passwords in general
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "commands_int.h"

#include "terminal_int.h"

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
