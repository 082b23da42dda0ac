/* The HTTP side, over libmicrohttpd: what comes in is bounded and has a deadline, what goes
 * out carries the headers that keep browsers from anything the page does not need. The
 * handler runs on any of a few threads; connections of one thread wait for each other. */
#ifndef GREYLAG_WEB_HTTP_H
#define GREYLAG_WEB_HTTP_H

#include <jansson.h>

#include "base/buf.h"

#define HTTP_BODY_MAX 8192
#define HTTP_CONNECTIONS 1024
#define HTTP_THREADS 16
#define HTTP_STEP_S 20		/* longest for a request to come in, or its answer to go out */
#define HTTP_STEP_BUSY_S 3	/* the same while half of all connections are taken */

struct MHD_Connection;

/* A request whose body has come in; borrowed by the handler. */
struct exchange {
	struct MHD_Connection *connection;
	const char *method;		/* "GET" for HEAD too */
	const char *path;		/* unescaped, without the query */
	struct buf body;
	bool too_long;			/* the body is, and was dropped */
	bool answered;
	const char *policy;		/* Content-Security-Policy of the answer; NULL: nothing is allowed */
	char cookie[200];		/* Set-Cookie of the answer, "" none */
};

/* A request header; "" when it is missing. */
const char *http_header(const struct exchange *x, const char *name);
/* How many headers of that name there are. */
unsigned http_headers(const struct exchange *x, const char *name);
/* An argument of the query; "" when it is missing. */
const char *http_argument(const struct exchange *x, const char *name);
/* Appends the address of who is connected: perhaps a proxy. */
void http_peer(const struct exchange *x, struct buf *out);
const char *http_cookie(const struct exchange *x, const char *name);

/* Each answers; the first answer counts. type is a static string. */
void http_send(struct exchange *x, unsigned status, const char *type, struct span body);
void http_text(struct exchange *x, unsigned status, const char *text);
/* Drops the object; NULL counts as out of memory. */
void http_json(struct exchange *x, unsigned status, json_t *object);
/* {"error":"..."} */
void http_error(struct exchange *x, unsigned status, const char *text);
/* 303 to a relative address. */
void http_go(struct exchange *x, const char *to);

struct http;

/* Serves on a listening socket, which becomes its own. NULL with why. */
struct http *http_new(int fd, void (*serve)(void *arg, struct exchange *x), void *arg, struct buf *why);
/* Ends requests that take too long; to be called every second. */
void http_watch(struct http *h);
void http_free(struct http **h);

#endif
