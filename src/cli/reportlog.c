#include "cli/reportlog.h"

#include <sys/stat.h>

#include "client/client.h"
#include "core/hostname.h"
#include "core/mailaddr.h"
#include "learn/greylog.h"
#include "learn/textfile.h"

#define SLOTS 1048576		/* a power of two */
#define MAILS_MAX (SLOTS / 2)
#define SAME_S 5		/* lines of two programs about one attempt lie closer together */
#define FORGOTTEN_S (5 * 86400)	/* whoever comes after so long brings another mail */
#define DISORDER_S 3600		/* what is written by several programs is never quite in order */
#define LOOK_LINES 100		/* among which a file's first time is looked for */
#define NETWORK_4 24
#define NETWORK_6 64

/* All attempts at one triplet. */
struct entry {
	struct report_triplet t;	/* its spans point into text */
	char text[];
};

struct reading {
	struct report *report;
	struct entry **slots;
	unsigned count;
	int64_t newest;			/* time of an event */
	uint64_t disordered;		/* events far older than one before them */
};

/* --- Who ------------------------------------------------------------------------------------- */

/* The organisation's domain, roughly: without the suffix list that the daemon has, three
 * labels below a country's short second level, else two. */
static struct span organisation(struct span name)
{
	size_t last = span_rfind(name, '.'), second = span_rfind(span_head(name, last), '.');

	if (last == name.n || second == last)
		return name;
	bool country = name.n - last == 3 && last - second <= 4;
	size_t third = span_rfind(span_head(name, second), '.');
	if (!country)
		return span_from(name, second + 1);
	return third == second ? name : span_from(name, third + 1);
}

/* As the daemon does by default: a confirmed name that does not look dynamic, else the network. */
static bool identify(struct buf *out, const struct peer *p)
{
	bool named = hostname_valid(p->name) && !hostname_dynamic(p->name, &p->client);

	if (named) {
		buf_addlower(out, organisation(p->name));
	} else {
		const struct netprefix network = netaddr_network(&p->client, p->client.family == 4 ? NETWORK_4 : NETWORK_6);
		netprefix_add(out, &network);
	}
	return named;
}

/* --- The table ---------------------------------------------------------------------------------- */

static struct entry **find(struct reading *g, struct span identity, struct span sender, struct span recipient)
{
	size_t at = span_hash(recipient, span_hash(sender, span_hash(identity, 0))) % SLOTS;

	while (g->slots[at] && !(span_eq(g->slots[at]->t.identity, identity) && span_eq(g->slots[at]->t.sender, sender) &&
				 span_eq(g->slots[at]->t.recipient, recipient)))
		at = (at + 1) % SLOTS;
	return &g->slots[at];
}

static struct span place(char **at, struct span from)
{
	struct span to = span_make(*at, from.n);

	memcpy(*at, from.p, from.n);
	*at += from.n;
	return to;
}

static struct entry *add(struct reading *g, struct entry **slot, struct span identity, struct span sender, struct span recipient)
{
	struct entry *e = g->count < MAILS_MAX ? calloc(1, sizeof *e + identity.n + sender.n + recipient.n) : NULL;

	if (!e) {
		g->report->left_out++;
		return NULL;
	}
	char *at = e->text;
	e->t = (struct report_triplet){ .identity = place(&at, identity), .sender = place(&at, sender),
					.recipient = place(&at, recipient) };
	g->count++;
	*slot = e;
	return e;
}

/* --- Events --------------------------------------------------------------------------------------- */

static void defer(struct report *r, struct report_triplet *t, int64_t at)
{
	bool anew = t->deferred == 0 || t->passed_at || at - t->last > FORGOTTEN_S;

	if (t->deferred && !t->passed_at && at - t->last < SAME_S)
		return;
	if (anew)
		t->first = at;
	t->last = at;
	t->passed_at = 0;
	t->deferred++;
	report_count(r, at, VERDICT_DEFER, anew ? REASON_NEW : REASON_EARLY, 1);
}

static void accept(struct report *r, struct report_triplet *t, int64_t at)
{
	bool waited = t->deferred && !t->passed_at && at - t->last <= FORGOTTEN_S;

	if (t->passed_at && at - t->last < SAME_S)
		return;
	if (waited)
		report_delay(r, at - t->first);
	if (t->first == 0)
		t->first = at;
	t->last = t->passed_at = at;
	t->passed++;
	report_count(r, at, VERDICT_PASS, waited ? REASON_RETRIED : REASON_KNOWN, 1);
}

static void take(void *arg, const struct greylog_event *e)
{
	char who[REPORT_NAME_MAX + 1], from[2100], to[2100], from_safe[4200], to_safe[4200];
	struct buf identity = BUF_ON(who), sender = BUF_ON(from), recipient = BUF_ON(to);
	struct buf safe_sender = BUF_ON(from_safe), safe_recipient = BUF_ON(to_safe);
	struct reading *g = arg;

	if (e->at < g->report->options.since)
		return;
	g->disordered += e->at < g->newest - DISORDER_S;
	if (e->at > g->newest)
		g->newest = e->at;
	bool named = identify(&identity, &e->peer);
	mailaddr_recipient(&recipient, e->recipient);
	mailaddr_sender(&sender, e->sender, buf_span(&recipient));
	buf_addsafe(&safe_sender, buf_span(&sender), 1000);
	buf_addsafe(&safe_recipient, buf_span(&recipient), 1000);
	struct entry **slot = find(g, buf_span(&identity), buf_span(&safe_sender), buf_span(&safe_recipient));
	struct entry *entry = *slot ? *slot : add(g, slot, buf_span(&identity), buf_span(&safe_sender), buf_span(&safe_recipient));
	if (!entry)
		return;
	entry->t.named = named;
	if (e->deferred)
		defer(g->report, &entry->t, e->at);
	else
		accept(g->report, &entry->t, e->at);
}

/* --- Files ------------------------------------------------------------------------------------------- */

struct logfile {
	const char *path;
	int64_t at;			/* of its first line */
	int place;			/* among the arguments */
};

/* Of a file without one *at stays. What is no plain file can be read only once, and is not looked at. */
static void first_time(struct greylog *log, const char *path, int64_t *at)
{
	char problem[300];
	struct buf why = BUF_ON(problem);
	struct stat st;
	struct span line;
	bool found = false;

	if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode))
		return;
	struct textfile *f = textfile_open(path, &why);
	for (unsigned n = 0; f && !found && n < LOOK_LINES && textfile_line(f, &line, &why) > 0; n++)
		found = greylog_time(log, line, at);
	textfile_close(&f);
}

static int oldest_first(const void *a, const void *b)
{
	const struct logfile *x = a, *y = b;

	return x->at != y->at ? (x->at < y->at ? -1 : 1) : x->place - y->place;
}

/* A shell lists mail.log before mail.log.1: the files are put in the order of their time,
 * one without a time behind the one that is named before it. */
static struct logfile *sort_files(struct greylog *log, char **paths, int count)
{
	struct logfile *files = calloc((size_t)count, sizeof *files);

	for (int i = 0; files && i < count; i++) {
		files[i] = (struct logfile){ .path = paths[i], .at = i ? files[i - 1].at : INT64_MIN, .place = i };
		first_time(log, paths[i], &files[i].at);
	}
	if (files)
		qsort(files, (size_t)count, sizeof *files, oldest_first);
	return files;
}

/* False when it could not be read to its end. */
static bool read_file(struct reading *g, struct greylog *log, const char *path)
{
	char problem[300], shown[1300];
	struct buf why = BUF_ON(problem), safe = BUF_ON(shown);
	struct textfile *f = textfile_open(path, &why);
	struct span line;
	int more = f ? 1 : -1;

	while (more > 0 && (more = textfile_line(f, &line, &why)) > 0) {
		g->report->lines++;
		g->report->bad_lines += greylog_line(log, line) == MAILLOG_BAD;
	}
	textfile_close(&f);
	if (more == 0)
		return true;
	buf_addsafe(&safe, span_of(path), 300);
	fprintf(stderr, "greylag: %s: %s\n", buf_str(&safe), buf_str(&why));
	return false;
}

static int compare(struct span a, struct span b)
{
	int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return order ? order : a.n < b.n ? -1 : a.n > b.n;
}

static int in_order(const void *a, const void *b)
{
	const struct report_triplet *x = &(*(struct entry *const *)a)->t, *y = &(*(struct entry *const *)b)->t;
	int order = compare(x->identity, y->identity);

	if (order == 0)
		order = compare(x->sender, y->sender);
	return order ? order : compare(x->recipient, y->recipient);
}

/* Hands them over in the order that the report wants, and lets them go. */
static void hand_over(struct reading *g)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SLOTS; i++)
		if (g->slots[i])
			g->slots[n++] = g->slots[i];
	qsort(g->slots, n, sizeof *g->slots, in_order);
	for (unsigned i = 0; i < n; i++) {
		report_triplet(g->report, &g->slots[i]->t);
		free(g->slots[i]);
	}
}

/* False when one of the files could not be read to its end; the others are. */
static bool read_all(struct reading *g, struct greylog *log, const struct logfile *files, int count)
{
	bool good = true;

	for (int i = 0; i < count; i++)
		good = read_file(g, log, files[i].path) && good;
	if (g->disordered)
		fprintf(stderr, "greylag: the files are not oldest first (%llu lines): the figures are wrong\n",
			(unsigned long long)g->disordered);
	return good;
}

int reportlog_read(struct report *r, char **files, int count)
{
	struct reading g = { .report = r, .slots = calloc(SLOTS, sizeof *g.slots), .newest = r->options.since };
	struct greylog *log = greylog_new(r->options.now, take, &g);
	struct logfile *sorted = log ? sort_files(log, files, count) : NULL;
	int status = STATUS_TEMPORARY;

	if (g.slots && sorted)
		status = read_all(&g, log, sorted, count) ? STATUS_OK : STATUS_NO;
	else
		fputs("greylag: out of memory\n", stderr);
	if (g.slots)
		hand_over(&g);
	greylog_free(&log);
	free(sorted);
	free(g.slots);
	return status;
}
