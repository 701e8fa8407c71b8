/*
 * terminal.c - questions asked at the terminal
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "terminal_int.h"

#include <errno.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "interrupt_int.h"

/* True: it was changed and *ret_before holds what it was. */
static bool
hide(FILE *in, struct termios *ret_before)
{
    struct termios quiet;

    if (tcgetattr(fileno(in), ret_before) != 0)
        return false;
    quiet = *ret_before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    return tcsetattr(fileno(in), TCSAFLUSH, &quiet) == 0;
}

static bool
read_line(FILE *in, StrBuf *ret)
{
    int c;

    while ((c = getc(in)) != '\n') {
        if (c == EOF) {
            bool again = errno == EINTR && !shell_interrupted();

            clearerr(in);
            if (again)
                continue;
            return false;
        }
        strbuf_add_char(ret, (char)c);
    }
    return !strbuf_failed(ret);
}

bool
terminal_ask(const char *text, bool echo, StrBuf *ret)
{
    FILE *in = fopen("/dev/tty", "r+e");
    FILE *out = in != NULL ? in : stderr;
    struct termios before;
    bool hidden = false, good;

    strbuf_clear(ret);
    fputs(text, out);
    fflush(out);
    if (!echo)
        hidden = hide(in != NULL ? in : stdin, &before);
    errno = 0;
    good = read_line(in != NULL ? in : stdin, ret);
    if (hidden) {
        (void)tcsetattr(fileno(in != NULL ? in : stdin), TCSAFLUSH, &before); /* as it was */
        fputc('\n', out);
    }
    if (in != NULL)
        fclose(in);
    if (!good)
        strbuf_clear(ret);
    return good;
}
