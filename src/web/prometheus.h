/* The status of greylagd in the text format of Prometheus, version 0.0.4
 * (prometheus.io/docs/instrumenting/exposition_formats). Pure. */
#ifndef GREYLAG_WEB_PROMETHEUS_H
#define GREYLAG_WEB_PROMETHEUS_H

#include <jansson.h>

#include "base/buf.h"

#define PROMETHEUS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define PROMETHEUS_MAX ((size_t)256 * 1024)

/* status NULL: greylagd does not answer, which is all there is to say. */
void prometheus_add(struct buf *out, const json_t *status);

#endif
