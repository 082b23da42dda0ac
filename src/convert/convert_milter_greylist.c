/* milter-greylist's greylist.conf, 4.6: settings. Lists are in mglist.c, rules in mgacl.c. */
#include "convert/mg.h"

#define DAY 86400

/* --- Tokens --------------------------------------------------------------------------- */

const struct mg_token *mg_peek(const struct mg *m)
{
	return m->next < m->lex.count ? &m->lex.tokens[m->next] : NULL;
}

const struct mg_token *mg_take(struct mg *m)
{
	const struct mg_token *t = mg_peek(m);

	m->next += t != NULL;
	return t;
}

/* Old keywords may have a colon. */
bool mg_is(const struct mg_token *t, const char *word)
{
	if (!t || t->kind != MG_WORD)
		return false;
	bool colon = t->text.n > 1 && t->text.p[t->text.n - 1] == ':';
	return span_ieq(colon ? span_head(t->text, t->text.n - 1) : t->text, span_of(word));
}

bool mg_keyword(struct mg *m, const char *word)
{
	bool is = mg_is(mg_peek(m), word);

	m->next += is;
	return is;
}

bool mg_time(const struct mg_token *t, int64_t *seconds)
{
	static const struct { char unit; int64_t seconds; } units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', DAY }, { 'w', 7 * DAY },
	};
	struct span digits = t ? t->text : span_make("", 0);
	int64_t factor = 1;
	uint64_t n;

	for (size_t i = 0; digits.n && i < sizeof units / sizeof *units; i++)
		if (ascii_lower(digits.p[digits.n - 1]) == units[i].unit) {
			factor = units[i].seconds;
			digits.n--;
			break;
		}
	if (!span_uint(digits, 315360000, &n) || (int64_t)n * factor > (int64_t)3650 * DAY)
		return false;
	*seconds = (int64_t)n * factor;
	return true;
}

/* --- Settings ------------------------------------------------------------------------- */

static bool take_time(struct mg *m, const char *name, int64_t least, int64_t most)
{
	const struct mg_token *t = mg_take(m);
	int64_t seconds;

	if (!mg_time(t, &seconds)) {
		convert_missing(m->c, t ? t->text : span_make("", 0), "a time is expected");
		return false;
	}
	convert_time(m->c, name, seconds, least, most);
	return true;
}

static void take_greylist(struct mg *m) { m->has_delay = take_time(m, "delay", 0, DAY); }
static void take_timeout(struct mg *m) { m->has_window = take_time(m, "window", 60, 60 * DAY); }

static void take_autowhite(struct mg *m)
{
	int64_t seconds;

	if (mg_time(mg_peek(m), &seconds) && seconds == 0)
		convert_missing(m->c, span_make("", 0), "greylag always remembers who has passed");
	m->has_keep = take_time(m, "keep", 7 * DAY, 3650 * DAY);
}

static void take_prefix(struct mg *m, struct span *out)
{
	const struct mg_token *t = mg_take(m);

	*out = t && t->text.n && t->text.p[0] == '/' ? span_from(t->text, 1) : *out;
	convert_needless(m->c, "see identity");
}

static void take_subnet(struct mg *m) { take_prefix(m, &m->ipv4); }
static void take_subnet6(struct mg *m) { take_prefix(m, &m->ipv6); }
static void take_verbose(struct mg *m) { convert_line(m->c, "log level debug"); }

static void take_quiet(struct mg *m)
{
	m->quiet = true;
	convert_line(m->c, "reply text \"Greylisted, please come back later\"");
}

static void take_domainexact(struct mg *m)
{
	m->domain_exact = true;
	convert_needless(m->c, "names always mean themselves and those below");
}

static void take_extendedregex(struct mg *m)
{
	m->extended_regex = true;
	convert_needless(m->c, "regular expressions have been translated");
}

static void take_report(struct mg *m)
{
	const struct mg_token *t = mg_take(m);
	bool delays = mg_is(t, "delays") || mg_is(t, "all");

	convert_line(m->c, "reply header %s", delays ? "yes" : "no");
	if (mg_is(t, "all") || mg_is(t, "nodelays"))
		convert_differs(m->c, "the header says how long mail was delayed, not why other mail was not");
}

static void take_logfac(struct mg *m)
{
	const struct mg_token *t = mg_take(m);

	if (t)
		convert_line(m->c, "log facility %.*s", SPAN_ARG(span_head(t->text, 20)));
}

static void take_socket(struct mg *m)
{
	const struct mg_token *t = mg_take(m), *mode = mg_take(m);
	char text[400];
	struct buf b = BUF_ON(text);

	buf_adds(&b, "greylag-milter has the socket: greylag-milter --listen \"");
	buf_addsafe(&b, t ? t->text : span_make("", 0), 200);
	buf_adds(&b, mode ? "\" --mode " : "\"");
	buf_addsafe(&b, mode ? mode->text : span_make("", 0), 10);
	convert_needless(m->c, buf_str(&b));
}

static void take_geoipdb(struct mg *m)
{
	const struct mg_token *t = mg_take(m);
	char word[600];
	struct buf b = BUF_ON(word);

	if (!t || !span_iends(t->text, span_of(".mmdb"))) {
		convert_missing(m->c, span_make("", 0), "the old databases are not read; country-database names one in the form MMDB");
		return;
	}
	convert_word(&b, t->text);
	convert_line(m->c, "country-database %s", buf_str(&b));
	m->has_country = true;
}

static void take_drac(struct mg *m)
{
	convert_missing(m->c, span_make("", 0), "clients that fetched mail are not known; authenticated ones always pass");
}

enum need { DONE, NEEDLESS, MISSING };
static const struct option {
	const char *word;
	enum need need;
	void (*take)(struct mg *m);
	const char *why;
	bool secret;			/* passwords stand in it: only the keyword is shown */
} options[] = {
	{ "greylist", DONE, take_greylist, NULL, false }, { "timeout", DONE, take_timeout, NULL, false },
	{ "autowhite", DONE, take_autowhite, NULL, false }, { "subnetmatch", DONE, take_subnet, NULL, false },
	{ "subnetmatch6", DONE, take_subnet6, NULL, false }, { "verbose", DONE, take_verbose, NULL, false },
	{ "quiet", DONE, take_quiet, NULL, false }, { "domainexact", DONE, take_domainexact, NULL, false },
	{ "extendedregex", DONE, take_extendedregex, NULL, false }, { "report", DONE, take_report, NULL, false },
	{ "logfac", DONE, take_logfac, NULL, false }, { "socket", DONE, take_socket, NULL, false },
	{ "geoipdb", DONE, take_geoipdb, NULL, false }, { "geoip2db", DONE, take_geoipdb, NULL, false },
	{ "geoipv6db", DONE, take_geoipdb, NULL, false }, { "drac", DONE, take_drac, NULL, false },
	{ "list", DONE, mg_list, NULL, false }, { "dnsrbl", DONE, mg_dnsrbl, NULL, false }, { "ratelimit", DONE, mg_ratelimit, NULL, false },
	{ "acl", DONE, mg_acl, NULL, false }, { "racl", DONE, mg_acl, NULL, false },
	{ "pidfile", NEEDLESS, NULL, "the unit file follows greylagd without one", false },
	{ "user", NEEDLESS, NULL, "greylagd has a user of its own (user, group)", false },
	{ "nodetach", NEEDLESS, NULL, "greylagd -f stays in the foreground", false },
	{ "dumpfile", NEEDLESS, NULL, "greylagd has a store of its own; greylag import milter-greylist FILE brings along what is in this one", false },
	{ "dumpfreq", NEEDLESS, NULL, "records are stored as they come", false },
	{ "dump_no_time_translation", NEEDLESS, NULL, "greylag dump tells times when it is asked", false },
	{ "lazyaw", NEEDLESS, NULL, "a client that has retried well is trusted with all its mail", false },
	{ "delayedreject", NEEDLESS, NULL, "bounces are always deferred at DATA where the MTA asks there", false },
	{ "noaccessdb", NEEDLESS, NULL, "the access database of Sendmail is not looked at", false },
	{ "nodrac", NEEDLESS, NULL, "there is no DRAC", false },
	{ "nospf", NEEDLESS, NULL, "an SPF pass alone is no reason to pass", false },
	{ "localaddr", NEEDLESS, NULL, "SPF does not need it", false },
	{ "unbracket", NEEDLESS, NULL, "clients are known by their confirmed name or their address", false },
	{ "multiracl", NEEDLESS, NULL, "a recipient that is allowed allows no other", false },
	{ "noauth", MISSING, NULL, "authenticated clients are never greylisted", false },
	{ "testmode", MISSING, NULL, "name the recipients: defer recipient ..., then allow; or decide and only log: mode observe", false },
	{ "logexpired", MISSING, NULL, "attempts that never came back are not logged; greylag show shows them", false },
	{ "tarpit", MISSING, NULL, "greylag keeps nobody waiting", false },
	{ "tarpit_scope", MISSING, NULL, "greylag keeps nobody waiting", false },
	{ "peer", MISSING, NULL, "mail exchangers share a store: store valkey, or store mariadb", false },
	{ "syncaddr", MISSING, NULL, "mail exchangers share a store: store valkey, or store mariadb", false },
	{ "syncsrcaddr", MISSING, NULL, "mail exchangers share a store: store valkey, or store mariadb", false },
	{ "syncmaxqlen", MISSING, NULL, "mail exchangers share a store: store valkey, or store mariadb", false },
	{ "stat", MISSING, NULL, "a verdict is one log line of a fixed form", false },
	{ "maxpeek", MISSING, NULL, "verdicts fall before the mail is read", false },
	{ "dacl", MISSING, NULL, "verdicts fall before the mail is read", false },
	{ "sm_macro", MISSING, NULL, "rules see no macros of the MTA", false },
	{ "urlcheck", MISSING, NULL, "greylag asks no URLs", true },
	{ "ldapconf", MISSING, NULL, "greylag asks no LDAP server", true },
	{ "ldapcheck", MISSING, NULL, "greylag asks no LDAP server", true },
	{ "fixldapcheck", MISSING, NULL, "greylag asks no LDAP server", true },
	{ "p0fsock", MISSING, NULL, "greylag does not ask p0f", false },
	{ "spamdsock", MISSING, NULL, "verdicts fall before the mail is read", false },
	{ "tsig", MISSING, NULL, "greylag changes no DNS zones", true },
	{ "nsupdate", MISSING, NULL, "greylag changes no DNS zones", true },
};

static void take_option(struct mg *m, const struct option *o)
{
	switch (o->need) {
	case DONE: o->take(m); break;
	case NEEDLESS: convert_needless(m->c, o->why); break;
	case MISSING: convert_missing(m->c, span_make("", 0), o->why); break;
	}
}

static const struct option *find_option(const struct mg_token *keyword)
{
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (mg_is(keyword, options[i].word))
			return &options[i];
	return NULL;
}

/* The letters at the head of an unknown word: what follows may be anything. */
static struct span name_of(const struct mg_token *keyword)
{
	size_t n = 0;

	while (keyword && keyword->kind == MG_WORD && n < keyword->text.n && (ascii_alpha(keyword->text.p[n]) || keyword->text.p[n] == '_'))
		n++;
	return keyword ? span_head(keyword->text, n) : span_make("", 0);
}

/* What is shown of the statement. */
static struct span harmless(const struct mg *m)
{
	const struct mg_token *keyword = m->lex.count ? &m->lex.tokens[0] : NULL;
	const struct option *o = find_option(keyword);

	if (o ? o->secret : !(keyword && keyword->kind == MG_WORD && mg_type(keyword->text)))
		return name_of(keyword);
	return m->lex.source;
}

static void take_statement(struct mg *m)
{
	const struct mg_token *keyword = mg_take(m);
	const struct option *o = find_option(keyword);

	if (o)
		take_option(m, o);
	else if (keyword->kind == MG_WORD && mg_type(keyword->text))
		mg_legacy(m, keyword);
	else
		convert_missing(m->c, name_of(keyword), "milter-greylist has no such option");
}

static void write_rest(struct mg *m)
{
	struct span ipv4 = m->ipv4.n ? m->ipv4 : span_of("32"), ipv6 = m->ipv6.n ? m->ipv6 : span_of("128");

	convert_at(m->c, "milter-greylist", 0, span_of("its defaults, where no line says otherwise"));
	if (!m->has_delay)
		convert_line(m->c, "greylist delay 30m");
	if (!m->has_window)
		convert_line(m->c, "greylist window 5d");
	if (!m->has_keep)
		convert_time(m->c, "keep", DAY, 7 * DAY, 3650 * DAY);
	convert_at(m->c, "milter-greylist", 0, span_of("whom it takes for one client"));
	convert_line(m->c, "identity network ipv4-prefix %.*s ipv6-prefix %.*s", SPAN_ARG(span_head(ipv4, 5)), SPAN_ARG(span_head(ipv6, 5)));
	buf_adds(&m->c->parts[CONVERT_SETTINGS], "#   with `identity host`, greylag's default, far fewer servers of large "
		 "senders wait\n");
	convert_at(m->c, "milter-greylist", 0, span_of("where greylag-milter asks"));
	convert_line(m->c, "listen policy unix /run/greylag/policy");
	convert_line(m->c, "listen control unix /run/greylag/control");
}

static void read_text(struct mg *m, const char *file, struct span text)
{
	if (!mglex_start(&m->lex, text))
		return;
	while (mglex_next(&m->lex)) {
		m->next = 0;
		convert_at(m->c, file, m->lex.at, harmless(m));
		if (m->lex.problem)
			convert_missing(m->c, span_make("", 0), m->lex.problem);
		else
			take_statement(m);
	}
	mglex_end(&m->lex);
	write_rest(m);
	for (unsigned i = 0; i < m->name_count; i++)
		free(m->names[i].values);
}

void convert_milter_greylist_text(struct convert *c, const char *file, struct span text)
{
	struct mg *m = calloc(1, sizeof *m);

	if (m) {
		m->c = c;
		read_text(m, file, text);
	}
	free(m);
}

int convert_milter_greylist(struct convert *c, char **words, int count, struct buf *why)
{
	struct buf text = buf_heap(CONVERT_FILE_MAX);
	int found = count == 1 ? convert_read("", words[0], &text, why) : buf_fail(why, "one file at a time");

	if (found == 1)
		convert_milter_greylist_text(c, words[0], buf_span(&text));
	buf_free(&text);
	return found == 1 ? 0 : -1;
}
