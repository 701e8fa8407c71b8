/*
 * controller_main.h - the controller worker: metadata log, decisions, publication of the image
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#ifndef OTTLA_CONTROLLER_CONTROLLER_MAIN_H
#define OTTLA_CONTROLLER_CONTROLLER_MAIN_H

/*
 * Main function of the process; called by the launcher after slot_claim and mainloop_init. Replays
 * the metadata log, becomes active, publishes the image, sets shared_page->controller_active, then
 * serves requests. Ends with 0 on SIGTERM, with 1 when the metadata directory fails. The arguments
 * are those of every KindMain; neither is used.
 */
_Noreturn void controller_main(int instance, const void *start);

#endif
