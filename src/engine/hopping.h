/* Mail that several unrelated strangers bring at once: one botnet, whose members took
 * the same job. In fixed memory; the least recent is forgotten first. Loop thread. */
#ifndef GREYLAG_ENGINE_HOPPING_H
#define GREYLAG_ENGINE_HOPPING_H

#include <stdint.h>

#define HOPPING_SENDERS_MAX 8

struct hopping;

/* 8,192 mails, 0.8 MB. NULL when memory is out. */
struct hopping *hopping_new(void);
void hopping_free(struct hopping **h);

/* Notes that `who` brings `mail` (hashes of the stranger's organisation or wider network,
 * and of what makes it the same mail). When `senders` of them came within span_s the mail
 * is held for hold_s from then on. Returns until when; 0: it is not. */
int64_t hopping_note(struct hopping *h, uint64_t mail, uint64_t who, int64_t now, unsigned senders,
		     int64_t span_s, int64_t hold_s);
/* Until when it is held, without noting anything. */
int64_t hopping_look(const struct hopping *h, uint64_t mail, int64_t now);

#endif
