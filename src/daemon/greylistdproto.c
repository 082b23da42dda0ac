#include "daemon/greylistdproto.h"

#define WORDS_MAX 8	/* of DATA that are looked at; a request needs three */

static const struct { struct span word; enum greylistd_verb verb; bool data; } verbs[] = {
	{ SPAN("update"), GREYLISTD_UPDATE, true }, { SPAN("check"), GREYLISTD_CHECK, true },
	{ SPAN("add"), GREYLISTD_ADD, true }, { SPAN("delete"), GREYLISTD_DELETE, true },
	{ SPAN("stats"), GREYLISTD_STATS, false }, { SPAN("status"), GREYLISTD_STATS, false },
	{ SPAN("mrtg"), GREYLISTD_MRTG, false }, { SPAN("list"), GREYLISTD_LIST, false },
	{ SPAN("clear"), GREYLISTD_CLEAR, false }, { SPAN("save"), GREYLISTD_SAVE, false },
	{ SPAN("reload"), GREYLISTD_RELOAD, false },
};
#define VERBS (sizeof verbs / sizeof *verbs)

static const struct { struct span word; unsigned list; } lists[] = {
	{ SPAN("white"), GREYLISTD_WHITE }, { SPAN("grey"), GREYLISTD_GREY }, { SPAN("black"), GREYLISTD_BLACK },
};
#define LISTS (sizeof lists / sizeof *lists)

struct words {
	struct span word[WORDS_MAX];
	unsigned count;
	bool gap;		/* two blanks followed the client: an empty word */
};

size_t greylistdproto_line(struct span in)
{
	return span_find(in, '\n');
}

const char *greylistdproto_word(unsigned list)
{
	for (size_t i = 0; i < LISTS; i++)
		if (lists[i].list == list)
			return lists[i].word.p;
	return "";
}

unsigned greylistdproto_list(enum verdict v)
{
	switch (v) {
	case VERDICT_PASS:
	case VERDICT_OBSERVE:
		break;
	case VERDICT_DEFER:
		return GREYLISTD_GREY;
	case VERDICT_REJECT:
		return GREYLISTD_BLACK;
	}
	return GREYLISTD_WHITE;
}

void greylistdproto_answer(struct buf *out, const struct greylistd_command *c, unsigned list)
{
	/* No line feed: ACLs compare the answer as it comes. */
	if (c->first)
		buf_adds(out, c->first == list ? "true" : "false");
	else
		buf_adds(out, greylistdproto_word(list));
}

/* --- Words ------------------------------------------------------------------------ */

static size_t blanks(struct span s)
{
	size_t n = 0;

	while (n < s.n && ascii_blank(s.p[n]))
		n++;
	return n;
}

/* Length of the quoted string that begins s, its quotes included; 0 when it does not end. */
static size_t quoted(struct span s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return 0;
}

/* A local part may hold blanks in quotes; were it cut there, a sender could
 * write the recipient that the rules look at. */
static struct span next_word(struct span *rest)
{
	size_t n = 0, q = 1;

	while (n < rest->n && !ascii_blank(rest->p[n])) {
		if (q && rest->p[n] == '"' && (q = quoted(span_from(*rest, n))) != 0)
			n += q;
		else
			n++;
	}
	struct span word = span_head(*rest, n);
	*rest = span_from(*rest, n);
	return word;
}

/* --- Commands and options ----------------------------------------------------------- */

/* Takes the command's name off the line; VERBS when it begins with none. */
static size_t take_verb(struct span *line)
{
	struct span rest = *line, word = next_word(&rest);

	for (size_t i = 0; i < VERBS; i++)
		if (span_ieq(word, verbs[i].word)) {
			*line = rest;
			return i;
		}
	return VERBS;
}

static unsigned list_of(struct span word)
{
	while (word.n && word.p[0] == '-')
		word = span_from(word, 1);
	for (size_t i = 0; i < LISTS; i++)
		if (span_ieq(word, lists[i].word))
			return lists[i].list;
	return 0;
}

/* Takes the options, and all blanks before what follows them. */
static int take_options(struct span *line, struct greylistd_command *c, struct buf *why)
{
	for (;;) {
		*line = span_from(*line, blanks(*line));
		if (line->n == 0 || line->p[0] != '-')
			return 0;
		unsigned list = list_of(next_word(line));
		if (!list)
			return buf_fail(why, "no such list; --white, --grey or --black is meant?");
		c->lists |= list;
		if (!c->first)
			c->first = list;
	}
}

/* --- Data -------------------------------------------------------------------------- */

/* Exim's ${mask:} writes the colons of an IPv6 address as dots. */
static bool parse_masked(struct span s, struct netaddr *out)
{
	char text[NETADDR_TEXT];
	struct buf b = BUF_ON(text);
	unsigned dots = 0;

	for (size_t i = 0; i < s.n; i++) {
		dots += s.p[i] == '.';
		buf_addc(&b, s.p[i] == '.' ? ':' : s.p[i]);
	}
	return dots == 7 && !b.over && netaddr_parse(buf_span(&b), out);
}

/* An address, or a network, which stands for its first address. */
static bool parse_client(struct span word, struct netaddr *out)
{
	size_t slash = span_find(word, '/');
	struct span host = span_head(word, slash);
	struct netaddr a;
	uint64_t bits;

	if (slash == word.n)
		return netaddr_parse(word, out);
	if (!netaddr_parse(host, &a) && !parse_masked(host, &a))
		return false;
	if (!span_uint(span_from(word, slash + 1), netaddr_width(&a), &bits))
		return false;
	*out = netaddr_network(&a, (unsigned)bits).addr;
	return true;
}

/* Sorts the words: the client into *r, the others into *w. */
static void split_data(struct span data, struct request *r, struct words *w)
{
	bool after_client = false;

	while (data.n && w->count < WORDS_MAX) {
		struct span word = next_word(&data);
		size_t n = blanks(data);
		if (!r->client_text.n && parse_client(word, &r->client)) {
			r->client_text = word;
			w->gap = n > 1;
			after_client = true;
		} else if (word.n) {
			w->word[w->count++] = word;
		}
		/* A blank too many at the end is no word. */
		if (after_client && n == data.n)
			w->gap = false;
		after_client = false;
		data = span_from(data, n);
	}
}

/* The end of an address says more than its beginning. */
static struct span address(struct span word)
{
	word = span_unwrap(word, '<', '>');
	return word.n > REQUEST_ADDRESS_MAX ? span_from(word, word.n - REQUEST_ADDRESS_MAX) : word;
}

static bool ends_in_comma(struct span s)
{
	return s.n && s.p[s.n - 1] == ',';
}

/* The first of Exim's $recipients. */
static struct span recipient(struct span word)
{
	if (ends_in_comma(word))
		word.n--;
	return address(word);
}

static void fill_request(struct request *r, const struct words *w)
{
	static const struct span anybody = SPAN("*");

	r->sender = r->recipient = span_make("", 0);
	if (w->count == 0) {
		/* The client alone is greylisted like a bounce to anybody. */
		r->stage = STAGE_DATA;
		r->recipient = anybody;
	} else if (w->count == 1 || ends_in_comma(w->word[0])) {
		r->stage = w->count == 1 && w->gap ? STAGE_RCPT : STAGE_DATA;
		r->recipient = recipient(w->word[0]);
	} else {
		r->sender = address(w->word[0]);
		r->recipient = recipient(w->word[1]);
	}
	r->has_sender = r->has_recipient = true;
}

/* A mere word is no mail: somebody has mistyped a command. */
static bool is_mail(const struct words *w)
{
	for (unsigned i = 0; i < w->count; i++)
		if (span_find(w->word[i], '@') < w->word[i].n)
			return true;
	return false;
}

static int take_data(struct span data, bool bare, struct greylistd_command *c, struct buf *why)
{
	struct words w = { .count = 0 };
	struct request *r = &c->request;

	split_data(data, r, &w);
	fill_request(r, &w);
	if (r->client.family == 0 && bare && !is_mail(&w))
		return buf_fail(why, "unknown command");
	return 0;
}

int greylistdproto_parse(struct span line, struct greylistd_command *out, struct buf *why)
{
	*out = (struct greylistd_command){ .request = { .stage = STAGE_RCPT } };
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	line = span_from(line, blanks(line));
	if (line.n == 0)
		return buf_fail(why, "no data received");
	size_t verb = take_verb(&line);
	bool wants_data = verb == VERBS || verbs[verb].data;
	out->verb = verb == VERBS ? GREYLISTD_UPDATE : verbs[verb].verb;
	if (take_options(&line, out, why) != 0)
		return -1;
	if (!wants_data)
		return line.n ? buf_fail(why, "too many arguments") : 0;
	if (line.n == 0)
		return buf_fail(why, "missing argument");
	return take_data(line, verb == VERBS && !out->first, out, why);
}
