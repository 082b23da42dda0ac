/* Sendmail, OpenSMTPD, qmail: whether their configuration has our door, and the door what
 * it needs. */
#include <sys/stat.h>
#include <unistd.h>

#include "doctor/doctor.h"

#define MILTER_SOCKET "/run/greylag-milter/socket"

static bool contains(struct span s, const char *word)
{
	struct span w = span_of(word);

	for (size_t i = 0; i + w.n <= s.n; i++)
		if (span_ieq(span_head(span_from(s, i), w.n), w))
			return true;
	return false;
}

/* --- Sendmail: X lines and InputMailFilters of sendmail.cf (Installation and Operation Guide 5.11) --- */

#define SENDMAIL_CF "/etc/mail/sendmail.cf"
#define SENDMAIL_MC "/etc/mail/sendmail.mc"
#define SENDMAIL_LINE "INPUT_MAIL_FILTER(`greylag', `S=unix:" MILTER_SOCKET ", T=C:1m;S:10s;R:20s;E:1m')dnl\n"

/* S= of an equate list; its path when it is a UNIX socket, else empty. */
static struct span milter_path(struct span line)
{
	struct span rest = line, part;

	while (span_cut(&rest, ',', &part)) {
		part = span_trim(part);
		if (!span_istarts(part, span_of("S=")))
			continue;
		struct span where = span_from(part, 2);
		size_t colon = span_find(where, ':');
		bool is_unix = span_istarts(where, span_of("unix:")) || span_istarts(where, span_of("local:"));
		return is_unix ? span_from(where, colon + 1) : where.n && where.p[0] == '/' ? where : span_make("", 0);
	}
	return span_make("", 0);
}

struct sendmail {
	unsigned filter, input;		/* lines */
	struct span path;
	bool refuses;			/* F=R, F=T or F=4: mail waits when the milter is away */
	bool named;			/* among InputMailFilters */
	char name[64];
};

static void read_sendmail(struct sendmail *s, struct span text)
{
	struct span line;

	for (unsigned number = 1; span_cut(&text, '\n', &line); number++) {
		if (line.n > 1 && line.p[0] == 'X' && contains(line, "greylag")) {
			struct span name = span_from(span_head(line, span_find(line, ',')), 1);
			snprintf(s->name, sizeof s->name, "%.*s", SPAN_ARG(span_head(span_trim(name), 60)));
			s->filter = number;
			s->path = milter_path(line);
			s->refuses = contains(line, "F=T") || contains(line, "F=R") || contains(line, "F=4");
		}
		if (span_istarts(line, span_of("O InputMailFilters="))) {
			s->input = number;
			s->named = s->name[0] ? contains(line, s->name) : contains(line, "greylag");
		}
	}
}

void doctor_sendmail(struct doctor *d)
{
	struct buf text;
	struct sendmail s = { .name = "" };
	char path[200];

	if (doctor_read(d, SENDMAIL_CF, &text) == 1) {
		d->mtas++;
		read_sendmail(&s, buf_span(&text));
		snprintf(path, sizeof path, "%.*s", SPAN_ARG(span_head(s.path, 190)));
		if (!s.filter)
			doctor_found(d, DOCTOR_BAD, (struct place){ SENDMAIL_CF, 0 }, SENDMAIL_MC, SENDMAIL_LINE,
				     "Sendmail has no milter that is greylag");
		else if (s.input && !s.named)
			doctor_found(d, DOCTOR_BAD, (struct place){ SENDMAIL_CF, s.input }, SENDMAIL_MC, SENDMAIL_LINE,
				     "the milter is declared, but InputMailFilters leaves it out: MAIL_FILTER instead of INPUT_MAIL_FILTER?");
		if (s.filter && s.refuses)
			doctor_found(d, DOCTOR_WARN, (struct place){ SENDMAIL_CF, s.filter }, SENDMAIL_MC, SENDMAIL_LINE,
				     "with this F= no mail is taken while greylag-milter is away");
		if (s.filter && path[0])
			doctor_socket(d, (struct place){ SENDMAIL_CF, s.filter }, path, "", "");
		if (d->found == 0)
			doctor_found(d, DOCTOR_OK, (struct place){ SENDMAIL_CF, s.filter }, NULL, NULL, "asks greylag-milter");
	}
	buf_free(&text);
}

/* --- OpenSMTPD: smtpd.conf(5) ---------------------------------------------------------------------- */

#define OPENSMTPD_HOW "filter \"greylag\" proc-exec \"/usr/libexec/greylag/greylag-opensmtpd\"\n" \
	"# and in each line that takes mail from outside:\nlisten on ... filter \"greylag\"\n"

#define FILTERS_MAX 50

struct opensmtpd {
	struct span filters[FILTERS_MAX];	/* names of filters, chains and processes that lead to ours */
	unsigned count;
	unsigned filter;	/* the line of the last of them */
	unsigned unfiltered;	/* a listener on port 25 that goes through none */
	unsigned filtered;
};

/* The next word, of what quotes, braces and commas leave over. */
static bool next_word(struct span *rest, struct span *word)
{
	static const char between[] = " \t\r\",{}";
	size_t n = 0;

	while (rest->n && memchr(between, rest->p[0], sizeof between - 1))
		*rest = span_from(*rest, 1);
	while (n < rest->n && !memchr(between, rest->p[n], sizeof between - 1))
		n++;
	*word = span_head(*rest, n);
	*rest = span_from(*rest, n);
	return n > 0;
}

static bool has_word(struct span line, const char *word)
{
	struct span w;

	while (next_word(&line, &w))
		if (span_eq(w, span_of(word)))
			return true;
	return false;
}

/* One of the words is the name of a filter that leads to ours, or our program. */
static bool leads_to_us(const struct opensmtpd *o, struct span words)
{
	struct span w;

	while (next_word(&words, &w)) {
		if (span_ends(w, span_of("greylag-opensmtpd")))
			return true;
		for (unsigned i = 0; i < o->count; i++)
			if (span_eq(w, o->filters[i]))
				return true;
	}
	return false;
}

/* filter NAME proc-exec "...", filter NAME chain { A, B }, filter NAME proc P, proc P "..." */
static void read_filter(struct opensmtpd *o, struct span words, unsigned number)
{
	struct span name;

	if (!next_word(&words, &name) || !leads_to_us(o, words) || o->count == FILTERS_MAX)
		return;
	o->filters[o->count++] = name;
	o->filter = number;
}

static void read_listener(struct opensmtpd *o, struct span words, unsigned number)
{
	/* Users send through the others. */
	bool own = has_word(words, "auth") || has_word(words, "smtps") || has_word(words, "lo") || has_word(words, "lo0");
	struct span w = words;

	if (has_word(words, "socket"))
		return;
	while (words.n && next_word(&words, &w) && !span_eq(w, span_of("filter")))
		;
	if (leads_to_us(o, words))
		o->filtered = number;
	else if (!own)
		o->unfiltered = number;
}

static void read_opensmtpd(struct opensmtpd *o, struct span text)
{
	struct span line, rest, word;

	for (unsigned number = 1; span_cut(&text, '\n', &line); number++) {
		rest = span_head(line, span_find(line, '#'));
		if (!next_word(&rest, &word))
			continue;
		if (span_eq(word, span_of("filter")) || span_eq(word, span_of("proc")))
			read_filter(o, rest, number);
		else if (span_eq(word, span_of("listen")))
			read_listener(o, rest, number);
	}
}

void doctor_opensmtpd(struct doctor *d)
{
	static const char *const files[] = { "/etc/smtpd.conf", "/etc/opensmtpd/smtpd.conf", "/etc/mail/smtpd.conf" };
	struct buf text;
	struct opensmtpd o = { .filter = 0 };

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		bool found = doctor_read(d, files[i], &text) == 1;
		if (found) {
			d->mtas++;
			read_opensmtpd(&o, buf_span(&text));
			if (!o.filter)
				doctor_found(d, DOCTOR_BAD, (struct place){ files[i], 0 }, files[i], OPENSMTPD_HOW, "no filter of OpenSMTPD is greylag-opensmtpd");
			else if (!o.filtered || o.unfiltered)
				doctor_found(d, DOCTOR_BAD, (struct place){ files[i], o.unfiltered }, files[i], OPENSMTPD_HOW,
					     "mail that comes in by this line does not go through greylag-opensmtpd");
			if (d->found == 0)
				doctor_found(d, DOCTOR_OK, (struct place){ files[i], o.filter }, NULL, NULL, "goes through greylag-opensmtpd");
		}
		buf_free(&text);
		if (found)
			return;
	}
}

/* --- qmail: the run script of its smtpd, or qmail-spp's control file -------------------------------- */

#define QMAIL_HOW "/usr/libexec/greylag/greylag-qmail \\\n/var/qmail/bin/qmail-smtpd    # in place of qmail-smtpd alone\n"

static const char *qmail_file(struct doctor *d, const char *const *files, const char *word, bool *has)
{
	const char *found = NULL;

	for (; *files && !found; files++) {
		struct buf text;
		struct span rest, line;
		if (doctor_read(d, *files, &text) == 1)
			found = *files;
		rest = buf_span(&text);
		while (span_cut(&rest, '\n', &line))
			*has = *has || (span_trim(line).n && span_trim(line).p[0] != '#' && contains(line, word));
		buf_free(&text);
	}
	return found;
}

void doctor_qmail(struct doctor *d)
{
	static const char *const runs[] = { "/service/qmail-smtpd/run", "/etc/service/qmail-smtpd/run",
		"/var/qmail/supervise/qmail-smtpd/run", "/etc/qmail/qmail-smtpd/run", NULL };
	static const char *const plugins[] = { "/var/qmail/control/smtpplugins", NULL };
	bool wraps = false, plugs = false;
	const char *run = qmail_file(d, runs, "greylag-qmail", &wraps), *spp = qmail_file(d, plugins, "greylag-spp", &plugs);

	if (!run && !spp)
		return;
	d->mtas++;
	const struct place place = { run ? run : spp, 0 };
	if (!wraps && !plugs)
		doctor_found(d, DOCTOR_BAD, place, place.file, QMAIL_HOW, "neither greylag-qmail stands before qmail-smtpd nor greylag-spp among its plugins");
	if (wraps && plugs)
		doctor_found(d, DOCTOR_WARN, place, NULL, NULL, "greylag-qmail and greylag-spp ask about the same mail: one is enough");
	if (d->found == 0)
		doctor_found(d, DOCTOR_OK, place, NULL, NULL, "asks greylagd");
}
