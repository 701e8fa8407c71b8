/*
 * test_target.c - every form of connection string, the environment, services, passwords, Java properties
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "ottla/client/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static ClientTarget t;
static Fault f;
static char home[] = "/tmp/ottla-target-XXXXXX";
static char notices[4096];

static void
note(void *arg, bool important, const char *text)
{
    size_t len = strlen(notices);

    (void)arg;
    (void)snprintf(notices + len, sizeof notices - len, "%s%s\n", important ? "! " : "", text);
}

static void
begin(void)
{
    client_target_init(&t);
    t.notice = note;
    notices[0] = '\0';
}

static void
parse(const char *text)
{
    begin();
    if (client_target_parse(&t, strview_from(text), &f) != 0)
        fail_msg("%s: %s", text, f.message);
}

static void
refuse(const char *text, const char *sqlstate, const char *message)
{
    begin();
    assert_int_equal(client_target_parse(&t, strview_from(text), &f), -1);
    assert_string_equal(f.sqlstate, sqlstate);
    if (strstr(f.message, message) == NULL)
        fail_msg("%s: \"%s\" without \"%s\"", text, f.message, message);
}

/* The hosts as "a:1 b:0". */
static void
assert_hosts(const char *want)
{
    char got[1024] = "";
    size_t len = 0;

    for (int32_t i = 0; i < t.host_count; i++)
        len += (size_t)snprintf(got + len, sizeof got - len, "%s%s:%u", i == 0 ? "" : " ",
                                t.hosts[i].name, t.hosts[i].port);
    assert_string_equal(got, want);
}

static void
write_file(const char *name, mode_t mode, const char *text)
{
    char path[256];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", home, name);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void
finish(void)
{
    if (client_target_finish(&t, &f) != 0)
        fail_msg("%s", f.message);
}

static void
test_defaults(void **state)
{
    (void)state;
    begin();
    finish();
    assert_int_equal(t.host_count, 0);
    assert_int_equal(t.port, 9092);
    assert_int_equal(t.request_timeout_ms, 30000);
    assert_string_equal(t.client_id, "ottla");
    assert_int_equal(t.sslmode, CLIENT_SSL_DISABLE);
}

static void
test_hosts(void **state)
{
    (void)state;
    parse("broker1");
    assert_hosts("broker1:0");
    parse("broker1:9192,broker2");
    assert_hosts("broker1:9192 broker2:0");
    parse("[2001:db8::1]:9093, [::1]");
    assert_hosts("2001:db8::1:9093 ::1:0");
    parse("::1");
    assert_hosts("::1:0");
    parse("/run/ottla");
    assert_hosts("/run/ottla:0");
    refuse("broker:http", "22023", "invalid port \"http\"");
    refuse("broker:0", "22023", "invalid port");
    refuse("broker:65536", "22023", "invalid port");
    refuse("[::1", "42601", "no ']'");
}

static void
test_too_much(void **state)
{
    char text[8192] = "h";

    (void)state;
    for (int i = 0; i < CLIENT_HOSTS_MAX; i++)
        strcat(text, ",h");
    refuse(text, "54000", "more than 32 hosts");
    memset(text, 'x', 300);
    text[300] = '\0';
    refuse(text, "22023", "host of 300 bytes");
    memcpy(text, "user='", 6);
    memset(text + 6, 'x', 5000);
    memcpy(text + 5006, "'", 2);
    refuse(text, "22023", "longer than");
}

static void
test_uri(void **state)
{
    (void)state;
    parse("ottla://");
    assert_hosts("");
    parse(
        "ottla://alice:se%40cret@b1:9093,b2/?client_id=me&connect_timeout=3&request_timeout=500ms");
    assert_hosts("b1:9093 b2:0");
    assert_string_equal(t.user, "alice");
    assert_string_equal(t.password, "se@cret");
    assert_string_equal(t.client_id, "me");
    assert_int_equal(t.connect_timeout_ms, 3000);
    assert_int_equal(t.request_timeout_ms, 500);
    parse("kafka://b1");
    assert_hosts("b1:0");
    assert_int_equal(t.sslmode, CLIENT_SSL_DISABLE);
    parse("ottlas://b1/");
    assert_int_equal(t.sslmode, CLIENT_SSL_VERIFY_FULL);
    parse("ottlas://b1?sslmode=require&sslrootcert=/etc/ca.pem");
    assert_int_equal(t.sslmode, CLIENT_SSL_REQUIRE);
    assert_string_equal(t.sslrootcert, "/etc/ca.pem");
    parse("ottla:///run/ottla?port=9192");
    assert_hosts("/run/ottla:0");
    assert_int_equal(t.port, 9192);
    parse("ottla://%2Frun%2Fottla");
    assert_hosts("/run/ottla:0");
    parse("ottla://[::1]:9093");
    assert_hosts("::1:9093");
    refuse("ottla://b1/base", "42601", "unexpected \"/base\"");
    refuse("ottla://b1?x", "42601", "missing \"=\"");
    refuse("ottla://b1?colour=red", "42601", "invalid connection option \"colour\"");
    refuse("ottla://a%zz", "42601", "invalid %-escape");
    refuse("ottla://a%00b", "42601", "invalid %-escape");
    refuse("ottla://a%4", "42601", "invalid %-escape");
}

static void
test_keywords(void **state)
{
    (void)state;
    parse("port=1,2 host=a,b user = 'me' client_id=x");
    assert_hosts("a:1 b:2");
    parse("host=a,b port=7");
    assert_hosts("a:0 b:0");
    assert_int_equal(t.port, 7);
    parse("user='o\\'hara \\\\' password=p\\ w mechanism=scram-sha-512 token=abc passfile=/x "
          "sslmode=verify-ca sslcert=c sslkey=k service=");
    assert_string_equal(t.user, "o'hara \\");
    assert_string_equal(t.password, "p w");
    assert_string_equal(t.mechanism, "SCRAM-SHA-512");
    assert_string_equal(t.token, "abc");
    assert_int_equal(t.sslmode, CLIENT_SSL_VERIFY_CA);
}

static void
test_bad_keywords(void **state)
{
    (void)state;
    refuse("host=a colour=red", "42601", "invalid connection option \"colour\"");
    refuse("host=a user", "42601", "missing \"=\" after \"user\"");
    refuse("user='x", "42601", "unterminated");
    refuse("sslmode=maybe", "22023", "invalid sslmode");
    refuse("mechanism=GSSAPI", "22023", "invalid mechanism");
    refuse("connect_timeout=soon", "22023", "invalid connect_timeout");
    refuse("request_timeout=-1", "22023", "invalid request_timeout");
    refuse("host=a,b port=1,2,3", "22023", "3 ports for 2 hosts");
}

static void
test_environment(void **state)
{
    (void)state;
    (void)setenv("OTTLA_HOST", "envhost", 1);
    (void)setenv("OTTLA_PORT", "9999", 1);
    (void)setenv("OTTLA_USER", "envuser", 1);
    (void)setenv("OTTLA_SSLMODE", "require", 1);
    (void)setenv("OTTLA_CONNECT_TIMEOUT", "2", 1);
    (void)setenv("OTTLA_CLIENT_ID", "envid", 1);
    begin();
    finish();
    assert_hosts("envhost:0");
    assert_int_equal(t.port, 9999);
    assert_string_equal(t.user, "envuser");
    assert_int_equal(t.sslmode, CLIENT_SSL_REQUIRE);
    assert_int_equal(t.connect_timeout_ms, 2000);
    assert_string_equal(t.client_id, "envid");
    parse("host=mine user=me sslmode=disable client_id=x");
    finish();
    assert_hosts("mine:0");
    assert_string_equal(t.user, "me");
    assert_int_equal(t.sslmode, CLIENT_SSL_DISABLE);
    (void)setenv("OTTLA_PORT", "x", 1);
    begin();
    assert_int_equal(client_target_finish(&t, &f), -1);
    assert_non_null(strstr(f.detail, "OTTLA_PORT"));
    for (const char *const *name = (const char *const[]){"HOST", "PORT", "USER", "SSLMODE",
                                                         "CONNECT_TIMEOUT", "CLIENT_ID", NULL};
         *name != NULL; name++) {
        char variable[64];

        (void)snprintf(variable, sizeof variable, "OTTLA_%s", *name);
        (void)unsetenv(variable);
    }
}

static void
test_services(void **state)
{
    (void)state;
    write_file(
        ".ottla_service.conf", 0644,
        "# services\n[other]\nhost=o\n\n[prod]\nhost=p1,p2\nport=9192\nuser=app\n\n[bad]\nx\n");
    parse("prod");
    finish();
    assert_hosts("p1:0 p2:0");
    assert_int_equal(t.port, 9192);
    parse("service=prod user=me");
    finish();
    assert_string_equal(t.user, "me");
    assert_hosts("p1:0 p2:0");
    parse("ottla:///?service=other");
    finish();
    assert_hosts("o:0");
    (void)setenv("OTTLA_HOST", "envhost", 1); /* the service wins */
    (void)setenv("OTTLA_SERVICE", "other", 1);
    begin();
    finish();
    assert_hosts("o:0");
    (void)unsetenv("OTTLA_SERVICE");
    (void)unsetenv("OTTLA_HOST");
    parse("nobody"); /* no service of that name: a host */
    finish();
    assert_hosts("nobody:0");
    parse("service=nobody");
    assert_int_equal(client_target_finish(&t, &f), -1);
    assert_non_null(strstr(f.message, "definition of service \"nobody\" not found"));
    parse("bad");
    assert_int_equal(client_target_finish(&t, &f), -1);
    assert_string_equal(f.sqlstate, "42601");
}

static void
test_passwords(void **state)
{
    const char *text = "# hosts\nb1:9092:alice:first\n*:9093:*:star\nb\\:2:*:al\\\\ice:es\\:caped\n"
                       "b1:9092:alice:second\n";

    (void)state;
    write_file(".ottlapass", 0600, text);
    parse("host=b1 user=alice");
    finish();
    assert_string_equal(t.password, "first");
    parse("host=else:9093 user=bob");
    finish();
    assert_string_equal(t.password, "star");
    parse("host=b1 user=bob");
    finish();
    assert_string_equal(t.password, "");
    begin();
    (void)snprintf(t.user, sizeof t.user, "al\\ice");
    assert_true(client_target_password(&t, "b:2", 1, t.token));
    assert_string_equal(t.token, "es:caped");
    parse("host=b1 user=alice password=mine");
    finish();
    assert_string_equal(t.password, "mine");
    assert_string_equal(notices, "");
}

static void
test_open_passfile(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        write_file(".ottlapass", i == 0 ? 0644 : 0620, "*:*:*:secret\n");
        parse("host=b1 user=alice");
        finish();
        assert_string_equal(t.password, "");
        assert_non_null(strstr(notices, "! password file"));
        assert_non_null(strstr(notices, "group or world access"));
    }
    write_file("mine", 0600, "*:*:*:secret\n");
    begin();
    (void)snprintf(t.passfile, sizeof t.passfile, "%s/mine", home);
    (void)snprintf(t.user, sizeof t.user, "x");
    finish();
    assert_string_equal(t.password, "secret");
}

static void
test_properties(void **state)
{
    char path[256];

    (void)state;
    write_file(
        "client.properties", 0600,
        "bootstrap.servers=b1:9093,b2:9093\nsecurity.protocol=SASL_SSL\n"
        "sasl.mechanism: SCRAM-SHA-256\nclient.id = me\nrequest.timeout.ms=1500\n"
        "sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \\\n"
        "    username=\"alice\" password=\"a b;c\";\n"
        "ssl.truststore.location=/etc/trust.pem\nacks=all\n");
    (void)snprintf(path, sizeof path, "%s/client.properties", home);
    begin();
    assert_int_equal(client_target_properties(&t, path, &f), 0);
    assert_hosts("b1:9093 b2:9093");
    assert_int_equal(t.sslmode, CLIENT_SSL_VERIFY_FULL);
    assert_string_equal(t.mechanism, "SCRAM-SHA-256");
    assert_string_equal(t.client_id, "me");
    assert_int_equal(t.request_timeout_ms, 1500);
    assert_string_equal(t.user, "alice");
    assert_string_equal(t.password, "a b;c");
    assert_string_equal(t.sslrootcert, "/etc/trust.pem");
    assert_string_equal(notices, "property \"acks\" has no meaning here, ignored\n");
    write_file("client.properties", 0600, "a=b\nsecurity.protocol=QUIC\n");
    begin();
    assert_int_equal(client_target_properties(&t, path, &f), -1);
    assert_non_null(strstr(f.message, "QUIC"));
    assert_non_null(strstr(f.detail, "client.properties:2"));
    assert_int_equal(client_target_properties(&t, "/nonexistent", &f), -1);
    assert_string_equal(f.sqlstate, "58P01");
    begin();
    assert_int_equal(client_target_property(&t, STRVIEW("sasl.jaas.config"),
                                            STRVIEW("com.sun.Krb5LoginModule required;"), &f),
                     -1);
    assert_string_equal(f.sqlstate, "0A000");
}

static int
make_home(void **state)
{
    (void)state;
    return mkdtemp(home) != NULL && setenv("HOME", home, 1) == 0 ? 0 : -1;
}

static int
drop_home(void **state)
{
    static const char *const names[] = {".ottla_service.conf", ".ottlapass", "mine",
                                        "client.properties"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[256];

        (void)snprintf(path, sizeof path, "%s/%s", home, names[i]);
        (void)unlink(path);
    }
    return rmdir(home);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),    cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_too_much),    cmocka_unit_test(test_uri),
        cmocka_unit_test(test_keywords),    cmocka_unit_test(test_bad_keywords),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_services),
        cmocka_unit_test(test_passwords),   cmocka_unit_test(test_open_passfile),
        cmocka_unit_test(test_properties),
    };

    return cmocka_run_group_tests(tests, make_home, drop_home);
}
