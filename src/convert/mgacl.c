/* milter-greylist's rules: racl ["ID"] ACTION CLAUSE... PARAMETER... */
#include "convert/mg.h"

#include "base/value.h"

#define DAY ((int64_t)86400)
#define DELAY_MOST DAY
#define KEEP_LEAST (7 * DAY)
#define KEEP_MOST (3650 * DAY)

enum action { NO_ACTION, GREYLIST, WHITELIST, BLACKLIST, CONTINUE };

/* A rule being read. */
struct acl {
	struct mg *m;
	enum action action;
	struct buf line;		/* conditions, then parameters */
	struct buf parameters;
	struct buf text;		/* msg */
	struct span ecode;
	const char *reason;		/* why there is no such rule, and what it is about */
	struct span about;
	bool empty;			/* it matches nobody: its list is empty */
	char why[300];
};

static bool give_up(struct acl *a, struct span about, const char *reason)
{
	if (!a->reason) {
		a->about = about;
		a->reason = reason;
	}
	return false;
}

/* --- Clauses -------------------------------------------------------------------------- */

static bool add_value(struct acl *a, const struct mg_type *type, bool negated)
{
	const struct mg_token *t = mg_take(a->m);
	char text[3000];
	struct buf value = BUF_ON(text), why = buf_on(a->why, sizeof a->why);

	if (!t)
		return give_up(a, span_of(type->word), "its value is missing");
	if (!type->value(a->m, t, &value, &why) || value.over)
		return give_up(a, t->text, buf_str(&why));
	buf_addf(&a->line, "%s %s %s", negated ? " not" : "", type->condition, buf_str(&value));
	return true;
}

static bool clause_list(struct acl *a, bool negated)
{
	const struct mg_token *t = mg_take(a->m);
	const struct mg_name *n = t ? mg_find(a->m, MG_LIST, t->text) : NULL;

	if (!n)
		return give_up(a, t ? t->text : span_of("list"), "no such list could be converted");
	/* What is missing in the list would match. */
	if (negated && n->partial)
		return give_up(a, t->text, "part of this list could not be converted");
	if (n->sets == 0 && !negated) {
		a->empty = true;
		return true;
	}
	if (n->sets)
		buf_addf(&a->line, "%s %s", negated ? " not" : "", n->type->condition);
	for (unsigned i = 0; i < n->sets; i++) {
		buf_addf(&a->line, " set %s", n->set);
		if (i)
			buf_addf(&a->line, "-%u", i + 1);
	}
	return true;
}

static bool clause_dnsrbl(struct acl *a, bool negated)
{
	const struct mg_token *t = mg_take(a->m);
	const struct mg_name *n = t ? mg_find(a->m, MG_DNSRBL, t->text) : NULL;

	if (!n || !n->values)
		return give_up(a, t ? t->text : span_of("dnsrbl"), "no such DNS list could be converted");
	buf_addf(&a->line, "%s %s %s", negated ? " not" : "", a->action == WHITELIST ? "dnswl" : "dnsbl", n->values);
	return true;
}

static bool clause_ratelimit(struct acl *a, bool negated)
{
	const struct mg_token *t = mg_take(a->m);
	const struct mg_name *n = t ? mg_find(a->m, MG_RATE, t->text) : NULL;

	if (!n || !n->values)
		return give_up(a, t ? t->text : span_of("ratelimit"), "no such rate could be converted");
	buf_addf(&a->line, "%s rate %s", negated ? " not" : "", n->values);
	return true;
}

static bool clause_spf(struct acl *a, bool negated)
{
	static const struct { const char *theirs, *ours; } words[] = {
		{ "pass", "pass" }, { "fail", "fail" }, { "softfail", "softfail" }, { "neutral", "neutral" },
		{ "none", "none" }, { "error", "temperror" }, { "unknown", "permerror" },
	};
	const char *ours = "pass";

	if (mg_keyword(a->m, "self"))
		return give_up(a, span_of("spf self"), "greylag takes no pass by \"+all\" for one in the first place");
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (mg_keyword(a->m, words[i].theirs)) {
			ours = words[i].ours;
			break;
		}
	buf_addf(&a->line, "%s spf %s", negated ? " not" : "", ours);
	return true;
}

/* "* 8-16 * * 1-5": whole hours and days of the week have an equivalent. */
static bool clause_time(struct acl *a, bool negated)
{
	static const char *const days[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
	const struct mg_token *t = mg_take(a->m);
	struct span rest = t ? t->text : span_make("", 0), field[5], word, low, high;
	uint64_t from, to;
	unsigned count = 0;

	while (span_cut(&rest, ' ', &word))
		if (word.n && count < 5)
			field[count++] = word;
	if (count != 5 || !span_eq(field[0], span_of("*")) || !span_eq(field[2], span_of("*")) || !span_eq(field[3], span_of("*")))
		return give_up(a, t ? t->text : span_of("time"), "only whole hours and days of the week have an equivalent");
	bool hours = !span_eq(field[1], span_of("*")), week = !span_eq(field[4], span_of("*"));
	if (negated && hours && week)
		return give_up(a, t->text, "without hours and days together");
	if (hours)
		buf_addf(&a->line, "%s time", negated ? " not" : "");
	for (rest = field[1]; hours && span_cut(&rest, ',', &high);) {
		span_cut(&high, '-', &low);
		if (!span_uint(low, 23, &from) || !span_uint(high.n ? high : low, 23, &to))
			return give_up(a, t->text, "only whole hours and days of the week have an equivalent");
		buf_addf(&a->line, " %02u:00-%02u:00", (unsigned)from, (unsigned)(to + 1) % 24);
	}
	if (week)
		buf_addf(&a->line, "%s weekday", negated ? " not" : "");
	for (rest = field[4]; week && span_cut(&rest, ',', &high);) {
		span_cut(&high, '-', &low);
		if (!span_uint(low, 7, &from) || !span_uint(high.n ? high : low, 7, &to))
			return give_up(a, t->text, "only whole hours and days of the week have an equivalent");
		buf_addf(&a->line, from == to ? " %s" : " %s-%s", days[from], days[to]);
	}
	return true;
}

static bool clause_rcptcount(struct acl *a, bool negated)
{
	const struct mg_token *op = mg_take(a->m), *t = mg_take(a->m);
	uint64_t n;

	if (!op || !t || !span_uint(t->text, 1000000, &n))
		return give_up(a, span_of("rcptcount"), "an operator and a number are expected");
	bool unequal = mg_is(op, "!=");
	buf_addf(&a->line, "%s recipient-count ", negated != unequal ? " not" : "");
	if (mg_is(op, "==") || unequal)
		buf_addf(&a->line, "%llu", (unsigned long long)n);
	else if (mg_is(op, ">=") || mg_is(op, ">"))
		buf_addf(&a->line, ">=%llu", (unsigned long long)n + mg_is(op, ">"));
	else if (mg_is(op, "<=") || (mg_is(op, "<") && n > 0))
		buf_addf(&a->line, "<=%llu", (unsigned long long)n - mg_is(op, "<"));
	else
		return give_up(a, op->text, "no operator");
	convert_differs(a->m->c, "Postfix tells the number of recipients from DATA on, and 0 before");
	return true;
}

static bool is_any(const struct mg_token *t)
{
	return t && t->kind == MG_REGEX && (span_eq(t->text, span_of(".*")) || span_eq(t->text, span_of(".+")) || span_eq(t->text, span_of(".")));
}

static bool clause_auth(struct acl *a, bool negated)
{
	const struct mg_token *t = mg_take(a->m);

	if (!is_any(t))
		return give_up(a, t ? t->text : span_of("auth"), "rules do not know who has authenticated; such mail passes");
	buf_addf(&a->line, " authenticated %s", negated ? "no" : "yes");
	return true;
}

static bool clause_tls(struct acl *a, bool negated)
{
	const struct mg_token *t = mg_take(a->m);

	if (!is_any(t))
		return give_up(a, t ? t->text : span_of("tls"), "rules do not know the client's certificate");
	buf_addf(&a->line, " tls %s", negated ? "no" : "yes");
	convert_differs(a->m->c, "there it is a client with a certificate, here any that encrypts");
	return true;
}

static const struct clause {
	const char *word;
	bool (*read)(struct acl *a, bool negated);
	const char *reason;		/* why it cannot be */
} clauses[] = {
	{ "list", clause_list, NULL }, { "dnsrbl", clause_dnsrbl, NULL }, { "ratelimit", clause_ratelimit, NULL },
	{ "spf", clause_spf, NULL }, { "time", clause_time, NULL }, { "rcptcount", clause_rcptcount, NULL },
	{ "auth", clause_auth, NULL }, { "tls", clause_tls, NULL },
	{ "sm_macro", NULL, "rules see no macros of the MTA" },
	{ "mx", NULL, "rules do not look for mail exchangers" },
	{ "p0f", NULL, "greylag does not ask p0f" },
	{ "urlcheck", NULL, "greylag asks no URLs" }, { "ldapcheck", NULL, "greylag asks no LDAP server" },
	{ "nsupdate", NULL, "greylag changes no DNS zones" }, { "tarpit", NULL, "greylag keeps nobody waiting" },
	{ "dkim", NULL, "verdicts fall before the mail is read" }, { "header", NULL, "verdicts fall before the mail is read" },
	{ "body", NULL, "verdicts fall before the mail is read" }, { "msgsize", NULL, "verdicts fall before the mail is read" },
	{ "spamd", NULL, "verdicts fall before the mail is read" },
	{ "set", NULL, "rules have no variables" }, { "rset", NULL, "rules have no variables" },
	{ "log", NULL, "a verdict is one log line of a fixed form" },
};

static bool read_clause(struct acl *a, const struct mg_token *t, bool negated)
{
	const struct mg_type *type = mg_type(t->text);

	if (mg_is(t, "default"))
		return true;
	if (t->kind == MG_WORD && type)
		return add_value(a, type, negated);
	for (size_t i = 0; i < sizeof clauses / sizeof *clauses; i++)
		if (mg_is(t, clauses[i].word))
			return clauses[i].read ? clauses[i].read(a, negated) : give_up(a, t->text, clauses[i].reason);
	if (t->text.n && (t->text.p[0] == '$' || t->text.p[0] == '*'))
		return give_up(a, t->text, "rules have no variables");
	return give_up(a, t->text, "no clause that we know");
}

/* --- Parameters ----------------------------------------------------------------------- */

/* Within the range that we take: a rule that we refuse would be left out, and the next one would decide. */
static void take_time(struct acl *a, const char *ours, int64_t least, int64_t most)
{
	const struct mg_token *t = mg_take(a->m);
	int64_t seconds;

	if (!mg_time(t, &seconds)) {
		convert_missing(a->m->c, t ? t->text : span_of(ours), "a time is expected");
		return;
	}
	buf_addf(&a->parameters, " %s ", ours);
	buf_addduration(&a->parameters, (uint64_t)(seconds < least ? least : seconds > most ? most : seconds));
	if (seconds > most)
		convert_differs(a->m->c, "greylag takes no longer time");
	if (seconds < least)
		convert_differs(a->m->c, "greylag remembers who has passed for a week at least (RFC 6647)");
}

static void take_delay(struct acl *a) { take_time(a, "delay", 0, DELAY_MOST); }

static void take_autowhite(struct acl *a)
{
	take_time(a, "keep", KEEP_LEAST, KEEP_MOST);
}

static void take_code(struct acl *a)
{
	const struct mg_token *t = mg_take(a->m);

	if (t && t->text.n == 3)
		buf_addf(&a->parameters, " code %.*s", SPAN_ARG(t->text));
}

static void take_ecode(struct acl *a)
{
	const struct mg_token *t = mg_take(a->m);

	a->ecode = t ? span_head(t->text, 12) : a->ecode;
}

/* %R is the time left, %sr the recipient's domain. */
static bool translate(struct buf *out, struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		struct span here = span_from(s, i);
		if (here.p[0] == '\\' && here.n > 1 && here.p[1] == '"')
			continue;
		if (here.p[0] != '%') {
			buf_addc(out, here.p[0]);
		} else if (span_starts(here, span_of("%%"))) {
			buf_adds(out, "%%");
			i++;
		} else if (span_starts(here, span_of("%sr"))) {
			buf_adds(out, "%r");
			i += 2;
		} else if (span_starts(here, span_of("%Rt"))) {
			buf_adds(out, "%s");
			i += 2;
		} else if (span_starts(here, span_of("%R")) && !(here.n > 2 && strchr("hms", here.p[2]))) {
			buf_adds(out, "%s seconds");
			i++;
		} else {
			return false;
		}
	}
	return true;
}

static void take_msg(struct acl *a)
{
	const struct mg_token *t = mg_take(a->m);

	buf_clear(&a->text);
	if (t && !translate(&a->text, t->text)) {
		convert_missing(a->m->c, t->text, "texts have seconds left, the recipient's domain, and nothing else of the request");
		buf_clear(&a->text);
	}
}

static void drop(struct acl *a, const char *word, bool value, const char *reason)
{
	convert_missing(a->m->c, span_of(word), reason);
	if (value)
		mg_take(a->m);
	/* addheader "TEXT",1 */
	if (value && mg_keyword(a->m, ","))
		mg_take(a->m);
}

static bool read_parameter(struct acl *a)
{
	static const struct {
		const char *word;
		void (*take)(struct acl *a);
		bool value;
		const char *reason;
	} parameters[] = {
		{ "delay", take_delay, true, NULL }, { "autowhite", take_autowhite, true, NULL },
		{ "code", take_code, true, NULL }, { "ecode", take_ecode, true, NULL }, { "msg", take_msg, true, NULL },
		{ "flushaddr", NULL, false, "a rule removes no records; a trap holds the client" },
		{ "nolog", NULL, false, "all verdicts are logged, or those that pass are not (log passes)" },
		{ "report", NULL, true, "the header's text is greylag's own" },
		{ "addheader", NULL, true, "greylag adds no other header" },
		{ "addfooter", NULL, true, "greylag does not touch the mail" },
		{ "subjtag", NULL, true, "greylag does not touch the mail" },
		{ "maxpeek", NULL, true, "verdicts fall before the mail is read" },
		{ "tarpit", NULL, true, "greylag keeps nobody waiting" },
		{ "tarpit_scope", NULL, true, "greylag keeps nobody waiting" },
	};

	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
		if (mg_keyword(a->m, parameters[i].word)) {
			if (parameters[i].take)
				parameters[i].take(a);
			else
				drop(a, parameters[i].word, parameters[i].value, parameters[i].reason);
			return true;
		}
	return false;
}

/* --- Rules ---------------------------------------------------------------------------- */

static void add_text(struct acl *a)
{
	char text[1100], word[2300];
	struct buf b = BUF_ON(text), quoted = BUF_ON(word);

	if (a->text.n == 0)
		return;
	if (a->ecode.n)
		buf_addf(&b, "%.*s ", SPAN_ARG(a->ecode));
	else if (a->action == BLACKLIST)
		buf_adds(&b, "5.7.1 ");
	buf_addspan(&b, buf_span(&a->text));
	if (b.over || !convert_text(&quoted, buf_span(&b)))
		convert_missing(a->m->c, buf_span(&a->text), "such a text cannot be in a reply");
	else
		buf_addf(&a->parameters, " text %s", buf_str(&quoted));
}

static void write_rule(struct acl *a)
{
	static const char *const words[] = { "", "defer", "allow", "block", "continue" };

	add_text(a);
	if (a->reason)
		convert_missing(a->m->c, a->about, a->reason);
	else if (a->empty)
		convert_needless(a->m->c, "its list is empty");
	else if (a->action == CONTINUE && a->parameters.n == 0)
		convert_needless(a->m->c, "nothing is left that it would do");
	else
		convert_line(a->m->c, "%s%s%s", words[a->action], buf_str(&a->line),
			     a->action == WHITELIST ? "" : buf_str(&a->parameters));
}

static enum action read_action(struct mg *m)
{
	static const struct { const char *word; enum action action; } actions[] = {
		{ "greylist", GREYLIST }, { "whitelist", WHITELIST }, { "blacklist", BLACKLIST }, { "continue", CONTINUE },
	};

	for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
		if (mg_keyword(m, actions[i].word))
			return actions[i].action;
	return NO_ACTION;
}

static void start(struct acl *a, struct mg *m)
{
	*a = (struct acl){ .m = m };
	a->line = buf_heap(60000);
	a->parameters = buf_heap(8000);
	a->text = buf_heap(2000);
	m->c->part = CONVERT_RULES;
}

static void finish(struct acl *a)
{
	write_rule(a);
	a->m->c->part = CONVERT_SETTINGS;
	buf_free(&a->line);
	buf_free(&a->parameters);
	buf_free(&a->text);
}

void mg_acl(struct mg *m)
{
	const struct mg_token *id = mg_peek(m), *t;
	struct acl a;

	start(&a, m);
	if (id && id->kind == MG_STRING)
		mg_take(m);
	a.action = read_action(m);
	if (a.action == NO_ACTION)
		give_up(&a, span_make("", 0), "greylist, whitelist, blacklist or continue is expected");
	while (!a.reason && mg_peek(m)) {
		if (read_parameter(&a))
			continue;
		bool negated = mg_keyword(m, "not") || mg_keyword(m, "no") || mg_keyword(m, "!");
		t = mg_take(m);
		if (t)
			read_clause(&a, t, negated);
		else
			give_up(&a, span_make("", 0), "a clause is expected");
	}
	finish(&a);
}

void mg_legacy(struct mg *m, const struct mg_token *keyword)
{
	struct acl a;

	start(&a, m);
	m->c->part = CONVERT_FIRST;
	a.action = WHITELIST;
	read_clause(&a, keyword, false);
	finish(&a);
}
