/*
 * history.c - statements that were typed, from session to session
 *
 * In the file a line feed inside of an entry is the byte 1, as psql writes it. The file is our user's alone.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "history_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "ottla/common/text.h"

#define ENTRIES_MAX     100000
#define ENTRY_BYTES_MAX ((size_t)1 << 20)
#define LINE_FEED       '\001'

static struct {
    char **entries;
    int count;
    int size;
    int loaded; /* entries[0 .. loaded) came from the file */
} history;

static int
entries_max(const Shell *shell)
{
    int64_t wanted = variables_number(shell->vars, "HISTSIZE", 500);

    return wanted > ENTRIES_MAX ? ENTRIES_MAX : (int)wanted;
}

/* The file; "" when there is no home. HISTFILE, $OTTLA_HISTORY, ~/.ottla_history. */
static void
file_path(const Shell *shell, char ret[4096])
{
    const char *path = variables_get(shell->vars, STRVIEW("HISTFILE"));
    const char *home = getenv("HOME");

    if (path == NULL || path[0] == '\0')
        path = getenv("OTTLA_HISTORY");
    if (path != NULL && path[0] != '\0' && (path[0] != '~' || path[1] != '/' || home == NULL))
        (void)snprintf(ret, 4096, "%s", path);
    else if (home == NULL)
        ret[0] = '\0';
    else
        (void)snprintf(ret, 4096, "%s/%s", home,
                       path != NULL && path[0] != '\0' ? path + 2 : ".ottla_history");
}

/* False: no memory; the entry is not kept. Takes the text. */
static bool
keep(char *text, int most)
{
    if (text == NULL)
        return false;
    if (history.count >= most && history.count > 0) { /* the oldest goes */
        free(history.entries[0]);
        memmove(history.entries, history.entries + 1,
                (size_t)(history.count - 1) * sizeof *history.entries);
        history.count--;
        history.loaded -= history.loaded > 0;
    }
    if (history.count == history.size) {
        int size = history.size == 0 ? 64 : history.size * 2;
        char **more = reallocarray(history.entries, (size_t)size, sizeof *more);

        if (more == NULL) {
            free(text);
            return false;
        }
        history.entries = more;
        history.size = size;
    }
    history.entries[history.count++] = text;
    return true;
}

static void
exchange(char *text, char from, char to)
{
    for (; *text != '\0'; text++) {
        if (*text == from)
            *text = to;
    }
}

void
history_load(Shell *shell, void (*fn)(const char *entry))
{
    int most = entries_max(shell);
    char path[4096], *line = NULL;
    size_t size = 0;
    ssize_t len;
    FILE *file;

    file_path(shell, path);
    file = path[0] == '\0' || most == 0 ? NULL : fopen(path, "re");
    if (file == NULL)
        return; /* the first session has none */
    while ((len = getline(&line, &size, file)) > 0) {
        if (line[len - 1] == '\n')
            line[--len] = '\0';
        if (len == 0 || (size_t)len > ENTRY_BYTES_MAX || memchr(line, '\0', (size_t)len) != NULL)
            continue;
        exchange(line, LINE_FEED, '\n');
        (void)keep(strdup(line), most); /* a history without it */
    }
    free(line);
    fclose(file);
    history.loaded = history.count;
    for (int i = 0; fn != NULL && i < history.count; i++)
        fn(history.entries[i]);
}

/* Is there a password in an address: ottla://user:password@host? */
static bool
has_login(StrView text)
{
    const char *end = text.ptr + text.len;
    const char *at = text.ptr;

    while ((at = memmem(at, (size_t)(end - at), "://", 3)) != NULL) {
        bool colon = false;

        for (at += 3; at < end && strchr(" \t\n/", *at) == NULL && *at != '@'; at++)
            colon = colon || *at == ':';
        if (colon && at < end && *at == '@')
            return true;
    }
    return false;
}

/* Secrets: of users, of keys, of properties. */
static bool
is_secret(StrView text)
{
    static const StrView word = {"password", 8};

    if (has_login(text))
        return true;

    for (int32_t i = 0; i + word.len <= text.len; i++) {
        if (text_equal_nocase((StrView){text.ptr + i, word.len}, word))
            return true;
    }
    return false;
}

bool
history_add(Shell *shell, StrView text)
{
    const char *control = variables_get(shell->vars, STRVIEW("HISTCONTROL"));
    bool both = control != NULL && strcmp(control, "ignoreboth") == 0;
    int most = entries_max(shell);
    char *copy;

    while (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (most == 0 || text_trim(text).len == 0 || (size_t)text.len > ENTRY_BYTES_MAX ||
        is_secret(text) || memchr(text.ptr, '\0', (size_t)text.len) != NULL)
        return false;
    if ((both || (control != NULL && strcmp(control, "ignorespace") == 0)) && text.ptr[0] == ' ')
        return false;
    if ((both || (control != NULL && strcmp(control, "ignoredups") == 0)) && history.count > 0 &&
        strview_equal(strview_from(history.entries[history.count - 1]), text))
        return false;
    copy = strndup(text.ptr, (size_t)text.len);
    return keep(copy, most);
}

static bool
write_entries(FILE *file, int from)
{
    for (int i = from; i < history.count; i++) {
        exchange(history.entries[i], '\n', LINE_FEED);
        fprintf(file, "%s\n", history.entries[i]);
        exchange(history.entries[i], LINE_FEED, '\n');
    }
    return fclose(file) == 0;
}

/* A stream on a file that only we may read. NULL: errno. */
static FILE *
open_private(const char *path, int flags)
{
    int fd = open(path, flags | O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, (flags & O_APPEND) != 0 ? "a" : "w");

    if (file == NULL && fd >= 0)
        close(fd);
    return file;
}

/* Other sessions may have appended: what is cut are the oldest entries of all. */
static void
cut_file(Shell *shell, const char *path)
{
    char fresh[4200];
    struct stat st;
    FILE *file;

    history_free();
    history_load(shell, NULL);
    (void)snprintf(fresh, sizeof fresh, "%s.%d", path, (int)getpid());
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return;
    file = open_private(fresh, O_EXCL);
    if (file == NULL)
        return; /* a history that is too long is no harm */
    if (!write_entries(file, 0) || rename(fresh, path) != 0)
        unlink(fresh);
}

/* Lines of a file; -1: cannot be read. */
static int64_t
lines_of(const char *path)
{
    FILE *file = fopen(path, "re");
    int64_t lines = 0;
    int c;

    if (file == NULL)
        return -1;
    while ((c = getc_unlocked(file)) != EOF)
        lines += c == '\n';
    fclose(file);
    return lines;
}

void
history_save(Shell *shell)
{
    char path[4096];
    FILE *file;

    file_path(shell, path);
    if (path[0] == '\0' || history.loaded == history.count || entries_max(shell) == 0)
        return;
    file = open_private(path, O_APPEND);
    if (file == NULL || !write_entries(file, history.loaded)) {
        shell_notice(shell, "WARNING", "could not save the history to \"%s\": %s", path,
                     strerror(errno));
        return;
    }
    history.loaded = history.count;
    if (lines_of(path) > entries_max(shell))
        cut_file(shell, path);
}

void
history_write(FILE *out)
{
    for (int i = 0; i < history.count; i++)
        fprintf(out, "%s\n", history.entries[i]);
}

void
history_free(void)
{
    for (int i = 0; i < history.count; i++)
        free(history.entries[i]);
    free(history.entries);
    memset(&history, 0, sizeof history);
}
