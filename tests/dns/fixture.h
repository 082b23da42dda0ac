/* A resolver on a loop, with a clock that stands still for what it remembers. */
#ifndef GREYLAG_TESTS_DNS_FIXTURE_H
#define GREYLAG_TESTS_DNS_FIXTURE_H

#include "server.h"

#include "dns/resolver.h"

#define NOW 1800000000
/* Enough for an answer on a busy machine, and soon over where none comes. */
#define PATIENCE_MS 500
#define IN_TIME_MS (30 * PATIENCE_MS)	/* three are the rule: it asks twice, and waits longer the second time */
/* Where an answer comes for certain: it is not asked for again because the machine stalls. */
#define ANSWERED_MS 20000
#define WAIT_MS 60000		/* most that a test waits for anything */

struct fixture {
	struct loop *loop;
	struct clock_fake clock;
	struct resolver *resolver;
	struct resolver_options options;
	char servers[100];
};

/* One question and what came of it. */
struct ask {
	struct resolver_query query;
	struct fixture *fixture;
	unsigned calls;
	struct dns_answer answer;
	struct netaddr address;		/* of the first record */
	char text[5000];		/* the texts of all records, each followed by ';' */
	struct ask *then;		/* asked in turn, for the same name */
	struct ask *instead;		/* cancelled */
};

/* A resolver that asks these two ports, 0: none. timeout_ms and entries as in resolver_options. */
void fixture_begin(struct fixture *f, unsigned port, unsigned second, unsigned timeout_ms, unsigned entries);
void fixture_end(struct fixture *f);
void fixture_later(struct fixture *f, unsigned seconds);
struct resolver_stats fixture_stats(const struct fixture *f);
uint64_t fixture_ms(void);

void ask(struct fixture *f, struct ask *a, enum dns_type type, const char *name);
/* Turns the loop until it was called; the test fails when that takes WAIT_MS. */
void ask_wait(struct ask *a);
/* Both. */
enum dns_status ask_now(struct fixture *f, struct ask *a, enum dns_type type, const char *name);

#endif
