#include "lists/prefixset.h"

/* Nodes refer to each other by index, so that the array may move while it
 * grows; 0 is "none", the roots are 1 (IPv4) and 2 (IPv6). A child's prefix
 * always begins with its parent's and is longer. */
struct node {
	uint8_t bytes[16];
	uint8_t bits;
	bool present;
	uint32_t child[2];
};

struct prefixset {
	struct node *nodes;
	uint32_t used, room;
	size_t count;
};

enum { ROOT4 = 1, ROOT6 = 2, FIRST_FREE = 3 };

struct prefixset *prefixset_new(void)
{
	struct prefixset *set = calloc(1, sizeof *set);

	if (!set)
		return NULL;
	set->room = 8;
	set->used = FIRST_FREE;
	set->nodes = calloc(set->room, sizeof *set->nodes);
	if (!set->nodes)
		prefixset_free(&set);
	return set;
}

void prefixset_free(struct prefixset **set)
{
	if (*set)
		free((*set)->nodes);
	free(*set);
	*set = NULL;
}

static unsigned bit_at(const uint8_t *bytes, unsigned position)
{
	return bytes[position / 8] >> (7 - position % 8) & 1;
}

/* How many leading bits are equal, at most `most`. */
static unsigned common_bits(const uint8_t *a, const uint8_t *b, unsigned most)
{
	unsigned n = 0;

	while (n + 8 <= most && a[n / 8] == b[n / 8])
		n += 8;
	while (n < most && bit_at(a, n) == bit_at(b, n))
		n++;
	return n;
}

/* Index of a new node, 0 when memory is out. */
static uint32_t add_node(struct prefixset *set, const uint8_t *bytes, unsigned bits, bool present)
{
	if (set->used == set->room) {
		uint32_t room = set->room * 2;
		struct node *nodes = realloc(set->nodes, room * sizeof *nodes);
		if (!nodes)
			return 0;
		set->nodes = nodes;
		set->room = room;
	}
	struct node *n = &set->nodes[set->used];
	*n = (struct node){ .bits = (uint8_t)bits, .present = present };
	memcpy(n->bytes, bytes, sizeof n->bytes);
	return set->used++;
}

/* Puts a node for p between `parent` and its child, which share only `common` bits. */
static bool split(struct prefixset *set, uint32_t parent, unsigned side, unsigned common,
		  const struct netprefix *p)
{
	uint32_t child = set->nodes[parent].child[side];
	uint32_t middle = add_node(set, p->addr.bytes, common, common == p->bits);
	uint32_t leaf = common == p->bits ? middle :
			middle ? add_node(set, p->addr.bytes, p->bits, true) : 0;

	if (!middle || !leaf)
		return false;
	struct node *m = &set->nodes[middle];
	m->child[bit_at(set->nodes[child].bytes, common)] = child;
	if (leaf != middle)
		m->child[bit_at(p->addr.bytes, common)] = leaf;
	set->nodes[parent].child[side] = middle;
	set->count++;
	return true;
}

bool prefixset_add(struct prefixset *set, const struct netprefix *p)
{
	uint32_t at = p->addr.family == 4 ? ROOT4 : ROOT6;

	for (;;) {
		struct node *n = &set->nodes[at];
		if (n->bits == p->bits) {
			set->count += !n->present;
			n->present = true;
			return true;
		}
		unsigned side = bit_at(p->addr.bytes, n->bits);
		uint32_t child = n->child[side];
		if (child == 0) {
			uint32_t leaf = add_node(set, p->addr.bytes, p->bits, true);
			if (leaf)
				set->nodes[at].child[side] = leaf;
			set->count += leaf != 0;
			return leaf != 0;
		}
		const struct node *c = &set->nodes[child];
		unsigned most = c->bits < p->bits ? c->bits : p->bits;
		unsigned common = common_bits(c->bytes, p->addr.bytes, most);
		if (common < c->bits)
			return split(set, at, side, common, p);
		at = child;
	}
}

bool prefixset_find(const struct prefixset *set, const struct netaddr *a, struct netprefix *longest)
{
	uint32_t at = a->family == 4 ? ROOT4 : ROOT6, best = 0;
	unsigned width = netaddr_width(a);

	if (width == 0)
		return false;
	while (at) {
		const struct node *n = &set->nodes[at];
		if (common_bits(n->bytes, a->bytes, n->bits) < n->bits)
			break;
		if (n->present)
			best = at;
		at = n->bits < width ? n->child[bit_at(a->bytes, n->bits)] : 0;
	}
	if (best && longest)
		*longest = netaddr_network(a, set->nodes[best].bits);
	return best != 0;
}

size_t prefixset_count(const struct prefixset *set)
{
	return set->count;
}
