#include "daemon/recordscan.h"

static void finish(struct recordscan *s, const char *error)
{
	buf_free(&s->scan.keys);
	buf_free(&s->doomed);
	s->done(s, error);
}

static void take_page(struct recordscan *s)
{
	struct span rest = buf_span(&s->scan.keys), key;

	buf_clear(&s->doomed);
	for (unsigned i = 0; span_cut(&rest, '\n', &key); i++) {
		if (!s->row(s, key, &s->records[i]))
			continue;
		buf_addspan(&s->doomed, key);
		buf_addc(&s->doomed, '\n');
	}
}

static void removed(struct recordscan *s, enum store_status status)
{
	if (status != STORE_DONE)
		finish(s, "the store could not forget all of them");
	else if (s->scan.more)
		recordscan_resume(s);
	else
		finish(s, NULL);
}

static void on_removed(struct store_remove *op, enum store_status status)
{
	removed(op->arg, status);
}

/* True when the next page may be read at once. */
static bool after_page(struct recordscan *s)
{
	take_page(s);
	if (s->doomed.n) {
		s->remove = (struct store_remove){ .keys = buf_span(&s->doomed), .done = on_removed, .arg = s };
		enum store_status status = store_remove(s->store, &s->remove);
		if (status == STORE_PENDING)
			return false;
		if (status == STORE_FAILED) {
			removed(s, status);
			return false;
		}
	}
	bool more = s->scan.more;
	if (!more)
		finish(s, NULL);
	return more;
}

static void on_page(struct store_scan *op, enum store_status status)
{
	struct recordscan *s = op->arg;

	if (status != STORE_DONE)
		finish(s, "the store could not be read");
	else if (after_page(s))
		recordscan_resume(s);
}

void recordscan_resume(struct recordscan *s)
{
	enum store_status status;

	do {
		switch (s->next(s)) {
		case RECORDSCAN_GO: break;
		case RECORDSCAN_STOP: finish(s, NULL); return;
		case RECORDSCAN_WAIT: return;
		}
		status = store_scan(s->store, &s->scan);
		if (status == STORE_FAILED)
			finish(s, "the store could not be read");
	} while (status == STORE_DONE && after_page(s));
}

void recordscan_start(struct recordscan *s)
{
	s->doomed = buf_heap(RECORDSCAN_PAGE * (KEY_MAX + 1));
	s->scan = (struct store_scan){ .prefix = s->prefix, .from = buf_on(s->from, sizeof s->from), .limit = RECORDSCAN_PAGE,
				       .records = s->records, .keys = buf_heap(RECORDSCAN_PAGE * (KEY_MAX + 1)),
				       .done = on_page, .arg = s };
	buf_addspan(&s->scan.from, s->after);
	recordscan_resume(s);
}
