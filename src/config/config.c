#include "config/options.h"
#include "config/parse.h"
#include "config/suggest.h"
#include "lists/listfile.h"
#include "lists/ruleset_build.h"

#define CONFIG_FILE_MAX ((size_t)4 * 1024 * 1024)

/* --- Helpers of all parts ----------------------------------------------------------- */

static void report(const struct parse *p, enum diag_severity severity, unsigned token, const char *text)
{
	const struct lex *l = p->lex;
	const struct token *t = l->count ? &l->tokens[token < l->count ? token : l->count - 1] : NULL;
	unsigned past = t && token >= l->count ? (unsigned)t->text.n : 0;

	diag_at(p->diag, severity, l->file, t ? t->line : l->line, t ? t->column + past : 0, "%s", text);
}

void parse_error(const struct parse *p, unsigned token, const char *text)
{
	report(p, DIAG_ERROR, token, text);
}

void parse_warning(const struct parse *p, unsigned token, const char *text)
{
	report(p, DIAG_WARNING, token, text);
}

struct span parse_word(const struct parse *p, unsigned token)
{
	return token < p->lex->count ? p->lex->tokens[token].text : span_make("", 0);
}

bool parse_is(const struct parse *p, unsigned token, const char *keyword)
{
	return token < p->lex->count && !p->lex->tokens[token].quoted &&
	       span_ieq(p->lex->tokens[token].text, span_of(keyword));
}

void parse_unknown(const struct parse *p, unsigned token, const char *what, const struct suggest *near)
{
	char text[200];
	struct buf b = BUF_ON(text);

	buf_adds(&b, what);
	buf_adds(&b, " \"");
	buf_addsafe(&b, parse_word(p, token), 60);
	buf_addc(&b, '"');
	suggest_add(&b, near);
	parse_error(p, token, buf_str(&b));
}

/* --- Settings ------------------------------------------------------------------------ */

/* How many words the value has that begins at token: a phrase goes on until the next
 * setting of its group. */
static unsigned value_words(const struct parse *p, const struct option *o, unsigned token)
{
	unsigned words = options_words(o, parse_word(p, token));

	while (o->phrase && token + words < p->lex->count &&
	       options_find(span_of(o->group), parse_word(p, token + words)) < 0)
		words++;
	return words;
}

static void set_row(struct parse *p, int row, unsigned token)
{
	char text[300];
	struct buf why = BUF_ON(text);
	const struct option *o = options_row((unsigned)row);
	unsigned *origin = &p->config->origins[row];
	unsigned words = value_words(p, o, token);
	char phrase[100];
	struct buf first = BUF_ON(phrase);

	if (token >= p->lex->count) {
		parse_error(p, token, "the value is missing");
		return;
	}
	if (*origin) {
		buf_addf(&why, "set before, in line %u; this one counts", *origin);
		parse_warning(p, token, buf_str(&why));
	}
	*origin = p->lex->tokens[token].line;
	struct span second = words == 2 ? parse_word(p, token + 1) : span_make("", 0);
	for (unsigned i = 0; o->phrase && i < words; i++) {
		buf_adds(&first, i ? " " : "");
		buf_addspan(&first, parse_word(p, token + i));
	}
	struct span value = o->phrase ? buf_span(&first) : parse_word(p, token);
	if (options_set(o, &p->config->settings, value, o->phrase ? span_make("", 0) : second, &why) != 0)
		parse_error(p, token, buf_str(&why));
}

static void unknown_setting(const struct parse *p, unsigned token)
{
	struct suggest near;

	suggest_begin(&near, parse_word(p, token));
	for (unsigned i = 0; i < options_count(); i++) {
		const struct option *o = options_row(i);
		if (o->name && span_ieq(parse_word(p, 0), span_of(o->group)))
			suggest_try(&near, o->name);
	}
	parse_unknown(p, token, "unknown setting", &near);
}

/* GROUP [VALUE] {NAME VALUE} */
static void parse_setting(struct parse *p)
{
	struct span group = parse_word(p, 0), none = span_make("", 0);
	int own = options_find(group, none);
	unsigned at = 1;

	/* The first word after the group is its own value, unless it names another setting. */
	if (own >= 0 && (p->lex->count == 1 || p->lex->tokens[1].quoted ||
			 options_find(group, parse_word(p, 1)) < 0)) {
		set_row(p, own, at);
		at += value_words(p, options_row((unsigned)own), at);
	}
	if (own < 0 && p->lex->count == 1)
		parse_error(p, 1, "the setting's name and value are missing");
	while (at < p->lex->count) {
		int row = p->lex->tokens[at].quoted ? -1 : options_find(group, parse_word(p, at));
		if (row < 0) {
			unknown_setting(p, at);
			return;
		}
		set_row(p, row, at + 1);
		at += 2;
	}
}

/* --- The file -------------------------------------------------------------------------- */

static void unknown_line(const struct parse *p)
{
	struct suggest near;

	suggest_begin(&near, parse_word(p, 0));
	suggest_try(&near, "listen");
	suggest_try(&near, "set");
	suggest_try(&near, "test");
	for (unsigned i = 0; parse_rule_word(i); i++)
		suggest_try(&near, parse_rule_word(i));
	for (unsigned i = 0; i < options_count(); i++)
		suggest_try(&near, options_row(i)->group);
	parse_unknown(p, 0, "unknown word", &near);
}

static void parse_line(struct parse *p)
{
	bool word = !p->lex->tokens[0].quoted;

	if (word && parse_is(p, 0, "listen"))
		parse_listen(p);
	else if (word && parse_is(p, 0, "set"))
		parse_set(p);
	else if (word && parse_is(p, 0, "test"))
		parse_test(p);
	else if (word && parse_starts_rule(p))
		parse_rule(p);
	else if (word && options_group(parse_word(p, 0)))
		parse_setting(p);
	else
		unknown_line(p);
}

static bool check_window(struct parse *p, unsigned line, int64_t delay_s, int64_t window_s)
{
	if (window_s <= delay_s)
		diag_at(p->diag, DIAG_ERROR, p->lex->file, line, 0,
			"window must be longer than delay: no retry could ever pass");
	return window_s > delay_s;
}

static int64_t or_else(int64_t own_s, int64_t other_s)
{
	return own_s >= 0 ? own_s : other_s;
}

/* Rules that go on are taken together at their worst: which of them match the same
 * request, nobody can tell before. */
static void check_rule_windows(struct parse *p)
{
	const struct settings *s = &p->config->settings;
	int64_t longest = s->greylist_delay_s, shortest = s->greylist_window_s;

	for (unsigned i = 0; i < ruleset_rules(p->config->rules); i++) {
		const struct ruling *r = ruleset_ruling(p->config->rules, i);
		int64_t delay = or_else(r->delay_s, longest), window = or_else(r->window_s, shortest);
		if (r->delay_s < 0 && r->window_s < 0)
			continue;
		if (!check_window(p, r->line, or_else(r->delay_s, s->greylist_delay_s),
				  or_else(r->window_s, s->greylist_window_s)))
			continue;
		bool goes_on = ruleset_goes_on(p->config->rules, i);
		if (goes_on && delay > longest)
			longest = delay;
		if (goes_on && window < shortest)
			shortest = window;
		if (goes_on ? shortest <= longest : window <= delay)
			diag_at(p->diag, DIAG_ERROR, p->lex->file, r->line, 0, "together with \"continue\" rules "
				"or the settings the window is not longer than the delay: no retry could ever pass");
	}
}

/* What no single line shows. */
static void check_whole(struct parse *p)
{
	const struct settings *s = &p->config->settings;
	unsigned at = p->config->origins[options_find(span_of("greylist"), span_of("window"))];

	if (at == 0)
		at = p->config->origins[options_find(span_of("greylist"), span_of("delay"))];
	check_window(p, at, s->greylist_delay_s, s->greylist_window_s);
	check_rule_windows(p);
	if (p->diag->errors == 0)
		parse_lint_rules(p);
}

static void derive_policy(struct config *c)
{
	const struct settings *s = &c->settings;

	c->policy = (struct policy){
		.greylist = { s->greylist_delay_s, s->greylist_window_s, s->greylist_keep_s },
		.penalties = {
			.spare = s->penalty_spare, .on_trap = (enum verdict)s->on_trap,
			.on_hammering = (enum verdict)s->on_hammering, .trap_hold_s = s->penalty_trap_hold_s,
			.hasty_attempts = (unsigned)s->penalty_hasty, .hasty_hold_s = s->penalty_hasty_hold_s,
			.hammering_attempts = (unsigned)s->penalty_hammering,
			.hammering_span_s = s->penalty_hammering_span_s, .hammering_hold_s = s->penalty_hammering_hold_s,
			.hopping_senders = (unsigned)s->penalty_hopping,
			.hopping_span_s = s->penalty_hopping_span_s, .hopping_hold_s = s->penalty_hopping_hold_s,
			.unwelcome_rejections = (unsigned)s->penalty_unwelcome,
			.unwelcome_span_s = s->penalty_unwelcome_span_s, .unwelcome_hold_s = s->penalty_unwelcome_hold_s,
			.unretried_triplets = (unsigned)s->penalty_unretried,
			.unretried_after_s = s->penalty_unretried_after_s, .unretried_delay_s = s->penalty_unretried_delay_s,
			.misbehaved_hold_s = s->penalty_misbehaved_hold_s, .spam_hold_s = s->penalty_spam_hold_s,
		},
		.outbound = { s->outbound_keep_s, s->outbound_expect_s },
		.identity = (enum identity_mode)(s->identity & 0xf), .identity_spf = (enum identity_spf)(s->identity >> 4),
		.ipv4_bits = (unsigned)s->identity_ipv4_prefix, .ipv6_bits = (unsigned)s->identity_ipv6_prefix,
		.trust_delivery = s->greylist_trust == 1, .observe = s->mode == 1,
		.on_store_failure = (enum verdict)s->on_store_failure,
		.on_malformed = (enum verdict)s->on_malformed,
	};
}

static struct config *config_new(const char *name)
{
	struct config *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	snprintf(c->path, sizeof c->path, "%s", name);
	c->origins = calloc(options_count(), sizeof *c->origins);
	c->rules = ruleset_new(c->path);
	if (!c->origins || !c->rules) {
		config_free(&c);
		return NULL;
	}
	options_defaults(&c->settings);
	return c;
}

void config_free(struct config **config)
{
	if (*config) {
		ruletest_free(*config);
		ruleset_free(&(*config)->rules);
		free((*config)->origins);
	}
	free(*config);
	*config = NULL;
}

struct config *config_parse_with(struct span text, const char *name, bool no_files, struct diag *diag)
{
	struct config *c = config_new(name);
	struct lex *lex = malloc(sizeof *lex);
	struct parse p = { .config = c, .lex = lex, .diag = diag, .no_files = no_files };
	unsigned errors = diag->errors;
	int more;

	if (!c || !lex) {
		diag_at(diag, DIAG_ERROR, name, 0, 0, "out of memory");
	} else {
		lex_start(lex, text, name, diag);
		while ((more = lex_line(lex)) != 0)
			if (more > 0)
				parse_line(&p);
		lex->count = 0;
		check_whole(&p);
		derive_policy(c);
	}
	free(lex);
	if (diag->errors != errors)
		config_free(&c);
	return c;
}

struct config *config_parse(struct span text, const char *name, struct diag *diag)
{
	return config_parse_with(text, name, false, diag);
}

struct config *config_load(const char *path, struct diag *diag)
{
	char text[200];
	struct buf why = BUF_ON(text), content = buf_heap(CONFIG_FILE_MAX);
	struct config *c = NULL;

	if (listfile_read(path, &content, &why) == 1)
		c = config_parse(buf_span(&content), path, diag);
	else
		diag_at(diag, DIAG_ERROR, path, 0, 0, "%s", buf_str(&why));
	buf_free(&content);
	return c;
}
