/* list_add and list_remove: changes of the living lists, in batches. */
#include "daemon/control_command.h"
#include "daemon/control_domains.h"
#include "lists/listvalue.h"

/* One entry as it came, and its item in the batch. */
struct asked {
	struct span value, comment;	/* as sent */
	enum list_kind kind;
	size_t at, n;			/* normal form, in job.normal */
	int item;			/* index, or -1: refused */
	char why[120];
};

struct job {
	struct control_conn *conn;
	json_t *arguments;		/* the texts borrow from it */
	struct living_batch batch;
	struct control_domains *domains;	/* what became of those; NULL: none, or nobody waited */
	struct buf normal;
	bool each;			/* a row for each entry, not only for those refused */
	unsigned count;
	struct asked *asked;
	struct living_item *items;
};

static void free_job(struct job **job)
{
	struct job *j = *job;

	control_domains_free(&j->domains);
	buf_free(&j->normal);
	json_decref(j->arguments);
	free(j->asked);
	free(j->items);
	free(j);
	*job = NULL;
}

static void send_refusal(const struct job *j, unsigned index, const char *why)
{
	json_t *row = json_pack("{s:i, s:s, s:o, s:o}", "index", (int)index, "outcome", "refused",
		"value", control_string(j->asked[index].value), "why", control_string(span_of(why)));

	if (j->asked[index].item >= 0)
		control_domains_tell(j->domains, (unsigned)j->asked[index].item, row);
	control_send(j->conn, row);
}

static void send_outcome(const struct job *j, unsigned index)
{
	unsigned item = (unsigned)j->asked[index].item;
	const struct living_item *i = &j->items[item];
	const char *refused = i->outcome == LIVING_FULL ? "the lists are full" : control_domains_refused(j->domains, item);

	if (refused) {
		send_refusal(j, index, refused);
		return;
	}
	if (!j->each)
		return;
	json_t *row = json_pack("{s:i, s:s, s:s, s:o, s:o}", "index", (int)index,
		"outcome", living_outcome_word(i->outcome), "kind", list_kind_word(i->kind),
		"value", control_string(i->value), "until", control_time(i->until));
	control_domains_tell(j->domains, item, row);
	control_send(j->conn, row);
}

static void log_change(const struct job *j, const unsigned counts[LIVING_OUTCOMES])
{
	static const enum living_outcome changes[] = { LIVING_ADDED, LIVING_EXTENDED, LIVING_SHORTENED, LIVING_REMOVED };
	char text[400];
	struct buf b = BUF_ON(text);

	for (size_t i = 0; i < sizeof changes / sizeof *changes && !j->batch.dry; i++)
		if (counts[changes[i]])
			buf_addf(&b, "%s%u %s", b.n ? ", " : "", counts[changes[i]], living_outcome_word(changes[i]));
	if (b.n == 0)
		return;
	if (j->batch.author.n) {
		buf_adds(&b, " by ");
		buf_addsafe(&b, j->batch.author, LIST_AUTHOR_MAX);
	}
	log_msg(LOG_LEVEL_NOTICE, "lists: %.*s: %s", SPAN_ARG(j->batch.list), buf_str(&b));
}

static void send_sum(const struct job *j)
{
	unsigned counts[LIVING_OUTCOMES] = { 0 }, refused = j->count - j->batch.count;
	json_t *row = json_pack("{s:b}", "dry_run", j->batch.dry);

	for (unsigned i = 0; i < j->batch.count; i++)
		counts[control_domains_refused(j->domains, i) ? LIVING_FULL : j->items[i].outcome]++;
	for (unsigned o = 0; o < LIVING_OUTCOMES; o++)
		if (o != LIVING_FULL)
			json_object_set_new(row, living_outcome_word((enum living_outcome)o), json_integer(counts[o]));
	json_object_set_new(row, "refused", json_integer(refused + counts[LIVING_FULL]));
	control_send(j->conn, row);
	log_change(j, counts);
}

static void answer(struct job *j, const char *error)
{
	struct control_conn *c = j->conn;

	for (unsigned i = 0; i < j->count && !error; i++) {
		if (j->asked[i].item < 0)
			send_refusal(j, i, j->asked[i].why);
		else
			send_outcome(j, i);
	}
	if (!error)
		send_sum(j);
	free_job(&j);
	if (error)
		control_error(c, "%s", error);
	else
		control_end(c);
}

static void on_domains(void *arg, struct control_domains *found)
{
	struct job *j = arg;

	j->domains = found;
	answer(j, NULL);
}

static void on_changed(struct living_batch *b, const char *error)
{
	struct job *j = b->arg;

	if (error || !control_domains_follow(control_server(j->conn), b, j->each, on_domains, j))
		answer(j, error);
}

/* --- Reading the arguments ---------------------------------------------------------- */

static struct span text_of(const json_t *object, const char *name)
{
	const json_t *text = json_object_get(object, name);

	return span_make(json_is_string(text) ? json_string_value(text) : "", json_string_length(text));
}

static int refuse(struct asked *a, const char *why)
{
	snprintf(a->why, sizeof a->why, "%s", why);
	return 0;
}

/* 1, 0 when it is refused, -1 when memory is out. */
static int read_entry(struct job *j, struct asked *a, const json_t *entry)
{
	struct buf why = BUF_ON(a->why);

	a->item = -1;
	a->value = text_of(entry, "value");
	a->comment = text_of(entry, "comment");
	if (a->comment.n == 0)
		a->comment = text_of(j->arguments, "comment");
	if (!list_kind_parse(text_of(entry, "kind"), &a->kind))
		return refuse(a, "not a client, name, sender, recipient or domain");
	if (a->comment.n > LIST_COMMENT_MAX)
		return refuse(a, "the comment is too long");
	a->at = j->normal.n;
	int good = listvalue_read(a->kind, a->value, &j->normal, &why);
	a->n = j->normal.n - a->at;
	return good;
}

static int read_entries(struct job *j, const json_t *entries)
{
	for (unsigned i = 0; i < j->count; i++) {
		struct asked *a = &j->asked[i];
		int good = read_entry(j, a, json_array_get(entries, i));
		if (good < 0 || j->normal.over)
			return -1;
		if (good == 0)
			continue;
		a->item = (int)j->batch.count++;
		j->items[a->item] = (struct living_item){ .kind = a->kind, .comment = a->comment };
	}
	/* The buffer does not move any more. */
	for (unsigned i = 0; i < j->count; i++)
		if (j->asked[i].item >= 0)
			j->items[j->asked[i].item].value = span_make(j->normal.p + j->asked[i].at, j->asked[i].n);
	return 0;
}

static struct job *new_job(struct control_conn *c, const json_t *arguments, unsigned count)
{
	struct job *j = calloc(1, sizeof *j);

	if (!j)
		return NULL;
	j->conn = c;
	j->count = count;
	j->normal = buf_heap((size_t)LIVING_BATCH_MAX * (LIST_VALUE_MAX + 1));
	j->arguments = json_deep_copy(arguments);
	j->asked = calloc(count + 1u, sizeof *j->asked);
	j->items = calloc(count + 1u, sizeof *j->items);
	if (!j->arguments || !j->asked || !j->items)
		free_job(&j);
	return j;
}

/* NULL, or what is wrong with the arguments that all entries share. */
static const char *check(const json_t *arguments, int64_t until, int64_t now)
{
	struct span list = text_of(arguments, "list");
	const json_t *entries = json_object_get(arguments, "values");

	if (!list_word_valid(list))
		return "a list's name has letters, digits, - and _, at most 64";
	if (span_eq(list, span_of("proposed")))
		return "\"proposed\" is what looks like a forwarder; it cannot be a list";
	if (span_eq(list, span_of("held")))
		return "\"held\" is what clients are held for; it cannot be a list";
	if (!json_is_array(entries) || json_array_size(entries) > LIVING_BATCH_MAX)
		return "\"values\" is no array of at most 1000";
	if (text_of(arguments, "author").n > LIST_AUTHOR_MAX)
		return "the author's name is too long";
	if (until <= now)
		return "that end is over already";
	return NULL;
}

static void change(struct control_conn *c, const json_t *arguments, bool remove)
{
	const json_t *entries = json_object_get(arguments, "values"), *end = json_object_get(arguments, "until");
	int64_t until = json_is_integer(end) ? json_integer_value(end) : LIST_NEVER;
	const char *wrong = check(arguments, until, clock_wall(control_server(c)->clock));
	struct job *j = wrong ? NULL : new_job(c, arguments, (unsigned)json_array_size(entries));

	if (!j) {
		control_error(c, "%s", wrong ? wrong : "out of memory");
		return;
	}
	j->each = json_is_true(json_object_get(arguments, "each"));
	j->batch = (struct living_batch){
		.list = text_of(j->arguments, "list"), .author = text_of(j->arguments, "author"),
		.until = until < LIST_NEVER ? until : LIST_NEVER, .remove = remove,
		.shorten = json_is_true(json_object_get(arguments, "shorten")),
		.dry = json_is_true(json_object_get(arguments, "dry_run")),
		.items = j->items, .done = on_changed, .arg = j,
	};
	if (read_entries(j, json_object_get(j->arguments, "values")) != 0)
		on_changed(&j->batch, "out of memory");
	else
		livinglists_change(control_server(c)->living, &j->batch);
}

void control_list_add(struct control_conn *c, const json_t *arguments)
{
	change(c, arguments, false);
}

void control_list_remove(struct control_conn *c, const json_t *arguments)
{
	if (span_eq(text_of(arguments, "list"), span_of("held")))
		control_let_go(c, arguments);
	else
		change(c, arguments, true);
}
