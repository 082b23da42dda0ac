#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "import/bdb.h"

#define PATH_BYTES 1200
#define FOLDER_NAME "greylag-import-" "XX" "XX" "XX"	/* mkdtemp(3) */
#define NOT_STARTED 127		/* as shells say it */
#define COPY_BYTES ((size_t)1 << 20)

static const char *const suffixes[] = { "db5.3", "db" };

/* --- Signals --------------------------------------------------------------------------

 * While there is a copy, what would end the program only ends the reading: a database
 * must not stay behind in a temporary folder. */

static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGPIPE };
#define SIGNALS (sizeof signals / sizeof *signals)

static volatile sig_atomic_t caught;
static struct sigaction before[SIGNALS];

static void on_signal(int number)
{
	caught = number;
}

static void catch_signals(struct bdb *b)
{
	const struct sigaction stop = { .sa_handler = on_signal };

	caught = 0;
	b->catches = true;
	for (size_t i = 0; i < SIGNALS; i++)
		if (sigaction(signals[i], NULL, &before[i]) == 0 && before[i].sa_handler != SIG_IGN)
			sigaction(signals[i], &stop, NULL);
}

/* The program ends of what was caught, as if nobody had. */
static void release_signals(struct bdb *b)
{
	for (size_t i = 0; b->catches && i < SIGNALS; i++)
		sigaction(signals[i], &before[i], NULL);
	if (b->catches && caught)
		raise(caught);
	b->catches = false;
}

/* --- Files -------------------------------------------------------------------------- */

static bool is_log(const char *name)
{
	return strncmp(name, "log.", 4) == 0 && strlen(name) == 14;
}

static bool is_database(const char *name)
{
	struct span s = span_of(name);

	return span_ends(s, span_of(".db")) && !span_starts(s, span_of("__db."));
}

static int copy_bytes(int from, int to)
{
	static char bytes[COPY_BYTES];
	ssize_t r = -1;

	while (!caught && (r = read(from, bytes, sizeof bytes)) > 0)
		for (ssize_t done = 0, w; done < r; done += w)
			if ((w = write(to, bytes + done, (size_t)(r - done))) <= 0)
				return -1;
	return r == 0 ? 0 : -1;
}

static int copy_file(const struct bdb *b, const char *folder, const char *name, struct buf *why)
{
	char from[PATH_BYTES];
	struct stat st;

	snprintf(from, sizeof from, "%s/%s", folder, name);
	int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	/* A log may be removed between being listed and being opened. */
	if (in < 0 && errno == ENOENT)
		return 0;
	if (in >= 0 && (fstat(in, &st) != 0 || !S_ISREG(st.st_mode))) {
		close(in);
		return buf_fail(why, "%s: no plain file", from);
	}
	int out = in < 0 ? -1 : openat(b->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool good = out >= 0 && copy_bytes(in, out) == 0 && (!b->as_owner || fchown(out, b->uid, b->gid) == 0);
	int error = good ? 0 : errno;
	if (out >= 0 && close(out) != 0 && !error)
		error = errno;
	if (in >= 0)
		close(in);
	return error ? buf_fail(why, "%s: %s", from, strerror(error)) : 0;
}

static int copy_all(const struct bdb *b, const char *folder, bool (*wanted)(const char *name), struct buf *why)
{
	DIR *d = opendir(folder);
	const struct dirent *e;
	int result = 0;

	if (!d)
		return buf_fail(why, "%s: %s", folder, strerror(errno));
	while (result == 0 && (e = readdir(d)) != NULL)
		if (wanted(e->d_name))
			result = copy_file(b, folder, e->d_name, why);
	closedir(d);
	return result;
}

static bool any(const char *name)
{
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

void bdb_close(struct bdb *b)
{
	DIR *d = b->fd >= 0 ? fdopendir(b->fd) : NULL;
	const struct dirent *e;

	while (d && (e = readdir(d)) != NULL)
		if (any(e->d_name))
			unlinkat(b->fd, e->d_name, 0);
	if (d)
		closedir(d);
	if (b->folder[0])
		rmdir(b->folder);
	b->folder[0] = '\0';
	b->fd = -1;
	release_signals(b);
}

/* --- Tools ---------------------------------------------------------------------------- */

static bool become_owner(const struct bdb *b)
{
	return !b->as_owner || (setgroups(0, NULL) == 0 && setgid(b->gid) == 0 && setuid(b->uid) == 0);
}

/* Starts "SUFFIX_NAME words..."; its standard output goes to out, or nowhere when that
 * is -1. 0, or an error number. */
static int start(const struct bdb *b, const char *name, char *const *words, int out, pid_t *pid)
{
	char program[40], *argv[8] = { program };

	snprintf(program, sizeof program, "%s_%s", b->suffix, name);
	for (unsigned i = 0; words[i] && i < 6; i++)
		argv[i + 1] = words[i];
	*pid = fork();
	if (*pid != 0)
		return *pid < 0 ? errno : 0;
	int null = open("/dev/null", O_RDWR);
	if (null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(out >= 0 ? out : null, STDOUT_FILENO) >= 0 && become_owner(b))
		execvp(program, argv);
	_exit(NOT_STARTED);
}

/* The exit status; -1 when it was killed. */
static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int find_tools(struct bdb *b, struct buf *why)
{
	char version[] = "-V", *words[] = { version, NULL };
	pid_t pid;

	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		b->suffix = suffixes[i];
		if (start(b, "dump", words, -1, &pid) == 0 && wait_for(pid) == 0)
			return 0;
	}
	return buf_fail(why, "neither db5.3_dump nor db_dump is there: install db5.3-util");
}

static int recover(const struct bdb *b, struct buf *why)
{
	char catastrophic[] = "-c", home[] = "-h", folder[sizeof b->folder];
	char *words[] = { catastrophic, home, folder, NULL };
	pid_t pid;

	snprintf(folder, sizeof folder, "%s", b->folder);
	int error = start(b, "recover", words, -1, &pid);
	if (error)
		return buf_fail(why, "%s_recover: %s", b->suffix, strerror(error));
	int status = wait_for(pid);
	return status == 0 ? 0 : buf_fail(why, "%s_recover could not recover a copy of the environment", b->suffix);
}

static int make_folder(struct bdb *b, struct buf *why)
{
	const char *tmp = getenv("TMPDIR");
	int n = snprintf(b->folder, sizeof b->folder, "%s/" FOLDER_NAME, tmp && tmp[0] ? tmp : "/tmp");

	if (n >= (int)sizeof b->folder || !mkdtemp(b->folder)) {
		b->folder[0] = '\0';
		return buf_fail(why, "no temporary folder: %s", n >= (int)sizeof b->folder ? "TMPDIR is too long" : strerror(errno));
	}
	b->fd = open(b->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return b->fd >= 0 ? 0 : buf_fail(why, "%s: %s", b->folder, strerror(errno));
}

int bdb_open(struct bdb *b, const char *folder, struct buf *why)
{
	struct stat st;

	*b = (struct bdb){ .fd = -1, .suffix = suffixes[0] };
	if (stat(folder, &st) != 0 || !S_ISDIR(st.st_mode))
		return buf_fail(why, "%s: no folder of a Berkeley DB environment", folder);
	b->as_owner = geteuid() == 0 && st.st_uid != 0;
	b->uid = st.st_uid;
	b->gid = st.st_gid;
	if (find_tools(b, why) != 0)
		return -1;
	catch_signals(b);
	if (make_folder(b, why) != 0 || copy_all(b, folder, is_database, why) != 0 ||
	    copy_all(b, folder, is_log, why) != 0)
		return -1;
	/* Only now: until here nobody else could put anything into it. */
	if (b->as_owner && fchown(b->fd, b->uid, b->gid) != 0)
		return buf_fail(why, "%s: %s", b->folder, strerror(errno));
	return recover(b, why);
}

/* --- Reading ---------------------------------------------------------------------------- */

static int read_output(FILE *f, const char *name, bdb_pair *pair, void *arg, struct buf *why)
{
	char key[BDB_KEY_MAX + 1], value[BDB_KEY_MAX + 1], *line = NULL;
	struct bdb_dump d = { .key = BUF_ON(key), .value = BUF_ON(value), .pair = pair, .arg = arg };
	size_t room = 0, number = 0;
	ssize_t n;
	int result = 0;

	while (result == 0 && !caught && (n = getline(&line, &room, f)) >= 0) {
		struct span s = span_make(line, (size_t)n);
		if (s.n && s.p[s.n - 1] == '\n')
			s.n--;
		number++;
		if (!bdb_dump_line(&d, s))
			result = buf_fail(why, "%s: line %zu of its dump is damaged", name, number);
	}
	free(line);
	return caught ? buf_fail(why, "%s: interrupted", name) : result;
}

int bdb_read(struct bdb *b, const char *name, bdb_pair *pair, void *arg, struct buf *why)
{
	char home[] = "-h", folder[sizeof b->folder], file[100], path[PATH_BYTES];
	char *words[] = { home, folder, file, NULL };
	int ends[2];
	pid_t pid;

	snprintf(folder, sizeof folder, "%s", b->folder);
	snprintf(file, sizeof file, "%s", name);
	snprintf(path, sizeof path, "%s/%s", b->folder, name);
	if (access(path, F_OK) != 0)
		return 0;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return buf_fail(why, "%s", strerror(errno));
	int error = start(b, "dump", words, ends[1], &pid);
	close(ends[1]);
	FILE *f = error ? NULL : fdopen(ends[0], "r");
	if (!f)
		close(ends[0]);
	int result = f ? read_output(f, name, pair, arg, why) : buf_fail(why, "%s_dump: %s", b->suffix, strerror(error ? error : errno));
	if (f)
		fclose(f);
	if (caught && !error)
		kill(pid, SIGTERM);
	int status = error ? 0 : wait_for(pid);
	if (result == 0 && status != 0)
		result = buf_fail(why, "%s: %s_dump could not read it to its end", name, b->suffix);
	return result == 0 ? 1 : -1;
}
