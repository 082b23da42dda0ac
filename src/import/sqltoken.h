/* Words of a text of SQL statements, read as a stream: mysqldump writes rows of
 * thousands in one line. */
#ifndef GREYLAG_IMPORT_SQLTOKEN_H
#define GREYLAG_IMPORT_SQLTOKEN_H

#include "import/table.h"

enum sqltoken {
	SQLTOKEN_END,		/* of the text */
	SQLTOKEN_BROKEN,	/* the text cannot be read, or ends within a string: `why` */
	SQLTOKEN_WORD,		/* a name, a number, NULL */
	SQLTOKEN_NAME,		/* a quoted name */
	SQLTOKEN_STRING,
	SQLTOKEN_MARK,		/* one character */
};

struct sqltext {
	struct textfile *file;
	struct span part;		/* what is left of what was read */
	uint64_t line;
	bool ended, escapes;		/* a backslash in a string escapes, as in MySQL */
	struct buf text;		/* the token's; `over` when it was cut */
	struct buf why;
	char text_bytes[TABLE_VALUE_MAX + 2];
	char why_bytes[200];
};

/* 0, or -1 with s->why; sqltext_close either way. */
int sqltext_open(struct sqltext *s, const char *path);
void sqltext_close(struct sqltext *s);
enum sqltoken sqltext_next(struct sqltext *s);
/* The rest of the line. 1, 0 at the end of the text, -1 with s->why. */
int sqltext_line(struct sqltext *s, struct buf *line);

#endif
