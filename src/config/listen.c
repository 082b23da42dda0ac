/* listen policy|control|greylistd unix PATH [mode OCTAL] [group NAME] [once|read-only]
 * listen policy tcp ADDRESS:PORT */
#include "config/parse.h"

#include "base/netaddr.h"

static int copy(char *out, size_t size, struct span s)
{
	if (s.n == 0 || s.n >= size)
		return -1;
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
	return 0;
}

static int set_mode(struct listen_spec *l, struct span s)
{
	unsigned mode = 0;

	if (s.n < 3 || s.n > 4)
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '7')
			return -1;
		mode = mode * 8 + (unsigned)(s.p[i] - '0');
	}
	if (mode > 0777)
		return -1;
	l->mode = mode;
	return 0;
}

/* The last word: `once` of a policy listener, `read-only` of a control listener. */
static bool take_last(const struct parse *p, struct listen_spec *l, unsigned token)
{
	bool last = token + 1 == p->lex->count;

	l->once = last && l->kind == LISTEN_POLICY && parse_is(p, token, "once");
	l->read_only = last && l->kind == LISTEN_CONTROL && parse_is(p, token, "read-only");
	return l->once || l->read_only;
}

static void parse_unix(struct parse *p, struct listen_spec *l)
{
	if (copy(l->path, sizeof l->path, parse_word(p, 3)) != 0) {
		parse_error(p, 3, "the path of a socket is needed, of at most 107 bytes");
		return;
	}
	for (unsigned i = 4; i < p->lex->count; i += 2) {
		if (take_last(p, l, i))
			continue;
		if (parse_is(p, i, "mode")) {
			if (set_mode(l, parse_word(p, i + 1)) != 0)
				parse_error(p, i + 1, "a mode is three or four octal digits, such as 0660");
		} else if (parse_is(p, i, "group")) {
			if (copy(l->group, sizeof l->group, parse_word(p, i + 1)) != 0)
				parse_error(p, i + 1, "the name of a group is needed");
		} else {
			parse_error(p, i, "unknown word; after the path there may be mode and group");
		}
	}
}

static void parse_tcp(struct parse *p, struct listen_spec *l)
{
	struct span s = parse_word(p, 3);
	size_t colon = span_rfind(s, ':');
	struct span host = span_head(s, colon), port = span_from(s, colon + 1);
	struct netaddr address;
	uint64_t number;

	struct span bare = span_unwrap(host, '[', ']');
	if (bare.n == host.n && span_find(host, ':') < host.n)
		host.n = 0;
	else
		host = bare;
	if (!netaddr_parse(host, &address) || !span_uint(port, 65535, &number) || number == 0 ||
	    copy(l->host, sizeof l->host, host) != 0 || copy(l->port, sizeof l->port, port) != 0)
		parse_error(p, 3, "an address and a port are needed, such as 127.0.0.1:10023 or [::1]:10023");
	if (p->lex->count > 4 && !take_last(p, l, 4))
		parse_error(p, 4, "nothing more is expected here");
}

static bool is_same(const struct listen_spec *a, const struct listen_spec *b)
{
	if (a->tcp != b->tcp)
		return false;
	return a->tcp ? strcmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0
		      : strcmp(a->path, b->path) == 0;
}

static bool parse_kind(const struct parse *p, enum listen_kind *out)
{
	static const char *const words[] = {
		[LISTEN_POLICY] = "policy", [LISTEN_CONTROL] = "control", [LISTEN_GREYLISTD] = "greylistd",
	};

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (parse_is(p, 1, words[i])) {
			*out = (enum listen_kind)i;
			return true;
		}
	return false;
}

static const char *place_wanted(enum listen_kind kind)
{
	switch (kind) {
	case LISTEN_POLICY: return "unix PATH or tcp ADDRESS:PORT is needed";
	case LISTEN_CONTROL: return "the control socket is a unix socket";
	case LISTEN_GREYLISTD: return "a socket of greylistd is a unix socket";
	}
	return "";
}

void parse_listen(struct parse *p)
{
	struct config *c = p->config;
	unsigned errors = p->diag->errors;
	struct listen_spec l = { .line = p->lex->tokens[0].line };

	bool known = parse_kind(p, &l.kind);
	l.mode = l.kind == LISTEN_CONTROL ? 0600 : 0660;
	if (!known)
		parse_error(p, 1, "listen policy, listen control or listen greylistd is meant?");
	else if (parse_is(p, 2, "unix"))
		parse_unix(p, &l);
	else if (parse_is(p, 2, "tcp") && l.kind == LISTEN_POLICY)
		parse_tcp(p, &l);
	else
		parse_error(p, 2, place_wanted(l.kind));
	l.tcp = l.host[0] != '\0';
	if (errors != p->diag->errors)
		return;
	for (unsigned i = 0; i < c->listen_count; i++)
		if (is_same(&c->listens[i], &l)) {
			parse_error(p, 3, "another line listens there already");
			return;
		}
	if (c->listen_count == CONFIG_LISTEN_MAX)
		parse_error(p, 0, "too many listeners");
	else
		c->listens[c->listen_count++] = l;
}
