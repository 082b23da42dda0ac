#include "requestlog/privacy.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <unistd.h>

#include "core/mailaddr.h"

#define HASH_BYTES crypto_generichash_BYTES_MIN		/* 16: BLAKE2b, RFC 7693 */
#define HIDDEN_DOMAIN "@address.invalid"			/* RFC 2606 section 2 */

static int write_key(const char *file, const unsigned char *key, struct buf *why)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return buf_fail(why, "%s: %s", file, strerror(errno));
	bool written = write(fd, key, PRIVACY_KEY_BYTES) == PRIVACY_KEY_BYTES && fsync(fd) == 0;
	if (close(fd) == 0 && written)
		return 0;
	buf_fail(why, "%s: %s", file, strerror(errno));
	unlink(file);
	return -1;
}

int privacy_key(struct privacy *p, const char *file, struct buf *why)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (sodium_init() < 0)
		return buf_fail(why, "libsodium cannot be used");
	if (fd < 0 && errno == ENOENT) {
		randombytes_buf(p->key, sizeof p->key);
		return write_key(file, p->key, why);
	}
	if (fd < 0)
		return buf_fail(why, "%s: %s", file, strerror(errno));
	ssize_t n = read(fd, p->key, sizeof p->key);
	close(fd);
	if (n != PRIVACY_KEY_BYTES)
		return buf_fail(why, "%s: a key has %d bytes", file, PRIVACY_KEY_BYTES);
	return 0;
}

/* Letters from g on: a normaliser takes hexadecimal digits for a machine's counter. */
static void add_hash(const struct privacy *p, struct buf *out, struct span text)
{
	unsigned char hash[HASH_BYTES];

	crypto_generichash(hash, sizeof hash, (const unsigned char *)text.p, text.n, p->key, sizeof p->key);
	for (size_t i = 0; i < sizeof hash; i++) {
		buf_addc(out, (char)('g' + (hash[i] >> 4)));
		buf_addc(out, (char)('g' + (hash[i] & 15)));
	}
}

void privacy_word(const struct privacy *p, struct buf *out, struct span word)
{
	if (p->mode == PRIVACY_NONE || word.n == 0)
		buf_addspan(out, word);
	else
		add_hash(p, out, word);
}

static void normalise(struct buf *out, struct span address, struct span recipient, bool sender)
{
	char text[REQUEST_ADDRESS_MAX + 1];
	struct buf to = BUF_ON(text);

	if (!sender) {
		mailaddr_recipient(out, address);
		return;
	}
	mailaddr_recipient(&to, recipient);
	mailaddr_sender(out, address, buf_span(&to));
}

void privacy_address(const struct privacy *p, struct buf *out, struct span address, struct span recipient, bool sender)
{
	char text[2 * REQUEST_ADDRESS_MAX];
	struct buf normal = BUF_ON(text);

	if (p->mode == PRIVACY_NONE || address.n == 0) {
		buf_addspan(out, address);
		return;
	}
	normalise(&normal, address, recipient, sender);
	struct span whole = normal.over || normal.n == 0 ? address : buf_span(&normal);
	if (p->mode == PRIVACY_CLIENT) {
		add_hash(p, out, whole);
		buf_adds(out, HIDDEN_DOMAIN);
		return;
	}
	size_t at = span_rfind(whole, '@');
	add_hash(p, out, span_head(whole, at));
	buf_addspan(out, span_from(whole, at));
}
