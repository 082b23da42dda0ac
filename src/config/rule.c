/* ACTION {[not] CONDITION VALUE...} {PARAMETER VALUE} */
#include "config/optioncheck.h"
#include "config/options.h"
#include "config/parse.h"
#include "config/suggest.h"
#include "lists/listfile.h"
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
	{ "continue", ACTION_DEFER, false, true },
};

static const char *const parameters[] = { "delay", "window", "keep", "text", "observe" };

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

static bool is_parameter(const struct parse *p, unsigned token)
{
	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
		if (parse_is(p, token, parameters[i]))
			return true;
	return false;
}

/* Ends the values of a condition: the next keyword, or the line's end. */
static bool is_keyword(const struct parse *p, unsigned token)
{
	return token >= p->lex->count ||
	       (!p->lex->tokens[token].quoted && condition_kind(parse_word(p, token))) ||
	       parse_is(p, token, "not") || is_parameter(p, token);
}

/* --- Values in files ------------------------------------------------------------- */

struct file_load {
	const struct parse *p;
	struct condition *condition;
	const char *path;
};

static void add_line(void *arg, unsigned line, struct span entry, const char *problem)
{
	struct file_load *load = arg;
	char text[200];
	struct buf why = BUF_ON(text);

	if (!problem && (condition_add_word(load->condition, entry) ||
			 condition_add(load->condition, entry, &why) == 0))
		return;
	diag_at(load->p->diag, DIAG_WARNING, load->path, line, 0, "%s", problem ? problem : buf_str(&why));
}

/* Paths in a configuration are relative to its folder. */
static void full_path(struct buf *out, const struct parse *p, struct span path)
{
	struct span conf = span_of(p->config->path);
	size_t slash = span_rfind(conf, '/');

	if (path.n && path.p[0] != '/' && slash < conf.n)
		buf_addspan(out, span_head(conf, slash + 1));
	buf_addspan(out, path);
}

static void file_error(const struct parse *p, unsigned token, const struct buf *name, const struct buf *why)
{
	char text[CONFIG_TEXT_MAX];
	struct buf b = BUF_ON(text);

	buf_addsafe(&b, buf_span(name), 200);
	buf_adds(&b, ": ");
	buf_addspan(&b, buf_span(why));
	parse_error(p, token, buf_str(&b));
}

static void load_file(struct rule_parse *r, struct condition *c, bool optional)
{
	char path[CONFIG_TEXT_MAX * 2], text[200];
	struct buf name = BUF_ON(path), why = BUF_ON(text), content = buf_heap(LISTFILE_MAX);
	unsigned token = r->at + 1;

	r->at += 2;
	if (parse_word(r->p, token).n == 0) {
		parse_error(r->p, token, "the name of a file is missing");
		return;
	}
	full_path(&name, r->p, parse_word(r->p, token));
	if (r->p->no_files)
		return;
	int found = name.over ? buf_fail(&why, "name too long") : listfile_read(buf_str(&name), &content, &why);
	struct file_load load = { r->p, c, buf_str(&name) };
	if (found == 1)
		listfile_parse(buf_span(&content), add_line, &load);
	else if (found < 0 || !optional)
		file_error(r->p, token, &name, &why);
	buf_free(&content);
}

/* --- Conditions ------------------------------------------------------------------ */

static void near_keyword(struct suggest *near, struct span word)
{
	static const char *const others[] = { "not", "file", "optional-file" };

	suggest_begin(near, word);
	for (unsigned i = 0; condition_kind_name(i); i++)
		suggest_try(near, condition_kind_name(i));
	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
		suggest_try(near, parameters[i]);
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		suggest_try(near, others[i]);
}

/* A bare word without any mark of a value that is near a keyword would hide a
 * misspelt one, with what follows it, among the values of the condition. */
static bool is_misspelt(const struct rule_parse *r, unsigned token)
{
	struct span s = parse_word(r->p, token);
	struct suggest near;

	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	near_keyword(&near, s);
	/* At the line's end only a keyword without a value makes sense. */
	if (!near.best || (token + 1 >= r->p->lex->count && strcmp(near.best, "observe") != 0))
		return false;
	parse_unknown(r->p, token, "misspelt? A value so near a keyword goes into quotes:", &near);
	return true;
}

/* ">= 10" is one value in two words. */
static bool read_comparison(struct rule_parse *r, struct condition *c)
{
	char text[40];
	struct buf b = BUF_ON(text);

	if (!parse_is(r->p, r->at, ">=") && !parse_is(r->p, r->at, "<="))
		return false;
	buf_addspan(&b, parse_word(r->p, r->at));
	buf_addspan(&b, parse_word(r->p, r->at + 1));
	if (b.over || !condition_add_word(c, buf_span(&b)))
		return false;
	r->at += 2;
	return true;
}

static void read_value(struct rule_parse *r, struct condition *c)
{
	char text[250];
	struct buf why = BUF_ON(text);

	if (read_comparison(r, c))
		return;
	unsigned token = r->at++;
	bool bare = !r->p->lex->tokens[token].quoted;
	if (bare && (condition_add_word(c, parse_word(r->p, token)) || is_misspelt(r, token)))
		return;
	if (condition_add(c, parse_word(r->p, token), &why) != 0)
		parse_error(r->p, token, buf_str(&why));
}

static void read_values(struct rule_parse *r, struct condition *c, bool negated)
{
	unsigned first = r->at, errors = r->p->diag->errors;

	while (!is_keyword(r->p, r->at)) {
		bool optional = parse_is(r->p, r->at, "optional-file");
		if (optional || parse_is(r->p, r->at, "file"))
			load_file(r, c, optional);
		else
			read_value(r, c);
	}
	if (r->at == first)
		parse_error(r->p, r->at, "the condition has no value");
	else if (negated && condition_count(c) == 0 && errors == r->p->diag->errors)
		parse_warning(r->p, first, "the list is empty, so that this condition with its \"not\" always holds");
}

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
	if (condition_forgeable(kind) && r->ruling->action == ACTION_ALLOW)
		parse_error(r->p, token, "nobody has confirmed this name: it can block or defer, but not allow");
	if (!c || !ruleset_add(r->p->config->rules, c)) {
		condition_free(&c);
		parse_error(r->p, token, "too many conditions in one rule");
		return;
	}
	read_values(r, c, negated);
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
	return r->delay_s < 0 && r->window_s < 0 && r->keep_s < 0 && !r->text && !r->observe;
}

static void read_rule(struct rule_parse *r)
{
	struct suggest near;

	while (r->at < r->p->lex->count) {
		if (is_parameter(r->p, r->at)) {
			read_parameter(r);
		} else if (is_keyword(r->p, r->at)) {
			read_condition(r);
		} else {
			near_keyword(&near, parse_word(r->p, r->at));
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
	if (action->goes_on && errors == p->diag->errors && changes_nothing(r.ruling))
		parse_warning(p, 0, "without a parameter this rule changes nothing");
}
