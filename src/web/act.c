/* What somebody does: asks why, or changes something. */
#include "base/clock.h"
#include "base/log.h"
#include "base/value.h"
#include "web/web.h"

#define ROWS_MOST 50
#define AUTHOR "web"

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

/* The body as an object whose values are all strings or booleans; NULL when it has been refused. */
static json_t *read_body(struct exchange *x)
{
	json_error_t error;
	json_t *body = json_loadb(x->body.n ? x->body.p : "", x->body.n, JSON_REJECT_DUPLICATES, &error), *value;
	const char *name;

	if (!json_is_object(body)) {
		json_decref(body);
		http_error(x, 400, "a JSON object is expected");
		return NULL;
	}
	json_object_foreach(body, name, value)
		if (!json_is_string(value) && !json_is_boolean(value)) {
			json_decref(body);
			http_error(x, 400, "texts are expected");
			return NULL;
		}
	return body;
}

void web_why(struct web *w, struct exchange *x, const struct visitor *v)
{
	static const char *const words[] = { "client", "sender", "recipient", "name", "helo", "stage" };
	char text[700];
	struct buf why = BUF_ON(text);
	json_t *rows, *body = read_body(x), *request = json_pack("{s:s}", "cmd", "why");

	(void)v;
	for (size_t i = 0; i < sizeof words / sizeof *words && body; i++)
		json_object_set_new(request, words[i], json_string(text_of(body, words[i])));
	if (!body) {
		json_decref(request);
		return;
	}
	json_decref(body);
	int result = source_ask(w->source, request, SOURCE_WHY_MS, 1, &rows, NULL, &why);
	if (result != 1) {
		web_fail(x, result, buf_str(&why));
		return;
	}
	http_json(x, 200, json_incref(json_array_get(rows, 0)));
	json_decref(rows);
}

/* --- Actions ---------------------------------------------------------------------------- */

struct action {
	json_t *body;
	json_t *request;		/* to be made */
	char problem[300];		/* why not */
};

static void fail(struct action *a, const char *why)
{
	snprintf(a->problem, sizeof a->problem, "%s", why);
}

/* A duration as an end; "" is none when that is allowed. */
static bool read_end(struct action *a, bool needed, json_int_t *until)
{
	char text[200];
	struct buf why = BUF_ON(text);
	const char *duration = text_of(a->body, "for");
	uint64_t ms;

	*until = 0;
	if (duration[0] == '\0' && !needed)
		return true;
	if (value_duration_ms(span_of(duration), &ms, &why) != 0 || ms < 1000) {
		fail(a, duration[0] ? "no duration: 30d, 12h, 15m are meant" : "how long? 15m for example");
		return false;
	}
	*until = (json_int_t)clock_wall(&clock_system) + (json_int_t)(ms / 1000 < INT32_MAX ? ms / 1000 : INT32_MAX);
	return true;
}

static void make_list(struct action *a, const char *cmd, const char *list, const char *kind, const char *value,
		      json_int_t until)
{
	if (value[0] == '\0') {
		fail(a, "there is no value");
		return;
	}
	a->request = json_pack("{s:s, s:s, s:s, s:b, s:s, s:[{s:s, s:s}]}", "cmd", cmd, "list", list, "author", AUTHOR,
		"each", 1, "comment", text_of(a->body, "comment"), "values", "kind", kind, "value", value);
	if (until)
		json_object_set_new(a->request, "until", json_integer(until));
}

static void add(struct action *a)
{
	json_int_t until;

	if (read_end(a, false, &until))
		make_list(a, "list_add", text_of(a->body, "action"), text_of(a->body, "kind"), text_of(a->body, "value"), until);
}

static void expect(struct action *a)
{
	const char *value = text_of(a->body, "value"), *from = text_of(a->body, "from");
	char pair[HTTP_BODY_MAX];
	json_int_t until;

	if (!read_end(a, true, &until))
		return;
	snprintf(pair, sizeof pair, "%s<%s", value, from);
	make_list(a, "list_add", "expect", from[0] ? "pair" : "recipient", from[0] && value[0] ? pair : value, until);
}

static void unlist(struct action *a)
{
	make_list(a, "list_remove", text_of(a->body, "list"), text_of(a->body, "kind"), text_of(a->body, "value"), 0);
}

static void forget(struct action *a)
{
	if (text_of(a->body, "value")[0] == '\0')
		fail(a, "forget whom?");
	else
		a->request = json_pack("{s:s, s:b, s:s, s:s, s:b}", "cmd", "forget", "count", 1, "field", text_of(a->body, "kind"),
			"pattern", text_of(a->body, "value"), "dry_run", json_is_true(json_object_get(a->body, "dry_run")));
}

static const struct {
	const char *word;
	void (*make)(struct action *a);
} actions[] = {
	{ "allow", add }, { "block", add }, { "trap", add }, { "expect", expect }, { "unlist", unlist }, { "forget", forget },
};

static bool make(struct action *a)
{
	const char *word = text_of(a->body, "action");

	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (strcmp(actions[i].word, word) == 0) {
			actions[i].make(a);
			if (!a->request && !a->problem[0])
				fail(a, "out of memory");
			return a->request != NULL;
		}
	fail(a, "no such action");
	return false;
}

/* An entry that was refused is an error here: there was only this one. */
static bool refused(struct exchange *x, const json_t *rows)
{
	const json_t *first = json_array_get(rows, 0);

	if (strcmp(text_of(first, "outcome"), "refused") != 0)
		return false;
	http_error(x, 422, text_of(first, "why"));
	return true;
}

static const char *deed(const json_t *body, const char *outcome)
{
	if (json_is_true(json_object_get(body, "dry_run")))
		return "looked";
	return strcmp(outcome, "absent") == 0 || strcmp(outcome, "present") == 0 ? "nothing done" : "done";
}

static void note(const struct exchange *x, const json_t *body, const json_t *rows)
{
	static const struct {
		const char *name, *before;
		unsigned most;
	} words[] = { { "action", "", 20 }, { "list", " ", 64 }, { "kind", " ", 20 }, { "value", " ", 200 },
		      { "from", " from ", 100 }, { "for", " for ", 20 } };
	const json_t *forgotten = json_object_get(json_array_get(rows, json_array_size(rows) - 1), "forgotten");
	const char *outcome = text_of(json_array_get(rows, 0), "outcome");
	char text[1500];
	struct buf b = BUF_ON(text);

	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		struct span word = span_of(text_of(body, words[i].name));
		if (word.n)
			buf_adds(&b, words[i].before);
		buf_addsafe(&b, word, words[i].most);
	}
	if (outcome[0])
		buf_addf(&b, ": %s", outcome);
	if (forgotten)
		buf_addf(&b, ": %lld records", (long long)json_integer_value(forgotten));
	buf_adds(&b, ", asked by ");
	http_peer(x, &b);
	log_msg(LOG_LEVEL_NOTICE, "%s: %s", deed(body, outcome), buf_str(&b));
}

void web_action(struct web *w, struct exchange *x, const struct visitor *v)
{
	char text[700];
	struct buf why = BUF_ON(text);
	struct action a = { .body = read_body(x) };
	json_t *rows;
	bool more;

	(void)v;
	if (!a.body)
		return;
	if (!make(&a)) {
		json_decref(a.body);
		http_error(x, 400, a.problem);
		return;
	}
	int result = source_ask(w->source, a.request, SOURCE_ACT_MS, ROWS_MOST, &rows, &more, &why);
	if (result != 1) {
		web_fail(x, result, buf_str(&why));
	} else {
		if (!refused(x, rows)) {
			note(x, a.body, rows);
			http_json(x, 200, json_pack("{s:O, s:b}", "rows", rows, "more", more));
		}
		json_decref(rows);
	}
	json_decref(a.body);
}
