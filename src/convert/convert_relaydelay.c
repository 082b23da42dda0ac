/* relaydelay 0.05's relaydelay.conf: a Perl file of assignments. Numbers may be products. */
#include "convert/keyvalue.h"

#define DAY 86400

struct relaydelay {
	struct convert *c;
	bool delay, window, keep, by_subnet, passes, tracks;
	int64_t reverse_s;
};

/* "36 * 24 * 3600" */
static bool product(struct relaydelay *r, struct span s, int64_t *out)
{
	struct span factor;
	uint64_t n, all = 1;

	while (span_cut(&s, '*', &factor)) {
		if (!span_uint(span_trim(factor), 100000000, &n) || (n && all > 1000000000 / n)) {
			convert_missing(r->c, span_make("", 0), "a number is expected");
			return false;
		}
		all *= n;
	}
	*out = (int64_t)all;
	return true;
}

static void take_delay(void *arg, struct span value)
{
	struct relaydelay *r = arg;
	int64_t seconds;

	r->delay = true;
	if (value.n && value.p[0] == '-') {
		convert_line(r->c, "greylist delay 0");
		return;
	}
	if (!product(r, value, &seconds))
		return;
	if (seconds == 0) {
		convert_line(r->c, "mode observe");
		convert_differs(r->c, "all is decided and logged with the delay of 58 minutes, and all mail passes");
		r->delay = false;
	} else {
		convert_time(r->c, "delay", seconds, 0, DAY);
	}
}

static void take_window(void *arg, struct span value)
{
	struct relaydelay *r = arg;
	int64_t seconds;

	if (product(r, value, &seconds))
		convert_time(r->c, "window", seconds, 60, 60 * DAY);
	r->window = true;
}

static void take_keep(void *arg, struct span value)
{
	struct relaydelay *r = arg;
	int64_t seconds;

	if (product(r, value, &seconds))
		convert_time(r->c, "keep", seconds, 7 * DAY, 3650 * DAY);
	r->keep = true;
}

static bool is_true(struct span value)
{
	return value.n && !span_eq(value, span_of("0"));
}

static void take_update(void *arg, struct span value)
{
	struct relaydelay *r = arg;

	if (is_true(value))
		convert_needless(r->c, "every mail that passes renews its records");
	else
		convert_missing(r->c, span_make("", 0), "every mail that passes renews its records");
}

static void take_subnet(void *arg, struct span value)
{
	struct relaydelay *r = arg;

	r->by_subnet = is_true(value);
	convert_needless(r->c, "see identity");
}

static void take_unavailable(void *arg, struct span value)
{
	struct relaydelay *r = arg;

	r->passes = is_true(value);
	convert_needless(r->c, "see on-store-failure");
}

static void take_tracking(void *arg, struct span value)
{
	struct relaydelay *r = arg;

	r->tracks = is_true(value);
	convert_needless(r->c, "see outbound keep");
}

static void take_reverse_life(void *arg, struct span value)
{
	struct relaydelay *r = arg;

	if (product(r, value, &r->reverse_s))
		convert_needless(r->c, "see outbound keep");
}

static void take_after_data(void *arg, struct span value)
{
	struct relaydelay *r = arg;

	if (is_true(value))
		convert_missing(r->c, span_make("", 0), "ask at DATA: smtpd_data_restrictions of Postfix");
	else
		convert_needless(r->c, "the verdict falls at RCPT");
}

static void take_format_check(void *arg, struct span value)
{
	struct relaydelay *r = arg;

	if (is_true(value))
		convert_missing(r->c, span_make("", 0), "the MTA checks the form of addresses");
	else
		convert_needless(r->c, "the MTA checks the form of addresses");
}

static void take_socket(void *arg, struct span value)
{
	struct relaydelay *r = arg;
	char text[400];
	struct buf b = BUF_ON(text);

	buf_adds(&b, "greylag-milter has the socket: greylag-milter --listen \"");
	buf_addsafe(&b, value, 200);
	buf_addc(&b, '"');
	convert_needless(r->c, buf_str(&b));
}

static void take_verbose(void *arg, struct span value)
{
	struct relaydelay *r = arg;

	convert_line(r->c, "log level %s", is_true(value) ? "debug" : "info");
}

#define STORE "greylagd has a store of its own; greylag import relaydelay brings along what is in this one"
static const struct keyvalue rows[] = {
	{ "verbose", take_verbose, false, NULL },
	{ "delay_mail_secs", take_delay, false, NULL }, { "auto_record_life_secs", take_window, false, NULL },
	{ "update_record_life", take_update, false, NULL }, { "update_record_life_secs", take_keep, false, NULL },
	{ "do_relay_lookup_by_subnet", take_subnet, false, NULL },
	{ "pass_mail_when_db_unavail", take_unavailable, false, NULL },
	{ "reverse_mail_tracking", take_tracking, false, NULL },
	{ "reverse_mail_life_secs", take_reverse_life, false, NULL },
	{ "tempfail_messages_after_data_phase", take_after_data, false, NULL },
	{ "check_envelope_address_format", take_format_check, false, NULL },
	{ "milter_socket_connection", take_socket, false, NULL },
	{ "milter_filter_name", NULL, false, "the name stands in Sendmail's configuration only" },
	{ "database_type", NULL, false, STORE }, { "database_name", NULL, false, STORE },
	{ "database_host", NULL, false, STORE }, { "database_port", NULL, false, STORE },
	{ "database_user", NULL, false, STORE }, { "database_pass", NULL, false, STORE },
	{ "check_stale_db_handles", NULL, false, "greylagd connects again by itself" },
	{ "relaydelay_pid_file", NULL, false, "the unit file follows greylagd without one" },
	{ "maximum_milter_threads", NULL, false, "greylagd and greylag-milter have one thread for all (limit connections)" },
	{ "check_wildcard_relay_ip", NULL, false, "rules stand in this file; xlist.pl's rows become rules or living lists by hand" },
	{ "check_wildcard_rcpt_to", NULL, false, "rules stand in this file; xlist.pl's rows become rules or living lists by hand" },
	{ "enable_relay_name_updates", NULL, false, "no names are kept" },
	{ "learn_local_recipients", NULL, false, "relaydelay itself does nothing with it" },
	{ "valid_local_rcpt_to", NULL, false, "relaydelay itself does nothing with it" },
	{ NULL, NULL, false, NULL },
};

/* $name = value;  # comment */
static void take_line(struct relaydelay *r, struct span line)
{
	size_t sign = span_find(line, '=');
	struct span name = span_trim(span_head(line, sign)), value = span_trim(span_from(line, sign + 1));

	if (span_starts(name, span_of("my ")) || span_starts(name, span_of("our ")))
		name = span_trim(span_from(name, span_find(name, ' ')));
	if (sign == line.n || name.n < 2 || name.p[0] != '$') {
		convert_missing(r->c, span_make("", 0), "only assignments are understood");
		return;
	}
	if (value.n && (value.p[0] == '\'' || value.p[0] == '"')) {
		value = span_head(span_from(value, 1), span_find(span_from(value, 1), value.p[0]));
	} else {
		value = span_head(value, span_find(value, ';'));
		value = span_trim(span_head(value, span_find(value, '#')));
	}
	keyvalue_take(r->c, rows, r, span_from(name, 1), value);
}

static void write_rest(struct relaydelay *r)
{
	convert_at(r->c, "relaydelay", 0, span_of("its defaults, where no line says otherwise"));
	if (!r->delay)
		convert_line(r->c, "greylist delay 58m");
	if (!r->window)
		convert_line(r->c, "greylist window 5h");
	if (!r->keep)
		convert_line(r->c, "greylist keep 36d");
	convert_at(r->c, "relaydelay", 0, span_of("whom it takes for one client"));
	convert_line(r->c, "identity network ipv4-prefix %d ipv6-prefix %d", r->by_subnet ? 24 : 32, r->by_subnet ? 64 : 128);
	buf_adds(&r->c->parts[CONVERT_SETTINGS], "#   with `identity host`, greylag's default, far fewer servers of large "
		 "senders wait\n");
	convert_at(r->c, "relaydelay", 0, span_of("pass_mail_when_db_unavail"));
	convert_line(r->c, "on-store-failure %s", r->passes ? "pass" : "defer");
	convert_at(r->c, "relaydelay", 0, span_of("reverse_mail_tracking"));
	if (r->tracks) {
		char text[40];
		struct buf b = BUF_ON(text);
		buf_addduration(&b, (uint64_t)r->reverse_s);
		convert_line(r->c, "outbound keep %s", buf_str(&b));
	} else {
		convert_line(r->c, "outbound keep 0");
	}
	convert_at(r->c, "relaydelay", 0, span_of("where greylag-milter asks"));
	convert_line(r->c, "listen policy unix /run/greylag/policy");
	convert_line(r->c, "listen control unix /run/greylag/control");
}

int convert_relaydelay(struct convert *c, char **words, int count, struct buf *why)
{
	struct relaydelay r = { .c = c, .by_subnet = true, .reverse_s = 4 * DAY };
	struct buf text = buf_heap(CONVERT_FILE_MAX);
	int found = count == 1 ? convert_read("", words[0], &text, why) : buf_fail(why, "one file at a time");
	struct span rest = buf_span(&text), line;

	for (unsigned number = 1; found == 1 && span_cut(&rest, '\n', &line); number++) {
		line = span_trim(line);
		if (line.n == 0 || line.p[0] == '#' || span_starts(line, span_of("use ")) || span_eq(line, span_of("1;")))
			continue;
		convert_at(c, words[0], number, convert_harmless(line));
		take_line(&r, line);
	}
	if (found == 1)
		write_rest(&r);
	buf_free(&text);
	return found == 1 ? 0 : -1;
}
