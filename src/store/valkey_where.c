#include "store/valkey_where.h"

#include <errno.h>

#define UNIX_WORD "unix:"

static int read_address(struct valkey_where *w, struct span text, struct buf *why)
{
	size_t colon = span_rfind(text, ':');
	struct span host = span_head(text, colon);
	bool bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
	struct netaddr address;
	uint64_t port;

	/* A name would have to be looked up, and the lookup could hang. */
	if (colon == text.n || !netaddr_parse(host, &address) || (span_find(host, ':') < host.n && !bracketed) ||
	    !span_uint(span_from(text, colon + 1), 65535, &port) || port == 0)
		return buf_fail(why, "store valkey: where it is must be ADDRESS:PORT (an IPv6 address in square "
				"brackets) or unix:/PATH");
	struct buf out = BUF_ON(w->address);
	netaddr_add(&out, &address);
	w->port = (int)port;
	return 0;
}

static int read_path(struct valkey_where *w, struct span path, struct buf *why)
{
	if (path.n == 0 || path.p[0] != '/' || path.n >= sizeof w->path)
		return buf_fail(why, "store valkey: the socket's path must begin with / and have less than %zu bytes",
				sizeof w->path);
	memcpy(w->path, path.p, path.n);
	return 0;
}

int valkey_where_password(struct valkey_where *w, struct buf *why)
{
	char line[VALKEY_SECRET_MAX + 2];

	if (w->password_file[0] == '\0')
		return 0;
	FILE *f = fopen(w->password_file, "re");
	if (!f)
		return buf_fail(why, "store valkey: %s: %s", w->password_file, strerror(errno));
	bool read = fgets(line, sizeof line, f) != NULL;
	fclose(f);
	struct span password = span_trim(span_of(read ? line : ""));
	if (password.n == 0 || password.n > VALKEY_SECRET_MAX)
		return buf_fail(why, "store valkey: %s: its first line must be a password of at most %d bytes",
				w->password_file, VALKEY_SECRET_MAX);
	memcpy(w->password, password.p, password.n);
	w->password[password.n] = '\0';
	return 0;
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
	struct span target = span_of(options->target);

	*w = (struct valkey_where){ 0 };
	w->database = options->database;
	if (!copy(w->user, sizeof w->user, options->user) ||
	    !copy(w->password_file, sizeof w->password_file, options->password_file) ||
	    !copy(w->prefix_text, sizeof w->prefix_text, options->prefix))
		return buf_fail(why, "store valkey: user, password-file or prefix is too long");
	w->prefix = span_of(w->prefix_text);
	if (w->user[0] && !w->password_file[0])
		return buf_fail(why, "store valkey: a user needs a password-file");
	int done = span_starts(target, span_of(UNIX_WORD)) ?
		read_path(w, span_from(target, strlen(UNIX_WORD)), why) : read_address(w, target, why);
	return done != 0 ? done : valkey_where_password(w, why);
}
