/*
 * main.c - ottla: the shell; everything is in src/shell
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/shell/shell.h"

int
main(int argc, char **argv)
{
    return shell_main(argc, argv);
}
