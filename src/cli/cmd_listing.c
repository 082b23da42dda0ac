/* lists: what is on the living lists. */
#include "base/value.h"
#include "cli/command.h"
#include "cli/output.h"

#define EXPIRING_DEFAULT "7d"

static void print_row(const json_t *row, void *arg)
{
	uint64_t *rows = arg;
	const char *until = output_text(row, "until"), *cause = output_text(row, "cause");
	char text[300];

	if ((*rows)++ == 0)
		output_heading("list     kind      value                          until                 who, why");
	output_cell(output_text(row, "list"), 9);
	output_cell(output_text(row, "kind"), 10);
	output_cell(output_text(row, "value"), 30);
	putchar(' ');
	output_cell(strncmp(until, "9999-", 5) == 0 ? "never" : until, 22);
	if (output_number(row, "domains")) {
		printf("forwards for about %lld domains? %s\n", (long long)output_number(row, "domains"), output_text(row, "name"));
		return;
	}
	if (cause[0]) {
		snprintf(text, sizeof text, "%s, held %lld times", cause, (long long)output_number(row, "strikes"));
		puts(text);
		return;
	}
	const char *author = output_text(row, "author"), *comment = output_text(row, "comment");
	printf("%s%s%s\n", author, author[0] && comment[0] ? ": " : "", comment);
}

int cmd_lists(struct client *c, const struct arguments *a)
{
	char text[200];
	struct buf why = BUF_ON(text);
	uint64_t ms = 0, rows = 0;
	const char *expiring = a->expiring && !a->expiring[0] ? EXPIRING_DEFAULT : a->expiring;

	if (expiring && value_duration_ms(span_of(expiring), &ms, &why) != 0) {
		fprintf(stderr, "greylag: %s\n", buf_str(&why));
		return STATUS_USAGE;
	}
	json_t *request = json_pack("{s:s, s:I}", "cmd", "lists", "expiring_s", (json_int_t)((ms + 999) / 1000));
	command_text(request, "list", a->count > 0 ? a->words[0] : "");
	command_text(request, "kind", a->count > 1 ? a->words[1] : "");
	command_text(request, "pattern", a->count > 2 ? a->words[2] : "");
	int status = command_run(c, a, request, print_row, &rows);
	if (status == STATUS_OK && !a->json && rows == 0) {
		fputs("nothing is listed\n", stderr);
		return STATUS_NO;
	}
	return status;
}
