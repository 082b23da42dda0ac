/* Name servers for the DNS tests, on a loopback port of their own: nsd with a zone file,
 * and one that misbehaves in the way that the question names. */
#ifndef GREYLAG_TESTS_DNS_SERVER_H
#define GREYLAG_TESTS_DNS_SERVER_H

#include <sys/types.h>

#include "../unit/check.h"

/* What the misbehaving server does with NAME.WAY.bad. */
#define SERVER_WAYS(WAY) \
	WAY(good)	/* 127.0.0.2, TTL 30 */ \
	WAY(absent)	/* NXDOMAIN, for 60 s */ \
	WAY(never)	/* NXDOMAIN, for a day */ \
	WAY(slow)	/* good, after 300 ms */ \
	WAY(silent) \
	WAY(refused) \
	WAY(servfail) \
	WAY(notimp) \
	WAY(formerr)	/* and good without EDNS: an old server */ \
	WAY(broken)	/* FORMERR to everything */ \
	WAY(referral)	/* a lame server's pointer to the root */ \
	WAY(cut)	/* cut short */ \
	WAY(wrongid) \
	WAY(wrongname) \
	WAY(forged)	/* a forged answer, then a good one */ \
	WAY(garbage) \
	WAY(brief)	/* five bytes */ \
	WAY(empty)	/* none */ \
	WAY(loop)	/* a name that points at itself */ \
	WAY(missing)	/* more records announced than are there */ \
	WAY(hijacked)	/* 203.0.113.7 */ \
	WAY(quota)	/* 127.255.255.254 */ \
	WAY(moody)	/* as server->shared->mood says */

#define SERVER_WAY_ENUM(name) WAY_##name,
enum server_way { SERVER_WAYS(SERVER_WAY_ENUM) WAY_COUNT };

struct server_shared {
	unsigned questions;		/* that reached the misbehaving server */
	enum server_way mood;
};

struct server {
	pid_t pid;
	unsigned port;
	char folder[64];
	volatile struct server_shared *shared;
};

/* False when this machine has no nsd. */
bool server_there(void);
/* nsd with tests/dns/test.zone for "test."; waits until it answers. */
void server_real(struct server *s);
/* The same server again, after server_stop. */
void server_real_again(struct server *s);
/* tcp: it takes connections and says nothing; else it refuses them. */
void server_bad(struct server *s, bool tcp);
void server_stop(struct server *s);
/* Stops it and removes its files. */
void server_end(struct server *s);

#endif
