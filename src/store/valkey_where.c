#include "store/valkey_where.h"

#include <arpa/inet.h>

/* hiredis wants an address as text and a port. */
static void name_address(struct valkey_where *w)
{
	const struct sockaddr_in *four = (const struct sockaddr_in *)&w->endpoint.address;
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&w->endpoint.address;

	if (w->endpoint.address.ss_family == AF_INET) {
		inet_ntop(AF_INET, &four->sin_addr, w->address, sizeof w->address);
		w->port = ntohs(four->sin_port);
	} else if (w->endpoint.address.ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &six->sin6_addr, w->address, sizeof w->address);
		w->port = ntohs(six->sin6_port);
	}
}

int valkey_where_password(struct valkey_where *w, struct buf *why)
{
	char text[700];
	struct buf reason = BUF_ON(text);

	if (secret_read(w->password_file, w->password, &reason) == 0)
		return 0;
	return buf_fail(why, "store valkey: %s", buf_str(&reason));
}

static bool copy(char *to, size_t size, const char *from)
{
	size_t n = from ? strlen(from) : 0;

	if (n >= size)
		return false;
	memcpy(to, from ? from : "", n);
	to[n] = '\0';
	return true;
}

int valkey_where_read(struct valkey_where *w, const struct store_options *options, struct buf *why)
{
	char text[300];
	struct buf reason = BUF_ON(text);

	*w = (struct valkey_where){ 0 };
	if (endpoint_parse(span_of(options->target), &w->endpoint, &reason) != 0)
		return buf_fail(why, "store valkey: %s", buf_str(&reason));
	name_address(w);
	w->database = options->database;
	if (!copy(w->user, sizeof w->user, options->user) ||
	    !copy(w->password_file, sizeof w->password_file, options->password_file) ||
	    !copy(w->prefix_text, sizeof w->prefix_text, options->prefix))
		return buf_fail(why, "store valkey: user, password-file or prefix is too long");
	w->prefix = span_of(w->prefix_text);
	if (w->user[0] && !w->password_file[0])
		return buf_fail(why, "store valkey: a user needs a password-file");
	return valkey_where_password(w, why);
}
