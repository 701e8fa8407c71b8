/*
 * audit_int.h - a line for each request that changed something (log.admin)
 *
 * Called by request.c with every answer of an API that changes things, before it is encoded, and by conn.c for those
 * that end without one. Handlers know nothing of it.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_BACKEND_AUDIT_INT_H
#define OTTLA_BACKEND_AUDIT_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/request_int.h"
#include "ottla/protocol/apis.h"

/* May requests of this API leave a line? For every answer, and therefore cheap: Produce and Fetch pay for no more. */
static inline bool
audit_covers(int16_t api_key)
{
    switch (api_key) {
    case API_OffsetCommit: /* of nobody in a group: an admin's, or of a consumer that is in none */
    case API_CreateTopics:
    case API_DeleteTopics:
    case API_DeleteRecords:
    case API_AlterConfigs:
    case API_AlterReplicaLogDirs:
    case API_CreatePartitions:
    case API_DeleteGroups:
    case API_ElectLeaders:
    case API_IncrementalAlterConfigs:
    case API_AlterPartitionReassignments:
    case API_OffsetDelete:
    case API_AlterClientQuotas:
    case API_AlterUserScramCredentials:
    case API_UpdateFeatures:
    case API_UnregisterBroker:
    case API_OttlaControl:
        return true;
    default:
        return false;
    }
}

/* Would one of its answers be written of? Not of what was answered, or is no change. */
bool audit_wants(const Request *rq);

/*
 * Writes the line of a request (rq->in) whose answer is msg, if something was changed or may have been: what was
 * only judged or refused leaves none. Once for a request.
 */
void audit_answer(Request *rq, const void *msg);

/* The request ends without an answer: whether it changed anything nobody knows. */
void audit_lost(Request *rq);

#endif
