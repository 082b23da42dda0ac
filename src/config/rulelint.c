/* Rules that no request can reach. */
#include "config/parse.h"
#include "lists/ruleset_build.h"

struct print {
	uint64_t print;
	unsigned index;
};

static int compare(const void *a, const void *b)
{
	const struct print *x = a, *y = b;

	if (x->print != y->print)
		return x->print < y->print ? -1 : 1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* For each rule the first that decides on the same conditions: itself or one before
 * it. Sorted, so that a hundred thousand rules take no time. False when memory is out. */
static bool find_first(const struct ruleset *rules, unsigned count, unsigned *first)
{
	struct print *prints = calloc(count, sizeof *prints);

	if (!prints)
		return false;
	for (unsigned i = 0; i < count; i++)
		prints[i] = (struct print){ ruleset_print(rules, i), i };
	qsort(prints, count, sizeof *prints, compare);
	unsigned leader = 0;
	for (unsigned i = 0; i < count; i++) {
		const struct print *p = &prints[i];
		/* One that goes on stands in nobody's way. */
		if (i == 0 || p->print != prints[leader].print || ruleset_goes_on(rules, prints[leader].index))
			leader = i;
		first[p->index] = prints[leader].index;
	}
	free(prints);
	return true;
}

static void warn(const struct parse *p, unsigned rule, unsigned earlier, const char *what)
{
	const struct ruleset *rules = p->config->rules;

	diag_at(p->diag, DIAG_WARNING, p->lex->file, ruleset_ruling(rules, rule)->line, 0,
		"no request gets here: the rule in line %u %s", ruleset_ruling(rules, earlier)->line, what);
}

void parse_lint_rules(const struct parse *p)
{
	const struct ruleset *rules = p->config->rules;
	unsigned count = ruleset_rules(rules), all = count;
	unsigned *first = count ? calloc(count, sizeof *first) : NULL;

	if (!first || !find_first(rules, count, first)) {
		free(first);
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		if (all < i)
			warn(p, i, all, "matches everything");
		else if (first[i] < i && !ruleset_never(rules, i))
			warn(p, i, first[i], "has the same conditions");
		if (all == count && ruleset_always(rules, i) && !ruleset_goes_on(rules, i))
			all = i;
	}
	free(first);
}
