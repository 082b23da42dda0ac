#include "convert/convert.h"

#include <stdarg.h>

#include "config/config.h"
#include "lists/condition.h"
#include "lists/listfile.h"

#define PART_MAX ((size_t)16 * 1024 * 1024)
#define COMMENT_MAX 300
#define ROUNDS_MAX 1000

static const struct convert_peer peers[] = {
	{ "postgrey", "/etc/default/postgrey", convert_postgrey },
	{ "sqlgrey", "/etc/sqlgrey/sqlgrey.conf", convert_sqlgrey },
	{ "milter-greylist", "/etc/milter-greylist/greylist.conf", convert_milter_greylist },
	{ "relaydelay", "/etc/mail/relaydelay.conf", convert_relaydelay },
};

const struct convert_peer *convert_peer(unsigned index)
{
	return index < sizeof peers / sizeof *peers ? &peers[index] : NULL;
}

/* --- Lines ---------------------------------------------------------------------------- */

void convert_at(struct convert *c, const char *file, unsigned line, struct span source)
{
	c->file = file;
	c->line = line;
	c->source = source;
	c->shown = false;
}

static bool is_name(char c)
{
	return ascii_alpha(c) || ascii_digit(c) || c == '_';
}

struct span convert_harmless(struct span line)
{
	for (size_t i = 0; i < line.n; i++) {
		struct span here = span_from(line, i);
		if (!span_istarts(here, span_of("pass")) && !span_istarts(here, span_of("secret")))
			continue;
		while (i < line.n && is_name(line.p[i]))
			i++;
		return span_head(line, i);
	}
	return line;
}

static void add_place(const struct convert *c, struct buf *out)
{
	buf_addsafe(out, span_of(c->file), 200);
	if (c->line)
		buf_addf(out, ":%u", c->line);
	buf_adds(out, ": ");
}

/* The peer's line in one: runs of blanks drawn together, continuations undone with
 * what is written behind them. */
static void add_source(struct buf *out, struct span s)
{
	char text[COMMENT_MAX + 2];
	struct buf b = BUF_ON(text);
	bool blank = true;

	for (size_t i = 0; i < s.n && !b.over; i++) {
		bool next = i + 1 < s.n && (ascii_blank(s.p[i + 1]) || s.p[i + 1] == '\n' || s.p[i + 1] == '\r');
		if (s.p[i] == '\\' && next)
			i += span_find(span_from(s, i), '\n');
		bool is_blank = i >= s.n || ascii_blank(s.p[i]) || s.p[i] == '\n' || s.p[i] == '\r';
		if (!is_blank || !blank)
			buf_addc(&b, is_blank ? ' ' : s.p[i]);
		blank = is_blank;
	}
	buf_addshown(out, span_trim(buf_span(&b)), COMMENT_MAX);
}

static struct buf *show_source(struct convert *c)
{
	struct buf *out = &c->parts[c->part];

	if (!c->shown && c->source.n) {
		buf_adds(out, "# ");
		add_place(c, out);
		add_source(out, c->source);
		buf_addc(out, '\n');
	}
	c->shown = true;
	return out;
}

void convert_line(struct convert *c, const char *format, ...)
{
	struct buf *out = show_source(c), text = buf_heap(1 << 20);
	char first[2];
	va_list ap;

	va_start(ap, format);
	int n = vsnprintf(first, sizeof first, format, ap);
	va_end(ap);
	if (n > 0 && buf_room(&text, (size_t)n)) {
		va_start(ap, format);
		vsnprintf(text.p, (size_t)n + 1, format, ap);
		va_end(ap);
		buf_add(out, text.p, (size_t)n);
		buf_addc(out, '\n');
	}
	buf_free(&text);
}

void convert_needless(struct convert *c, const char *reason)
{
	buf_addf(show_source(c), "#   needs no line: %s\n", reason);
}

static void say(struct convert *c, const char *what, struct span about, const char *reason)
{
	char text[1000];
	struct buf b = BUF_ON(text);

	add_place(c, &b);
	buf_addf(&b, "%s: ", what);
	if (about.n) {
		buf_addshown(&b, about, 200);
		buf_adds(&b, ": ");
	}
	buf_adds(&b, reason);
	if (c->say)
		c->say(c->arg, buf_str(&b));
}

void convert_missing(struct convert *c, struct span what, const char *reason)
{
	struct buf *out = show_source(c);

	buf_adds(out, "#   no equivalent: ");
	if (what.n) {
		buf_addshown(out, what, 200);
		buf_adds(out, ": ");
	}
	buf_addf(out, "%s\n", reason);
	c->missing++;
	say(c, "no equivalent", what.n ? what : span_trim(span_head(c->source, span_find(c->source, '\n'))), reason);
}

void convert_differs(struct convert *c, const char *how)
{
	buf_addf(show_source(c), "#   differs: %s\n", how);
	say(c, "differs", span_make("", 0), how);
}

/* --- Values --------------------------------------------------------------------------- */

/* What no keyword and no mark of the language looks like. */
static bool is_plain(struct span s)
{
	bool marked = false;

	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_alpha(s.p[i]) && !ascii_digit(s.p[i]) && !(s.p[i] && strchr(".:@/_-=", s.p[i])))
			return false;
		marked = marked || strchr(".:@/", s.p[i]) || (i == 0 && ascii_digit(s.p[i]));
	}
	return marked;
}

void convert_word(struct buf *out, struct span value)
{
	if (is_plain(value)) {
		buf_addspan(out, value);
		return;
	}
	buf_addc(out, '"');
	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] == '"' || value.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, value.p[i]);
	}
	buf_addc(out, '"');
}

bool convert_valid(const char *condition, struct span value, struct buf *why)
{
	struct condition *c = condition_new(condition_kind(span_of(condition)), false);
	bool valid = c ? condition_add(c, value, why) == 0 : buf_fail(why, "out of memory") == 0;

	condition_free(&c);
	for (size_t i = 0; valid && i < value.n; i++)
		if (ascii_control(value.p[i]))
			valid = buf_fail(why, "there is a control byte in it") == 0;
	return valid;
}

bool convert_text(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] < 0x20 || text.p[i] >= 0x7f)
			return false;
	convert_word(out, text);
	return text.n > 0 && text.n < CONFIG_TEXT_MAX && !out->over;
}

void convert_time(struct convert *c, const char *name, int64_t seconds, int64_t least, int64_t most)
{
	char text[40];
	struct buf b = BUF_ON(text);
	int64_t taken = seconds < least ? least : seconds > most ? most : seconds;

	buf_addduration(&b, (uint64_t)taken);
	convert_line(c, "greylist %s %s", name, buf_str(&b));
	if (taken != seconds)
		convert_differs(c, taken == least ? "greylag takes no shorter time" : "greylag takes no longer time");
}

void convert_listen_unix(struct convert *c, struct span path, struct span mode, const char *end)
{
	char text[250];
	struct buf b = BUF_ON(text);

	if (span_starts(path, span_of("unix:")))
		path = span_from(path, 5);
	convert_word(&b, span_head(path, 110));
	convert_line(c, "listen policy unix %s mode %.*s%s", buf_str(&b), SPAN_ARG(span_head(mode, 8)), end);
}

void convert_listen_inet(struct convert *c, struct span where, const char *end)
{
	struct span all = where, host = span_of("127.0.0.1"), port = where;
	size_t colon = span_rfind(where, ':');
	struct netaddr address;

	if (colon < where.n) {
		host = span_head(where, colon);
		port = span_from(where, colon + 1);
	}
	if (host.n == 0 || span_ieq(host, span_of("localhost")))
		host = span_of("127.0.0.1");
	if (span_eq(host, span_of("*")))
		host = span_of("0.0.0.0");
	if (!netaddr_parse(host, &address) || port.n == 0 || port.n > 5) {
		convert_missing(c, all, "an address and a port are needed, names are not looked up");
		return;
	}
	bool bare = address.family == 6 && host.p[0] != '[';
	convert_line(c, "listen policy tcp %s%.*s%s:%.*s%s", bare ? "[" : "", SPAN_ARG(host), bare ? "]" : "",
		     SPAN_ARG(port), end);
}

/* --- Files ---------------------------------------------------------------------------- */

int convert_read(const char *root, const char *path, struct buf *text, struct buf *why)
{
	char full[1200], reason[200];
	struct buf name = BUF_ON(full), because = BUF_ON(reason);

	buf_adds(&name, root);
	buf_adds(&name, path);
	int found = name.over ? buf_fail(&because, "name too long") : listfile_read(buf_str(&name), text, &because);
	/* What editors of other systems put in front of UTF-8 would be part of the first name. */
	if (found == 1 && span_starts(buf_span(text), span_of("\xef\xbb\xbf")))
		buf_drop(text, 3);
	if (found != 1) {
		buf_clear(why);
		buf_addsafe(why, buf_span(&name), 300);
		buf_addf(why, ": %s", buf_str(&because));
	}
	return found;
}

struct list_look {
	struct convert *c;
	const char *condition, *path;
};

static bool is_two_octets(struct span s)
{
	struct span rest = s, first;
	uint64_t n;

	return span_cut(&rest, '.', &first) && span_uint(first, 255, &n) && span_uint(rest, 255, &n);
}

static void look_at_entry(void *arg, unsigned line, struct span entry, const char *problem)
{
	struct list_look *l = arg;
	char text[200];
	struct buf why = BUF_ON(text);

	bool valid = !problem && convert_valid(l->condition, entry, &why);
	if (valid && !is_two_octets(entry))
		return;
	convert_at(l->c, l->path, line, entry);
	if (valid)
		convert_differs(l->c, "two octets are a /16, as postgrey's manual says; postgrey itself takes them for a /24");
	else
		convert_missing(l->c, span_make("", 0), problem ? problem : buf_str(&why));
}

int convert_list(struct convert *c, const char *condition, const char *path, bool optional)
{
	char text[600], word[1100];
	struct buf why = BUF_ON(text), name = BUF_ON(word), content = buf_heap(CONVERT_FILE_MAX);
	struct list_look look = { c, condition, path };
	int found = convert_read(path[0] == '/' ? c->root : "", path, &content, &why);

	if (found == 0 && optional)
		return 0;
	c->part = CONVERT_RULES;
	convert_word(&name, span_of(path));
	convert_line(c, "allow %s %s %s", condition, found == 1 ? "file" : "optional-file", buf_str(&name));
	if (found == 1)
		listfile_parse(buf_span(&content), look_at_entry, &look);
	else
		convert_missing(c, span_of(path), buf_str(&why));
	c->part = CONVERT_SETTINGS;
	buf_free(&content);
	return 1;
}

/* --- The whole ------------------------------------------------------------------------ */

/* The errors of a text, of each line the first. */
struct findings {
	unsigned count;
	struct finding {
		unsigned line;
		char text[300];
	} all[DIAG_MAX];
};

static void keep(struct diag *d, enum diag_severity severity, const char *file, unsigned line, unsigned column, const char *text)
{
	struct findings *f = d->arg;

	(void)file; (void)column;
	/* The last that is reported says only that there are more. */
	if (severity != DIAG_ERROR || f->count + 1 >= DIAG_MAX || (f->count && f->all[f->count - 1].line == line))
		return;
	f->all[f->count].line = line;
	snprintf(f->all[f->count++].text, sizeof f->all->text, "%s", text);
}

static const struct finding *found_in(const struct findings *f, unsigned from, unsigned to)
{
	for (unsigned i = 0; i < f->count; i++)
		if (f->all[i].line >= from && f->all[i].line <= to)
			return &f->all[i];
	return NULL;
}

/* The comment above the line has its place: "FILE:LINE: TEXT". */
static void say_struck(struct convert *c, struct span comment, const char *reason)
{
	char place[220];
	size_t end = 0;

	while (end + 1 < comment.n && !(comment.p[end] == ':' && comment.p[end + 1] == ' '))
		end++;
	snprintf(place, sizeof place, "%.*s", SPAN_ARG(span_head(comment, end)));
	convert_at(c, place, 0, span_make("", 0));
	say(c, "no equivalent", span_from(comment, end + 2), reason);
	convert_at(c, "", 0, span_make("", 0));
	c->missing++;
}

static bool is_comment(struct span line)
{
	return line.n && line.p[0] == '#';
}

/* A line with those that continue it; returns how many there are. */
static unsigned cut_logical(struct span *rest, struct span *whole)
{
	struct span line, start = *rest;
	unsigned lines = 0;

	while (span_cut(rest, '\n', &line)) {
		lines++;
		if (is_comment(line) || line.n == 0 || line.p[line.n - 1] != '\\')
			break;
	}
	*whole = span_head(start, (size_t)(rest->n ? rest->p - start.p : (ptrdiff_t)start.n));
	return lines;
}

/* What the peer takes and we do not, whatever it may be, must not make a file that is
 * refused: the line becomes a comment. */
static void strike_out(struct convert *c, struct buf *out, const struct findings *f)
{
	struct buf better = buf_heap(out->max);
	struct span rest = buf_span(out), whole, line, comment = span_make("", 0);
	unsigned number = 1, lines;

	while ((lines = cut_logical(&rest, &whole)) != 0) {
		const struct finding *finding = found_in(f, number, number + lines - 1);
		number += lines;
		if (is_comment(whole))
			comment = span_trim(whole);
		if (!finding) {
			buf_addspan(&better, whole);
			continue;
		}
		say_struck(c, span_from(comment, 2), finding->text);
		buf_addf(&better, "#   no equivalent: %s\n", finding->text);
		while (span_cut(&whole, '\n', &line)) {
			buf_adds(&better, "#   ");
			buf_addshown(&better, line, 2000);
			buf_addc(&better, '\n');
		}
	}
	buf_free(out);
	*out = better;
}

static bool sound(const struct buf *text, struct findings *f)
{
	struct diag diag = { .report = keep, .arg = f };
	struct config *config;

	f->count = 0;
	config = config_parse_with(buf_span(text), "greylag.conf", true, &diag);
	bool good = config != NULL;
	config_free(&config);
	return good;
}

void convert_begin(struct convert *c)
{
	for (unsigned i = 0; i < CONVERT_PARTS; i++)
		c->parts[i] = buf_heap(PART_MAX);
	c->part = CONVERT_SETTINGS;
	c->missing = 0;
	convert_at(c, "", 0, span_make("", 0));
}

void convert_end(struct convert *c, struct buf *out)
{
	struct findings *f = malloc(sizeof *f);

	for (unsigned i = 0; i < CONVERT_PARTS; i++) {
		if (i && c->parts[i].n)
			buf_addc(out, '\n');
		buf_addspan(out, buf_span(&c->parts[i]));
		buf_free(&c->parts[i]);
	}
	for (unsigned round = 0; f && !sound(out, f) && f->count && round < ROUNDS_MAX; round++)
		strike_out(c, out, f);
	free(f);
}

int convert_run(const struct convert_peer *peer, struct convert *c, char **words, int count, struct buf *out,
		struct buf *why)
{
	convert_begin(c);
	buf_addf(out, "# greylag.conf, made of the configuration of %s by greylag convert.\n"
		 "# \"no equivalent\" and \"differs\" mark what to look at.\n\n", peer->name);
	int status = peer->run(c, words, count, why);
	convert_end(c, out);
	return status;
}
