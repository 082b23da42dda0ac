/* What the pages share. All of it is set before the first request and stays. */
#ifndef GREYLAG_WEB_WEB_H
#define GREYLAG_WEB_WEB_H

#include "web/auth.h"
#include "web/http.h"
#include "web/source.h"

#define WEB_HOSTS 16
#define WEB_COOKIE 24		/* bytes for the name of a cookie, NUL included */

struct web {
	struct source *source;
	struct auth *auth;
	const char *hosts[WEB_HOSTS];	/* names it may be called by, besides localhost and addresses */
	unsigned host_count;
};

/* Who asks. */
struct visitor {
	bool may_look, may_act;
	char csrf[AUTH_ID];		/* what a browser's actions must show; "" when they need not */
};

typedef void web_page(struct web *w, struct exchange *x, const struct visitor *v);

/* Answers a request: the checks that all share, then its page. arg is a struct web. */
void web_serve(void *arg, struct exchange *x);

web_page web_dashboard, web_login_form, web_login, web_logout, web_health, web_metrics;	/* page.c */
web_page web_state, web_history, web_lists;						/* api.c */
web_page web_why, web_action;								/* act.c */

/* The name of the session's cookie: it holds the port that the browser asks, since cookies are
 * sent to all ports of a host, where other exchangers may be (ssh -L). */
const char *web_cookie(const struct exchange *x, char out[WEB_COOKIE]);
/* Logs a wrong token, once a second at most. how: "a login". */
void web_wrong_token(const struct exchange *x, const char *how);

/* Answers for a source_ask that did not succeed. */
void web_fail(struct exchange *x, int result, const char *why);

#endif
