/* recent: the last verdicts, oldest first, in the words of the verdict line. */
#include "daemon/control_command.h"
#include "daemon/recent.h"

static json_t *text_of(const struct recent_verdict *v, enum recent_field field)
{
	char text[4 * RECENT_TEXT];
	struct buf safe = BUF_ON(text);

	buf_addsafe(&safe, recent_text(v, field), recent_most(field));
	return json_stringn(buf_str(&safe), safe.n);
}

static json_t *row_of(const struct recent_verdict *v)
{
	json_t *row = json_pack("{s:I, s:I, s:s, s:s}", "number", (json_int_t)v->number, "time", (json_int_t)v->time_s,
		"verdict", verdict_word(v->verdict), "reason", reason_word(v->reason));

	if (v->verdict == VERDICT_OBSERVE)
		json_object_set_new(row, "would", json_string(verdict_word(v->would)));
	if (v->would == VERDICT_DEFER)
		json_object_set_new(row, "wait", json_integer(v->wait_s));
	if (v->reason == REASON_RETRIED)
		json_object_set_new(row, "delayed", json_integer(v->delayed_s));
	for (enum recent_field f = RECENT_RULE; f < RECENT_FIELDS; f++)
		if (recent_text(v, f).n || (f == RECENT_FROM && v->has_sender))
			json_object_set_new(row, recent_word(f), text_of(v, f));
	return row;
}

/* {"cmd":"recent","after":N,"most":N}: those after the number; of more than `most` the last. */
void control_recent(struct control_conn *c, const json_t *arguments)
{
	const struct recent *recent = control_server(c)->recent;
	const json_t *given = json_object_get(arguments, "after"), *limit = json_object_get(arguments, "most");
	json_int_t most = json_is_integer(limit) ? json_integer_value(limit) : 2 * RECENT_EACH;
	uint64_t after = json_integer_value(given) > 0 ? (uint64_t)json_integer_value(given) : 0;
	const struct recent_verdict *v;
	struct recent_cursor at = { .after = after };
	unsigned rows = 0;

	while (recent_next(recent, &at))
		rows++;
	at = (struct recent_cursor){ .after = after };
	while ((v = recent_next(recent, &at)))
		if (rows-- <= most)
			control_send(c, row_of(v));
	control_end(c);
}
