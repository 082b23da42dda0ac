/* greylagd(8): starts, checks, and ends. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/inherit.h"
#include "daemon/detach.h"
#include "daemon/listener.h"
#include "daemon/privileges.h"
#include "daemon/server.h"
#include "version.h"

#define DEFAULT_CONFIG "/etc/greylag/greylag.conf"
#define FILES_IN_RESERVE 400	/* descriptors for the store, the log, list files */

/* Exit statuses of sysexits(3). */
enum { EXIT_USAGE = 64, EXIT_UNAVAILABLE = 69, EXIT_CONFIG = 78 };

struct arguments {
	const char *config;
	bool check;
	bool foreground;
};

static void usage(FILE *out)
{
	fputs("usage: greylagd [-ftV] [-c FILE]\n"
	      "  -c FILE   configuration, default " DEFAULT_CONFIG "\n"
	      "  -f        stay in the foreground, and log to stderr unless the log is a file\n"
	      "  -t        check the configuration and exit\n"
	      "  -V        print the version and exit\n", out);
}

/* Goes on: -1. Ends with the status otherwise. */
static int parse_arguments(int argc, char **argv, struct arguments *a)
{
	int option;

	while ((option = getopt(argc, argv, "c:fhtV")) != -1)
		switch (option) {
		case 'c': a->config = optarg; break;
		case 'f': a->foreground = true; break;
		case 't': a->check = true; break;
		case 'h': usage(stdout); return 0;
		case 'V': puts("greylagd " GREYLAG_VERSION); return 0;
		default: usage(stderr); return EXIT_USAGE;
		}
	if (optind < argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	return -1;
}

static void print_finding(struct diag *d, enum diag_severity severity, const char *file,
			  unsigned line, unsigned column, const char *text)
{
	char storage[1024];
	struct buf b = buf_on(storage, sizeof storage);

	(void)d;
	diag_text(&b, severity, file, line, column, text);
	fprintf(stderr, "%s\n", buf_str(&b));
}

static int open_listeners(struct server *s, const struct config *config, struct buf *why)
{
	for (unsigned i = 0; i < config->listen_count; i++)
		if (listener_open(&s->listeners[i], s, &config->listens[i], why) != 0)
			return -1;
	return 0;
}

/* The folder that a file or socket is in. */
static const char *folder_of(struct buf *b, const char *path)
{
	struct span s = span_of(path);
	size_t slash = span_rfind(s, '/');

	buf_addspan(b, slash == s.n ? span_of(".") : slash == 0 ? span_of("/") : span_head(s, slash));
	return buf_str(b);
}

static void confine(const struct config *config)
{
	static const char *const system_files[] = { "/etc", "/usr", "/lib", "/lib64", "/proc", "/sys/devices/system/cpu",
						    "/run/systemd", NULL };
	const char *const read_later[] = { config->settings.store_password_file, config->settings.store_tls_ca,
					    config->settings.country_database };
	char texts[CONFIG_LISTEN_MAX + 8][CONFIG_TEXT_MAX], problem[200];
	const char *writable[CONFIG_LISTEN_MAX + 8], *readable[16];
	struct buf why = buf_on(problem, sizeof problem);
	unsigned n = 0, r = 0;

	for (; system_files[r]; r++)
		readable[r] = system_files[r];
	struct buf folder = buf_on(texts[n], sizeof texts[n]);
	readable[r++] = folder_of(&folder, config->path);
	unsigned text = 1;
	for (unsigned i = 0; i < sizeof read_later / sizeof *read_later; i++) {
		folder = buf_on(texts[text], sizeof texts[text]);
		if (read_later[i][0])
			readable[r++] = folder_of(&folder, read_later[i]);
		text++;
	}
	readable[r] = NULL;
	if (strcmp(config->settings.store_driver, "rocksdb") == 0)
		writable[n++] = config->settings.store_target;
	if (config->settings.log_target == LOG_TO_FILE) {
		folder = buf_on(texts[text], sizeof texts[text]);
		writable[n++] = folder_of(&folder, config->settings.log_path);
		text++;
	}
	const char *const journals[] = { config->settings.store_journal, config->settings.journal };
	for (unsigned i = 0; i < sizeof journals / sizeof *journals; i++) {
		folder = buf_on(texts[text], sizeof texts[text]);
		if (journals[i][0])
			writable[n++] = folder_of(&folder, journals[i]);
		text++;
	}
	for (unsigned i = 0; i < config->listen_count; i++) {
		if (config->listens[i].tcp)
			continue;
		folder = buf_on(texts[text], sizeof texts[text]);
		writable[n++] = folder_of(&folder, config->listens[i].path);
		text++;
	}
	writable[n++] = "/dev/null";
	writable[n++] = "/dev/log";
	writable[n] = NULL;
	if (privileges_confine(writable, readable, &why) < 0)
		log_msg(LOG_LEVEL_WARNING, "running without confinement: %s", buf_str(&why));
}

static int start(struct server *s, struct config *config, struct buf *why)
{
	uint64_t files = descriptors_raise();

	if (config->settings.limit_connections + FILES_IN_RESERVE > files)
		config->settings.limit_connections = files > FILES_IN_RESERVE + 16 ? files - FILES_IN_RESERVE : 16;
	if (server_watch_hangup(s, why) != 0 || open_listeners(s, config, why) != 0 ||
	    (strcmp(config->settings.store_driver, "rocksdb") == 0 &&
	     privileges_own_folder(config->settings.store_target, &config->settings, why) != 0) ||
	    privileges_drop(&config->settings, why) != 0 || server_open_log(s, config, why) != 0) {
		config_free(&config);
		return -1;
	}
	listener_refuse_unnamed(s);
	confine(config);
	s->names = names_new(why);
	if (!s->names) {
		config_free(&config);
		return -1;
	}
	return server_start(s, config, why);
}

/* A reload that is asked for during the start waits for its end, and does not end us. */
static void hold_hangup(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static int serve(const struct arguments *a, struct config *config)
{
	static struct server s;
	char text[600];
	struct buf why = buf_on(text, sizeof text);
	int status = 0;

	for (unsigned i = 0; i < CONFIG_LISTEN_MAX; i++)
		s.listeners[i].watch.fd = -1;
	s.clock = &clock_system;
	s.config_path = a->config;
	s.foreground = a->foreground;
	if (!a->foreground && detach_begin(EXIT_UNAVAILABLE, &why) != 0) {
		fprintf(stderr, "greylagd: %s\n", buf_str(&why));
		config_free(&config);
		return EXIT_UNAVAILABLE;
	}
	hold_hangup(true);
	s.loop = loop_new(&why);
	if (!s.loop || start(&s, config, &why) != 0) {
		fprintf(stderr, "greylagd: %s\n", buf_str(&why));
		log_msg(LOG_LEVEL_ERROR, "cannot start: %s", buf_str(&why));
		status = EXIT_UNAVAILABLE;
	} else {
		log_msg(LOG_LEVEL_NOTICE, "greylagd " GREYLAG_VERSION " serves; suffix list: %s",
			names_source(s.names));
		log_flush();
		hold_hangup(false);
		detach_ready();
		if (server_run(&s) != 0)
			status = EXIT_UNAVAILABLE;
	}
	bool ended = server_stop(&s);
	names_free(&s.names);
	loop_free(&s.loop);
	log_msg(LOG_LEVEL_NOTICE, "stopped");
	log_close();
	if (!ended)
		_exit(status);
	return status;
}

static int check(const struct arguments *a, struct config *config, struct diag *diag)
{
	char text[200];
	struct buf why = BUF_ON(text);
	struct names *names = config->test_count ? names_new(&why) : NULL;

	if (config->test_count && !names)
		fprintf(stderr, "greylagd: %s\n", buf_str(&why));
	bool good = config->test_count == 0 || (names && server_rules_hold(names, config, diag));
	if (good)
		printf("%s: %u warning(s), no errors\n", a->config, diag->warnings);
	names_free(&names);
	config_free(&config);
	return good ? 0 : EXIT_CONFIG;
}

int main(int argc, char **argv)
{
	struct arguments a = { .config = DEFAULT_CONFIG };
	struct diag diag = { .report = print_finding };
	int status = parse_arguments(argc, argv, &a);

	if (status >= 0)
		return status;
	inherit_begin();
	/* One arena: the threads of the store would otherwise keep several. */
	mallopt(M_ARENA_MAX, 1);
	struct config *config = config_load(a.config, &diag);
	if (!config)
		return EXIT_CONFIG;
	if (a.check)
		return check(&a, config, &diag);
	if (config->listen_count == 0) {
		fprintf(stderr, "%s: no `listen` line: nobody could ask\n", a.config);
		config_free(&config);
		return EXIT_CONFIG;
	}
	return serve(&a, config);
}
