/* Runs scenario files: a configuration, a timeline of requests on a fake clock,
 * and the verdict that each must get. The requests go through the real engine,
 * rules and store. The format is described in tests/replay/README. */
#include <errno.h>
#include <glob.h>
#include <stdarg.h>

#include "daemon/policyproto.h"
#include "engine/engine.h"
#include "lists/listvalue.h"

#define SCENARIO_MAX ((size_t)256 * 1024)
#define START 1800000000	/* an arbitrary Friday in 2027 */

struct world {
	const char *path;
	unsigned line;
	unsigned failures, asks;
	struct loop *loop;
	struct clock_fake clock;
	struct names *names;
	struct store *store;
	struct livinglists *living;
	struct engine *engine;
	struct buf attributes[16];	/* by position in `keys` */
	bool answered;
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

static void fail(struct world *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fail(struct world *w, const char *format, ...)
{
	va_list ap;

	w->failures++;
	printf("# %s:%u: ", w->path, w->line);
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

static struct config *parse_config(struct world *w, struct span text)
{
	struct diag diag = { .report = on_finding, .arg = w };
	return config_parse(text, w->path, &diag);
}

static bool start(struct world *w, struct span text)
{
	char problem[300];
	struct buf why = buf_on(problem, sizeof problem);
	struct config *config = parse_config(w, text);

	if (!config)
		return false;
	const struct store_options store = {
		.driver = config->settings.store_driver, .target = config->settings.store_target,
		.loop = w->loop, .clock = &w->clock.clock, .cap_total = config->settings.cap_total,
		.cap_identity = config->settings.cap_identity,
	};
	w->store = store_open(&store, &why);
	if (!w->store) {
		fail(w, "store: %s", buf_str(&why));
		config_free(&config);
		return false;
	}
	w->living = livinglists_new(w->loop, &w->clock.clock, w->store);
	const struct engine_options options = {
		.loop = w->loop, .clock = &w->clock.clock, .names = w->names, .store = w->store,
		.living = w->living, .config = config,
	};
	w->engine = engine_new(&options, &why);
	return w->engine != NULL;
}

static void on_answer(struct inquiry *q)
{
	struct world *w = q->arg;
	w->answered = true;
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

static bool set_attribute(struct world *w, struct span word)
{
	size_t eq = span_find(word, '=');

	for (size_t i = 0; i < KEYS; i++)
		if (span_eq(span_head(word, eq), span_of(keys[i].key))) {
			buf_clear(&w->attributes[i]);
			buf_addspan(&w->attributes[i], span_from(word, eq + 1));
			return true;
		}
	return false;
}

/* The words before "->": attributes of the request, which it builds. */
static void build_request(struct world *w, struct span words, struct buf *request)
{
	struct span word;

	for (size_t i = 0; i < KEYS; i++)
		if (!keys[i].sticky)
			buf_clear(&w->attributes[i]);
	while (span_cut(&words, ' ', &word))
		if (word.n && !set_attribute(w, word))
			fail(w, "unknown key: %.*s", SPAN_ARG(word));
	buf_adds(request, "request=smtpd_access_policy\netrn_domain=\n");
	for (size_t i = 0; i < KEYS; i++)
		if (w->attributes[i].n || keys[i].sticky)
			buf_addf(request, "%s=%s\n", keys[i].attribute, buf_str(&w->attributes[i]));
	buf_addc(request, '\n');
}

static void check(struct world *w, struct span words)
{
	const struct decision *d = &w->inquiry->decision;
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
			fail(w, "expected %.*s, got %s", SPAN_ARG(word), buf_str(&got));
			return;
		}
		position += word.n != 0;
	}
}

static void ask(struct world *w, struct span words, struct span expected)
{
	char text[8192], problem[200];
	struct buf request = buf_on(text, sizeof text), why = buf_on(problem, sizeof problem);
	unsigned junk;

	w->asks++;
	build_request(w, words, &request);
	w->answered = false;
	w->inquiry = engine_inquiry(w->engine);
	if (policyproto_parse(buf_span(&request), &w->inquiry->request, &junk, &why) != 0) {
		fail(w, "%s", buf_str(&why));
		engine_release(&w->inquiry);
		return;
	}
	engine_ask(w->inquiry, on_answer, w);
	for (int i = 0; i < 200 && !w->answered; i++) {
		store_turn(w->store);
		loop_once(w->loop, 10);
	}
	if (!w->answered) {
		fail(w, "no answer");
		return;
	}
	check(w, expected);
	engine_release(&w->inquiry);
	/* What nobody waits for is written too. */
	loop_once(w->loop, 0);
	store_turn(w->store);
}

/* "at 1h30m ..." from the start, "+30s ..." from the line before, "clock -2h" for a clock that is set. */
static void run_line(struct world *w, struct span line)
{
	static const struct span arrow = SPAN("->");
	struct span word, rest = line;

	span_cut(&rest, ' ', &word);
	if (word.n && word.p[0] == '+') {
		clock_fake_set(&w->clock, w->clock.now_s + seconds(span_from(word, 1)));
	} else if (span_eq(word, span_of("at"))) {
		span_cut(&rest, ' ', &word);
		clock_fake_set(&w->clock, START + seconds(word));
	} else if (span_eq(word, span_of("clock"))) {
		int64_t s = seconds(span_from(rest, 1));
		clock_fake_set(&w->clock, w->clock.now_s + (rest.p[0] == '-' ? -s : s));
		return;
	} else {
		fail(w, "neither a time nor a word I know: %.*s", SPAN_ARG(word));
		return;
	}
	for (size_t i = 0; i + arrow.n <= rest.n; i++)
		if (span_starts(span_from(rest, i), arrow)) {
			ask(w, span_trim(span_head(rest, i)), span_trim(span_from(rest, i + arrow.n)));
			return;
		}
	fail(w, "no \"->\"");
}

static void on_listed(struct living_batch *b, const char *error)
{
	struct world *w = b->arg;

	if (error)
		fail(w, "%s", error);
}

/* "enlist LIST KIND VALUE 30d", without a time for ever; "unlist LIST KIND VALUE". */
static void change_list(struct world *w, struct span words, bool remove)
{
	struct span list = { 0 }, kind = { 0 }, value = { 0 };
	char text[LIST_VALUE_MAX + 1], problem[200];
	struct buf normal = BUF_ON(text), why = BUF_ON(problem);
	struct living_item item = { 0 };

	span_cut(&words, ' ', &list);
	span_cut(&words, ' ', &kind);
	span_cut(&words, ' ', &value);
	if (!list_kind_parse(kind, &item.kind) || listvalue_read(item.kind, value, &normal, &why) != 1) {
		fail(w, "not LIST KIND VALUE");
		return;
	}
	item.value = buf_span(&normal);
	struct living_batch b = { .list = list, .remove = remove, .items = &item, .count = 1, .done = on_listed, .arg = w,
				  .until = words.n ? w->clock.now_s + seconds(words) : LIST_NEVER };
	livinglists_change(w->living, &b);
}

/* A block from "config" or "reload" to a line "end". */
static struct span take_block(struct world *w, struct span *rest)
{
	const char *from = rest->p;
	struct span line;

	while (span_cut(rest, '\n', &line)) {
		w->line++;
		if (span_eq(span_trim(line), span_of("end")))
			return span_make(from, (size_t)(line.p - from));
	}
	fail(w, "block without end");
	return span_make("", 0);
}

static bool run_block(struct world *w, struct span word, struct span *rest)
{
	if (span_eq(word, span_of("config"))) {
		struct span text = take_block(w, rest);
		if (!w->engine && !start(w, text))
			fail(w, "cannot start");
		return true;
	}
	if (span_eq(word, span_of("reload"))) {
		struct config *config = parse_config(w, take_block(w, rest));
		if (config)
			engine_swap(w->engine, config);
		return true;
	}
	return false;
}

static bool run_list(struct world *w, struct span line)
{
	struct span word, rest = line;

	span_cut(&rest, ' ', &word);
	bool remove = span_eq(word, span_of("unlist"));
	if (!w->living || (!remove && !span_eq(word, span_of("enlist"))))
		return false;
	change_list(w, rest, remove);
	return true;
}

static void run_scenario(struct world *w, struct span text)
{
	struct span line;

	while (span_cut(&text, '\n', &line)) {
		w->line++;
		line = span_trim(line);
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (run_block(w, line, &text) || run_list(w, line))
			continue;
		if (!w->engine) {
			fail(w, "a request before the configuration");
			return;
		}
		run_line(w, line);
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
	char problem[200];
	struct buf why = buf_on(problem, sizeof problem), text = buf_heap(SCENARIO_MAX);
	struct world w = { .path = path, .names = names };

	clock_fake_init(&w.clock, START);
	w.loop = loop_new(&why);
	for (size_t i = 0; i < KEYS; i++)
		w.attributes[i] = buf_heap(4096);
	if (!read_file(path, &text))
		fail(&w, "%s", strerror(errno));
	else
		run_scenario(&w, buf_span(&text));
	store_close(&w.store);
	engine_free(&w.engine);
	livinglists_free(&w.living);
	loop_free(&w.loop);
	for (size_t i = 0; i < KEYS; i++)
		buf_free(&w.attributes[i]);
	buf_free(&text);
	if (w.asks == 0)
		fail(&w, "asks nothing");
	const char *name = strrchr(path, '/');
	printf("%s %s (%u requests)\n", w.failures ? "not ok" : "ok", name ? name + 1 : path, w.asks);
	return w.failures == 0;
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
