/* set NAME CONDITION VALUE... */
#include "config/suggest.h"
#include "config/values.h"
#include "core/listkey.h"
#include "lists/ruleset_build.h"

static const struct condition_kind *read_kind(struct parse *p)
{
	const struct condition_kind *kind = condition_kind(parse_word(p, 2));
	struct suggest near;

	if (kind)
		return kind;
	suggest_begin(&near, parse_word(p, 2));
	for (unsigned i = 0; condition_kind_name(i); i++)
		suggest_try(&near, condition_kind_name(i));
	parse_unknown(p, 2, "a condition (client, helo, recipient, ...) is expected instead of", &near);
	return NULL;
}

void parse_set(struct parse *p)
{
	struct ruleset *rules = p->config->rules;
	struct span name = parse_word(p, 1);
	unsigned at = 3;

	/* As living lists have it. */
	if (!list_word_valid(name)) {
		parse_error(p, 1, "the name of a set has letters, digits, '-' and '_', at most 64");
		return;
	}
	if (ruleset_set(rules, name)) {
		parse_error(p, 1, "a line before defines this set");
		return;
	}
	const struct condition_kind *kind = read_kind(p);
	if (!kind)
		return;
	struct condition *set = condition_new(kind, false);
	if (!set || !ruleset_add_set(rules, name, set, p->lex->tokens[0].line)) {
		condition_free(&set);
		parse_error(p, 1, "too many sets");
		return;
	}
	parse_values(p, &at, set, false);
	if (at < p->lex->count)
		parse_error(p, at, "a set holds values of one condition only; a value that is a keyword goes into quotes");
}
