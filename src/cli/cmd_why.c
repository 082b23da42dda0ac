#include "cli/command.h"
#include "cli/output.h"

/* Records that most requests do not have are worth a line only when they are there. */
static bool is_rare(const json_t *e)
{
	const char *what = output_text(e, "what");

	return strcmp(what, "correspondent") == 0 || strcmp(what, "expected") == 0;
}

static void print_hold(const json_t *e)
{
	if (output_text(e, "held_until")[0])
		output_line("", "%s: held until %s, %lld strikes", output_text(e, "what"), output_text(e, "held_until"),
			    (long long)output_number(e, "strikes"));
}

static void print_lookups(const json_t *lookups)
{
	const char *label = "look-ups";
	const json_t *l;
	size_t i;

	json_array_foreach(lookups, i, l) {
		bool named = strcmp(output_text(l, "kind"), output_text(l, "what")) != 0;
		output_line(label, "%s%s%s: %s", output_text(l, "kind"), named ? " " : "", named ? output_text(l, "what") : "",
			    output_text(l, "answer"));
		label = "";
	}
}

static void print_evidence(const json_t *evidence)
{
	const char *label = "evidence";
	const json_t *e;
	size_t i;

	json_array_foreach(evidence, i, e) {
		if (json_is_null(e) || (is_rare(e) && !json_is_true(json_object_get(e, "found"))))
			continue;
		if (!json_is_true(json_object_get(e, "found")))
			output_line(label, "%s: never seen", output_text(e, "what"));
		else if (output_text(e, "passed_at")[0])
			output_line(label, "%s: passed since %s, last seen %s, %s %s", output_text(e, "what"),
				    output_text(e, "passed_at"), output_text(e, "last_seen"),
				    json_is_true(json_object_get(e, "expired")) ? "expired" : "kept until",
				    output_text(e, "expires"));
		else
			output_line(label, "%s: first seen %s, deferred %lld times, %s %s", output_text(e, "what"),
				    output_text(e, "first_seen"), (long long)output_number(e, "blocked"),
				    json_is_true(json_object_get(e, "expired")) ? "lapsed" : "retry passes until",
				    output_text(e, "expires"));
		label = "";
		print_hold(e);
	}
}

static const char *identity_text(const json_t *row)
{
	const char *kind = output_text(row, "identity_kind");

	if (strcmp(kind, "host") == 0)
		return "registrable domain of the confirmed name";
	if (strcmp(kind, "spf") == 0)
		return "the sender's domain, which SPF confirms";
	if (json_is_true(json_object_get(row, "dynamic")))
		return "network: the name looks like a dial-up line's";
	return strcmp(kind, "network") == 0 ? "network: no confirmed name" : "exact address";
}

static void print(const json_t *row, void *arg)
{
	(void)arg;
	if (strcmp(output_text(row, "verdict"), "observe") == 0)
		output_line("verdict", "observe, would %s (%s): %s", output_text(row, "would"), output_text(row, "reason"),
			    output_text(row, "meaning"));
	else
		output_line("verdict", "%s (%s): %s", output_text(row, "verdict"), output_text(row, "reason"),
			    output_text(row, "meaning"));
	if (output_text(row, "identity")[0])
		output_line("identity", "%s (%s)", output_text(row, "identity"), identity_text(row));
	if (json_object_get(row, "entry"))
		output_line("list", "%s, %s", output_text(row, "rule_file"), output_text(row, "entry"));
	else if (json_object_get(row, "rule_line"))
		output_line("rule", "%s:%lld", output_text(row, "rule_file"), (long long)output_number(row, "rule_line"));
	else
		output_line("rule", "none");
	print_lookups(json_object_get(row, "lookups"));
	print_evidence(json_object_get(row, "evidence"));
	if (output_text(row, "passes_at")[0])
		output_line("retry", "passes from %s on, in %llds", output_text(row, "passes_at"),
			    (long long)output_number(row, "wait_s"));
	output_line("reply", "%s", output_text(row, "reply"));
}

int cmd_why(struct client *c, const struct arguments *a)
{
	json_t *request = json_pack("{s:s}", "cmd", "why");

	command_text(request, "client", a->words[0]);
	command_text(request, "sender", a->words[1]);
	command_text(request, "recipient", a->words[2]);
	command_text(request, "name", a->name);
	command_text(request, "helo", a->helo);
	command_text(request, "sasl", a->sasl);
	command_text(request, "stage", a->stage);
	json_t *with = json_array();
	for (int i = 0; i < a->with_count; i++)
		json_array_append_new(with, json_string(a->with[i]));
	json_object_set_new(request, "with", with);
	return command_run(c, a, request, print, NULL);
}
