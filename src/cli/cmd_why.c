#include "cli/command.h"
#include "cli/output.h"

static void print_evidence(const json_t *evidence)
{
	const char *label = "evidence";
	const json_t *e;
	size_t i;

	json_array_foreach(evidence, i, e) {
		if (json_is_null(e))
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
	}
}

static const char *identity_text(const json_t *row)
{
	const char *kind = output_text(row, "identity_kind");

	if (strcmp(kind, "host") == 0)
		return "registrable domain of the confirmed name";
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
	return command_run(c, a, request, print, NULL);
}
