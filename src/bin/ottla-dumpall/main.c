/*
 * main.c - ottla-dumpall: the statements that recreate a cluster's objects
 *
 * Another name for the shell's \sf *: it runs the shell that lies beside it, with all options that it was given.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ottla/common/version.h"

#define SHELL "ottla"

/* Options and addresses that are passed on. */
#define ARGS_MAX 1024

static int
help(void)
{
    fputs(
        "ottla-dumpall: prints the statements that recreate a cluster's objects\n"
        "\n"
        "usage: ottla-dumpall [OPTION]... [TARGET [USER]]\n"
        "\n"
        "Options and TARGET are those of ottla (ottla --help). Topics, settings, access control\n"
        "lists, quotas and committed offsets are written to standard output, or with -o FILE to a\n"
        "file; records are not. Users stand there without passwords, which no cluster tells.\n"
        "--version says which version this is.\n"
        "To restore: ottla -X -v ON_ERROR_STOP=1 -f FILE\n",
        stdout);
    return 0;
}

/* The shell in the folder of this program; its plain name where that cannot be told. */
static void
find_shell(char path[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - sizeof SHELL - 1);
    char *slash;

    path[len < 0 ? 0 : len] = '\0';
    slash = strrchr(path, '/');
    (void)snprintf(slash == NULL ? path : slash + 1, sizeof SHELL, "%s", SHELL);
}

int
main(int argc, char **argv)
{
    char path[PATH_MAX], shell[] = SHELL, no_rc[] = "-X", quiet[] = "-q", command[] = "-c",
                         what[] = "\\sf *";
    char *args[ARGS_MAX + 8] = {shell, no_rc, quiet};
    int count = 3;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-?") == 0)
            return help();
        if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-V") == 0) {
            printf("ottla-dumpall %s\n", OT_VERSION);
            return 0;
        }
    }
    if (argc > ARGS_MAX) {
        fputs("ottla-dumpall: too many arguments\n", stderr);
        return EXIT_FAILURE;
    }
    args[count++] = command;
    args[count++] = what;
    for (int i = 1; i < argc; i++)
        args[count++] = argv[i];
    find_shell(path);
    (void)execvp(path, args); /* comes back only when it fails */
    fprintf(stderr, "ottla-dumpall: could not run %s: %s\n", path, strerror(errno));
    return EXIT_FAILURE;
}
