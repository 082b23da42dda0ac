#include "cli/arguments.h"

#include <getopt.h>
#include <stddef.h>

enum take {
	FLAG,
	TEXT,
	WITH,			/* may come several times */
	EXPIRING,		/* the word behind it is its own when that is a duration */
};

static const struct known {
	const char *name;
	enum take take;
	size_t offset;
} known[] = {
#define OPTION(name, take, field) { name, take, offsetof(struct arguments, field) }
	OPTION("json", FLAG, json), OPTION("socket", TEXT, socket), OPTION("dry-run", FLAG, dry_run), OPTION("all", FLAG, all),
	OPTION("name", TEXT, name), OPTION("helo", TEXT, helo), OPTION("sasl", TEXT, sasl), OPTION("stage", TEXT, stage),
	OPTION("client", TEXT, client), OPTION("sender", TEXT, sender), OPTION("recipient", TEXT, recipient),
	OPTION("with", WITH, with),
	OPTION("for", TEXT, duration), OPTION("until", TEXT, until), OPTION("comment", TEXT, comment), OPTION("file", TEXT, file),
	OPTION("format", TEXT, format), OPTION("shorten", FLAG, shorten), OPTION("expiring", EXPIRING, expiring),
	OPTION("print", FLAG, print), OPTION("trusted", TEXT, trusted), OPTION("days", TEXT, days), OPTION("root", TEXT, root),
	OPTION("user", TEXT, user), OPTION("password-file", TEXT, password_file), OPTION("delay", TEXT, delay),
	OPTION("since", TEXT, since), OPTION("after", TEXT, after), OPTION("tries", TEXT, tries),
	OPTION("skip-dynamic", FLAG, skip_dynamic), OPTION("match", TEXT, match), OPTION("skip", TEXT, skip),
	OPTION("mail-size", TEXT, mail_size), OPTION("top", TEXT, top), OPTION("from-log", FLAG, from_log),
	OPTION("config", TEXT, config), OPTION("against", TEXT, against), OPTION("list", FLAG, list),
#undef OPTION
};
#define KNOWN (sizeof known / sizeof *known)
#define FIRST 256		/* of getopt_long's values: above those of letters */

static int has_argument(enum take take)
{
	switch (take) {
	case FLAG: return no_argument;
	case TEXT:
	case WITH: return required_argument;
	case EXPIRING: return optional_argument;
	}
	return no_argument;
}

static void take(struct arguments *a, const struct known *k, int argc, char **argv)
{
	void *field = (char *)a + k->offset;

	switch (k->take) {
	case FLAG:
		*(bool *)field = true;
		break;
	case TEXT:
		*(const char **)field = optarg;
		break;
	case WITH:
		if (a->with_count < ARGUMENTS_WITH_MAX)
			a->with[a->with_count++] = optarg;
		break;
	case EXPIRING:
		if (!optarg && optind < argc && ascii_digit(argv[optind][0]))
			optarg = argv[optind++];
		*(const char **)field = optarg ? optarg : "";
		break;
	}
}

enum arguments_are arguments_read(int argc, char **argv, struct arguments *a)
{
	struct option options[KNOWN + 2] = { { "help", no_argument, NULL, 'h' } };
	int o;

	*a = (struct arguments){ 0 };
	for (int i = 0; i < (int)KNOWN; i++)
		options[i + 1] = (struct option){ known[i].name, has_argument(known[i].take), NULL, FIRST + i };
	_Static_assert(KNOWN <= 64, "given has a bit for each");
	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (o == 'h')
			return ARGUMENTS_HELP;
		if (o < FIRST)
			return ARGUMENTS_WRONG;
		a->given |= UINT64_C(1) << (o - FIRST);
		take(a, &known[o - FIRST], argc, argv);
	}
	a->command = optind < argc ? argv[optind] : NULL;
	a->count = optind < argc ? argc - optind - 1 : 0;
	a->words = argv + argc - a->count;
	return ARGUMENTS_GOOD;
}

const char *arguments_foreign(const struct arguments *a, const char *names)
{
	for (size_t i = 0; i < KNOWN; i++) {
		struct span rest = span_of(names), word;
		bool takes = known[i].offset == offsetof(struct arguments, json) || known[i].offset == offsetof(struct arguments, socket);
		while (!takes && span_cut(&rest, ' ', &word))
			takes = span_eq(word, span_of(known[i].name));
		if (!takes && (a->given >> i & 1))
			return known[i].name;
	}
	return NULL;
}
