/* import: what another greylisting system remembers, sent to the daemon. */
#include <sys/stat.h>
#include <time.h>

#include "base/value.h"
#include "cli/importsend.h"
#include "cli/output.h"
#include "cli/progress.h"

#define REASONS_MAX 64		/* for which something was left out or refused */
#define OTHER "other reasons"	/* all that come when there is room for one more of either kind */
#define REASON_BYTES 120
#define SHOWN_MAX 10		/* places that are told of each reason */

struct reason {
	char text[REASON_BYTES];
	bool refused;			/* by the daemon; else left out here */
	uint64_t count;
};

struct importing {
	struct import in;		/* first: the reader is the import */
	const struct arguments *arguments;
	struct progress progress;
	struct importsend send;
	int status;			/* of sending; nothing is sent after a failure */
	uint64_t read[IMPORT_KINDS], left_out;
	unsigned reason_count;
	struct reason reasons[REASONS_MAX];
};

static struct importing *of(struct import *in)
{
	return (struct importing *)in;
}

/* --- What is left out ------------------------------------------------------------------------ */

static struct reason *find_known(struct importing *g, const char *text, bool refused)
{
	for (unsigned i = 0; i < g->reason_count; i++)
		if (g->reasons[i].refused == refused && strncmp(g->reasons[i].text, text, REASON_BYTES - 1) == 0)
			return &g->reasons[i];
	return NULL;
}

static struct reason *find_reason(struct importing *g, const char *text, bool refused)
{
	struct reason *known = find_known(g, text, refused);

	if (!known && g->reason_count >= REASONS_MAX - 2)
		known = find_known(g, text = OTHER, refused);
	if (known)
		return known;
	struct reason *r = &g->reasons[g->reason_count++];
	snprintf(r->text, sizeof r->text, "%s", text);
	r->refused = refused;
	return r;
}

static void on_skipped(struct import *in, const char *text)
{
	struct importing *g = of(in);
	struct reason *r = find_reason(g, text, false);
	char place[600];
	struct buf safe = BUF_ON(place);

	g->left_out++;
	if (r->count++ >= SHOWN_MAX)
		return;
	progress_end(&g->progress);
	buf_addsafe(&safe, span_of(in->file), 300);
	if (in->line)
		buf_addf(&safe, ":%llu", (unsigned long long)in->line);
	fprintf(stderr, "%s: %s: left out%s\n", buf_str(&safe), text, r->count == SHOWN_MAX ? " (others like it are only counted)" : "");
}

static void on_refused(void *arg, const char *why)
{
	struct importing *g = arg;

	find_reason(g, why, true)->count++;
}

/* --- Rows -------------------------------------------------------------------------------------- */

static void on_progress(struct import *in, uint64_t bytes)
{
	progress_add(&of(in)->progress, bytes);
}

/* A row as it would be sent, or as a line for people. */
static void print_row(const struct importing *g, const struct import_row *row, const json_t *o)
{
	char bytes[5000];
	struct buf line = BUF_ON(bytes);
	const char *client = output_text(o, "client"), *list = output_text(o, "list");

	if (g->arguments->json || row->kind == IMPORT_RECORD) {
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		return;
	}
	buf_addf(&line, "%s %s ", list[0] ? list : import_kind_word(row->kind), list[0] ? output_text(o, "kind") : client);
	buf_addsafe(&line, list[0] ? row->value : row->sender, IMPORT_ADDRESS_MAX);
	if (row->kind == IMPORT_PASSED || row->kind == IMPORT_WAITING) {
		buf_adds(&line, row->sender.n ? " " : "<> ");
		buf_addsafe(&line, row->recipient, IMPORT_ADDRESS_MAX);
	}
	struct span text = span_trim(buf_span(&line));
	printf("%.*s\n", SPAN_ARG(text));
}

static void on_row(struct import *in, const struct import_row *row)
{
	struct importing *g = of(in);
	bool taken = true;

	if (g->arguments->print || g->arguments->dry_run) {
		json_t *o = importsend_row(row);
		taken = o != NULL;
		if (o && g->arguments->print)
			print_row(g, row, o);
		json_decref(o);
	} else if (g->status == STATUS_OK) {
		g->status = importsend_add(&g->send, row, &taken);
	}
	if (taken)
		g->read[row->kind]++;
	else
		on_skipped(in, "bytes that are not UTF-8, or too many entries");
}

/* --- What came of it --------------------------------------------------------------------------- */

static void add_count(struct buf *b, uint64_t n, const char *words)
{
	if (n == 0)
		return;
	if (b->n)
		buf_adds(b, ", ");
	output_count(b, (json_int_t)n);
	buf_addf(b, " %s", words);
}

static void print_reasons(const struct importing *g)
{
	char text[40];

	for (unsigned i = 0; i < g->reason_count; i++) {
		struct buf count = BUF_ON(text);
		output_count(&count, (json_int_t)g->reasons[i].count);
		printf("    %s %s: %s\n", buf_str(&count), g->reasons[i].refused ? "refused" : "left out", g->reasons[i].text);
	}
}

static void print_summary(const struct importing *g)
{
	const struct importsend_sum *s = &g->send.sum;
	char read_text[300], done_text[300];
	struct buf b = BUF_ON(read_text), done = BUF_ON(done_text);

	add_count(&b, g->read[IMPORT_PASSED], "triplets that passed");
	add_count(&b, g->read[IMPORT_WAITING], "that wait");
	add_count(&b, g->read[IMPORT_TRUSTED], "trusted clients");
	add_count(&b, g->read[IMPORT_ENTRY], "entries of lists");
	add_count(&b, g->read[IMPORT_RECORD], "records");
	add_count(&b, g->left_out, "left out");
	printf("%s%s\n", b.n ? buf_str(&b) : "nothing was found", g->arguments->dry_run ? "; nothing was sent" : "");
	print_reasons(g);
	if (g->arguments->dry_run)
		return;
	add_count(&done, s->added, "added");
	add_count(&done, s->changed, "changed");
	add_count(&done, s->present, "known as well here");
	add_count(&done, s->over, "over already");
	add_count(&done, s->held, "not trusted: they are held");
	add_count(&done, s->refused, "refused");
	add_count(&done, s->failed, "not stored: the store failed");
	if (done.n)
		puts(buf_str(&done));
}

static void print_json(const struct importing *g)
{
	const struct importsend_sum *s = &g->send.sum;
	json_t *row = json_pack("{s:b}", "dry_run", g->arguments->dry_run), *reasons = json_object();
	const struct { const char *name; uint64_t n; } counts[] = {
		{ "passed", g->read[IMPORT_PASSED] }, { "waiting", g->read[IMPORT_WAITING] },
		{ "trusted", g->read[IMPORT_TRUSTED] }, { "entries", g->read[IMPORT_ENTRY] },
		{ "records", g->read[IMPORT_RECORD] }, { "left_out", g->left_out }, { "added", s->added },
		{ "changed", s->changed }, { "present", s->present }, { "over", s->over }, { "held", s->held },
		{ "refused", s->refused }, { "failed", s->failed } };

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		json_object_set_new(row, counts[i].name, json_integer((json_int_t)counts[i].n));
	for (unsigned i = 0; i < g->reason_count; i++)
		json_object_set_new(reasons, g->reasons[i].text, json_integer((json_int_t)g->reasons[i].count));
	json_object_set_new(row, "reasons", reasons);
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

/* --- The command ---------------------------------------------------------------------------------- */

static int fail(const char *text)
{
	fprintf(stderr, "greylag: %s\n", text);
	return STATUS_USAGE;
}

static uint64_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
}

static int check_words(struct importing *g, const struct import_format **format)
{
	const struct arguments *a = g->arguments;
	char text[400];
	struct buf why = BUF_ON(text);
	uint64_t ms = 0;

	*format = import_find(a->words[0]);
	if (!*format) {
		buf_addf(&why, "no format %.60s; there are ", a->words[0]);
		import_add_names(&why);
		return fail(buf_str(&why));
	}
	if (a->delay && value_duration_ms(span_of(a->delay), &ms, &why) != 0)
		return fail(buf_str(&why));
	g->in = (struct import){ .row = on_row, .skipped = on_skipped, .progress = on_progress, .now = (int64_t)time(NULL),
		.delay_s = (int64_t)(ms / 1000), .user = a->user, .password_file = a->password_file, .file = a->words[1] };
	g->send.source = (*format)->name;
	return STATUS_OK;
}

/* What was read until a source broke is sent, and the exit status tells. */
static int run(struct importing *g, const struct import_format *format)
{
	const char *source = g->arguments->words[1];
	char text[1000];
	struct buf why = BUF_ON(text);

	progress_begin(&g->progress, size_of(source));
	int broken = format->read(&g->in, source, &why);
	progress_end(&g->progress);
	if (broken)
		fprintf(stderr, "greylag: %s\n", buf_str(&why));
	if (g->arguments->print)
		return broken ? STATUS_NO : STATUS_OK;
	if (g->status == STATUS_OK && !g->arguments->dry_run)
		g->status = importsend_end(&g->send);
	if (g->status != STATUS_OK) {
		fprintf(stderr, "greylag: %s\nIt goes on where it stood when it is run again.\n", g->send.client->problem);
		return g->status;
	}
	if (g->arguments->json)
		print_json(g);
	else
		print_summary(g);
	return broken ? STATUS_NO : g->send.sum.failed ? STATUS_TEMPORARY : STATUS_OK;
}

int cmd_import(struct client *none, const struct arguments *a)
{
	struct importing *g = calloc(1, sizeof *g);
	const struct import_format *format;
	struct client c = { .fd = -1 };

	(void)none;
	if (!g)
		return STATUS_TEMPORARY;
	g->arguments = a;
	g->send.client = &c;
	g->send.refused = on_refused;
	g->send.arg = g;
	int status = check_words(g, &format);
	if (status == STATUS_OK && !a->print && !a->dry_run) {
		status = command_open(&c, a);
		if (status != STATUS_OK)
			fprintf(stderr, "greylag: %s\n", c.problem);
	}
	if (status == STATUS_OK)
		status = run(g, format);
	client_close(&c);
	importsend_free(&g->send);
	free(g);
	return status;
}
