#include "requestlog/entrycopy.h"

#include <stddef.h>

/* The fields of struct entry in front of its answers, then the answers and the bytes that
 * there are, one behind the other. Spans point into the former entry until restored. */
struct entry_copy {
	const char *from;		/* bytes of the former entry */
	unsigned answer_count;
	size_t used;
	char all[];
};

#define HEAD offsetof(struct entry, answers)

struct entry_copy *entry_copy(const struct entry *e)
{
	size_t answers = e->answer_count * sizeof *e->answers;
	struct entry_copy *c = malloc(sizeof *c + HEAD + answers + e->used);

	if (!c)
		return NULL;
	*c = (struct entry_copy){ e->bytes, e->answer_count, e->used };
	memcpy(c->all, e, HEAD);
	memcpy(c->all + HEAD, e->answers, answers);
	memcpy(c->all + HEAD + answers, e->bytes, e->used);
	return c;
}

static void move(struct span *s, const char *from, const struct entry *e)
{
	if (s->p && s->n)
		s->p = e->bytes + (s->p - from);
}

void entry_restore(struct entry *out, const struct entry_copy *c)
{
	size_t answers = c->answer_count * sizeof *out->answers;
	struct request *r = &out->request;

	memcpy(out, c->all, HEAD);
	memcpy(out->answers, c->all + HEAD, answers);
	memcpy(out->bytes, c->all + HEAD + answers, c->used);
	out->used = c->used;
	for (unsigned i = 0; i < entry_attribute_count; i++)
		move((struct span *)((char *)r + entry_attributes[i].offset), c->from, out);
	move(&r->sender, c->from, out);
	move(&r->recipient, c->from, out);
	move(&r->sasl_username, c->from, out);
	move(&r->encryption_protocol, c->from, out);
	for (unsigned i = 0; i < c->answer_count; i++) {
		move(&out->answers[i].kind, c->from, out);
		move(&out->answers[i].text, c->from, out);
	}
}
