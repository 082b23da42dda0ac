/* One command for the server, built argument by argument; binary safe. The
 * memory is kept from one command to the next. Loop thread. */
#ifndef GREYLAG_STORE_VALKEY_COMMAND_H
#define GREYLAG_STORE_VALKEY_COMMAND_H

#include "store/store.h"

#define VALKEY_ARGS_MAX (STORE_SCAN_MAX + 24)

struct valkey_command {
	struct buf bytes;
	int count;
	bool over;		/* too many arguments or no memory: not to be sent */
	size_t lengths[VALKEY_ARGS_MAX];
	const char *arguments[VALKEY_ARGS_MAX];
};

void valkey_command_init(struct valkey_command *c);
void valkey_command_free(struct valkey_command *c);

/* Starts anew with the command's name. */
void valkey_command_begin(struct valkey_command *c, const char *name);
void valkey_command_add(struct valkey_command *c, struct span argument);
void valkey_command_number(struct valkey_command *c, int64_t n);
/* prefix and key as one argument. */
void valkey_command_key(struct valkey_command *c, struct span prefix, struct span key);
void valkey_command_record(struct valkey_command *c, const struct record *r);
/* Fills in `arguments`; false when the command is over its bounds. */
bool valkey_command_end(struct valkey_command *c);

#endif
