/* Which page a request gets, and whether it gets any. */
#include "web/web.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/netaddr.h"

enum who { ANYBODY, LOOKS, ACTS };

static const struct page {
	const char *method, *path;
	enum who who;
	bool any_host;			/* what watches over services calls us by any name */
	bool json;			/* the body is, which no form of another site can send */
	web_page *show;
} pages[] = {
	{ "GET", "/", LOOKS, false, false, web_dashboard },
	{ "GET", "/login", ANYBODY, false, false, web_login_form },
	{ "POST", "/login", ANYBODY, false, false, web_login },
	{ "POST", "/logout", LOOKS, false, true, web_logout },
	{ "GET", "/healthz", ANYBODY, true, false, web_health },
	{ "GET", "/metrics", LOOKS, false, false, web_metrics },
	{ "GET", "/api/state", LOOKS, false, false, web_state },
	{ "GET", "/api/history", LOOKS, false, false, web_history },
	{ "GET", "/api/lists", LOOKS, false, false, web_lists },
	{ "POST", "/api/why", LOOKS, false, true, web_why },
	{ "POST", "/api/action", ACTS, false, true, web_action },
};

static const struct page *find(const struct exchange *x, bool *other_method)
{
	for (size_t i = 0; i < sizeof pages / sizeof *pages; i++) {
		if (strcmp(pages[i].path, x->path) != 0)
			continue;
		if (strcmp(pages[i].method, x->method) == 0)
			return &pages[i];
		*other_method = true;
	}
	return NULL;
}

/* A page of another site can have its own name point here (DNS rebinding), but it cannot
 * make a browser send an address, or a name that is ours, in its place. */
static bool host_known(const struct web *w, const struct exchange *x)
{
	struct span host = span_of(http_header(x, "Host")), bare;
	struct netaddr address;
	size_t colon = span_rfind(host, ':');

	if (http_headers(x, "Host") != 1)
		return false;
	if (host.n && host.p[0] == '[')
		bare = span_unwrap(span_head(host, span_find(host, ']') + 1), '[', ']');
	else
		bare = span_head(host, colon);
	if (netaddr_parse(bare, &address) || span_ieq(bare, span_of("localhost")))
		return true;
	for (unsigned i = 0; i < w->host_count; i++)
		if (span_ieq(bare, span_of(w->hosts[i])))
			return true;
	return false;
}

/* Browsers say where a POST comes from; what says nothing is no browser. */
static bool origin_ours(const struct exchange *x)
{
	struct span origin = span_of(http_header(x, "Origin")), host = span_of(http_header(x, "Host"));
	struct span site = span_of(http_header(x, "Sec-Fetch-Site"));

	if (site.n && !span_eq(site, span_of("same-origin")) && !span_eq(site, span_of("none")))
		return false;
	if (origin.n == 0)
		return true;
	if (span_starts(origin, span_of("http://")))
		return span_ieq(span_from(origin, 7), host);
	return span_starts(origin, span_of("https://")) && span_ieq(span_from(origin, 8), host);
}

const char *web_cookie(const struct exchange *x, char out[WEB_COOKIE])
{
	struct span host = span_of(http_header(x, "Host"));
	uint64_t port;

	if (span_uint(span_from(host, span_rfind(host, ':') + 1), 65535, &port))
		snprintf(out, WEB_COOKIE, "greylag-web-%u", (unsigned)port);
	else
		snprintf(out, WEB_COOKIE, "greylag-web");
	return out;
}

void web_wrong_token(const struct exchange *x, const char *how)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static uint64_t said_ns;
	static unsigned count;
	char text[100];
	struct buf peer = BUF_ON(text);
	uint64_t now = clock_mono(&clock_system);

	http_peer(x, &peer);
	pthread_mutex_lock(&lock);
	count++;
	if (said_ns == 0 || now - said_ns >= CLOCK_NS_PER_S) {
		log_msg(LOG_LEVEL_WARNING, "%s with a wrong token from %s, %u since the last such line", how, buf_str(&peer), count);
		said_ns = now;
		count = 0;
	}
	pthread_mutex_unlock(&lock);
}

static void recognise(const struct web *w, const struct exchange *x, struct visitor *v)
{
	struct span bearer = span_of(http_header(x, "Authorization"));
	char cookie[WEB_COOKIE];

	*v = (struct visitor){ 0 };
	if (!auth_required(w->auth)) {
		v->may_look = true;
		return;
	}
	if (span_istarts(bearer, span_of("Bearer "))) {
		v->may_look = auth_token_is(w->auth, span_trim(span_from(bearer, 7)));
		if (!v->may_look)
			web_wrong_token(x, "a request");
	} else {
		v->may_look = auth_find(w->auth, span_of(http_cookie(x, web_cookie(x, cookie))), v->csrf);
	}
	v->may_act = v->may_look && !source_read_only(w->source);
}

static void refuse(const struct web *w, struct exchange *x, const struct visitor *v)
{
	if (v->may_look && auth_required(w->auth))
		http_error(x, 403, "greylagd lets nobody change anything here: this control socket is read-only");
	else if (strcmp(x->path, "/") == 0)
		http_go(x, "login");
	else if (auth_required(w->auth))
		http_error(x, 401, "a token is needed");
	else
		http_error(x, 403, "actions need a token: greylag-web was started without --token-file");
}

/* True when what a browser must show with a POST is there. */
static bool post_sound(struct exchange *x, const struct page *page, const struct visitor *v)
{
	struct span type = span_of(http_header(x, "Content-Type"));

	if (!origin_ours(x))
		http_error(x, 403, "this request comes from another site");
	else if (x->too_long)
		http_error(x, 413, "that is too long");
	else if (page->json && !span_ieq(span_trim(span_head(type, span_find(type, ';'))), span_of("application/json")))
		http_error(x, 415, "application/json is expected");
	else if (page->json && v->csrf[0] && !auth_same(span_of(http_header(x, "X-CSRF-Token")), span_of(v->csrf)))
		http_error(x, 403, "the CSRF token is missing or wrong: load the page again");
	else
		return true;
	return false;
}

void web_serve(void *arg, struct exchange *x)
{
	struct web *w = arg;
	struct visitor v;
	bool other_method = false;
	const struct page *page = find(x, &other_method);

	if (!page) {
		http_error(x, other_method ? 405 : 404, other_method ? "not with this method" : "there is no such page");
		return;
	}
	if (!page->any_host && !host_known(w, x)) {
		http_error(x, 421, "greylag-web is not known by this name: see --host in greylag-web(8)");
		return;
	}
	recognise(w, x, &v);
	if ((page->who != ANYBODY && !v.may_look) || (page->who == ACTS && !v.may_act))
		refuse(w, x, &v);
	else if (strcmp(page->method, "POST") != 0 || post_sound(x, page, &v))
		page->show(w, x, &v);
}

void web_fail(struct exchange *x, int result, const char *why)
{
	http_error(x, result == 0 ? 422 : 503, why);
}
