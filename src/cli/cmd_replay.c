/* replay: recorded requests judged again by another configuration. */
#include <time.h>

#include "cli/command.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "learn/textfile.h"
#include "replay/compare.h"
#include "replay/source.h"

#define BAD_SHOWN 10		/* lines that cannot be read; the others are only counted */
#define LOOK_EVERY 4096		/* requests between two looks at the progress */

struct replaying {
	const struct arguments *arguments;
	struct names *names;
	struct sources *sources;
	struct replay *replay;
	struct progress progress;
	struct replay_totals totals;
	bool trouble;
};

static void say_bad(void *arg, const char *path, uint64_t line, const char *why)
{
	struct replaying *r = arg;
	char text[600];
	struct buf safe = BUF_ON(text);

	r->trouble |= line == 0;
	if (line && r->sources && sources_bad(r->sources) > BAD_SHOWN)
		return;
	progress_end(&r->progress);
	buf_addsafe(&safe, span_of(path), 300);
	if (line)
		fprintf(stderr, "%s:%llu: %s\n", buf_str(&safe), (unsigned long long)line, why);
	else
		fprintf(stderr, "greylag: %s: %s\n", buf_str(&safe), why);
}

/* --- The list -------------------------------------------------------------------------------- */

static void add_time(struct buf *out, int64_t at)
{
	time_t t = (time_t)at;
	char text[40];
	struct tm tm;

	if (localtime_r(&t, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm))
		buf_adds(out, text);
}

static const char *reason_of(const struct message_view *v)
{
	return v->reason < REASON_COUNT ? reason_word(v->reason) : "?";
}

/* "let in after 5m (retried)", "refused (new)" */
static void add_view(struct buf *out, const struct message *m, const struct message_view *v)
{
	if (v->passed_at > m->first_at) {
		buf_adds(out, "let in after ");
		buf_addduration(out, (uint64_t)(v->passed_at - m->first_at));
	} else {
		buf_adds(out, v->passed_at ? "let in at once" : "refused");
	}
	buf_addf(out, " (%s)", reason_of(v));
}

static void print_row(const struct replay_change *c)
{
	const struct request *q = &c->entry->request;
	char text[6000];
	struct buf b = BUF_ON(text);

	add_time(&b, c->message->first_at);
	buf_addf(&b, "  %s", change_word(c->what));
	if (c->by_s) {
		buf_addc(&b, ' ');
		buf_addduration(&b, (uint64_t)c->by_s);
	}
	buf_adds(&b, "  ");
	buf_addsafe(&b, q->client_text, NETADDR_TEXT);
	buf_adds(&b, q->client_name.n ? " " : "");
	buf_addsafe(&b, q->client_name, 100);
	buf_adds(&b, " <");
	buf_addsafe(&b, q->sender, 200);
	buf_adds(&b, "> -> <");
	buf_addsafe(&b, q->recipient, 200);
	buf_adds(&b, ">\n    was: ");
	add_view(&b, c->message, &c->message->views[0]);
	buf_adds(&b, "; now: ");
	add_view(&b, c->message, &c->message->views[1]);
	buf_addf(&b, "; looks %s", c->guess == GUESS_SPAM ? "like spam" : guess_word(c->guess));
	puts(buf_str(&b));
}

static void set_text(json_t *row, const char *name, struct span s)
{
	char text[4 * REQUEST_ADDRESS_MAX + 8];
	struct buf safe = BUF_ON(text);

	buf_addsafe(&safe, s, REQUEST_ADDRESS_MAX);
	json_object_set_new(row, name, json_stringn(safe.n ? safe.p : "", safe.n));
}

static json_t *view_json(const struct message *m, const struct message_view *v)
{
	json_t *row = json_pack("{s:b, s:s, s:i}", "let_in", v->passed_at != 0, "reason", reason_of(v), "refused", (int)v->refused);

	if (v->passed_at)
		json_object_set_new(row, "after_s", json_integer((json_int_t)(v->passed_at - m->first_at)));
	return row;
}

static void print_json_row(const struct replay_change *c)
{
	const struct request *q = &c->entry->request;
	json_t *row = json_pack("{s:I, s:s, s:I, s:s, s:o, s:o}", "time", (json_int_t)c->message->first_at, "change",
		change_word(c->what), "by_s", (json_int_t)c->by_s, "guess", guess_word(c->guess),
		"before", view_json(c->message, &c->message->views[0]), "now", view_json(c->message, &c->message->views[1]));

	set_text(row, "client", q->client_text);
	set_text(row, "name", q->client_name);
	set_text(row, "sender", q->sender);
	set_text(row, "recipient", q->recipient);
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

static void on_change(void *arg, const struct replay_change *c)
{
	struct replaying *r = arg;

	if (!r->arguments->list)
		return;
	progress_end(&r->progress);
	if (r->arguments->json)
		print_json_row(c);
	else
		print_row(c);
}

/* --- The summary ---------------------------------------------------------------------------------- */

static uint64_t sum(const struct replay_totals *t, enum change c)
{
	return t->changes[c][GUESS_LEGITIMATE] + t->changes[c][GUESS_SPAM] + t->changes[c][GUESS_UNCLEAR];
}

static void add_count(struct buf *out, uint64_t n, const char *one, const char *many)
{
	output_count(out, (json_int_t)n);
	buf_adds(out, n == 1 ? one : many);
}

/* " (by 4m at the median, 20m at most)" */
static void add_delay(struct buf *out, const struct replay_totals *t, enum change c)
{
	if (sum(t, c) == 0)
		return;
	buf_adds(out, " (by ");
	buf_addduration(out, (uint64_t)t->median_s[c]);
	buf_adds(out, " at the median, ");
	buf_addduration(out, (uint64_t)t->most_s[c]);
	buf_adds(out, " at most)");
}

static void print_sentence(const struct replay_totals *t)
{
	char text[400];
	struct buf b = BUF_ON(text);

	add_count(&b, sum(t, CHANGE_LATER), " message later", " messages later");
	add_delay(&b, t, CHANGE_LATER);
	add_count((buf_adds(&b, ", "), &b), sum(t, CHANGE_SOONER), " sooner", " sooner");
	add_delay(&b, t, CHANGE_SOONER);
	add_count((buf_adds(&b, ", "), &b), t->spam_more, " spam attempt more refused", " spam attempts more refused");
	if (t->spam_fewer)
		add_count((buf_adds(&b, ", "), &b), t->spam_fewer, " fewer", " fewer");
	puts(buf_str(&b));
}

static void print_lost(const struct replay_totals *t, enum change c, const char *one, const char *many)
{
	char text[400];
	struct buf b = BUF_ON(text);

	if (sum(t, c) == 0)
		return;
	add_count(&b, sum(t, c), one, many);
	for (unsigned g = 0; g < GUESSES; g++) {
		buf_adds(&b, g ? ", " : ": by its looks ");
		add_count(&b, t->changes[c][g], " ", " ");
		buf_adds(&b, guess_word((enum guess)g));
	}
	puts(buf_str(&b));
}

static void print_note(uint64_t n, const char *one, const char *many)
{
	char text[300];
	struct buf b = BUF_ON(text);

	if (n == 0)
		return;
	add_count(&b, n, one, many);
	puts(buf_str(&b));
}

static void print_summary(const struct replaying *r)
{
	const struct replay_totals *t = &r->totals;
	char text[200];
	struct buf b = BUF_ON(text);

	print_sentence(t);
	print_lost(t, CHANGE_REFUSED, " message refused that was let in before", " messages refused that were let in before");
	print_lost(t, CHANGE_ACCEPTED, " message let in that was refused before", " messages let in that were refused before");
	add_count(&b, t->requests, " request, ", " requests, ");
	add_count(&b, t->messages, " message", " messages");
	if (t->requests) {
		buf_adds(&b, ", from ");
		add_time(&b, t->first_at);
		buf_adds(&b, " to ");
		add_time(&b, t->last_at);
	}
	puts(buf_str(&b));
	print_note(t->made_up, " retry was made up for mail that would have had to wait longer",
		   " retries were made up for mail that would have had to wait longer");
	print_note(t->unanswered, " request asks what nobody looked up then, so a condition was left open",
		   " requests ask what nobody looked up then, so conditions were left open");
	print_note(t->faults, " request met a store that failed, and is not compared", " requests met a store that failed, and are not compared");
	print_note(sources_logged(r->sources), " request is from a log, which does not tell all (greylag(1))",
		   " requests are from logs, which do not tell all (greylag(1))");
	print_note(sources_bad(r->sources), " line could not be read", " lines could not be read");
}

static void print_json(const struct replaying *r)
{
	const struct replay_totals *t = &r->totals;
	json_t *row = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"requests", (json_int_t)t->requests, "messages", (json_int_t)t->messages,
		"first", (json_int_t)t->first_at, "last", (json_int_t)t->last_at, "made_up", (json_int_t)t->made_up,
		"unanswered", (json_int_t)t->unanswered, "faults", (json_int_t)t->faults,
		"logged", (json_int_t)sources_logged(r->sources), "bad_lines", (json_int_t)sources_bad(r->sources),
		"spam_more", (json_int_t)t->spam_more, "spam_fewer", (json_int_t)t->spam_fewer);

	for (unsigned c = 0; c < CHANGES; c++) {
		json_t *change = json_object();
		for (unsigned g = 0; g < GUESSES; g++)
			json_object_set_new(change, guess_word((enum guess)g), json_integer((json_int_t)t->changes[c][g]));
		json_object_set_new(change, "all", json_integer((json_int_t)sum(t, (enum change)c)));
		json_object_set_new(change, "median_s", json_integer((json_int_t)t->median_s[c]));
		json_object_set_new(change, "most_s", json_integer((json_int_t)t->most_s[c]));
		json_object_set_new(row, change_word((enum change)c), change);
	}
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

/* --- Reading ------------------------------------------------------------------------------------- */

static int load(const char *path, struct config **out)
{
	struct diag diag = { .report = command_finding };

	*out = config_load(path, &diag);
	return *out ? STATUS_OK : STATUS_NO;
}

static int begin(struct replaying *r, int64_t begins_at)
{
	char text[300];
	struct buf why = BUF_ON(text);
	struct replay_options options = { .names = r->names, .changed = on_change, .arg = r };
	int status = load(r->arguments->config ? r->arguments->config : COMMAND_CONFIG, &options.config);

	if (status == STATUS_OK && r->arguments->against)
		status = load(r->arguments->against, &options.against);
	if (status != STATUS_OK) {
		config_free(&options.config);
		return status;
	}
	r->replay = replay_new(&options, begins_at, &why);
	if (r->replay)
		return STATUS_OK;
	fprintf(stderr, "greylag: %s\n", buf_str(&why));
	return STATUS_NO;
}

static int open_files(struct replaying *r)
{
	const struct arguments *a = r->arguments;
	char text[300];
	struct buf why = BUF_ON(text);
	uint64_t size = 0;

	for (int i = 0; i < a->count; i++) {
		size += textfile_size(a->words[i]);
		if (sources_add(r->sources, a->words[i], &why) != 0) {
			say_bad(r, a->words[i], 0, buf_str(&why));
			return STATUS_NO;
		}
	}
	progress_begin(&r->progress, size);
	return STATUS_OK;
}

static int run_all(struct replaying *r)
{
	struct entry *e = sources_next(r->sources);
	uint64_t told = 0;
	int status = begin(r, e ? e->at : (int64_t)time(NULL));

	for (uint64_t n = 0; status == STATUS_OK && e; e = sources_next(r->sources)) {
		if (!replay_take(r->replay, e)) {
			fputs("greylag: out of memory\n", stderr);
			status = STATUS_TEMPORARY;
		}
		if (++n % LOOK_EVERY == 0) {
			uint64_t at = sources_offset(r->sources);
			progress_add(&r->progress, at - told);
			told = at;
		}
	}
	if (status == STATUS_OK)
		replay_end(r->replay, &r->totals);
	progress_end(&r->progress);
	return status;
}

static int run(struct replaying *r)
{
	const struct sources_options options = { .now = (int64_t)time(NULL), .bad = say_bad, .arg = r };
	char text[300];
	struct buf why = BUF_ON(text);

	r->names = names_new(&why);
	r->sources = sources_new(&options);
	if (!r->names || !r->sources) {
		fprintf(stderr, "greylag: %s\n", r->names ? "out of memory" : buf_str(&why));
		return STATUS_TEMPORARY;
	}
	int status = open_files(r);
	if (status == STATUS_OK)
		status = run_all(r);
	if (status != STATUS_OK)
		return status;
	if (r->arguments->json)
		print_json(r);
	else
		print_summary(r);
	return r->trouble ? STATUS_NO : STATUS_OK;
}

int cmd_replay(struct client *c, const struct arguments *a)
{
	struct replaying r = { .arguments = a };
	const struct log_options quiet = { .target = LOG_TO_NOWHERE, .ident = "greylag" };
	char text[200];
	struct buf why = BUF_ON(text);

	(void)c;
	/* The engine would tell what it tells a daemon's log. */
	(void)log_open(&quiet, &why);
	int status = run(&r);
	replay_free(&r.replay);
	sources_free(&r.sources);
	names_free(&r.names);
	return status;
}
