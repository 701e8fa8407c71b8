/*
 * dispatch_int.h - from a frame to its handler
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_DISPATCH_INT_H
#define OTTLA_BACKEND_DISPATCH_INT_H

#include "ottla/common/err.h"
#include "request_int.h"

/*
 * Reads the request header of a frame into rq and finds its handler. Kafka's rules
 * (observed.md 5, log.md 15): an API or version that is not offered is OT_E_UNSUPPORTED_VERSION, a
 * header that does not parse OT_E_PROTOCOL; both close the connection, err says why for the line.
 * ApiVersions of any version is always found.
 */
int dispatch_parse(Request *rq, BytesView frame, ErrInfo *err) __attribute__((warn_unused_result));

/* The offered range of an API key; false: not offered here. What ApiVersions lists. */
bool dispatch_offers(int16_t api_key, int16_t *ret_min, int16_t *ret_max);

/* Handlers, one file h_NAME.c each. Rows stand in dispatch.c. */
ReqResult h_api_versions_start(Request *rq);
ReqResult h_metadata_start(Request *rq);
ReqResult h_metadata_finish(Request *rq);
void h_metadata_drop(Request *rq);
ReqResult h_describe_cluster_start(Request *rq);
ReqResult h_describe_topic_partitions_start(Request *rq);
ReqResult h_produce_start(Request *rq);
ReqResult h_produce_finish(Request *rq);
ReqResult h_fetch_start(Request *rq);
ReqResult h_fetch_finish(Request *rq);
void h_fetch_drop(Request *rq);
ReqResult h_list_offsets_start(Request *rq);
ReqResult h_offset_for_leader_epoch_start(Request *rq);
ReqResult h_init_producer_id_start(Request *rq);
ReqResult h_init_producer_id_finish(Request *rq);
ReqResult h_delete_records_start(Request *rq);
ReqResult h_describe_producers_start(Request *rq);
ReqResult forward_start(Request *rq); /* CreateTopics, DeleteTopics, CreatePartitions */
ReqResult forward_finish(Request *rq);
void forward_drop(Request *rq);

#endif
