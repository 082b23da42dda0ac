/* Entries of rules and list files that an earlier rule, which says something else, decides
 * before they are looked at. */
#include "base/netaddr.h"
#include "config/lex.h"
#include "doctor/doctor.h"
#include "lists/condition.h"
#include "lists/listfile.h"

#define REPORTS_MAX 20
#define ENTRIES_MAX 200000

enum field { CLIENT, CLIENT_NAME, SENDER, RECIPIENT };

struct look {
	struct doctor *d;
	enum field field;
	unsigned rule;			/* its line */
	enum action action;
	const char *file;		/* of the entry */
	unsigned line;
	unsigned reports, entries;
};

/* The earlier rule that decides this request otherwise; 0: none. */
static unsigned decided_before(const struct look *l, const struct request *r)
{
	struct ruling ruling = { 0 };
	uint64_t wanted;

	if (ruleset_match(l->d->config->rules, r, NULL, &ruling, &wanted) != MATCH_DECIDED)
		return 0;
	return ruling.line < l->rule && ruling.action != l->action ? ruling.line : 0;
}

/* A network counts when its first and its last address meet the same rule. */
static unsigned shadow_of_prefix(const struct look *l, const struct netprefix *p)
{
	struct request r = { .stage = STAGE_RCPT, .client = p->addr, .client_text = SPAN("0.0.0.0") };
	unsigned first = decided_before(l, &r);

	for (unsigned bit = p->bits; bit < netaddr_width(&p->addr); bit++)
		r.client.bytes[bit / 8] = (uint8_t)(r.client.bytes[bit / 8] | 0x80u >> bit % 8);
	return first && decided_before(l, &r) == first ? first : 0;
}

static unsigned shadow_of_name(const struct look *l, struct span name)
{
	char text[300];
	struct buf b = BUF_ON(text);
	struct request r = { .stage = STAGE_RCPT };

	if (span_starts(name, span_of("=")))
		name = span_from(name, 1);
	else if (span_starts(name, span_of("*")))
		name = span_from(name, 1);
	buf_adds(&b, name.n && name.p[0] == '.' ? "x" : "");
	buf_addlower(&b, name);
	r.client_name = buf_span(&b);
	return b.over ? 0 : decided_before(l, &r);
}

/* user@domain as it is; somebody at a domain, or a user somewhere. */
static unsigned shadow_of_address(const struct look *l, struct span value)
{
	char text[700];
	struct buf b = BUF_ON(text);
	struct request r = { .stage = STAGE_RCPT, .has_sender = true, .has_recipient = true };
	size_t at = span_find(value, '@');

	buf_adds(&b, at == value.n ? "somebody@" : at == 0 ? "somebody" : "");
	buf_addlower(&b, value);
	buf_adds(&b, at + 1 == value.n ? "somewhere.invalid" : "");
	if (l->field == SENDER)
		r.sender = buf_span(&b);
	else
		r.recipient = buf_span(&b);
	return b.over ? 0 : decided_before(l, &r);
}

static void look_at(struct look *l, struct span value)
{
	struct netprefix prefix;
	char text[300];
	struct buf b = BUF_ON(text);
	unsigned rule;

	if (value.n == 0 || value.p[0] == '/' || span_eq(value, span_of("<>")) || ++l->entries > ENTRIES_MAX)
		return;
	if (l->field == CLIENT && netprefix_parse(value, &prefix))
		rule = shadow_of_prefix(l, &prefix);
	else if (l->field == CLIENT || l->field == CLIENT_NAME)
		rule = shadow_of_name(l, value);
	else
		rule = shadow_of_address(l, value);
	if (!rule || l->reports++ >= REPORTS_MAX)
		return;
	buf_addsafe(&b, value, 60);
	doctor_found(l->d, DOCTOR_WARN, (struct place){ l->file, l->line }, NULL, NULL,
		     "%s has no effect: the rule in line %u of greylag.conf says otherwise before", buf_str(&b), rule);
}

static void look_at_entry(void *arg, unsigned line, struct span entry, const char *problem)
{
	struct look *l = arg;

	l->line = line;
	if (!problem)
		look_at(l, entry);
}

static void look_at_file(struct look *l, struct span path)
{
	char name[1200], reason[200];
	struct buf full = BUF_ON(name), why = BUF_ON(reason), text = buf_heap(LISTFILE_MAX);
	const char *file = l->file;
	unsigned line = l->line;
	struct span conf = span_of(l->d->config_path);

	/* As the configuration reads it: relative to its own folder. */
	if (path.n && path.p[0] != '/')
		buf_addspan(&full, span_head(conf, span_rfind(conf, '/') + 1));
	buf_addspan(&full, path);
	if (!full.over && listfile_read(buf_str(&full), &text, &why) == 1) {
		l->file = buf_str(&full);
		listfile_parse(buf_span(&text), look_at_entry, l);
	}
	l->file = file;
	l->line = line;
	buf_free(&text);
}

/* --- Rules ------------------------------------------------------------------------------ */

static bool find_word(struct span word, const char *const *words, size_t count, size_t *out)
{
	for (*out = 0; *out < count; ++*out)
		if (words[*out] && span_ieq(word, span_of(words[*out])))
			return true;
	return false;
}

static bool is_action(const struct token *t, enum action *action)
{
	static const char *const words[] = { "allow", "whitelist", "block", "blacklist", "defer" };
	static const enum action actions[] = { ACTION_ALLOW, ACTION_ALLOW, ACTION_BLOCK, ACTION_BLOCK, ACTION_DEFER };
	size_t i;

	if (t->quoted || !find_word(t->text, words, sizeof words / sizeof *words, &i))
		return false;
	*action = actions[i];
	return true;
}

/* Where the values end; 0 for a rule with more than one condition: its entries hold for a part
 * of the mail only. */
static unsigned values_end(const struct lex *lex)
{
	static const char *const parameters[] = { "delay", "window", "keep", "text", "code", "observe" };
	size_t i;

	for (unsigned t = 2; t < lex->count; t++) {
		const struct token *token = &lex->tokens[t];
		if (token->quoted)
			continue;
		if (find_word(token->text, parameters, sizeof parameters / sizeof *parameters, &i))
			return t;
		if (span_ieq(token->text, span_of("not")) || condition_kind(token->text))
			return 0;
	}
	return lex->count;
}

static void look_at_rule(struct look *l, const struct lex *lex)
{
	static const char *const fields[] = { [CLIENT] = "client", [CLIENT_NAME] = "client-name", [SENDER] = "sender", [RECIPIENT] = "recipient" };
	unsigned end = values_end(lex);
	size_t field;

	if (!is_action(&lex->tokens[0], &l->action) || lex->count < 3 ||
	    !find_word(lex->tokens[1].text, fields, sizeof fields / sizeof *fields, &field))
		return;
	l->field = (enum field)field;
	l->rule = lex->tokens[0].line;
	for (unsigned t = 2; t < end; t++) {
		const struct token *token = &lex->tokens[t];
		bool file = span_ieq(token->text, span_of("file")) || span_ieq(token->text, span_of("optional-file"));
		l->line = token->line;
		if (!token->quoted && t + 1 < end && file)
			look_at_file(l, lex->tokens[++t].text);
		else if (!token->quoted && span_ieq(token->text, span_of("set")))
			t++;
		else
			look_at(l, token->text);
	}
}

static void ignore(struct diag *diag, enum diag_severity severity, const char *file, unsigned line, unsigned column, const char *text)
{
	(void)diag; (void)severity; (void)file; (void)line; (void)column; (void)text;
}

void doctor_lists(struct doctor *d)
{
	struct diag diag = { .report = ignore };
	char reason[200];
	struct buf text = buf_heap(LISTFILE_MAX), why = BUF_ON(reason);
	struct lex *lex = malloc(sizeof *lex);
	struct look l = { .d = d, .file = d->config_path };
	int more;

	if (lex && d->config && listfile_read(d->config_path, &text, &why) == 1) {
		lex_start(lex, buf_span(&text), d->config_path, &diag);
		while ((more = lex_line(lex)) != 0)
			if (more > 0)
				look_at_rule(&l, lex);
	}
	if (l.reports > REPORTS_MAX)
		doctor_found(d, DOCTOR_WARN, (struct place){ d->config_path, 0 }, NULL, NULL, "%u such entries in all", l.reports);
	free(lex);
	buf_free(&text);
}
