/* ACTION {[not] CONDITION VALUE...} {PARAMETER VALUE} */
#include "config/optioncheck.h"
#include "config/options.h"
#include "config/suggest.h"
#include "config/values.h"
#include "lists/ruleset_build.h"

static const struct action_word {
	const char *word;
	enum action action;
	bool observe;
	bool goes_on;
} actions[] = {
	{ "allow", ACTION_ALLOW, false, false }, { "whitelist", ACTION_ALLOW, false, false },
	{ "block", ACTION_BLOCK, false, false }, { "blacklist", ACTION_BLOCK, false, false },
	{ "defer", ACTION_DEFER, false, false }, { "observe", ACTION_DEFER, true, false },
	{ "continue", ACTION_DEFER, false, true }, { "trap", ACTION_TRAP, false, false },
	{ "outgoing", ACTION_OUTGOING, false, false },
};

/* A rule being read. */
struct rule_parse {
	struct parse *p;
	struct ruling *ruling;
	unsigned at;			/* next token */
};

static const struct action_word *action_of(const struct parse *p)
{
	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (parse_is(p, 0, actions[i].word))
			return &actions[i];
	return NULL;
}

bool parse_starts_rule(const struct parse *p)
{
	return action_of(p) != NULL;
}

const char *parse_rule_word(unsigned index)
{
	return index < sizeof actions / sizeof *actions ? actions[index].word : NULL;
}

/* --- Conditions ------------------------------------------------------------------ */

static void read_condition(struct rule_parse *r)
{
	bool negated = parse_is(r->p, r->at, "not");
	unsigned token = r->at += negated;
	const struct condition_kind *kind = condition_kind(parse_word(r->p, token));
	struct condition *c = kind ? condition_new(kind, negated) : NULL;

	r->at++;
	if (!kind) {
		parse_error(r->p, token, "a condition is expected after not");
		return;
	}
	if (!c) {
		parse_error(r->p, token, "out of memory");
		return;
	}
	if (condition_forgeable(kind) && (r->ruling->action == ACTION_ALLOW || r->ruling->action == ACTION_OUTGOING))
		parse_error(r->p, token, "nobody has confirmed this name: it can block or defer, but not allow");
	parse_values(r->p, &r->at, c, negated);
	if (!ruleset_add(r->p->config->rules, c)) {
		condition_free(&c);
		parse_error(r->p, token, "too many conditions in one rule, or look-ups (dnsbl, rate, ...) in all");
	}
}

/* --- Parameters ------------------------------------------------------------------ */

/* A time has the range of the setting "greylist NAME". */
static void read_time(struct rule_parse *r, int64_t *out)
{
	char text[200];
	struct buf why = BUF_ON(text);
	int row = options_find(span_of("greylist"), parse_word(r->p, r->at));

	if (options_seconds(options_row((unsigned)row), parse_word(r->p, r->at + 1), out, &why) != 0)
		parse_error(r->p, r->at + 1, buf_str(&why));
	r->at += 2;
}

/* How long a trap holds: the range of the setting "penalty trap-hold". */
static void read_hold(struct rule_parse *r)
{
	char text[200];
	struct buf why = BUF_ON(text);
	int row = options_find(span_of("penalty"), span_of("trap-hold"));

	if (r->ruling->action != ACTION_TRAP)
		parse_error(r->p, r->at, "for says how long a trap holds; other rules hold nobody");
	else if (options_seconds(options_row((unsigned)row), parse_word(r->p, r->at + 1), &r->ruling->hold_s, &why) != 0)
		parse_error(r->p, r->at + 1, buf_str(&why));
	r->at += 2;
}

static void read_code(struct rule_parse *r)
{
	char text[200];
	struct buf why = BUF_ON(text);
	struct span code = parse_word(r->p, r->at + 1);
	bool blocks = r->ruling->action == ACTION_BLOCK || r->ruling->action == ACTION_TRAP;

	if ((blocks ? optioncheck_block(code, &why) : optioncheck_defer(code, &why)) != 0)
		parse_error(r->p, r->at + 1, buf_str(&why));
	else if (!ruleset_code(r->p->config->rules, code))
		parse_error(r->p, r->at + 1, "out of memory");
	r->at += 2;
}

static void read_first(struct rule_parse *r)
{
	if (r->ruling->action != ACTION_TRAP)
		parse_error(r->p, r->at, "only a trap can be for first attempts");
	r->ruling->first_only = true;
	r->at++;
}

static void read_text(struct rule_parse *r)
{
	char text[200];
	struct buf why = BUF_ON(text);
	struct span s = parse_word(r->p, r->at + 1);

	if (r->at + 1 >= r->p->lex->count)
		parse_error(r->p, r->at + 1, "the text is missing");
	else if (s.n > CONFIG_TEXT_MAX)
		parse_error(r->p, r->at + 1, "text too long");
	else if (optioncheck_text(s, &why) != 0)
		parse_error(r->p, r->at + 1, buf_str(&why));
	else if (!ruleset_text(r->p->config->rules, s))
		parse_error(r->p, r->at + 1, "out of memory");
	r->at += 2;
}

static void read_parameter(struct rule_parse *r)
{
	if (parse_is(r->p, r->at, "observe")) {
		r->ruling->observe = true;
		r->at++;
	} else if (parse_is(r->p, r->at, "text")) {
		read_text(r);
	} else if (parse_is(r->p, r->at, "code")) {
		read_code(r);
	} else if (parse_is(r->p, r->at, "for")) {
		read_hold(r);
	} else if (parse_is(r->p, r->at, "first")) {
		read_first(r);
	} else if (parse_is(r->p, r->at, "delay")) {
		read_time(r, &r->ruling->delay_s);
	} else if (parse_is(r->p, r->at, "window")) {
		read_time(r, &r->ruling->window_s);
	} else {
		read_time(r, &r->ruling->keep_s);
	}
}

static bool changes_nothing(const struct ruling *r)
{
	return r->delay_s < 0 && r->window_s < 0 && r->keep_s < 0 && !r->text && !r->code && !r->observe;
}

static void read_rule(struct rule_parse *r)
{
	struct suggest near;

	while (r->at < r->p->lex->count) {
		if (parse_is_parameter(r->p, r->at)) {
			read_parameter(r);
		} else if (parse_is_keyword(r->p, r->at)) {
			read_condition(r);
		} else {
			parse_near_keyword(&near, parse_word(r->p, r->at));
			parse_unknown(r->p, r->at, "a condition (client, helo, recipient, ...) or a parameter "
				      "(delay, text, ...) is expected instead of", &near);
			return;
		}
	}
}

void parse_rule(struct parse *p)
{
	unsigned errors = p->diag->errors;
	const struct action_word *action = action_of(p);
	struct rule_parse r = { .p = p, .at = 1 };

	r.ruling = ruleset_begin(p->config->rules, action->action, p->lex->tokens[0].line);
	if (!r.ruling) {
		parse_error(p, 0, "out of memory");
		return;
	}
	r.ruling->observe = action->observe;
	if (action->goes_on)
		ruleset_go_on(p->config->rules);
	read_rule(&r);
	if ((action->action == ACTION_ALLOW || action->action == ACTION_OUTGOING) && ruleset_no_proof(p->config->rules))
		parse_error(p, 0, "an SPF pass alone is no reason to pass: spammers have domains of their own; add whose mail it must be");
	if (action->goes_on && errors == p->diag->errors && changes_nothing(r.ruling))
		parse_warning(p, 0, "without a parameter this rule changes nothing");
}
