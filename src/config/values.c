/* VALUE..., file PATH, optional-file PATH, set NAME */
#include "config/suggest.h"
#include "config/values.h"
#include "lists/listfile.h"
#include "lists/ruleset_build.h"

static const char *const parameters[] = { "delay", "window", "keep", "text", "code", "for", "first", "observe" };

/* The values of a condition being read. */
struct values_parse {
	struct parse *p;
	struct condition *condition;
	unsigned at;			/* next token */
};

bool parse_is_parameter(const struct parse *p, unsigned token)
{
	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
		if (parse_is(p, token, parameters[i]))
			return true;
	return false;
}

bool parse_is_keyword(const struct parse *p, unsigned token)
{
	return token >= p->lex->count ||
	       (!p->lex->tokens[token].quoted && condition_kind(parse_word(p, token))) ||
	       parse_is(p, token, "not") || parse_is_parameter(p, token);
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

static void load_file(struct values_parse *v, bool optional)
{
	char path[CONFIG_TEXT_MAX * 2], text[200];
	struct buf name = BUF_ON(path), why = BUF_ON(text), content = buf_heap(LISTFILE_MAX);
	unsigned token = v->at + 1;

	v->at += 2;
	if (parse_word(v->p, token).n == 0) {
		parse_error(v->p, token, "the name of a file is missing");
		return;
	}
	full_path(&name, v->p, parse_word(v->p, token));
	if (v->p->no_files)
		return;
	int found = name.over ? buf_fail(&why, "name too long") : listfile_read(buf_str(&name), &content, &why);
	struct file_load load = { v->p, v->condition, buf_str(&name) };
	if (found == 1)
		listfile_parse(buf_span(&content), add_line, &load);
	else if (found < 0 || !optional)
		file_error(v->p, token, &name, &why);
	buf_free(&content);
}

/* --- Words of the line ------------------------------------------------------------ */

void parse_near_keyword(struct suggest *near, struct span word)
{
	static const char *const others[] = { "not", "file", "optional-file", "set" };

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
static bool is_misspelt(const struct values_parse *v, unsigned token)
{
	struct span s = parse_word(v->p, token);
	struct suggest near;

	for (size_t i = 0; i < s.n; i++)
		if (!ascii_alpha(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	parse_near_keyword(&near, s);
	/* At the line's end only a keyword without a value makes sense. */
	if (!near.best || (token + 1 >= v->p->lex->count && strcmp(near.best, "observe") != 0 && strcmp(near.best, "first") != 0))
		return false;
	parse_unknown(v->p, token, "misspelt? A value so near a keyword goes into quotes:", &near);
	return true;
}

/* ">= 10" is one value in two words. */
static bool read_comparison(struct values_parse *v)
{
	char text[40];
	struct buf b = BUF_ON(text);

	if (!parse_is(v->p, v->at, ">=") && !parse_is(v->p, v->at, "<="))
		return false;
	buf_addspan(&b, parse_word(v->p, v->at));
	buf_addspan(&b, parse_word(v->p, v->at + 1));
	if (b.over || !condition_add_word(v->condition, buf_span(&b)))
		return false;
	v->at += 2;
	return true;
}

static void read_value(struct values_parse *v)
{
	char text[250];
	struct buf why = BUF_ON(text);

	if (read_comparison(v))
		return;
	unsigned token = v->at++;
	bool bare = !v->p->lex->tokens[token].quoted;
	if (bare && (condition_add_word(v->condition, parse_word(v->p, token)) || is_misspelt(v, token)))
		return;
	if (condition_add(v->condition, parse_word(v->p, token), &why) != 0)
		parse_error(v->p, token, buf_str(&why));
}

static void unknown_set(struct values_parse *v, unsigned token)
{
	const struct ruleset *rules = v->p->config->rules;
	struct suggest near;

	suggest_begin(&near, parse_word(v->p, token));
	for (unsigned i = 0; i < ruleset_sets(rules); i++)
		suggest_try(&near, ruleset_set_name(rules, i));
	parse_unknown(v->p, token, "no line before defines the set", &near);
}

static void read_set(struct values_parse *v)
{
	char text[150];
	struct buf why = BUF_ON(text);
	unsigned token = v->at + 1;

	v->at += 2;
	if (parse_word(v->p, token).n == 0) {
		parse_error(v->p, token, "the name of a set is missing");
		return;
	}
	const struct condition *set = ruleset_set(v->p->config->rules, parse_word(v->p, token));
	if (!set)
		unknown_set(v, token);
	else if (condition_add_set(v->condition, set, &why) != 0)
		parse_error(v->p, token, buf_str(&why));
}

void parse_values(struct parse *p, unsigned *at, struct condition *c, bool negated)
{
	struct values_parse v = { p, c, *at };
	unsigned errors = p->diag->errors;

	while (!parse_is_keyword(p, v.at)) {
		bool optional = parse_is(p, v.at, "optional-file");
		if (optional || parse_is(p, v.at, "file"))
			load_file(&v, optional);
		else if (parse_is(p, v.at, "set"))
			read_set(&v);
		else
			read_value(&v);
	}
	if (v.at == *at)
		parse_error(p, v.at, "the condition has no value");
	else if (negated && condition_count(c) == 0 && errors == p->diag->errors)
		parse_warning(p, *at, "the list is empty, so that this condition with its \"not\" always holds");
	*at = v.at;
}
