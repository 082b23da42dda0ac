#include "lists/ruleset_build.h"

struct rule {
	struct ruling ruling;
	char *text, *code;
	bool goes_on;			/* changes parameters, decides nothing */
	unsigned count;
	struct condition *conditions[RULE_CONDITIONS_MAX];
};

struct named_set {
	char *name;
	struct condition *set;
	unsigned line;
};

struct ruleset {
	char *file;
	struct rule *rules;
	size_t used, room;
	struct named_set *sets;
	unsigned set_count;
	bool wants_clock, wants_country;
	const struct lookup *lookups[LOOKUPS_MAX];
	unsigned lookup_count;
};

struct ruleset *ruleset_new(const char *file)
{
	struct ruleset *rules = calloc(1, sizeof *rules);

	if (rules)
		rules->file = strdup(file);
	if (rules && !rules->file)
		ruleset_free(&rules);
	return rules;
}

void ruleset_free(struct ruleset **rules)
{
	struct ruleset *r = *rules;

	*rules = NULL;
	if (!r)
		return;
	for (size_t i = 0; i < r->used; i++) {
		for (unsigned c = 0; c < r->rules[i].count; c++)
			condition_free(&r->rules[i].conditions[c]);
		free(r->rules[i].text);
		free(r->rules[i].code);
	}
	for (unsigned i = 0; i < r->set_count; i++) {
		condition_free(&r->sets[i].set);
		free(r->sets[i].name);
	}
	free(r->sets);
	free(r->rules);
	free(r->file);
	free(r);
}

bool ruleset_add_set(struct ruleset *rules, struct span name, struct condition *set, unsigned line)
{
	if (!rules->sets)
		rules->sets = calloc(RULESET_SETS_MAX, sizeof *rules->sets);
	if (!rules->sets || rules->set_count == RULESET_SETS_MAX)
		return false;
	char *copy = strndup(name.p, name.n);
	if (!copy)
		return false;
	rules->sets[rules->set_count++] = (struct named_set){ copy, set, line };
	return true;
}

const struct condition *ruleset_set(const struct ruleset *rules, struct span name)
{
	for (unsigned i = 0; i < rules->set_count; i++)
		if (span_eq(name, span_of(rules->sets[i].name)))
			return rules->sets[i].set;
	return NULL;
}

unsigned ruleset_sets(const struct ruleset *rules)
{
	return rules->set_count;
}

const char *ruleset_set_name(const struct ruleset *rules, unsigned index)
{
	return rules->sets[index].name;
}

struct ruling *ruleset_begin(struct ruleset *rules, enum action action, unsigned line)
{
	if (rules->used == rules->room) {
		size_t room = rules->room ? rules->room * 2 : 16;
		struct rule *more = realloc(rules->rules, room * sizeof *more);
		if (!more)
			return NULL;
		rules->rules = more;
		rules->room = room;
	}
	struct rule *rule = &rules->rules[rules->used++];
	*rule = (struct rule){ .ruling = { .action = action, .delay_s = -1, .window_s = -1, .keep_s = -1,
					   .hold_s = -1,
					   .file = rules->file, .line = line } };
	return &rule->ruling;
}

static bool number_lookup(struct ruleset *rules, struct lookup *l)
{
	for (unsigned i = 0; i < rules->lookup_count; i++)
		if (lookup_same(rules->lookups[i], l)) {
			l->index = i;
			return true;
		}
	if (rules->lookup_count == LOOKUPS_MAX)
		return false;
	l->index = rules->lookup_count;
	rules->lookups[rules->lookup_count++] = l;
	return true;
}

bool ruleset_add(struct ruleset *rules, struct condition *c)
{
	struct rule *rule = &rules->rules[rules->used - 1];
	unsigned before = rules->lookup_count;
	struct lookup *l;

	if (rule->count == RULE_CONDITIONS_MAX)
		return false;
	for (unsigned i = 0; (l = condition_lookup(c, i)) != NULL; i++)
		if (!number_lookup(rules, l)) {
			/* The caller frees the condition, with those that have a number already. */
			rules->lookup_count = before;
			return false;
		}
	rules->wants_country |= condition_wants_country(c);
	rule->conditions[rule->count++] = c;
	rules->wants_clock |= condition_wants_clock(c);
	return true;
}

void ruleset_go_on(struct ruleset *rules)
{
	rules->rules[rules->used - 1].goes_on = true;
}

bool ruleset_text(struct ruleset *rules, struct span text)
{
	struct rule *rule = &rules->rules[rules->used - 1];

	free(rule->text);
	rule->text = strndup(text.p, text.n);
	rule->ruling.text = rule->text;
	return rule->text != NULL;
}

bool ruleset_code(struct ruleset *rules, struct span code)
{
	struct rule *rule = &rules->rules[rules->used - 1];

	free(rule->code);
	rule->code = strndup(code.p, code.n);
	rule->ruling.code = rule->code;
	return rule->code != NULL;
}

bool ruleset_no_proof(const struct ruleset *rules)
{
	const struct rule *rule = &rules->rules[rules->used - 1];

	for (unsigned i = 0; i < rule->count; i++)
		if (!condition_no_proof(rule->conditions[i]))
			return false;
	return rule->count > 0;
}

const struct lookup *ruleset_lookup(const struct ruleset *rules, unsigned index)
{
	return index < rules->lookup_count ? rules->lookups[index] : NULL;
}

/* What a rule wants to know counts only when the rest of it holds. */
static enum holds applies(const struct rule *rule, const struct request *r, const struct lookup_answers *answers,
			  uint64_t *wanted)
{
	uint64_t missing = 0;

	for (unsigned i = 0; i < rule->count; i++)
		if (condition_holds(rule->conditions[i], r, answers, &missing) == HOLDS_NOT)
			return HOLDS_NOT;
	*wanted |= missing;
	return missing ? HOLDS_UNKNOWN : HOLDS;
}

bool ruleset_always(const struct ruleset *rules, unsigned index)
{
	const struct rule *rule = &rules->rules[index];

	for (unsigned i = 0; i < rule->count; i++)
		if (!condition_always(rule->conditions[i]))
			return false;
	return true;
}

bool ruleset_never(const struct ruleset *rules, unsigned index)
{
	const struct rule *rule = &rules->rules[index];

	for (unsigned i = 0; i < rule->count; i++)
		if (condition_never(rule->conditions[i]))
			return true;
	return false;
}

uint64_t ruleset_print(const struct ruleset *rules, unsigned index)
{
	const struct rule *rule = &rules->rules[index];
	uint64_t print = 0;

	for (unsigned i = 0; i < rule->count; i++)
		print += condition_print(rule->conditions[i]);
	return print;
}

/* What the later rule says counts; what it leaves open stays as before. */
static void change(struct ruling *out, const struct ruling *later)
{
	/* The code of a rule that goes on is one for deferrals. */
	if (later->code || later->action != out->action)
		out->code = later->code;
	out->action = later->action;
	out->observe |= later->observe;
	out->delay_s = later->delay_s >= 0 ? later->delay_s : out->delay_s;
	out->window_s = later->window_s >= 0 ? later->window_s : out->window_s;
	out->keep_s = later->keep_s >= 0 ? later->keep_s : out->keep_s;
	out->hold_s = later->hold_s >= 0 ? later->hold_s : out->hold_s;
	out->first_only = later->first_only;
	out->text = later->text ? later->text : out->text;
	out->file = later->file;
	out->line = later->line;
}

enum match ruleset_match(const struct ruleset *rules, const struct request *r, const struct lookup_answers *answers,
			 struct ruling *out, uint64_t *wanted)
{
	enum match match = MATCH_NONE;

	*wanted = 0;
	for (size_t i = 0; i < rules->used; i++) {
		const struct rule *rule = &rules->rules[i];
		if (applies(rule, r, answers, wanted) != HOLDS)
			continue;
		if (match == MATCH_NONE)
			*out = rule->ruling;
		else
			change(out, &rule->ruling);
		match = rule->goes_on ? MATCH_CHANGED : MATCH_DECIDED;
		if (match == MATCH_DECIDED)
			break;
	}
	return *wanted ? MATCH_WANTS : match;
}

bool ruleset_goes_on(const struct ruleset *rules, unsigned index)
{
	return rules->rules[index].goes_on;
}

const struct ruling *ruleset_ruling(const struct ruleset *rules, unsigned index)
{
	return &rules->rules[index].ruling;
}

bool ruleset_wants_clock(const struct ruleset *rules)
{
	return rules->wants_clock;
}

bool ruleset_wants_country(const struct ruleset *rules)
{
	return rules->wants_country;
}

unsigned ruleset_rules(const struct ruleset *rules)
{
	return (unsigned)rules->used;
}

uint64_t ruleset_entries(const struct ruleset *rules)
{
	uint64_t n = 0;

	for (size_t i = 0; i < rules->used; i++)
		for (unsigned c = 0; c < rules->rules[i].count; c++)
			n += condition_count(rules->rules[i].conditions[c]);
	return n;
}
