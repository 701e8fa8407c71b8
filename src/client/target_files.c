/*
 * target_files.c - files that targets are read from: services, passwords, properties of Java clients
 *
 * Runs in: the shell and the other programs that talk to a node.
 * Never: connects, prints; takes a password from a file that others may read.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/target_int.h"
#include "ottla/common/properties.h"
#include "ottla/common/text.h"

#define SERVICE_FILE_SYSTEM "/etc/ottla/service.conf"
#define FILE_MAX_BYTES      (1 << 20)

/* A whole small file, malloc'ed; false: it cannot be read (errno says why) or is too large. */
static bool
read_file(const char *path, char **ret, int32_t *ret_len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    char *text = fd < 0 ? NULL : malloc(FILE_MAX_BYTES + 1);
    size_t len = 0;
    ssize_t got = -1;

    while (text != NULL && len <= FILE_MAX_BYTES) {
        got = read(fd, text + len, FILE_MAX_BYTES + 1 - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    if (fd >= 0)
        (void)close(fd);
    if (got != 0) {
        if (len > FILE_MAX_BYTES)
            errno = EFBIG;
        free(text);
        return false;
    }
    text[len] = '\0';
    *ret = text;
    *ret_len = (int32_t)len;
    return true;
}

/* The next line without its end; false: none is left. */
static bool
next_line(StrView *rest, StrView *ret)
{
    const char *end;

    if (rest->len == 0)
        return false;
    end = memchr(rest->ptr, '\n', (size_t)rest->len);
    *ret = (StrView){rest->ptr, end == NULL ? rest->len : (int32_t)(end - rest->ptr)};
    *rest = end == NULL ? (StrView){rest->ptr, 0} : (StrView){end + 1, rest->len - ret->len - 1};
    return true;
}

/* A file in the home directory; false: there is none to look in. */
static bool
home_path(const char *name, char ret[CLIENT_PATH_MAX])
{
    const char *home = getenv("HOME");
    int len;

    if (home == NULL || home[0] == '\0')
        return false;
    len = snprintf(ret, CLIENT_PATH_MAX, "%s/%s", home, name);
    return len > 0 && len < CLIENT_PATH_MAX;
}

/* ---- services ---- */

/* The lines of a section, between its head and the next; false: the text has no such section. */
static bool
find_section(StrView text, StrView name, StrView *ret)
{
    StrView line;
    bool inside = false;

    *ret = (StrView){NULL, 0};
    while (next_line(&text, &line)) {
        StrView trimmed = text_trim(line);

        if (trimmed.len >= 2 && trimmed.ptr[0] == '[' && trimmed.ptr[trimmed.len - 1] == ']') {
            if (inside)
                break;
            inside = strview_equal((StrView){trimmed.ptr + 1, trimmed.len - 2}, name);
            if (inside)
                *ret = (StrView){text.ptr, 0};
        } else if (inside) {
            ret->len = (int32_t)(line.ptr + line.len - ret->ptr);
        }
    }
    return inside;
}

/* Looks through the service files; *ret_text is to be freed. False: nobody has it. */
static bool
find_service(StrView name, char **ret_text, StrView *ret_lines)
{
    const char *given = getenv("OTTLA_SERVICEFILE");
    char home[CLIENT_PATH_MAX];
    const char *paths[2] = {given, SERVICE_FILE_SYSTEM};

    if ((given == NULL || given[0] == '\0') && home_path(".ottla_service.conf", home))
        paths[0] = home;
    for (int i = 0; i < 2; i++) {
        int32_t len;

        if (paths[i] == NULL || !read_file(paths[i], ret_text, &len))
            continue;
        if (find_section((StrView){*ret_text, len}, name, ret_lines))
            return true;
        free(*ret_text);
    }
    return false;
}

bool
target_has_service(StrView name)
{
    char *text;
    StrView lines;

    if (!find_service(name, &text, &lines))
        return false;
    free(text);
    return true;
}

/* Keyword lines of a section; what was given before stays. */
static int
take_lines(ClientTarget *t, StrView lines, Fault *f)
{
    uint32_t given = t->given;
    StrView line;
    int status = 0;

    while (status == 0 && next_line(&lines, &line)) {
        StrView trimmed = text_trim(line);
        const char *equals = trimmed.len > 0 ? memchr(trimmed.ptr, '=', (size_t)trimmed.len) : NULL;
        StrView key;
        StrView value;
        int found;

        if (trimmed.len == 0 || trimmed.ptr[0] == '#')
            continue;
        if (equals == NULL) {
            status = fault_set(f, FAULT_SYNTAX, "service \"%s\": a line without \"=\"", t->service);
            break;
        }
        key = text_trim((StrView){trimmed.ptr, (int32_t)(equals - trimmed.ptr)});
        value = text_trim((StrView){equals + 1, trimmed.len - (int32_t)(equals + 1 - trimmed.ptr)});
        found = target_key_of(key);
        if (found < 0 || found == CLIENT_KEY_SERVICE) {
            status = fault_set(f, FAULT_SYNTAX, "service \"%s\": invalid option \"%.*s\"",
                               t->service, key.len, key.ptr);
            break;
        }
        if ((given & 1u << found) == 0)
            status = target_put(t, (ClientKey)found, value, true, f);
    }
    return status;
}

int
target_take_service(ClientTarget *t, Fault *f)
{
    char *text;
    StrView lines;
    int status;

    if (!find_service(strview_from(t->service), &text, &lines))
        return fault_set(f, FAULT_BAD_PARAMETER, "definition of service \"%s\" not found",
                         t->service);
    status = take_lines(t, lines, f);
    free(text);
    return status;
}

/* ---- passwords ---- */

/* Compares one field of a line with a value and moves behind it; "*" fits everything. */
static bool
field_fits(StrView *line, const char *value)
{
    size_t len = strlen(value);
    size_t at = 0;
    bool fits = true;
    bool any = line->len >= 2 && line->ptr[0] == '*' && line->ptr[1] == ':';

    while (line->len > 0 && line->ptr[0] != ':') {
        if (line->ptr[0] == '\\' && line->len > 1)
            *line = (StrView){line->ptr + 1, line->len - 1};
        fits = fits && at < len && value[at] == line->ptr[0];
        at++;
        *line = (StrView){line->ptr + 1, line->len - 1};
    }
    if (line->len == 0)
        return false;
    *line = (StrView){line->ptr + 1, line->len - 1};
    return any || (fits && at == len);
}

/* The last field of a line, its escapes taken away. */
static bool
take_password(StrView line, char ret[CLIENT_SECRET_MAX])
{
    int32_t len = 0;

    for (int32_t i = 0; i < line.len && line.ptr[i] != ':'; i++) {
        if (line.ptr[i] == '\\' && i + 1 < line.len)
            i++;
        if (len == CLIENT_SECRET_MAX - 1)
            return false;
        ret[len++] = line.ptr[i];
    }
    ret[len] = '\0';
    return len > 0;
}

/* The file is there, a plain file, and its owner's alone. */
static bool
passfile_is_private(const ClientTarget *t, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return false;
    if (!S_ISREG(st.st_mode)) {
        target_notice(t, true, "password file \"%s\" is not a plain file", path);
        return false;
    }
    if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        target_notice(t, true,
                      "password file \"%s\" has group or world access; permissions should be u=rw "
                      "(0600) or less",
                      path);
        return false;
    }
    return true;
}

bool
client_target_password(const ClientTarget *t, const char *host, uint16_t port,
                       char ret[CLIENT_SECRET_MAX])
{
    char home[CLIENT_PATH_MAX];
    const char *path = t->passfile;
    char port_text[8];
    char *text;
    int32_t len;
    StrView rest;
    StrView line;
    bool found = false;

    if (t->password[0] != '\0') {
        memcpy(ret, t->password, CLIENT_SECRET_MAX);
        return true;
    }
    if (path[0] == '\0') {
        if (!home_path(".ottlapass", home))
            return false;
        path = home;
    }
    if (!passfile_is_private(t, path) || !read_file(path, &text, &len))
        return false;
    (void)snprintf(port_text, sizeof port_text, "%u", port);
    rest = (StrView){text, len};
    while (!found && next_line(&rest, &line)) {
        if (line.len > 0 && line.ptr[line.len - 1] == '\r')
            line.len--;
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        found = field_fits(&line, host) && field_fits(&line, port_text) &&
                field_fits(&line, t->user) && take_password(line, ret);
    }
    explicit_bzero(text, (size_t)len);
    free(text);
    return found;
}

/* ---- properties of Java clients ---- */

/* The value of an option of a JAAS line, name="value" or name=value; false: it is not there. */
static bool
jaas_option(StrView line, const char *name, StrView *ret)
{
    size_t name_len = strlen(name);

    for (int32_t i = 0; i + (int32_t)name_len < line.len; i++) {
        const char *at = line.ptr + i;
        const char *end = line.ptr + line.len;
        char quote;
        const char *from;

        if (memcmp(at, name, name_len) != 0 || (i > 0 && at[-1] != ' ' && at[-1] != '\t'))
            continue;
        at += name_len;
        while (at < end && *at == ' ')
            at++;
        if (at == end || *at != '=')
            continue;
        at++;
        while (at < end && *at == ' ')
            at++;
        quote = at < end && (*at == '"' || *at == '\'') ? *at++ : '\0';
        from = at;
        while (at < end && (quote != '\0' ? *at != quote : *at != ' ' && *at != ';'))
            at++;
        *ret = (StrView){from, (int32_t)(at - from)};
        return true;
    }
    return false;
}

/* One of the login modules we know, with its user and password or token. */
static int
take_jaas(ClientTarget *t, StrView line, Fault *f)
{
    static const char *const modules[] = {"PlainLoginModule", "ScramLoginModule",
                                          "OAuthBearerLoginModule"};
    bool known = false;
    StrView value;

    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
        known = known || memmem(line.ptr, (size_t)line.len, modules[i], strlen(modules[i])) != NULL;
    if (!known)
        return fault_set(f, FAULT_NOT_SUPPORTED,
                         "sasl.jaas.config names a login module that is not known here");
    if (jaas_option(line, "username", &value) &&
        target_put(t, CLIENT_KEY_USER, value, true, f) != 0)
        return -1;
    if (jaas_option(line, "password", &value) &&
        target_put(t, CLIENT_KEY_PASSWORD, value, true, f) != 0)
        return -1;
    if (jaas_option(line, "oauth.token", &value) &&
        target_put(t, CLIENT_KEY_TOKEN, value, true, f) != 0)
        return -1;
    return 0;
}

static int
take_protocol(ClientTarget *t, StrView value, Fault *f)
{
    bool tls = strview_equal(value, STRVIEW("SSL")) || strview_equal(value, STRVIEW("SASL_SSL"));

    if (!tls && !strview_equal(value, STRVIEW("PLAINTEXT")) &&
        !strview_equal(value, STRVIEW("SASL_PLAINTEXT")))
        return fault_set(f, FAULT_BAD_PARAMETER, "invalid security.protocol \"%.*s\"", value.len,
                         value.ptr);
    if (tls && target_given(t, CLIENT_KEY_SSLMODE) && t->sslmode != CLIENT_SSL_DISABLE)
        return 0;
    return target_put(t, CLIENT_KEY_SSLMODE, tls ? STRVIEW("verify-full") : STRVIEW("disable"),
                      true, f);
}

int
client_target_property(ClientTarget *t, StrView name, StrView value, Fault *f)
{
    static const struct {
        const char *property;
        ClientKey key;
    } same[] = {
        {"bootstrap.servers", CLIENT_KEY_HOST},
        {"client.id", CLIENT_KEY_CLIENT_ID},
        {"sasl.mechanism", CLIENT_KEY_MECHANISM},
        {"ssl.truststore.location", CLIENT_KEY_SSLROOTCERT},
        {"ssl.keystore.location", CLIENT_KEY_SSLCERT},
    };
    static const struct {
        const char *property;
        ClientKey key;
    } in_ms[] = {
        {"request.timeout.ms", CLIENT_KEY_REQUEST_TIMEOUT},
        {"socket.connection.setup.timeout.ms", CLIENT_KEY_CONNECT_TIMEOUT},
    };

    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        if (strview_equal(name, strview_from(same[i].property)))
            return target_put(t, same[i].key, value, true, f);
    }
    for (size_t i = 0; i < sizeof in_ms / sizeof in_ms[0]; i++) {
        char text[32];

        if (!strview_equal(name, strview_from(in_ms[i].property)))
            continue;
        (void)snprintf(text, sizeof text, "%.*sms", value.len > 20 ? 20 : value.len,
                       value.ptr == NULL ? "" : value.ptr);
        return target_put(t, in_ms[i].key, strview_from(text), true, f);
    }
    if (strview_equal(name, STRVIEW("security.protocol")))
        return take_protocol(t, value, f);
    if (strview_equal(name, STRVIEW("sasl.jaas.config")))
        return take_jaas(t, value, f);
    if (strview_equal(name, STRVIEW("ssl.endpoint.identification.algorithm"))) {
        if (value.len > 0 || t->sslmode != CLIENT_SSL_VERIFY_FULL)
            return 0;
        return target_put(t, CLIENT_KEY_SSLMODE, STRVIEW("verify-ca"), true, f);
    }
    target_notice(t, false, "property \"%.*s\" has no meaning here, ignored", name.len, name.ptr);
    return 0;
}

int
client_target_properties(ClientTarget *t, const char *path, Fault *f)
{
    char *text;
    int32_t len;
    Properties properties;
    PropertiesResult result;
    int status = 0;

    if (!read_file(path, &text, &len))
        return fault_set(f, FAULT_NO_FILE, "%s: %s", path, strerror(errno));
    properties_init(&properties, (BytesView){(const uint8_t *)text, len});
    while (status == 0 && (result = properties_next(&properties)) != PROPERTIES_END) {
        if (result == PROPERTIES_PAIR)
            status = client_target_property(t, strbuf_view(&properties.name),
                                            strbuf_view(&properties.value), f);
        else
            status = fault_set(f, FAULT_SYNTAX, "%s",
                               result == PROPERTIES_LONG ? "the line is too long"
                                                         : "malformed \\u escape");
        if (status != 0)
            fault_detail(f, "%s:%d", path, properties.line);
    }
    properties_fini(&properties);
    explicit_bzero(text, (size_t)len);
    free(text);
    return status;
}
