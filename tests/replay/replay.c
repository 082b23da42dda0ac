/* Runs scenario files: a configuration, a timeline of requests on a fake clock,
 * and the verdict that each must get. The requests go through the real engine,
 * rules and store. The format is described in tests/replay/README. */
#include <errno.h>
#include <glob.h>
#include <stdarg.h>

#include "daemon/policyproto.h"
#include "lists/listvalue.h"
#include "replay/world.h"

#define SCENARIO_MAX ((size_t)256 * 1024)
#define START 1800000000	/* an arbitrary Friday in 2027 */

struct story {
	const char *path;
	unsigned line;
	unsigned failures, asks;
	struct names *names;
	bool started;
	struct world world;
	struct buf attributes[16];	/* by position in `keys` */
	struct inquiry *inquiry;
};

static const struct key_name {
	const char *key, *attribute;
	bool sticky;			/* keeps its value on the following lines */
} keys[] = {
	{ "client", "client_address", true }, { "name", "client_name", true },
	{ "reverse", "reverse_client_name", true }, { "helo", "helo_name", true },
	{ "from", "sender", true }, { "to", "recipient", true },
	{ "stage", "protocol_state", false }, { "instance", "instance", false },
	{ "user", "sasl_username", false }, { "context", "policy_context", true },
	{ "report", "greylag_report", false },
	{ "server", "server_address", true }, { "port", "server_port", true },
	{ "tls", "encryption_protocol", true }, { "recipients", "recipient_count", false },
};
#define KEYS (sizeof keys / sizeof *keys)

static void fail(struct story *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct story *s, const char *format, ...)
{
	va_list ap;

	s->failures++;
	printf("# %s:%u: ", s->path, s->line);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

static void on_finding(struct diag *d, enum diag_severity severity, const char *file,
		       unsigned line, unsigned column, const char *text)
{
	(void)severity;
	fail(d->arg, "%s:%u:%u: %s", file, line, column, text);
}

static struct config *parse_config(struct story *s, struct span text)
{
	struct diag diag = { .report = on_finding, .arg = s };
	return config_parse(text, s->path, &diag);
}

static bool start(struct story *s, struct span text)
{
	char problem[300];
	struct buf why = BUF_ON(problem);
	const struct world_options options = {
		.names = s->names, .config = parse_config(s, text), .now = START, .living = true,
	};

	if (!options.config)
		return false;
	s->started = world_begin(&s->world, &options, &why) == 0;
	if (!s->started) {
		fail(s, "%s", buf_str(&why));
		world_end(&s->world);
	}
	return s->started;
}

static int64_t seconds(struct span s)
{
	static const char units[] = "smhd";
	static const int64_t each[] = { 1, 60, 3600, 86400 };
	int64_t total = 0;

	while (s.n) {
		size_t digits = 0;
		uint64_t n = 0;
		while (digits < s.n && ascii_digit(s.p[digits]))
			digits++;
		span_uint(span_head(s, digits), 1000000000, &n);
		const char *unit = digits < s.n ? strchr(units, s.p[digits]) : NULL;
		total += (int64_t)n * (unit ? each[unit - units] : 1);
		s = span_from(s, digits + 1);
	}
	return total;
}

static bool set_attribute(struct story *s, struct span word)
{
	size_t eq = span_find(word, '=');

	for (size_t i = 0; i < KEYS; i++)
		if (span_eq(span_head(word, eq), span_of(keys[i].key))) {
			buf_clear(&s->attributes[i]);
			buf_addspan(&s->attributes[i], span_from(word, eq + 1));
			return true;
		}
	return false;
}

/* The words before "->": attributes of the request, which it builds. */
static void build_request(struct story *s, struct span words, struct buf *request)
{
	struct span word;

	for (size_t i = 0; i < KEYS; i++)
		if (!keys[i].sticky)
			buf_clear(&s->attributes[i]);
	while (span_cut(&words, ' ', &word))
		if (word.n && !set_attribute(s, word))
			fail(s, "unknown key: %.*s", SPAN_ARG(word));
	buf_adds(request, "request=smtpd_access_policy\netrn_domain=\n");
	for (size_t i = 0; i < KEYS; i++)
		if (s->attributes[i].n || keys[i].sticky)
			buf_addf(request, "%s=%s\n", keys[i].attribute, buf_str(&s->attributes[i]));
	buf_addc(request, '\n');
}

static void check(struct story *s, struct span words)
{
	const struct decision *d = &s->inquiry->decision;
	char text[400];
	struct buf got = buf_on(text, sizeof text);
	struct span word;
	unsigned position = 0;

	buf_addf(&got, "%s %s wait=%lld delayed=%lld identity=%.*s rule=%u", verdict_word(d->verdict),
		 reason_word(d->reason), (long long)d->wait_s, (long long)d->delayed_s,
		 d->subject ? (int)d->identity.n : 0, d->identity.text, d->ruled ? d->ruling.line : 0);
	while (span_cut(&words, ' ', &word)) {
		struct span rest = buf_span(&got), have;
		bool hit = word.n == 0;
		for (unsigned i = 0; span_cut(&rest, ' ', &have); i++)
			hit |= span_eq(word, have) && (position > 1 || i == position);
		if (!hit) {
			fail(s, "expected %.*s, got %s", SPAN_ARG(word), buf_str(&got));
			return;
		}
		position += word.n != 0;
	}
}

static void ask(struct story *s, struct span words, struct span expected)
{
	char text[8192], problem[200];
	struct buf request = buf_on(text, sizeof text), why = buf_on(problem, sizeof problem);
	unsigned junk;

	s->asks++;
	build_request(s, words, &request);
	s->inquiry = engine_inquiry(s->world.engine);
	if (policyproto_parse(buf_span(&request), &s->inquiry->request, &junk, &why) != 0) {
		fail(s, "%s", buf_str(&why));
		engine_release(&s->inquiry);
		return;
	}
	if (!world_ask(&s->world, s->inquiry)) {
		fail(s, "no answer");
		return;
	}
	check(s, expected);
	world_done(&s->world, &s->inquiry);
}

/* "at 1h30m ..." from the start, "+30s ..." from the line before, "clock -2h" for a clock that is set. */
static void run_line(struct story *s, struct span line)
{
	static const struct span arrow = SPAN("->");
	struct span word, rest = line;

	span_cut(&rest, ' ', &word);
	if (word.n && word.p[0] == '+') {
		world_at(&s->world, s->world.clock.now_s + seconds(span_from(word, 1)));
	} else if (span_eq(word, span_of("at"))) {
		span_cut(&rest, ' ', &word);
		world_at(&s->world, START + seconds(word));
	} else if (span_eq(word, span_of("clock"))) {
		int64_t jump = seconds(span_from(rest, 1));
		world_at(&s->world, s->world.clock.now_s + (rest.p[0] == '-' ? -jump : jump));
		return;
	} else {
		fail(s, "neither a time nor a word I know: %.*s", SPAN_ARG(word));
		return;
	}
	for (size_t i = 0; i + arrow.n <= rest.n; i++)
		if (span_starts(span_from(rest, i), arrow)) {
			ask(s, span_trim(span_head(rest, i)), span_trim(span_from(rest, i + arrow.n)));
			return;
		}
	fail(s, "no \"->\"");
}

static void on_listed(struct living_batch *b, const char *error)
{
	struct story *s = b->arg;

	if (error)
		fail(s, "%s", error);
}

/* "enlist LIST KIND VALUE 30d", without a time for ever; "unlist LIST KIND VALUE". */
static void change_list(struct story *s, struct span words, bool remove)
{
	struct span list = { 0 }, kind = { 0 }, value = { 0 };
	char text[LIST_VALUE_MAX + 1], problem[200];
	struct buf normal = BUF_ON(text), why = BUF_ON(problem);
	struct living_item item = { 0 };

	span_cut(&words, ' ', &list);
	span_cut(&words, ' ', &kind);
	span_cut(&words, ' ', &value);
	if (!list_kind_parse(kind, &item.kind) || listvalue_read(item.kind, value, &normal, &why) != 1) {
		fail(s, "not LIST KIND VALUE");
		return;
	}
	item.value = buf_span(&normal);
	struct living_batch b = { .list = list, .remove = remove, .items = &item, .count = 1, .done = on_listed, .arg = s,
				  .until = words.n ? s->world.clock.now_s + seconds(words) : LIST_NEVER };
	livinglists_change(s->world.living, &b);
}

/* A block from "config" or "reload" to a line "end". */
static struct span take_block(struct story *s, struct span *rest)
{
	const char *from = rest->p;
	struct span line;

	while (span_cut(rest, '\n', &line)) {
		s->line++;
		if (span_eq(span_trim(line), span_of("end")))
			return span_make(from, (size_t)(line.p - from));
	}
	fail(s, "block without end");
	return span_make("", 0);
}

static bool run_block(struct story *s, struct span word, struct span *rest)
{
	if (span_eq(word, span_of("config"))) {
		struct span text = take_block(s, rest);
		if (!s->started && !start(s, text))
			fail(s, "cannot start");
		return true;
	}
	if (span_eq(word, span_of("reload"))) {
		struct config *config = parse_config(s, take_block(s, rest));
		if (config)
			engine_swap(s->world.engine, config);
		return true;
	}
	return false;
}

static bool run_list(struct story *s, struct span line)
{
	struct span word, rest = line;

	span_cut(&rest, ' ', &word);
	bool remove = span_eq(word, span_of("unlist"));
	if (!s->world.living || (!remove && !span_eq(word, span_of("enlist"))))
		return false;
	change_list(s, rest, remove);
	return true;
}

static void run_scenario(struct story *s, struct span text)
{
	struct span line;

	while (span_cut(&text, '\n', &line)) {
		s->line++;
		line = span_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (run_block(s, line, &text) || run_list(s, line))
			continue;
		if (!s->started) {
			fail(s, "a request before the configuration");
			return;
		}
		run_line(s, line);
	}
}

static bool read_file(const char *path, struct buf *out)
{
	char bytes[4096];
	size_t n;
	FILE *f = fopen(path, "r");

	if (!f)
		return false;
	while ((n = fread(bytes, 1, sizeof bytes, f)) > 0)
		buf_add(out, bytes, n);
	fclose(f);
	return !out->over;
}

static bool run_file(const char *path, struct names *names)
{
	struct buf text = buf_heap(SCENARIO_MAX);
	struct story s = { .path = path, .names = names };

	for (size_t i = 0; i < KEYS; i++)
		s.attributes[i] = buf_heap(4096);
	if (!read_file(path, &text))
		fail(&s, "%s", strerror(errno));
	else
		run_scenario(&s, buf_span(&text));
	if (s.started)
		world_end(&s.world);
	for (size_t i = 0; i < KEYS; i++)
		buf_free(&s.attributes[i]);
	buf_free(&text);
	if (s.asks == 0)
		fail(&s, "asks nothing");
	const char *name = strrchr(path, '/');
	printf("%s %s (%u requests)\n", s.failures ? "not ok" : "ok", name ? name + 1 : path, s.asks);
	return s.failures == 0;
}

/* replay FOLDER: all its *.scn, or replay FILE... */
int main(int argc, char **argv)
{
	char problem[200], pattern[600];
	struct buf why = BUF_ON(problem);
	unsigned passed = 0, failed = 0;
	struct names *names = names_new(&why);
	glob_t found = { 0 };

	setenv("TZ", "UTC0", 1);
	for (int i = 1; i < argc; i++) {
		snprintf(pattern, sizeof pattern, "%s/*.scn", argv[i]);
		if (glob(pattern, i > 1 ? GLOB_APPEND : 0, NULL, &found) != 0)
			glob(argv[i], GLOB_NOCHECK | (i > 1 ? GLOB_APPEND : 0), NULL, &found);
	}
	for (size_t i = 0; names && i < found.gl_pathc; i++) {
		if (run_file(found.gl_pathv[i], names))
			passed++;
		else
			failed++;
	}
	globfree(&found);
	names_free(&names);
	printf("%u passed, %u failed\n", passed, failed);
	return failed || !passed;
}
