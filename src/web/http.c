#include "web/http.h"

#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"

#define IDLE_S 15
#define MEMORY_OF_CONNECTION ((size_t)16 * 1024)	/* headers included */

/* A connection, for its deadline. */
struct slot {
	struct http *http;
	struct slot *next;		/* free ones */
	int fd;				/* -1: unused */
	uint64_t since_ns;		/* its last step: connected, request read, answer sent */
};

struct http {
	struct MHD_Daemon *daemon;
	void (*serve)(void *arg, struct exchange *x);
	void *arg;
	pthread_mutex_t lock;		/* what follows */
	struct slot slots[HTTP_CONNECTIONS];
	struct slot *unused;
	unsigned count;
};

/* --- What came in ----------------------------------------------------------------------- */

static const char *value_of(const struct exchange *x, enum MHD_ValueKind kind, const char *name)
{
	const char *value = MHD_lookup_connection_value(x->connection, kind, name);

	return value ? value : "";
}

const char *http_header(const struct exchange *x, const char *name)
{
	return value_of(x, MHD_HEADER_KIND, name);
}

const char *http_argument(const struct exchange *x, const char *name)
{
	return value_of(x, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_cookie(const struct exchange *x, const char *name)
{
	return value_of(x, MHD_COOKIE_KIND, name);
}

void http_peer(const struct exchange *x, struct buf *out)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;
	socklen_t length = address && address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	char text[NI_MAXHOST] = "somebody";

	if (address)
		getnameinfo(address, length, text, sizeof text, NULL, 0, NI_NUMERICHOST);
	buf_adds(out, text);
}

struct counted {
	struct span name;
	unsigned n;
};

static enum MHD_Result count_one(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct counted *c = arg;

	(void)kind;
	(void)value;
	c->n += span_ieq(span_of(name), c->name);
	return MHD_YES;
}

unsigned http_headers(const struct exchange *x, const char *name)
{
	struct counted c = { .name = span_of(name) };

	MHD_get_connection_values(x->connection, MHD_HEADER_KIND, count_one, &c);
	return c.n;
}

/* --- What goes out ---------------------------------------------------------------------- */

static void add_headers(const struct exchange *x, struct MHD_Response *r, const char *type)
{
	static const char *const always[][2] = {
		{ "Cache-Control", "no-store" }, { "X-Content-Type-Options", "nosniff" },
		{ "Referrer-Policy", "same-origin" }, { "X-Frame-Options", "DENY" },
		{ "Cross-Origin-Resource-Policy", "same-origin" }, { "Cross-Origin-Opener-Policy", "same-origin" },
	};

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		MHD_add_response_header(r, always[i][0], always[i][1]);
	MHD_add_response_header(r, "Content-Type", type);
	MHD_add_response_header(r, "Content-Security-Policy",
				x->policy ? x->policy : "default-src 'none'; frame-ancestors 'none'");
	if (x->cookie[0])
		MHD_add_response_header(r, "Set-Cookie", x->cookie);
}

static void send_response(struct exchange *x, unsigned status, const char *type, struct span body, const char *to)
{
	if (x->answered)
		return;
	char *copy = malloc(body.n + 1);
	if (!copy)
		return;
	memcpy(copy, body.n ? body.p : "", body.n);
	struct MHD_Response *r = MHD_create_response_from_buffer(body.n, copy, MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(copy);
		return;
	}
	add_headers(x, r, type);
	if (to)
		MHD_add_response_header(r, "Location", to);
	if (status == 401)
		MHD_add_response_header(r, "WWW-Authenticate", "Bearer realm=\"greylag\"");
	x->answered = MHD_queue_response(x->connection, status, r) == MHD_YES;
	MHD_destroy_response(r);
}

void http_send(struct exchange *x, unsigned status, const char *type, struct span body)
{
	send_response(x, status, type, body, NULL);
}

void http_text(struct exchange *x, unsigned status, const char *text)
{
	char line[700];
	struct buf b = BUF_ON(line);

	buf_adds(&b, text);
	buf_addc(&b, '\n');
	send_response(x, status, "text/plain; charset=utf-8", buf_span(&b), NULL);
}

void http_json(struct exchange *x, unsigned status, json_t *object)
{
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

	json_decref(object);
	if (text)
		send_response(x, status, "application/json", span_of(text), NULL);
	else
		send_response(x, 500, "application/json", span_of("{\"error\":\"out of memory\"}"), NULL);
	free(text);
}

void http_error(struct exchange *x, unsigned status, const char *text)
{
	char safe[2400];
	struct buf b = BUF_ON(safe);
	json_t *string = json_string(text);

	if (!string) {
		buf_addsafe(&b, span_of(text), 600);
		string = json_string(buf_str(&b));
	}
	http_json(x, status, json_pack("{s:o}", "error", string));
}

void http_go(struct exchange *x, const char *to)
{
	send_response(x, 303, "text/plain; charset=utf-8", span_of("See other\n"), to);
}

/* --- Deadlines -------------------------------------------------------------------------- */

static void on_connection(void *arg, struct MHD_Connection *c, void **context, enum MHD_ConnectionNotificationCode code)
{
	struct http *h = arg;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);

	pthread_mutex_lock(&h->lock);
	if (code == MHD_CONNECTION_NOTIFY_STARTED && h->unused && info) {
		struct slot *s = h->unused;
		h->unused = s->next;
		h->count++;
		s->fd = info->connect_fd;
		s->since_ns = clock_mono(&clock_system);
		*context = s;
	} else if (code == MHD_CONNECTION_NOTIFY_CLOSED && *context) {
		struct slot *s = *context;
		s->fd = -1;
		s->next = h->unused;
		h->unused = s;
		h->count--;
		*context = NULL;
	}
	pthread_mutex_unlock(&h->lock);
}

static void took_step(struct http *h, struct MHD_Connection *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct slot *s = info ? info->socket_context : NULL;

	if (!s)
		return;
	pthread_mutex_lock(&h->lock);
	s->since_ns = clock_mono(&clock_system);
	pthread_mutex_unlock(&h->lock);
}

void http_watch(struct http *h)
{
	uint64_t now = clock_mono(&clock_system);

	pthread_mutex_lock(&h->lock);
	unsigned limit_s = h->count > HTTP_CONNECTIONS / 2 ? HTTP_STEP_BUSY_S : HTTP_STEP_S;
	for (struct slot *s = h->slots; s < h->slots + HTTP_CONNECTIONS; s++)
		if (s->fd >= 0 && now - s->since_ns > limit_s * (uint64_t)CLOCK_NS_PER_S)
			shutdown(s->fd, SHUT_RDWR);
	pthread_mutex_unlock(&h->lock);
}

/* --- Requests --------------------------------------------------------------------------- */

static enum MHD_Result begin(struct http *h, struct MHD_Connection *c, void **context)
{
	struct exchange *x = calloc(1, sizeof *x);

	if (!x)
		return MHD_NO;
	x->connection = c;
	x->body = buf_heap(HTTP_BODY_MAX);
	*context = x;
	took_step(h, c);
	return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
				  const char *version, const char *data, size_t *size, void **context)
{
	struct http *h = arg;
	struct exchange *x = *context;

	(void)version;
	if (!x)
		return begin(h, c, context);
	if (*size) {
		x->too_long |= *size > HTTP_BODY_MAX - x->body.n;
		if (!x->too_long)
			buf_add(&x->body, data, *size);
		*size = 0;
		return MHD_YES;
	}
	if (x->answered)
		return MHD_YES;
	x->method = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 ? MHD_HTTP_METHOD_GET : method;
	x->path = url;
	h->serve(h->arg, x);
	took_step(h, c);
	return x->answered ? MHD_YES : MHD_NO;
}

static void on_completed(void *arg, struct MHD_Connection *c, void **context, enum MHD_RequestTerminationCode code)
{
	struct exchange *x = *context;

	(void)code;
	took_step(arg, c);
	if (!x)
		return;
	buf_free(&x->body);
	free(x);
	*context = NULL;
}

/* Broken requests are not worth a line each. */
__attribute__((format(printf, 2, 0)))
static void on_message(void *arg, const char *format, va_list ap)
{
	char text[300];

	(void)arg;
	if (!log_wants(LOG_LEVEL_DEBUG) || vsnprintf(text, sizeof text, format, ap) < 0)
		return;
	log_msg(LOG_LEVEL_DEBUG, "%.*s", SPAN_ARG(span_trim(span_of(text))));
}

struct http *http_new(int fd, void (*serve)(void *arg, struct exchange *x), void *arg, struct buf *why)
{
	struct http *h = calloc(1, sizeof *h);

	if (!h) {
		buf_fail(why, "out of memory");
		return NULL;
	}
	h->serve = serve;
	h->arg = arg;
	pthread_mutex_init(&h->lock, NULL);
	for (struct slot *s = h->slots; s < h->slots + HTTP_CONNECTIONS; s++) {
		s->fd = -1;
		s->next = h->unused;
		h->unused = s;
	}
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNALLY | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request, h,
		MHD_OPTION_EXTERNAL_LOGGER, on_message, h, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_THREAD_POOL_SIZE, (unsigned)HTTP_THREADS,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, MEMORY_OF_CONNECTION,
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_END);
	if (h->daemon)
		return h;
	buf_fail(why, "cannot serve HTTP");
	http_free(&h);
	return NULL;
}

void http_free(struct http **h)
{
	if (!*h)
		return;
	if ((*h)->daemon)
		MHD_stop_daemon((*h)->daemon);
	pthread_mutex_destroy(&(*h)->lock);
	free(*h);
	*h = NULL;
}
