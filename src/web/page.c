/* Pages that are no JSON: the dashboard, the login, what monitors ask for. */
#include <microhttpd.h>

#include "web/page.h"
#include "web/prometheus.h"
#include "web/web.h"

#define HTML "text/html; charset=utf-8"
#define PAGE_MAX ((size_t)1024 * 1024)

static void add_escaped(struct buf *out, const char *text)
{
	for (; *text; text++)
		switch (*text) {
		case '<': buf_adds(out, "&lt;"); break;
		case '>': buf_adds(out, "&gt;"); break;
		case '&': buf_adds(out, "&amp;"); break;
		case '"': buf_adds(out, "&quot;"); break;
		default: buf_addc(out, *text);
		}
}

/* What there is for browsers without scripts. */
static void add_numbers(struct buf *out, const json_t *status, const char *problem)
{
	const json_t *v;
	size_t i;

	if (!status) {
		buf_adds(out, "<p role=alert>greylagd does not answer: ");
		add_escaped(out, problem);
		buf_adds(out, "</p>");
		return;
	}
	buf_adds(out, "<table><thead><tr><th scope=col>Verdict<th scope=col>Reason<th scope=col>Count</thead><tbody>");
	json_array_foreach(json_object_get(status, "verdicts"), i, v) {
		const char *verdict = json_string_value(json_object_get(v, "verdict"));
		const char *reason = json_string_value(json_object_get(v, "reason"));
		buf_adds(out, "<tr><td>");
		add_escaped(out, verdict ? verdict : "");
		buf_adds(out, "<td>");
		add_escaped(out, reason ? reason : "");
		buf_addf(out, "<td>%lld", (long long)json_integer_value(json_object_get(v, "count")));
	}
	buf_addf(out, "</tbody></table><p>%lld requests since ",
		 (long long)json_integer_value(json_object_get(status, "requests")));
	const char *started = json_string_value(json_object_get(status, "started"));
	add_escaped(out, started ? started : "the start");
	buf_adds(out, ".</p>");
}

void web_dashboard(struct web *w, struct exchange *x, const struct visitor *v)
{
	char text[700];
	struct buf out = buf_heap(PAGE_MAX), why = BUF_ON(text);
	json_t *status = source_status(w->source, &why);

	(void)v;
	buf_addspan(&out, page_head());
	add_numbers(&out, status, buf_str(&why));
	buf_addspan(&out, page_tail());
	json_decref(status);
	x->policy = page_policy();
	http_send(x, out.over ? 500 : 200, HTML, buf_span(&out));
	buf_free(&out);
}

/* --- Login ------------------------------------------------------------------------------- */

static void show_login(struct exchange *x, unsigned status, const char *problem)
{
	struct buf out = buf_heap(PAGE_MAX);

	buf_addspan(&out, page_login_head());
	if (problem[0]) {
		buf_adds(&out, "<p role=alert class=alert>");
		add_escaped(&out, problem);
		buf_adds(&out, "</p>");
	}
	buf_addspan(&out, page_login_tail());
	x->policy = page_policy();
	http_send(x, out.over ? 500 : status, HTML, buf_span(&out));
	buf_free(&out);
}

void web_login_form(struct web *w, struct exchange *x, const struct visitor *v)
{
	if (v->may_look || !auth_required(w->auth))
		http_go(x, "./");
	else
		show_login(x, 200, "");
}

/* The field of a form that has only this one; unescapes it in place. */
static struct span form_token(struct buf *body)
{
	struct span rest = buf_span(body), field;

	while (span_cut(&rest, '&', &field)) {
		if (!span_starts(field, span_of("token=")))
			continue;
		char *value = body->p + (field.p - body->p) + strlen("token=");
		value[field.n - strlen("token=")] = '\0';
		MHD_http_unescape(value);
		return span_trim(span_of(value));
	}
	return (struct span){ 0 };
}

static bool is_secure(const struct exchange *x)
{
	return span_ieq(span_of(http_header(x, "X-Forwarded-Proto")), span_of("https"));
}

void web_login(struct web *w, struct exchange *x, const struct visitor *v)
{
	char id[AUTH_ID], cookie[WEB_COOKIE];

	(void)v;
	if (!auth_token_is(w->auth, form_token(&x->body))) {
		web_wrong_token(x, "a login");
		show_login(x, 403, "That is not the token.");
	} else if (!auth_begin(w->auth, id)) {
		show_login(x, 503, "No randomness: try again.");
	} else {
		snprintf(x->cookie, sizeof x->cookie, "%s=%s; HttpOnly; SameSite=Strict; Max-Age=%d%s", web_cookie(x, cookie), id,
			 AUTH_SESSION_S, is_secure(x) ? "; Secure" : "");
		http_go(x, "./");
	}
}

void web_logout(struct web *w, struct exchange *x, const struct visitor *v)
{
	char cookie[WEB_COOKIE];

	(void)v;
	auth_end(w->auth, span_of(http_cookie(x, web_cookie(x, cookie))));
	snprintf(x->cookie, sizeof x->cookie, "%s=; HttpOnly; SameSite=Strict; Max-Age=0", cookie);
	http_json(x, 200, json_pack("{s:b}", "ended", 1));
}

/* --- Monitors ---------------------------------------------------------------------------- */

void web_health(struct web *w, struct exchange *x, const struct visitor *v)
{
	char text[700];
	struct buf why = BUF_ON(text);
	json_t *status = source_status(w->source, &why);

	(void)v;
	/* Anybody may ask: the reason, which may tell paths, is for those who may look. */
	http_text(x, status ? 200 : 503, status ? "ok" : "greylagd does not answer");
	json_decref(status);
}

void web_metrics(struct web *w, struct exchange *x, const struct visitor *v)
{
	char text[700];
	struct buf out = buf_heap(PROMETHEUS_MAX), why = BUF_ON(text);
	json_t *status = source_status(w->source, &why);

	(void)v;
	prometheus_add(&out, status);
	json_decref(status);
	http_send(x, out.over ? 500 : 200, PROMETHEUS_TYPE, buf_span(&out));
	buf_free(&out);
}
