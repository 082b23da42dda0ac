/* What greylag export writes: a JSON object a line, with the key of a record and all
 * of its fields. The other words of a line are for people. */
#include <jansson.h>

#include "import/import_format.h"

static int64_t number(const json_t *o, const char *name)
{
	return (int64_t)json_integer_value(json_object_get(o, name));
}

static bool fits(const json_t *o, const char *name, int64_t most)
{
	const json_t *n = json_object_get(o, name);

	return !n || (json_is_integer(n) && json_integer_value(n) >= 0 && json_integer_value(n) <= most);
}

static bool all_fit(const json_t *o)
{
	static const char *const names[] = { "first_seen", "last_seen", "passed_at", "expires", "blocked", "passed", "held_until" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (!fits(o, names[i], INT64_MAX / 2))
			return false;
	return fits(o, "generation", UINT32_MAX) && fits(o, "strikes", UINT16_MAX) && fits(o, "held_for", UINT8_MAX);
}

static void take_line(struct import *in, void *arg, struct span line)
{
	json_error_t error;
	json_t *o = line.n ? json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &error) : NULL;
	const json_t *key = json_object_get(o, "key");

	(void)arg;
	if (json_is_string(key) && json_string_length(key) && all_fit(o))
		import_give(in, &(struct import_row){ .kind = IMPORT_RECORD,
			.key = span_make(json_string_value(key), json_string_length(key)),
			.first_seen = number(o, "first_seen"), .last_seen = number(o, "last_seen"),
			.passed_at = number(o, "passed_at"), .expires = number(o, "expires"),
			.blocked = (uint64_t)number(o, "blocked"), .passed = (uint64_t)number(o, "passed"),
			.generation = (uint32_t)number(o, "generation"), .strikes = (uint32_t)number(o, "strikes"),
			.held_until = number(o, "held_until"), .held_for = (uint8_t)number(o, "held_for") });
	else if (line.n)
		import_skip(in, "not a line of greylag export");
	json_decref(o);
}

static int read_file(struct import *in, const char *source, struct buf *why)
{
	return import_lines(in, source, take_line, NULL, why);
}

const struct import_format import_greylag = { "greylag", "FILE|-", read_file };
