/* What the page asks for while it is open. */
#include "base/clock.h"
#include "web/web.h"

#define RECENT_MOST 250
#define LIST_MOST 300
#define HISTORY_MOST 800
#define DAY_S 86400

static void add_visitor(const struct web *w, json_t *object, const struct visitor *v)
{
	json_object_set_new(object, "may_act", json_boolean(v->may_act));
	json_object_set_new(object, "read_only", json_boolean(source_read_only(w->source)));
	json_object_set_new(object, "login", json_boolean(auth_required(w->auth)));
	if (v->csrf[0])
		json_object_set_new(object, "csrf", json_string(v->csrf));
}

/* ?after=N: verdicts after this number. */
void web_state(struct web *w, struct exchange *x, const struct visitor *v)
{
	char text[700];
	struct buf why = BUF_ON(text);
	uint64_t after = 0;
	json_t *status = source_status(w->source, &why), *recent = NULL;

	span_uint(span_of(http_argument(x, "after")), INT64_MAX, &after);
	int result = status ? source_ask(w->source, json_pack("{s:s, s:I, s:i}", "cmd", "recent", "after",
		(json_int_t)after, "most", RECENT_MOST), SOURCE_LOOK_MS, RECENT_MOST, &recent, NULL, &why) : -1;
	if (result != 1) {
		json_decref(status);
		web_fail(x, result, buf_str(&why));
		return;
	}
	json_t *all = json_pack("{s:o, s:o, s:I}", "status", status, "recent", recent,
		"now", (json_int_t)clock_wall(&clock_system));
	add_visitor(w, all, v);
	http_json(x, 200, all);
}

/* ?days=N: by the hour up to 3 days, by the day above. */
void web_history(struct web *w, struct exchange *x, const struct visitor *v)
{
	char text[700];
	struct buf why = BUF_ON(text);
	uint64_t days;
	int64_t now = clock_wall(&clock_system);
	json_t *rows;

	(void)v;
	if (!span_uint(span_of(http_argument(x, "days")), 730, &days) || days == 0) {
		http_error(x, 400, "days=1 to 730");
		return;
	}
	bool hourly = days <= 3;
	int64_t step = hourly ? 3600 : DAY_S, until = now + 1, since = (now - now % step) - ((int64_t)days * DAY_S - step);
	int result = source_ask(w->source, json_pack("{s:s, s:I, s:I, s:s}", "cmd", "history", "since", (json_int_t)since,
		"until", (json_int_t)until, "step", hourly ? "hour" : "day"), SOURCE_LOOK_MS, HISTORY_MOST, &rows, NULL, &why);
	if (result != 1)
		web_fail(x, result, buf_str(&why));
	else
		http_json(x, 200, json_pack("{s:I, s:I, s:I, s:o}", "since", (json_int_t)since, "until", (json_int_t)now,
			"step_s", (json_int_t)step, "rows", rows));
}

/* ?list=NAME&pattern=P */
void web_lists(struct web *w, struct exchange *x, const struct visitor *v)
{
	char text[700];
	struct buf why = BUF_ON(text);
	bool more = false;
	json_t *rows, *request = json_pack("{s:s, s:s, s:s}", "cmd", "lists", "list", http_argument(x, "list"),
					   "pattern", http_argument(x, "pattern"));

	(void)v;
	if (!request) {
		http_error(x, 400, "that is no UTF-8");
		return;
	}
	int result = source_ask(w->source, request, SOURCE_LOOK_MS, LIST_MOST, &rows, &more, &why);
	if (result != 1)
		web_fail(x, result, buf_str(&why));
	else
		http_json(x, 200, json_pack("{s:o, s:b}", "rows", rows, "more", more));
}
