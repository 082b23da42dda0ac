/* hiredis on our event loop: its hooks set what a watch waits for. */
#ifndef GREYLAG_STORE_VALKEY_ADAPTER_H
#define GREYLAG_STORE_VALKEY_ADAPTER_H

#include <hiredis/async.h>

#include "base/loop.h"

struct valkey_adapter {
	struct loop_watch watch;
	redisAsyncContext *context;	/* NULL while there is no connection */
	/* The connection ends, for whatever reason; hiredis frees it when this returns. */
	void (*gone)(void *arg);
	void *arg;
};

void valkey_adapter_attach(struct valkey_adapter *a, struct loop *loop, redisAsyncContext *context);
/* Waits at most ms for the socket, outside of the loop, and does what is due. */
void valkey_adapter_poll(struct valkey_adapter *a, int ms);

#endif
