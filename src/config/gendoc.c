/* greylag-gendoc sample|settings|reasons: what of the documents comes from the
 * tables. Run by the build, not installed. */
#include "config/options.h"
#include "core/reason.h"

/* Prints words, broken at blanks so that no line is longer than `width`. */
static void print_wrapped(const char *text, const char *lead, size_t width)
{
	struct span rest = span_of(text), word;
	size_t column = 0;

	while (span_cut(&rest, ' ', &word)) {
		if (column && column + 1 + word.n > width) {
			putchar('\n');
			column = 0;
		}
		column += (size_t)printf("%s%.*s", column ? " " : lead, SPAN_ARG(word));
	}
	putchar('\n');
}

static void print_sample_row(const struct option *o)
{
	char text[600];
	struct buf line = BUF_ON(text);

	print_wrapped(o->doc, "# ", 78);
	options_name(&line, o);
	if (strchr(o->initial, ' ') && o->type == OPTION_TEXT)
		buf_addf(&line, " \"%s\"", o->initial);
	else
		buf_addf(&line, " %s", o->initial[0] ? o->initial : "\"\"");
	printf("# Values: %s%s\n#%s\n\n", o->values, o->at_start ? ". A change needs a restart." : "", buf_str(&line));
}

static void print_sample(void)
{
	fputs("# greylag.conf(5): the configuration of greylagd, with every setting and its\n"
	      "# default. `greylagd -t` checks it, `greylag reload` applies it.\n\n"
	      "listen policy tcp 127.0.0.1:10023\n"
	      "listen policy unix /run/greylag/policy mode 0666\n"
	      "#listen policy unix /var/spool/postfix/private/greylag mode 0660 group postfix\n"
	      "#listen greylistd unix /run/greylag/greylistd mode 0660 group Debian-exim\n"
	      "listen control unix /run/greylag/control mode 0600\n\n", stdout);
	for (unsigned i = 0; i < options_count(); i++)
		print_sample_row(options_row(i));
	fputs("# --- Rules: the first that matches decides --------------------------------\n\n"
	      "# Mail for these must always come through.\n"
	      "allow recipient postmaster@ abuse@\n\n"
	      "# Senders that are known never to retry, each with the reason.\n"
	      "allow client optional-file /usr/share/greylag/no-retry-clients\n\n"
	      "# Lists of your own, an entry a line; postgrey's files are read as they are.\n"
	      "allow client optional-file /etc/greylag/allow-clients\n"
	      "allow recipient optional-file /etc/greylag/allow-recipients\n"
	      "block client optional-file /etc/greylag/block-clients\n\n"
	      "# Examples:\n"
	      "#allow client 192.0.2.0/24 2001:db8::/32\n"
	      "#allow client-name .example.org =mx.example.com\n"
	      "#block helo /^localhost$/ text \"5.7.1 You are not localhost\"\n"
	      "#defer client-name dynamic delay 15m\n"
	      "#observe recipient not-yet.example.net\n", stdout);
}

/* mdoc: a backslash or a dot at a line's start would be markup. */
static void print_mdoc_text(const char *text)
{
	struct span rest = span_of(text), sentence;
	static const struct span end = SPAN(". ");

	while (rest.n) {
		size_t i = 0;
		while (i < rest.n && !span_starts(span_from(rest, i), end))
			i++;
		sentence = span_head(rest, i < rest.n ? i + 1 : i);
		printf("%.*s\n", SPAN_ARG(sentence));
		rest = span_from(rest, i < rest.n ? i + end.n : i);
	}
}

static void print_settings(void)
{
	puts(".Bl -tag -width Ds");
	for (unsigned i = 0; i < options_count(); i++) {
		const struct option *o = options_row(i);
		printf(".It Ic %s%s%s Ar ", o->group, o->name ? " " : "", o->name ? o->name : "");
		printf("%s\n", o->values);
		print_mdoc_text(o->doc);
		printf("Default:\n.Ql %s .\n", o->initial[0] ? o->initial : "\\(dq\\(dq");
		if (o->at_start)
			puts("A change needs a restart.");
	}
	puts(".El");
}

static void print_reasons(void)
{
	for (int i = 0; i < REASON_COUNT; i++)
		printf(".It %s\n%s\n", reason_word((enum reason)i), reason_meaning((enum reason)i));
}

int main(int argc, char **argv)
{
	static const struct { const char *word; void (*print)(void); } words[] = {
		{ "sample", print_sample }, { "settings", print_settings }, { "reasons", print_reasons },
	};

	for (size_t i = 0; argc == 2 && i < sizeof words / sizeof *words; i++)
		if (strcmp(argv[1], words[i].word) == 0) {
			words[i].print();
			return fflush(stdout) == 0 ? 0 : 1;
		}
	fputs("usage: greylag-gendoc sample|settings|reasons\n", stderr);
	return 64;
}
