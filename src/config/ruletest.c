/* test "from ADDRESS [WORD VALUE]..." expect RESULT */
#include "config/ruletest.h"

#include "config/parse.h"
#include "config/suggest.h"
#include "lists/ranges.h"

enum result { RESULT_ALLOW, RESULT_BLOCK, RESULT_DEFER, RESULT_OBSERVE, RESULT_TRAP, RESULT_OUTGOING, RESULT_NONE };

static const char *const results[] = { "allow", "block", "defer", "observe", "trap", "outgoing", "none" };
#define RESULTS (sizeof results / sizeof *results)

struct rule_test {
	char *text;			/* the request's spans borrow from it */
	struct request request;
	enum result expected;
	unsigned line, column;		/* of the expectation */
};

/* --- The request, in words ---------------------------------------------------------- */

/* Each takes the value into the request; false when it is none. */

static bool take_client(struct request *r, struct span value)
{
	r->client_text = value;
	return netaddr_parse(value, &r->client);
}

static bool take_name(struct request *r, struct span value)
{
	r->client_name = request_name(value);
	return true;
}

static bool take_reverse(struct request *r, struct span value)
{
	r->reverse_name = request_name(value);
	return true;
}

static bool take_helo(struct request *r, struct span value)
{
	r->helo = value;
	return true;
}

static bool take_sender(struct request *r, struct span value)
{
	r->sender = span_unwrap(value, '<', '>');
	r->has_sender = true;
	return true;
}

static bool take_recipient(struct request *r, struct span value)
{
	r->recipient = span_unwrap(value, '<', '>');
	r->has_recipient = true;
	return true;
}

static bool take_context(struct request *r, struct span value)
{
	r->policy_context = value;
	return true;
}

static bool take_server(struct request *r, struct span value)
{
	struct netaddr a;

	r->server_address = value;
	return netaddr_parse(value, &a);
}

static bool take_port(struct request *r, struct span value)
{
	uint64_t n;

	r->server_port = value;
	return span_uint(value, 65535, &n);
}

static bool take_recipients(struct request *r, struct span value)
{
	uint64_t n;

	r->recipient_count = value;
	return span_uint(value, RANGES_NUMBER_MAX, &n);
}

static bool take_tls(struct request *r, struct span value)
{
	struct range truth;

	if (!range_parse(RANGE_TRUTH, value, &truth))
		return false;
	r->encryption_protocol = truth.low ? value : span_make("", 0);
	return true;
}

static bool take_listener(struct request *r, struct span value)
{
	r->listener = value;
	return true;
}

static bool take_country(struct request *r, struct span value)
{
	r->country = value;
	return value.n == 2;
}

static bool take_minute(struct request *r, struct span value)
{
	int minute = range_minute(value);

	r->has_minute = true;
	r->local_minute = (uint16_t)(minute % 1440);
	return minute >= 0;
}

static bool take_weekday(struct request *r, struct span value)
{
	struct range days;

	if (!range_parse(RANGE_WEEKDAY, value, &days) || days.low != days.high)
		return false;
	r->has_weekday = true;
	r->local_weekday = (uint8_t)days.low;
	return true;
}

static const struct word {
	const char *name;
	bool (*take)(struct request *r, struct span value);
} words[] = {
	{ "from", take_client }, { "name", take_name }, { "reverse", take_reverse }, { "helo", take_helo },
	{ "sender", take_sender }, { "recipient", take_recipient }, { "recipients", take_recipients },
	{ "tls", take_tls }, { "context", take_context }, { "server", take_server }, { "port", take_port },
	{ "country", take_country }, { "listener", take_listener }, { "at", take_minute }, { "on", take_weekday },
};
#define WORDS (sizeof words / sizeof *words)

static const struct word *word_of(struct span name, struct suggest *near)
{
	suggest_begin(near, name);
	for (size_t i = 0; i < WORDS; i++) {
		if (span_ieq(name, span_of(words[i].name)))
			return &words[i];
		suggest_try(near, words[i].name);
	}
	return NULL;
}

static struct span cut_word(struct span *rest)
{
	struct span word = { 0 };

	*rest = span_trim(*rest);
	span_cut(rest, ' ', &word);
	return span_trim(word);
}

static int bad_word(struct buf *why, const char *problem, struct span word, const struct suggest *near)
{
	buf_clear(why);
	buf_adds(why, problem);
	buf_adds(why, " \"");
	buf_addsafe(why, word, 60);
	buf_addc(why, '"');
	if (near)
		suggest_add(why, near);
	return -1;
}

static int read_sentence(struct span sentence, struct request *r, struct buf *why)
{
	struct suggest near;

	*r = (struct request){ .stage = STAGE_RCPT };
	while (sentence.n) {
		struct span name = cut_word(&sentence), value = cut_word(&sentence);
		const struct word *word = word_of(name, &near);
		if (!word)
			return bad_word(why, "a test has no word", name, &near);
		if (value.n == 0)
			return bad_word(why, "a value is missing after", name, NULL);
		if (!word->take(r, value))
			return bad_word(why, "this value does not fit its word:", value, NULL);
		sentence = span_trim(sentence);
	}
	return r->client.family ? 0 : buf_fail(why, "a test needs a client: from ADDRESS");
}

/* --- The line ------------------------------------------------------------------------ */

static bool read_expected(const struct parse *p, enum result *out)
{
	for (size_t i = 0; i < RESULTS; i++)
		if (parse_is(p, 3, results[i])) {
			*out = (enum result)i;
			return true;
		}
	return false;
}

static struct rule_test *add_test(struct config *c)
{
	struct rule_test *more = realloc(c->tests, (c->test_count + 1) * sizeof *more);

	if (!more)
		return NULL;
	c->tests = more;
	c->tests[c->test_count] = (struct rule_test){ 0 };
	return &c->tests[c->test_count++];
}

void parse_test(struct parse *p)
{
	char problem[200];
	struct buf why = BUF_ON(problem);
	enum result expected = RESULT_NONE;
	struct rule_test *test;
	struct span text = parse_word(p, 1);

	if (p->lex->count < 2 || !p->lex->tokens[1].quoted) {
		parse_error(p, 1, "the words of a test stand in quotes: \"from 192.0.2.1 sender a@example.org\"");
	} else if (!parse_is(p, 2, "expect")) {
		parse_error(p, 2, "\"expect\" is missing");
	} else if (!read_expected(p, &expected)) {
		parse_error(p, 3, "after expect stands allow, block, defer, observe or none");
	} else if (p->lex->count > 4) {
		parse_error(p, 4, "nothing stands after the expected result");
	} else if (!(test = add_test(p->config)) || !(test->text = strndup(text.p, text.n))) {
		parse_error(p, 0, "out of memory");
	} else {
		test->expected = expected;
		test->line = p->lex->tokens[3].line;
		test->column = p->lex->tokens[3].column;
		if (read_sentence(span_of(test->text), &test->request, &why) != 0)
			parse_error(p, 1, buf_str(&why));
	}
}

void ruletest_free(struct config *c)
{
	for (unsigned i = 0; i < c->test_count; i++)
		free(c->tests[i].text);
	free(c->tests);
	c->tests = NULL;
	c->test_count = 0;
}

/* --- Judging ------------------------------------------------------------------------- */

static enum result result_of(const struct ruling *r)
{
	switch (r->action) {
	case ACTION_ALLOW: return RESULT_ALLOW;
	case ACTION_BLOCK: return r->observe ? RESULT_OBSERVE : RESULT_BLOCK;
	case ACTION_DEFER: return r->observe ? RESULT_OBSERVE : RESULT_DEFER;
	case ACTION_TRAP: return r->observe ? RESULT_OBSERVE : RESULT_TRAP;
	case ACTION_OUTGOING: return RESULT_OUTGOING;
	}
	return RESULT_NONE;
}

static bool holds(const struct rule_test *test, const struct config *c, const struct request *r, struct diag *diag)
{
	struct ruling ruling = { 0 };
	uint64_t wanted;
	bool decided = ruleset_match(c->rules, r, NULL, &ruling, &wanted) == MATCH_DECIDED;
	enum result got = decided ? result_of(&ruling) : RESULT_NONE;

	if (got == test->expected)
		return true;
	if (decided)
		diag_at(diag, DIAG_ERROR, c->path, test->line, test->column, "expected %s, but the rule in line %u says %s",
			results[test->expected], ruling.line, results[got]);
	else
		diag_at(diag, DIAG_ERROR, c->path, test->line, test->column, "expected %s, but no rule decides",
			results[test->expected]);
	return false;
}

unsigned ruletest_run(const struct config *config, void (*complete)(const void *arg, struct request *r),
		      const void *arg, struct diag *diag)
{
	unsigned failures = 0;

	for (unsigned i = 0; i < config->test_count; i++) {
		struct request r = config->tests[i].request;
		complete(arg, &r);
		failures += !holds(&config->tests[i], config, &r, diag);
	}
	return failures;
}
