#include "doors/options.h"

#include <getopt.h>

#include "base/value.h"
#include "version.h"

#define ENDPOINT_DEFAULT "unix:/run/greylag/policy"
#define OWN_MAX 24
#define USAGE_STATUS 64
#define DEADLINE_MOST_MS (240 * 1000)	/* RFC 5321 section 4.5.3.2.3: a client waits 5 minutes */

static int set_socket(struct door_options *o, const char *value, struct buf *why)
{
	return endpoint_parse(span_of(value), &o->endpoint, why);
}

static int set_deadline(struct door_options *o, const char *value, struct buf *why)
{
	uint64_t ms;

	if (value_duration_ms(span_of(value), &ms, why) != 0)
		return -1;
	if (ms < 10 || ms > DEADLINE_MOST_MS)
		return buf_fail(why, "must be from 10ms to 4m");
	o->deadline_ms = (unsigned)ms;
	return 0;
}

static int set_on_failure(struct door_options *o, const char *value, struct buf *why)
{
	o->defer = strcmp(value, "defer") == 0;
	return o->defer || strcmp(value, "pass") == 0 ? 0 : buf_fail(why, "pass or defer is meant?");
}

static bool is_enhanced(struct span s)
{
	struct span part;
	unsigned parts = 0;
	uint64_t n;

	if (s.n < 5 || s.n > 9 || s.p[0] != '4' || s.p[s.n - 1] == '.')
		return false;
	while (span_cut(&s, '.', &part))
		parts += span_uint(part, 999, &n) ? 1 : 4;
	return parts == 3;
}

static int set_reply(struct door_options *o, const char *value, struct buf *why)
{
	struct span s = span_of(value), code = span_head(s, span_find(s, ' ')), rest = span_from(s, code.n + 1);
	uint64_t n;

	if (code.n != 3 || code.p[0] != '4' || !span_uint(code, 499, &n) || (rest.n && !is_enhanced(rest)))
		return buf_fail(why, "codes such as \"451 4.7.1\" are needed");
	snprintf(o->code, sizeof o->code, "%.*s", SPAN_ARG(code));
	snprintf(o->enhanced, sizeof o->enhanced, "%.*s", SPAN_ARG(rest));
	return 0;
}

static const struct shared {
	const char *name, *value, *help;
	int (*set)(struct door_options *o, const char *value, struct buf *why);
} shared[] = {
	{ "socket", "WHERE", "greylagd: unix:/PATH or inet:ADDRESS:PORT (default " ENDPOINT_DEFAULT ")", set_socket },
	{ "deadline", "TIME", "longest wait for an answer (default 5s)", set_deadline },
	{ "on-failure", "pass|defer", "what happens to mail when there is none (default pass)", set_on_failure },
	{ "reply", "CODES", "SMTP codes of a deferral (default \"451 4.7.1\")", set_reply },
};
#define SHARED (sizeof shared / sizeof *shared)

static void usage(FILE *out, const char *program, const char *words, const struct door_option *own)
{
	char left[40];

	fprintf(out, "usage: %s [OPTIONS]%s%s\n", program, words[0] ? " " : "", words);
	for (size_t i = 0; i < SHARED; i++) {
		snprintf(left, sizeof left, "--%s %s", shared[i].name, shared[i].value);
		fprintf(out, "  %-24s %s\n", left, shared[i].help);
	}
	for (; own && own->name; own++) {
		snprintf(left, sizeof left, "--%s %s", own->name, own->value ? own->value : "");
		fprintf(out, "  %-24s %s\n", left, own->help);
	}
}

/* The shared options, then the door's own, then help and version. */
static size_t fill(struct option *table, const struct door_option *own)
{
	size_t n = 0;

	for (; n < SHARED; n++)
		table[n] = (struct option){ shared[n].name, required_argument, NULL, 1 };
	for (; own && own->name && n < SHARED + OWN_MAX; own++)
		table[n++] = (struct option){ own->name, own->value ? required_argument : no_argument, NULL, 1 };
	table[n] = (struct option){ "help", no_argument, NULL, 'h' };
	table[n + 1] = (struct option){ "version", no_argument, NULL, 'V' };
	table[n + 2] = (struct option){ NULL, 0, NULL, 0 };
	return n;
}

static void set_one(const char *program, const struct option *row, int index, const struct door_option *own,
		    struct door_options *out)
{
	char text[200];
	struct buf why = BUF_ON(text);
	const char *value = optarg ? optarg : "";
	int status = (size_t)index < SHARED ? shared[index].set(out, value, &why)
					    : own[(size_t)index - SHARED].set(value, &why);

	if (status == 0)
		return;
	fprintf(stderr, "%s: --%s %s: %s\n", program, row->name, value, buf_str(&why));
	exit(USAGE_STATUS);
}

int door_options(int argc, char **argv, const char *words, const struct door_option *own,
		 struct door_options *out)
{
	const char *slash = strrchr(argv[0], '/'), *program = slash ? slash + 1 : argv[0];
	struct option table[SHARED + OWN_MAX + 3];
	char text[200];
	struct buf why = BUF_ON(text);
	int o, index;

	*out = (struct door_options){ .deadline_ms = 5000, .code = "451", .enhanced = "4.7.1" };
	endpoint_parse(span_of(ENDPOINT_DEFAULT), &out->endpoint, &why);
	fill(table, own);
	/* '+': what follows the first word may be a command with options of its own. */
	while ((o = getopt_long(argc, argv, "+hV", table, &index)) != -1)
		switch (o) {
		case 1: set_one(program, &table[index], index, own, out); break;
		case 'h': usage(stdout, program, words, own); exit(0);
		case 'V': printf("%s %s\n", program, GREYLAG_VERSION); exit(0);
		default: usage(stderr, program, words, own); exit(USAGE_STATUS);
		}
	return optind;
}
