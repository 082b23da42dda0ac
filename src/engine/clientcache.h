/* What was found out about a client's name: its organisation, and whether it
 * looks dynamic. Both are functions of name and address (and of the suffix list,
 * which does not change), and the same clients come again and again. Loop thread. */
#ifndef GREYLAG_ENGINE_CLIENTCACHE_H
#define GREYLAG_ENGINE_CLIENTCACHE_H

#include "core/request.h"
#include "names/names.h"

struct clientcache;

/* 32,768 entries, 6 MB when all are used. NULL when memory is out. */
struct clientcache *clientcache_new(void);
void clientcache_free(struct clientcache **c);

/* The same as clientcache_complete, without a memory. */
void client_find_out(const struct names *names, struct request *r);

/* Fills in r->client_org (a span into r->client_name) and r->client_dynamic. */
void clientcache_complete(struct clientcache *c, const struct names *names, struct request *r);

#endif
