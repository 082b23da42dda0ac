/* learn: reports about clients, from mail and logs that greylag(1) has read. */
#include "daemon/control_command.h"

#define IN_FLIGHT_MAX 32	/* of a batch: requests of mail servers come in between */

struct job {
	struct control_conn *conn;
	json_t *rows;			/* the requests' texts borrow from it */
	size_t next;
	unsigned in_flight;
	bool asking;			/* ask() is on the stack: answers may come at once */
	json_int_t learned, failed;
};

static bool report_of(const char *word, enum report *out)
{
	static const struct { const char *word; enum report report; } reports[] = {
		{ "known", REPORT_KNOWN }, { "ham", REPORT_HAM }, { "spam", REPORT_SPAM },
		{ "misbehaved", REPORT_MISBEHAVED } };

	for (size_t i = 0; word && i < sizeof reports / sizeof *reports; i++)
		if (strcmp(word, reports[i].word) == 0) {
			*out = reports[i].report;
			return true;
		}
	return false;
}

/* Fills in a request from a row. NULL, or what is wrong with the row. */
static const char *fill(struct request *r, const json_t *row)
{
	const char *client = control_text(row, "client"), *name = control_text(row, "name");

	r->stage = STAGE_RCPT;
	if (!json_is_object(row))
		return "is no object";
	if (!report_of(control_text(row, "what"), &r->report))
		return "\"what\" must be known, ham, spam or misbehaved";
	r->client_text = span_of(client);
	if (!client || !netaddr_parse(r->client_text, &r->client))
		return "\"client\" must be an address";
	if (json_object_get(row, "name") && !name)
		return "\"name\" must be a text";
	r->client_name = request_name(span_of(name));
	return r->client_name.n > REQUEST_NAME_MAX ? "\"name\" is too long" : NULL;
}

static void end(struct job *j)
{
	struct control_conn *c = j->conn;

	control_send(c, json_pack("{s:I, s:I}", "learned", j->learned, "failed", j->failed));
	json_decref(j->rows);
	free(j);
	control_end(c);
}

static void ask(struct job *j);

static void on_answer(struct inquiry *q)
{
	struct job *j = q->arg;
	enum reason reason = q->decision.reason;
	bool learned = reason == REASON_LEARNED || reason == REASON_DISTRUSTED;

	engine_release(&q);
	j->in_flight--;
	if (learned)
		j->learned++;
	else
		j->failed++;
	if (!j->asking)
		ask(j);
}

/* Asks as many as may be on their way at once, and ends the job after the last answer. */
static void ask(struct job *j)
{
	size_t count = json_array_size(j->rows);

	j->asking = true;
	while (j->in_flight < IN_FLIGHT_MAX && j->next < count && !control_gone(j->conn)) {
		struct inquiry *q = engine_inquiry(control_server(j->conn)->engine);
		const json_t *row = json_array_get(j->rows, j->next++);
		if (!q) {
			j->failed++;
			continue;
		}
		fill(&q->request, row);
		j->in_flight++;
		engine_ask(q, on_answer, j);
	}
	j->asking = false;
	if (j->in_flight == 0)
		end(j);
}

void control_learn(struct control_conn *c, const json_t *arguments)
{
	json_t *rows = json_object_get(arguments, "clients");
	size_t count = json_array_size(rows);

	if (!json_is_array(rows)) {
		control_error(c, "learn needs an array \"clients\"");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		struct request r = { 0 };
		const char *wrong = fill(&r, json_array_get(rows, i));
		if (wrong) {
			control_error(c, "row %zu of %zu: %s; nothing was learned", i + 1, count, wrong);
			return;
		}
	}
	struct job *j = calloc(1, sizeof *j);
	if (!j) {
		control_error(c, "out of memory");
		return;
	}
	j->conn = c;
	j->rows = json_incref(rows);
	ask(j);
}
