#include "dns/spfcheck.h"

/* A loop, because answers that are remembered come back from inside resolver_ask: a
 * record full of them would nest a hundred calls. */
static void drive(struct spfcheck *c)
{
	c->driving = true;
	do {
		if (spf_next(&c->spf) == SPF_DONE) {
			c->done(c);
			return;
		}
		c->answered = false;
		resolver_ask(c->resolver, &c->query, c->spf.ask_type, span_of(c->spf.ask_name));
	} while (c->answered);
	c->driving = false;
}

static void on_answer(struct resolver_query *q, const struct dns_answer *answer)
{
	struct spfcheck *c = q->arg;

	spf_take(&c->spf, answer);
	c->answered = true;
	if (!c->driving)
		drive(c);
}

void spfcheck_start(struct spfcheck *c, struct resolver *resolver, const struct netaddr *client, struct span sender,
		    struct span helo, void (*done)(struct spfcheck *c), void *arg)
{
	c->resolver = resolver;
	c->query = (struct resolver_query){ .done = on_answer, .arg = c };
	c->done = done;
	c->arg = arg;
	spf_begin(&c->spf, client, sender, helo);
	drive(c);
}

void spfcheck_cancel(struct spfcheck *c)
{
	resolver_cancel(c->resolver, &c->query);
}
