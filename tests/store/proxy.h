/* Stands between a store and its server, both on UNIX sockets, and does what networks
 * do: holds answers up, or ends a connection in the middle of one. */
#ifndef GREYLAG_TESTS_STORE_PROXY_H
#define GREYLAG_TESTS_STORE_PROXY_H

#include <stdint.h>
#include <sys/types.h>

/* Shared with the proxy's processes; may be changed at any time. */
struct proxy_mood {
	_Atomic unsigned delay_ms;	/* before each piece of an answer is handed on */
	_Atomic unsigned cut_after;	/* bytes of answers until connections end; 0: never */
};

struct proxy {
	pid_t pid;
	struct proxy_mood *mood;
};

void proxy_start(struct proxy *p, const char *path, const char *server);
void proxy_stop(struct proxy *p);

#endif
