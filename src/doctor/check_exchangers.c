/* Who else takes mail for our domains: the MX records of the domains that Postfix names,
 * and whether those hosts share this memory. */
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/loop.h"
#include "dns/resolver.h"
#include "doctor/doctor.h"
#include "doctor/postfixconf.h"

#define DOMAINS_MAX 20
#define HOSTS_MAX 40
#define DEADLINE_MS 5000
#define TRY_MS 1000

struct host {
	char name[DNS_NAME_MAX + 1];
	char domain[DNS_NAME_MAX + 1];
	bool here, known;
	struct resolver_query queries[2];
	struct search *search;
};

struct search {
	struct doctor *d;
	struct loop *loop;
	struct resolver *resolver;
	struct loop_timer deadline;
	struct resolver_query domains[DOMAINS_MAX];
	unsigned domain_count;
	struct host hosts[HOSTS_MAX];
	unsigned host_count;
	unsigned open, failed;
	struct ifaddrs *own;
	char names[2][DNS_NAME_MAX + 1];	/* of this host: $myhostname, and the system's */
};

static void one_less(struct search *s)
{
	if (--s->open == 0)
		loop_stop(s->loop);
}

static struct netaddr address_of(const struct sockaddr *a)
{
	struct netaddr out = { .family = 0 };

	if (a && a->sa_family == AF_INET) {
		out.family = 4;
		memcpy(out.bytes, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
	} else if (a && a->sa_family == AF_INET6) {
		out.family = 6;
		memcpy(out.bytes, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
	}
	return out;
}

static bool is_here(const struct search *s, const struct netaddr *address)
{
	for (const struct ifaddrs *i = s->own; i; i = i->ifa_next) {
		struct netaddr own = address_of(i->ifa_addr);
		if (own.family && netaddr_eq(&own, address))
			return true;
	}
	return false;
}

static void take_addresses(struct resolver_query *q, const struct dns_answer *answer)
{
	struct host *h = q->arg;

	for (unsigned i = 0; i < answer->count; i++) {
		h->known = true;
		h->here = h->here || is_here(h->search, &answer->records[i].address);
	}
	one_less(h->search);
}

/* Behind address translation the records hold addresses that no interface here has. */
static bool is_our_name(const struct search *s, struct span name)
{
	return span_ieq(name, span_of(s->names[0])) || span_ieq(name, span_of(s->names[1]));
}

static void ask_addresses(struct search *s, struct host *h)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };

	for (size_t i = 0; i < 2; i++) {
		h->queries[i] = (struct resolver_query){ .done = take_addresses, .arg = h };
		s->open++;
		resolver_ask(s->resolver, &h->queries[i], types[i], span_of(h->name));
	}
}

static void add_host(struct search *s, const char *domain, struct span name)
{
	if (name.n == 0 || name.n > DNS_NAME_MAX || s->host_count == HOSTS_MAX)
		return;
	for (unsigned i = 0; i < s->host_count; i++)
		if (span_ieq(name, span_of(s->hosts[i].name)))
			return;
	struct host *h = &s->hosts[s->host_count++];
	h->search = s;
	snprintf(h->name, sizeof h->name, "%.*s", SPAN_ARG(name));
	snprintf(h->domain, sizeof h->domain, "%s", domain);
	h->here = is_our_name(s, name);
	if (!h->here)
		ask_addresses(s, h);
}

static void take_exchangers(struct resolver_query *q, const struct dns_answer *answer)
{
	struct search *s = q->arg;
	char domain[DNS_NAME_MAX + 1];

	snprintf(domain, sizeof domain, "%s", q->name);
	s->failed += answer->status == DNS_FAILED || answer->status == DNS_TIMEOUT;
	/* The answer's records may go when another question is asked. */
	char names[10][DNS_NAME_MAX + 1];
	unsigned count = answer->count < 10 ? answer->count : 10;
	for (unsigned i = 0; i < count; i++)
		snprintf(names[i], sizeof names[i], "%.*s", SPAN_ARG(span_head(answer->records[i].text, DNS_NAME_MAX)));
	for (unsigned i = 0; i < count; i++)
		add_host(s, domain, span_of(names[i]));
	one_less(s);
}

static void time_over(struct loop_timer *t)
{
	struct search *s = t->arg;

	loop_stop(s->loop);
}

/* --- Our domains ------------------------------------------------------------------------ */

static void add_domain(char (*domains)[DNS_NAME_MAX + 1], unsigned *count, struct span name)
{
	bool plain = span_find(name, '.') < name.n && name.n <= DNS_NAME_MAX && span_find(name, ':') == name.n &&
		     span_find(name, '/') == name.n && span_find(name, '$') == name.n && !span_starts(name, span_of("localhost"));

	for (unsigned i = 0; plain && i < *count; i++)
		plain = !span_ieq(name, span_of(domains[i]));
	if (plain && *count < DOMAINS_MAX)
		snprintf(domains[(*count)++], DNS_NAME_MAX + 1, "%.*s", SPAN_ARG(name));
}

static void read_names(struct search *s, const struct postfixconf *conf)
{
	struct buf own = buf_on(s->names[0], sizeof s->names[0]);

	postfixconf_value(conf, NULL, "myhostname", "", &own, NULL);
	if (gethostname(s->names[1], sizeof s->names[1] - 1) != 0)
		s->names[1][0] = '\0';
}

static unsigned read_domains(struct doctor *d, struct search *s, char (*domains)[DNS_NAME_MAX + 1])
{
	static const char *const names[] = { "mydestination", "relay_domains", "virtual_mailbox_domains", "virtual_alias_domains" };
	struct buf main;
	unsigned count = 0, found = d->found;
	bool read = doctor_read(d, "/etc/postfix/main.cf", &main) == 1;
	struct postfixconf *conf = postfixconf_new(main, buf_heap(1));

	/* The check of Postfix has said so already. */
	d->found = found;
	if (read && conf)
		read_names(s, conf);
	for (size_t i = 0; read && conf && i < sizeof names / sizeof *names; i++) {
		char text[4000];
		struct buf b = BUF_ON(text);
		struct span rest, e;
		postfixconf_value(conf, NULL, names[i], "", &b, NULL);
		rest = buf_span(&b);
		while (postfixconf_element(&rest, &e))
			add_domain(domains, &count, e);
	}
	postfixconf_free(&conf);
	return count;
}

/* --- The check -------------------------------------------------------------------------- */

static bool shared(const struct settings *s)
{
	return strcmp(s->store_driver, "valkey") == 0 || strcmp(s->store_driver, "mariadb") == 0;
}

static void judge(struct search *s)
{
	struct doctor *d = s->d;
	const struct place nowhere = { "", 0 };
	char name[300], domain[300];

	if (s->domain_count && s->failed == s->domain_count)
		doctor_found(d, DOCTOR_BAD, nowhere, DOCTOR_CONFIG, "dns servers 127.0.0.1\n",
			     "the resolver does not answer: asked for the exchangers of %u domains", s->domain_count);
	for (unsigned i = 0; i < s->host_count; i++) {
		const struct host *h = &s->hosts[i];
		struct buf n = BUF_ON(name), o = BUF_ON(domain);
		if (!h->known || h->here || shared(&d->config->settings))
			continue;
		buf_addsafe(&n, span_of(h->name), 60);
		buf_addsafe(&o, span_of(h->domain), 60);
		doctor_found(d, DOCTOR_WARN, nowhere, DOCTOR_CONFIG, "store valkey 192.0.2.10:6379    # or mariadb, on both\n",
			     "%s takes mail for %s too: without greylag there spam comes in by it, and without a shared store each "
			     "of the two defers anew", buf_str(&n), buf_str(&o));
	}
}

static void ask_all(struct search *s, char (*domains)[DNS_NAME_MAX + 1], unsigned count)
{
	loop_timer_init(&s->deadline, s->loop, time_over, s);
	loop_timer_set(&s->deadline, DEADLINE_MS);
	s->domain_count = count;
	/* One for ourselves, so that answers that come at once do not end it. */
	s->open = 1;
	for (unsigned i = 0; i < count; i++) {
		s->domains[i] = (struct resolver_query){ .done = take_exchangers, .arg = s };
		s->open++;
		resolver_ask(s->resolver, &s->domains[i], DNS_MX, span_of(domains[i]));
	}
	if (--s->open)
		loop_run(s->loop);
	loop_timer_cancel(&s->deadline);
	if (s->open && s->host_count == 0)
		s->failed = count;
}

void doctor_exchangers(struct doctor *d)
{
	char text[300], domains[DOMAINS_MAX][DNS_NAME_MAX + 1];
	struct buf why = BUF_ON(text);
	struct search *s = calloc(1, sizeof *s);
	unsigned count = s && d->config ? read_domains(d, s, domains) : 0;

	if (count && (s->loop = loop_new(&why)) != NULL) {
		const struct resolver_options options = { .loop = s->loop, .clock = &clock_system, .timeout_ms = TRY_MS,
			.servers = d->config->settings.dns_servers };
		s->d = d;
		s->resolver = resolver_new(&options, &why);
		if (s->resolver && getifaddrs(&s->own) == 0) {
			ask_all(s, domains, count);
			judge(s);
			freeifaddrs(s->own);
		}
		resolver_free(&s->resolver);
		loop_free(&s->loop);
	}
	free(s);
}
