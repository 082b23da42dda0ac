/* Postfix: SMTPD_POLICY_README, SMTPD_ACCESS_README, postconf(5). */
#include "doctor/doctor.h"
#include "doctor/postfixconf.h"

#define MAIN "/etc/postfix/main.cf"
#define MASTER "/etc/postfix/master.cf"
#define LINES_MAX (4 * POSTFIX_VALUE_MAX)	/* that are suggested; bytes may become four */
#define SOCKET_LINE "listen policy unix %s/private/greylag mode 0660 group %s\n"

struct postfix {
	struct doctor *d;
	struct postfixconf *conf;
	const struct postfix_service *smtpd;
	char queue[300], owner[100];
	bool chroot;
	bool asked;		/* some list asks greylagd */
	bool data;		/* one at DATA does */
	bool milter;
};

/* One list of restrictions, element by element. */
struct walk {
	struct postfix *p;
	const char *name;
	struct place place;
	bool refuses;		/* reject_unauth_destination stands before */
	bool own;		/* permit_mynetworks does */
	bool backup;		/* permit_mx_backup does */
	bool over;		/* nothing behind is reached */
	struct buf value;
};

static const char *const recipient_list = "smtpd_recipient_restrictions";

static void read_value(const struct postfix *p, const char *name, const char *fallback, struct buf *out)
{
	postfixconf_value(p->conf, p->smtpd, name, fallback, out, NULL);
}

/* "4", "3.10": whether it is at least 3.6, from which the list for relaying comes first. */
static bool relays_first(const struct postfix *p)
{
	char text[40], own[40];
	struct buf level = BUF_ON(text), set = BUF_ON(own);
	struct span major, rest;
	uint64_t a, b;

	read_value(p, "smtpd_relay_before_recipient_restrictions", "", &set);
	if (set.n)
		return span_ieq(buf_span(&set), span_of("yes"));
	read_value(p, "compatibility_level", "0", &level);
	rest = buf_span(&level);
	span_cut(&rest, '.', &major);
	if (!span_uint(major, 1000, &a))
		return true;
	return a > 3 || (a == 3 && span_uint(rest, 1000, &b) && b >= 6);
}

static bool is_any(struct span s, const char *const *words)
{
	for (; *words; words++)
		if (span_eq(s, span_of(*words)))
			return true;
	return false;
}

static bool refuses_strangers(struct span s)
{
	static const char *const words[] = { "reject_unauth_destination", "defer_unauth_destination", "check_relay_domains",
		"reject", "defer", NULL };

	return is_any(s, words);
}

/* --- Where a check asks ----------------------------------------------------------------- */

static void suggest_value(const struct walk *w, struct buf *out);

static void describe(const struct walk *w, struct span service, struct buf *out)
{
	buf_addf(out, "%s: check_policy_service ", w->name);
	buf_addsafe(out, service, 120);
}

/* unix:PATH as this smtpd sees it. */
static void unix_path(const struct postfix *p, struct span path, bool chroot, struct buf *out)
{
	bool absolute = path.n && path.p[0] == '/';

	if (chroot || !absolute)
		buf_addf(out, "%s%s", p->queue, absolute ? "" : "/");
	buf_addsafe(out, path, 200);
}

static void check_unix(struct walk *w, struct span path)
{
	struct postfix *p = w->p;
	char seen[600], outside[600], line[600], text[1000];
	struct buf a = BUF_ON(seen), b = BUF_ON(outside), lines = BUF_ON(text);

	unix_path(p, path, p->chroot, &a);
	unix_path(p, path, false, &b);
	snprintf(line, sizeof line, SOCKET_LINE, p->queue, p->owner);
	if (p->chroot && !doctor_listens_unix(p->d, buf_span(&a)) && doctor_listens_unix(p->d, buf_span(&b))) {
		p->asked = true;
		doctor_found(p->d, DOCTOR_BAD, (struct place){ MASTER, p->smtpd->line }, DOCTOR_CONFIG, line,
			     "smtpd runs in a chroot and sees only what is below %s, not %.200s", p->queue, buf_str(&b));
		buf_addf(&lines, "check_policy_service unix:private/greylag    # in %s, in place of ", w->name);
		buf_addsafe(&lines, path, 200);
		buf_addc(&lines, '\n');
		doctor_found(p->d, DOCTOR_WARN, w->place, MAIN, buf_str(&lines), "the check must name the socket in the chroot");
		return;
	}
	if (!doctor_listens_unix(p->d, buf_span(&a)))
		return;
	p->asked = true;
	doctor_socket(p->d, w->place, buf_str(&a), p->owner, line);
}

static void check_tcp(struct walk *w, struct span where)
{
	size_t colon = span_rfind(where, ':');
	struct span host = colon < where.n ? span_head(where, colon) : span_make("", 0);

	struct span port = colon < where.n ? span_from(where, colon + 1) : where;
	if (!doctor_listens_tcp(w->p->d, host, port))
		return;
	w->p->asked = true;
	doctor_tcp(w->p->d, w->place, host, port);
}

/* Whether mail flows while greylagd is away. */
static void check_default(struct walk *w, struct span options)
{
	char text[300];
	struct buf b = BUF_ON(text);
	struct span word;

	while (postfixconf_element(&options, &word))
		if (span_starts(word, span_of("default_action")))
			return;
	read_value(w->p, "smtpd_policy_service_default_action", "", &b);
	if (b.n == 0)
		doctor_found(w->p->d, DOCTOR_WARN, w->place, MAIN, "smtpd_policy_service_default_action = DUNNO\n",
			     "while greylagd is away all mail gets \"451 4.3.5 Server configuration problem\"");
}

static bool is_ours(struct walk *w, struct span argument)
{
	struct span inner = span_trim(span_unwrap(argument, '{', '}')), options = inner, service;
	bool before = w->p->asked;

	w->p->asked = false;
	if (!postfixconf_element(&options, &service))
		service = inner;
	if (span_starts(service, span_of("unix:")))
		check_unix(w, span_from(service, 5));
	else if (span_starts(service, span_of("inet:")))
		check_tcp(w, span_from(service, 5));
	bool ours = w->p->asked;
	w->p->asked = before || ours;
	if (ours)
		check_default(w, options);
	return ours;
}

/* --- Where a check stands --------------------------------------------------------------- */

static bool has_outgoing_rule(const struct doctor *d)
{
	for (unsigned i = 0; d->config && i < ruleset_rules(d->config->rules); i++)
		if (ruleset_ruling(d->config->rules, i)->action == ACTION_OUTGOING)
			return true;
	return false;
}

static void check_order(struct walk *w, struct span service)
{
	struct doctor *d = w->p->d;
	char what[250];
	struct buf b = BUF_ON(what), suggested = buf_heap(LINES_MAX);

	describe(w, service, &b);
	suggest_value(w, &suggested);
	if (w->over)
		doctor_found(d, DOCTOR_BAD, w->place, MAIN, buf_str(&suggested), "%s: nobody gets to it, what stands before decides about all mail",
			     buf_str(&b));
	else if (!w->refuses)
		doctor_found(d, DOCTOR_BAD, w->place, MAIN, buf_str(&suggested),
			     "%s: stands before reject_unauth_destination, so strangers who try to relay are asked about", buf_str(&b));
	else if (w->backup)
		doctor_found(d, DOCTOR_BAD, w->place, MAIN, buf_str(&suggested),
			     "%s: stands behind permit_mx_backup, so mail for domains we are backup of is not asked about", buf_str(&b));
	else if (!w->own && !has_outgoing_rule(d))
		doctor_found(d, DOCTOR_WARN, w->place, MAIN, buf_str(&suggested),
			     "%s: permit_mynetworks does not stand before it, so mail from our own networks is greylisted", buf_str(&b));
	buf_free(&suggested);
}

/* --- Lists ------------------------------------------------------------------------------ */

static void note_element(struct walk *w, struct span e)
{
	static const char *const ends[] = { "permit", "reject", "defer", NULL };

	w->refuses = w->refuses || refuses_strangers(e);
	w->own = w->own || span_eq(e, span_of("permit_mynetworks"));
	w->backup = w->backup || span_eq(e, span_of("permit_mx_backup"));
	w->over = w->over || is_any(e, ends);
}

/* True when our check stands in it. */
static bool walk_list(struct walk *w, bool ordered)
{
	struct span rest = buf_span(&w->value), e, argument;
	bool found = false;

	while (postfixconf_element(&rest, &e)) {
		if (!span_eq(e, span_of("check_policy_service"))) {
			note_element(w, e);
			continue;
		}
		if (!postfixconf_element(&rest, &argument) || !is_ours(w, argument))
			continue;
		found = true;
		if (ordered)
			check_order(w, argument);
	}
	return found;
}

/* False when it is too long, which is reported. end_walk either way. */
static bool start_walk(struct walk *w, struct postfix *p, const char *name, const char *fallback)
{
	bool in_master;

	*w = (struct walk){ .p = p, .name = name, .value = buf_heap(POSTFIX_VALUE_MAX) };
	unsigned line = postfixconf_value(p->conf, p->smtpd, name, fallback, &w->value, &in_master);
	w->place = (struct place){ in_master ? MASTER : MAIN, line };
	if (!w->value.over)
		return true;
	p->asked = true;
	doctor_found(p->d, DOCTOR_WARN, w->place, NULL, NULL, "%.60s is longer than %zu bytes and was not looked at", name, POSTFIX_VALUE_MAX);
	return false;
}

static void end_walk(struct walk *w)
{
	buf_free(&w->value);
}

/* The list as it is, our check behind what must come first. */
static void suggest_value(const struct walk *w, struct buf *out)
{
	static const char *const first[] = { "permit_mynetworks", "permit_sasl_authenticated", "reject_unauth_destination", NULL };
	char service[200];
	struct buf where = BUF_ON(service);
	struct span rest = buf_span(&w->value), e, argument;

	doctor_service(w->p->d, w->p->queue, &where);
	buf_addf(out, "%s =\n    permit_mynetworks,\n    permit_sasl_authenticated,\n    reject_unauth_destination,\n"
		 "    check_policy_service { %s, timeout=10s, default_action=DUNNO }", recipient_list, buf_str(&where));
	bool same = strcmp(w->name, recipient_list) == 0;
	while (same && postfixconf_element(&rest, &e)) {
		bool check = span_eq(e, span_of("check_policy_service"));
		bool has = check && postfixconf_element(&rest, &argument);
		struct span inner = has ? span_trim(span_unwrap(argument, '{', '}')) : e, name = inner;
		postfixconf_element(&inner, &name);
		if (is_any(e, first) || (has && (span_starts(name, buf_span(&where)) || doctor_listens_unix(w->p->d, span_from(name, 5)))))
			continue;
		buf_adds(out, ",\n    ");
		buf_addshown(out, e, e.n);
		if (has) {
			buf_addc(out, ' ');
			buf_addshown(out, argument, argument.n);
		}
	}
	buf_addc(out, '\n');
}

/* Lists that are judged before anything is known of the recipient's domain. */
static void check_early(struct postfix *p)
{
	static const char *const names[] = { "smtpd_client_restrictions", "smtpd_helo_restrictions", "smtpd_sender_restrictions" };
	struct walk w;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (start_walk(&w, p, names[i], ""))
			walk_list(&w, true);
		end_walk(&w);
	}
}

static void check_recipients(struct postfix *p)
{
	struct walk w, relay;

	bool known = start_walk(&relay, p, "smtpd_relay_restrictions", "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination");
	if (known)
		walk_list(&relay, true);
	if (start_walk(&w, p, recipient_list, "")) {
		if (relays_first(p))
			w.refuses = relay.refuses || !known;
		walk_list(&w, true);
	}
	end_walk(&w);
	end_walk(&relay);
}

static void check_data(struct postfix *p)
{
	static const char *const names[] = { "smtpd_data_restrictions", "smtpd_end_of_data_restrictions" };
	char service[200], lines[400];
	struct buf where = BUF_ON(service), b = BUF_ON(lines);
	bool before = p->asked;
	struct walk w;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		p->data = !start_walk(&w, p, names[i], "") || walk_list(&w, false) || p->data;
		end_walk(&w);
	}
	p->asked = before || p->data;
	if (!before || p->data)
		return;
	doctor_service(p->d, p->queue, &where);
	buf_addf(&b, "smtpd_data_restrictions =\n    check_policy_service { %s, timeout=10s, default_action=DUNNO }\n", buf_str(&where));
	doctor_found(p->d, DOCTOR_WARN, (struct place){ MAIN, 0 }, MAIN, buf_str(&b),
		     "%s", DOCTOR_NO_BOUNCES);
}

/* Restriction classes are called by tables that we do not read. */
static bool class_asks(struct postfix *p)
{
	struct buf b = buf_heap(POSTFIX_VALUE_MAX);
	struct span rest, e;
	struct walk w;
	bool found = false;

	read_value(p, "smtpd_restriction_classes", "", &b);
	rest = buf_span(&b);
	while (postfixconf_element(&rest, &e)) {
		char name[100];
		snprintf(name, sizeof name, "%.*s", SPAN_ARG(span_head(e, 99)));
		found = (start_walk(&w, p, name, "") && walk_list(&w, false)) || found;
		end_walk(&w);
	}
	buf_free(&b);
	return found;
}

static void check_milters(struct postfix *p)
{
	struct buf b = buf_heap(POSTFIX_VALUE_MAX);
	struct span rest, e;

	read_value(p, "smtpd_milters", "", &b);
	rest = buf_span(&b);
	while (postfixconf_element(&rest, &e)) {
		struct span inner = span_trim(span_unwrap(e, '{', '}')), where = inner;
		postfixconf_element(&inner, &where);
		for (size_t i = 0; i < where.n; i++)
			p->milter = p->milter || span_starts(span_from(where, i), span_of("greylag"));
	}
	buf_free(&b);
}

static void check_postscreen(struct postfix *p)
{
	static const char *const names[] = { "postscreen_pipelining_enable", "postscreen_non_smtp_command_enable", "postscreen_bare_newline_enable" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char text[40], line[100];
		struct buf b = BUF_ON(text);
		unsigned at = postfixconf_value(p->conf, NULL, names[i], "no", &b, NULL);
		if (!span_ieq(buf_span(&b), span_of("yes")))
			continue;
		snprintf(line, sizeof line, "%s = no\n", names[i]);
		doctor_found(p->d, DOCTOR_WARN, (struct place){ MAIN, at }, MAIN, line,
			     "postscreen defers every new client by itself, by its exact address: senders with many wait twice");
	}
}

static void check_asked(struct postfix *p)
{
	struct buf lines = buf_heap(LINES_MAX);
	struct walk w;

	/* Without a configuration nobody knows where greylagd listens. */
	if (!p->d->config || p->asked || p->milter || class_asks(p))
		return;
	if (start_walk(&w, p, recipient_list, "")) {
		suggest_value(&w, &lines);
		doctor_found(p->d, DOCTOR_BAD, (struct place){ MAIN, w.place.line }, MAIN, buf_str(&lines),
			     "no list of restrictions asks greylagd where greylag.conf says it listens");
	}
	end_walk(&w);
	buf_free(&lines);
}

/* --- Services --------------------------------------------------------------------------- */

/* The service that strangers talk to. Those of our own users have lists of their own. */
static bool is_public(const struct postfix_service *s)
{
	static const char *const own[] = { "submission", "submissions", "smtps", "465", "587", "10025", NULL };
	size_t colon = span_rfind(s->name, ':');

	if (!span_eq(s->command, span_of("smtpd")) || is_any(colon < s->name.n ? span_from(s->name, colon + 1) : s->name, own))
		return false;
	return span_eq(s->type, span_of("inet")) || span_eq(s->type, span_of("pass"));
}

/* "-" is the default: n since Postfix 3.0 with a compatibility level of 1, y before. */
static bool in_chroot(const struct postfix *p)
{
	char text[40];
	struct buf level = BUF_ON(text);

	if (!span_eq(p->smtpd->chroot, span_of("-")))
		return span_eq(p->smtpd->chroot, span_of("y"));
	read_value(p, "compatibility_level", "0", &level);
	return span_eq(buf_span(&level), span_of("0"));
}

static void check_service(struct postfix *p)
{
	struct buf queue = buf_on(p->queue, sizeof p->queue), owner = buf_on(p->owner, sizeof p->owner);

	read_value(p, "queue_directory", "/var/spool/postfix", &queue);
	read_value(p, "mail_owner", "postfix", &owner);
	p->chroot = in_chroot(p);
	p->asked = p->data = p->milter = false;
	check_early(p);
	check_recipients(p);
	check_milters(p);
	check_data(p);
	check_asked(p);
}

static void check_all(struct postfix *p)
{
	unsigned count = 0;

	for (unsigned i = 0; i < p->conf->service_count; i++) {
		if (!is_public(&p->conf->services[i]))
			continue;
		p->smtpd = &p->conf->services[i];
		count++;
		check_service(p);
	}
	p->smtpd = NULL;
	if (count == 0)
		doctor_found(p->d, DOCTOR_WARN, (struct place){ MASTER, 0 }, NULL, NULL, "there is no smtpd for strangers in its first %d "
			     "lines, so nothing was looked at", POSTFIX_SERVICES_MAX);
	check_postscreen(p);
	if (count && p->d->config && p->d->found == 0)
		doctor_found(p->d, DOCTOR_OK, (struct place){ MAIN, 0 }, NULL, NULL, "asks greylagd, in the right place");
}

void doctor_postfix(struct doctor *d)
{
	struct buf main, master;
	struct postfix p = { .d = d };

	if (doctor_read(d, MAIN, &main) != 1) {
		buf_free(&main);
		return;
	}
	d->mtas++;
	doctor_read(d, MASTER, &master);
	p.conf = postfixconf_new(main, master);
	if (p.conf)
		check_all(&p);
	postfixconf_free(&p.conf);
}
