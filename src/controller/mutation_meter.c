/*
 * mutation_meter.c - which tokens a request may take for new and deleted partitions, and what others see of them
 *
 * Runs in: controller. The buckets are its private memory; the table of quotas (ipc/quota_table.h) shows them.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#include <string.h>

#include "controller/controller_int.h"
#include "ottla/common/clock.h"
#include "ottla/common/conf.h"
#include "ottla/ipc/quota_table.h"

static RateSpans
token_spans(void)
{
    return rate_spans(conf_int32(CONF_CONTROLLER_QUOTA_WINDOW_NUM),
                      conf_int32(CONF_CONTROLLER_QUOTA_WINDOW_SIZE_SECONDS));
}

bool
mutation_meter_for(Controller *c, const ControllerRequest *request, MutationMeter *ret)
{
    const StrView none = {NULL, 0};
    const char *colon = request->principal.len == 0
                            ? NULL
                            : memchr(request->principal.ptr, ':', (size_t)request->principal.len);
    StrView user = request->principal;
    StrView id = request->client_id.ptr == NULL ? STRVIEW("") : request->client_id;
    RateSpans spans = token_spans();
    QuotaMatch match;

    if (colon != NULL)
        user = (StrView){colon + 1, (int32_t)(user.ptr + user.len - colon - 1)};
    if (!image_quota_for_client(&c->image.now, user, id, QUOTA_CONTROLLER_MUTATION_RATE, &match))
        return false;
    *ret =
        (MutationMeter){.limit = match.value,
                        .strict = !request->auto_create &&
                                  mutation_is_strict(request->api_key, request->api_version),
                        .account = {match.by_user ? user : none, match.by_client_id ? id : none}};
    mutation_meter_open(&c->mutations, &ret->account, &spans, clock_mono_us(), ret);
    return true;
}

void
mutation_meter_show(const MutationMeter *meter)
{
    const QuotaOwner owner = {QUOTA_CONTROLLER_MUTATION_RATE, meter->account.user,
                              meter->account.client_id};
    RateSpans spans = token_spans(), windows = quota_spans();
    int64_t now_us = clock_mono_us();
    QuotaBucket *shown;
    bool is_new;

    if (meter->bucket == NULL || meter->taken == 0 || !quota_table_is_here())
        return;
    shown = quota_bucket_find(quota_account(owner.key, owner.first, owner.second), &windows, now_us,
                              &is_new);
    if (shown == NULL)
        return;
    if (is_new)
        quota_bucket_note_owner(shown, &owner);
    quota_bucket_add(shown, &windows, meter->taken, now_us);
    quota_bucket_note_tokens(shown, &meter->bucket->tokens, &spans, meter->limit);
}
