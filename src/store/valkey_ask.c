#include "store/valkey_ask.h"

#include "store/valkey.h"

#define REDIRECTS_MAX 5		/* a key that moves on and on is given up */

struct valkey_asks {
	struct valkey_ask *idle;
	unsigned room;
	struct valkey_ask all[VALKEY_CALLS_MAX];
};

struct valkey_asks *valkey_asks_new(void)
{
	struct valkey_asks *asks = calloc(1, sizeof *asks);

	for (size_t i = 0; asks && i < VALKEY_CALLS_MAX; i++) {
		asks->all[i].next = asks->idle;
		asks->idle = &asks->all[i];
		asks->room++;
	}
	return asks;
}

void valkey_asks_free(struct valkey_asks **asks)
{
	free(*asks);
	*asks = NULL;
}

unsigned valkey_asks_room(const struct valkey_asks *asks)
{
	return asks->room;
}

static struct valkey_ask *take_idle(struct valkey *v)
{
	struct valkey_ask *a = v->asks->idle;

	if (!a)
		return NULL;
	v->asks->idle = a->next;
	v->asks->room--;
	return a;
}

static void put_idle(struct valkey *v, struct valkey_ask *a)
{
	a->next = v->asks->idle;
	v->asks->idle = a;
	v->asks->room++;
}

/* The head stays until the last of its operation is answered. */
static void settle(struct valkey *v, struct valkey_ask *a, bool sound)
{
	struct valkey_ask *head = a->head;

	head->failed |= !sound;
	if (a != head)
		put_idle(v, a);
	if (--head->left)
		return;
	const struct valkey_question *q = head->question;
	enum store_status status = head->failed ? STORE_FAILED : STORE_DONE;
	void *op = head->op;
	put_idle(v, head);
	q->finish(v, op, status);
}

/* --- Sending ------------------------------------------------------------------- */

static void on_answer(void *arg, void *op, const redisReply *reply);

static void write_command(struct valkey *v, const struct valkey_ask *a)
{
	const struct valkey_question *q = a->question;

	if (q->command) {
		valkey_command_begin(&v->command, q->command);
	} else {
		valkey_command_begin(&v->command, "EVALSHA");
		valkey_command_add(&v->command, span_of(valkey_link_sha(a->node->link, q->script)));
		valkey_command_number(&v->command, a->count);
	}
	for (unsigned i = 0; i < a->count; i++)
		valkey_command_key(&v->command, v->where.prefix, q->key(a->op, a->first + i));
	if (q->tail)
		q->tail(v, a);
}

static bool send_ask(struct valkey *v, struct valkey_ask *a)
{
	write_command(v, a);
	return valkey_link_send(a->node->link, &v->command, on_answer, a);
}

/* A server that has just been heard of is waited for until it is up or is not. */
static bool send_or_park(struct valkey *v, struct valkey_ask *a)
{
	if (!valkey_link_coming(a->node->link))
		return send_ask(v, a);
	a->next = a->node->parked;
	a->node->parked = a;
	return true;
}

static enum store_status send_first(struct valkey *v, struct valkey_ask *a, struct valkey_ask **head)
{
	a->head = *head ? *head : a;
	if (!a->node || !send_ask(v, a)) {
		put_idle(v, a);
		return STORE_FAILED;
	}
	*head = a->head;
	a->head->left++;
	return STORE_PENDING;
}

enum store_status valkey_ask_keys(struct valkey *v, const struct valkey_question *q, void *op, unsigned count)
{
	unsigned step = valkey_nodes_split(v->nodes) ? 1 : count;
	struct valkey_ask *head = NULL;
	bool failed = false;

	for (unsigned first = 0; first < count; first += step) {
		struct valkey_ask *a = take_idle(v);
		if (a)
			*a = (struct valkey_ask){ .question = q, .op = op, .first = first, .count = step,
						  .node = valkey_nodes_of(v->nodes, q->key(op, first)) };
		failed |= !a || send_first(v, a, &head) == STORE_FAILED;
	}
	if (!head)
		return STORE_FAILED;
	head->failed |= failed;
	return STORE_PENDING;
}

enum store_status valkey_ask_node(struct valkey *v, const struct valkey_question *q, void *op, struct valkey_node *node)
{
	struct valkey_ask *a = take_idle(v), *head = NULL;

	if (!a)
		return STORE_FAILED;
	*a = (struct valkey_ask){ .question = q, .op = op, .node = node };
	return send_first(v, a, &head);
}

static struct valkey_ask *unpark(struct valkey_node *node)
{
	struct valkey_ask *parked = node->parked;

	node->parked = NULL;
	return parked;
}

void valkey_asks_up(struct valkey *v, struct valkey_node *node)
{
	struct valkey_ask *next;

	for (struct valkey_ask *a = unpark(node); a; a = next) {
		next = a->next;
		if (!send_ask(v, a))
			settle(v, a, a->question->take(v, a, NULL));
	}
}

void valkey_asks_away(struct valkey *v, struct valkey_node *node)
{
	struct valkey_ask *next;

	for (struct valkey_ask *a = unpark(node); a; a = next) {
		next = a->next;
		settle(v, a, a->question->take(v, a, NULL));
	}
}

/* --- Answers --------------------------------------------------------------------- */

static bool says(const redisReply *reply, const char *word)
{
	return reply && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, word, strlen(word)) == 0;
}

static void on_asking(void *arg, void *op, const redisReply *reply)
{
	(void)arg;
	(void)op;
	(void)reply;
}

/* "MOVED 3999 127.0.0.1:6381", and "ASK" likewise, which is told that it is meant. */
static bool redirect(struct valkey *v, struct valkey_ask *a, const redisReply *reply)
{
	bool moved = says(reply, "MOVED "), asked = says(reply, "ASK ");
	struct span rest = span_of(reply && (moved || asked) ? reply->str : ""), word;
	uint64_t slot;

	if ((!moved && !asked) || ++a->redirects > REDIRECTS_MAX || !span_cut(&rest, ' ', &word) ||
	    !span_cut(&rest, ' ', &word) || !span_uint(word, VALKEY_SLOTS - 1, &slot))
		return false;
	struct valkey_node *node = valkey_nodes_redirect(v->nodes, a->node, rest, slot, moved);
	if (!node)
		return false;
	a->node = node;
	if (moved)
		return send_or_park(v, a);
	valkey_command_begin(&v->command, "ASKING");
	return valkey_link_send(node->link, &v->command, on_asking, NULL) && send_ask(v, a);
}

static bool send_again(struct valkey *v, struct valkey_ask *a, const redisReply *reply)
{
	if (a->question->command || a->again || !says(reply, "NOSCRIPT"))
		return false;
	a->again = true;
	valkey_link_reload(a->node->link, a->question->script);
	return send_ask(v, a);
}

static void on_answer(void *arg, void *op, const redisReply *reply)
{
	struct valkey_node *node = arg;
	struct valkey *v = valkey_nodes_options(node->nodes)->arg;
	struct valkey_ask *a = op;

	if (send_again(v, a, reply) || redirect(v, a, reply))
		return;
	if (says(reply, "READONLY") || says(reply, "CLUSTERDOWN") || says(reply, "MASTERDOWN"))
		valkey_nodes_doubt(v->nodes, node, "cannot be written to");
	settle(v, a, a->question->take(v, a, reply));
}
