/* lists: the living lists' entries with their notes, the clients that are held, and those
 * that look like forwarders. */
#include <fnmatch.h>

#include "daemon/control_command.h"
#include "core/listkey.h"
#include "daemon/recordscan.h"

#define PATTERN_MAX 600
#define HELD "held"
#define PROPOSED "proposed"

struct job {
	struct control_scan base;	/* first */
	/* What is asked for: */
	char list[LIST_WORD_MAX + 1], pattern[PATTERN_MAX];
	bool any_kind, glob, is_prefix;
	enum list_kind kind;
	struct netprefix prefix;
	int64_t before;			/* only what ends before; 0: all */
	char scan_prefix[LIST_WORD_MAX + sizeof LISTKEY_PREFIX + 1];
	bool held;			/* this walk is over clients, not over lists */
	/* An entry waits for its notes, which follow it: */
	bool has_entry;
	struct key entry;
	struct record record;
	char author[4 * LIST_AUTHOR_MAX], comment[4 * LIST_COMMENT_MAX];
	int64_t noted_at;
};

static struct job *job_of(struct recordscan *s)
{
	return (struct job *)s;
}

/* --- What matches ------------------------------------------------------------------ */

static bool prefixes_meet(const struct netprefix *a, const struct netprefix *b)
{
	return a->bits <= b->bits ? netprefix_contains(a, &b->addr) : netprefix_contains(b, &a->addr);
}

static bool value_matches(const struct job *j, enum list_kind kind, const char *value)
{
	struct netprefix p;

	if (j->pattern[0] == '\0')
		return true;
	if (j->is_prefix)
		return kind == LIST_CLIENT && netprefix_parse(span_of(value), &p) && prefixes_meet(&j->prefix, &p);
	if (j->glob)
		return fnmatch(j->pattern, value, FNM_CASEFOLD) == 0;
	return strcasestr(value, j->pattern) != NULL;
}

static bool wanted(const struct job *j, enum list_kind kind, const char *value, int64_t until)
{
	return (j->any_kind || kind == j->kind) && until > j->base.now && (j->before == 0 || until < j->before) &&
	       value_matches(j, kind, value);
}

/* --- Entries and notes --------------------------------------------------------------- */

static void send_entry(struct job *j)
{
	char text[LIST_VALUE_MAX + 1];
	struct buf value = BUF_ON(text);
	struct listkey_parts p;

	if (!j->has_entry)
		return;
	j->has_entry = false;
	if (!listkey_split(key_span(&j->entry), &p))
		return;
	listkey_unescape(&value, p.value);
	if (!wanted(j, p.kind, buf_str(&value), j->record.expires))
		return;
	control_send(j->base.conn, json_pack("{s:o, s:s, s:o, s:o, s:o, s:o, s:o}", "list", control_string(p.list),
		"kind", list_kind_word(p.kind), "value", control_string(buf_span(&value)),
		"since", control_time(j->record.first_seen), "until", control_time(j->record.expires),
		"author", control_string(span_of(j->author)), "comment", control_string(span_of(j->comment))));
}

static void take_entry(struct job *j, struct span key, const struct record *r)
{
	send_entry(j);
	memcpy(j->entry.text, key.p, key.n);
	j->entry.n = key.n;
	j->record = *r;
	j->has_entry = true;
	j->author[0] = j->comment[0] = '\0';
	j->noted_at = 0;
}

/* The latest says who; of the comments the latest that says anything. */
static void take_note(struct job *j, struct span key, const struct listkey_parts *p, const struct record *r)
{
	struct span entry = key_span(&j->entry);
	struct buf author = BUF_ON(j->author), comment = BUF_ON(j->comment);
	bool later = r->last_seen >= j->noted_at;

	if (!j->has_entry || !span_starts(key, entry) || key.n == entry.n || key.p[entry.n] != ' ' ||
	    r->generation < j->record.generation || record_expired(r, j->base.now))
		return;
	if (!span_eq(p->comment, span_of("<>")) && (later || j->comment[0] == '\0'))
		key_unescape(&comment, p->comment);
	if (later) {
		key_unescape(&author, p->author);
		j->noted_at = r->last_seen;
	}
}

/* --- Clients that are held ------------------------------------------------------------ */

static void take_client(struct job *j, struct span key, const struct record *r)
{
	char text[KEY_MAX + 1];
	struct buf identity = BUF_ON(text);
	struct key_parts p;

	if (!record_held(r, j->base.now) || !key_split(key, &p) || p.kind != KEY_KIND_ALLOWED)
		return;
	key_unescape(&identity, p.identity);
	if (!wanted(j, LIST_CLIENT, buf_str(&identity), r->held_until))
		return;
	control_send(j->base.conn, json_pack("{s:s, s:s, s:o, s:o, s:s, s:I}", "list", HELD, "kind", "client",
		"value", control_string(buf_span(&identity)), "until", control_time(r->held_until),
		"cause", hold_word((enum hold)r->held_for), "strikes", (json_int_t)r->strikes));
}

/* --- Clients that are proposed ---------------------------------------------------------- */

static void send_proposed(struct control_conn *c)
{
	char text[NETADDR_TEXT];
	struct buf client = BUF_ON(text);
	struct forwarder f;

	for (unsigned i = 0; forwarders_get(engine_forwarders(control_server(c)->engine), i, &f); i++) {
		buf_clear(&client);
		netaddr_add(&client, &f.client);
		control_send(c, json_pack("{s:s, s:s, s:o, s:s, s:o, s:I, s:I}", "list", PROPOSED, "kind", "client",
			"value", control_string(buf_span(&client)), "name", f.name, "since", control_time(f.since),
			"domains", (json_int_t)f.domains, "mails", (json_int_t)f.mails));
	}
	control_end(c);
}

/* --- The walks -------------------------------------------------------------------------- */

static bool take_row(struct recordscan *s, struct span key, const struct record *r)
{
	struct job *j = job_of(s);
	struct listkey_parts p;

	if (j->held)
		take_client(j, key, r);
	else if (listkey_split(key, &p) && p.author.n)
		take_note(j, key, &p, r);
	else if (listkey_split(key, &p))
		take_entry(j, key, r);
	return false;
}

static void walk_clients(struct job *j)
{
	static const char prefix[] = { KEY_KIND_ALLOWED, ' ' };

	j->held = true;
	j->base.scan.prefix = span_make(prefix, sizeof prefix);
	recordscan_start(&j->base.scan);
}

static void end(struct recordscan *s, const char *error)
{
	struct job *j = job_of(s);
	struct control_conn *c = j->base.conn;

	if (!error && !j->held)
		send_entry(j);
	if (!error && !j->held && j->list[0] == '\0' && !control_gone(c)) {
		walk_clients(j);
		return;
	}
	free(j);
	if (error)
		control_error(c, "%s", error);
	else
		control_end(c);
}

/* 0, or -1 with why. */
static int read_filter(struct job *j, const json_t *arguments, struct buf *why)
{
	const char *list = control_text(arguments, "list"), *kind = control_text(arguments, "kind");
	const char *pattern = control_text(arguments, "pattern");
	const json_t *within = json_object_get(arguments, "expiring_s");

	if (list && list[0] && !list_word_valid(span_of(list)))
		return buf_fail(why, "a list's name has letters, digits, - and _, at most 64");
	if (pattern && strlen(pattern) >= sizeof j->pattern)
		return buf_fail(why, "the pattern is too long");
	j->any_kind = !kind || !kind[0];
	if (!j->any_kind && !list_kind_parse(span_of(kind), &j->kind))
		return buf_fail(why, "not a client, name, sender, recipient or domain");
	snprintf(j->list, sizeof j->list, "%s", list ? list : "");
	snprintf(j->pattern, sizeof j->pattern, "%s", pattern ? pattern : "");
	j->glob = strpbrk(j->pattern, "*?[") != NULL;
	j->is_prefix = (j->any_kind || j->kind == LIST_CLIENT) && netprefix_parse(span_of(j->pattern), &j->prefix);
	json_int_t seconds = json_is_integer(within) ? json_integer_value(within) : 0;
	if (seconds > 0)
		j->before = j->base.now + (seconds < LIST_NEVER ? seconds : LIST_NEVER) + 1;
	return 0;
}

void control_lists(struct control_conn *c, const json_t *arguments)
{
	char text[200];
	struct buf why = BUF_ON(text);
	struct job *j;

	if (span_eq(span_of(control_text(arguments, "list")), span_of(PROPOSED))) {
		send_proposed(c);
		return;
	}
	j = control_scan_new(c, sizeof *j, take_row, end);
	if (!j)
		return;
	if (read_filter(j, arguments, &why) != 0) {
		free(j);
		control_error(c, "%s", buf_str(&why));
		return;
	}
	if (strcmp(j->list, HELD) == 0) {
		walk_clients(j);
		return;
	}
	struct buf prefix = BUF_ON(j->scan_prefix);
	buf_adds(&prefix, LISTKEY_PREFIX);
	if (j->list[0])
		buf_addf(&prefix, "%s ", j->list);
	j->base.scan.prefix = buf_span(&prefix);
	recordscan_start(&j->base.scan);
}
