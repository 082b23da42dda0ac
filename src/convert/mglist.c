/* milter-greylist's lists, DNS lists and rates, which rules name. */
#include "convert/mg.h"

#include "core/listkey.h"

#define VALUES_A_SET 250
#define LINE_WIDTH 100

const struct mg_name *mg_find(const struct mg *m, enum mg_named what, struct span name)
{
	for (unsigned i = m->name_count; i > 0; i--)
		if (m->names[i - 1].what == what && span_ieq(m->names[i - 1].name, name))
			return &m->names[i - 1];
	return NULL;
}

struct mg_name *mg_name(struct mg *m, enum mg_named what, struct span name)
{
	if (m->name_count == MG_NAMES_MAX) {
		convert_missing(m->c, span_make("", 0), "so many names");
		return NULL;
	}
	struct mg_name *n = &m->names[m->name_count++];
	*n = (struct mg_name){ .name = name, .what = what };
	return n;
}

/* "my network" becomes my-network; a number makes it unlike the others. */
static void name_set(const struct mg *m, struct mg_name *n)
{
	char text[28];
	struct buf b = BUF_ON(text);

	for (size_t i = 0; i < n->name.n; i++) {
		char c = n->name.p[i];
		bool good = ascii_alpha(c) || ascii_digit(c) || c == '-' || c == '_';
		buf_addc(&b, good ? ascii_lower(c) : '-');
	}
	snprintf(n->set, sizeof n->set, "%s", b.n ? buf_str(&b) : "list");
	for (unsigned i = 0; &m->names[i] != n; i++)
		if (strcmp(m->names[i].set, n->set) == 0)
			snprintf(n->set, sizeof n->set, "%s_%u", b.n ? buf_str(&b) : "list", m->name_count);
}

static void write_set(struct mg *m, struct mg_name *n, struct buf *values)
{
	if (values->n == 0)
		return;
	if (n->sets == MG_SETS_MAX) {
		convert_missing(m->c, span_make("", 0), "the rest of the list is too long");
		return;
	}
	n->sets++;
	if (n->sets == 1)
		convert_line(m->c, "set %s %s%s", n->set, n->type->condition, buf_str(values));
	else
		convert_line(m->c, "set %s-%u %s%s", n->set, n->sets, n->type->condition, buf_str(values));
	buf_clear(values);
}

static void add_values(struct mg *m, struct mg_name *n, struct buf *values)
{
	char reason[300];
	const struct mg_token *t;
	unsigned count = 0, width = 0;

	while ((t = mg_take(m)) && !mg_is(t, "}")) {
		struct buf why = BUF_ON(reason), value = buf_heap(3000);
		if (!n->type->value(m, t, &value, &why)) {
			convert_missing(m->c, t->text, buf_str(&why));
			n->partial = true;
		} else {
			buf_adds(values, width > LINE_WIDTH ? " \\\n   " : "");
			width = width > LINE_WIDTH ? 0 : width;
			buf_addc(values, ' ');
			buf_addspan(values, buf_span(&value));
			width += (unsigned)value.n + 1;
			if (++count % VALUES_A_SET == 0) {
				write_set(m, n, values);
				width = 0;
			}
		}
		buf_free(&value);
	}
	write_set(m, n, values);
}

/* list "NAME" TYPE { VALUE... } */
void mg_list(struct mg *m)
{
	const struct mg_token *name = mg_take(m), *type = mg_take(m);
	struct buf values = buf_heap((size_t)1 << 20);
	struct mg_name *n;

	m->c->part = CONVERT_RULES;
	if (!name || !type || !mg_keyword(m, "{"))
		convert_missing(m->c, span_make("", 0), "a name, a kind and values in braces are expected");
	else if (!mg_type(type->text))
		convert_missing(m->c, type->text, "no condition of greylag has such a list");
	else if ((n = mg_name(m, MG_LIST, name->text)) != NULL) {
		n->type = mg_type(type->text);
		name_set(m, n);
		add_values(m, n, &values);
	}
	m->c->part = CONVERT_SETTINGS;
	buf_free(&values);
}

static void keep_value(struct mg *m, enum mg_named what, struct span name, const struct buf *value)
{
	struct mg_name *n = mg_name(m, what, name);

	if (n)
		n->values = strndup(buf_str(value), value->n);
}

/* dnsrbl "NAME" ZONE ADDRESS[/BITS] */
void mg_dnsrbl(struct mg *m)
{
	const struct mg_token *name = mg_take(m), *zone = mg_take(m), *answer = mg_take(m), *bits = mg_peek(m);
	char text[500], reason[300];
	struct buf b = BUF_ON(text), why = BUF_ON(reason);

	if (!name || !zone) {
		convert_missing(m->c, span_make("", 0), "a name and a zone are expected");
		return;
	}
	buf_addspan(&b, zone->text);
	if (answer) {
		buf_addc(&b, '=');
		buf_addspan(&b, answer->text);
		if (bits && bits->text.n && bits->text.p[0] == '/')
			buf_addspan(&b, bits->text);
	}
	/* All of one address is the address. */
	if (span_ends(buf_span(&b), span_of("/32")))
		b.n -= 3;
	if (b.over || !convert_valid("dnsbl", buf_span(&b), &why)) {
		convert_missing(m->c, span_make("", 0), buf_str(&why));
		return;
	}
	keep_value(m, MG_DNSRBL, name->text, &b);
	convert_needless(m->c, "its rules name the zone");
}

/* ratelimit "NAME" session|rcpt|data NUMBER / TIME [key "FORMAT"] */
void mg_ratelimit(struct mg *m)
{
	const struct mg_token *name = mg_take(m), *what = mg_take(m), *number = mg_take(m);
	bool divided = mg_keyword(m, "/");
	const struct mg_token *time = mg_take(m);
	char text[100];
	struct buf b = BUF_ON(text);
	int64_t seconds;
	uint64_t most;

	if (!name || !what || !number || !divided || !mg_time(time, &seconds) || !span_uint(number->text, 1000000, &most)) {
		convert_missing(m->c, span_make("", 0), "a name, what is counted, a number, a slash and a time are expected");
		return;
	}
	if (!mg_is(what, "rcpt") || mg_peek(m)) {
		convert_missing(m->c, span_make("", 0), "greylag counts recipients for each client address only");
		return;
	}
	buf_addf(&b, "%llu/", (unsigned long long)most);
	buf_addduration(&b, (uint64_t)seconds);
	keep_value(m, MG_RATE, name->text, &b);
	convert_needless(m->c, "its rules have the rate");
}
