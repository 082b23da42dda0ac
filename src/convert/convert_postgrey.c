/* postgrey 1.37: its command line (postgrey(8)), from /etc/default/postgrey or as given,
 * and the lists that it names. */
#include "convert/convert.h"

#define DAY 86400

struct postgrey {
	struct convert *c;
	struct span mode;		/* --socketmode */
	struct span ipv4, ipv6;
	bool exim, by_host, text, delay, window, keep, listed;
	struct span sockets[8];
	bool is_unix[8];
	unsigned socket_count;
};

static void number_of_days(struct postgrey *p, struct span value, const char *name, unsigned least_days, unsigned most)
{
	bool hours = value.n && ascii_lower(value.p[value.n - 1]) == 'h';
	uint64_t n;

	if (!span_uint(hours ? span_head(value, value.n - 1) : value, 100000, &n))
		convert_missing(p->c, span_make("", 0), "a number of days is expected");
	else if (n)
		convert_time(p->c, name, (int64_t)n * (hours ? 3600 : DAY), least_days ? least_days * DAY : 60, most * DAY);
}

static void take_delay(struct postgrey *p, struct span value)
{
	uint64_t n;

	if (!span_uint(value, 100000000, &n))
		convert_missing(p->c, span_make("", 0), "a number of seconds is expected");
	else if (n)
		convert_time(p->c, "delay", (int64_t)n, 0, DAY);
	/* postgrey takes 0 as not given. */
	p->delay = p->delay || n;
}

static void take_max_age(struct postgrey *p, struct span value)
{
	number_of_days(p, value, "keep", 7, 3650);
	p->keep = !span_eq(value, span_of("0"));
}

static void take_window(struct postgrey *p, struct span value)
{
	number_of_days(p, value, "window", 0, 60);
	p->window = true;
}

static void take_socket(struct postgrey *p, struct span value, bool is_unix)
{
	if (p->socket_count == sizeof p->sockets / sizeof *p->sockets) {
		convert_missing(p->c, span_make("", 0), "so many sockets");
		return;
	}
	p->sockets[p->socket_count] = value;
	p->is_unix[p->socket_count++] = is_unix;
}

static void take_unix(struct postgrey *p, struct span value) { take_socket(p, value, true); }
static void take_inet(struct postgrey *p, struct span value) { take_socket(p, value, false); }
static void take_mode(struct postgrey *p, struct span value) { p->mode = value; }
static void take_ipv4(struct postgrey *p, struct span value) { p->ipv4 = value; }
static void take_ipv6(struct postgrey *p, struct span value) { p->ipv6 = value; }
static void take_exim(struct postgrey *p, struct span value) { (void)value; p->exim = true; }
static void take_by_host(struct postgrey *p, struct span value) { (void)value; p->by_host = true; }

static void take_action(struct postgrey *p, struct span value)
{
	convert_line(p->c, "reply defer %.*s", SPAN_ARG(span_head(value, 40)));
}

/* %s and %r mean the same there; other per cent signs mean nothing. */
static void take_text(struct postgrey *p, struct span value)
{
	char text[1000], line[2100];
	struct buf b = BUF_ON(text), word = BUF_ON(line);

	for (size_t i = 0; i < value.n; i++) {
		bool known = value.p[i] == '%' && i + 1 < value.n && (value.p[i + 1] == 's' || value.p[i + 1] == 'r');
		buf_adds(&b, value.p[i] == '%' && !known ? "%" : "");
		buf_addc(&b, value.p[i]);
	}
	p->text = true;
	if (b.over || span_find(value, '$') < value.n || !convert_text(&word, buf_span(&b))) {
		convert_missing(p->c, span_make("", 0), "such a text cannot be in a reply");
		return;
	}
	convert_line(p->c, "reply text %s", buf_str(&word));
	if (value.n && ascii_digit(value.p[0]))
		convert_line(p->c, "reply enhanced-code none");
}

static void take_hostname(struct postgrey *p, struct span value)
{
	char word[300];
	struct buf b = BUF_ON(word);

	convert_word(&b, span_head(value, 255));
	convert_line(p->c, "hostname %s", buf_str(&b));
}

static void take_facility(struct postgrey *p, struct span value)
{
	convert_line(p->c, "log facility %.*s", SPAN_ARG(span_head(value, 40)));
}

static void take_verbose(struct postgrey *p, struct span value)
{
	(void)value;
	convert_line(p->c, "log level debug");
}

static void take_quiet(struct postgrey *p, struct span value)
{
	(void)value;
	convert_line(p->c, "log level warning");
}

static void take_clients_count(struct postgrey *p, struct span value)
{
	if (span_eq(value, span_of("0")))
		convert_missing(p->c, span_make("", 0), "greylag always trusts who has retried well");
	else
		convert_differs(p->c, "greylag trusts a client after its first good retry, not after a number of mails");
}

static void take_list(struct postgrey *p, const char *condition, struct span value)
{
	char path[1024];

	snprintf(path, sizeof path, "%.*s", SPAN_ARG(span_head(value, sizeof path - 1)));
	p->listed = true;
	convert_list(p->c, condition, path, false);
}

static void take_clients(struct postgrey *p, struct span value) { take_list(p, "client", value); }
static void take_recipients(struct postgrey *p, struct span value) { take_list(p, "recipient", value); }

static void no_privacy(struct postgrey *p, struct span value)
{
	(void)value;
	convert_missing(p->c, span_make("", 0), "greylag stores addresses as they are");
}

static void no_header(struct postgrey *p, struct span value)
{
	(void)value;
	convert_line(p->c, "reply header yes");
	convert_missing(p->c, span_make("", 0), "the header's text is greylag's own");
}

enum value { NO_VALUE, VALUE, MAYBE_VALUE };
static const struct flag {
	const char *name;
	char letter;
	enum value value;
	void (*take)(struct postgrey *p, struct span value);
	const char *needless;
} flags[] = {
	{ "unix", 'u', VALUE, take_unix, NULL },
	{ "inet", 'i', VALUE, take_inet, NULL },
	{ "socketmode", 0, VALUE, take_mode, NULL },
	{ "exim", 0, NO_VALUE, take_exim, NULL },
	{ "delay", 0, VALUE, take_delay, NULL },
	{ "max-age", 0, VALUE, take_max_age, NULL },
	{ "retry-window", 0, VALUE, take_window, NULL },
	{ "greylist-action", 0, VALUE, take_action, NULL },
	{ "greylist-text", 0, VALUE, take_text, NULL },
	{ "lookup-by-subnet", 0, NO_VALUE, NULL, "it is so without the flag" },
	{ "lookup-by-host", 0, NO_VALUE, take_by_host, NULL },
	{ "ipv4cidr", 0, VALUE, take_ipv4, NULL },
	{ "ipv6cidr", 0, VALUE, take_ipv6, NULL },
	{ "privacy", 0, NO_VALUE, no_privacy, NULL },
	{ "hostname", 0, VALUE, take_hostname, NULL },
	{ "whitelist-clients", 0, VALUE, take_clients, NULL },
	{ "whitelist-recipients", 0, VALUE, take_recipients, NULL },
	{ "auto-whitelist-clients", 0, MAYBE_VALUE, take_clients_count, NULL },
	{ "x-greylist-header", 0, VALUE, no_header, NULL },
	{ "syslogfacility", 0, VALUE, take_facility, NULL },
	{ "syslog-facility", 0, VALUE, take_facility, NULL },
	{ "facility", 0, VALUE, take_facility, NULL },
	{ "verbose", 'v', NO_VALUE, take_verbose, NULL },
	{ "quiet", 'q', NO_VALUE, take_quiet, NULL },
	{ "user", 0, VALUE, NULL, "greylagd has a user of its own (user, group)" },
	{ "group", 0, VALUE, NULL, "greylagd has a user of its own (user, group)" },
	{ "dbdir", 0, VALUE, NULL, "greylagd has a store of its own; greylag import postgrey DIR brings along what is in this one" },
	{ "pidfile", 0, VALUE, NULL, "the unit file follows greylagd without one" },
	{ "daemonize", 'd', NO_VALUE, NULL, "the unit file decides that" },
	{ "listen-queue-size", 0, VALUE, NULL, "greylagd takes connections as they come (limit connections)" },
	{ "noaction", 'n', NO_VALUE, NULL, "postgrey ends with an error at it" },
	{ "help", 'h', NO_VALUE, NULL, "it configures nothing" },
	{ "man", 0, NO_VALUE, NULL, "it configures nothing" },
	{ "version", 0, NO_VALUE, NULL, "it configures nothing" },
};
#define FLAGS (sizeof flags / sizeof *flags)

/* As Getopt::Long: the whole name, or a beginning that fits one flag only. */
static const struct flag *find(struct span name)
{
	const struct flag *found = NULL;

	for (size_t i = 0; i < FLAGS; i++) {
		if (span_ieq(name, span_of(flags[i].name)))
			return &flags[i];
		if (name.n == 0 || !span_istarts(span_of(flags[i].name), name))
			continue;
		if (found)
			return NULL;
		found = &flags[i];
	}
	return found;
}

static const struct flag *find_letter(char letter)
{
	for (size_t i = 0; i < FLAGS; i++)
		if (flags[i].letter == letter)
			return &flags[i];
	return NULL;
}

/* One flag; returns how many words it takes. */
static unsigned take_flag(struct postgrey *p, struct span word, struct span next, bool has_next)
{
	bool is_long = span_starts(word, span_of("--"));
	struct span name = span_from(word, is_long ? 2 : 1), value = span_make("", 0);
	size_t sign = span_find(name, '=');
	const struct flag *f = is_long || name.n != 1 ? find(span_head(name, sign)) : find_letter(name.p[0]);
	unsigned used = 1;

	if (!f || word.n < 2 || word.p[0] != '-') {
		convert_missing(p->c, word, "postgrey has no such flag");
		return 1;
	}
	if (sign < name.n) {
		value = span_from(name, sign + 1);
	} else if (f->value == VALUE || (f->value == MAYBE_VALUE && has_next && next.n && ascii_digit(next.p[0]))) {
		value = next;
		used = 2;
	}
	if (f->value == VALUE && value.n == 0)
		convert_missing(p->c, word, "its value is missing");
	else if (f->take)
		f->take(p, value);
	else
		convert_needless(p->c, f->needless);
	return used;
}

static void take_options(struct postgrey *p, const char *file, unsigned line, struct span options)
{
	struct span words[200], rest = options, word;
	unsigned count = 0;

	while (span_cut(&rest, ' ', &word) && count < sizeof words / sizeof *words)
		if (word.n && !span_starts(word, span_of("$POSTGREY_OPTS")) && !span_starts(word, span_of("${POSTGREY_OPTS")))
			words[count++] = word;
	for (unsigned i = 0; i < count;) {
		convert_at(p->c, file, line, words[i]);
		i += take_flag(p, words[i], i + 1 < count ? words[i + 1] : span_make("", 0), i + 1 < count);
	}
	if (rest.n)
		convert_missing(p->c, span_make("", 0), "so many flags");
}

/* --- /etc/default/postgrey ------------------------------------------------------------ */

/* The value of an assignment of the shell, quotes undone, line ends as blanks. Returns
 * the number of lines it takes. */
static unsigned take_value(struct span *rest, struct buf *out)
{
	unsigned lines = 1;
	char quote = 0;
	size_t i = 0;

	for (; i < rest->n && (quote || rest->p[i] != '\n'); i++) {
		char b = rest->p[i];
		if (!quote && b == '#' && out->n && out->p[out->n - 1] == ' ') {
			i += span_find(span_from(*rest, i), '\n');
			break;
		}
		if (quote ? b == quote : b == '"' || b == '\'') {
			quote = quote ? 0 : b;
			continue;
		}
		bool joined = b == '\\' && i + 1 < rest->n && rest->p[i + 1] == '\n';
		i += joined;
		lines += joined || b == '\n';
		buf_addc(out, joined || b == '\n' || b == '\t' || b == '\r' ? ' ' : b);
	}
	*rest = span_from(*rest, i + 1);
	return lines;
}

/* Assignments point into `kept`, so it must not move. */
static void read_defaults(struct postgrey *p, const char *file, struct span text, struct buf *kept)
{
	unsigned line = 1;

	while (text.n) {
		struct span whole = span_trim(span_head(text, span_find(text, '\n')));
		size_t sign = span_find(whole, '=');
		unsigned at = line++;
		struct span name = span_head(whole, sign);
		if (span_starts(name, span_of("export ")))
			name = span_trim(span_from(name, 7));
		if (whole.n == 0 || whole.p[0] == '#' || sign == whole.n) {
			text = span_from(text, span_find(text, '\n') + 1);
			continue;
		}
		text = span_from(text, span_find(text, '=') + 1);
		size_t from = kept->n;
		line += take_value(&text, kept) - 1;
		struct span value = span_trim(span_from(buf_span(kept), from));
		convert_at(p->c, file, at, whole);
		if (span_eq(name, span_of("POSTGREY_OPTS")))
			take_options(p, file, at, value);
		else if (span_eq(name, span_of("POSTGREY_TEXT")))
			take_text(p, value);
		else
			convert_missing(p->c, name, "neither POSTGREY_OPTS nor POSTGREY_TEXT");
	}
}

/* --- The whole ------------------------------------------------------------------------ */

static void write_sockets(struct postgrey *p)
{
	struct span mode = p->mode.n ? p->mode : span_of("0666");

	if (p->socket_count == 0)
		convert_line(p->c, "listen policy tcp 127.0.0.1:10023%s", p->exim ? " once" : "");
	for (unsigned i = 0; i < p->socket_count; i++)
		if (p->is_unix[i])
			convert_listen_unix(p->c, p->sockets[i], mode, p->exim ? " once" : "");
		else
			convert_listen_inet(p->c, p->sockets[i], p->exim ? " once" : "");
	convert_line(p->c, "listen control unix /run/greylag/control");
}

static void write_rest(struct postgrey *p)
{
	struct span ipv4 = p->ipv4.n ? p->ipv4 : span_of("24"), ipv6 = p->ipv6.n ? p->ipv6 : span_of("64");

	convert_at(p->c, "postgrey", 0, span_of("its sockets"));
	write_sockets(p);
	convert_at(p->c, "postgrey", 0, span_of("its defaults, where no flag says otherwise"));
	if (!p->delay)
		convert_line(p->c, "greylist delay 5m");
	if (!p->window)
		convert_line(p->c, "greylist window 2d");
	if (!p->keep)
		convert_line(p->c, "greylist keep 35d");
	convert_at(p->c, "postgrey", 0, span_of("whom it takes for one client"));
	if (p->by_host)
		convert_line(p->c, "identity address");
	else
		convert_line(p->c, "identity network ipv4-prefix %.*s ipv6-prefix %.*s", SPAN_ARG(span_head(ipv4, 5)),
			     SPAN_ARG(span_head(ipv6, 5)));
	buf_adds(&p->c->parts[CONVERT_SETTINGS], "#   with `identity host`, greylag's default, far fewer servers of large "
		 "senders wait\n");
}

/* Debian's places, else upstream's. */
static void default_lists(struct postgrey *p)
{
	static const struct { const char *condition, *debian, *upstream; } lists[] = {
		{ "client", "/etc/postgrey/whitelist_clients", "/etc/postfix/postgrey_whitelist_clients" },
		{ "client", "/etc/postgrey/whitelist_clients.local", "/etc/postfix/postgrey_whitelist_clients.local" },
		{ "recipient", "/etc/postgrey/whitelist_recipients", "/etc/postfix/postgrey_whitelist_recipients" },
		{ "recipient", "/etc/postgrey/whitelist_recipients.local", "/etc/postfix/postgrey_whitelist_recipients.local" },
	};

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		convert_at(p->c, "postgrey", 0, span_of("a list that it reads unless a flag names another"));
		if (convert_list(p->c, lists[i].condition, lists[i].debian, true) == 0)
			convert_list(p->c, lists[i].condition, lists[i].upstream, true);
	}
}

static int read_file(struct postgrey *p, const char *path, struct buf *kept, struct buf *why)
{
	struct buf text = buf_heap(CONVERT_FILE_MAX);
	int found = convert_read("", path, &text, why);

	/* Room at once, so that what points into it stays. A value is never longer than its text. */
	if (found == 1 && buf_room(kept, text.n))
		read_defaults(p, path, buf_span(&text), kept);
	buf_free(&text);
	return found == 1 ? 0 : -1;
}

static void read_words(struct postgrey *p, char **words, int count)
{
	for (int i = 0; i < count;) {
		convert_at(p->c, "flag", (unsigned)i + 1, span_of(words[i]));
		i += (int)take_flag(p, span_of(words[i]), span_of(i + 1 < count ? words[i + 1] : ""), i + 1 < count);
	}
}

int convert_postgrey(struct convert *c, char **words, int count, struct buf *why)
{
	struct postgrey p = { .c = c };
	struct buf kept = buf_heap(CONVERT_FILE_MAX);
	int status = 0;

	if (words[0][0] == '-')
		read_words(&p, words, count);
	else if (count > 1)
		status = buf_fail(why, "one file at a time");
	else
		status = read_file(&p, words[0], &kept, why);
	if (status == 0) {
		write_rest(&p);
		if (!p.listed)
			default_lists(&p);
	}
	buf_free(&kept);
	return status;
}
