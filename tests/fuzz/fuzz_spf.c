/* SPF: a record and the answers to what it asks, all made from the input. Each line of
 * the input is a record's text or, by its first byte, a failure; questions take them in turn. */
#include "dns/spf.h"
#include "dns/spfmacro.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RECORDS 12

static struct spf s;

/* A heap copy for each text, so that a byte read beyond it is seen. */
struct texts {
	struct dns_record records[RECORDS];
	char *copies[RECORDS];
	unsigned count;
};

static void add_text(struct texts *t, struct span line)
{
	struct dns_record *r = &t->records[t->count];
	char *copy = malloc(line.n ? line.n : 1);

	if (!copy)
		abort();
	if (line.n)
		memcpy(copy, line.p, line.n);
	*r = (struct dns_record){ .text = span_make(copy, line.n) };
	r->address.family = line.n % 3 == 0 ? 6 : 4;
	memcpy(r->address.bytes, line.p, line.n < 4 ? line.n : 4);
	t->copies[t->count++] = copy;
}

/* Fields up to a line's end, separated by TABs, are the records of one answer. */
static void answer(struct span *rest)
{
	struct texts t = { .count = 0 };
	struct span line = span_of(""), field;
	struct dns_answer a = { .status = DNS_NONE };

	span_cut(rest, '\n', &line);
	if (line.n == 1 && (line.p[0] == 'F' || line.p[0] == 'T')) {
		a.status = line.p[0] == 'F' ? DNS_FAILED : DNS_TIMEOUT;
	} else {
		while (t.count < RECORDS && span_cut(&line, '\t', &field))
			add_text(&t, field);
		a.status = t.count ? DNS_FOUND : DNS_NONE;
	}
	a.count = t.count;
	a.records = t.records;
	spf_take(&s, &a);
	for (unsigned i = 0; i < t.count; i++)
		free(t.copies[i]);
}

static void check_question(void)
{
	struct span name = span_of(s.ask_name);

	if (!spfmacro_name(name) || s.depth > SPF_TERMS_MAX)
		abort();
}

static void check_result(void)
{
	if (s.terms > SPF_TERMS_MAX + 1 || s.voids > SPF_VOIDS_MAX + 1)
		abort();
	if (s.broad && s.result != SPF_PASS)
		abort();
	for (const char *p = s.mechanism; *p; p++)
		if (*p < 0x20 || *p > 0x7e)
			abort();
	if (!spf_result_word(s.result)[0] || strlen(s.why) > 100)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make((const char *)data, size), sender = span_of(""), helo = sender;
	struct netaddr client = { .family = size % 2 ? 4 : 6 };
	unsigned asks = 0;

	memcpy(client.bytes, data, size < 4 ? size : 4);
	span_cut(&in, '\n', &sender);
	span_cut(&in, '\n', &helo);
	memset(&s, 0xa5, sizeof s);
	spf_begin(&s, &client, sender, helo);
	/* The answers come round again, so that a short input can nest and loop. */
	struct span rest = in;
	while (spf_next(&s) == SPF_ASKS) {
		check_question();
		if (++asks > SPF_ASKS_MAX)
			abort();
		if (rest.n == 0)
			rest = in;
		answer(&rest);
	}
	check_result();
	return 0;
}
