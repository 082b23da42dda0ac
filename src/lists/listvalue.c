#include "lists/listvalue.h"

#include "lists/addrset.h"
#include "lists/nameset.h"

static bool ends_with_dot(struct span s)
{
	return s.n && s.p[s.n - 1] == '.';
}

static int refuse(struct buf *why, struct span text, const char *wanted)
{
	buf_clear(why);
	buf_addc(why, '"');
	buf_addsafe(why, text, 60);
	buf_adds(why, "\" ");
	buf_adds(why, wanted);
	return 0;
}

static struct span without_final_dot(struct span s)
{
	return s.n > 1 && s.p[s.n - 1] == '.' ? span_head(s, s.n - 1) : s;
}

void listvalue_add_client(struct buf *out, const struct netprefix *p)
{
	if (p->bits == netaddr_width(&p->addr))
		netaddr_add(out, &p->addr);
	else
		netprefix_add(out, p);
}

static int read_client(struct span text, struct buf *out, struct buf *why)
{
	struct netprefix p;

	if (!netprefix_parse(text, &p))
		return refuse(why, text, "is no address or prefix");
	listvalue_add_client(out, &p);
	return 1;
}

static int read_name(struct span text, struct buf *out, struct buf *why)
{
	struct span name = without_final_dot(text);
	struct netprefix p;
	char form = '\0';

	if (span_starts(name, span_of("*.")))
		name = span_from(name, 1);
	if (name.n && (name.p[0] == '.' || name.p[0] == '=')) {
		form = name.p[0];
		name = span_from(name, 1);
	}
	if (netprefix_parse(name, &p))
		return refuse(why, text, "is an address, not a name");
	if (!nameset_name(name) || ends_with_dot(name))
		return refuse(why, text, "is no host name (letters beyond ASCII are written as xn--...)");
	if (form)
		buf_addc(out, form);
	buf_addlower(out, name);
	return 1;
}

static int read_address(struct span text, struct buf *out, struct buf *why)
{
	struct wordset *set = wordset_new();
	int added = set ? addrset_add(set, text) : -1;

	wordset_free(&set);
	if (added < 0) {
		buf_fail(why, "out of memory");
		return -1;
	}
	if (text.n > 2)
		text = span_unwrap(text, '<', '>');
	if (added && text.p[text.n - 1] != '@')
		text = without_final_dot(text);
	if (added == 0 || ends_with_dot(text))
		return refuse(why, text, "is no mail address (user@domain, user@, @domain, domain or <>)");
	buf_addlower(out, text);
	return 1;
}

static int read_pair(struct span text, struct buf *out, struct buf *why)
{
	size_t from = span_find(text, '<');
	struct span domain = without_final_dot(span_from(text, from + 1));

	if (from == 0 || from >= text.n || !nameset_name(domain) || ends_with_dot(domain))
		return refuse(why, text, "is no recipient and a domain (user@domain<domain)");
	int read = read_address(span_head(text, from), out, why);
	if (read == 1) {
		buf_addc(out, '<');
		buf_addlower(out, domain);
	}
	return read;
}

static int read_domain(struct span text, struct buf *out, struct buf *why)
{
	struct span name = without_final_dot(text);
	struct netprefix p;

	if (!nameset_name(name) || ends_with_dot(name) || netprefix_parse(name, &p))
		return refuse(why, text, "is no domain (letters beyond ASCII are written as xn--...)");
	buf_addlower(out, name);
	return 1;
}

int listvalue_read(enum list_kind kind, struct span text, struct buf *out, struct buf *why)
{
	if (text.n > LIST_VALUE_MAX)
		return refuse(why, text, "is too long");
	switch (kind) {
	case LIST_CLIENT: return read_client(text, out, why);
	case LIST_NAME: return read_name(text, out, why);
	case LIST_SENDER:
	case LIST_RECIPIENT: return read_address(text, out, why);
	case LIST_PAIR: return read_pair(text, out, why);
	case LIST_DOMAIN: return read_domain(text, out, why);
	}
	return 0;
}

bool listvalue_of_name(struct span name, listvalue_fn *fn, void *arg)
{
	char text[257];

	name = without_final_dot(name);
	if (name.n == 0 || name.n >= sizeof text)
		return false;
	text[0] = '=';
	for (size_t i = 0; i < name.n; i++)
		text[1 + i] = ascii_lower(name.p[i]);
	name = span_make(text + 1, name.n);
	if (fn(arg, span_make(text, 1 + name.n)) || fn(arg, name))
		return true;
	for (size_t dot = span_find(name, '.'); dot < name.n; dot = span_find(name, '.')) {
		struct span below = span_from(name, dot);
		name = span_from(name, dot + 1);
		if (fn(arg, below) || (name.n && fn(arg, name)))
			return true;
	}
	return false;
}

/* local@domain, local@ and @domain. */
static bool address_parts(struct span local, struct span domain, listvalue_fn *fn, void *arg)
{
	char text[WORDSET_LONGEST + 1];

	memcpy(text, local.p, local.n);
	text[local.n] = '@';
	memcpy(text + local.n + 1, domain.p, domain.n);
	return fn(arg, span_make(text, local.n + 1 + domain.n)) ||
	       (local.n && domain.n && fn(arg, span_make(text, local.n + 1))) ||
	       (local.n && domain.n && fn(arg, span_make(text + local.n, 1 + domain.n)));
}

bool listvalue_of_address(struct span address, listvalue_fn *fn, void *arg)
{
	char lower[WORDSET_LONGEST];

	if (address.n > sizeof lower)
		return false;
	if (address.n == 0)
		return fn(arg, span_of("<>"));
	for (size_t i = 0; i < address.n; i++)
		lower[i] = ascii_lower(address.p[i]);
	address = without_final_dot(span_make(lower, address.n));
	size_t at = span_rfind(address, '@');
	struct span local = span_head(address, at), domain = span_from(address, at + 1);
	size_t plus = span_find(local, '+');
	if (address_parts(local, domain, fn, arg) ||
	    (plus && plus < local.n && address_parts(span_head(local, plus), domain, fn, arg)))
		return true;
	for (; domain.n; domain = span_from(domain, span_find(domain, '.') + 1))
		if (fn(arg, domain))
			return true;
	return false;
}

struct pair_walk {
	struct span domain;
	listvalue_fn *fn;
	void *arg;
};

/* The recipient in one of its forms, with the domain and those above it. */
static bool pair_domains(void *arg, struct span recipient)
{
	const struct pair_walk *w = arg;
	char text[LIST_VALUE_MAX + 1];

	for (struct span d = w->domain; d.n; d = span_from(d, span_find(d, '.') + 1)) {
		struct buf b = BUF_ON(text);
		buf_addspan(&b, recipient);
		buf_addc(&b, '<');
		buf_addlower(&b, d);
		if (!b.over && w->fn(w->arg, buf_span(&b)))
			return true;
	}
	return false;
}

bool listvalue_of_pair(struct span recipient, struct span domain, listvalue_fn *fn, void *arg)
{
	struct pair_walk w = { without_final_dot(domain), fn, arg };

	return recipient.n && w.domain.n && listvalue_of_address(recipient, pair_domains, &w);
}
