/* SPF by hand, for tests/dns/spfsuite.py: a line each way, texts in hexadecimal.
 *	< check CLIENT SENDER HELO
 *	> ask A|AAAA|MX|PTR|TXT NAME
 *	< found VALUE ... | none | failed
 *	> done RESULT WHY */
#include "dns/spf.h"

static char line[200000], bytes[100000];

static unsigned nibble(char c)
{
	return ascii_digit(c) ? (unsigned)(c - '0') : (unsigned)(ascii_lower(c) - 'a') + 10;
}

/* Decodes the next word behind those before it. */
static struct span next_text(struct span *rest, size_t *used)
{
	struct span word = span_of("");
	char *to = bytes + *used;

	span_cut(rest, ' ', &word);
	for (size_t i = 0; i + 1 < word.n; i += 2)
		to[i / 2] = (char)(nibble(word.p[i]) << 4 | nibble(word.p[i + 1]));
	*used += word.n / 2;
	return span_make(to, word.n / 2);
}

static void put_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		printf("%02x", (unsigned char)s.p[i]);
	putchar('\n');
	fflush(stdout);
}

static bool get_line(struct span *rest, struct span *word)
{
	if (!fgets(line, sizeof line, stdin))
		return false;
	*rest = span_trim(span_of(line));
	return span_cut(rest, ' ', word);
}

static bool answer(struct spf *s)
{
	static struct dns_record records[64];
	struct dns_answer a = { .status = DNS_NONE, .records = records };
	struct span rest, word;
	size_t used = 0;

	if (!get_line(&rest, &word))
		return false;
	if (span_eq(word, span_of("failed")))
		a.status = DNS_FAILED;
	while (rest.n && a.count < 64) {
		struct dns_record *r = &records[a.count++];
		*r = (struct dns_record){ .text = next_text(&rest, &used) };
		if (s->ask_type == DNS_A || s->ask_type == DNS_AAAA)
			netaddr_parse(r->text, &r->address);
		a.status = DNS_FOUND;
	}
	spf_take(s, &a);
	return true;
}

int main(void)
{
	static const char *const types[] = { "A", "AAAA", "MX", "PTR", "TXT" };
	static struct spf s;
	struct span rest, word;

	while (get_line(&rest, &word)) {
		struct netaddr client = { 0 };
		size_t used = 0;
		netaddr_parse(next_text(&rest, &used), &client);
		struct span sender = next_text(&rest, &used), helo = next_text(&rest, &used);
		spf_begin(&s, &client, sender, helo);
		while (spf_next(&s) == SPF_ASKS) {
			printf("ask %s ", types[s.ask_type]);
			put_text(span_of(s.ask_name));
			if (!answer(&s))
				return 1;
		}
		printf("done %s ", spf_result_word(s.result));
		put_text(span_of(s.why));
	}
	return 0;
}
