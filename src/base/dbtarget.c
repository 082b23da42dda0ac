#include "base/dbtarget.h"

#include "base/netaddr.h"

static const struct span in_unix = SPAN("unix:");

static bool good_host(struct span host)
{
	for (size_t i = 0; i < host.n; i++)
		if (!ascii_alpha(host.p[i]) && !ascii_digit(host.p[i]) && host.p[i] != '-' && host.p[i] != '.' &&
		    host.p[i] != '_')
			return false;
	return host.n > 0 && host.p[0] != '-' && host.p[0] != '.';
}

static int copy_name(struct dbtarget_server *out, struct span name, struct buf *why)
{
	if (name.n >= sizeof out->name)
		return buf_fail(why, "the name of a server has at most %zu bytes", sizeof out->name - 1);
	memcpy(out->name, name.p, name.n);
	out->name[name.n] = '\0';
	return 0;
}

static int read_port(struct dbtarget_server *out, struct span text, struct buf *why)
{
	uint64_t port;

	if (!span_uint(text, 65535, &port) || port == 0)
		return buf_fail(why, "a port is a number from 1 to 65535");
	out->port = (unsigned)port;
	return 0;
}

static int read_local(struct dbtarget_server *out, struct span path, struct buf *why)
{
	/* The size of sun_path, with its NUL. */
	if (path.n < 2 || path.n >= 108 || path.p[0] != '/' || span_find(path, '\0') < path.n)
		return buf_fail(why, "the path of a UNIX socket begins with '/' and has at most 107 bytes");
	out->local = true;
	return copy_name(out, path, why);
}

static int read_bracketed(struct dbtarget_server *out, struct span text, struct buf *why)
{
	size_t end = span_find(text, ']');
	struct span rest = span_from(text, end + 1), host = span_head(text, end + 1);
	struct netaddr address;

	if (!netaddr_parse(host, &address) || address.family != 6 || (rest.n && rest.p[0] != ':'))
		return buf_fail(why, "brackets hold an IPv6 address, such as [2001:db8::1]:3306");
	struct buf name = BUF_ON(out->name);
	netaddr_add(&name, &address);
	return rest.n ? read_port(out, span_from(rest, 1), why) : 0;
}

static int read_server(struct dbtarget_server *out, struct span text, struct buf *why)
{
	size_t colon = span_find(text, ':');

	*out = (struct dbtarget_server){ 0 };
	if (span_starts(text, in_unix))
		return read_local(out, span_from(text, in_unix.n), why);
	if (text.n && text.p[0] == '[')
		return read_bracketed(out, text, why);
	if (!good_host(span_head(text, colon)))
		return buf_fail(why, "a server is a host name, an address (IPv6 in brackets) or unix:/PATH");
	if (copy_name(out, span_head(text, colon), why) != 0)
		return -1;
	return colon < text.n ? read_port(out, span_from(text, colon + 1), why) : 0;
}

static bool good_database(struct span name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!ascii_alpha(name.p[i]) && !ascii_digit(name.p[i]) && name.p[i] != '-' && name.p[i] != '_' &&
		    name.p[i] != '$')
			return false;
	return name.n > 0 && name.n <= DBTARGET_NAME;
}

int dbtarget_parse(struct span text, struct dbtarget *out, struct buf *why)
{
	size_t slash = span_rfind(text, '/');
	struct span servers = span_head(text, slash), database = span_from(text, slash + 1), server;

	*out = (struct dbtarget){ 0 };
	if (slash == text.n || servers.n == 0 || servers.p[servers.n - 1] == ',' || !good_database(database))
		return buf_fail(why, "a server and the name of a database are needed, such as db.example.org/greylag");
	memcpy(out->database, database.p, database.n);
	while (span_cut(&servers, ',', &server)) {
		if (out->count == DBTARGET_SERVERS)
			return buf_fail(why, "at most %d servers", DBTARGET_SERVERS);
		if (read_server(&out->servers[out->count++], server, why) != 0)
			return -1;
	}
	return 0;
}

void dbtarget_name(struct buf *out, const struct dbtarget_server *server)
{
	bool six = !server->local && strchr(server->name, ':');

	buf_adds(out, server->local ? "unix:" : six ? "[" : "");
	buf_adds(out, server->name);
	buf_adds(out, six ? "]" : "");
	if (server->port)
		buf_addf(out, ":%u", server->port);
}
