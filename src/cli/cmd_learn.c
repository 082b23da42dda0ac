/* learn: the relay that handed a mail to us, or the clients of a log. */
#include <time.h>

#include "cli/learnsend.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "learn/mailbox.h"
#include "learn/maillog.h"
#include "learn/textfile.h"

#define DAY ((int64_t)86400)
#define DAYS "36"		/* as long as `greylist keep` by default */
#define DAYS_MAX 3650
#define TRUSTED_MAX 256
#define LINES_A_LOOK 4096	/* lines between two looks at the progress */

struct learning {
	struct mailbox_reader reader;	/* first: the reader is the learning */
	const struct arguments *arguments;
	struct netprefix prefixes[TRUSTED_MAX];
	struct prefixes trusted;
	struct tally tally;
	struct progress progress;
	bool log, spam;
	int64_t since;			/* logs: what is older is not learned */
	uint64_t messages, inside, unclear, lines, bad_lines;
	bool trouble;			/* a file could not be read to its end */
};

static const char *report_word(const struct tally_row *row)
{
	return row->good ? "known" : "misbehaved";
}

static const char *ham_word(const struct tally_row *row)
{
	(void)row;
	return "ham";
}

static const char *spam_word(const struct tally_row *row)
{
	(void)row;
	return "spam";
}

static learn_word *word_of(const struct learning *l)
{
	return l->log ? report_word : l->spam ? spam_word : ham_word;
}

static void say_trouble(struct mailbox_reader *r, const char *path, const char *why)
{
	struct learning *l = (struct learning *)r;
	char text[600];
	struct buf safe = BUF_ON(text);

	progress_end(&l->progress);
	buf_addsafe(&safe, span_of(path), 300);
	fprintf(stderr, "greylag: %s: %s\n", buf_str(&safe), why);
	l->trouble = true;
}

static void add_progress(struct mailbox_reader *r, uint64_t bytes)
{
	progress_add(&((struct learning *)r)->progress, bytes);
}

/* --- From mail ------------------------------------------------------------------------- */

static void take_message(struct mailbox_reader *r, struct span header)
{
	struct learning *l = (struct learning *)r;
	struct received_hop hop;

	l->messages++;
	switch (received_relay(header, &l->trusted, &hop)) {
	case RECEIVED_FOUND: {
		const struct peer p = { hop.client, hop.name };
		tally_add(&l->tally, &p, !l->spam, 0);
		break;
	}
	case RECEIVED_NONE:
	case RECEIVED_USER:
		l->inside++;
		break;
	case RECEIVED_UNCLEAR:
		l->unclear++;
		break;
	}
}

static void read_mail(struct learning *l)
{
	for (int i = 1; i < l->arguments->count; i++)
		mailbox_read(&l->reader, l->arguments->words[i]);
}

/* --- From logs ------------------------------------------------------------------------- */

static void take_event(void *arg, const struct maillog_event *e)
{
	struct learning *l = arg;

	if (e->at < l->since || received_trusted(&l->trusted, &e->peer.client))
		return;
	l->messages += e->what == MAILLOG_ACCEPTED;
	tally_add(&l->tally, &e->peer, e->what == MAILLOG_ACCEPTED, e->at);
}

static void read_log(struct learning *l, struct maillog *m, const char *path)
{
	char text[300];
	struct buf why = BUF_ON(text);
	struct textfile *f = textfile_open(path, &why);
	struct span line;
	uint64_t told = 0;
	int more = f ? 1 : -1;

	for (unsigned n = 0; more > 0; n++) {
		more = textfile_line(f, &line, &why);
		if (more > 0) {
			l->lines++;
			l->bad_lines += maillog_line(m, line) == MAILLOG_BAD;
		}
		if (more <= 0 || n % LINES_A_LOOK == 0) {
			uint64_t at = textfile_offset(f);
			add_progress(&l->reader, at > told ? at - told : 0);
			told = at;
		}
	}
	if (more < 0)
		say_trouble(&l->reader, path, buf_str(&why));
	textfile_close(&f);
}

static int read_logs(struct learning *l, const struct maillog_format *format, int64_t now)
{
	struct maillog *m = maillog_new(format, now, take_event, l);

	if (!m) {
		fputs("greylag: out of memory\n", stderr);
		return STATUS_TEMPORARY;
	}
	for (int i = 1; i < l->arguments->count; i++)
		read_log(l, m, l->arguments->words[i]);
	maillog_free(&m);
	return STATUS_OK;
}

/* --- Trusted relays ---------------------------------------------------------------------- */

static int add_trusted(struct learning *l, struct span list, char separator)
{
	struct span word;

	while (span_cut(&list, separator, &word)) {
		word = span_trim(word);
		if (word.n == 0)
			continue;
		if (l->trusted.count == TRUSTED_MAX || !netprefix_parse(word, &l->prefixes[l->trusted.count])) {
			fprintf(stderr, "greylag: %.*s: %s\n", (int)(word.n < 60 ? word.n : 60), word.p,
				l->trusted.count == TRUSTED_MAX ? "too many prefixes" : "not a prefix");
			return STATUS_USAGE;
		}
		l->trusted.count++;
	}
	return STATUS_OK;
}

/* Those of the command line, and those that the daemon is configured with. Whoever only
 * looks needs no daemon. */
static int find_trusted(struct learning *l)
{
	const struct arguments *a = l->arguments;
	char text[1100];
	struct buf list = BUF_ON(text);
	struct client c;

	l->trusted.list = l->prefixes;
	int status = add_trusted(l, span_of(a->trusted), ',');
	if (status != STATUS_OK)
		return status;
	status = command_open(&c, a);
	if (status == STATUS_OK)
		status = learnsend_trusted(&c, &list);
	client_close(&c);
	if (status == STATUS_OK)
		return add_trusted(l, buf_span(&list), ' ');
	bool needed = !a->print && !a->dry_run;
	fprintf(stderr, "greylag: %s%s\n", c.problem, needed ? "" : "; its `learn trusted` is left out");
	return needed ? status : STATUS_OK;
}

/* --- What came of it ----------------------------------------------------------------------- */

struct outcome {
	uint64_t known, lost, learned, failed;
};

/* "3 relays" */
static void add_count(struct buf *b, uint64_t n, const char *one, const char *several)
{
	if (b->n)
		buf_adds(b, ", ");
	output_count(b, (json_int_t)n);
	buf_addc(b, ' ');
	buf_adds(b, n == 1 ? one : several);
}

static void print_summary(const struct learning *l, const struct outcome *o)
{
	char text[500];
	struct buf b = BUF_ON(text);

	add_count(&b, l->messages, "message", "messages");
	if (l->log) {
		add_count(&b, o->known, "client known", "clients known");
		add_count(&b, o->lost, "lost standing", "lost standing");
		add_count(&b, l->bad_lines, "line not understood of ", "lines not understood of ");
		output_count(&b, (json_int_t)l->lines);
	} else {
		add_count(&b, l->tally.count, "relay", "relays");
		add_count(&b, l->inside, "from here", "from here");
		add_count(&b, l->unclear, "without an address", "without an address");
	}
	if (l->tally.left_out)
		add_count(&b, l->tally.left_out, "time no room for a client", "times no room for a client");
	if (o->failed)
		add_count(&b, o->failed, "not learned: the store failed", "not learned: the store failed");
	printf("%s%s\n", buf_str(&b), l->arguments->dry_run ? "; nothing was sent" : "");
}

static void print_json(const struct learning *l, const struct outcome *o)
{
	json_t *row = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b}",
		"messages", (json_int_t)l->messages, "clients", (json_int_t)l->tally.count,
		"known", (json_int_t)o->known, "misbehaved", (json_int_t)o->lost,
		"inside", (json_int_t)l->inside, "unclear", (json_int_t)l->unclear,
		"lines", (json_int_t)l->lines, "lines_not_understood", (json_int_t)l->bad_lines,
		"learned", (json_int_t)o->learned, "dry_run", l->arguments->dry_run);

	json_object_set_new(row, "failed", json_integer((json_int_t)o->failed));
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

static int report(struct learning *l, struct outcome *o)
{
	struct client c;

	if (l->arguments->dry_run || l->tally.count == 0)
		return STATUS_OK;
	int status = command_open(&c, l->arguments);
	if (status == STATUS_OK)
		status = learnsend_report(&c, &l->tally, word_of(l), &o->learned, &o->failed);
	if (status != STATUS_OK)
		fprintf(stderr, "greylag: %s\n", c.problem);
	client_close(&c);
	return status;
}

static int finish(struct learning *l)
{
	struct outcome o = { 0 };

	if (l->arguments->print) {
		learnsend_print(l->arguments, &l->tally, word_of(l), l->log);
		return STATUS_OK;
	}
	for (size_t i = 0; l->log && i < l->tally.count; i++) {
		o.known += l->tally.rows[i].good > 0;
		o.lost += l->tally.rows[i].good == 0;
	}
	int status = report(l, &o);
	if (status != STATUS_OK)
		return status;
	if (l->arguments->json)
		print_json(l, &o);
	else
		print_summary(l, &o);
	return o.failed ? STATUS_TEMPORARY : STATUS_OK;
}

static uint64_t bytes_to_read(const struct arguments *a)
{
	uint64_t sum = 0;

	for (int i = 1; i < a->count; i++) {
		uint64_t bytes = mailbox_size(a->words[i]);
		if (bytes == 0)
			return 0;
		sum += bytes;
	}
	return sum;
}

static int find_format(const char *name, const struct maillog_format **out)
{
	char text[200];
	struct buf names = BUF_ON(text);

	*out = name ? maillog_find(name) : NULL;
	if (!name || *out)
		return STATUS_OK;
	maillog_add_names(&names);
	fprintf(stderr, "greylag: no format %.60s; there are %s\n", name, buf_str(&names));
	return STATUS_USAGE;
}

/* What does not need the daemon or a file is looked at first. */
static int check_words(struct learning *l, const struct maillog_format **format, int64_t now)
{
	const struct arguments *a = l->arguments;
	uint64_t days;

	l->log = strcmp(a->words[0], "log") == 0;
	l->spam = strcmp(a->words[0], "spam") == 0;
	if (!l->log && !l->spam && strcmp(a->words[0], "ham") != 0) {
		fputs("greylag: learn ham, spam or log\n", stderr);
		return STATUS_USAGE;
	}
	if (!span_uint(span_of(a->days ? a->days : DAYS), DAYS_MAX, &days) || days == 0) {
		fprintf(stderr, "greylag: --days takes 1 to %d\n", DAYS_MAX);
		return STATUS_USAGE;
	}
	l->since = now - (int64_t)days * DAY;
	return find_format(a->format, format);
}

static int run(struct learning *l)
{
	const struct maillog_format *format;
	int64_t now = (int64_t)time(NULL);
	int status = check_words(l, &format, now);

	if (status == STATUS_OK)
		status = find_trusted(l);
	if (status != STATUS_OK)
		return status;
	progress_begin(&l->progress, bytes_to_read(l->arguments));
	if (l->log)
		status = read_logs(l, format, now);
	else
		read_mail(l);
	progress_end(&l->progress);
	if (status == STATUS_OK)
		status = finish(l);
	return status == STATUS_OK && l->trouble ? STATUS_NO : status;
}

int cmd_learn(struct client *c, const struct arguments *a)
{
	struct learning *l = calloc(1, sizeof *l);

	(void)c;
	if (!l)
		return STATUS_TEMPORARY;
	l->reader = (struct mailbox_reader){ take_message, say_trouble, add_progress };
	l->arguments = a;
	int status = run(l);
	tally_free(&l->tally);
	free(l);
	return status;
}
