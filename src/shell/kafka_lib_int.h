/*
 * kafka_lib_int.h - librdkafka, loaded when \consume or \produce is used first
 *
 * The shell works without it; these two say what to install then.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_SHELL_KAFKA_LIB_INT_H
#define OTTLA_SHELL_KAFKA_LIB_INT_H

#include <librdkafka/rdkafka.h>

#include "shell_int.h"

typedef struct KafkaLib {
    rd_kafka_conf_t *(*conf_new)(void);
    void (*conf_destroy)(rd_kafka_conf_t *conf);
    rd_kafka_conf_res_t (*conf_set)(rd_kafka_conf_t *conf, const char *name, const char *value,
                                    char *error, size_t error_size);
    void (*conf_set_opaque)(rd_kafka_conf_t *conf, void *opaque);
    void (*conf_set_dr_msg_cb)(rd_kafka_conf_t *conf,
                               void (*fn)(rd_kafka_t *rk, const rd_kafka_message_t *message,
                                          void *opaque));
    void (*conf_set_log_cb)(rd_kafka_conf_t *conf,
                            void (*fn)(const rd_kafka_t *rk, int level, const char *facility,
                                       const char *text));
    rd_kafka_t *(*new)(rd_kafka_type_t type, rd_kafka_conf_t *conf, char *error, size_t error_size);
    void (*destroy)(rd_kafka_t *rk);
    int (*poll)(rd_kafka_t *rk, int timeout_ms);
    int (*outq_len)(rd_kafka_t *rk);
    rd_kafka_resp_err_t (*flush)(rd_kafka_t *rk, int timeout_ms);
    rd_kafka_resp_err_t (*purge)(rd_kafka_t *rk, int flags);
    const char *(*err2str)(rd_kafka_resp_err_t error);
    rd_kafka_resp_err_t (*producev)(rd_kafka_t *rk, ...);
    rd_kafka_headers_t *(*headers_new)(size_t room);
    void (*headers_destroy)(rd_kafka_headers_t *headers);
    rd_kafka_headers_t *(*headers_copy)(const rd_kafka_headers_t *headers);
    rd_kafka_resp_err_t (*header_add)(rd_kafka_headers_t *headers, const char *name,
                                      ssize_t name_size, const void *value, ssize_t value_size);
    rd_kafka_resp_err_t (*header_get_all)(const rd_kafka_headers_t *headers, size_t index,
                                          const char **name, const void **value, size_t *size);
    rd_kafka_resp_err_t (*message_headers)(const rd_kafka_message_t *message,
                                           rd_kafka_headers_t **headers);
    int64_t (*message_timestamp)(const rd_kafka_message_t *message,
                                 rd_kafka_timestamp_type_t *type);
    int32_t (*message_broker_id)(const rd_kafka_message_t *message);
    void (*message_destroy)(rd_kafka_message_t *message);
    const char *(*topic_name)(const rd_kafka_topic_t *topic);
    rd_kafka_resp_err_t (*poll_set_consumer)(rd_kafka_t *rk);
    rd_kafka_message_t *(*consumer_poll)(rd_kafka_t *rk, int timeout_ms);
    rd_kafka_resp_err_t (*consumer_close)(rd_kafka_t *rk);
    rd_kafka_resp_err_t (*subscribe)(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *topics);
    rd_kafka_resp_err_t (*assignment)(rd_kafka_t *rk, rd_kafka_topic_partition_list_t **parts);
    rd_kafka_resp_err_t (*assign)(rd_kafka_t *rk, const rd_kafka_topic_partition_list_t *parts);
    rd_kafka_topic_partition_list_t *(*topic_partition_list_new)(int room);
    rd_kafka_topic_partition_t *(*topic_partition_list_add)(rd_kafka_topic_partition_list_t *list,
                                                            const char *topic, int32_t partition);
    void (*topic_partition_list_destroy)(rd_kafka_topic_partition_list_t *list);
    rd_kafka_resp_err_t (*get_watermark_offsets)(rd_kafka_t *rk, const char *topic,
                                                 int32_t partition, int64_t *low, int64_t *high);
    rd_kafka_error_t *(*init_transactions)(rd_kafka_t *rk, int timeout_ms);
    rd_kafka_error_t *(*begin_transaction)(rd_kafka_t *rk);
    rd_kafka_error_t *(*commit_transaction)(rd_kafka_t *rk, int timeout_ms);
    rd_kafka_error_t *(*abort_transaction)(rd_kafka_t *rk, int timeout_ms);
    const char *(*error_string)(const rd_kafka_error_t *error);
    rd_kafka_resp_err_t (*error_code)(const rd_kafka_error_t *error);
    int (*error_is_retriable)(const rd_kafka_error_t *error);
    void (*error_destroy)(rd_kafka_error_t *error);
} KafkaLib;

/* NULL: *f says what to install. */
const KafkaLib *kafka_lib(Fault *f);

/*
 * A configuration with the brokers of this session's cluster (over TCP, as they tell their addresses) and its client id.
 * NULL: *f.
 */
rd_kafka_conf_t *kafka_conf(Shell *shell, const KafkaLib *lib, Fault *f);

/* One setting. */
int kafka_set(const KafkaLib *lib, rd_kafka_conf_t *conf, const char *name, const char *value,
              Fault *f);

/* "name=value" of -X. */
int kafka_set_pair(const KafkaLib *lib, rd_kafka_conf_t *conf, const char *pair, Fault *f);

/* An error of the library as a fault. */
int kafka_fault(const KafkaLib *lib, rd_kafka_resp_err_t error, const char *what, Fault *f);

#endif
