/* What the commands of greylistd's protocol see of their connection. */
#ifndef GREYLAG_DAEMON_GREYLISTD_COMMAND_H
#define GREYLAG_DAEMON_GREYLISTD_COMMAND_H

#include "daemon/greylistdconn.h"
#include "daemon/greylistdproto.h"

/* A command appends its answer to greylistdconn_out and ends with
 * greylistdconn_end or _fail, at once or later. Until then the connection's
 * memory and the command's bytes stay. */
typedef void greylistd_fn(struct greylistdconn *c, const struct greylistd_command *command);

greylistd_fn greylistd_stats, greylistd_mrtg, greylistd_save, greylistd_reload;	/* greylistd_status.c */
greylistd_fn greylistd_list, greylistd_clear;					/* greylistd_scan.c */
greylistd_fn greylistd_add, greylistd_delete;					/* greylistd_record.c */

struct server *greylistdconn_server(const struct greylistdconn *c);
struct buf *greylistdconn_out(struct greylistdconn *c);
void greylistdconn_end(struct greylistdconn *c);
/* Answers "error: TEXT" instead of what was appended. */
void greylistdconn_fail(struct greylistdconn *c, const char *text);
/* A long command has come further, and should not be taken for one that hangs. */
void greylistdconn_touch(struct greylistdconn *c);
/* The connection was closed: a long command should come to its end. */
bool greylistdconn_gone(const struct greylistdconn *c);

#endif
