#include "names/names.h"

#include <idn2.h>
#include <libpsl.h>

#define NAME_MAX_BYTES 253
/* A domain of 253 bytes in A-labels has fewer characters; in UTF-8 each takes up to four bytes. */
#define IDN_MAX_BYTES (4 * NAME_MAX_BYTES)

struct names {
	psl_ctx_t *list;
	const char *source;
};

struct names *names_new(struct buf *why)
{
	struct names *names = calloc(1, sizeof *names);

	if (!names) {
		buf_fail(why, "out of memory");
		return NULL;
	}
	names->list = psl_latest(NULL);
	if (!names->list) {
		buf_fail(why, "no public suffix list: neither the system nor libpsl has one");
		free(names);
		return NULL;
	}
	names->source = names->list == psl_builtin() ? "built-in" : psl_dist_filename();
	return names;
}

void names_free(struct names **names)
{
	if (!*names)
		return;
	psl_free((*names)->list);
	free(*names);
	*names = NULL;
}

const char *names_source(const struct names *names)
{
	return names->source;
}

/* Lower case and NUL-terminated for libpsl; false on what is no host name: too
 * long, an empty label, a NUL. */
static bool copy_name(char copy[NAME_MAX_BYTES + 1], struct span name)
{
	if (name.n == 0 || name.n > NAME_MAX_BYTES || span_find(name, '\0') < name.n)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '.' && (i == 0 || name.p[i - 1] == '.'))
			return false;
		copy[i] = ascii_lower(name.p[i]);
	}
	copy[name.n] = '\0';
	return name.p[name.n - 1] != '.';
}

struct span names_org(const struct names *names, struct span name)
{
	char copy[NAME_MAX_BYTES + 1];

	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (!copy_name(copy, name))
		return span_make("", 0);
	const char *org = psl_registrable_domain(names->list, copy);
	return org ? span_from(name, (size_t)(org - copy)) : span_make("", 0);
}

static bool has_high_bytes(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return true;
	return false;
}

/* libidn2 maps the look-alikes of '@' and other punctuation to the real thing
 * (or drops them, under its STD3 flag): the result would be another address. */
static bool is_host_name(const char *s)
{
	for (; *s; s++)
		if (!ascii_alpha(*s) && !ascii_digit(*s) && *s != '-' && *s != '.' && *s != '_')
			return false;
	return true;
}

/* Appends the A-labels of a domain; false, nothing appended, where it has none. */
static bool add_alabels(struct buf *out, struct span domain)
{
	uint8_t text[IDN_MAX_BYTES + 1], *ascii = NULL;

	if (domain.n > IDN_MAX_BYTES || span_find(domain, '\0') < domain.n)
		return false;
	memcpy(text, domain.p, domain.n);
	text[domain.n] = '\0';
	if (idn2_lookup_u8(text, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	bool good = is_host_name((const char *)ascii);
	if (good)
		buf_adds(out, (const char *)ascii);
	idn2_free(ascii);
	return good;
}

bool names_ascii(struct buf *out, struct span address)
{
	size_t at = span_rfind(address, '@');
	struct span domain = span_from(address, at + 1), tail = span_from(domain, domain.n);

	if (domain.n && domain.p[domain.n - 1] == '>')
		tail = span_from(domain, domain.n - 1);
	domain.n -= tail.n;
	if (!has_high_bytes(domain)) {
		buf_addspan(out, address);
		return false;
	}
	buf_addspan(out, span_head(address, at + 1));
	if (!add_alabels(out, domain)) {
		buf_addspan(out, span_from(address, at + 1));
		return false;
	}
	buf_addspan(out, tail);
	return true;
}
