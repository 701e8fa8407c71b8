/*
 * conf_providers.c - values of .properties files that lie elsewhere: ${env:VAR}, ${file:path:key}, ...
 *
 * Runs in: supervisor. Never: logs; reports with file and line, and never what a provider gave.
 * The three classes that come with Kafka are built in; their parameters are those of KIP-993.
 * Spec: shell-and-service.md 12.2.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf_int.h"
#include "ottla/common/limits.h"
#include "ottla/common/log.h"
#include "ottla/common/text.h"
#include "ottla/common/vfs.h"

#define OWN_NAME "config.providers"

/* ---- which providers there are ------------------------------------------------------------------- */

bool
conf_providers_own(StrView name)
{
    const int32_t len = sizeof OWN_NAME - 1;

    return name.len >= len && memcmp(name.ptr, OWN_NAME, (size_t)len) == 0 &&
           (name.len == len || name.ptr[len] == '.');
}

/* Row of a name; -1: none. */
static int
find_provider(const ConfProviders *providers, StrView name)
{
    for (int i = 0; i < providers->count; i++)
        if (strview_equal(strview_from(providers->rows[i].name), name))
            return i;
    return -1;
}

/* The names of config.providers, each once. */
static void
add_names(ConfReader *reader, StrView list, ConfProviders *ret)
{
    while (list.len > 0) {
        const char *comma = memchr(list.ptr, ',', (size_t)list.len);
        int32_t len = comma == NULL ? list.len : (int32_t)(comma - list.ptr);
        StrView name = text_trim((StrView){list.ptr, len});

        list.ptr += comma == NULL ? len : len + 1;
        list.len -= comma == NULL ? len : len + 1;
        if (name.len == 0 || find_provider(ret, name) >= 0)
            continue;
        if (ret->count == CONF_PROVIDERS_MAX) {
            conf_error(reader, "more than %d providers", CONF_PROVIDERS_MAX);
            return;
        }
        ret->rows[ret->count++].name = arena_strdup(reader->set->arena, name);
    }
}

static void
set_class(ConfReader *reader, ConfProvider *provider, StrView class_name)
{
    static const char *const classes[] = {
        [CONF_PROVIDER_ENV] = "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
        [CONF_PROVIDER_FILE] = "org.apache.kafka.common.config.provider.FileConfigProvider",
        [CONF_PROVIDER_DIR] = "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
    };
    char shown[200];

    for (int kind = CONF_PROVIDER_ENV; kind <= CONF_PROVIDER_DIR; kind++) {
        if (strview_equal(class_name, strview_from(classes[kind]))) {
            provider->kind = kind;
            return;
        }
    }
    provider->kind = CONF_PROVIDER_UNKNOWN;
    conf_error(reader,
               "provider \"%s\": no class %s here; there are EnvVarConfigProvider, "
               "FileConfigProvider and DirectoryConfigProvider",
               provider->name, log_escape(class_name, shown, sizeof shown));
}

/* config.providers.NAME.class or config.providers.NAME.param.PARAMETER */
static void
set_parameter(ConfReader *reader, ConfProviders *providers, StrView name, StrView value)
{
    StrView rest = {name.ptr + sizeof OWN_NAME, name.len - (int32_t)sizeof OWN_NAME};
    ConfProvider *provider = NULL;
    char shown[200];

    for (int32_t at = rest.len - 1; at > 0 && provider == NULL; at--) {
        int row = rest.ptr[at] == '.' ? find_provider(providers, (StrView){rest.ptr, at}) : -1;

        if (row < 0)
            continue;
        provider = &providers->rows[row];
        rest = (StrView){rest.ptr + at + 1, rest.len - at - 1};
    }
    value = text_trim(value);
    if (provider != NULL && strview_equal(rest, STRVIEW("class")))
        set_class(reader, provider, value);
    else if (provider != NULL && strview_equal(rest, STRVIEW("param.allowed.paths")))
        provider->allowed = value.len == 0 ? NULL : arena_strdup(reader->set->arena, value);
    else
        conf_error(reader, "%s: no parameter of a provider that " OWN_NAME " names",
                   log_escape(name, shown, sizeof shown));
}

/* One walk over the file: the names first, then what is said about each. */
static void
walk(ConfReader *reader, BytesView bytes, bool names, ConfProviders *ret)
{
    Properties pairs;
    PropertiesResult result;

    properties_init(&pairs, bytes);
    while ((result = properties_next(&pairs)) != PROPERTIES_END) {
        StrView name = strbuf_view(&pairs.name), value = strbuf_view(&pairs.value);

        reader->line = pairs.line;
        if (result != PROPERTIES_PAIR || !conf_providers_own(name) ||
            names != (name.len == sizeof OWN_NAME - 1))
            continue;
        if (names)
            add_names(reader, value, ret);
        else
            set_parameter(reader, ret, name, value);
    }
    properties_fini(&pairs);
}

void
conf_providers_find(ConfReader *reader, BytesView bytes, ConfProviders *ret)
{
    ConfReader inner = *reader;

    walk(&inner, bytes, true, ret);
    walk(&inner, bytes, false, ret);
    for (int i = 0; i < ret->count; i++)
        if (ret->rows[i].kind == CONF_PROVIDER_NONE)
            conf_error(reader, "provider \"%s\" has no class", ret->rows[i].name);
}

/* ---- what they give -------------------------------------------------------------------------------- */

typedef enum Lookup {
    LOOKUP_FOUND,
    LOOKUP_MISSING, /* the place is there, the key is not */
    LOOKUP_FAILED   /* reported */
} Lookup;

/* "provider:path:key" or "provider:key" between ${ and }, as Kafka's pattern takes it apart. */
typedef struct Reference {
    StrView provider;
    StrView path;
    StrView key;
} Reference;

static bool
take_apart(StrView inner, Reference *ret)
{
    const char *first = memchr(inner.ptr, ':', (size_t)inner.len);
    const char *end = inner.ptr + inner.len, *second;

    if (first == NULL)
        return false;
    ret->provider = (StrView){inner.ptr, (int32_t)(first - inner.ptr)};
    ret->path = (StrView){"", 0};
    second = memchr(first + 1, ':', (size_t)(end - first - 1));
    if (second != NULL) {
        ret->path = (StrView){first + 1, (int32_t)(second - first - 1)};
        first = second;
    }
    ret->key = (StrView){first + 1, (int32_t)(end - first - 1)};
    return true;
}

/* Does the path begin with one of the provider's allowed ones? ".." is nowhere allowed then. */
static bool
is_allowed(const ConfProvider *provider, const char *path)
{
    const char *at = provider->allowed;

    if (at == NULL)
        return true;
    if (strstr(path, "/../") != NULL ||
        (strlen(path) >= 3 && strcmp(path + strlen(path) - 3, "/..") == 0))
        return false;
    while (*at != '\0') {
        size_t len = strcspn(at, ",");
        StrView one = text_trim((StrView){at, (int32_t)len});

        while (one.len > 1 && one.ptr[one.len - 1] == '/')
            one.len--;
        if (one.len > 0 && one.ptr[0] == '/' && strncmp(path, one.ptr, (size_t)one.len) == 0 &&
            (one.len == 1 || path[one.len] == '/' || path[one.len] == '\0'))
            return true;
        at += at[len] == ',' ? len + 1 : len;
    }
    return false;
}

/* A file for a provider. False: reported. */
static bool
read_place(ConfReader *reader, const ConfProvider *provider, const char *path, BytesView *ret)
{
    ErrInfo err;

    if (path == NULL) {
        conf_error(reader, "no memory for the settings");
    } else if (!is_allowed(provider, path)) {
        conf_error(reader, "provider \"%s\": %s is not below its allowed.paths", provider->name,
                   path);
    } else if (vfs_read_file(path, LIMIT_CONF_FILE_BYTES, reader->set->arena, ret, &err) < 0) {
        conf_error(reader, "provider \"%s\": %s", provider->name, err.text);
    } else {
        return true;
    }
    return false;
}

/* The last value of a key in a properties file. */
static Lookup
look_in_file(ConfReader *reader, const ConfProvider *provider, const Reference *what, StrBuf *ret)
{
    size_t before = ret->len;
    Lookup result = LOOKUP_MISSING;
    PropertiesResult step;
    Properties pairs;
    BytesView bytes;

    if (!read_place(reader, provider, arena_strdup(reader->set->arena, what->path), &bytes))
        return LOOKUP_FAILED;
    properties_init(&pairs, bytes);
    while ((step = properties_next(&pairs)) != PROPERTIES_END) {
        if (step != PROPERTIES_PAIR || !strview_equal(strbuf_view(&pairs.name), what->key))
            continue;
        strbuf_truncate(ret, before);
        strbuf_add_view(ret, strbuf_view(&pairs.value));
        result = LOOKUP_FOUND;
    }
    properties_fini(&pairs);
    return result;
}

/* The whole text of the file path/key; a key with a slash names no file of that folder. */
static Lookup
look_in_dir(ConfReader *reader, const ConfProvider *provider, const Reference *what, StrBuf *ret)
{
    const char *path = arena_printf(reader->set->arena, "%.*s/%.*s", (int)what->path.len,
                                    what->path.ptr, (int)what->key.len, what->key.ptr);
    BytesView bytes;

    if (what->key.len == 0 || memchr(what->key.ptr, '/', (size_t)what->key.len) != NULL ||
        (path != NULL && access(path, F_OK) != 0))
        return LOOKUP_MISSING;
    if (!read_place(reader, provider, path, &bytes))
        return LOOKUP_FAILED;
    strbuf_add(ret, bytes.ptr, (size_t)bytes.len);
    return LOOKUP_FOUND;
}

static Lookup
look_in_environment(ConfReader *reader, const Reference *what, StrBuf *ret)
{
    const char *name = arena_strdup(reader->set->arena, what->key);
    const char *value = name == NULL ? NULL : getenv(name);

    if (what->path.len > 0) {
        conf_error(reader, "a provider of the environment takes no path");
        return LOOKUP_FAILED;
    }
    if (value == NULL)
        return LOOKUP_MISSING;
    strbuf_add_cstr(ret, value);
    return LOOKUP_FOUND;
}

static Lookup
look_up(ConfReader *reader, const ConfProvider *provider, const Reference *what, StrBuf *ret)
{
    switch (provider->kind) {
    case CONF_PROVIDER_NONE:
    case CONF_PROVIDER_UNKNOWN:
        return LOOKUP_FAILED; /* reported with the provider */
    case CONF_PROVIDER_ENV:
        return look_in_environment(reader, what, ret);
    case CONF_PROVIDER_FILE:
        return look_in_file(reader, provider, what, ret);
    case CONF_PROVIDER_DIR:
        return look_in_dir(reader, provider, what, ret);
    }
    return LOOKUP_FAILED;
}

bool
conf_providers_fill(ConfReader *reader, const ConfProviders *providers, const Properties *pair,
                    StrBuf *ret)
{
    StrView rest = strbuf_view(&pair->value);
    char shown[120];

    strbuf_clear(ret);
    while (rest.len > 0) {
        const char *open = memmem(rest.ptr, (size_t)rest.len, "${", 2);
        const char *close =
            open == NULL ? NULL : memchr(open, '}', (size_t)(rest.ptr + rest.len - open));
        int row = -1;
        Lookup result = LOOKUP_MISSING;
        Reference what;
        int32_t len = close == NULL ? rest.len : (int32_t)(close + 1 - rest.ptr);
        StrView whole = {open, close == NULL ? 0 : (int32_t)(close + 1 - open)};

        if (close != NULL && take_apart((StrView){open + 2, whole.len - 3}, &what))
            row = find_provider(providers, what.provider);
        if (row < 0) {
            strbuf_add(ret, rest.ptr, (size_t)len);
        } else {
            strbuf_add(ret, rest.ptr, (size_t)(open - rest.ptr));
            result = look_up(reader, &providers->rows[row], &what, ret);
        }
        if (result == LOOKUP_FAILED)
            return false;
        if (row >= 0 && result == LOOKUP_MISSING) {
            conf_warning(reader, "%s: nothing there for %s, which stays as it is", pair->name.ptr,
                         log_escape(whole, shown, sizeof shown));
            strbuf_add_view(ret, whole);
        }
        rest.ptr += len;
        rest.len -= len;
    }
    if (strbuf_failed(ret))
        conf_error(reader, "%s: more than %d bytes", pair->name.ptr, LIMIT_CONF_LINE_BYTES);
    return !strbuf_failed(ret);
}
