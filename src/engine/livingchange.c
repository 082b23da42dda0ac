/* A change of the living lists: reads what is stored, finds what is to be written,
 * writes it, and counts the change last, so that who sees the count sees the rest. */
#include "engine/livinglists_inside.h"

#define WINDOW 64		/* operations in the store at once */
#define TWIN_SLOTS 2048		/* twice LIVING_BATCH_MAX */

enum phase { PHASE_READ, PHASE_WRITE, PHASE_COUNT };

struct job;
struct slot {
	struct job *job;
	struct slot *next;
	unsigned first;			/* index of its first item or delta */
	struct store_get get;
	struct store_merge merge;
};

struct delta {
	size_t at, n;			/* key, in keys */
	unsigned item;
	bool note;
	struct record record;
	bool fresh;
};

struct job {
	struct livinglists *lists;
	struct living_batch *batch;
	int64_t now;
	enum phase phase;
	struct buf keys;		/* of the entries, then of the notes */
	struct delta *deltas;		/* at first one for each item: its key */
	unsigned delta_count;
	unsigned next, total;		/* operations of this phase */
	unsigned in_flight;
	const char *error;
	struct slot slots[WINDOW], *idle;
};

static void pump(struct job *j);

static void end(struct job *j)
{
	struct living_batch *b = j->batch;
	const char *error = j->error;

	buf_free(&j->keys);
	free(j->deltas);
	free(j);
	b->done(b, error);
}

static struct span delta_key(const struct job *j, const struct delta *d)
{
	return span_make(j->keys.p + d->at, d->n);
}

static bool add_key(struct job *j, unsigned item, const struct key *k)
{
	struct delta *d = &j->deltas[j->delta_count];

	*d = (struct delta){ .at = j->keys.n, .n = k->n, .item = item };
	buf_addspan(&j->keys, key_span(k));
	if (k->n == 0 || j->keys.over)
		return false;
	j->delta_count++;
	return true;
}

/* --- What is to be written ------------------------------------------------------------ */

static void decide_removal(const struct job *j, struct living_item *i, struct record *delta)
{
	i->outcome = i->found ? LIVING_REMOVED : LIVING_ABSENT;
	i->until = 0;
	*delta = (struct record){ .generation = i->record.generation + 1, .first_seen = j->now, .last_seen = j->now,
				  .passed_at = j->now, .expires = j->now };
}

static void decide_addition(const struct job *j, struct living_item *i, struct record *delta, bool *fresh)
{
	int64_t until = j->batch->until;
	bool shorter = i->found && until < i->record.expires;

	*delta = (struct record){ .generation = i->record.generation, .first_seen = j->now, .last_seen = j->now,
				  .passed_at = j->now, .expires = until };
	*fresh = !i->found || shorter;
	i->until = until;
	if (!i->found) {
		i->outcome = LIVING_ADDED;
		/* Only what was never there begins at 0: see record.h. */
		delta->generation += i->record.first_seen != 0;
		return;
	}
	delta->first_seen = i->record.first_seen;
	if (shorter && j->batch->shorten) {
		i->outcome = LIVING_SHORTENED;
		delta->generation++;
	} else if (shorter || until == i->record.expires) {
		i->outcome = LIVING_PRESENT;
		i->until = i->record.expires;
	} else {
		i->outcome = LIVING_EXTENDED;
	}
}

static bool is_written(enum living_outcome o)
{
	switch (o) {
	case LIVING_ADDED:
	case LIVING_EXTENDED:
	case LIVING_SHORTENED:
	case LIVING_REMOVED:
		return true;
	case LIVING_PRESENT:
	case LIVING_ABSENT:
	case LIVING_FULL:
		break;
	}
	return false;
}

/* The first item of the batch with this key; itself when there is none before. */
static unsigned first_twin(const struct job *j, uint16_t slots[TWIN_SLOTS], unsigned item)
{
	struct span key = delta_key(j, &j->deltas[item]);
	size_t at = span_hash(key, 0) % TWIN_SLOTS;

	for (; slots[at]; at = (at + 1) % TWIN_SLOTS)
		if (span_eq(delta_key(j, &j->deltas[slots[at] - 1]), key))
			return slots[at] - 1u;
	slots[at] = (uint16_t)(item + 1);
	return item;
}

static void decide_item(struct job *j, unsigned item, unsigned twin, size_t *room)
{
	struct living_item *i = &j->batch->items[item];
	struct delta *d = &j->deltas[item];

	if (j->batch->remove)
		decide_removal(j, i, &d->record);
	else
		decide_addition(j, i, &d->record, &d->fresh);
	if (twin != item) {
		i->outcome = j->batch->remove ? LIVING_ABSENT : LIVING_PRESENT;
		i->until = j->batch->items[twin].until;
	} else if (i->outcome == LIVING_ADDED && *room == 0) {
		i->outcome = LIVING_FULL;
		i->until = 0;
	} else if (i->outcome == LIVING_ADDED) {
		--*room;
	}
}

static bool add_note(struct job *j, unsigned item, const struct record *entry)
{
	const struct living_item *i = &j->batch->items[item];
	struct key k;

	listkey_note(&k, j->batch->list, i->kind, i->value, j->batch->author, i->comment);
	if (!add_key(j, item, &k))
		return false;
	struct delta *d = &j->deltas[j->delta_count - 1];
	d->note = true;
	d->fresh = true;
	d->record = *entry;
	d->record.first_seen = j->now;
	return true;
}

/* Keeps the deltas of what is written, and adds their notes. */
static bool prepare_writes(struct job *j)
{
	unsigned count = j->delta_count, kept = 0;

	for (unsigned i = 0; i < count; i++)
		if (is_written(j->batch->items[j->deltas[i].item].outcome))
			j->deltas[kept++] = j->deltas[i];
	j->delta_count = kept;
	for (unsigned i = 0; i < kept && !j->batch->remove; i++) {
		unsigned item = j->deltas[i].item;
		bool noted = j->batch->author.n || j->batch->items[item].comment.n;
		if (noted && !add_note(j, item, &j->deltas[i].record))
			return false;
	}
	return true;
}

static void decide(struct job *j)
{
	uint16_t twins[TWIN_SLOTS] = { 0 };
	size_t room = livingindex_room(j->lists->index, j->batch->list);

	for (unsigned i = 0; i < j->batch->count; i++)
		decide_item(j, i, first_twin(j, twins, i), &room);
}

/* --- Reading and writing ---------------------------------------------------------------- */

static void took_records(struct job *j, struct slot *s, enum store_status status)
{
	if (status != STORE_DONE) {
		j->error = "the store could not be read; nothing was changed";
		return;
	}
	for (unsigned i = 0; i < s->get.count; i++) {
		struct living_item *item = &j->batch->items[s->first + i];
		item->record = s->get.found[i] ? s->get.records[i] : (struct record){ 0 };
		item->found = s->get.found[i] && !record_expired(&item->record, j->now);
	}
}

static void wrote(struct job *j, struct slot *s, enum store_status status)
{
	if (status != STORE_DONE) {
		j->error = "the store could not be written; some of it may have been changed";
		return;
	}
	if (j->phase == PHASE_COUNT) {
		j->lists->changes++;
		return;
	}
	for (unsigned i = 0; i < s->merge.count; i++) {
		const struct delta *d = &j->deltas[s->first + i];
		const struct living_item *item = &j->batch->items[d->item];
		if (!d->note)
			livingindex_put(j->lists->index, j->batch->list, item->kind, item->value,
					d->record.generation, d->record.expires);
	}
}

static void finish(struct slot *s, enum store_status status)
{
	struct job *j = s->job;

	if (j->phase == PHASE_READ)
		took_records(j, s, status);
	else
		wrote(j, s, status);
	s->next = j->idle;
	j->idle = s;
	j->in_flight--;
}

static void on_got(struct store_get *op, enum store_status status)
{
	struct slot *s = op->arg;
	struct job *j = s->job;

	finish(s, status);
	pump(j);
}

static void on_merged(struct store_merge *op, enum store_status status)
{
	struct slot *s = op->arg;
	struct job *j = s->job;

	finish(s, status);
	pump(j);
}

static enum store_status read_some(struct job *j, struct slot *s)
{
	s->first = j->next * STORE_GET_MAX;
	s->get = (struct store_get){ .done = on_got, .arg = s };
	for (unsigned i = s->first; i < j->batch->count && s->get.count < STORE_GET_MAX; i++)
		s->get.keys[s->get.count++] = delta_key(j, &j->deltas[i]);
	return store_get(j->lists->store, &s->get);
}

static enum store_status write_some(struct job *j, struct slot *s)
{
	s->first = j->next * STORE_MERGE_MAX;
	s->merge = (struct store_merge){ .done = on_merged, .arg = s };
	for (unsigned i = s->first; i < j->delta_count && s->merge.count < STORE_MERGE_MAX; i++)
		s->merge.deltas[s->merge.count++] = (struct store_delta){
			.key = delta_key(j, &j->deltas[i]), .delta = j->deltas[i].record, .fresh = j->deltas[i].fresh };
	return store_merge(j->lists->store, &s->merge);
}

static enum store_status count_change(struct job *j, struct slot *s)
{
	s->merge = (struct store_merge){ .done = on_merged, .arg = s, .count = 1 };
	s->merge.deltas[0] = (struct store_delta){ .key = span_of(LISTKEY_COUNTER), .delta = {
		.first_seen = j->now, .last_seen = j->now, .passed_at = j->now, .expires = LIST_NEVER, .blocked = 1 } };
	return store_merge(j->lists->store, &s->merge);
}

static enum store_status issue(struct job *j, struct slot *s)
{
	switch (j->phase) {
	case PHASE_READ: return read_some(j, s);
	case PHASE_WRITE: return write_some(j, s);
	case PHASE_COUNT: return count_change(j, s);
	}
	return STORE_FAILED;
}

/* True when there is another phase. */
static bool next_phase(struct job *j)
{
	j->next = 0;
	switch (j->phase) {
	case PHASE_READ:
		decide(j);
		if (j->batch->dry)
			return false;
		if (!prepare_writes(j)) {
			j->error = "out of memory";
			return false;
		}
		j->phase = PHASE_WRITE;
		j->total = (j->delta_count + STORE_MERGE_MAX - 1) / STORE_MERGE_MAX;
		return j->total > 0;
	case PHASE_WRITE:
		j->phase = PHASE_COUNT;
		j->total = 1;
		return j->lists->shared;
	case PHASE_COUNT:
		break;
	}
	return false;
}

static void pump(struct job *j)
{
	for (;;) {
		while (!j->error && j->next < j->total && j->idle) {
			struct slot *s = j->idle;
			j->idle = s->next;
			j->in_flight++;
			enum store_status status = issue(j, s);
			j->next++;
			if (status != STORE_PENDING)
				finish(s, status);
		}
		if (j->in_flight)
			return;
		if (j->error || !next_phase(j))
			break;
	}
	end(j);
}

static bool add_entry_keys(struct job *j)
{
	struct key k;

	for (unsigned i = 0; i < j->batch->count; i++) {
		listkey_entry(&k, j->batch->list, j->batch->items[i].kind, j->batch->items[i].value);
		if (!add_key(j, i, &k))
			return false;
	}
	return true;
}

void livinglists_change(struct livinglists *l, struct living_batch *b)
{
	struct job *j = b->count <= LIVING_BATCH_MAX ? calloc(1, sizeof *j) : NULL;

	if (!j) {
		b->done(b, b->count <= LIVING_BATCH_MAX ? "out of memory" : "too many entries at once");
		return;
	}
	*j = (struct job){ .lists = l, .batch = b, .now = clock_wall(l->clock),
			   .keys = buf_heap((size_t)2 * LIVING_BATCH_MAX * KEY_MAX) };
	j->deltas = calloc((size_t)2 * b->count + 1, sizeof *j->deltas);
	for (unsigned i = 0; i < WINDOW; i++) {
		j->slots[i] = (struct slot){ .job = j, .next = j->idle };
		j->idle = &j->slots[i];
	}
	if (!j->deltas || !add_entry_keys(j)) {
		j->error = j->deltas ? "a value that cannot be stored" : "out of memory";
		end(j);
		return;
	}
	j->total = (b->count + STORE_GET_MAX - 1) / STORE_GET_MAX;
	pump(j);
}
