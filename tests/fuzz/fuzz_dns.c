/* A server's answer: read, kept, and looked at as a DNS list's. */
#include "base/clock.h"
#include "dns/dnscache.h"
#include "dns/dnslist.h"
#include "dns/dnsparse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dnsparse parse;
static struct dnscache *cache;

/* What is promised to those who read it. */
static void check(const struct dns_answer *a, enum dns_type type)
{
	char name[DNS_NAME_MAX + 1];

	if ((a->status == DNS_FOUND) != (a->count > 0) || a->count > DNSPARSE_RECORDS || a->status == DNS_TIMEOUT)
		abort();
	for (unsigned i = 0; i < a->count; i++) {
		const struct dns_record *r = &a->records[i];
		if (((type == DNS_A || type == DNS_AAAA) != (r->address.family != 0)) || r->text.n > 65535)
			abort();
		if ((type == DNS_MX || type == DNS_PTR) && r->text.n && dnsparse_name(r->text, name))
			abort();
		for (size_t k = 0; k < r->text.n; k++)
			(void)*(volatile const char *)(r->text.p + k);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dnslist_filter any = { .last = UINT32_MAX, .high = { 255, 255, 255, 255 } };
	struct span name = SPAN("example.com");

	if (!cache)
		cache = dnscache_new(3);
	for (enum dns_type type = DNS_A; type <= DNS_TXT; type++) {
		dnsparse_message(&parse, span_make((const char *)data, size), type, name);
		check(&parse.answer, type);
		struct dnscache_entry *e = cache ? dnscache_get(cache, type, name) : NULL;
		if (!e)
			continue;
		dnscache_hold(e);
		dnscache_put(cache, e, &parse.answer, 0, 60);
		if (e->answer.status != parse.answer.status)
			abort();
		check(&e->answer, type);
		const struct dns_record *r = dnslist_listed(&any, &e->answer);
		if (r && (!dnslist_is_loopback(&r->address) || dnslist_is_refusal(&r->address)))
			abort();
		dnscache_release(e);
	}
	return 0;
}
