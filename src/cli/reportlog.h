/* A report from mail logs, for sites where another greylister decides, or did. */
#ifndef GREYLAG_CLI_REPORTLOG_H
#define GREYLAG_CLI_REPORTLOG_H

#include "cli/report.h"

/* Reads the files ("-": standard input) into r. STATUS_OK, or the status to exit with,
 * when what went wrong has been printed. */
int reportlog_read(struct report *r, char **files, int count);

#endif
