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

static bool by_spf(const struct policy *p, bool named, struct span spf_org)
{
	return spf_org.n && (p->identity_spf == IDENTITY_SPF_FIRST || (p->identity_spf == IDENTITY_SPF_UNNAMED && !named));
}

bool identity_is_organisation(const struct identity *id)
{
	return id->kind == IDENTITY_HOST || id->kind == IDENTITY_SPF;
}

const char *identity_word(enum identity_mode kind)
{
	switch (kind) {
	case IDENTITY_HOST: return "host";
	case IDENTITY_NETWORK: return "network";
	case IDENTITY_ADDRESS: return "address";
	case IDENTITY_SPF: return "spf";
	}
	return "?";
}

void identity_network(const struct policy *p, const struct request *r, struct identity *out)
{
	struct buf b = buf_on(out->text, sizeof out->text);

	if (p->identity == IDENTITY_ADDRESS) {
		identity_address(r, out);
		return;
	}
	struct netprefix net = netaddr_network(&r->client, r->client.family == 4 ? p->ipv4_bits : p->ipv6_bits);
	netprefix_add(&b, &net);
	finish(out, IDENTITY_NETWORK, &b);
}

void identity_of(const struct policy *p, const struct request *r, struct span spf_org, struct identity *out)
{
	struct buf b = buf_on(out->text, sizeof out->text);
	bool named = p->identity == IDENTITY_HOST && r->client_org.n && !r->client_dynamic;

	if (by_spf(p, named, spf_org)) {
		buf_addlower(&b, spf_org);
		finish(out, IDENTITY_SPF, &b);
	} else if (named) {
		buf_addlower(&b, r->client_org);
		finish(out, IDENTITY_HOST, &b);
	} else {
		identity_network(p, r, out);
	}
}
