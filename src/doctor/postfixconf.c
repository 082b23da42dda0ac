#include "doctor/postfixconf.h"

#define DEPTH_MAX 10
#define EXPANSIONS_MAX 10000	/* of one value: names may stand for each other many times over */

static bool is_blank(char c)
{
	return ascii_blank(c) || c == '\r' || c == '\n';
}

/* The next logical line: comments and empty lines left out, those that begin with a blank
 * joined to the one before. False at the end. */
static bool next_line(struct span *rest, unsigned *number, unsigned *at, struct buf *out)
{
	struct span line;

	buf_clear(out);
	while (rest->n) {
		struct span look = *rest;
		span_cut(&look, '\n', &line);
		struct span trimmed = span_trim(line);
		bool passed_over = trimmed.n == 0 || trimmed.p[0] == '#';
		if (!passed_over && !is_blank(line.p[0]) && out->n)
			return true;
		++*number;
		*rest = look;
		if (passed_over)
			continue;
		if (out->n == 0)
			*at = *number;
		else
			buf_addc(out, ' ');
		buf_addspan(out, trimmed);
	}
	return out->n > 0;
}

static void add_parameter(struct postfixconf *c, struct span line, unsigned at)
{
	size_t sign = span_find(line, '=');
	struct span name = span_trim(span_head(line, sign)), value = span_trim(span_from(line, sign + 1));

	if (sign == line.n || c->parameter_count == POSTFIX_PARAMETERS_MAX)
		return;
	char *copy = malloc(name.n + value.n + 1);
	if (!copy)
		return;
	if (value.n)
		memcpy(copy, value.p, value.n);
	copy[value.n] = '\0';
	memcpy(copy + value.n + 1, name.p, name.n);
	c->parameters[c->parameter_count++] = (struct postfix_parameter){ span_make(copy + value.n + 1, name.n), copy, at };
}

static struct span word(struct span *rest)
{
	struct span w;

	while (rest->n && is_blank(rest->p[0]))
		*rest = span_from(*rest, 1);
	size_t n = 0;
	while (n < rest->n && !is_blank(rest->p[n]))
		n++;
	w = span_head(*rest, n);
	*rest = span_from(*rest, n);
	return w;
}

/* name type private unpriv chroot wakeup maxproc command arguments */
static void add_service(struct postfixconf *c, struct span line, unsigned at)
{
	char *text = c->service_count < POSTFIX_SERVICES_MAX ? strndup(line.p, line.n) : NULL;
	struct span rest = span_of(text), columns[8];

	if (!text)
		return;
	for (size_t i = 0; i < 8; i++)
		columns[i] = word(&rest);
	c->services[c->service_count++] = (struct postfix_service){ .name = columns[0], .type = columns[1], .chroot = columns[4],
		.command = columns[7], .arguments = rest, .text = text, .line = at };
}

struct postfixconf *postfixconf_new(struct buf main, struct buf master)
{
	struct postfixconf *c = calloc(1, sizeof *c);
	struct buf line = buf_heap(main.n + master.n + 1);
	unsigned number = 0, at = 0;

	if (!c) {
		buf_free(&main);
		buf_free(&master);
		return NULL;
	}
	c->main = main;
	c->master = master;
	for (struct span rest = buf_span(&c->main); next_line(&rest, &number, &at, &line);)
		add_parameter(c, buf_span(&line), at);
	number = 0;
	for (struct span rest = buf_span(&c->master); next_line(&rest, &number, &at, &line);)
		add_service(c, buf_span(&line), at);
	buf_free(&line);
	return c;
}

void postfixconf_free(struct postfixconf **c)
{
	if (*c) {
		for (unsigned i = 0; i < (*c)->parameter_count; i++)
			free((*c)->parameters[i].value);
		for (unsigned i = 0; i < (*c)->service_count; i++)
			free((*c)->services[i].text);
		buf_free(&(*c)->main);
		buf_free(&(*c)->master);
	}
	free(*c);
	*c = NULL;
}

const struct postfix_parameter *postfixconf_find(const struct postfixconf *c, struct span name)
{
	for (unsigned i = c->parameter_count; i > 0; i--)
		if (span_eq(c->parameters[i - 1].name, name))
			return &c->parameters[i - 1];
	return NULL;
}

/* $name, ${name}, $(name); conditional forms stay as they are. */
static void expand(const struct postfixconf *c, struct span value, struct buf *out, unsigned depth, unsigned *left)
{
	for (size_t i = 0; i < value.n && !out->over;) {
		size_t from = i + 1, n = 0;
		bool open = value.p[i] == '$' && from < value.n && (value.p[from] == '{' || value.p[from] == '(');
		from += open;
		while (value.p[i] == '$' && from + n < value.n && ascii_word(value.p[from + n]))
			n++;
		bool closed = !open || (from + n < value.n && (value.p[from + n] == '}' || value.p[from + n] == ')'));
		const struct postfix_parameter *p = n && closed && depth < DEPTH_MAX && *left ?
			postfixconf_find(c, span_make(value.p + from, n)) : NULL;
		if (p) {
			--*left;
			expand(c, span_of(p->value), out, depth + 1, left);
			i = from + n + open;
		} else {
			buf_addc(out, value.p[i++]);
		}
	}
}

/* "-o name=value", "-o { name = value }"; the value, or one without address. */
static struct span override(const struct postfix_service *s, const char *name)
{
	struct span rest = s->arguments, element, value = { NULL, 0 };
	bool next = false;

	while (postfixconf_element(&rest, &element)) {
		struct span text = next ? span_trim(span_unwrap(element, '{', '}')) : span_from(element, 2);
		bool is_option = next || (element.n > 2 && span_starts(element, span_of("-o")));
		next = span_eq(element, span_of("-o"));
		size_t sign = span_find(text, '=');
		if (is_option && span_eq(span_trim(span_head(text, sign)), span_of(name)))
			value = span_trim(span_from(text, sign + 1));
	}
	return value;
}

unsigned postfixconf_value(const struct postfixconf *c, const struct postfix_service *service, const char *name,
			   const char *fallback, struct buf *out, bool *in_master)
{
	struct span own = service ? override(service, name) : span_make(NULL, 0);
	const struct postfix_parameter *p = postfixconf_find(c, span_of(name));
	unsigned left = EXPANSIONS_MAX;

	if (in_master)
		*in_master = own.p != NULL;
	expand(c, own.p ? own : span_of(p ? p->value : fallback), out, 0, &left);
	return own.p ? service->line : p ? p->line : 0;
}

bool postfixconf_element(struct span *rest, struct span *element)
{
	size_t n = 0;
	unsigned depth = 0;

	while (rest->n && (is_blank(rest->p[0]) || rest->p[0] == ','))
		*rest = span_from(*rest, 1);
	for (; n < rest->n && (depth || !(is_blank(rest->p[n]) || rest->p[n] == ',')); n++) {
		depth += rest->p[n] == '{';
		depth -= rest->p[n] == '}' && depth;
	}
	*element = span_head(*rest, n);
	*rest = span_from(*rest, n);
	return n > 0;
}
