#include "cli/command.h"
#include "cli/output.h"

static void print_setting(const json_t *row, void *arg)
{
	(void)arg;
	if (json_object_get(row, "rules")) {
		printf("# %lld rules with %lld entries\n", (long long)output_number(row, "rules"),
		       (long long)output_number(row, "entries"));
		return;
	}
	char text[700];
	snprintf(text, sizeof text, "%s %s", output_text(row, "setting"), output_text(row, "value"));
	output_cell(text, 52);
	if (output_number(row, "line"))
		printf(" # %s:%lld\n", output_text(row, "file"), (long long)output_number(row, "line"));
	else
		puts(" # default");
}

int cmd_config(struct client *c, const struct arguments *a)
{
	return command_run(c, a, json_pack("{s:s}", "cmd", "config"), print_setting, NULL);
}

static void print_reload(const json_t *row, void *arg)
{
	const json_t *reloaded = json_object_get(row, "reloaded");

	if (!reloaded) {
		fprintf(stderr, "%s\n", output_text(row, "finding"));
		return;
	}
	*(bool *)arg = json_is_true(reloaded);
	puts(json_is_true(reloaded) ? "reloaded" : "not reloaded as a whole; see the findings above and the log");
}

int cmd_reload(struct client *c, const struct arguments *a)
{
	bool reloaded = a->json;
	int status = command_run(c, a, json_pack("{s:s}", "cmd", "reload"), print_reload, &reloaded);

	return status == STATUS_OK && !reloaded ? STATUS_NO : status;
}

static void print_backup(const json_t *row, void *arg)
{
	(void)arg;
	printf("written to %s\n", output_text(row, "backup"));
}

int cmd_backup(struct client *c, const struct arguments *a)
{
	char *path = realpath(".", NULL);
	char full[4200];

	/* The daemon has another working folder. */
	if (a->words[0][0] == '/')
		snprintf(full, sizeof full, "%s", a->words[0]);
	else
		snprintf(full, sizeof full, "%s/%s", path ? path : "", a->words[0]);
	free(path);
	json_t *request = json_pack("{s:s}", "cmd", "backup");
	command_text(request, "directory", full);
	return command_run(c, a, request, print_backup, NULL);
}

static void print_version(const json_t *row, void *arg)
{
	(void)arg;
	printf("greylagd %s\n", output_text(row, "version"));
}

int cmd_version(struct client *c, const struct arguments *a)
{
	return command_run(c, a, json_pack("{s:s}", "cmd", "version"), print_version, NULL);
}
