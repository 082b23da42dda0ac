/* The pages as the build put them together from page.html, login.html, page.css and page.js
 * (embed.py). Each comes in two parts; what changes goes between. */
#ifndef GREYLAG_WEB_PAGE_H
#define GREYLAG_WEB_PAGE_H

#include "base/span.h"

struct span page_head(void);
struct span page_tail(void);
struct span page_login_head(void);
struct span page_login_tail(void);
/* The Content-Security-Policy that lets exactly these scripts and styles run. */
const char *page_policy(void);

#endif
