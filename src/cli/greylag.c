/* greylag(1): finds the command, its options and the daemon. */
#include <errno.h>
#include <limits.h>
#include <signal.h>

#include "cli/command.h"
#include "config/config.h"

#define DEFAULT_SOCKET "/run/greylag/control"
#define DEFAULT_POLICY "/run/greylag/policy"

#define ENTRIES "[client|name|sender|recipient|domain] VALUE... | --file FILE|- [--format auto|cidr|relaydelay|postgrey]\n" \
	"    [--for 30d | --until DATE|never] [--shorten] [--comment TEXT] [--dry-run]"
#define ENTRIES_OPTIONS "file format for until shorten comment dry-run"

static const struct command {
	const char *name, *usage, *help;
	int least, most;		/* words after the command */
	command_fn *run;
	bool alone;			/* opens what it needs itself: run gets no client */
	const char *options;		/* that it takes beside --json and --socket, between blanks; NULL: none */
} commands[] = {
	{ "status", "", "what the daemon does, counters by reason", 0, 0, cmd_status, false, NULL },
	{ "why", "CLIENT SENDER RECIPIENT [--name N] [--helo H] [--sasl U] [--stage S] [--with ATTRIBUTE=VALUE]...",
	  "what would be decided now, and why", 3, 3, cmd_why, false, "name helo sasl stage with" },
	{ "ask", "--client A --sender S --recipient R [--name N] [--helo H] [--stage S]",
	  "ask as an MTA does, for scripts: 0 pass, 75 defer, 77 reject", 0, 0, cmd_ask, true,
	  "client sender recipient name helo sasl stage" },
	{ "show", "client|sender|recipient PATTERN", "the records that match", 2, 2, cmd_show, false, NULL },
	{ "dump", "", "all records", 0, 0, cmd_dump, false, NULL },
	{ "forget", "client|sender|recipient PATTERN [--dry-run] [--all]", "remove the records that match", 2, 2, cmd_forget, false,
	  "dry-run all" },
	{ "allow", ENTRIES, "list what is let through", 0, INT_MAX, cmd_allow, false, ENTRIES_OPTIONS },
	{ "block", ENTRIES, "list what is rejected", 0, INT_MAX, cmd_block, false, ENTRIES_OPTIONS },
	{ "trap", ENTRIES, "list whom nobody good writes to", 0, INT_MAX, cmd_trap, false, ENTRIES_OPTIONS },
	{ "enlist", "LIST " ENTRIES, "list for rules with a condition `listed LIST`", 1, INT_MAX, cmd_enlist, false,
	  ENTRIES_OPTIONS },
	{ "expect", "RECIPIENT DURATION [from DOMAIN]", "let mail to somebody pass for a while", 2, 4, cmd_expect, false, NULL },
	{ "unlist", "LIST [KIND] VALUE... | --file FILE [--format F] [--dry-run]", "take off a list", 1, INT_MAX, cmd_unlist, false,
	  "file format dry-run" },
	{ "lists", "[LIST [KIND [PATTERN]]] [--expiring [7d]]", "what is listed, and the clients that are held", 0, 3, cmd_lists, false,
	  "expiring" },
	{ "learn", "ham|spam FILE|MBOX|MAILDIR|- ... [--trusted PREFIX,...] [--print|--dry-run]\n"
	  "       greylag learn log FILE|- ... [--format F] [--days N] [--trusted PREFIX,...] [--print|--dry-run]",
	  "whom to trust or not, from mail and from logs", 2, INT_MAX, cmd_learn, true,
	  "trusted print dry-run format days" },
	{ "report", "[--since 7d] [--format text|json|csv|html] [--top N] [--after 12h] [--tries N] [--skip-dynamic]\n"
	  "    [--match PATTERN] [--skip PATTERN] [--mail-size 30K] [--from-log FILE|- ...]",
	  "what greylisting did, and whose mail never came back", 0, INT_MAX, cmd_report, true,
	  "since format top after tries skip-dynamic match skip mail-size from-log" },
	{ "top", "[SECONDS]", "what the daemon does, live", 0, 1, cmd_top, true, NULL },
	{ "import", "postgrey|greylistd|jgreylist|qgreylist DIR\n"
	  "       greylag import milter-greylist|spamdb|greylag FILE|-\n"
	  "       greylag import sqlgrey|relaydelay|qmail-spp FILE|-|mariadb:SERVER/DATABASE\n"
	  "               [--user U] [--password-file F]\n"
	  "    [--delay D] [--print|--dry-run]", "what another greylisting system remembers", 2, 2, cmd_import, true,
	  "user password-file delay print dry-run" },
	{ "export", "[--format jsonl|csv]", "all records and lists, for greylag import greylag or a spreadsheet", 0, 0, cmd_export, false,
	  "format" },
	{ "replay", "[--config FILE] [--against FILE] [--list] JOURNAL|MAILLOG|- ...",
	  "what another configuration would have done with recorded mail", 1, INT_MAX, cmd_replay, true,
	  "config against list" },
	{ "config", "", "the values in force and where each came from", 0, 0, cmd_config, false, NULL },
	{ "reload", "", "read the configuration again", 0, 0, cmd_reload, false, NULL },
	{ "backup", "FOLDER", "a copy of the store while mail flows", 1, 1, cmd_backup, false, NULL },
	{ "store", "init [STORE] | copy FROM TO", "make a store's tables; copy one store into another", 1, 3, cmd_store, true, NULL },
	{ "convert", "postgrey|sqlgrey|milter-greylist|relaydelay [--root FOLDER] [FILE | -- FLAG...]",
	  "another service's configuration, as greylag.conf", 1, INT_MAX, cmd_convert, true, "root" },
	{ "doctor", "[--root FOLDER]", "what is wrong with the set-up here, and the lines to add; changes nothing", 0, 0, cmd_doctor, true,
	  "root" },
	{ "version", "", "the daemon's version", 0, 0, cmd_version, false, NULL },
};
#define COMMANDS (sizeof commands / sizeof *commands)

static const struct command *find(const char *name)
{
	for (size_t i = 0; name && i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void print_usage(FILE *out)
{
	fputs("usage: greylag [--json] [--socket PATH] COMMAND [ARGUMENTS]\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("  help     [COMMAND]\n", out);
}

static int help(const char *name)
{
	const struct command *c = find(name);

	if (name && !c) {
		fprintf(stderr, "greylag: no command %.60s\n", name);
		return STATUS_USAGE;
	}
	if (c)
		printf("usage: greylag %s%s%s\n%s\n", c->name, c->usage[0] ? " " : "", c->usage, c->help);
	else
		print_usage(stdout);
	return STATUS_OK;
}

static void ignore_finding(struct diag *d, enum diag_severity severity, const char *file, unsigned line,
			   unsigned column, const char *text)
{
	(void)d; (void)severity; (void)file; (void)line; (void)column; (void)text;
}

/* The first socket of this kind in the configuration, where that may be read. */
static void find_listener(enum listen_kind kind, char *out, size_t size)
{
	struct diag diag = { .report = ignore_finding };
	struct config *config = config_load(COMMAND_CONFIG, &diag);

	for (unsigned i = 0; config && i < config->listen_count; i++) {
		const struct listen_spec *l = &config->listens[i];
		if (l->kind != kind)
			continue;
		if (l->tcp)
			snprintf(out, size, "inet:%s%s%s:%s", strchr(l->host, ':') ? "[" : "", l->host,
				 strchr(l->host, ':') ? "]" : "", l->port);
		else
			snprintf(out, size, "%s", l->path);
		break;
	}
	config_free(&config);
}

static const char *find_socket(char *out, size_t size)
{
	const char *said = getenv("GREYLAG_SOCKET");

	if (said && said[0])
		return said;
	snprintf(out, size, "%s", DEFAULT_SOCKET);
	find_listener(LISTEN_CONTROL, out, size);
	return out;
}

int command_open(struct client *c, const struct arguments *a)
{
	char path[200];

	return client_open(c, a->socket ? a->socket : find_socket(path, sizeof path), CLIENT_LIMIT_MS);
}

const char *command_policy_socket(char *out, size_t size)
{
	snprintf(out, size, "%s", DEFAULT_POLICY);
	find_listener(LISTEN_POLICY, out, size);
	return out;
}

void command_finding(struct diag *d, enum diag_severity severity, const char *file, unsigned line, unsigned column,
		     const char *text)
{
	char words[600];
	struct buf b = BUF_ON(words);

	(void)d;
	diag_text(&b, severity, file, line, column, text);
	if (severity == DIAG_ERROR)
		fprintf(stderr, "%s\n", buf_str(&b));
}

void command_text(json_t *request, const char *name, const char *text)
{
	char safe[4200];
	struct buf b = BUF_ON(safe);

	if (!text || json_object_set_new(request, name, json_string(text)) == 0)
		return;
	buf_addsafe(&b, span_of(text), 1024);
	json_object_set_new(request, name, json_string(buf_str(&b)));
}

int command_run(struct client *c, const struct arguments *a, json_t *request,
		void (*each)(const json_t *row, void *arg), void *arg)
{
	json_t *row;
	int more;

	if (!request || client_send(c, request) != STATUS_OK) {
		json_decref(request);
		return COMMAND_FAILED;
	}
	json_decref(request);
	while ((more = client_row(c, &row)) == 1) {
		if (a->json) {
			json_dumpf(row, stdout, JSON_COMPACT);
			putchar('\n');
		} else {
			each(row, arg);
		}
		json_decref(row);
	}
	return more == 0 ? STATUS_OK : COMMAND_FAILED;
}

static int run_with_client(const struct command *command, const struct arguments *a)
{
	struct client client;
	int status = command_open(&client, a);

	if (status == STATUS_OK)
		status = command->run(&client, a);
	else
		fprintf(stderr, "greylag: %s\n", client.problem);
	if (status == COMMAND_FAILED) {
		fprintf(stderr, "greylag: %s\n", client.problem);
		status = STATUS_TEMPORARY;
	}
	client_close(&client);
	return status;
}

/* What could not be written was not told: a full disk is no success. */
static int run(const struct command *command, const struct arguments *a)
{
	int status = command->alone ? command->run(NULL, a) : run_with_client(command, a);

	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	fprintf(stderr, "greylag: standard output: %s\n", strerror(errno ? errno : EIO));
	return status == STATUS_OK ? STATUS_TEMPORARY : status;
}

int main(int argc, char **argv)
{
	struct arguments a;

	switch (arguments_read(argc, argv, &a)) {
	case ARGUMENTS_HELP: print_usage(stdout); return STATUS_OK;
	case ARGUMENTS_WRONG: print_usage(stderr); return STATUS_USAGE;
	case ARGUMENTS_GOOD: break;
	}
	/* Output into a pipe that ends early, such as head's. */
	signal(SIGPIPE, SIG_DFL);
	const char *name = a.command;
	if (name && strcmp(name, "help") == 0)
		return help(a.count > 0 ? a.words[0] : NULL);
	const struct command *command = find(name);
	if (!command) {
		print_usage(stderr);
		return STATUS_USAGE;
	}
	const char *foreign = arguments_foreign(&a, command->options);
	if (foreign)
		fprintf(stderr, "greylag: %s takes no --%s\n", command->name, foreign);
	if (foreign || a.count < command->least || a.count > command->most) {
		fprintf(stderr, "usage: greylag %s %s\n", command->name, command->usage);
		return STATUS_USAGE;
	}
	return run(command, &a);
}
