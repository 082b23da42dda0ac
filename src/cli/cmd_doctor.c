/* doctor: what is wrong with the set-up here. */
#include "cli/command.h"
#include "cli/output.h"
#include "doctor/doctor.h"

#define CONTROL "/run/greylag/control"

static void print_lines(const char *lines)
{
	struct span rest = span_of(lines), line;

	while (span_cut(&rest, '\n', &line))
		printf("          %.*s\n", SPAN_ARG(line));
}

static void print(void *arg, const struct doctor_finding *f)
{
	(void)arg;
	printf("%-5s %s: ", doctor_word(f->severity), f->check);
	if (f->file[0] && f->line)
		printf("%s:%u: ", f->file, f->line);
	else if (f->file[0])
		printf("%s: ", f->file);
	printf("%s\n", f->text);
	if (f->lines[0]) {
		printf("      for %s:\n", f->add_to);
		print_lines(f->lines);
	}
}

static void print_json(void *arg, const struct doctor_finding *f)
{
	json_t *lines = json_array(), *row;
	struct span rest = span_of(f->lines), line;

	(void)arg;
	while (span_cut(&rest, '\n', &line))
		json_array_append_new(lines, json_stringn(line.p, line.n));
	row = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:o}", "check", f->check, "finding", doctor_word(f->severity),
			"file", f->file, "line", (int)f->line, "text", f->text, "add_to", f->add_to, "lines", lines);
	if (!row)
		return;
	json_dumpf(row, stdout, JSON_COMPACT);
	putchar('\n');
	json_decref(row);
}

/* Asks for rows: the last of them, and their number. */
static json_t *ask(struct client *c, json_t *request, json_int_t *count)
{
	json_t *row, *last = NULL;

	*count = 0;
	if (request && client_send(c, request) == STATUS_OK)
		while (client_row(c, &row) == 1) {
			json_decref(last);
			last = row;
			++*count;
		}
	json_decref(request);
	return last;
}

static const char *socket_of(const struct arguments *a, char *out, size_t size)
{
	if (a->socket)
		return a->socket;
	snprintf(out, size, "%s%s", a->root ? a->root : "", CONTROL);
	return out;
}

static json_t *ask_daemon(struct client *c, const struct arguments *a, struct doctor *d)
{
	char path[1100];
	json_int_t rows;
	json_t *status = NULL;

	int opened = a->root ? client_open(c, socket_of(a, path, sizeof path), CLIENT_LIMIT_MS) : command_open(c, a);
	if (opened == STATUS_OK) {
		status = ask(c, json_pack("{s:s}", "cmd", "status"), &rows);
		json_decref(ask(c, json_pack("{s:s, s:s, s:s}", "cmd", "show", "field", "client", "pattern", "127.0.0.0/8"), &d->loopback));
	}
	d->records = output_number(json_object_get(status, "store"), "records");
	d->unreachable = c->problem;
	return status;
}

int cmd_doctor(struct client *unused, const struct arguments *a)
{
	struct client c = { .fd = -1 };
	struct doctor *d = calloc(1, sizeof *d);
	int worst = STATUS_TEMPORARY;

	(void)unused;
	if (d) {
		d->report = a->json ? print_json : print;
		d->root = a->root ? a->root : "";
		json_t *status = ask_daemon(&c, a, d);
		d->status = status;
		worst = (int)doctor_run(d);
		json_decref(status);
		client_close(&c);
	}
	free(d);
	return worst;
}
