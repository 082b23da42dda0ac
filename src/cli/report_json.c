/* A report as one JSON object. */
#include <jansson.h>

#include "cli/report.h"

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *verdicts(const struct report *r)
{
	json_t *rows = json_array();

	for (unsigned v = 0; v < VERDICT_COUNT; v++)
		for (unsigned i = 0; i < REASON_COUNT; i++)
			if (r->verdicts[v][i])
				json_array_append_new(rows, json_pack("{s:s, s:s, s:o}", "verdict", verdict_word((enum verdict)v),
					"reason", reason_word((enum reason)i), "count", number(r->verdicts[v][i])));
	return rows;
}

static json_t *times(const struct report *r)
{
	json_t *rows = json_array();

	for (unsigned i = r->first_slot; i < r->slot_count; i++) {
		json_t *row = json_pack("{s:I}", "time", (json_int_t)r->slots[i].time);
		for (unsigned v = 0; v < VERDICT_COUNT; v++)
			json_object_set_new(row, verdict_word((enum verdict)v), number(r->slots[i].verdicts[v]));
		json_array_append_new(rows, row);
	}
	return rows;
}

static json_t *delays(const struct report *r)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < HISTORY_BUCKETS; i++)
		json_array_append_new(rows, json_pack("{s:o, s:o}", "under",
			history_under(i) ? json_integer(history_under(i)) : json_null(), "count", number(r->delays[i])));
	return json_pack("{s:o, s:o, s:I, s:I, s:o}", "count", number(r->delayed),
		"total_s", number(r->delayed_s), "median_s", (json_int_t)report_delay_share(r, 0.5),
		"p95_s", (json_int_t)report_delay_share(r, 0.95), "histogram", rows);
}

static json_t *list(const struct report *r, enum report_list l)
{
	const struct heavy_row *rows;
	unsigned count = heavy_top(r->lists[l], r->options.top, &rows);
	json_t *out = json_array();

	for (unsigned i = 0; i < count; i++)
		json_array_append_new(out, json_pack("{s:s, s:o, s:o}", "name", rows[i].name,
			"deferred", number(rows[i].deferred), "passed", number(rows[i].passed)));
	return out;
}

static json_t *lost(const struct report *r)
{
	json_t *out = json_array();

	for (unsigned i = 0; i < r->lost_kept && i < r->options.top; i++) {
		const struct report_lost *l = &r->lost[i];
		json_array_append_new(out, json_pack("{s:s, s:s, s:s, s:o, s:I, s:I, s:i}", "source", l->identity,
			"sender", l->sender, "recipient", l->recipient, "tries", number(l->tries),
			"first", (json_int_t)l->first, "last", (json_int_t)l->last, "score", (int)l->score));
	}
	return out;
}

void report_json(const struct report *r)
{
	uint64_t saved, spent;
	json_t *row = json_pack("{s:I, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
		"since", (json_int_t)r->options.since, "until", (json_int_t)r->options.until,
		"from", r->options.from_log ? "log" : "store", "step", r->hourly ? "hour" : "day",
		"verdicts", verdicts(r), "times", times(r), "delays", delays(r), "begun", number(report_begun(r)),
		"systems_retried", number(r->systems_retried), "systems_silent", number(r->systems_silent),
		"waiting", number(r->waiting), "never_came_back", number(r->lost_count));

	report_bandwidth(r, &saved, &spent);
	json_object_set_new(row, "bytes_saved", number(saved));
	json_object_set_new(row, "bytes_spent", number(spent));
	for (unsigned l = 0; l < REPORT_LISTS; l++)
		json_object_set_new(row, report_list_word((enum report_list)l), list(r, (enum report_list)l));
	json_object_set_new(row, "lost", lost(r));
	if (r->options.from_log) {
		json_object_set_new(row, "lines", number(r->lines));
		json_object_set_new(row, "lines_not_understood", number(r->bad_lines));
		json_object_set_new(row, "left_out", number(r->left_out));
	}
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}
