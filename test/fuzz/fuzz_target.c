/*
 * fuzz_target.c - any bytes as what says where to connect
 *
 * An input is a form, and its text: a connection string, a keyword with its value, a file of properties of Java
 * clients, a service file, a password file. Claims: a text is taken, or refused with a fault that says something; what was
 * taken are texts that end within their fields, and hosts and ports that can be; an address that was taken is taken again as a list of hosts.
 *
 * Corpus: test/fuzz/corpus/target.
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ottla/client/target.h"
#include "ottla/common/assert.h"

typedef enum Form {
    FORM_STRING,
    FORM_KEYWORD,
    FORM_PROPERTIES,
    FORM_SERVICE,
    FORM_PASSWORDS,
    FORM_COUNT
} Form;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char path[256];

static StrView
as_text(BytesView bytes)
{
    return (StrView){(const char *)bytes.ptr, bytes.len};
}

/* The text in a file that nobody else may read. */
static void
write_file(BytesView bytes)
{
    (void)snprintf(path, sizeof path, "%s/target", fuzz_folder());
    fuzz_write(fuzz_folder(), "target", bytes);
    ot_assert(chmod(path, 0600) == 0);
}

static int
take(ClientTarget *t, Form form, FuzzInput *in, Fault *f)
{
    BytesView first;

    switch (form) {
    case FORM_STRING:
        return client_target_parse(t, as_text(fuzz_rest(in)), f);
    case FORM_KEYWORD:
        first = fuzz_piece(in);
        return client_target_set(t, as_text(first), as_text(fuzz_rest(in)), f);
    case FORM_PROPERTIES:
        write_file(fuzz_rest(in));
        return client_target_properties(t, path, f);
    case FORM_SERVICE:
        write_file(fuzz_rest(in));
        ot_assert(setenv("OTTLA_SERVICEFILE", path, 1) == 0);
        return client_target_parse(t, STRVIEW("service=a"), f);
    case FORM_PASSWORDS:
        write_file(fuzz_rest(in));
        ot_assert(client_target_set(t, STRVIEW("passfile"), strview_from(path), f) == 0);
        return client_target_parse(t, STRVIEW("ottla://u@h:1"), f);
    case FORM_COUNT:
        break;
    }
    return 0;
}

static void
check(const ClientTarget *t)
{
    const struct {
        const char *text;
        size_t size;
    } fields[] = {
        {t->user, sizeof t->user},           {t->password, sizeof t->password},
        {t->token, sizeof t->token},         {t->mechanism, sizeof t->mechanism},
        {t->client_id, sizeof t->client_id}, {t->service, sizeof t->service},
        {t->passfile, sizeof t->passfile},   {t->sslrootcert, sizeof t->sslrootcert},
        {t->sslcert, sizeof t->sslcert},     {t->sslkey, sizeof t->sslkey},
    };

    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        ot_assert(memchr(fields[i].text, '\0', fields[i].size) != NULL);
    ot_assert(t->host_count >= 0 && t->host_count <= CLIENT_HOSTS_MAX);
    for (int32_t i = 0; i < t->host_count; i++)
        ot_assert(memchr(t->hosts[i].name, '\0', sizeof t->hosts[i].name) != NULL &&
                  t->hosts[i].name[0] != '\0');
    ot_assert(t->connect_timeout_ms > 0 && t->request_timeout_ms > 0);
    ot_assert(t->sslmode < CLIENT_SSL_COUNT);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FuzzInput in = {data, data + size};
    Form form = (Form)(fuzz_byte(&in) % FORM_COUNT);
    char password[CLIENT_SECRET_MAX];
    ClientTarget *t = malloc(sizeof *t); /* ASan sees what lies behind it */
    Fault f;
    int status;

    ot_assert(t != NULL);
    fuzz_quiet();
    ot_assert(setenv("HOME", fuzz_folder(), 1) == 0 && unsetenv("OTTLA_SERVICEFILE") == 0);
    fault_clear(&f);
    client_target_init(t);
    status = take(t, form, &in, &f);
    check(t);
    if (status == 0) {
        status = client_target_finish(t, &f);
        check(t);
    }
    ot_assert(status == 0 || (strlen(f.sqlstate) == 5 && f.message[0] != '\0'));
    if (client_target_password(t, "h", 1, password))
        ot_assert(memchr(password, '\0', sizeof password) != NULL);
    free(t);
    return 0;
}
