/* greylistd's two files: "states" has sections [white], [grey], [black] with lines
 *   HASH = LAST FIRST COUNT
 * and "triplets" says what was hashed, unless savetriplets is off:
 *   HASH = DATA
 * DATA are the words of the ACL: mostly client, sender, recipient; with singlecheck
 * the client alone. */
#include "import/import_format.h"

#define STATES_MAX ((size_t)8 << 20)	/* 200 MB of memory */
#define WORDS 4
#define PATH_BYTES 1200

enum section { OTHER, WHITE, GREY, BLACK };

struct state {
	int64_t hash, last, first;
	uint32_t count;
	uint8_t section;
	bool used;
};

struct states {
	enum section section;		/* of the line */
	size_t count, room;
	struct state *list;
	bool out_of_memory;
};

static bool three_numbers(struct span s, int64_t *a, int64_t *b, int64_t *c)
{
	struct span one, two, three;

	return span_cut(&s, ' ', &one) && span_cut(&s, ' ', &two) && span_cut(&s, ' ', &three) &&
	       import_int(one, a) && import_int(two, b) && import_int(three, c) && *a >= 0 && *b >= 0 && *c >= 0;
}

static bool add_state(struct states *s, const struct state *state)
{
	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 1024;
		struct state *list = room <= STATES_MAX ? realloc(s->list, room * sizeof *list) : NULL;
		if (!list)
			return false;
		s->list = list;
		s->room = room;
	}
	s->list[s->count++] = *state;
	return true;
}

static enum section section_of(struct span line)
{
	struct span name = span_unwrap(line, '[', ']');

	return span_ieq(name, span_of("white")) ? WHITE : span_ieq(name, span_of("grey")) ? GREY :
	       span_ieq(name, span_of("black")) ? BLACK : OTHER;
}

static void take_state(struct import *in, void *arg, struct span line)
{
	struct states *s = arg;
	struct span hash, rest = span_trim(line);
	struct state state = { .section = (uint8_t)s->section };
	int64_t count;

	if (rest.n == 0 || rest.p[0] == '#')
		return;
	if (rest.p[0] == '[') {
		s->section = section_of(rest);
		return;
	}
	if (s->section == OTHER)
		return;
	if (!span_cut(&rest, '=', &hash) || !import_int(span_trim(hash), &state.hash) ||
	    !three_numbers(span_trim(rest), &state.last, &state.first, &count)) {
		import_skip(in, "not a line of greylistd's states");
		return;
	}
	state.count = (uint32_t)(count < UINT32_MAX ? count : UINT32_MAX);
	if (!add_state(s, &state))
		s->out_of_memory = true;
}

static int by_hash(const void *a, const void *b)
{
	int64_t x = ((const struct state *)a)->hash, y = ((const struct state *)b)->hash;

	return x < y ? -1 : x > y;
}

/* --- What was hashed ------------------------------------------------------------------------ */

static unsigned split(struct span s, struct span words[WORDS])
{
	unsigned n = 0;

	while ((s = span_trim(s)).n && n < WORDS)
		span_cut(&s, ' ', &words[n++]);
	return s.n ? WORDS : n;
}

/* A client by itself: what was let through as one, or not. */
static void give_client(struct import *in, struct import_row *row, const struct state *s, struct span client)
{
	if (s->section == GREY) {
		import_skip(in, "waits without sender and recipient");
	} else if (s->section == BLACK) {
		import_give(in, &(struct import_row){ .kind = IMPORT_ENTRY, .list = "block", .value_kind = "client",
			.value = client, .comment = span_of("greylistd") });
	} else if (!import_single(&row->client)) {
		import_give_network(in, &row->client, s->last + 60 * IMPORT_DAY, "greylistd");
	} else {
		row->kind = IMPORT_TRUSTED;
		import_give(in, row);
	}
}

static void give(struct import *in, const struct state *s, const struct span *words, unsigned count)
{
	struct import_row row = { .first_seen = s->first, .last_seen = s->last };

	if (count == 0 || count > 3 || !netprefix_parse(words[0], &row.client)) {
		import_skip(in, "words in an order of its own");
		return;
	}
	row.passed_at = s->section == WHITE ? s->last : 0;
	*(s->section == WHITE ? &row.passed : &row.blocked) = s->count;
	if (count == 1) {
		give_client(in, &row, s, words[0]);
		return;
	}
	/* Without a sender two blanks stood there. */
	row.sender = count == 3 ? import_address(words[1]) : span_make("", 0);
	row.recipient = import_address(words[count - 1]);
	row.kind = s->section == WHITE ? IMPORT_PASSED : IMPORT_WAITING;
	if (s->section == BLACK)
		import_skip(in, "a triplet that is blocked: that is a rule of greylag.conf");
	else
		import_give(in, &row);
}

static void take_triplet(struct import *in, void *arg, struct span line)
{
	const struct states *s = arg;
	struct span hash, words[WORDS];
	struct state key = { 0 };

	if (span_trim(line).n == 0)
		return;
	if (!span_cut(&line, '=', &hash) || !import_int(span_trim(hash), &key.hash)) {
		import_skip(in, "not a line of greylistd's triplets");
		return;
	}
	struct state *found = s->count ? bsearch(&key, s->list, s->count, sizeof key, by_hash) : NULL;
	/* A hash may have two lines; they say the same. */
	if (!found || found->used)
		return;
	found->used = true;
	unsigned count = split(line, words);
	give(in, found, words, count);
}

static int read_folder(struct import *in, const char *folder, struct buf *why)
{
	char path[PATH_BYTES];
	struct states s = { .section = OTHER };

	snprintf(path, sizeof path, "%s/states", folder);
	int result = import_lines(in, path, take_state, &s, why);
	if (result == 0 && s.out_of_memory)
		result = buf_fail(why, "%s: out of memory", path);
	if (result == 0 && s.count)
		qsort(s.list, s.count, sizeof *s.list, by_hash);
	snprintf(path, sizeof path, "%s/triplets", folder);
	if (result == 0)
		result = import_lines(in, path, take_triplet, &s, why);
	in->file = folder;
	in->line = 0;
	for (size_t i = 0; result == 0 && i < s.count; i++)
		if (!s.list[i].used)
			import_skip(in, "what was hashed is not known (savetriplets)");
	free(s.list);
	return result;
}

const struct import_format import_greylistd = { "greylistd", "DIR", read_folder };
