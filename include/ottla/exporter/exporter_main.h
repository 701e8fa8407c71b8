/*
 * exporter_main.h - the worker process that serves metrics over HTTP
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_EXPORTER_EXPORTER_MAIN_H
#define OTTLA_EXPORTER_EXPORTER_MAIN_H

/* KindMain of the exporter: Prometheus text on metrics.listen, until the supervisor ends it. */
_Noreturn void exporter_main(int instance, const void *start);

#endif
