#include "dns/resolver.h"

#include <arpa/inet.h>
#include <ares.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "dns/dnscache.h"
#include "dns/dnsparse.h"

#define TIMEOUT_MS 1000
#define TRIES 2
#define ENTRIES 20000
#define PAYLOAD 1232		/* what passes everywhere without fragments */
#define TICK_MS 50		/* how exactly timeouts are kept */
#define RESOLV_CONF "/etc/resolv.conf"
#define SERVERS_MAX 8
#define RECEIVE_BYTES 1048576	/* for bursts of answers; the kernel grants less */

#define SHORTEST_S 5u
#define FOUND_S 86400
#define NONE_S 3600
#define FAILED_S 30

/* A socket of c-ares. */
struct link {
	struct loop_watch watch;
	struct resolver *resolver;
	struct link *next;
};

struct resolver {
	struct loop *loop;
	const struct clock *clock;
	ares_channel channel;
	struct dnscache *cache;
	struct link *links;
	struct loop_timer tick;
	bool closing;
	struct resolver_stats stats;
	struct dnsparse parse;
};

static uint64_t now_ns(const struct resolver *r)
{
	return clock_mono(r->clock);
}

/* Timeouts are c-ares's, but it has to be called for them. One look at all that is in
 * flight a tick; asking it for the next deadline would take such a look for each question. */
static void on_tick(struct loop_timer *t)
{
	struct resolver *r = t->arg;

	ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	if (r->stats.in_flight)
		loop_timer_set(t, TICK_MS);
}

static void on_ready(struct loop_watch *w, int ready)
{
	struct link *link = w->arg;
	ares_socket_t fd = w->fd;

	ares_process_fd(link->resolver->channel, ready & LOOP_READ ? fd : ARES_SOCKET_BAD,
			ready & LOOP_WRITE ? fd : ARES_SOCKET_BAD);
}

static struct link *link_add(struct resolver *r, ares_socket_t fd)
{
	struct link *link = calloc(1, sizeof *link);

	if (!link)
		return NULL;
	link->resolver = r;
	loop_watch_init(&link->watch, r->loop, fd, on_ready, link);
	link->next = r->links;
	r->links = link;
	return link;
}

/* A socket that cannot be watched shows as a timeout. */
static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
	struct resolver *r = data;
	struct link **at = &r->links;

	while (*at && (*at)->watch.fd != fd)
		at = &(*at)->next;
	struct link *link = *at;
	if (!readable && !writable) {
		if (!link)
			return;
		loop_watch_set(&link->watch, 0);
		*at = link->next;
		free(link);
		return;
	}
	if (link || (link = link_add(r, fd)))
		loop_watch_set(&link->watch, (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0));
}

/* How long it is remembered. */
static uint32_t keep_s(const struct dnscache_entry *e, const struct dns_answer *answer)
{
	uint32_t most = 0, ttl_s = answer->ttl_s;

	switch (answer->status) {
	case DNS_FOUND:
		most = FOUND_S;
		break;
	case DNS_NONE:
		most = NONE_S;
		break;
	case DNS_FAILED:
	case DNS_TIMEOUT:
		most = FAILED_S;
		ttl_s = SHORTEST_S << (e->failures < 4 ? e->failures : 4);
		break;
	}
	return ttl_s < SHORTEST_S ? SHORTEST_S : ttl_s > most ? most : ttl_s;
}

/* Calls the query with what the entry holds. */
static void serve(struct resolver *r, struct dnscache_entry *e, struct resolver_query *q)
{
	struct dns_answer answer = e->answer;
	uint64_t age_s = (now_ns(r) - e->since_ns) / CLOCK_NS_PER_S;

	answer.ttl_s = age_s < answer.ttl_s ? answer.ttl_s - (uint32_t)age_s : 0;
	dnscache_hold(e);
	q->done(q, &answer);
	dnscache_release(e);
}

static void unlink_query(struct resolver_query *q)
{
	if (!q->link)
		return;
	*q->link = q->next;
	if (q->next)
		q->next->link = q->link;
	q->next = NULL;
	q->link = NULL;
}

static void finish(struct resolver *r, struct dnscache_entry *e, struct dns_answer *answer)
{
	bool failed = answer->status == DNS_FAILED || answer->status == DNS_TIMEOUT;
	uint32_t s = keep_s(e, answer);

	if (failed)
		answer->ttl_s = s;
	e->failures = failed ? e->failures + 1 : 0;
	e->asking = false;
	r->stats.in_flight--;
	r->stats.failures += answer->status == DNS_FAILED;
	r->stats.timeouts += answer->status == DNS_TIMEOUT;
	/* The hold is for those who wait: what they ask in turn may push the entry out. */
	dnscache_hold(e);
	dnscache_put(r->cache, e, answer, now_ns(r), s);
	while (e->waiting) {
		struct resolver_query *q = e->waiting;
		unlink_query(q);
		serve(r, e, q);
	}
	dnscache_release(e);
}

/* From c-ares: perhaps from inside ares_query, when nothing could be sent. */
static void on_answer(void *arg, int status, int timeouts, unsigned char *message, int length)
{
	struct dnscache_entry *e = arg;
	struct resolver *r = e->resolver;

	(void)timeouts;
	while (r->closing && e->waiting)
		unlink_query(e->waiting);
	if (r->closing)
		return;
	if (message && length > 0) {
		dnsparse_message(&r->parse, span_make((const char *)message, (size_t)length), e->type,
				 span_make(e->name, e->length));
		struct dns_answer answer = r->parse.answer;
		finish(r, e, &answer);
		return;
	}
	/* A name that c-ares does not ask for (RFC 7686). */
	struct dns_answer answer = { .status = status == ARES_ENOTFOUND ? DNS_NONE :
					       status == ARES_ETIMEOUT ? DNS_TIMEOUT : DNS_FAILED };
	finish(r, e, &answer);
}

/* c-ares takes a backslash for the start of an escape. */
static void escape(struct buf *out, struct span name)
{
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '\\')
			buf_addc(out, '\\');
		buf_addc(out, name.p[i]);
	}
}

static void send_question(struct resolver *r, struct dnscache_entry *e)
{
	char text[2 * DNS_NAME_MAX + 1];
	struct buf name = BUF_ON(text);

	escape(&name, span_make(e->name, e->length));
	e->asking = true;
	e->resolver = r;
	r->stats.sent++;
	if (r->stats.in_flight++ == 0)
		loop_timer_set(&r->tick, TICK_MS);
	ares_query(r->channel, buf_str(&name), 1, (int)dnsparse_type(e->type), on_answer, e);
}

static void answer_at_once(struct resolver_query *q, enum dns_status status)
{
	struct dns_answer answer = { .status = status };

	q->done(q, &answer);
}

static void wait_for(struct dnscache_entry *e, struct resolver_query *q)
{
	q->next = e->waiting;
	q->link = &e->waiting;
	if (q->next)
		q->next->link = &q->next;
	e->waiting = q;
}

void resolver_ask(struct resolver *r, struct resolver_query *q, enum dns_type type, struct span name)
{
	q->type = type;
	q->next = NULL;
	q->link = NULL;
	r->stats.queries++;
	if (dnsparse_name(name, q->name)) {
		answer_at_once(q, DNS_NONE);
		return;
	}
	name = span_of(q->name);
	struct dnscache_entry *e = dnscache_get(r->cache, type, name);
	if (e && !e->asking && e->until_ns > now_ns(r)) {
		r->stats.remembered++;
		serve(r, e, q);
		return;
	}
	if (e && e->holds) {
		/* Somebody still reads its last answer. */
		dnscache_drop(r->cache, e);
		e = dnscache_get(r->cache, type, name);
	}
	if (!e || (!e->asking && r->stats.in_flight >= RESOLVER_IN_FLIGHT)) {
		answer_at_once(q, DNS_FAILED);
		return;
	}
	wait_for(e, q);
	if (!e->asking)
		send_question(r, e);
}

void resolver_cancel(struct resolver *r, struct resolver_query *q)
{
	(void)r;
	unlink_query(q);
}

void resolver_forget(struct resolver *r, enum dns_type type, struct span name)
{
	char text[DNS_NAME_MAX + 1];
	struct dnscache_entry *e;

	if (dnsparse_name(name, text) == 0 && (e = dnscache_find(r->cache, type, span_of(text))) && !e->asking)
		dnscache_drop(r->cache, e);
}

void resolver_stats(const struct resolver *r, struct resolver_stats *out)
{
	*out = r->stats;
}

static bool read_server(struct span word, struct ares_addr_port_node *out)
{
	struct span host = word, port = SPAN("53");
	size_t colon = span_rfind(word, ':');
	struct netaddr address;
	uint64_t number;

	/* An IPv6 address carries a port only behind brackets. */
	if (colon < word.n && (span_find(word, ':') == colon || (colon && word.p[colon - 1] == ']'))) {
		host = span_head(word, colon);
		port = span_from(word, colon + 1);
	}
	if (!netaddr_parse(host, &address) || !span_uint(port, 65535, &number) || number == 0)
		return false;
	*out = (struct ares_addr_port_node){ .family = address.family == 4 ? AF_INET : AF_INET6,
					     .udp_port = (int)number, .tcp_port = (int)number };
	memcpy(&out->addr, address.bytes, address.family == 4 ? 4 : 16);
	return true;
}

static int set_servers(struct resolver *r, struct span text, struct buf *why)
{
	struct ares_addr_port_node nodes[SERVERS_MAX];
	struct span word;
	unsigned n = 0;

	for (struct span rest = text; span_cut(&rest, ' ', &word);) {
		if (word.n == 0)
			continue;
		if (n == SERVERS_MAX)
			return buf_fail(why, "more than %d DNS servers", SERVERS_MAX);
		if (!read_server(word, &nodes[n])) {
			buf_fail(why, "not the address of a DNS server (ADDRESS or ADDRESS:PORT): ");
			buf_addsafe(why, word, 100);
			return -1;
		}
		if (n)
			nodes[n - 1].next = &nodes[n];
		n++;
	}
	int status = n ? ares_set_servers_ports(r->channel, nodes) : ARES_SUCCESS;
	return status == ARES_SUCCESS ? 0 : buf_fail(why, "DNS servers: %s", ares_strerror(status));
}

/* Without the file the server is on this machine (resolv.conf(5)). c-ares takes one that
 * it may not read for none. */
static int check_system(struct buf *why)
{
	int fd = open(RESOLV_CONF, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	else if (errno != ENOENT)
		return buf_fail(why, "the system's DNS servers: %s: %s", RESOLV_CONF, strerror(errno));
	return 0;
}

static int channel_new(struct resolver *r, const struct resolver_options *options, struct span servers, struct buf *why)
{
	static char none[] = "/dev/null", lookups[] = "b";
	struct ares_options o = { .flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
				  .timeout = (int)(options->timeout_ms ? options->timeout_ms : TIMEOUT_MS),
				  .tries = TRIES, .ednspsz = PAYLOAD, .lookups = lookups,
				  .socket_receive_buffer_size = RECEIVE_BYTES,
				  .sock_state_cb = on_socket, .sock_state_cb_data = r, .resolvconf_path = none };
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ | ARES_OPT_LOOKUPS |
		   ARES_OPT_SOCK_STATE_CB | ARES_OPT_SOCK_RCVBUF;

	/* The system's file does not matter, and may be broken, when there are servers. */
	if (servers.n == 0 && check_system(why))
		return -1;
	int status = ares_init_options(&r->channel, &o, servers.n ? mask | ARES_OPT_RESOLVCONF : mask);
	if (status == ARES_SUCCESS)
		return set_servers(r, servers, why);
	r->channel = NULL;
	return buf_fail(why, "DNS: %s", ares_strerror(status));
}

struct resolver *resolver_new(const struct resolver_options *options, struct buf *why)
{
	struct resolver *r = calloc(1, sizeof *r);

	if (!r || ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS) {
		buf_fail(why, "DNS: out of memory");
		free(r);
		return NULL;
	}
	r->loop = options->loop;
	r->clock = options->clock;
	loop_timer_init(&r->tick, r->loop, on_tick, r);
	r->cache = dnscache_new(options->entries ? options->entries : ENTRIES);
	if (!r->cache)
		buf_fail(why, "DNS: out of memory");
	if (r->cache && channel_new(r, options, span_trim(span_of(options->servers)), why) == 0)
		return r;
	resolver_free(&r);
	return NULL;
}

void resolver_free(struct resolver **pointer)
{
	struct resolver *r = *pointer;

	if (!r)
		return;
	r->closing = true;
	loop_timer_cancel(&r->tick);
	if (r->channel)
		ares_destroy(r->channel);
	while (r->links)
		on_socket(r, r->links->watch.fd, 0, 0);
	dnscache_free(&r->cache);
	ares_library_cleanup();
	free(r);
	*pointer = NULL;
}
