/* greylag-web(8): the dashboard and the metrics of greylagd. */
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <signal.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "base/descriptors.h"
#include "base/endpoint.h"
#include "base/log.h"
#include "client/client.h"
#include "version.h"
#include "web/web.h"

#define LISTEN_DEFAULT "127.0.0.1:8025"
#define CONTROL_DEFAULT "/run/greylag/control"

struct arguments {
	const char *listen, *control, *token_file;
	bool syslog;
	struct web *web;
};

static void usage(FILE *out)
{
	fputs("usage: greylag-web [OPTIONS]\n"
	      "  --listen ADDRESS:PORT   where browsers ask (default " LISTEN_DEFAULT ")\n"
	      "  --control PATH          greylagd's control socket (default " CONTROL_DEFAULT ")\n"
	      "  --token-file FILE       the token that lets in, and lets act\n"
	      "  --host NAME             a name it may be called by, besides localhost; may be repeated\n"
	      "  --syslog                log to syslog (facility mail) instead of standard error\n"
	      "  --help, --version\n", out);
}

static bool add_host(struct web *w, const char *name)
{
	if (name[0] == '\0' || strpbrk(name, ":/[] ")) {
		fprintf(stderr, "greylag-web: --host %.100s: a name alone is meant, without port or http://\n", name);
		return false;
	}
	if (w->host_count == WEB_HOSTS) {
		fprintf(stderr, "greylag-web: at most %d --host\n", WEB_HOSTS);
		return false;
	}
	w->hosts[w->host_count++] = name;
	return true;
}

/* -1 to go on, or an exit status. */
static int parse(int argc, char **argv, struct arguments *a)
{
	static const struct option options[] = {
		{ "listen", required_argument, NULL, 'l' }, { "control", required_argument, NULL, 'c' },
		{ "token-file", required_argument, NULL, 't' }, { "host", required_argument, NULL, 'H' },
		{ "syslog", no_argument, NULL, 's' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 },
	};
	int o;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1)
		switch (o) {
		case 'l': a->listen = optarg; break;
		case 'c': a->control = optarg; break;
		case 't': a->token_file = optarg; break;
		case 's': a->syslog = true; break;
		case 'h': usage(stdout); return STATUS_OK;
		case 'V': puts("greylag-web " GREYLAG_VERSION); return STATUS_OK;
		case 'H':
			if (add_host(a->web, optarg))
				break;
			return STATUS_USAGE;
		default: usage(stderr); return STATUS_USAGE;
		}
	if (optind == argc)
		return -1;
	fputs("greylag-web: only options are expected\n", stderr);
	return STATUS_USAGE;
}

static bool is_loopback(const struct endpoint *e)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)&e->address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&e->address;

	if (e->address.ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr) ||
	       (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) && v6->sin6_addr.s6_addr[12] == 127);
}

/* 0, or an exit status with why. */
static int prepare(const struct arguments *a, struct endpoint *e, struct buf *why)
{
	char storage[AUTH_TOKEN_MOST + 1];
	struct buf token = BUF_ON(storage);

	if (endpoint_parse(span_of(a->listen), e, why) != 0)
		return STATUS_USAGE;
	if (endpoint_path(e)) {
		buf_fail(why, "--listen %s: an address and a port are needed", a->listen);
		return STATUS_USAGE;
	}
	if (a->token_file && auth_read_token(a->token_file, &token, why) != 0)
		return STATUS_USAGE;
	if (!a->token_file && !is_loopback(e)) {
		buf_fail(why, "--listen %s: others than this machine could look; that needs --token-file", a->listen);
		return STATUS_USAGE;
	}
	a->web->auth = auth_new(buf_span(&token));
	explicit_bzero(storage, sizeof storage);
	a->web->source = source_new(a->control);
	if (a->web->auth && a->web->source)
		return 0;
	buf_fail(why, "out of memory");
	return STATUS_UNAVAILABLE;
}

/* Until it is told to stop. The signals are blocked in all threads. */
static void watch(struct http *http, const sigset_t *signals)
{
	const struct timespec second = { .tv_sec = 1 };
	int number;

	do {
		log_flush();
		http_watch(http);
		number = sigtimedwait(signals, NULL, &second);
	} while (number < 0);
	log_msg(LOG_LEVEL_NOTICE, "stopping on signal %d", number);
}

static int serve(const struct arguments *a, const struct endpoint *e, struct buf *why)
{
	const struct log_options log = { .target = a->syslog ? LOG_TO_SYSLOG : LOG_TO_STDERR, .ident = "greylag-web",
					 .facility = LOG_MAIL, .level = LOG_LEVEL_INFO };
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	descriptors_raise();
	int fd = log_open(&log, why) == 0 ? endpoint_listen(e, 0, "", why) : -1;
	bool started = fd >= 0 && source_start(a->web->source, why) == 0;
	struct http *http = started ? http_new(fd, web_serve, a->web, why) : NULL;
	if (!http)
		return STATUS_UNAVAILABLE;
	log_msg(LOG_LEVEL_NOTICE, "serves on %s, asks %s%s", e->name, a->control, a->token_file ? "" : ", shows only");
	watch(http, &signals);
	http_free(&http);
	log_close();
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	struct web web = { 0 };
	struct arguments a = { .listen = LISTEN_DEFAULT, .control = CONTROL_DEFAULT, .web = &web };
	struct endpoint e;
	char text[400];
	struct buf why = BUF_ON(text);
	int status = parse(argc, argv, &a);

	if (status >= 0)
		return status;
	status = prepare(&a, &e, &why);
	if (status == 0)
		status = serve(&a, &e, &why);
	if (status)
		fprintf(stderr, "greylag-web: %s\n", buf_str(&why));
	auth_free(&web.auth);
	source_free(&web.source);
	return status;
}
