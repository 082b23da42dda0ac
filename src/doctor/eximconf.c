#include "doctor/eximconf.h"

#define LINE_MAX_BYTES ((size_t)64 * 1024)
#define NESTED_MAX 30		/* .ifdef in .ifdef */
#define REPLACED_MAX 10		/* macros that stand for macros */

static const struct {
	const char *word;
	enum exim_verb verb;
} verbs[] = {
	{ "accept", VERB_ACCEPT }, { "defer", VERB_DEFER }, { "deny", VERB_DENY }, { "discard", VERB_DISCARD },
	{ "drop", VERB_DROP }, { "require", VERB_REQUIRE }, { "warn", VERB_WARN },
};

/* What is no condition. */
static const char *const modifiers[] = { "add_header", "continue", "control", "delay", "endpass", "log_message", "log_reject_target",
	"logwrite", "message", "queue", "remove_header", "set", "udpsend" };

/* Where the reading is. */
struct reading {
	struct eximconf *c;
	eximconf_reader *read;
	void *arg;
	enum { SECTION_MAIN, SECTION_ACL, SECTION_OTHER } section;
	unsigned depth;			/* of files that include files */
	int acl;			/* the one that is read, -1 before the first */
	bool in_statement;		/* its last statement goes on */
};

static struct span take_name(struct span *rest)
{
	size_t n = 0;

	while (n < rest->n && ascii_word(rest->p[n]))
		n++;
	struct span name = span_head(*rest, n);
	*rest = span_trim(span_from(*rest, n));
	return name;
}

/* --- Macros ---------------------------------------------------------------------------------- */

/* Its value, NULL when it is not defined. */
static char **find_macro(struct eximconf *c, struct span name)
{
	for (unsigned i = 0; i < c->macro_count; i++)
		if (span_eq(span_of(c->macros[i].name), name))
			return &c->macros[i].value;
	return NULL;
}

/* One that is defined again has the later value. */
static void add_macro(struct eximconf *c, struct span name, struct span value)
{
	char *copy = strndup(value.n ? value.p : "", value.n), **old = find_macro(c, name);

	if (copy && old) {
		free(*old);
		*old = copy;
		return;
	}
	char *own = copy && c->macro_count < EXIM_MACROS_MAX ? strndup(name.p, name.n) : NULL;
	if (own)
		c->macros[c->macro_count++] = (struct exim_macro){ own, copy };
	else
		free(copy);
}

/* Macros are looked for as whole words; Exim finds them inside words too, which nobody writes. */
static bool replace_once(struct eximconf *c, struct span text, struct buf *out)
{
	bool replaced = false;

	buf_clear(out);
	for (size_t i = 0; i < text.n && !out->over;) {
		size_t n = 0;
		while (i + n < text.n && ascii_word(text.p[i + n]))
			n++;
		char **macro = n ? find_macro(c, span_make(text.p + i, n)) : NULL;
		if (macro)
			buf_adds(out, *macro);
		else
			buf_add(out, text.p + i, n ? n : 1);
		replaced = replaced || macro;
		i += n ? n : 1;
	}
	return replaced;
}

static void replace(struct eximconf *c, struct span text, struct buf *out)
{
	char storage[2000];
	struct buf from = BUF_ON(storage);

	buf_addspan(&from, text);
	for (unsigned i = 0; i < REPLACED_MAX && replace_once(c, buf_span(&from), out); i++) {
		buf_clear(&from);
		buf_addspan(&from, buf_span(out));
	}
}

const char *eximconf_macro(struct eximconf *c, const char *name, const char *fallback, struct buf *out)
{
	char **macro = find_macro(c, span_of(name));

	if (!macro)
		return fallback;
	replace(c, span_of(*macro), out);
	return buf_str(out);
}

/* NAME = value, NAME == value */
static bool is_macro(struct span line, struct span *name, struct span *value)
{
	if (line.n == 0 || line.p[0] < 'A' || line.p[0] > 'Z')
		return false;
	*value = line;
	*name = take_name(value);
	if (value->n == 0 || value->p[0] != '=')
		return false;
	*value = span_from(*value, span_starts(*value, span_of("==")) ? 2 : 1);
	*value = span_trim(*value);
	return true;
}

/* --- ACLs ------------------------------------------------------------------------------------ */

/* Its number, from now on; -1 when there are too many. */
static int acl_number(struct eximconf *c, struct span name)
{
	for (unsigned i = 0; i < c->acl_count; i++)
		if (span_eq(span_of(c->acls[i]), name))
			return (int)i;
	if (c->acl_count == EXIM_ACLS_MAX)
		return -1;
	c->acls[c->acl_count] = strndup(name.p, name.n);
	return c->acls[c->acl_count] ? (int)c->acl_count++ : -1;
}

static struct exim_statement *add_statement(struct reading *r, enum exim_verb verb, unsigned file, unsigned line)
{
	struct eximconf *c = r->c;

	r->in_statement = false;
	if (r->acl < 0 || c->statement_count == EXIM_STATEMENTS_MAX)
		return NULL;
	struct exim_statement *s = &c->statements[c->statement_count++];
	*s = (struct exim_statement){ .verb = verb, .acl = (unsigned)r->acl, .file = file, .line = line };
	r->in_statement = verb != VERB_NONE;
	return s;
}

/* [!] name [= value] */
static void add_condition(struct eximconf *c, struct exim_statement *s, struct span text)
{
	char storage[200];
	struct buf b = BUF_ON(storage);
	struct span rest = span_trim(span_from(text, text.n && text.p[0] == '!')), name = take_name(&rest);

	if (name.n == 0)
		return;
	for (size_t i = 0; i < sizeof modifiers / sizeof *modifiers; i++)
		if (span_eq(name, span_of(modifiers[i])))
			return;
	s->conditional = true;
	if (span_eq(name, span_of("domains")))
		s->domains = true;
	else if (!span_eq(name, span_of("verify")))
		s->others = true;
	if (!span_eq(name, span_of("acl")) || rest.n == 0 || rest.p[0] != '=')
		return;
	replace(c, span_trim(span_from(rest, 1)), &b);
	rest = buf_span(&b);
	int acl = acl_number(c, take_name(&rest));
	s->calls |= acl < 0 ? 0 : (uint64_t)1 << acl;
}

static void read_acl(struct reading *r, struct span line, unsigned file, unsigned at)
{
	struct eximconf *c = r->c;
	struct span rest = line, word = take_name(&rest);

	if (word.n && rest.n == 1 && rest.p[0] == ':') {
		r->acl = acl_number(c, word);
		r->in_statement = false;
		return;
	}
	for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
		if (span_eq(word, span_of(verbs[i].word)) && (rest.n == 0 || rest.p[0] != '=')) {
			add_statement(r, verbs[i].verb, file, at);
			line = rest;
			break;
		}
	if (!r->in_statement)
		return;
	struct exim_statement *s = &c->statements[c->statement_count - 1];
	s->greylag = s->greylag || span_has(line, span_of("GREYLAG_REQUEST"));
	s->greylistd = s->greylistd || span_has(line, span_of("greylistd/socket")) || span_has(line, span_of("greylag/greylistd"));
	add_condition(c, s, line);
}

/* --- Lines ------------------------------------------------------------------------------------ */

static void read_file(struct reading *r, const char *path);

static void include(struct reading *r, struct span path, unsigned file, unsigned at)
{
	char storage[1000];
	struct buf b = BUF_ON(storage);

	replace(r->c, path, &b);
	path = span_trim(span_unwrap(buf_span(&b), '"', '"'));
	if (span_has(path, span_of("greylag-macros")))
		r->c->has_macros = true;
	if (span_ends(path, span_of("greylag.acl"))) {
		struct exim_statement *s = add_statement(r, VERB_NONE, file, at);
		if (s)
			s->greylag = true;
		return;
	}
	char *name = strndup(path.p, path.n);
	if (name && r->depth < EXIM_DEPTH_MAX)
		read_file(r, name);
	free(name);
}

/* .ifdef and its kin. A level's state: whether its lines count, and whether one of its parts did. */
struct nesting {
	unsigned depth;
	struct { bool on, was; } levels[NESTED_MAX + 1];
};

static bool names_a_macro(struct eximconf *c, struct span text)
{
	while (text.n) {
		struct span name = take_name(&text);
		if (name.n && find_macro(c, name))
			return true;
		if (name.n == 0)
			text = span_from(text, 1);
	}
	return false;
}

static void nest(struct eximconf *c, struct nesting *n, struct span word, struct span text)
{
	bool negated = span_ends(word, span_of("ndef")), holds = names_a_macro(c, text) != negated;

	if (span_eq(word, span_of("ifdef")) || span_eq(word, span_of("ifndef"))) {
		bool above = n->levels[n->depth].on;
		if (n->depth < NESTED_MAX)
			n->depth++;
		n->levels[n->depth].on = above && holds;
		n->levels[n->depth].was = !above || holds;
	} else if (n->depth && (span_eq(word, span_of("elifdef")) || span_eq(word, span_of("elifndef")))) {
		n->levels[n->depth].on = !n->levels[n->depth].was && holds;
		n->levels[n->depth].was |= holds;
	} else if (n->depth && span_eq(word, span_of("else"))) {
		n->levels[n->depth].on = !n->levels[n->depth].was;
		n->levels[n->depth].was = true;
	} else if (n->depth && span_eq(word, span_of("endif"))) {
		n->depth--;
	}
}

static void read_option(struct eximconf *c, struct span line)
{
	char storage[200];
	struct buf b = BUF_ON(storage);
	struct span rest = line, name = take_name(&rest);
	int *to = span_eq(name, span_of("acl_smtp_rcpt")) ? &c->rcpt : span_eq(name, span_of("acl_smtp_data")) ? &c->data[0] :
		span_eq(name, span_of("acl_smtp_predata")) ? &c->data[1] : NULL;

	if (!to || rest.n == 0 || rest.p[0] != '=')
		return;
	replace(c, span_trim(span_from(rest, 1)), &b);
	rest = buf_span(&b);
	name = take_name(&rest);
	*to = rest.n == 0 && name.n ? acl_number(c, name) : -1;
}

static void read_line(struct reading *r, struct nesting *n, struct span line, unsigned file, unsigned at)
{
	struct eximconf *c = r->c;
	struct span rest, name, value;

	if (line.p[0] == '.') {
		rest = span_from(line, 1);
		struct span word = take_name(&rest);
		if (!span_starts(word, span_of("include")))
			nest(c, n, word, rest);
		else if (n->levels[n->depth].on)
			include(r, rest, file, at);
		return;
	}
	if (!n->levels[n->depth].on)
		return;
	rest = line;
	if (is_macro(line, &name, &value)) {
		add_macro(c, name, value);
		c->has_macros = c->has_macros || span_eq(name, span_of("GREYLAG_REQUEST"));
	} else if (span_eq(take_name(&rest), span_of("begin"))) {
		r->section = span_eq(rest, span_of("acl")) ? SECTION_ACL : SECTION_OTHER;
	} else if (r->section == SECTION_MAIN) {
		read_option(c, line);
	} else if (r->section == SECTION_ACL) {
		read_acl(r, line, file, at);
	}
}

/* The next line that says something, those joined to it that follow a backslash. False at the end. */
static bool next_line(struct span *rest, unsigned *number, unsigned *at, struct buf *out)
{
	struct span line;
	bool open = true;

	buf_clear(out);
	while (open && span_cut(rest, '\n', &line)) {
		++*number;
		line = span_trim(line);
		if (line.n == 0 && out->n)
			break;
		if (line.n == 0 || line.p[0] == '#')
			continue;
		if (out->n == 0)
			*at = *number;
		open = line.p[line.n - 1] == '\\';
		buf_addspan(out, span_head(line, line.n - open));
	}
	return out->n > 0;
}

static void read_file(struct reading *r, const char *path)
{
	struct eximconf *c = r->c;
	struct buf text, line = buf_heap(LINE_MAX_BYTES);
	struct nesting n = { .levels = { { true, true } } };
	unsigned number = 0, at = 0, file = c->file_count;

	if (file < EXIM_FILES_MAX && r->read(r->arg, path, &text)) {
		c->files[file] = strdup(path);
		c->file_count += c->files[file] != NULL;
		r->depth++;
		struct span rest = buf_span(&text);
		while (c->file_count > file && next_line(&rest, &number, &at, &line))
			read_line(r, &n, buf_span(&line), file, at);
		r->depth--;
		buf_free(&text);
	}
	buf_free(&line);
}

/* --- The whole --------------------------------------------------------------------------------- */

struct eximconf *eximconf_new(const char *path, eximconf_reader *read, void *arg)
{
	struct eximconf *c = calloc(1, sizeof *c);
	struct reading r = { .c = c, .read = read, .arg = arg, .acl = -1 };

	if (!c)
		return NULL;
	c->rcpt = c->data[0] = c->data[1] = -1;
	read_file(&r, path);
	if (c->file_count == 0)
		eximconf_free(&c);
	return c;
}

void eximconf_free(struct eximconf **c)
{
	if (!*c)
		return;
	for (unsigned i = 0; i < (*c)->macro_count; i++) {
		free((*c)->macros[i].name);
		free((*c)->macros[i].value);
	}
	for (unsigned i = 0; i < (*c)->acl_count; i++)
		free((*c)->acls[i]);
	for (unsigned i = 0; i < (*c)->file_count; i++)
		free((*c)->files[i]);
	free(*c);
	*c = NULL;
}

/* seen: ACLs on the way here, which may name each other. */
static const struct exim_statement *asks(const struct eximconf *c, unsigned acl, uint64_t *seen)
{
	*seen |= (uint64_t)1 << acl;
	for (unsigned i = 0; i < c->statement_count; i++) {
		const struct exim_statement *s = &c->statements[i];
		if (s->acl != acl)
			continue;
		if (s->greylag || s->greylistd)
			return s;
		for (unsigned called = 0; called < c->acl_count; called++)
			if ((s->calls >> called & 1) && !(*seen >> called & 1) && asks(c, called, seen))
				return s;
	}
	return NULL;
}

const struct exim_statement *eximconf_asks(const struct eximconf *c, int acl)
{
	uint64_t seen = 0;

	return acl < 0 ? NULL : asks(c, (unsigned)acl, &seen);
}
