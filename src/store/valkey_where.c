#include "store/valkey_where.h"

#include <arpa/inet.h>

#include "store/driver.h"

void valkey_server_set(struct valkey_server *s, const struct endpoint *e)
{
	*s = (struct valkey_server){ .endpoint = *e };
	const struct sockaddr_in *four = (const struct sockaddr_in *)&s->endpoint.address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&s->endpoint.address;

	if (e->address.ss_family == AF_INET) {
		inet_ntop(AF_INET, &four->sin_addr, s->address, sizeof s->address);
		s->port = ntohs(four->sin_port);
	} else if (e->address.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &six->sin6_addr, s->address, sizeof s->address);
		s->port = ntohs(six->sin6_port);
	}
}

bool valkey_server_eq(const struct valkey_server *a, const struct valkey_server *b)
{
	return a->port == b->port && strcmp(a->address, b->address) == 0 &&
	       (a->address[0] || strcmp(a->endpoint.name, b->endpoint.name) == 0);
}

bool valkey_server_named(struct valkey_server *s, struct span address, uint64_t port)
{
	bool six = span_find(address, ':') < address.n;
	char text[ENDPOINT_TEXT], reason[200];
	struct buf name = BUF_ON(text), why = BUF_ON(reason);
	struct endpoint e;

	/* A name or a path is nothing that we would connect to on somebody's word. */
	buf_adds(&name, six ? "inet:[" : "inet:");
	buf_addspan(&name, address);
	buf_adds(&name, six ? "]:" : ":");
	buf_addu(&name, port);
	if (name.over || endpoint_parse(buf_span(&name), &e, &why) != 0)
		return false;
	valkey_server_set(s, &e);
	return true;
}

int valkey_where_password(struct valkey_where *w, struct buf *why)
{
	char text[700];
	struct buf reason = BUF_ON(text);

	if (secret_read(w->password_file, w->password, &reason) == 0)
		return 0;
	return buf_fail(why, "store valkey: %s", buf_str(&reason));
}

int valkey_where_read(struct valkey_where *w, const struct store_options *options, struct buf *why)
{
	char text[300];
	struct buf reason = BUF_ON(text);

	*w = (struct valkey_where){ 0 };
	if (kvtarget_parse(span_of(options->target), &w->target, &reason) != 0)
		return buf_fail(why, "store valkey: %s", buf_str(&reason));
	w->database = options->database;
	if (w->target.kind == KVTARGET_CLUSTER && w->database)
		return buf_fail(why, "store valkey: a cluster has only the database 0");
	if (!store_text(w->user, sizeof w->user, options->user) ||
	    !store_text(w->password_file, sizeof w->password_file, options->password_file) ||
	    !store_text(w->prefix_text, sizeof w->prefix_text, options->prefix))
		return buf_fail(why, "store valkey: user, password-file or prefix is too long");
	w->prefix = span_of(w->prefix_text);
	if (w->user[0] && !w->password_file[0])
		return buf_fail(why, "store valkey: a user needs a password-file");
	return valkey_where_password(w, why);
}
