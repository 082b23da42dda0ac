/* What systemd wants to hear (sd_notify(3), protocol only; no library), all
 * without effect when it is not there. */
#ifndef GREYLAG_BASE_NOTIFY_H
#define GREYLAG_BASE_NOTIFY_H

#include "base/buf.h"

/* Sends lines such as "READY=1\nSTATUS=...". */
void notify_send(const char *state);
/* Milliseconds between keep-alives that WATCHDOG_USEC asks for (half of it), 0: none. */
unsigned notify_watchdog_ms(void);

#endif
