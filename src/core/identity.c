#include "core/identity.h"

static void finish(struct identity *out, enum identity_mode kind, const struct buf *b)
{
	out->kind = kind;
	out->n = b->n;
}

void identity_address(const struct request *r, struct identity *out)
{
	struct buf b = buf_on(out->text, sizeof out->text);

	netaddr_add(&b, &r->client);
	finish(out, IDENTITY_ADDRESS, &b);
}

void identity_of(const struct policy *p, const struct request *r, struct identity *out)
{
	struct buf b = buf_on(out->text, sizeof out->text);

	if (p->identity == IDENTITY_ADDRESS) {
		identity_address(r, out);
	} else if (p->identity == IDENTITY_HOST && r->client_org.n && !r->client_dynamic) {
		buf_addlower(&b, r->client_org);
		finish(out, IDENTITY_HOST, &b);
	} else {
		unsigned bits = r->client.family == 4 ? p->ipv4_bits : p->ipv6_bits;
		struct netprefix net = netaddr_network(&r->client, bits);
		netprefix_add(&b, &net);
		finish(out, IDENTITY_NETWORK, &b);
	}
}
