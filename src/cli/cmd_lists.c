/* allow, block, trap, enlist, unlist: changes of the living lists. */
#include <errno.h>
#include <pwd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/netaddr.h"
#include "base/value.h"
#include "cli/command.h"
#include "cli/listinput.h"
#include "cli/output.h"
#include "core/listkey.h"

#define BATCH 1000
#define BATCH_BYTES ((size_t)150 * 1024)	/* the daemon reads lines of 256 KiB */
#define NEVER_TEXT "9999-12-31T23:59:59Z"

static const char *const sums[] = { "added", "extended", "shortened", "present", "removed", "absent", "refused" };
#define SUMS (sizeof sums / sizeof *sums)

struct change {
	struct client *client;
	const struct arguments *a;
	bool remove;
	const char *list;
	int64_t until;
	const char *file;		/* as shown; NULL: values of the command line */
	json_t *values;			/* of the batch that gathers */
	unsigned lines[BATCH];
	size_t bytes;
	json_int_t sum[SUMS];
};

/* --- Ends --------------------------------------------------------------------------- */

static int refuse_end(const char *text)
{
	fprintf(stderr, "greylag: \"%.60s\" is no end: 30d after --for, 2027-12-31 or 2027-12-31T12:00:00Z or never "
		"after --until, and not in the past\n", text);
	return STATUS_USAGE;
}

static bool read_date(const char *text, int64_t *out)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%d", &tm);

	if (!rest)
		return false;
	if (*rest == '\0') {
		tm.tm_hour = 23;
		tm.tm_min = tm.tm_sec = 59;
	} else {
		rest = strptime(rest, "T%H:%M:%SZ", &tm);
		if (!rest || *rest)
			return false;
	}
	*out = timegm(&tm);
	return true;
}

/* 0, or an exit status. */
static int read_end(const struct arguments *a, int64_t *until)
{
	const char *text = a->until ? a->until : a->duration;
	int64_t now = clock_wall(&clock_system);
	char why_text[200];
	struct buf why = BUF_ON(why_text);
	uint64_t ms;

	*until = LIST_NEVER;
	if (!text || strcmp(text, "never") == 0)
		return 0;
	if (a->until && !read_date(text, until))
		return refuse_end(text);
	if (!a->until) {
		if (value_duration_ms(span_of(text), &ms, &why) != 0)
			return refuse_end(text);
		*until = ms / 1000 < LIST_NEVER ? now + (int64_t)(ms / 1000) : LIST_NEVER;
	}
	if (*until > LIST_NEVER)
		*until = LIST_NEVER;
	return *until > now ? 0 : refuse_end(text);
}

/* --- Answers ------------------------------------------------------------------------- */

static void print_end(const char *what, const char *until)
{
	if (strcmp(until, NEVER_TEXT) == 0)
		printf("%s, without end\n", what);
	else
		printf("%s until %s\n", what, until);
}

/* What the DNS said of a domain, or how many networks went with it. */
static void print_networks(const json_t *row, bool removed)
{
	const char *skipped = output_text(row, "skipped");
	bool networks = json_object_get(row, "networks") != NULL;

	if (networks)
		printf("    %lld networks %s\n", (long long)output_number(row, "networks"), removed ? "removed" : "listed");
	if (networks && !json_is_true(json_object_get(row, "complete")))
		printf("    %s\n", removed ? "the others run out within three days" :
			"not all answers have come; greylagd asks again");
	if (skipped[0])
		printf("    skipped: %s\n", skipped);
}

static void print_outcome(const struct change *g, const json_t *row)
{
	const char *outcome = output_text(row, "outcome");

	printf("%s %s %s: ", g->list, output_text(row, "kind"), output_text(row, "value"));
	if (strcmp(outcome, "absent") == 0)
		puts("is not there");
	else if (strcmp(outcome, "removed") == 0)
		puts("removed");
	else
		print_end(strcmp(outcome, "present") == 0 ? "already there" : outcome, output_text(row, "until"));
	print_networks(row, strcmp(outcome, "removed") == 0 || strcmp(outcome, "absent") == 0);
}

static void say_refused(const struct change *g, unsigned line, const char *why)
{
	if (g->file)
		fprintf(stderr, "%s:%u: %s\n", g->file, line, why);
	else
		fprintf(stderr, "greylag: %s\n", why);
}

static void say_refusal(const struct change *g, unsigned line, const json_t *row)
{
	const char *skipped = output_text(row, "skipped");
	bool domain = json_object_get(row, "networks") != NULL;
	char text[4000];

	snprintf(text, sizeof text, "%s%s%s%s%s", domain ? output_text(row, "value") : "", domain ? ": " : "",
		 output_text(row, "why"), skipped[0] ? "; skipped: " : "", skipped);
	say_refused(g, line, text);
}

static void take_row(struct change *g, json_t *row)
{
	json_int_t index = output_number(row, "index");
	unsigned line = index >= 0 && index < BATCH ? g->lines[index] : 0;

	if (!json_object_get(row, "outcome")) {
		for (unsigned i = 0; i < SUMS; i++)
			g->sum[i] += output_number(row, sums[i]);
		return;
	}
	if (g->a->json) {
		json_object_del(row, "index");
		if (g->file)
			json_object_set_new(row, "line", json_integer(line));
		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (strcmp(output_text(row, "outcome"), "refused") == 0) {
		say_refusal(g, line, row);
	} else {
		print_outcome(g, row);
	}
}

/* --- Batches ---------------------------------------------------------------------------- */

static void add_author(json_t *request)
{
	const char *author = getenv("SUDO_USER");
	const struct passwd *who = author && author[0] ? NULL : getpwuid(getuid());
	char text[LIST_AUTHOR_MAX + 1];

	snprintf(text, sizeof text, "%s", who ? who->pw_name : author ? author : "");
	command_text(request, "author", text);
}

static int flush(struct change *g)
{
	json_t *row, *values = g->values;
	int more;

	g->values = json_array();
	g->bytes = 0;
	if (json_array_size(values) == 0) {
		json_decref(values);
		return STATUS_OK;
	}
	json_t *request = json_pack("{s:s, s:s, s:I, s:b, s:b, s:b, s:o}", "cmd", g->remove ? "list_remove" : "list_add",
		"list", g->list, "until", (json_int_t)g->until, "shorten", g->a->shorten, "dry_run", g->a->dry_run,
		"each", !g->file, "values", values);
	add_author(request);
	command_text(request, "comment", g->a->comment);
	int status = request ? client_send(g->client, request) : STATUS_TEMPORARY;
	json_decref(request);
	if (status != STATUS_OK)
		return COMMAND_FAILED;
	while ((more = client_row(g->client, &row)) == 1) {
		take_row(g, row);
		json_decref(row);
	}
	return more == 0 ? STATUS_OK : COMMAND_FAILED;
}

static void set_text(json_t *object, const char *name, struct span text, size_t most)
{
	char safe[4 * LISTINPUT_LINE_MAX + 8];
	struct buf b = BUF_ON(safe);

	if (json_object_set_new(object, name, json_stringn(text.p, text.n)) == 0)
		return;
	buf_addsafe(&b, text, most);
	json_object_set_new(object, name, json_stringn(b.p, b.n));
}

/* Cut between two characters. */
static struct span cut_comment(struct span s)
{
	size_t n = s.n < LIST_COMMENT_MAX ? s.n : LIST_COMMENT_MAX;

	while (n && n < s.n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return span_head(s, n);
}

static int add(struct change *g, const struct listinput *in, unsigned line)
{
	size_t at = json_array_size(g->values);
	json_t *entry = json_pack("{s:s}", "kind", in->kind);

	set_text(entry, "value", in->value, LISTINPUT_LINE_MAX);
	if (in->comment.n)
		set_text(entry, "comment", cut_comment(in->comment), LIST_COMMENT_MAX);
	json_array_append_new(g->values, entry);
	g->lines[at] = line;
	/* As much as JSON may make of it. */
	g->bytes += 50 + 2 * (in->value.n + in->comment.n);
	return at + 1 == BATCH || g->bytes > BATCH_BYTES ? flush(g) : STATUS_OK;
}

static void refuse(struct change *g, unsigned line, struct span value, const char *why)
{
	g->sum[SUMS - 1]++;
	if (!g->a->json) {
		say_refused(g, line, why);
		return;
	}
	json_t *row = json_pack("{s:s, s:s}", "outcome", "refused", "why", why);
	set_text(row, "value", value, 200);
	if (g->file)
		json_object_set_new(row, "line", json_integer(line));
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

static int take_text(struct change *g, enum listinput_format format, const char *kind, struct span text, unsigned line)
{
	char why_text[300];
	struct buf why = BUF_ON(why_text);
	struct listinput in = { 0 };
	int found = listinput_read(format, kind, text, &in, &why);

	if (found < 0)
		refuse(g, line, text, buf_str(&why));
	return found > 0 ? add(g, &in, line) : STATUS_OK;
}

/* --- Where the values come from ------------------------------------------------------------ */

static int take_file(struct change *g, enum listinput_format format, const char *kind)
{
	FILE *f = strcmp(g->a->file, "-") == 0 ? stdin : fopen(g->a->file, "re");
	char *line = NULL;
	size_t room = 0;
	ssize_t n;
	int status = STATUS_OK;

	if (!f) {
		fprintf(stderr, "greylag: %.200s: %s\n", g->a->file, strerror(errno));
		return STATUS_USAGE;
	}
	g->file = f == stdin ? "stdin" : g->a->file;
	for (unsigned number = 1; status == STATUS_OK && (n = getline(&line, &room, f)) >= 0; number++)
		status = take_text(g, format, kind, span_make(line, (size_t)n), number);
	if (status == STATUS_OK && ferror(f)) {
		fprintf(stderr, "greylag: %.200s: %s\n", g->a->file, strerror(errno));
		status = STATUS_USAGE;
	}
	free(line);
	if (f != stdin)
		fclose(f);
	return status;
}

static int take_words(struct change *g, const char *kind, char **words, int count)
{
	int status = STATUS_OK;
	struct listinput in = { 0 };
	struct netprefix p;

	for (int i = 0; i < count && status == STATUS_OK; i++) {
		in = (struct listinput){ .kind = kind ? kind : "client", .value = span_of(words[i]) };
		if (in.value.n > LISTINPUT_LINE_MAX) {
			refuse(g, 0, span_head(in.value, 60), "a value that is too long");
			continue;
		}
		if (kind || netprefix_parse(in.value, &p)) {
			status = add(g, &in, 0);
			continue;
		}
		fprintf(stderr, "greylag: say what \"%.100s\" is: %s\n", words[i],
			strchr(words[i], '@') ? "a sender or a recipient" : "a name, sender or recipient");
		return STATUS_USAGE;
	}
	return status;
}

static int finish(struct change *g)
{
	const char *between = "";

	if (g->a->json) {
		json_t *row = json_pack("{s:s, s:b}", "list", g->list, "dry_run", g->a->dry_run);
		for (unsigned i = 0; i < SUMS; i++)
			json_object_set_new(row, sums[i], json_integer(g->sum[i]));
		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(row);
	} else if (g->file || g->a->dry_run) {
		printf("%s: ", g->list);
		for (unsigned i = 0; i < SUMS; i++) {
			if (g->sum[i] == 0)
				continue;
			printf("%s%lld %s", between, (long long)g->sum[i],
			       strcmp(sums[i], "present") == 0 ? "already there" :
			       strcmp(sums[i], "absent") == 0 ? "not there" : sums[i]);
			between = ", ";
		}
		puts(*between ? g->a->dry_run ? " (nothing changed)" : "" : "no entries");
	}
	bool nothing = g->remove && g->sum[4] == 0;
	return g->sum[SUMS - 1] || nothing ? STATUS_NO : STATUS_OK;
}

/* words: [KIND] VALUE... */
static int change(struct client *c, const struct arguments *a, bool remove, const char *list, char **words, int count)
{
	struct change *g = calloc(1, sizeof *g);
	enum listinput_format format;
	enum list_kind kind;
	int64_t until;
	bool said = count > 0 && list_kind_parse(span_of(words[0]), &kind);
	int values = count - said, status = read_end(a, &until);

	if (!status && !listinput_format(a->format, &format))
		status = STATUS_USAGE;
	if (!status && (values > 0) == (a->file != NULL))
		status = STATUS_USAGE;
	if (!g || status) {
		if (g && values > 0 && a->file)
			fputs("greylag: either values or --file\n", stderr);
		else if (status && values <= 0 && !a->file)
			fputs("greylag: which values?\n", stderr);
		free(g);
		return status ? status : STATUS_TEMPORARY;
	}
	*g = (struct change){ .client = c, .a = a, .remove = remove, .list = list, .until = until,
			      .values = json_array() };
	const char *word = said ? list_kind_word(kind) : NULL;
	status = a->file ? take_file(g, format, word) : take_words(g, word, words + said, values);
	if (status == STATUS_OK)
		status = flush(g);
	if (status == STATUS_OK)
		status = finish(g);
	json_decref(g->values);
	free(g);
	return status;
}

int cmd_allow(struct client *c, const struct arguments *a)
{
	return change(c, a, false, "allow", a->words, a->count);
}

int cmd_block(struct client *c, const struct arguments *a)
{
	return change(c, a, false, "block", a->words, a->count);
}

int cmd_trap(struct client *c, const struct arguments *a)
{
	return change(c, a, false, "trap", a->words, a->count);
}

int cmd_enlist(struct client *c, const struct arguments *a)
{
	return change(c, a, false, a->words[0], a->words + 1, a->count - 1);
}

/* RECIPIENT DURATION [from DOMAIN] */
int cmd_expect(struct client *c, const struct arguments *a)
{
	char pair[LIST_VALUE_MAX + 1], *words[2];
	struct arguments one = *a;
	char recipient[] = "recipient", kind[] = "pair";
	bool from = a->count == 4 && strcmp(a->words[2], "from") == 0;

	if (a->count != 2 && !from) {
		fputs("greylag: expect RECIPIENT DURATION [from DOMAIN]\n", stderr);
		return STATUS_USAGE;
	}
	one.duration = a->words[1];
	if (from && snprintf(pair, sizeof pair, "%s<%s", a->words[0], a->words[3]) >= (int)sizeof pair) {
		fputs("greylag: that is too long\n", stderr);
		return STATUS_USAGE;
	}
	words[0] = from ? kind : recipient;
	words[1] = from ? pair : a->words[0];
	return change(c, &one, false, "expect", words, 2);
}

int cmd_unlist(struct client *c, const struct arguments *a)
{
	return change(c, a, true, a->words[0], a->words + 1, a->count - 1);
}
