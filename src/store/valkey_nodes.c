#include "store/valkey_nodes.h"

#define POLL_MS 2		/* where several servers are waited for in turn */

struct valkey_nodes {
	struct valkey_nodes_options options;
	struct valkey_node *nodes[VALKEY_NODES_MAX];	/* NULL: a free place */
	struct valkey_cluster *cluster;			/* NULL unless it is one */
	struct valkey_sentinels *sentinels;		/* NULL unless there are any */
};

const struct valkey_nodes_options *valkey_nodes_options(const struct valkey_nodes *n)
{
	return &n->options;
}

struct valkey_node *valkey_nodes_at(const struct valkey_nodes *n, unsigned at)
{
	return at < VALKEY_NODES_MAX ? n->nodes[at] : NULL;
}

/* --- Nodes ------------------------------------------------------------------- */

static void on_up(void *arg)
{
	struct valkey_node *node = arg;
	struct valkey_nodes *n = node->nodes;

	if (n->cluster)
		valkey_cluster_greet(n->cluster, node);
	n->options.up(n->options.arg, node);
}

static void on_away(void *arg)
{
	struct valkey_node *node = arg;
	struct valkey_nodes *n = node->nodes;

	n->options.away(n->options.arg, node);
	if (n->cluster && node->serving)
		valkey_cluster_doubt(n->cluster);
}

static struct valkey_node *add_node(struct valkey_nodes *n, const struct valkey_server *server, enum valkey_greeting greeting)
{
	struct valkey_node *node = NULL;
	unsigned at = 0;

	while (at < VALKEY_NODES_MAX && n->nodes[at])
		at++;
	if (at < VALKEY_NODES_MAX)
		node = calloc(1, sizeof *node);
	if (!node)
		return NULL;
	const struct valkey_link_options link = { .loop = n->options.loop, .where = n->options.where, .server = server,
						  .greeting = greeting, .deadline_ms = n->options.deadline_ms,
						  .up = on_up, .away = on_away, .arg = node };
	node->nodes = n;
	node->link = valkey_link_new(&link);
	if (!node->link) {
		free(node);
		return NULL;
	}
	n->nodes[at] = node;
	return node;
}

static void remove_node(struct valkey_nodes *n, unsigned at)
{
	struct valkey_node *node = n->nodes[at];

	if (!node)
		return;
	valkey_link_free(&node->link);
	n->options.away(n->options.arg, node);
	n->nodes[at] = NULL;
	free(node);
}

struct valkey_node *valkey_nodes_find(struct valkey_nodes *n, const struct valkey_server *server)
{
	for (unsigned i = 0; i < VALKEY_NODES_MAX; i++)
		if (n->nodes[i] && valkey_server_eq(valkey_link_server(n->nodes[i]->link), server))
			return n->nodes[i];
	struct valkey_node *node = add_node(n, server, VALKEY_GREET_STORE);
	if (node)
		valkey_link_start(node->link);
	return node;
}

void valkey_nodes_reap(struct valkey_nodes *n)
{
	for (unsigned i = 0; i < VALKEY_NODES_MAX; i++) {
		const struct valkey_node *node = n->nodes[i];
		if (node && !node->serving && !node->named && !node->parked && !valkey_link_busy(node->link))
			remove_node(n, i);
	}
}

struct valkey_node *valkey_nodes_of(const struct valkey_nodes *n, struct span key)
{
	return n->cluster ? valkey_cluster_node(n->cluster, valkey_slot(n->options.where->prefix, key)) : n->nodes[0];
}

struct valkey_node *valkey_nodes_serving(const struct valkey_nodes *n, unsigned *at)
{
	for (; *at < VALKEY_NODES_MAX; ++*at)
		if (n->nodes[*at] && n->nodes[*at]->serving)
			return n->nodes[*at];
	return NULL;
}

bool valkey_nodes_split(const struct valkey_nodes *n)
{
	return n->cluster != NULL;
}

/* --- How they are -------------------------------------------------------------- */

bool valkey_nodes_up(const struct valkey_nodes *n)
{
	return valkey_nodes_room(n) > 0 || (n->nodes[0] && !n->cluster && valkey_link_up(n->nodes[0]->link));
}

unsigned valkey_nodes_room(const struct valkey_nodes *n)
{
	unsigned least = VALKEY_CALLS_MAX;
	const struct valkey_node *node;

	if (n->cluster && !valkey_cluster_whole(n->cluster))
		return 0;
	for (unsigned i = 0; (node = valkey_nodes_serving(n, &i)); i++) {
		unsigned room = valkey_link_room(node->link);
		least = room < least ? room : least;
	}
	return least;
}

static const char *cluster_trouble(struct valkey_nodes *n)
{
	const char *trouble = NULL;

	for (unsigned i = 0; i < VALKEY_NODES_MAX && !trouble; i++)
		if (n->nodes[i] && n->nodes[i]->serving)
			trouble = valkey_link_trouble(n->nodes[i]->link);
	for (unsigned i = 0; i < VALKEY_NODES_MAX && !trouble && !valkey_cluster_whole(n->cluster); i++)
		if (n->nodes[i])
			trouble = valkey_link_trouble(n->nodes[i]->link);
	if (!trouble && !valkey_cluster_whole(n->cluster))
		return "store valkey cluster: some slots have no server";
	return trouble;
}

const char *valkey_nodes_trouble(struct valkey_nodes *n)
{
	const char *trouble = NULL;

	if (n->cluster)
		return cluster_trouble(n);
	if (n->sentinels)
		trouble = valkey_sentinels_trouble(n->sentinels);
	return trouble ? trouble : valkey_link_trouble(n->nodes[0]->link);
}

static bool is_busy(const struct valkey_nodes *n)
{
	for (unsigned i = 0; i < VALKEY_NODES_MAX; i++)
		if (n->nodes[i] && valkey_link_busy(n->nodes[i]->link))
			return true;
	return false;
}

static void poll_all(struct valkey_nodes *n, unsigned left_ms)
{
	bool alone = !n->cluster && !n->sentinels;
	unsigned ms = alone || left_ms < POLL_MS ? left_ms : POLL_MS;

	if (n->sentinels)
		valkey_sentinels_poll(n->sentinels, ms);
	for (unsigned i = 0; i < VALKEY_NODES_MAX; i++)
		if (n->nodes[i] && valkey_link_busy(n->nodes[i]->link))
			valkey_link_poll(n->nodes[i]->link, ms);
}

void valkey_nodes_drain(struct valkey_nodes *n, unsigned ms, bool until_up)
{
	uint64_t now = clock_mono(&clock_system), until = now + (uint64_t)ms * CLOCK_NS_PER_MS;
	bool searching = until_up && (n->cluster || n->sentinels);

	while (now < until && (until_up ? !valkey_nodes_up(n) && (searching || is_busy(n)) : is_busy(n))) {
		poll_all(n, (unsigned)((until - now) / CLOCK_NS_PER_MS) + 1);
		now = clock_mono(&clock_system);
	}
	for (unsigned i = 0; i < VALKEY_NODES_MAX && !until_up; i++)
		if (n->nodes[i] && valkey_link_busy(n->nodes[i]->link))
			valkey_link_drop(n->nodes[i]->link, "no answer in time");
}

/* --- Elsewhere ------------------------------------------------------------------ */

/* "ADDRESS:PORT" as servers write it, IPv6 without brackets; without an address the
 * one that was asked. */
struct valkey_node *valkey_nodes_redirect(struct valkey_nodes *n, struct valkey_node *from, struct span place,
					  uint64_t slot, bool moved)
{
	size_t colon = span_rfind(place, ':');
	struct span address = span_head(place, colon);
	struct valkey_server server;
	uint64_t port;

	if (!n->cluster || slot >= VALKEY_SLOTS || !span_uint(span_from(place, colon + 1), 65535, &port))
		return NULL;
	if (address.n == 0)
		address = span_of(valkey_link_server(from->link)->address);
	if (!valkey_server_named(&server, address, port))
		return NULL;
	struct valkey_node *node = valkey_nodes_find(n, &server);
	if (node && moved) {
		valkey_cluster_move(n->cluster, (unsigned)slot, node);
		valkey_cluster_doubt(n->cluster);
	}
	return node;
}

void valkey_nodes_doubt(struct valkey_nodes *n, struct valkey_node *node, const char *what)
{
	if (n->cluster)
		valkey_cluster_doubt(n->cluster);
	if (!n->sentinels)
		return;
	valkey_link_drop(node->link, what);
	valkey_sentinels_doubt(n->sentinels);
}

/* --- All of it --------------------------------------------------------------------- */

static bool add_servers(struct valkey_nodes *n)
{
	const struct kvtarget *t = &n->options.where->target;
	bool single = t->kind == KVTARGET_SINGLE;

	for (unsigned i = 0; i < t->count; i++) {
		struct valkey_server server;
		valkey_server_set(&server, &t->servers[i]);
		struct valkey_node *node = add_node(n, &server, VALKEY_GREET_STORE);
		if (!node)
			return false;
		node->named = true;
		node->serving = single;
	}
	return true;
}

static bool add_primary(struct valkey_nodes *n)
{
	struct valkey_node *node = add_node(n, NULL, VALKEY_GREET_PRIMARY);

	if (!node)
		return false;
	node->named = node->serving = true;
	n->sentinels = valkey_sentinels_new(&n->options, node->link);
	return n->sentinels != NULL;
}

static bool make(struct valkey_nodes *n)
{
	switch (n->options.where->target.kind) {
	case KVTARGET_SINGLE:
		return add_servers(n);
	case KVTARGET_SENTINEL:
		return add_primary(n);
	case KVTARGET_CLUSTER:
		n->cluster = valkey_cluster_new(n);
		return n->cluster && add_servers(n);
	}
	return false;
}

struct valkey_nodes *valkey_nodes_new(const struct valkey_nodes_options *options)
{
	struct valkey_nodes *n = calloc(1, sizeof *n);

	if (!n)
		return NULL;
	n->options = *options;
	if (!make(n))
		valkey_nodes_free(&n);
	return n;
}

void valkey_nodes_start(struct valkey_nodes *n)
{
	if (n->sentinels)
		valkey_sentinels_start(n->sentinels);
	for (unsigned i = 0; i < VALKEY_NODES_MAX; i++)
		if (n->nodes[i] && n->nodes[i]->named)
			valkey_link_start(n->nodes[i]->link);
}

void valkey_nodes_free(struct valkey_nodes **nodes)
{
	struct valkey_nodes *n = *nodes;

	if (!n)
		return;
	valkey_sentinels_free(&n->sentinels);
	for (unsigned i = 0; i < VALKEY_NODES_MAX; i++)
		remove_node(n, i);
	valkey_cluster_free(&n->cluster);
	free(n);
	*nodes = NULL;
}
