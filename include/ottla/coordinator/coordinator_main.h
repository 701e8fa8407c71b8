/*
 * coordinator_main.h - a coordinator worker: the groups of some partitions of __consumer_offsets
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_COORDINATOR_COORDINATOR_MAIN_H
#define OTTLA_COORDINATOR_COORDINATOR_MAIN_H

/*
 * Main function of the process; called by the launcher after slot_claim and mainloop_init. instance k of
 * coordinator_worker_count(): it has the partitions with partition % count == k that this node leads. Ends with
 * 0 on SIGTERM. start is not used.
 */
_Noreturn void coordinator_main(int instance, const void *start);

#endif
