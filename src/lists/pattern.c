#define PCRE2_CODE_UNIT_WIDTH 8
#include "lists/pattern.h"

#include <pcre2.h>
#include <sys/random.h>

#define MATCH_LIMIT 20000
#define HEAP_LIMIT_KB 1024
#define SUBJECT_MAX 2048
/* Of so many patterns the results are remembered, in so many places. */
#define REMEMBER_FROM 8
#define REMEMBERED 32768

struct patterns {
	pcre2_code **codes;
	size_t used, room;
	pcre2_match_data *data;
	pcre2_match_context *limits;
	uint64_t *results;		/* a text's hash, the lowest bit being the result; 0: unused */
	uint64_t seed;			/* strangers must not be able to choose two texts of one hash */
};

struct patterns *patterns_new(void)
{
	struct patterns *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->data = pcre2_match_data_create(1, NULL);
	p->limits = pcre2_match_context_create(NULL);
	if (!p->data || !p->limits) {
		patterns_free(&p);
		return NULL;
	}
	pcre2_set_match_limit(p->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(p->limits, MATCH_LIMIT);
	pcre2_set_heap_limit(p->limits, HEAP_LIMIT_KB);
	return p;
}

void patterns_free(struct patterns **p)
{
	if (*p) {
		for (size_t i = 0; i < (*p)->used; i++)
			pcre2_code_free((*p)->codes[i]);
		free((*p)->codes);
		free((*p)->results);
		pcre2_match_data_free((*p)->data);
		pcre2_match_context_free((*p)->limits);
	}
	free(*p);
	*p = NULL;
}

static bool make_room(struct patterns *p)
{
	if (p->used < p->room)
		return true;
	size_t room = p->room ? p->room * 2 : 4;
	pcre2_code **codes = realloc(p->codes, room * sizeof *codes);
	if (!codes)
		return false;
	p->codes = codes;
	p->room = room;
	return true;
}

/* Without memory for it, or chance, it only takes longer. */
static void remember(struct patterns *p)
{
	if (p->used < REMEMBER_FROM)
		return;
	if (!p->results && getrandom(&p->seed, sizeof p->seed, 0) == sizeof p->seed)
		p->results = calloc(REMEMBERED, sizeof *p->results);
	/* Nothing that was remembered before is found again. */
	p->seed++;
}

int patterns_add(struct patterns *p, struct span text, struct buf *why)
{
	int error;
	size_t at;
	PCRE2_UCHAR8 message[128];

	if (!make_room(p))
		return buf_fail(why, "out of memory");
	pcre2_code *code = pcre2_compile((PCRE2_SPTR8)text.p, text.n,
					 PCRE2_CASELESS | PCRE2_NEVER_BACKSLASH_C,
					 &error, &at, NULL);
	if (!code) {
		pcre2_get_error_message(error, message, sizeof message);
		return buf_fail(why, "regular expression: %s at offset %zu", (const char *)message, at);
	}
	p->codes[p->used++] = code;
	remember(p);
	return 0;
}

static bool match(const struct patterns *p, struct span subject)
{
	for (size_t i = 0; i < p->used; i++)
		if (pcre2_match(p->codes[i], (PCRE2_SPTR8)subject.p, subject.n, 0, 0, p->data, p->limits) >= 0)
			return true;
	return false;
}

/* The same names come again and again, and a hundred patterns take longer than all
 * the rest of a request. */
bool patterns_match(const struct patterns *p, struct span subject)
{
	subject = span_head(subject, SUBJECT_MAX);
	if (!subject.p)
		subject.p = "";
	if (!p->results)
		return match(p, subject);
	uint64_t hash = span_hash(subject, p->seed) | 1, *place = &p->results[(hash >> 1) % REMEMBERED];
	if ((*place | 1) != hash)
		*place = match(p, subject) ? hash : hash - 1;
	return *place == hash;
}

size_t patterns_count(const struct patterns *p)
{
	return p->used;
}

bool pattern_spelled(struct span s, struct span *text)
{
	if (s.n > 2 && ascii_lower(s.p[s.n - 1]) == 'i' && s.p[s.n - 2] == '/')
		s.n--;
	if (s.n < 3 || s.p[0] != '/' || s.p[s.n - 1] != '/')
		return false;
	*text = span_make(s.p + 1, s.n - 2);
	return true;
}
