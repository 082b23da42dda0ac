#include "cli/learnsend.h"

#include "cli/output.h"

#define BATCH 100	/* rows: well below the 64 KB of a command */

static json_t *row_of(const struct tally_row *row, learn_word *word)
{
	char text[NETADDR_TEXT + 1];
	struct buf address = BUF_ON(text);

	netaddr_add(&address, &row->client);
	json_t *out = json_pack("{s:s, s:s}", "what", word(row), "client", buf_str(&address));
	if (row->name)
		json_object_set_new(out, "name", json_string(row->name));
	return out;
}

/* The rows of an answer, up to its end. */
static int take_answer(struct client *c, uint64_t *learned, uint64_t *failed)
{
	json_t *row;
	int more;

	while ((more = client_row(c, &row)) == 1) {
		*learned += (uint64_t)output_number(row, "learned");
		*failed += (uint64_t)output_number(row, "failed");
		json_decref(row);
	}
	return more == 0 ? STATUS_OK : STATUS_TEMPORARY;
}

int learnsend_report(struct client *c, const struct tally *t, learn_word *word, uint64_t *learned, uint64_t *failed)
{
	int status = STATUS_OK;

	for (size_t i = 0; i < t->count && status == STATUS_OK; i += BATCH) {
		json_t *rows = json_array();
		for (size_t n = i; n < t->count && n < i + BATCH; n++)
			json_array_append_new(rows, row_of(&t->rows[n], word));
		json_t *request = json_pack("{s:s, s:o}", "cmd", "learn", "clients", rows);
		status = client_send(c, request);
		json_decref(request);
		if (status == STATUS_OK)
			status = take_answer(c, learned, failed);
	}
	return status;
}

void learnsend_print(const struct arguments *a, const struct tally *t, learn_word *word, bool differ)
{
	char text[NETADDR_TEXT + 1];

	for (size_t i = 0; i < t->count; i++) {
		const struct tally_row *row = &t->rows[i];
		struct buf address = BUF_ON(text);
		if (a->json) {
			json_t *out = row_of(row, word);
			json_dumpf(out, stdout, JSON_COMPACT);
			putchar('\n');
			json_decref(out);
			continue;
		}
		netaddr_add(&address, &row->client);
		if (differ)
			printf("%s ", word(row));
		printf("%s%s%s\n", buf_str(&address), row->name ? " " : "", row->name ? row->name : "");
	}
}

int learnsend_trusted(struct client *c, struct buf *out)
{
	json_t *request = json_pack("{s:s}", "cmd", "config"), *row;
	int status = client_send(c, request), more;

	json_decref(request);
	if (status != STATUS_OK)
		return status;
	while ((more = client_row(c, &row)) == 1) {
		if (strcmp(output_text(row, "setting"), "learn trusted") == 0)
			buf_addspan(out, span_unwrap(span_of(output_text(row, "value")), '"', '"'));
		json_decref(row);
	}
	return more == 0 ? STATUS_OK : STATUS_TEMPORARY;
}
