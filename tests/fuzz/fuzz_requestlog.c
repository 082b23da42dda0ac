/* Lines of journals of requests and of logs, and what they do to a replay: none may end
 * it, and what was read comes back from a copy. */
#include "replay/compare.h"
#include "replay/maillogline.h"
#include "requestlog/entrycopy.h"

#define NOW 1795255200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const struct entry *e)
{
	static struct entry back;
	struct entry_copy *c = entry_copy(e);

	if (!c)
		abort();
	entry_restore(&back, c);
	free(c);
	if (!span_eq(back.request.sender, e->request.sender) || !span_eq(back.request.client_name, e->request.client_name) ||
	    e->request.sender.n > REQUEST_ADDRESS_MAX || e->request.client_text.n > REQUEST_WORD_MAX || e->reason > REASON_COUNT)
		abort();
}

static void ignore(struct diag *d, enum diag_severity severity, const char *file, unsigned line, unsigned column, const char *text)
{
	(void)d; (void)severity; (void)file; (void)line; (void)column; (void)text;
}

/* Kept from one input to the next: beginning anew costs more than reading lines. */
static struct side *a_side(void)
{
	static struct side side;
	static struct names *names;
	static const char rules[] = "defer dnsbl zen.example delay 1h\ndefer spf fail delay 2h\nblock rhsbl x.example\n";
	char text[200];
	struct buf why = BUF_ON(text);
	struct diag diag = { .report = ignore };

	if (names)
		return &side;
	names = names_new(&why);
	if (!names || side_begin(&side, names, config_parse(span_of(rules), "fuzz", &diag), NOW, &why) != 0)
		abort();
	return &side;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct maillogline *log;
	static struct entry e;
	struct span in = span_make((const char *)data, size), line;
	char text[300];
	struct buf why = BUF_ON(text);

	if (!log && !(log = maillogline_new(NOW)))
		abort();
	while (span_cut(&in, '\n', &line)) {
		bool found = line.n && line.p[0] == '{' ? entry_read(&e, line, &why) : maillogline_read(log, line, &e, &why) == 1;
		if (!found)
			continue;
		look(&e);
		(void)side_judge(a_side(), &e, NOW);
	}
	return 0;
}
