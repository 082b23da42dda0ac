/* store init and store copy: they open stores themselves, without the daemon. */
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/output.h"
#include "config/options.h"
#include "store/copy.h"

#define DEADLINE_MS 30000
#define BAR_WIDTH 30
#define BUFFER_BYTES ((uint64_t)64 << 20)

struct opened {
	struct settings settings;
	struct store *store;
};

/* --- Which store ----------------------------------------------------------- */

/* The settings of a configuration; the defaults where there is none at its usual place. */
static int load(const char *path, struct settings *s)
{
	struct diag diag = { .report = command_finding };
	struct config *config = config_load(path, &diag);

	if (!config)
		return -1;
	*s = config->settings;
	config_free(&config);
	return 0;
}

static int base_settings(struct settings *s)
{
	*s = (struct settings){ 0 };
	if (access(COMMAND_CONFIG, R_OK) == 0)
		return load(COMMAND_CONFIG, s);
	options_defaults(s);
	return 0;
}

/* "DRIVER:TARGET", or "config:FILE" for the store of a configuration. */
static int read_where(const char *word, struct settings *s)
{
	struct span target = span_of(word), driver;
	char text[300];
	struct buf why = BUF_ON(text);

	if (span_starts(target, span_of("config:")))
		return load(word + strlen("config:"), s);
	if (base_settings(s) != 0)
		return -1;
	bool two = span_find(target, ':') < target.n;
	span_cut(&target, ':', &driver);
	const struct option *row = options_row((unsigned)options_find(span_of("store"), span_of("")));
	if (two && options_set(row, s, driver, target, &why) == 0)
		return 0;
	fprintf(stderr, "greylag: %.200s: %s\n", word,
		two ? buf_str(&why) : "a store is named as DRIVER:TARGET, for example rocksdb:/var/lib/greylag, or config:FILE");
	return -1;
}

static struct store_options options_of(const struct settings *s, struct loop *loop)
{
	return (struct store_options){
		.driver = s->store_driver, .target = s->store_target, .loop = loop, .clock = &clock_system,
		.durability = STORE_SYNCED, .write_buffer_bytes = BUFFER_BYTES, .block_cache_bytes = BUFFER_BYTES,
		.uncounted = true, .later_ms = 1000, .deadline_ms = DEADLINE_MS, .user = s->store_user,
		.password_file = s->store_password_file, .prefix = s->store_prefix, .database = s->store_database,
		.tls_ca = s->store_tls_ca, .workers = (unsigned)s->store_workers,
	};
}

/* --- Opening --------------------------------------------------------------- */

/* The daemon must be able to open what we write: of an embedded store root becomes
 * the owner. */
static int become_owner(const struct settings *s)
{
	struct stat st;

	if (geteuid() != 0 || strcmp(s->store_driver, "rocksdb") != 0 || stat(s->store_target, &st) != 0 || st.st_uid == 0)
		return 0;
	if (setresgid(st.st_gid, st.st_gid, st.st_gid) == 0 && setresuid(st.st_uid, st.st_uid, st.st_uid) == 0)
		return 0;
	fprintf(stderr, "greylag: cannot become the owner of %s\n", s->store_target);
	return -1;
}

/* Opening an embedded store that is not there makes one: nobody wants to copy that. */
static int must_exist(const struct settings *s)
{
	char current[CONFIG_TEXT_MAX + 16];

	snprintf(current, sizeof current, "%s/CURRENT", s->store_target);
	if (strcmp(s->store_driver, "rocksdb") != 0 || access(current, F_OK) == 0)
		return 0;
	fprintf(stderr, "greylag: %s: there is no store\n", s->store_target);
	return -1;
}

static int open_store(struct opened *o, struct loop *loop)
{
	struct store_options options = options_of(&o->settings, loop);
	char text[1000];
	struct buf why = BUF_ON(text);
	const char *health;

	o->store = store_open(&options, &why);
	if (!o->store) {
		fprintf(stderr, "greylag: %s\n", buf_str(&why));
		return -1;
	}
	loop_each_turn(loop, store_turn, o->store);
	health = store_health(o->store);
	if (health)
		fprintf(stderr, "greylag: %s\n", health);
	return health ? -1 : 0;
}

/* --- The commands ---------------------------------------------------------- */

static void print_bar(const struct store_copy *c)
{
	uint64_t total = *(const uint64_t *)c->arg;
	unsigned part = c->read < total ? (unsigned)(c->read * BAR_WIDTH / total) : BAR_WIDTH;
	char text[40];
	struct buf count = BUF_ON(text);

	output_count(&count, (json_int_t)c->read);
	fprintf(stderr, "\r[%.*s%*s] %s records", (int)part, "##############################", (int)(BAR_WIDTH - part), "",
		buf_str(&count));
}

static int copy(struct opened *from, struct opened *to, struct loop *loop, bool json)
{
	struct store_copy c = { .from = from->store, .to = to->store, .loop = loop };
	char text[1000];
	struct buf why = BUF_ON(text);
	struct store_stats stats;

	store_stats(from->store, &stats);
	c.arg = &stats.records;
	c.progress = isatty(STDERR_FILENO) ? print_bar : NULL;
	int copied = store_copy(&c, &why);
	if (c.progress)
		fputc('\n', stderr);
	if (json)
		printf("{\"read\":%llu,\"written\":%llu}\n", (unsigned long long)c.read, (unsigned long long)c.written);
	else
		printf("%llu records, %llu written\n", (unsigned long long)c.read, (unsigned long long)c.written);
	if (copied != 0)
		fprintf(stderr, "greylag: %s\nIt goes on where it stood when it is run again.\n", buf_str(&why));
	return copied == 0 ? STATUS_OK : STATUS_TEMPORARY;
}

static int cmd_copy(const struct arguments *a)
{
	struct opened from = { .store = NULL }, to = { .store = NULL };
	char text[300];
	struct buf why = BUF_ON(text);
	struct loop *loop = loop_new(&why);
	int status = STATUS_UNAVAILABLE;

	if (!loop || read_where(a->words[1], &from.settings) != 0 || read_where(a->words[2], &to.settings) != 0) {
		loop_free(&loop);
		return STATUS_USAGE;
	}
	if (must_exist(&from.settings) == 0 && become_owner(&to.settings) == 0 &&
	    become_owner(&from.settings) == 0 && open_store(&from, loop) == 0 && open_store(&to, loop) == 0)
		status = copy(&from, &to, loop, a->json);
	bool ended = store_close(&to.store);
	ended &= store_close(&from.store);
	loop_free(&loop);
	if (!ended) {
		fflush(stdout);
		_exit(status);
	}
	return status;
}

static int cmd_init(const struct arguments *a)
{
	char text[1000];
	struct buf why = BUF_ON(text);
	struct settings s;

	if ((a->count == 2 ? read_where(a->words[1], &s) : base_settings(&s)) != 0)
		return STATUS_USAGE;
	struct store_options options = options_of(&s, NULL);
	if (store_init(&options, &why) != 0) {
		fprintf(stderr, "greylag: %s\n", buf_str(&why));
		return STATUS_UNAVAILABLE;
	}
	printf("%s %s is ready\n", s.store_driver, s.store_target);
	return STATUS_OK;
}

int cmd_store(struct client *c, const struct arguments *a)
{
	(void)c;
	if (strcmp(a->words[0], "init") == 0 && a->count <= 2)
		return cmd_init(a);
	if (strcmp(a->words[0], "copy") == 0 && a->count == 3)
		return cmd_copy(a);
	fputs("usage: greylag store init [STORE]\n       greylag store copy FROM TO\n", stderr);
	return STATUS_USAGE;
}
