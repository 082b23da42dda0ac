/* history: what was decided, by the hour or the day (UTC).
 *
 *   {"cmd":"history", "since":EPOCH, "until":EPOCH, "step":"hour"|"day"}
 * since is by default 7 days ago and counts from the beginning of its hour, until is by
 * default open. A row for each hour or day that has anything:
 *   {"time":EPOCH, "verdicts":{"defer":{"new":12}}, "delays":[{"under":60,"count":3}],
 *    "delayed":3, "delayed_s":190}
 * under is null for what waited longer than all bounds (core/historykey.h); the counts of
 * this daemon's running minute are written first, so that they are in it. */
#include "core/historykey.h"
#include "daemon/control_command.h"
#include "daemon/recordscan.h"

#define DAY_S 86400
#define SINCE_S (7 * DAY_S)

struct job {
	struct control_scan base;	/* first */
	struct history_wait wait;
	int64_t since, until, step_s;
	bool over;			/* what follows is later than asked for */
	char from[40];
	int64_t time;			/* of the row that is being added up */
	bool any;
	uint64_t counts[HISTORY_COUNTERS];
};

static struct job *job_of(struct recordscan *s)
{
	return (struct job *)s;
}

static json_t *verdicts(const uint64_t *counts)
{
	json_t *all = json_object();

	for (unsigned v = 0; v < VERDICT_COUNT; v++) {
		json_t *reasons = NULL;
		for (unsigned r = 0; r < REASON_COUNT; r++) {
			uint64_t n = counts[history_verdict((enum verdict)v, (enum reason)r)];
			if (n && !reasons)
				reasons = json_object();
			if (n)
				json_object_set_new(reasons, reason_word((enum reason)r), json_integer((json_int_t)n));
		}
		if (reasons)
			json_object_set_new(all, verdict_word((enum verdict)v), reasons);
	}
	return all;
}

static json_t *delays(const uint64_t *counts, uint64_t *delayed)
{
	json_t *rows = json_array();

	*delayed = 0;
	for (unsigned i = 0; i < HISTORY_BUCKETS; i++) {
		uint64_t n = counts[HISTORY_DELAYS + i];
		*delayed += n;
		if (n)
			json_array_append_new(rows, history_under(i) ?
				json_pack("{s:I, s:I}", "under", (json_int_t)history_under(i), "count", (json_int_t)n) :
				json_pack("{s:n, s:I}", "under", "count", (json_int_t)n));
	}
	return rows;
}

static void send_row(struct job *j)
{
	uint64_t delayed;

	if (!j->any)
		return;
	json_t *buckets = delays(j->counts, &delayed);
	control_send(j->base.conn, json_pack("{s:I, s:o, s:o, s:I, s:I}", "time", (json_int_t)j->time,
		"verdicts", verdicts(j->counts), "delays", buckets, "delayed", (json_int_t)delayed,
		"delayed_s", (json_int_t)j->counts[HISTORY_DELAYED_S]));
	memset(j->counts, 0, sizeof j->counts);
	j->any = false;
}

static bool take_row(struct recordscan *s, struct span key, const struct record *r)
{
	struct job *j = job_of(s);
	unsigned counter;
	int64_t hour;

	if (!historykey_split(key, &hour, &counter) || record_expired(r, j->base.now) || hour < j->since)
		return false;
	j->over = hour >= j->until;
	if (j->over)
		return false;
	int64_t time = hour - hour % j->step_s;
	if (time != j->time)
		send_row(j);
	j->time = time;
	j->any = true;
	j->counts[counter] += r->passed;
	return false;
}

static enum recordscan_next next_page(struct recordscan *s)
{
	return job_of(s)->over ? RECORDSCAN_STOP : control_scan_page(s);
}

static void end(struct recordscan *s, const char *error)
{
	struct job *j = job_of(s);
	struct control_conn *c = j->base.conn;

	if (!error)
		send_row(j);
	free(j);
	if (error)
		control_error(c, "%s", error);
	else
		control_end(c);
}

static void on_flushed(struct history_wait *w)
{
	struct job *j = w->arg;
	struct buf from = BUF_ON(j->from);

	historykey_hour(&from, j->since);
	j->base.scan.prefix = span_of(HISTORYKEY_PREFIX);
	j->base.scan.after = buf_span(&from);
	recordscan_start(&j->base.scan);
}

/* What is missing, or no number, is as if it had not been said. */
static int64_t number(const json_t *arguments, const char *name, int64_t otherwise)
{
	const json_t *value = json_object_get(arguments, name);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

void control_history(struct control_conn *c, const json_t *arguments)
{
	const char *step = control_text(arguments, "step");
	bool day = step && strcmp(step, "day") == 0;
	struct job *j;

	if (step && !day && strcmp(step, "hour") != 0) {
		control_error(c, "a step is hour or day");
		return;
	}
	j = control_scan_new(c, sizeof *j, take_row, end);
	if (!j)
		return;
	j->base.scan.next = next_page;
	j->step_s = day ? DAY_S : HISTORY_HOUR_S;
	j->until = number(arguments, "until", HISTORY_END);
	j->since = history_hour(number(arguments, "since", j->base.now - SINCE_S));
	j->wait = (struct history_wait){ .done = on_flushed, .arg = j };
	history_flush(engine_history(control_server(c)->engine), &j->wait);
}
