#include "cli/command.h"
#include "cli/output.h"

struct shown {
	uint64_t rows;
	json_int_t forgotten;
	bool dry_run;
};

static const char *or_null_sender(const char *text)
{
	return text[0] ? text : "<>";
}

static void print_row(const json_t *row, void *arg)
{
	struct shown *s = arg;

	if (json_object_get(row, "forgotten")) {
		s->forgotten = output_number(row, "forgotten");
		s->dry_run = json_is_true(json_object_get(row, "dry_run"));
		return;
	}
	if (s->rows++ == 0)
		output_heading("state    identity                  seen last             until                 deferred passed  from -> to");
	output_cell(output_text(row, "state"), 9);
	output_cell(output_text(row, "identity"), 25);
	putchar(' ');
	output_cell(output_text(row, "last_seen"), 22);
	output_cell(output_text(row, "expires"), 22);
	printf("%8lld %6lld", (long long)output_number(row, "blocked"), (long long)output_number(row, "passed"));
	if (strcmp(output_text(row, "kind"), "triplet") == 0)
		printf("  %s -> %s", or_null_sender(output_text(row, "sender")), output_text(row, "recipient"));
	putchar('\n');
}

static int finish(const struct arguments *a, int status, const struct shown *s, bool forget)
{
	if (status != STATUS_OK || a->json)
		return status;
	if (forget)
		printf("%lld records %s\n", (long long)s->forgotten, s->dry_run ? "would be forgotten" : "forgotten");
	if ((forget && s->forgotten == 0) || (!forget && s->rows == 0)) {
		if (!forget)
			fputs("nothing is known\n", stderr);
		return STATUS_NO;
	}
	return STATUS_OK;
}

static int run(struct client *c, const struct arguments *a, const char *command, const char *field,
	       const char *pattern)
{
	struct shown s = { 0 };
	json_t *request = json_pack("{s:s, s:b, s:b}", "cmd", command, "dry_run", a->dry_run, "all", a->all);

	command_text(request, "field", field);
	command_text(request, "pattern", pattern);
	return finish(a, command_run(c, a, request, print_row, &s), &s, strcmp(command, "forget") == 0);
}

int cmd_show(struct client *c, const struct arguments *a)
{
	return run(c, a, "show", a->words[0], a->words[1]);
}

int cmd_dump(struct client *c, const struct arguments *a)
{
	return run(c, a, "show", "all", "");
}

int cmd_forget(struct client *c, const struct arguments *a)
{
	return run(c, a, "forget", a->words[0], a->words[1]);
}
