/* greylag.conf: whatever it holds is read or refused, each finding is one line
 * that a terminal survives, and an accepted value reads back as itself. */
#include "config/config.h"
#include "config/options.h"
#include "config/ruletest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_finding(struct diag *d, enum diag_severity severity, const char *file, unsigned line,
			  unsigned column, const char *text)
{
	(void)d; (void)severity; (void)file; (void)column;
	if (line > 1000000)
		abort();
	for (; *text; text++)
		if (ascii_control(*text))
			abort();
}

/* What `greylag config` prints must be a line of the file. */
static void check_round_trip(const struct config *c)
{
	char text[CONFIG_TEXT_MAX * 4];
	struct diag diag = { .report = check_finding };

	for (unsigned i = 0; i < options_count(); i++) {
		const struct option *o = options_row(i);
		struct buf line = BUF_ON(text), value = buf_heap(sizeof text);
		options_name(&line, o);
		buf_addc(&line, ' ');
		options_value(&line, o, &c->settings);
		buf_addc(&line, '\n');
		struct config *again = config_parse_with(buf_span(&line), "again", true, &diag);
		/* window and delay are checked against each other's defaults. */
		if (again) {
			options_value(&value, o, &again->settings);
			if (!span_ends(span_head(buf_span(&line), line.n - 1), buf_span(&value)))
				abort();
		} else if (strcmp(o->group, "greylist") != 0) {
			abort();
		}
		config_free(&again);
		buf_free(&value);
	}
}

static void complete(const void *arg, struct request *r)
{
	(void)arg;
	r->client_org = r->client_name;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct request request = {
		.client = { .family = 4 }, .client_text = SPAN("0.0.0.0"), .client_name = SPAN("a.example.org"),
		.helo = SPAN("b.example.org"), .sender = SPAN("alice+x@example.org"),
		.recipient = SPAN("bob@example.net"), .recipient_count = SPAN("3"), .server_port = SPAN("25"),
		.server_address = SPAN("192.0.2.1"), .has_minute = true, .has_weekday = true, .has_sender = true, .has_recipient = true,
	};
	struct diag diag = { .report = check_finding };
	struct config *c = config_parse_with(span_make((const char *)data, size), "fuzz", true, &diag);
	struct ruling ruling;

	if (!c != (diag.errors > 0))
		abort();
	if (!c)
		return 0;
	ruleset_match(c->rules, &request, NULL, &ruling, &(uint64_t){ 0 });
	ruletest_run(c, complete, NULL, &diag);
	check_round_trip(c);
	config_free(&c);
	return 0;
}
