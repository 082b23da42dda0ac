#include "store/valkey_command.h"

#include "core/key.h"

#define PREFIX_ROOM 64		/* VALKEY_PREFIX_MAX */

void valkey_command_init(struct valkey_command *c)
{
	c->bytes = buf_heap((size_t)VALKEY_ARGS_MAX * (KEY_MAX + PREFIX_ROOM));
	c->count = 0;
	c->over = false;
}

void valkey_command_free(struct valkey_command *c)
{
	buf_free(&c->bytes);
}

void valkey_command_begin(struct valkey_command *c, const char *name)
{
	buf_clear(&c->bytes);
	c->count = 0;
	c->over = false;
	valkey_command_add(c, span_of(name));
}

/* What was appended since `before` becomes an argument. */
static void close_argument(struct valkey_command *c, size_t before)
{
	if (c->count == VALKEY_ARGS_MAX)
		c->over = true;
	else
		c->lengths[c->count++] = c->bytes.n - before;
}

void valkey_command_key(struct valkey_command *c, struct span prefix, struct span key)
{
	size_t before = c->bytes.n;

	buf_addspan(&c->bytes, prefix);
	buf_addspan(&c->bytes, key);
	close_argument(c, before);
}

void valkey_command_add(struct valkey_command *c, struct span argument)
{
	valkey_command_key(c, argument, span_make("", 0));
}

void valkey_command_number(struct valkey_command *c, int64_t n)
{
	size_t before = c->bytes.n;

	buf_addi(&c->bytes, n);
	close_argument(c, before);
}

void valkey_command_record(struct valkey_command *c, const struct record *r)
{
	unsigned char encoded[RECORD_SIZE];

	record_encode(r, encoded);
	valkey_command_add(c, span_make((const char *)encoded, sizeof encoded));
}

bool valkey_command_end(struct valkey_command *c)
{
	size_t at = 0;

	/* Only now: the bytes may have moved while they grew. */
	for (int i = 0; i < c->count; i++) {
		c->arguments[i] = c->bytes.p + at;
		at += c->lengths[i];
	}
	return !c->over && !c->bytes.over;
}
