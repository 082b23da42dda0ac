/* add and delete of greylistd's protocol: the record of one triplet. */
#include "daemon/greylistd_command.h"

struct job {
	struct greylistdconn *conn;
	const struct greylistd_command *command;
	struct inquiry *inquiry;	/* completes the request's names */
	struct greylist times;
	int64_t now;
	struct key key;			/* and a '\n' after it, for store_remove */
	struct store_get get;
	struct store_merge merge;
	struct store_remove remove;
	bool live, white;		/* what was found */
};

static struct store *store_of(const struct job *j)
{
	return greylistdconn_server(j->conn)->store;
}

static void finish(struct job *j, const char *error)
{
	struct greylistdconn *c = j->conn;

	free(j);
	if (error)
		greylistdconn_fail(c, error);
	else
		greylistdconn_end(c);
}

/* --- The change ------------------------------------------------------------------- */

static void end_removal(struct job *j, enum store_status status)
{
	if (status == STORE_DONE)
		buf_adds(greylistdconn_out(j->conn), j->white ? "Removed from whitelist" : "Removed from greylist");
	finish(j, status == STORE_DONE ? NULL : "the store could not forget it");
}

static void on_removed(struct store_remove *op, enum store_status status)
{
	end_removal(op->arg, status);
}

static void remove_record(struct job *j)
{
	if (!j->live) {
		finish(j, "Not found");
		return;
	}
	j->key.text[j->key.n] = '\n';
	j->remove = (struct store_remove){ .keys = span_make(j->key.text, j->key.n + 1), .done = on_removed, .arg = j };
	enum store_status status = store_remove(store_of(j), &j->remove);
	if (status != STORE_PENDING)
		end_removal(j, status);
}

static bool wants_white(const struct job *j)
{
	return j->command->first != GREYLISTD_GREY;
}

static void end_merge(struct job *j, enum store_status status)
{
	if (status == STORE_DONE)
		buf_adds(greylistdconn_out(j->conn), wants_white(j) ? "Added to whitelist" : "Added to greylist");
	finish(j, status == STORE_DONE ? NULL : "the store could not be written");
}

static void on_merged(struct store_merge *op, enum store_status status)
{
	end_merge(op->arg, status);
}

/* A record that passes goes back to waiting only as a new generation. */
static void write_record(struct job *j, const struct record *old, bool found)
{
	bool white = wants_white(j), fresh = !j->live || (j->white && !white);
	struct record delta = { .first_seen = j->now, .last_seen = j->now,
				.expires = j->now + (white ? j->times.keep_s : j->times.window_s) };

	if (found)
		delta.generation = old->generation + (fresh ? 1 : 0);
	if (white)
		delta.passed_at = j->now;
	j->merge = (struct store_merge){ .count = 1, .done = on_merged, .arg = j };
	j->merge.deltas[0] = (struct store_delta){ .key = key_span(&j->key), .delta = delta, .fresh = fresh };
	enum store_status status = store_merge(store_of(j), &j->merge);
	if (status != STORE_PENDING)
		end_merge(j, status);
}

/* --- The record as it is ------------------------------------------------------------ */

static void take_record(struct job *j, enum store_status status)
{
	const struct record *r = &j->get.records[0];
	bool found = j->get.found[0];

	if (status != STORE_DONE || greylistdconn_gone(j->conn)) {
		finish(j, "the store could not be read");
		return;
	}
	j->live = found && !record_expired(r, j->now);
	j->white = found && !record_pending(r);
	if (j->command->verb == GREYLISTD_DELETE)
		remove_record(j);
	else
		write_record(j, r, found);
}

static void on_record(struct store_get *op, enum store_status status)
{
	take_record(op->arg, status);
}

/* --- Whose record it is ------------------------------------------------------------- */

static bool build_key(struct job *j)
{
	const struct inquiry *q = j->inquiry;
	struct identity identity;

	identity_of(&inquiry_config(q)->policy, &q->request, span_make("", 0), &identity);
	return decision_triplet(&j->key, &q->request, identity_span(&identity));
}

static bool has_failed(const struct inquiry *q)
{
	enum reason r = q->decision.reason;

	return q->facts.store_fault != REASON_COUNT || r == REASON_STORE_FAILURE || r == REASON_STORE_TIMEOUT ||
	       r == REASON_OVERLOAD;
}

/* The inquiry has come to a verdict, which does not matter here, and on its way
 * the engine has completed the request. A store that fails shows then and there. */
static void on_answer(struct inquiry *q)
{
	struct job *j = q->arg;
	bool built = build_key(j), failed = has_failed(q);

	j->times = inquiry_config(q)->policy.greylist;
	j->now = q->now;
	engine_release(&j->inquiry);
	if (!built || failed || greylistdconn_gone(j->conn)) {
		finish(j, built ? "the store does not answer" : "the data are too long");
		return;
	}
	j->get = (struct store_get){ .count = 1, .keys = { key_span(&j->key) }, .done = on_record, .arg = j };
	enum store_status status = store_get(store_of(j), &j->get);
	if (status != STORE_PENDING)
		take_record(j, status);
}

static void start(struct greylistdconn *c, const struct greylistd_command *command)
{
	struct job *j;

	if (command->request.client.family == 0) {
		greylistdconn_fail(c, "no client address in the data");
		return;
	}
	j = calloc(1, sizeof *j);
	if (j)
		j->inquiry = engine_inquiry(greylistdconn_server(c)->engine);
	if (!j || !j->inquiry) {
		free(j);
		greylistdconn_fail(c, "out of memory");
		return;
	}
	j->conn = c;
	j->command = command;
	j->inquiry->dry = true;
	j->inquiry->request = command->request;
	engine_ask(j->inquiry, on_answer, j);
}

void greylistd_add(struct greylistdconn *c, const struct greylistd_command *command)
{
	if (command->first == GREYLISTD_BLACK)
		greylistdconn_fail(c, "rules do that: block ... in greylag.conf");
	else
		start(c, command);
}

void greylistd_delete(struct greylistdconn *c, const struct greylistd_command *command)
{
	start(c, command);
}
