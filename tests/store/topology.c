#include "topology.h"
#include "../lib/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define AWAIT_MS (HARNESS_WAIT_S * 1000)

static struct sockaddr_in at_port(unsigned port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int dial(unsigned port)
{
	struct sockaddr_in at = at_port(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = { .tv_sec = 20 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	if (connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
		return fd;
	close(fd);
	return -1;
}

const char *topology_ask(const struct topology *t, unsigned server, const char *command)
{
	static char answer[20000];
	int fd = dial(t->servers[server].port);
	size_t n = 0;

	answer[0] = '\0';
	if (fd < 0)
		return answer;
	if (dprintf(fd, "%s\r\n", command) > 0) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		ssize_t got;
		/* It is all there when nothing more follows for a moment. */
		while (n < sizeof answer - 1 && (got = read(fd, answer + n, sizeof answer - 1 - n)) > 0) {
			n += (size_t)got;
			if (poll(&p, 1, 10) <= 0)
				break;
		}
	}
	answer[n] = '\0';
	close(fd);
	return answer;
}

void topology_await(const struct topology *t, unsigned server, const char *command, const char *word)
{
	uint64_t until = harness_now_ms() + AWAIT_MS;
	const char *answer;

	while (!strstr(answer = topology_ask(t, server, command), word)) {
		if (harness_now_ms() > until)
			fail_msg("%s: no \"%s\" in: %s", command, word, answer);
		usleep(20000);
	}
}

/* --- Processes ----------------------------------------------------------------- */

static void run(const struct topology_server *s)
{
	int null = open("/dev/null", O_RDWR);
	char file[128];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(file, sizeof file, "%s/conf", s->folder);
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	execl(harness_server_program(), "server", file, access("sentinel", F_OK) == 0 ? "--sentinel" : (char *)NULL, (char *)NULL);
	_exit(127);
}

void topology_start(struct topology *t, unsigned server)
{
	struct topology_server *s = &t->servers[server];

	s->pid = fork();
	assert_true(s->pid >= 0);
	if (s->pid == 0) {
		if (chdir(s->folder) == 0)
			run(s);
		_exit(127);
	}
	uint64_t until = harness_now_ms() + AWAIT_MS;
	while (topology_ask(t, server, "PING")[0] == '\0' && harness_now_ms() < until)
		usleep(10000);
}

void topology_signal(struct topology *t, unsigned server, int signal_number)
{
	assert_int_equal(kill(t->servers[server].pid, signal_number), 0);
	t->servers[server].hung = signal_number == SIGSTOP;
}

void topology_stop(struct topology *t, unsigned server)
{
	struct topology_server *s = &t->servers[server];

	if (s->pid <= 0)
		return;
	kill(s->pid, SIGKILL);
	while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
		;
	s->pid = 0;
	s->hung = false;
}

void topology_silence(struct topology *t, unsigned ms)
{
	char command[80];

	for (unsigned i = 0; i < t->count; i++) {
		const struct topology_server *s = &t->servers[i];
		if (s->sentinel)
			snprintf(command, sizeof command, "SENTINEL SET mx down-after-milliseconds %u", ms);
		else if (t->cluster)
			snprintf(command, sizeof command, "CONFIG SET cluster-node-timeout %u", ms);
		if ((s->sentinel || t->cluster) && s->pid && !s->hung)
			topology_await(t, i, command, "+OK");
	}
}

static FILE *configure(struct topology *t, bool sentinel)
{
	struct topology_server *s = &t->servers[t->count];
	char file[128], base[sizeof t->base];

	/* gcc cannot tell that the two do not overlap. */
	memcpy(base, t->base, sizeof base);
	*s = (struct topology_server){ .port = port_reserve(), .bus = port_reserve(), .sentinel = sentinel };
	snprintf(s->folder, sizeof s->folder, "%s/%u", base, t->count++);
	assert_int_equal(mkdir(s->folder, 0700), 0);
	if (sentinel) {
		snprintf(file, sizeof file, "%s/sentinel", s->folder);
		close(open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	}
	snprintf(file, sizeof file, "%s/conf", s->folder);
	FILE *f = fopen(file, "we");
	assert_non_null(f);
	fprintf(f, "port %u\nbind 127.0.0.1\nlogfile log\ndir %s\n", s->port, s->folder);
	if (!sentinel)
		fputs("save \"\"\nappendonly no\nrepl-diskless-sync-delay 0\nrepl-ping-replica-period 1\n", f);
	return f;
}

static void begin(struct topology *t)
{
	signal(SIGPIPE, SIG_IGN);
	*t = (struct topology){ .base = "/tmp/greylag-topology-XXXXXX" };
	assert_non_null(mkdtemp(t->base));
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

void topology_end(struct topology *t)
{
	for (unsigned i = 0; i < t->count; i++)
		topology_stop(t, i);
	nftw(t->base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- Sentinels ------------------------------------------------------------------ */

static void configure_store(struct topology *t, const char *password)
{
	FILE *f = configure(t, false);

	if (password)
		fprintf(f, "requirepass %s\nmasterauth %s\n", password, password);
	if (t->count > 1)
		fprintf(f, "replicaof 127.0.0.1 %u\n", t->servers[0].port);
	fclose(f);
}

static void configure_sentinel(struct topology *t, const char *password)
{
	FILE *f = configure(t, true);

	fprintf(f, "sentinel monitor mx 127.0.0.1 %u 2\nsentinel down-after-milliseconds mx %u\n"
		"sentinel failover-timeout mx 3000\n", t->servers[0].port, TOPOLOGY_NEVER_MS);
	if (password)
		fprintf(f, "sentinel auth-pass mx %s\nrequirepass %s\nsentinel sentinel-pass %s\n", password, password, password);
	fclose(f);
}

void topology_sentinels(struct topology *t, const char *password)
{
	char login[80] = "PING\r\n", command[120];

	begin(t);
	for (unsigned i = 0; i < 2; i++)
		configure_store(t, password);
	for (unsigned i = 0; i < 3; i++)
		configure_sentinel(t, password);
	if (password)
		snprintf(login, sizeof login, "AUTH %s\r\n", password);
	/* Sentinels ask a primary for its replicas at once, and then every ten seconds. */
	for (unsigned i = 0; i < t->count; i++) {
		topology_start(t, i);
		snprintf(command, sizeof command, "%sINFO replication", login);
		if (i == 1)
			topology_await(t, 1, command, "master_link_status:up");
		if (i == 1)
			topology_await(t, 0, command, "state=online");
	}
	snprintf(command, sizeof command, "%sINFO sentinel", login);
	for (unsigned i = 2; i < t->count; i++)
		topology_await(t, i, command, "slaves=1,sentinels=3");
	snprintf(t->target, sizeof t->target, "sentinel:mx@127.0.0.1:%u,127.0.0.1:%u,127.0.0.1:%u", t->servers[2].port,
		 t->servers[3].port, t->servers[4].port);
}

/* --- A cluster --------------------------------------------------------------------- */

static void join(struct topology *t)
{
	static const char *const ranges[] = { "0 5460", "5461 10922", "10923 16383" };
	char command[120], id[41];

	for (unsigned i = 0; i < 3; i++) {
		snprintf(command, sizeof command, "CLUSTER ADDSLOTSRANGE %s", ranges[i]);
		topology_await(t, i, command, "+OK");
		snprintf(command, sizeof command, "CLUSTER SET-CONFIG-EPOCH %u", i + 1);
		topology_await(t, i, command, "+OK");
	}
	for (unsigned i = 1; i < 6; i++) {
		snprintf(command, sizeof command, "CLUSTER MEET 127.0.0.1 %u %u", t->servers[i].port, t->servers[i].bus);
		topology_await(t, 0, command, "+OK");
	}
	for (unsigned i = 0; i < 6; i++)
		topology_await(t, i, "CLUSTER INFO", "cluster_known_nodes:6");
	for (unsigned i = 3; i < 6; i++) {
		/* "$40\r\nID\r\n" */
		snprintf(id, sizeof id, "%.40s", topology_ask(t, i - 3, "CLUSTER MYID") + 5);
		snprintf(command, sizeof command, "CLUSTER REPLICATE %s", id);
		topology_await(t, i, command, "+OK");
	}
	for (unsigned i = 0; i < 6; i++)
		topology_await(t, i, "CLUSTER INFO", "cluster_state:ok");
	for (unsigned i = 3; i < 6; i++)
		topology_await(t, i, "INFO replication", "master_link_status:up");
	for (unsigned i = 0; i < 3; i++)
		topology_await(t, i, "INFO replication", "state=online");
}

void topology_cluster(struct topology *t)
{
	begin(t);
	t->cluster = true;
	for (unsigned i = 0; i < 6; i++) {
		FILE *f = configure(t, false);
		fprintf(f, "cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout %u\n"
			"cluster-port %u\ncluster-replica-validity-factor 0\n", TOPOLOGY_NEVER_MS, t->servers[i].bus);
		fclose(f);
		topology_start(t, i);
	}
	join(t);
	/* Two of six: the rest is found by asking. */
	snprintf(t->target, sizeof t->target, "cluster:127.0.0.1:%u,127.0.0.1:%u", t->servers[0].port, t->servers[4].port);
}

/* --- For all tests ------------------------------------------------------------------ */

static struct topology shared[2];

static void end_shared(void)
{
	for (unsigned i = 0; i < 2; i++)
		if (shared[i].count)
			topology_end(&shared[i]);
}

const char *topology_shared(const char *driver)
{
	bool cluster = strstr(driver, "cluster") != NULL;
	struct topology *t = &shared[cluster];

	if (!shared[0].count && !shared[1].count)
		atexit(end_shared);
	if (!t->count && cluster)
		topology_cluster(t);
	else if (!t->count)
		topology_sentinels(t, NULL);
	/* A sentinel topology has one primary, the first. */
	for (unsigned i = 0; i < (cluster ? 3 : 1); i++)
		topology_await(t, i, "FLUSHALL", "+OK");
	return t->target;
}
