/* A real server for the driver mariadb: one for all tests of a program, which give
 * each its own database. */
#include "harness.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
	pid_t pid;			/* 0: not running */
	pid_t owner;			/* who made the folder */
	char folder[64], socket[100];
	unsigned databases;
} server;

static const char *const installers[] = { "/usr/bin/mariadb-install-db", "/usr/local/bin/mariadb-install-db" };
static const char *const daemons[] = { "/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd" };
static const char *const clients[] = { "/usr/bin/mariadb", "/usr/local/bin/mariadb" };

static const char *program(const char *const names[2])
{
	for (size_t i = 0; STORE_MARIADB && i < 2; i++)
		if (access(names[i], X_OK) == 0)
			return names[i];
	return NULL;
}

bool harness_mariadb_there(void)
{
	return program(installers) && program(daemons) && program(clients);
}

static pid_t spawn(char *const *arguments, const char *output)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	int in = open("/dev/null", O_RDONLY), out = open(output, O_WRONLY | O_CREAT | O_APPEND, 0600);
	/* A test that fails leaves none behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(in, 0);
	dup2(out, 1);
	dup2(out, 2);
	/* The leak checker and its like are the test's, not the server's. */
	unsetenv("LD_PRELOAD");
	/* Servers at work at the same time get into each other's way in a common one. */
	setenv("TMPDIR", server.folder, 1);
	execv(arguments[0], arguments);
	_exit(127);
}

static int wait_end(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return status;
}

static int run(char *const *arguments)
{
	return wait_end(spawn(arguments, "/dev/null"));
}

static int ask(const char *sql)
{
	char socket_word[120];

	snprintf(socket_word, sizeof socket_word, "--socket=%s", server.socket);
	return run((char *[]){ (char *)program(clients), "--no-defaults", socket_word, "--user=root", "-e", (char *)sql, NULL });
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void harness_mariadb_stop(void)
{
	if (!server.pid)
		return;
	kill(server.pid, SIGKILL);
	wait_end(server.pid);
	server.pid = 0;
}

static void end_server(void)
{
	/* A child that exits is not the end of the tests. */
	if (server.owner != getpid())
		return;
	harness_mariadb_stop();
	nftw(server.folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void install(void)
{
	char data[100];

	snprintf(server.folder, sizeof server.folder, "/tmp/greylag-mariadb-XXXXXX");
	assert_non_null(mkdtemp(server.folder));
	server.owner = getpid();
	atexit(end_server);
	snprintf(server.socket, sizeof server.socket, "%s/socket", server.folder);
	snprintf(data, sizeof data, "--datadir=%s/data", server.folder);
	assert_int_equal(run((char *[]){ (char *)program(installers), "--no-defaults", data, "--user=root", "--skip-test-db",
					 "--auth-root-authentication-method=normal", NULL }), 0);
}

void harness_mariadb_start(void)
{
	uint64_t until = harness_now_ms() + HARNESS_WAIT_S * 1000;
	bool serves;
	char data[100], socket_word[120], pid_word[120], log[100];

	if (server.pid)
		return;
	if (!server.owner)
		install();
	snprintf(data, sizeof data, "--datadir=%s/data", server.folder);
	snprintf(socket_word, sizeof socket_word, "--socket=%s", server.socket);
	snprintf(pid_word, sizeof pid_word, "--pid-file=%s/pid", server.folder);
	snprintf(log, sizeof log, "%s/log", server.folder);
	server.pid = spawn((char *[]){ (char *)program(daemons), "--no-defaults", data, socket_word, pid_word, "--user=root",
		"--skip-networking", "--innodb-buffer-pool-size=48M", "--innodb-log-file-size=24M", "--performance-schema=OFF",
		NULL }, log);
	while (!(serves = ask("SELECT 1") == 0) && harness_now_ms() < until)
		usleep(20000);
	assert_true(serves);
}

void harness_mariadb_signal(int signal_number)
{
	int status;

	assert_int_equal(kill(server.pid, signal_number), 0);
	if (signal_number == SIGSTOP)
		assert_int_equal(waitpid(server.pid, &status, WUNTRACED), server.pid);
}

void harness_mariadb_ask(const char *sql)
{
	if (ask(sql) != 0)
		fail_msg("refused: %s", sql);
}

void harness_mariadb_database(char *target, size_t size)
{
	char sql[100];

	harness_mariadb_start();
	snprintf(sql, sizeof sql, "CREATE DATABASE d%u", ++server.databases);
	harness_mariadb_ask(sql);
	snprintf(target, size, "unix:%s/d%u", server.socket, server.databases);
}

void harness_mariadb_drop(const char *target)
{
	const char *name = strrchr(target, '/');
	char sql[100];

	if (!server.pid || !name)
		return;
	snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %.60s", name + 1);
	harness_mariadb_ask(sql);
}
