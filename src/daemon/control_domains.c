#include "daemon/control_domains.h"

#include "base/log.h"
#include "daemon/control_command.h"

#define SKIPPED_MAX 1500

struct followed {
	struct domain_wait wait;
	struct control_domains *all;
	bool asked, known;
	struct domain_result result;	/* but for its text: */
	struct buf skipped;
};

struct control_domains {
	struct server *server;
	const struct living_batch *batch;
	void (*done)(void *arg, struct control_domains *found);
	void *arg;
	unsigned waiting;
	struct loop_timer limit;
	struct living_batch withdrawal;
	struct living_item *withdrawn;
	struct followed items[];
};

void control_domains_free(struct control_domains **found)
{
	struct control_domains *f = *found;

	if (!f)
		return;
	loop_timer_cancel(&f->limit);
	for (unsigned i = 0; i < f->batch->count; i++) {
		domain_wait_cancel(&f->items[i].wait);
		buf_free(&f->items[i].skipped);
	}
	free(f->withdrawn);
	free(f);
	*found = NULL;
}

/* --- What came of it -------------------------------------------------------------------- */

const char *control_domains_refused(const struct control_domains *f, unsigned item)
{
	const struct followed *i = f ? &f->items[item] : NULL;

	if (!i || !i->known || f->batch->items[item].outcome != LIVING_ADDED || i->result.outcome != DOMAIN_NOTHING)
		return NULL;
	return i->result.found ? "none of the domain's networks can be listed" :
				 "the domain has neither an SPF record nor mail exchangers";
}

void control_domains_tell(const struct control_domains *f, unsigned item, json_t *row)
{
	const struct followed *i = f ? &f->items[item] : NULL;

	if (!i || !i->asked)
		return;
	json_object_set_new(row, "networks", json_integer(i->result.networks));
	json_object_set_new(row, "complete", json_boolean(i->known && i->result.outcome != DOMAIN_UNANSWERED &&
							  i->result.outcome != DOMAIN_GIVEN_UP));
	if (i->skipped.n)
		json_object_set_new(row, "skipped", control_string(buf_span(&i->skipped)));
}

static void on_withdrawn(struct living_batch *b, const char *error)
{
	struct control_domains *f = b->arg;

	if (error)
		log_msg(LOG_LEVEL_WARNING, "lists: domains without networks stay listed: %s", error);
	f->done(f->arg, f);
}

static void conclude(struct control_domains *f)
{
	const struct living_batch *b = f->batch;
	unsigned count = 0;

	f->waiting = 0;
	loop_timer_cancel(&f->limit);
	for (unsigned i = 0; i < b->count; i++)
		domain_wait_cancel(&f->items[i].wait);
	for (unsigned i = 0; i < b->count; i++)
		if (control_domains_refused(f, i))
			f->withdrawn[count++] = (struct living_item){ .kind = LIST_DOMAIN, .value = b->items[i].value };
	f->withdrawal = (struct living_batch){ .list = b->list, .author = b->author, .remove = true, .items = f->withdrawn,
					       .count = count, .done = on_withdrawn, .arg = f };
	if (count)
		livinglists_change(f->server->living, &f->withdrawal);
	else
		f->done(f->arg, f);
}

static void on_limit(struct loop_timer *t)
{
	conclude(t->arg);
}

static void on_known(struct domain_wait *w, const struct domain_result *r)
{
	struct followed *i = w->arg;

	i->known = true;
	i->result = *r;
	i->result.skipped = span_of("");
	buf_addspan(&i->skipped, span_head(r->skipped, SKIPPED_MAX));
	if (--i->all->waiting == 0)
		conclude(i->all);
}

/* --- Asking ---------------------------------------------------------------------------------- */

static bool is_wanted(const struct living_item *i)
{
	return i->kind == LIST_DOMAIN && i->outcome != LIVING_FULL;
}

/* What a removal that broke off left behind goes when the entry is removed again. */
static void take_up(struct server *s, const struct living_batch *b, const struct living_item *i, struct domain_wait *w)
{
	if (b->remove) {
		livingdomains_drop(s->domains, b->list, i->value, 0, w);
		return;
	}
	if (i->outcome == LIVING_SHORTENED)
		livingdomains_drop(s->domains, b->list, i->value, i->until, NULL);
	livingdomains_ask(s->domains, b->list, i->value, w);
}

static struct control_domains *new_follow(struct server *s, const struct living_batch *b)
{
	struct control_domains *f = calloc(1, sizeof *f + b->count * sizeof *f->items);

	if (!f)
		return NULL;
	f->server = s;
	f->batch = b;
	loop_timer_init(&f->limit, s->loop, on_limit, f);
	f->withdrawn = calloc(b->count, sizeof *f->withdrawn);
	if (!f->withdrawn)
		control_domains_free(&f);
	return f;
}

static void follow(struct control_domains *f)
{
	const struct living_batch *b = f->batch;

	/* One more, as answers may come at once. */
	f->waiting = 1;
	for (unsigned i = 0; i < b->count; i++) {
		if (!is_wanted(&b->items[i]))
			continue;
		f->items[i] = (struct followed){ .all = f, .asked = true, .skipped = buf_heap(SKIPPED_MAX + 1),
						 .wait = { .done = on_known, .arg = &f->items[i] } };
		f->waiting++;
		take_up(f->server, b, &b->items[i], &f->items[i].wait);
	}
	loop_timer_set(&f->limit, CONTROL_DOMAINS_WAIT_MS);
	if (--f->waiting == 0)
		conclude(f);
}

bool control_domains_follow(struct server *s, const struct living_batch *b, bool wait,
			    void (*done)(void *arg, struct control_domains *found), void *arg)
{
	struct control_domains *f = NULL;
	unsigned domains = 0;

	for (unsigned i = 0; i < b->count; i++)
		domains += is_wanted(&b->items[i]);
	if (wait && domains && !b->dry)
		f = new_follow(s, b);
	if (f) {
		f->done = done;
		f->arg = arg;
		follow(f);
		return true;
	}
	for (unsigned i = 0; domains && !b->dry && i < b->count; i++)
		if (is_wanted(&b->items[i]))
			take_up(s, b, &b->items[i], NULL);
	return false;
}
