/* ask: a policy request like an MTA's, for scripts; it counts like one too. */
#include "cli/command.h"
#include "client/ask.h"
#include "client/question.h"

#define DEADLINE_MS 10000
#define STATUS_DEFER 75
#define STATUS_REJECT 77

static void write_question(struct buf *b, const struct arguments *a)
{
	question_begin(b, a->stage ? a->stage : "RCPT");
	question_add(b, "client_address", span_of(a->client));
	question_add(b, "client_name", span_of(a->name));
	question_add(b, "helo_name", span_of(a->helo));
	question_add(b, "sasl_username", span_of(a->sasl));
	question_address(b, "sender", span_of(a->sender));
	if (a->recipient)
		question_address(b, "recipient", span_of(a->recipient));
	question_end(b);
}

static int print(const struct answer *a, bool json)
{
	static const struct { const char *word; int status; } rows[] = {
		[ANSWER_PASS] = { "pass", STATUS_OK }, [ANSWER_HEADER] = { "pass", STATUS_OK },
		[ANSWER_DEFER] = { "defer", STATUS_DEFER }, [ANSWER_REJECT] = { "reject", STATUS_REJECT },
	};

	if (json) {
		json_t *row = json_pack("{s:s, s:s}", "verdict", rows[a->kind].word, "text", a->text);
		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(row);
	} else {
		printf("%s%s%s\n", rows[a->kind].word, a->text[0] ? " " : "", a->text);
	}
	return rows[a->kind].status;
}

int cmd_ask(struct client *c, const struct arguments *a)
{
	char text[300], where[200];
	struct buf why = BUF_ON(text), question = buf_heap(QUESTION_MAX);
	struct endpoint endpoint;
	struct asker asker;
	struct answer answer;

	(void)c;
	if (!a->client || !a->sender || (!a->recipient && !a->stage)) {
		fputs("greylag: ask needs --client, --sender (\"\" is the null sender) and --recipient\n", stderr);
		return STATUS_USAGE;
	}
	if (endpoint_parse(span_of(a->socket ? a->socket : command_policy_socket(where, sizeof where)),
			   &endpoint, &why) != 0) {
		fprintf(stderr, "greylag: --socket: %s\n", buf_str(&why));
		return STATUS_USAGE;
	}
	write_question(&question, a);
	asker_init(&asker, &endpoint, DEADLINE_MS, false);
	bool answered = asker_ask(&asker, buf_span(&question), &answer, &why);
	asker_close(&asker);
	buf_free(&question);
	if (answered)
		return print(&answer, a->json);
	fprintf(stderr, "greylag: %s\n", buf_str(&why));
	return STATUS_UNAVAILABLE;
}
