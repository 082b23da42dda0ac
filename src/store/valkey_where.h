/* Where the server is and who we are there: the words of the configuration. */
#ifndef GREYLAG_STORE_VALKEY_WHERE_H
#define GREYLAG_STORE_VALKEY_WHERE_H

#include "base/kvtarget.h"
#include "base/netaddr.h"
#include "store/secret.h"
#include "store/store.h"

#define VALKEY_PREFIX_MAX 64

struct valkey_server {
	struct endpoint endpoint;
	char address[NETADDR_TEXT];	/* "": a UNIX socket */
	int port;
};

struct valkey_where {
	struct kvtarget target;
	char user[65];			/* "": the server's default user */
	char password_file[512];	/* "": none */
	char password[SECRET_MAX + 1];
	uint64_t database;
	char prefix_text[VALKEY_PREFIX_MAX + 1];
	struct span prefix;		/* of it */
};

/* As hiredis wants it: an address as text and a port. */
void valkey_server_set(struct valkey_server *s, const struct endpoint *e);
bool valkey_server_eq(const struct valkey_server *a, const struct valkey_server *b);
/* The server that another one names by address and port. False: that is no address. */
bool valkey_server_named(struct valkey_server *s, struct span address, uint64_t port);

/* 0, or -1 with a reason. Copies; *w stays where it is. */
int valkey_where_read(struct valkey_where *w, const struct store_options *options, struct buf *why);
/* Reads the password's file anew: 0; -1 leaves the former password. */
int valkey_where_password(struct valkey_where *w, struct buf *why);

#endif
