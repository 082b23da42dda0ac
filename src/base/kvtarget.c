#include "base/kvtarget.h"

static bool name_usable(struct span name)
{
	if (name.n == 0 || name.n > KVTARGET_NAME)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];
		if (!ascii_alpha(c) && !ascii_digit(c) && c != '.' && c != '-' && c != '_')
			return false;
	}
	return true;
}

static int parse_name(struct span *rest, struct kvtarget *out, struct buf *why)
{
	size_t at = span_find(*rest, '@');
	struct span name = span_head(*rest, at);

	if (at == rest->n || !name_usable(name))
		return buf_fail(why, "the sentinels' name for the primary is needed, such as sentinel:mymaster@192.0.2.1:26379");
	memcpy(out->name, name.p, name.n);
	*rest = span_from(*rest, at + 1);
	return 0;
}

static int parse_servers(struct span rest, struct kvtarget *out, struct buf *why)
{
	struct span one;

	if (rest.n == 0 || rest.p[rest.n - 1] == ',')
		return buf_fail(why, "an address and a port are missing");
	while (span_cut(&rest, ',', &one)) {
		if (out->count == KVTARGET_SERVERS)
			return buf_fail(why, "more than %d servers", KVTARGET_SERVERS);
		struct endpoint *e = &out->servers[out->count++];
		if (endpoint_parse(one, e, why) != 0)
			return -1;
		/* The others are found by addresses that these tell. */
		if (endpoint_path(e))
			return buf_fail(why, "sentinels and clusters have addresses, not sockets' paths");
	}
	return 0;
}

int kvtarget_parse(struct span text, struct kvtarget *out, struct buf *why)
{
	static const struct span sentinel = SPAN("sentinel:"), cluster = SPAN("cluster:");

	*out = (struct kvtarget){ 0 };
	if (span_starts(text, sentinel)) {
		out->kind = KVTARGET_SENTINEL;
		text = span_from(text, sentinel.n);
		return parse_name(&text, out, why) == 0 ? parse_servers(text, out, why) : -1;
	}
	if (span_starts(text, cluster)) {
		out->kind = KVTARGET_CLUSTER;
		return parse_servers(span_from(text, cluster.n), out, why);
	}
	out->kind = KVTARGET_SINGLE;
	out->count = 1;
	return endpoint_parse(text, &out->servers[0], why);
}
