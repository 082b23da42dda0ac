#include "engine/clientcache.h"

#include <sys/mman.h>

#include "core/hostname.h"

#define ENTRIES 32768
#define LINE 64
#define NAME_ROOM 90

/* Short names stand in the entry's first line of memory. */
struct entry {
	uint64_t hash;			/* of name and address; 0: empty */
	struct netaddr client;
	uint16_t org_at, org_n;
	bool dynamic;
	uint8_t length;
	char name[NAME_ROOM];
};

struct clientcache {
	struct entry entries[ENTRIES];
};

struct clientcache *clientcache_new(void)
{
	_Static_assert(sizeof(struct entry) == 2 * LINE, "an entry is whole lines of memory");
	/* Memory of zeros that begins with a line, and is taken as it is used. */
	void *new = mmap(NULL, sizeof(struct clientcache), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return new == MAP_FAILED ? NULL : new;
}

void clientcache_free(struct clientcache **c)
{
	if (*c)
		munmap(*c, sizeof **c);
	*c = NULL;
}

void client_find_out(const struct names *names, struct request *r)
{
	r->client_org = span_make("", 0);
	r->client_dynamic = false;
	if (!hostname_valid(r->client_name))
		return;
	r->client_org = names_org(names, r->client_name);
	r->client_dynamic = hostname_dynamic(r->client_name, &r->client);
}

static bool is_same(const struct entry *e, uint64_t hash, const struct request *r)
{
	return e->hash == hash && span_eq(span_make(e->name, e->length), r->client_name) &&
	       netaddr_eq(&e->client, &r->client);
}

static void keep(struct entry *e, uint64_t hash, const struct request *r)
{
	*e = (struct entry){ .client = r->client, .hash = hash, .dynamic = r->client_dynamic,
			     .org_n = (uint16_t)r->client_org.n, .length = (uint8_t)r->client_name.n };
	if (r->client_org.n)
		e->org_at = (uint16_t)(r->client_org.p - r->client_name.p);
	memcpy(e->name, r->client_name.p, r->client_name.n);
}

void clientcache_complete(struct clientcache *c, const struct names *names, struct request *r)
{
	r->client_org = span_make("", 0);
	r->client_dynamic = false;
	if (r->client_name.n == 0)
		return;
	uint64_t hash = span_hash(r->client_name, span_hash(r->client_text, 0)) | 1;
	struct entry *e = &c->entries[hash / 2 % ENTRIES];
	if (is_same(e, hash, r)) {
		r->client_org = span_make(r->client_name.p + e->org_at, e->org_n);
		r->client_dynamic = e->dynamic;
		return;
	}
	client_find_out(names, r);
	if (r->client_name.n <= NAME_ROOM)
		keep(e, hash, r);
}
