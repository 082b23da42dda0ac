/* A report from mail logs, for sites where another greylister decides, or did. */
#ifndef GREYLAG_CLI_REPORTLOG_H
#define GREYLAG_CLI_REPORTLOG_H

#include "cli/report.h"

/* Reads the files ("-": standard input) into r, oldest first. STATUS_OK; STATUS_NO when one could
 * not be read to its end, r has what could; STATUS_TEMPORARY: there is no report. What went wrong
 * has been printed. */
int reportlog_read(struct report *r, char **files, int count);

#endif
