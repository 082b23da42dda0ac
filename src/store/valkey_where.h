/* Where the server is and who we are there: the words of the configuration. */
#ifndef GREYLAG_STORE_VALKEY_WHERE_H
#define GREYLAG_STORE_VALKEY_WHERE_H

#include "base/endpoint.h"
#include "base/netaddr.h"
#include "store/secret.h"
#include "store/store.h"

#define VALKEY_PREFIX_MAX 64

struct valkey_where {
	struct endpoint endpoint;
	char address[NETADDR_TEXT];	/* "": a UNIX socket */
	int port;
	char user[65];			/* "": the server's default user */
	char password_file[512];	/* "": none */
	char password[SECRET_MAX + 1];
	uint64_t database;
	char prefix_text[VALKEY_PREFIX_MAX + 1];
	struct span prefix;		/* of it */
};

/* 0, or -1 with a reason. Copies; *w stays where it is. */
int valkey_where_read(struct valkey_where *w, const struct store_options *options, struct buf *why);
/* Reads the password's file anew: 0; -1 leaves the former password. */
int valkey_where_password(struct valkey_where *w, struct buf *why);

#endif
