/* Exim's configuration, as far as it says which ACL is used when and what stands in it before
 * what (specification, chapters "The Exim runtime configuration file" and "Access control
 * lists"): read, nothing run. Files that it includes are followed, and .ifdef is obeyed. */
#ifndef GREYLAG_DOCTOR_EXIMCONF_H
#define GREYLAG_DOCTOR_EXIMCONF_H

#include "base/buf.h"

#define EXIM_MACROS_MAX 600
#define EXIM_ACLS_MAX 64
#define EXIM_STATEMENTS_MAX 1000
#define EXIM_FILES_MAX 40
#define EXIM_DEPTH_MAX 5	/* files that include files */

/* VERB_NONE: an .include of greylag's statements, which stand for several. */
enum exim_verb { VERB_NONE, VERB_ACCEPT, VERB_DEFER, VERB_DENY, VERB_DISCARD, VERB_DROP, VERB_REQUIRE, VERB_WARN };

struct exim_statement {
	enum exim_verb verb;
	unsigned acl, file, line;
	bool greylag, greylistd;	/* it asks us: by our statements, by greylistd's protocol */
	bool domains;			/* has a condition of that name */
	bool others;			/* has conditions besides `domains` and `verify` */
	bool conditional;		/* has any */
	uint64_t calls;			/* ACLs that its conditions name, a bit each */
};

struct exim_macro {
	char *name, *value;
};

struct eximconf {
	struct exim_macro macros[EXIM_MACROS_MAX];
	unsigned macro_count;
	char *acls[EXIM_ACLS_MAX];
	unsigned acl_count;
	struct exim_statement statements[EXIM_STATEMENTS_MAX];
	unsigned statement_count;
	char *files[EXIM_FILES_MAX];
	unsigned file_count;
	int rcpt, data[2];		/* the ACL of acl_smtp_rcpt; of acl_smtp_data and _predata; -1: none by that name */
	bool has_macros;		/* those that greylag's statements need */
};

/* Gets a file's text, a heap buf that the caller frees; false when there is none. */
typedef bool eximconf_reader(void *arg, const char *path, struct buf *text);

/* NULL when there is no such file, or memory is out. */
struct eximconf *eximconf_new(const char *path, eximconf_reader *read, void *arg);
void eximconf_free(struct eximconf **c);

/* What a macro stands for, others in it replaced; fallback when it is not defined. */
const char *eximconf_macro(struct eximconf *c, const char *name, const char *fallback, struct buf *out);
/* The first statement of that ACL that asks us, itself or by an ACL that it names; NULL for none. */
const struct exim_statement *eximconf_asks(const struct eximconf *c, int acl);

#endif
