/* Driver "failing", for tests: a store in memory whose target says what goes
 * wrong, in one or two words.
 *
 *   fail            every operation fails at once
 *   fail-merge      merges and removes fail, gets work
 *   fail-after N    works for N operations, fails from then on
 *   fail-first N    fails for N operations, works from then on
 *   hang            every operation stays pending until the store is closed
 *   hang-merge      merges and removes stay pending, gets work
 *   slow MS         every operation takes MS milliseconds, then works
 *   slow-fail MS    every operation takes MS milliseconds, then fails
 *   fail-open       opening fails
 *
 * Operations are gets, merges, scans, removes and backups; N counts gets and
 * merges. Loop thread. */
#ifndef GREYLAG_STORE_FAILING_H
#define GREYLAG_STORE_FAILING_H

#include "store/driver.h"

#endif
