#include "cli/listinput.h"

#include "base/netaddr.h"

static const struct {
	const char *word;
	bool octets;		/* "192.168" */
	bool names;
	bool comments;		/* belong to the entry */
} formats[] = {
	[LISTINPUT_AUTO] = { "auto", true, true, true },
	[LISTINPUT_CIDR] = { "cidr", false, false, false },
	[LISTINPUT_RELAYDELAY] = { "relaydelay", true, false, true },
	[LISTINPUT_POSTGREY] = { "postgrey", true, true, false },
};

bool listinput_format(const char *word, enum listinput_format *out)
{
	*out = LISTINPUT_AUTO;
	for (unsigned i = 0; word && i < sizeof formats / sizeof *formats; i++)
		if (strcmp(word, formats[i].word) == 0) {
			*out = (enum listinput_format)i;
			return true;
		}
	return !word;
}

static int refuse(struct buf *why, struct span value, const char *wrong)
{
	buf_clear(why);
	buf_addc(why, '"');
	buf_addsafe(why, value, 60);
	buf_adds(why, "\" ");
	buf_adds(why, wrong);
	return -1;
}

static bool has(struct span s, char c)
{
	return span_find(s, c) < s.n;
}

/* An IPv4 address without all of its octets. */
static bool is_octets(struct span value)
{
	struct netaddr a;

	return !netaddr_parse(span_head(value, span_find(value, '/')), &a);
}

/* Finds out what a value is that is no sender or recipient. */
static int read_client(enum listinput_format format, struct listinput *in, struct buf *why)
{
	struct netprefix p;

	if (netprefix_parse(in->value, &p)) {
		in->kind = "client";
		if (!formats[format].octets && is_octets(in->value))
			return refuse(why, in->value, "is not written in full");
		return 1;
	}
	if (has(in->value, '@'))
		return refuse(why, in->value, "may be a sender or a recipient: say which");
	if (!formats[format].names)
		return refuse(why, in->value, "is no address or prefix");
	in->kind = "name";
	return 1;
}

static bool has_control(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (ascii_control(s.p[i]) && s.p[i] != '\t')
			return true;
	return false;
}

static bool is_pattern(struct span value)
{
	return value.n > 1 && value.p[0] == '/';
}

int listinput_read(enum listinput_format format, const char *kind, struct span line, struct listinput *out,
		   struct buf *why)
{
	if (line.n > LISTINPUT_LINE_MAX)
		return refuse(why, span_head(line, 60), "is too long a line");
	line = span_trim(line);
	if (has_control(line))
		return refuse(why, line, "has control characters");
	if (is_pattern(line))
		return refuse(why, line, "is a pattern: it belongs into greylag.conf, as a rule");
	size_t hash = span_find(line, '#');
	out->value = span_trim(span_head(line, hash));
	out->comment = formats[format].comments ? span_trim(span_from(line, hash + 1)) : span_make("", 0);
	if (out->value.n == 0)
		return 0;
	if (has(out->value, ' ') || has(out->value, '\t'))
		return refuse(why, out->value, "is more than one word");
	out->kind = kind;
	return kind && strcmp(kind, "client") != 0 ? 1 : read_client(format, out, why);
}
