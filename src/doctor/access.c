/* Whether a user may talk to a UNIX socket, by its mode and those of the folders above it, and
 * whether anybody listens there. */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/endpoint.h"
#include "doctor/doctor.h"

#define CONNECT_MS 1000
#define GROUPS_MAX 64

struct who {
	uid_t user;
	gid_t groups[GROUPS_MAX];
	int count;
};

static bool find_user(const char *name, struct who *w)
{
	const struct passwd *p = name[0] ? getpwnam(name) : NULL;

	if (!p)
		return false;
	w->user = p->pw_uid;
	w->count = GROUPS_MAX;
	if (getgrouplist(name, p->pw_gid, w->groups, &w->count) < 0)
		w->count = GROUPS_MAX;
	return true;
}

/* bit: 2 to write, 1 to search, as in the last digit of a mode. */
static bool may(const struct who *w, const struct stat *st, unsigned bit)
{
	if (w->user == 0)
		return true;
	if (st->st_uid == w->user)
		return (st->st_mode >> 6 & bit) != 0;
	for (int i = 0; i < w->count; i++)
		if (st->st_gid == w->groups[i])
			return (st->st_mode >> 3 & bit) != 0;
	return (st->st_mode & bit) != 0;
}

/* The folder above that the user may not enter, in `full`, cut there. */
static bool all_folders_open(const struct who *w, char *full, size_t from)
{
	struct stat st;

	for (size_t i = from + 1; full[i]; i++) {
		if (full[i] != '/')
			continue;
		full[i] = '\0';
		if (stat(full, &st) == 0 && !may(w, &st, 1))
			return false;
		full[i] = '/';
	}
	return true;
}

/* 0, or errno. A connection without a request is no attempt. */
static int try_to_connect(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd, error;

	if (strlen(path) >= sizeof a.sun_path)
		return 0;
	memcpy(a.sun_path, path, strlen(path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	error = connect(fd, (const struct sockaddr *)&a, sizeof a) == 0 || errno == EAGAIN ? 0 : errno;
	close(fd);
	return error;
}

/* 0, or errno. */
static int try_endpoint(const struct endpoint *e)
{
	int error = 0, fd = endpoint_connect(e);
	socklen_t size = sizeof error;
	struct pollfd p = { .fd = fd, .events = POLLOUT };

	if (fd < 0)
		return errno;
	if (poll(&p, 1, CONNECT_MS) != 1)
		error = ETIMEDOUT;
	else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
		error = errno;
	close(fd);
	return error;
}

void doctor_tcp(struct doctor *d, struct place place, struct span host, struct span port)
{
	char text[200], reason[200];
	struct buf where = BUF_ON(text), why = BUF_ON(reason);
	struct endpoint e;

	buf_adds(&where, "inet:");
	buf_addspan(&where, host.n == 0 || span_ieq(host, span_of("localhost")) ? span_of("127.0.0.1") : host);
	buf_addc(&where, ':');
	buf_addspan(&where, port);
	if (endpoint_parse(buf_span(&where), &e, &why) != 0)
		return;
	int error = try_endpoint(&e);
	if (error)
		doctor_found(d, DOCTOR_BAD, place, NULL, NULL, "nobody listens at %s: %s", e.name, strerror(error));
}

int doctor_socket(struct doctor *d, struct place place, const char *path, const char *user, const char *lines)
{
	char full[1200];
	struct stat st;
	struct who who;

	doctor_path(d, full, sizeof full, path);
	if (stat(full, &st) != 0) {
		doctor_found(d, DOCTOR_BAD, place, DOCTOR_CONFIG, lines, "there is no socket %.200s", path);
		return -1;
	}
	if (!S_ISSOCK(st.st_mode)) {
		doctor_found(d, DOCTOR_BAD, place, NULL, NULL, "%.200s is no socket", path);
		return -1;
	}
	if (find_user(user, &who)) {
		if (!may(&who, &st, 2)) {
			doctor_found(d, DOCTOR_BAD, place, DOCTOR_CONFIG, lines,
				     "%.40s may not write to the socket %.200s", user, path);
			return -1;
		}
		if (!all_folders_open(&who, full, strlen(d->root))) {
			doctor_found(d, DOCTOR_BAD, place, NULL, NULL, "%.40s may not enter the folder %.200s, so it cannot get to the socket",
				     user, full + strlen(d->root));
			return -1;
		}
	}
	int error = try_to_connect(full);
	if (error == 0 || error == EACCES)
		return 0;
	doctor_found(d, DOCTOR_BAD, place, NULL, NULL, "nobody listens at the socket %.200s: %s", path, strerror(error));
	return -1;
}
