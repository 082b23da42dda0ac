#include "lists/ruleset_build.h"

struct rule {
	struct ruling ruling;
	char *text;
	unsigned count;
	struct condition *conditions[RULE_CONDITIONS_MAX];
};

struct ruleset {
	char *file;
	struct rule *rules;
	size_t used, room;
	bool wants_clock;
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
	}
	free(r->rules);
	free(r->file);
	free(r);
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
					   .file = rules->file, .line = line } };
	return &rule->ruling;
}

bool ruleset_add(struct ruleset *rules, struct condition *c)
{
	struct rule *rule = &rules->rules[rules->used - 1];

	if (rule->count == RULE_CONDITIONS_MAX)
		return false;
	rule->conditions[rule->count++] = c;
	rules->wants_clock |= condition_wants_clock(c);
	return true;
}

bool ruleset_text(struct ruleset *rules, struct span text)
{
	struct rule *rule = &rules->rules[rules->used - 1];

	free(rule->text);
	rule->text = strndup(text.p, text.n);
	rule->ruling.text = rule->text;
	return rule->text != NULL;
}

static bool applies(const struct rule *rule, const struct request *r)
{
	for (unsigned i = 0; i < rule->count; i++)
		if (!condition_holds(rule->conditions[i], r))
			return false;
	return true;
}

int ruleset_match(const struct ruleset *rules, const struct request *r, struct ruling *out)
{
	for (size_t i = 0; i < rules->used; i++)
		if (applies(&rules->rules[i], r)) {
			*out = rules->rules[i].ruling;
			return 1;
		}
	return 0;
}

const struct ruling *ruleset_ruling(const struct ruleset *rules, unsigned index)
{
	return &rules->rules[index].ruling;
}

bool ruleset_wants_clock(const struct ruleset *rules)
{
	return rules->wants_clock;
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
