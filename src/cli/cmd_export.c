/* export: all records and lists, as JSON that greylag import greylag reads, or as CSV. */
#include <time.h>

#include "cli/command.h"
#include "cli/output.h"
#include "core/key.h"
#include "core/listkey.h"
#include "core/record.h"

#define TEXT_MAX (4 * KEY_MAX + 8)
#define JSON_WORD_MAX 250	/* so that a line stays one that greylag import reads */

/* What a key says, for people. */
struct words {
	const char *kind;
	const char *value_kind;		/* of an entry */
	char identity[TEXT_MAX], sender[TEXT_MAX], recipient[TEXT_MAX], list[TEXT_MAX], author[TEXT_MAX], comment[TEXT_MAX];
};

static bool is_clean(struct span s)
{
	json_t *text = json_stringn(s.n ? s.p : "", s.n);
	bool clean = text != NULL;

	for (size_t i = 0; i < s.n; i++)
		clean &= !ascii_control(s.p[i]);
	json_decref(text);
	return clean;
}

/* As it is, unless it has bytes that are no text. */
static void set(char *out, struct span escaped, size_t most)
{
	char text[KEY_MAX + 1];
	struct buf plain = BUF_ON(text), safe = buf_on(out, TEXT_MAX);

	key_unescape(&plain, escaped);
	if (plain.n <= most && is_clean(buf_span(&plain)))
		buf_addspan(&safe, buf_span(&plain));
	else
		buf_addsafe(&safe, buf_span(&plain), most);
}

/* The value of an entry stands where records have the identity. */
static void read_key(struct words *w, struct span key, size_t most)
{
	struct key_parts parts;
	struct listkey_parts entry;

	w->kind = "";
	w->value_kind = "";
	w->identity[0] = w->sender[0] = w->recipient[0] = w->list[0] = w->author[0] = w->comment[0] = '\0';
	if (listkey_split(key, &entry)) {
		w->kind = entry.author.n ? "note" : "entry";
		w->value_kind = list_kind_word(entry.kind);
		set(w->list, entry.list, most);
		set(w->identity, entry.value, most);
		set(w->author, entry.author, most);
		set(w->comment, entry.comment, most);
	} else if (key_split(key, &parts)) {
		w->kind = parts.kind == KEY_KIND_ALLOWED ? "allowed" : parts.kind == KEY_KIND_WRITTEN ? "correspondent" : "triplet";
		set(w->identity, parts.identity, most);
		set(w->sender, parts.sender, most);
		set(w->recipient, parts.recipient, most);
	}
}

/* --- CSV (RFC 4180) -------------------------------------------------------------------------- */

static const char csv_heading[] = "kind,identity,sender,recipient,list,value_kind,value,author,comment,"
	"first_seen,last_seen,passed_at,expires,blocked,passed,held_until,held_for,strikes";

static void csv_text(const char *text, bool first)
{
	if (!first)
		putchar(',');
	output_csv(text);
}

static void csv_time(json_int_t t)
{
	char text[40] = "";
	time_t clock = (time_t)t;
	struct tm tm;

	if (t && gmtime_r(&clock, &tm))
		strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	printf(",%s", text);
}

static void print_csv(const json_t *row, const struct words *w)
{
	static const char *const times[] = { "first_seen", "last_seen", "passed_at", "expires" };
	bool entry = w->value_kind[0];
	json_int_t cause = output_number(row, "held_for");

	csv_text(w->kind, true);
	csv_text(entry ? "" : w->identity, false);
	csv_text(w->sender, false);
	csv_text(w->recipient, false);
	csv_text(w->list, false);
	csv_text(w->value_kind, false);
	csv_text(entry ? w->identity : "", false);
	csv_text(w->author, false);
	csv_text(w->comment, false);
	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		csv_time(output_number(row, times[i]));
	printf(",%lld,%lld", (long long)output_number(row, "blocked"), (long long)output_number(row, "passed"));
	csv_time(output_number(row, "held_until"));
	csv_text(cause >= 0 && cause < HOLD_COUNT ? hold_word((enum hold)cause) : "", false);
	printf(",%lld\n", (long long)output_number(row, "strikes"));
}

/* --- JSON lines -------------------------------------------------------------------------------- */

static void add_word(json_t *row, const char *name, const char *text)
{
	if (text[0])
		json_object_set_new(row, name, json_string(text));
}

/* The words stand behind what is read back. */
static void print_jsonl(json_t *row, const struct words *w)
{
	add_word(row, "kind", w->kind);
	add_word(row, w->value_kind[0] ? "value" : "identity", w->identity);
	add_word(row, "value_kind", w->value_kind);
	add_word(row, "list", w->list);
	add_word(row, "sender", w->sender);
	add_word(row, "recipient", w->recipient);
	add_word(row, "author", w->author);
	add_word(row, "comment", w->comment);
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
}

/* --- The command --------------------------------------------------------------------------------- */

static int print_all(struct client *c, bool csv)
{
	struct words *w = malloc(sizeof *w);
	json_t *row;
	int more = -1;

	if (!w) {
		snprintf(c->problem, sizeof c->problem, "out of memory");
		return COMMAND_FAILED;
	}
	while ((more = client_row(c, &row)) == 1) {
		read_key(w, span_of(output_text(row, "key")), csv ? KEY_MAX : JSON_WORD_MAX);
		if (csv)
			print_csv(row, w);
		else
			print_jsonl(row, w);
		json_decref(row);
	}
	free(w);
	return more == 0 ? STATUS_OK : COMMAND_FAILED;
}

int cmd_export(struct client *c, const struct arguments *a)
{
	bool csv = a->format && strcmp(a->format, "csv") == 0;

	if (a->format && !csv && strcmp(a->format, "jsonl") != 0) {
		fputs("greylag: --format jsonl or csv\n", stderr);
		return STATUS_USAGE;
	}
	json_t *request = json_pack("{s:s}", "cmd", "export");
	int status = client_send(c, request);
	json_decref(request);
	if (status != STATUS_OK)
		return COMMAND_FAILED;
	if (csv)
		puts(csv_heading);
	return print_all(c, csv);
}
