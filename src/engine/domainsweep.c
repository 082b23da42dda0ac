/* Takes a domain's networks off its list: the clients whose latest note says that they came
 * from it. One walk over the list's clients serves all domains of it that are to go. */
#include "engine/livingdomains_inside.h"

#include "base/log.h"

#define PAGE 250

struct domain_sweep {
	struct livingdomains *d;
	struct domain_task *tasks;	/* all of one list and one end */
	char list[LIST_WORD_MAX];
	size_t list_n;
	struct store_scan scan;
	char prefix[LIST_WORD_MAX + 20], from[KEY_MAX + 1];
	struct record records[PAGE];
	/* An entry waits for its notes, which follow it: */
	struct key entry;		/* n is 0: none */
	struct record record;
	struct domain_task *owner;	/* of the latest note; NULL: not one of ours */
	int64_t noted_at;
	struct living_batch batch;
	struct living_item items[PAGE + 1];	/* one may wait from the page before */
	struct domain_task *owners[PAGE + 1];
	char values[PAGE + 1][64];
	unsigned changed;
};

static void next_page(struct domain_sweep *s);

static struct span task_list(const struct domain_task *t)
{
	return span_make(t->text, t->list_n);
}

static struct span task_comment(const struct domain_task *t)
{
	return span_make(t->text + t->list_n, t->n);
}

/* --- Its end ---------------------------------------------------------------------------- */

static void end(struct domain_sweep *s, enum domain_outcome outcome)
{
	struct livingdomains *d = s->d;

	d->sweep = NULL;
	buf_free(&s->scan.keys);
	/* What went may be another domain's too. */
	if (s->changed)
		domain_renew(d, span_make(s->list, s->list_n));
	for (struct domain_task *t = s->tasks, *next; t; t = next) {
		const struct domain_result r = { .outcome = outcome, .networks = t->networks };
		next = t->next;
		if (outcome == DOMAIN_REMOVED)
			log_msg(LOG_LEVEL_NOTICE, "lists: %.*s: %u networks %.*s %s", SPAN_ARG(task_list(t)), t->networks,
				SPAN_ARG(task_comment(t)), t->until ? "end earlier" : "removed");
		domain_wait_call(&t->waits, &r);
		free(t);
	}
	free(s);
	if (!d->stopped)
		loop_timer_set(&d->tick, 0);
}

static void fail(struct domain_sweep *s, const char *error)
{
	log_msg(LOG_LEVEL_WARNING, "lists: %.*s: networks of removed domains run out only after three days: %s",
		(int)s->list_n, s->list, error);
	end(s, DOMAIN_GIVEN_UP);
}

/* --- Entries and notes ------------------------------------------------------------------------ */

static struct domain_task *task_of(const struct domain_sweep *s, struct span comment)
{
	struct domain_task *t = s->tasks;

	while (t && !span_eq(task_comment(t), comment))
		t = t->next;
	return t;
}

/* Its notes have all been read. */
static void finish_entry(struct domain_sweep *s)
{
	struct listkey_parts p;
	int64_t now = clock_wall(s->d->options.clock), until = s->tasks->until;
	bool ours = s->entry.n && s->owner && !record_expired(&s->record, now) && s->record.expires > until &&
		    listkey_split(key_span(&s->entry), &p);

	s->entry.n = 0;
	if (!ours)
		return;
	struct buf value = BUF_ON(s->values[s->batch.count]);
	listkey_unescape(&value, p.value);
	s->owners[s->batch.count] = s->owner;
	s->items[s->batch.count++] = (struct living_item){ .kind = LIST_CLIENT, .value = buf_span(&value),
							    .comment = task_comment(s->owner) };
}

static void take_entry(struct domain_sweep *s, struct span key, const struct record *r)
{
	finish_entry(s);
	memcpy(s->entry.text, key.p, key.n);
	s->entry.n = key.n;
	s->record = *r;
	s->owner = NULL;
	s->noted_at = 0;
}

/* Of two notes of one second a person's counts. */
static void take_note(struct domain_sweep *s, struct span key, const struct listkey_parts *p, const struct record *r)
{
	char text[LIST_COMMENT_MAX + 1], who[LIST_AUTHOR_MAX + 1];
	struct buf comment = BUF_ON(text), author = BUF_ON(who);
	struct span entry = key_span(&s->entry);

	if (entry.n == 0 || !span_starts(key, entry) || key.n == entry.n || key.p[entry.n] != ' ' ||
	    r->generation < s->record.generation || r->last_seen < s->noted_at)
		return;
	key_unescape(&author, p->author);
	key_unescape(&comment, p->comment);
	struct domain_task *t = span_eq(buf_span(&author), span_of(DOMAIN_AUTHOR)) ? task_of(s, buf_span(&comment)) : NULL;
	if (r->last_seen > s->noted_at || !t)
		s->owner = t;
	s->noted_at = r->last_seen;
}

/* --- The walk ----------------------------------------------------------------------------------- */

static void go_on(struct domain_sweep *s)
{
	if (s->d->stopped)
		end(s, DOMAIN_GIVEN_UP);
	else if (s->scan.more)
		next_page(s);
	else
		end(s, DOMAIN_REMOVED);
}

static void on_changed(struct living_batch *b, const char *error)
{
	struct domain_sweep *s = b->arg;

	if (error) {
		fail(s, error);
		return;
	}
	for (unsigned i = 0; i < b->count; i++)
		if (b->items[i].outcome == LIVING_REMOVED || b->items[i].outcome == LIVING_SHORTENED) {
			s->owners[i]->networks++;
			s->changed++;
		}
	go_on(s);
}

static void on_page(struct store_scan *op, enum store_status status)
{
	struct domain_sweep *s = op->arg;
	struct span keys = buf_span(&op->keys), key;
	struct listkey_parts p;

	if (status != STORE_DONE) {
		fail(s, "the store could not be read");
		return;
	}
	int64_t until = s->tasks->until;
	s->batch = (struct living_batch){ .list = span_make(s->list, s->list_n), .author = span_of(DOMAIN_AUTHOR),
					  .until = until, .remove = until == 0, .shorten = true, .items = s->items,
					  .done = on_changed, .arg = s };
	for (unsigned i = 0; i < op->count && span_cut(&keys, '\n', &key); i++)
		if (!listkey_split(key, &p))
			continue;
		else if (p.author.n)
			take_note(s, key, &p, &op->records[i]);
		else
			take_entry(s, key, &op->records[i]);
	if (!op->more)
		finish_entry(s);
	if (s->batch.count)
		livinglists_change(s->d->options.living, &s->batch);
	else
		go_on(s);
}

static void next_page(struct domain_sweep *s)
{
	enum store_status status = store_scan(s->d->options.store, &s->scan);

	if (status != STORE_PENDING)
		on_page(&s->scan, status);
}

/* The first task, and those like it. */
static void take_tasks(struct livingdomains *d, struct domain_sweep *s)
{
	int64_t until = d->tasks->until;

	s->list_n = d->tasks->list_n;
	memcpy(s->list, d->tasks->text, s->list_n);
	for (struct domain_task **at = &d->tasks; *at;) {
		struct domain_task *t = *at;
		if (t->until != until || !span_eq(task_list(t), span_make(s->list, s->list_n))) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		t->next = s->tasks;
		s->tasks = t;
	}
}

void domain_sweep_next(struct livingdomains *d)
{
	struct domain_sweep *s = d->tasks && !d->sweep && !d->stopping && !d->stopped ? calloc(1, sizeof *s) : NULL;

	if (!s)
		return;
	s->d = d;
	d->sweep = s;
	take_tasks(d, s);
	struct buf prefix = BUF_ON(s->prefix);
	buf_addf(&prefix, LISTKEY_PREFIX "%.*s %s ", (int)s->list_n, s->list, list_kind_word(LIST_CLIENT));
	s->scan = (struct store_scan){ .prefix = buf_span(&prefix), .limit = PAGE, .records = s->records, .done = on_page,
				       .arg = s, .from = buf_on(s->from, sizeof s->from),
				       .keys = buf_heap((size_t)PAGE * (KEY_MAX + 1)) };
	next_page(s);
}

void domain_sweep_release(struct domain_sweep *s)
{
	for (struct domain_task *t = s->tasks; t; t = t->next)
		domain_wait_call(&t->waits, &domain_given_up);
}

void domain_sweep_free(struct livingdomains *d)
{
	if (!d->sweep)
		return;
	for (struct domain_task *t = d->sweep->tasks, *next; t; t = next) {
		next = t->next;
		free(t);
	}
	buf_free(&d->sweep->scan.keys);
	free(d->sweep);
	d->sweep = NULL;
}
