/* Several real servers at once, on loopback, in a folder of their own: a primary with
 * a replica and three sentinels, or a cluster. They end with the test program. */
#ifndef GREYLAG_TESTS_STORE_TOPOLOGY_H
#define GREYLAG_TESTS_STORE_TOPOLOGY_H

#include "harness.h"

#define TOPOLOGY_SERVERS 8
#define TOPOLOGY_SILENCE_MS 1500
#define TOPOLOGY_NEVER_MS 60000

struct topology_server {
	pid_t pid;			/* 0: it does not run */
	unsigned port, bus;
	bool sentinel, hung;
	char folder[96];
};

struct topology {
	char base[64];
	unsigned count;
	bool cluster;
	struct topology_server servers[TOPOLOGY_SERVERS];
	char target[128];		/* of the store */
};

/* Servers 0 and 1: primary and replica; 2, 3, 4: sentinels, whose name for it is "mx".
 * Ready when it returns. password NULL: none. */
void topology_sentinels(struct topology *t, const char *password);
/* Servers 0, 1, 2: primaries; 3, 4, 5: their replicas. */
void topology_cluster(struct topology *t);
void topology_end(struct topology *t);

void topology_start(struct topology *t, unsigned server);
/* Kills it. */
void topology_stop(struct topology *t, unsigned server);
void topology_signal(struct topology *t, unsigned server, int signal);
/* The others take a server for dead that is silent for so long. At first that is TOPOLOGY_NEVER_MS:
 * nothing fails over because the machine stalls, or before the test has seen what it wants to. */
void topology_silence(struct topology *t, unsigned ms);
/* Sends one command line and reads its answer; "" when there is none. */
const char *topology_ask(const struct topology *t, unsigned server, const char *command);
/* Asks until the word is in the answer; at most HARNESS_WAIT_S. */
void topology_await(const struct topology *t, unsigned server, const char *command, const char *word);
/* The target of one that all tests of the program share, emptied: "valkey sentinel" or
 * "valkey cluster". */
const char *topology_shared(const char *driver);

#endif
