/* List files: every line is an entry or a finding; the same text under each
 * condition; then a request is looked up. */
#include "lists/condition.h"
#include "lists/listfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add(void *arg, unsigned line, struct span entry, const char *problem)
{
	char text[300];
	struct buf why = BUF_ON(text);
	uint64_t before = condition_count(arg);

	if (line == 0 || (!problem && (entry.n == 0 || span_find(entry, '\n') < entry.n)))
		abort();
	if (problem || condition_add_word(arg, entry))
		return;
	bool added = condition_add(arg, entry, &why) == 0;
	if (added != (condition_count(arg) == before + 1) || (!added && why.n == 0))
		abort();
	for (size_t i = 0; i < why.n; i++)
		if (ascii_control(why.p[i]))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct request request = {
		.client = { .family = 4 }, .client_text = SPAN("0.0.0.0"), .client_name = SPAN("a.example.org"),
		.reverse_name = SPAN("a.example.org"), .helo = SPAN("b.example.org"),
		.sender = SPAN("alice+x@example.org"), .recipient = SPAN("bob@example.net"),
		.has_sender = true, .has_recipient = true,
	};
	const char *name;

	for (unsigned i = 0; (name = condition_kind_name(i)); i++) {
		struct condition *c = condition_new(condition_kind(span_of(name)), false);
		struct condition *n = condition_new(condition_kind(span_of(name)), true);
		if (!c || !n)
			abort();
		listfile_parse(span_make((const char *)data, size), add, c);
		listfile_parse(span_make((const char *)data, size), add, n);
		uint64_t wanted;
		enum holds yes = condition_holds(c, &request, NULL, &wanted), no = condition_holds(n, &request, NULL, &wanted);
		/* Of a look-up that cannot be made neither holds. */
		if (yes == no && (yes == HOLDS || !condition_lookup(c, 0)))
			abort();
		condition_free(&c);
		condition_free(&n);
	}
	return 0;
}
