/* Which of a cluster's servers has which slots (CLUSTER SLOTS): asked when the first
 * server is up, every half minute, and soon after something speaks against the map.
 * In between single slots follow what servers answer (MOVED). */
#include "store/valkey_nodes.h"

#define RENEW_MS 30000
#define DOUBT_MS 250		/* between asking while the map is in doubt */

struct valkey_cluster {
	struct valkey_nodes *nodes;
	struct valkey_command command;
	struct loop_timer due;
	bool asking;
	bool doubt;			/* since it was asked last */
	bool known;
	unsigned next;			/* who is asked next */
	unsigned homeless;		/* slots without a node */
	struct valkey_node *slots[VALKEY_SLOTS];
};

struct valkey_node *valkey_cluster_node(const struct valkey_cluster *c, unsigned slot)
{
	return c->slots[slot];
}

bool valkey_cluster_whole(const struct valkey_cluster *c)
{
	return c->known && c->homeless == 0;
}

void valkey_cluster_move(struct valkey_cluster *c, unsigned slot, struct valkey_node *node)
{
	c->homeless -= c->slots[slot] == NULL;
	c->slots[slot] = node;
	node->serving = true;
}

/* --- The map -------------------------------------------------------------------- */

/* An element [address, port, ...]. Without an address it is the server that tells. */
static bool read_server(const struct valkey_node *teller, const redisReply *e, struct valkey_server *out)
{
	if (e->type != REDIS_REPLY_ARRAY || e->elements < 2 || e->element[1]->type != REDIS_REPLY_INTEGER ||
	    e->element[1]->integer < 1 || e->element[1]->integer > 65535)
		return false;
	const redisReply *name = e->element[0];
	struct span address = span_of(valkey_link_server(teller->link)->address);
	if (name->type == REDIS_REPLY_STRING && name->len > 0)
		address = span_make(name->str, (size_t)name->len);
	return valkey_server_named(out, address, (uint64_t)e->element[1]->integer);
}

/* An element [first slot, last slot, primary, replicas...]. */
static bool read_range(struct valkey_cluster *c, const struct valkey_node *teller, const redisReply *range)
{
	struct valkey_server server;

	if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 || range->element[0]->type != REDIS_REPLY_INTEGER ||
	    range->element[1]->type != REDIS_REPLY_INTEGER || !read_server(teller, range->element[2], &server))
		return false;
	long long first = range->element[0]->integer, last = range->element[1]->integer;
	if (first < 0 || last >= VALKEY_SLOTS || first > last)
		return false;
	struct valkey_node *node = valkey_nodes_find(c->nodes, &server);
	for (long long slot = first; node && slot <= last; slot++)
		valkey_cluster_move(c, (unsigned)slot, node);
	return node != NULL;
}

static void begin_map(struct valkey_cluster *c)
{
	struct valkey_node *node;

	for (unsigned i = 0; i < VALKEY_NODES_MAX; i++)
		if ((node = valkey_nodes_at(c->nodes, i)))
			node->serving = false;
	for (unsigned i = 0; i < VALKEY_SLOTS; i++)
		c->slots[i] = NULL;
	c->homeless = VALKEY_SLOTS;
}

static void on_map(void *arg, void *op, const redisReply *reply)
{
	const struct valkey_node *teller = arg;
	struct valkey_cluster *c = op;
	bool sound = reply && reply->type == REDIS_REPLY_ARRAY;

	c->asking = false;
	if (sound)
		begin_map(c);
	for (size_t i = 0; sound && i < reply->elements; i++)
		c->doubt |= !read_range(c, teller, reply->element[i]);
	c->known |= sound;
	c->doubt |= !sound;
	loop_timer_set(&c->due, c->doubt || !valkey_cluster_whole(c) ? DOUBT_MS : RENEW_MS);
}

/* --- Asking ----------------------------------------------------------------------- */

static bool ask(struct valkey_cluster *c, struct valkey_node *node)
{
	valkey_command_begin(&c->command, "CLUSTER");
	valkey_command_add(&c->command, span_of("SLOTS"));
	if (!valkey_link_send(node->link, &c->command, on_map, c))
		return false;
	c->asking = true;
	c->doubt = false;
	return true;
}

/* Each in turn, so that one whose map is old is not asked for ever. */
static void ask_somebody(struct valkey_cluster *c)
{
	for (unsigned i = 0; i < VALKEY_NODES_MAX && !c->asking; i++) {
		struct valkey_node *node = valkey_nodes_at(c->nodes, c->next++ % VALKEY_NODES_MAX);
		if (node && valkey_link_up(node->link))
			ask(c, node);
	}
}

static bool all_up(const struct valkey_cluster *c)
{
	const struct valkey_node *node;

	for (unsigned i = 0; (node = valkey_nodes_serving(c->nodes, &i)); i++)
		if (!valkey_link_up(node->link))
			return false;
	return valkey_cluster_whole(c);
}

static void on_due(struct loop_timer *t)
{
	struct valkey_cluster *c = t->arg;

	if (!c->asking) {
		valkey_nodes_reap(c->nodes);
		ask_somebody(c);
	}
	/* A server that is away will be replaced: only the others can say by whom. */
	loop_timer_set(t, all_up(c) ? RENEW_MS : DOUBT_MS);
}

void valkey_cluster_doubt(struct valkey_cluster *c)
{
	if (!c->doubt)
		loop_timer_set(&c->due, DOUBT_MS);
	c->doubt = true;
}

void valkey_cluster_greet(struct valkey_cluster *c, struct valkey_node *node)
{
	if (!c->known && !c->asking)
		ask(c, node);
}

struct valkey_cluster *valkey_cluster_new(struct valkey_nodes *n)
{
	struct valkey_cluster *c = calloc(1, sizeof *c);

	if (!c)
		return NULL;
	c->nodes = n;
	c->homeless = VALKEY_SLOTS;
	valkey_command_init(&c->command);
	loop_timer_init(&c->due, valkey_nodes_options(n)->loop, on_due, c);
	return c;
}

void valkey_cluster_free(struct valkey_cluster **cluster)
{
	struct valkey_cluster *c = *cluster;

	if (!c)
		return;
	loop_timer_cancel(&c->due);
	valkey_command_free(&c->command);
	free(c);
	*cluster = NULL;
}
