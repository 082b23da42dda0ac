/* Driver "memory": an ordered table in this process, gone when it closes. For
 * sites that can bear to forget at a restart, for tests and for replays. Every
 * operation completes at once. Needs no target. Loop thread. */
#ifndef GREYLAG_STORE_MEMORY_H
#define GREYLAG_STORE_MEMORY_H

#include "store/driver.h"

/* The driver for another driver's use (store/failing.c); as in store_ops. */
struct store_driver *memory_open(struct store *store, const struct store_options *options,
				 struct buf *why);

#endif
