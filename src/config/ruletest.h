/* Expectations about the rules, that stand beside them in greylag.conf. */
#ifndef GREYLAG_CONFIG_RULETEST_H
#define GREYLAG_CONFIG_RULETEST_H

#include "config/config.h"

/* Judges each `test` line by the rules; one that fails is an error at its line.
 * `complete` fills in what the engine finds out about a client: client_org and
 * client_dynamic. Returns the number of failures. */
unsigned ruletest_run(const struct config *config, void (*complete)(const void *arg, struct request *r),
		      const void *arg, struct diag *diag);

#endif
