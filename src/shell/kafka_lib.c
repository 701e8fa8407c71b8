/*
 * kafka_lib.c - librdkafka, loaded when \consume or \produce is used first
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include "kafka_lib_int.h"

#include "ottla/common/dynlib.h"

#define SONAME        "librdkafka.so.1"
#define BROKERS_BYTES 65536

const KafkaLib *
kafka_lib(Fault *f)
{
    static KafkaLib lib;
    static const DynFunction functions[] = {
        DYN_FUNCTION(lib, rd_kafka_, conf_new),
        DYN_FUNCTION(lib, rd_kafka_, conf_destroy),
        DYN_FUNCTION(lib, rd_kafka_, conf_set),
        DYN_FUNCTION(lib, rd_kafka_, conf_set_opaque),
        DYN_FUNCTION(lib, rd_kafka_, conf_set_dr_msg_cb),
        DYN_FUNCTION(lib, rd_kafka_, conf_set_log_cb),
        DYN_FUNCTION(lib, rd_kafka_, new),
        DYN_FUNCTION(lib, rd_kafka_, destroy),
        DYN_FUNCTION(lib, rd_kafka_, poll),
        DYN_FUNCTION(lib, rd_kafka_, outq_len),
        DYN_FUNCTION(lib, rd_kafka_, flush),
        DYN_FUNCTION(lib, rd_kafka_, purge),
        DYN_FUNCTION(lib, rd_kafka_, err2str),
        DYN_FUNCTION(lib, rd_kafka_, producev),
        DYN_FUNCTION(lib, rd_kafka_, headers_new),
        DYN_FUNCTION(lib, rd_kafka_, headers_destroy),
        DYN_FUNCTION(lib, rd_kafka_, headers_copy),
        DYN_FUNCTION(lib, rd_kafka_, header_add),
        DYN_FUNCTION(lib, rd_kafka_, header_get_all),
        DYN_FUNCTION(lib, rd_kafka_, message_headers),
        DYN_FUNCTION(lib, rd_kafka_, message_timestamp),
        DYN_FUNCTION(lib, rd_kafka_, message_broker_id),
        DYN_FUNCTION(lib, rd_kafka_, message_destroy),
        DYN_FUNCTION(lib, rd_kafka_, topic_name),
        DYN_FUNCTION(lib, rd_kafka_, poll_set_consumer),
        DYN_FUNCTION(lib, rd_kafka_, consumer_poll),
        DYN_FUNCTION(lib, rd_kafka_, consumer_close),
        DYN_FUNCTION(lib, rd_kafka_, subscribe),
        DYN_FUNCTION(lib, rd_kafka_, assignment),
        DYN_FUNCTION(lib, rd_kafka_, assign),
        DYN_FUNCTION(lib, rd_kafka_, topic_partition_list_new),
        DYN_FUNCTION(lib, rd_kafka_, topic_partition_list_add),
        DYN_FUNCTION(lib, rd_kafka_, topic_partition_list_destroy),
        DYN_FUNCTION(lib, rd_kafka_, get_watermark_offsets),
        DYN_FUNCTION(lib, rd_kafka_, init_transactions),
        DYN_FUNCTION(lib, rd_kafka_, begin_transaction),
        DYN_FUNCTION(lib, rd_kafka_, commit_transaction),
        DYN_FUNCTION(lib, rd_kafka_, abort_transaction),
        DYN_FUNCTION(lib, rd_kafka_, error_string),
        DYN_FUNCTION(lib, rd_kafka_, error_code),
        DYN_FUNCTION(lib, rd_kafka_, error_is_retriable),
        DYN_FUNCTION(lib, rd_kafka_, error_destroy),
    };
    static bool loaded;
    ErrInfo err = {0};

    if (loaded)
        return &lib;
    if (dynlib_load(SONAME, functions, sizeof functions / sizeof functions[0], &err) != 0) {
        (void)fault_set(f, FAULT_NOT_SUPPORTED, "%s", err.text);
        fault_hint(f, "Install librdkafka1; \\tail, \\copy and messages work without it.");
        return NULL;
    }
    loaded = true;
    return &lib;
}

int
kafka_set(const KafkaLib *lib, rd_kafka_conf_t *conf, const char *name, const char *value, Fault *f)
{
    char error[256];

    if (lib->conf_set(conf, name, value, error, sizeof error) == RD_KAFKA_CONF_OK)
        return 0;
    return fault_set(f, FAULT_BAD_PARAMETER, "%s", error);
}

int
kafka_set_pair(const KafkaLib *lib, rd_kafka_conf_t *conf, const char *pair, Fault *f)
{
    const char *equals = strchr(pair, '=');
    char name[128];

    if (equals == NULL || (size_t)(equals - pair) >= sizeof name)
        return fault_set(f, FAULT_BAD_PARAMETER, "\"%s\" is not name=value", pair);
    memcpy(name, pair, (size_t)(equals - pair));
    name[equals - pair] = '\0';
    return kafka_set(lib, conf, name, equals + 1, f);
}

/* Errors of its own are returned or told by messages; what it would print besides goes nowhere. */
static void
log_nothing(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)facility, (void)text;
}

rd_kafka_conf_t *
kafka_conf(Shell *shell, const KafkaLib *lib, Fault *f)
{
    const ClientBroker *brokers;
    int32_t count;
    StrBuf list;
    rd_kafka_conf_t *conf;
    int status;

    if (client_brokers(shell->client, &brokers, &count, f) != 0)
        return NULL;
    strbuf_init(&list, BROKERS_BYTES, NULL);
    for (int32_t i = 0; i < count; i++)
        strbuf_printf(&list, strchr(brokers[i].host, ':') != NULL ? "%s[%s]:%d" : "%s%s:%d",
                      i == 0 ? "" : ",", brokers[i].host, brokers[i].port);
    conf = lib->conf_new();
    lib->conf_set_log_cb(conf, log_nothing);
    status = kafka_set(lib, conf, "bootstrap.servers", list.ptr, f);
    if (status == 0)
        status = kafka_set(lib, conf, "client.id", client_info(shell->client)->client_id, f);
    strbuf_release(&list);
    if (status == 0)
        return conf;
    lib->conf_destroy(conf);
    return NULL;
}

int
kafka_fault(const KafkaLib *lib, rd_kafka_resp_err_t error, const char *what, Fault *f)
{
    if ((int)error >= 0)
        return fault_kafka(f, (int16_t)error, -1, "%s: %s", what, fault_kafka_text((int16_t)error));
    if (error == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT || error == RD_KAFKA_RESP_ERR__TIMED_OUT)
        return fault_set(f, FAULT_TIMEOUT, "%s: %s", what, lib->err2str(error));
    if (error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || error == RD_KAFKA_RESP_ERR__TRANSPORT)
        return fault_set(f, FAULT_CONNECTION_LOST, "%s: %s", what, lib->err2str(error));
    return fault_set(f, FAULT_INTERNAL, "%s: %s", what, lib->err2str(error));
}
