/* What livingdomains.c, domainrun.c and domainsweep.c share. */
#ifndef GREYLAG_ENGINE_LIVINGDOMAINS_INSIDE_H
#define GREYLAG_ENGINE_LIVINGDOMAINS_INSIDE_H

#include "engine/livingdomains.h"

#define DOMAIN_AUTHOR "greylag"
#define DOMAIN_COMMENT "from domain "
#define DOMAIN_BUCKETS 256
#define DOMAIN_RUNS 4		/* at once; each holds some 150 KB */

struct domain_run;
struct domain_sweep;

/* A domain of a list, as this daemon knows it. */
struct domain {
	struct domain *next;
	struct domain_run *run;		/* being resolved */
	struct domain_wait *waits;	/* for the next run */
	int64_t due;			/* wall clock of the next refresh */
	unsigned failures;		/* in a row */
	bool forced;			/* the next run does not ask how fresh it is */
	size_t list_n, n;
	char text[];			/* list, then value */
};

/* Networks that are to go. */
struct domain_task {
	struct domain_task *next;
	struct domain_wait *waits;	/* at most one */
	int64_t until;			/* 0: at once */
	unsigned networks;
	size_t list_n, n;
	char text[];			/* list, then DOMAIN_COMMENT and value */
};

struct livingdomains {
	struct livingdomains_options options;
	struct domain *buckets[DOMAIN_BUCKETS];
	unsigned running, stopping;	/* runs; those of them whose domain was dropped */
	size_t at;			/* of the walk */
	struct loop_timer tick;
	struct domain_task *tasks;
	struct domain_sweep *sweep;	/* under way */
	bool stopped;
};

extern const struct domain_result domain_given_up;

struct span domain_list(const struct domain *n);
struct span domain_value(const struct domain *n);

void domain_wait_add(struct domain_wait **list, struct domain_wait *w);
/* Calls all, in any order. */
void domain_wait_call(struct domain_wait **list, const struct domain_result *r);

/* domainrun.c: one resolution. False when memory is out. */
bool domain_run_start(struct livingdomains *d, struct domain *n);
/* Its domain was dropped: it ends as soon as it can, perhaps now, and changes nothing more. */
void domain_run_stop(struct domain_run *r);
/* As everything ends: the store is closed. */
void domain_run_free(struct domain_run **r);
/* livingdomains.c: the run, already freed, is over. */
void domain_run_over(struct livingdomains *d, struct domain *n);

/* domainsweep.c: begins with the tasks that wait, unless one is under way. */
void domain_sweep_next(struct livingdomains *d);
/* Calls back all that wait for it. */
void domain_sweep_release(struct domain_sweep *s);
void domain_sweep_free(struct livingdomains *d);
/* livingdomains.c: the domains of a list are resolved anew. */
void domain_renew(struct livingdomains *d, struct span list);

#endif
