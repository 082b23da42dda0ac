#include "doors/smtprelay.h"

#define REPLY_ROOM 1024		/* kept free for a refusal of ours */
#define HEADER_ROOM 512

/* Where the content stands in its line. */
enum { AT_START, AT_DOT, AT_DOT_CR, AT_MIDDLE, AT_CR };

void smtprelay_init(struct smtprelay *r, const struct door_options *options, bool add_header)
{
	*r = (struct smtprelay){ .options = options, .add_header = add_header, .mode = RELAY_REPLY,
				 .verb = VERB_GREETING };
	r->to_server = buf_on(r->server_bytes, sizeof r->server_bytes);
	r->to_client = buf_on(r->client_bytes, sizeof r->client_bytes);
	r->line = buf_on(r->line_bytes, sizeof r->line_bytes);
	r->helo = buf_on(r->helo_bytes, sizeof r->helo_bytes);
	r->sender = buf_on(r->sender_bytes, sizeof r->sender_bytes);
	r->header = buf_on(r->header_bytes, sizeof r->header_bytes);
	r->header_next = buf_on(r->header_next_bytes, sizeof r->header_next_bytes);
}

static size_t room(const struct buf *b)
{
	return b->max - b->n;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* --- commands --------------------------------------------------------------------- */

static enum smtprelay_verb verb_of(struct span word)
{
	static const struct row {
		struct span word;
		enum smtprelay_verb verb;
	} rows[] = {
		{ SPAN("HELO"), VERB_HELO }, { SPAN("EHLO"), VERB_HELO }, { SPAN("MAIL"), VERB_MAIL },
		{ SPAN("RCPT"), VERB_RCPT }, { SPAN("DATA"), VERB_DATA }, { SPAN("BDAT"), VERB_BDAT },
		{ SPAN("RSET"), VERB_RSET }, { SPAN("STARTTLS"), VERB_STARTTLS }, { SPAN("AUTH"), VERB_AUTH },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (span_ieq(word, rows[i].word))
			return rows[i].verb;
	return VERB_OTHER;
}

/* qmail ends a word at a space and the line at a NUL; others take a tab, too. */
static void parse_line(struct smtprelay *r)
{
	struct span line = buf_span(&r->line);
	size_t word = 0;

	line = span_head(line, span_find(line, '\0'));
	while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	while (word < line.n && !ascii_blank(line.p[word]))
		word++;
	r->verb = verb_of(span_head(line, word));
	r->argument = span_trim(span_from(line, word));
}

/* The address in "FROM:<a@b> SIZE=1", as qmail-smtpd finds it: without <>, up to the
 * next blank; a source route is skipped. */
static struct span address_of(struct span s)
{
	size_t open = span_find(s, '<'), i = 0;
	char end = open < s.n ? '>' : ' ';
	bool quoted = false;

	s = span_from(s, open < s.n ? open + 1 : span_find(s, ':') + 1);
	while (end == ' ' && s.n && ascii_blank(*s.p))
		s = span_from(s, 1);
	if (s.n && *s.p == '@' && span_find(s, ':') < s.n)
		s = span_from(s, span_find(s, ':') + 1);
	for (; i < s.n && (quoted || s.p[i] != end); i++) {
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		else if (s.p[i] == '"')
			quoted = !quoted;
	}
	return span_head(s, i);
}

/* After the command's line: what of it is still to come, or the other side's turn. */
static void after_line(struct smtprelay *r, bool drop)
{
	r->drop = drop;
	if (r->long_line)
		r->mode = RELAY_TAIL;
	else if (r->chunk)
		r->mode = RELAY_CHUNK;
	else
		r->mode = drop ? RELAY_LINE : RELAY_REPLY;
	if (r->mode == RELAY_LINE)
		buf_clear(&r->line);
}

static void forward(struct smtprelay *r)
{
	buf_addspan(&r->to_server, buf_span(&r->line));
	after_line(r, false);
}

/* qmail does not know BDAT: then what follows it are commands. A server that offers
 * CHUNKING reads so many octets, whatever it thinks of them. */
static void note_chunk(struct smtprelay *r)
{
	struct span digits = r->argument;
	size_t n = 0;

	while (n < digits.n && ascii_digit(digits.p[n]))
		n++;
	if (!r->chunking || !span_uint(span_head(digits, n), UINT32_MAX, &r->chunk))
		r->chunk = 0;
}

static bool needs_judgement(const struct smtprelay *r)
{
	if (!r->in_mail)
		return false;
	if (r->verb == VERB_RCPT)
		return true;
	/* The null sender passes at RCPT (callouts of others ask with it) and is judged once a message. */
	return (r->verb == VERB_DATA || (r->verb == VERB_BDAT && r->chunking)) && r->recipients &&
	       r->sender.n == 0 && !r->judged;
}

static void command(struct smtprelay *r)
{
	parse_line(r);
	r->chunk = 0;
	buf_clear(&r->header_next);
	if (r->opaque)
		r->verb = VERB_AUTH;
	r->opaque = false;
	if (r->verb == VERB_BDAT)
		note_chunk(r);
	if (needs_judgement(r))
		r->mode = RELAY_QUESTION;
	else
		forward(r);
}

/* --- bytes of the client ---------------------------------------------------------- */

static size_t take_line(struct smtprelay *r, struct span in)
{
	if (room(&r->to_server) < SMTPRELAY_LINE || room(&r->to_client) < REPLY_ROOM)
		return 0;
	size_t lf = span_find(in, '\n'), n = smaller(lf < in.n ? lf + 1 : in.n, room(&r->line));
	buf_add(&r->line, in.p, n);
	r->long_line = n <= lf;
	if (!r->long_line || room(&r->line) == 0)
		command(r);
	return n;
}

static void after_part(struct smtprelay *r)
{
	if (r->drop && r->aside_next)
		r->mode = RELAY_ASIDE;
	else
		after_line(r, r->drop);
}

/* The rest of a command's line or BDAT's octets: passed, or dropped with it. */
static size_t take_part(struct smtprelay *r, struct span in)
{
	bool tail = r->mode == RELAY_TAIL;
	size_t lf = tail ? span_find(in, '\n') : 0;
	size_t n = tail ? smaller(in.n, lf + 1) : smaller(in.n, r->chunk);

	if (!r->drop) {
		n = smaller(n, room(&r->to_server));
		buf_add(&r->to_server, in.p, n);
	}
	if (tail)
		r->long_line = n <= lf;
	else
		r->chunk -= n;
	if (tail ? !r->long_line : r->chunk == 0)
		after_part(r);
	return n;
}

/* qmail-smtpd ends the content at CR LF "." CR LF alone. True at the end. */
static bool content_byte(struct smtprelay *r, char c)
{
	unsigned char was = r->content;
	bool end = c == '\n' && was == AT_DOT_CR && r->after_crlf;

	/* Some servers end it at a "." between bare line feeds; out_of_turn() needs to know. */
	r->lone_dot = c == '\n' && (was == AT_DOT || was == AT_DOT_CR);
	if (c == '\n') {
		r->after_crlf = was == AT_CR || was == AT_DOT_CR;
		r->content = AT_START;
	} else if (c == '\r') {
		r->content = was == AT_DOT ? AT_DOT_CR : AT_CR;
	} else {
		r->content = c == '.' && was == AT_START ? AT_DOT : AT_MIDDLE;
	}
	return end;
}

static size_t take_content(struct smtprelay *r, struct span in)
{
	size_t most = smaller(in.n, room(&r->to_server)), n = 0;
	bool end = false;

	while (n < most && !end)
		end = content_byte(r, in.p[n++]);
	buf_add(&r->to_server, in.p, n);
	if (end) {
		r->mode = RELAY_REPLY;
		r->verb = VERB_CONTENT;
	}
	return n;
}

static size_t take(struct smtprelay *r, struct span in)
{
	size_t n = smaller(in.n, room(&r->to_server));

	switch (r->mode) {
	case RELAY_LINE: return take_line(r, in);
	case RELAY_TAIL:
	case RELAY_CHUNK: return take_part(r, in);
	case RELAY_CONTENT: return take_content(r, in);
	case RELAY_ASIDE: buf_add(&r->to_server, in.p, n); return n;
	case RELAY_QUESTION:
	case RELAY_REPLY: break;
	}
	return 0;
}

size_t smtprelay_from_client(struct smtprelay *r, struct span in)
{
	size_t used = 0, n = 1;

	while (n && used < in.n) {
		n = take(r, span_from(in, used));
		used += n;
	}
	return used;
}

/* What is understood no longer is left alone: the rest of the session passes. */
static void step_aside(struct smtprelay *r)
{
	if ((r->mode == RELAY_TAIL || r->mode == RELAY_CHUNK) && r->drop) {
		r->aside_next = true;
		return;
	}
	if (r->mode == RELAY_QUESTION || r->mode == RELAY_LINE)
		buf_addspan(&r->to_server, buf_span(&r->line));
	buf_clear(&r->line);
	r->mode = RELAY_ASIDE;
}

void smtprelay_client_ended(struct smtprelay *r)
{
	if (r->mode == RELAY_LINE)
		step_aside(r);
}

/* --- replies of the server -------------------------------------------------------- */

static void end_mail(struct smtprelay *r)
{
	r->in_mail = r->judged = false;
	r->recipients = 0;
	buf_clear(&r->header);
}

static void begin_mail(struct smtprelay *r)
{
	end_mail(r);
	r->in_mail = true;
	r->transaction++;
	buf_clear(&r->sender);
	buf_addspan(&r->sender, address_of(r->argument));
}

static void recipient_taken(struct smtprelay *r)
{
	r->recipients++;
	if (r->header.n == 0)
		buf_addspan(&r->header, buf_span(&r->header_next));
}

static void begin_content(struct smtprelay *r)
{
	r->mode = RELAY_CONTENT;
	r->content = AT_START;
	r->after_crlf = true;
	r->lone_dot = false;
	if (r->add_header && r->header.n) {
		buf_addspan(&r->to_server, buf_span(&r->header));
		buf_adds(&r->to_server, "\r\n");
	}
}

static void greeted(struct smtprelay *r)
{
	end_mail(r);
	buf_clear(&r->helo);
	buf_addspan(&r->helo, r->argument);
}

static void reply_done(struct smtprelay *r, unsigned code)
{
	bool good = code / 100 == 2;

	/* A 354 that answers anything but DATA: the server counts otherwise than we do. */
	r->mode = code == 354 && r->verb != VERB_DATA ? RELAY_ASIDE : RELAY_LINE;
	r->opaque = code == 334;
	switch (r->verb) {
	case VERB_HELO: if (good) greeted(r); break;
	case VERB_MAIL: if (good) begin_mail(r); break;
	case VERB_RCPT: if (good) recipient_taken(r); break;
	case VERB_DATA: if (code == 354) begin_content(r); break;
	case VERB_CONTENT: end_mail(r); break;
	case VERB_RSET: if (good) end_mail(r); break;
	case VERB_STARTTLS: if (code == 220) r->mode = RELAY_ASIDE; break;
	case VERB_AUTH: if (code == 235) r->mode = RELAY_ASIDE; break;
	case VERB_BDAT:
	case VERB_GREETING:
	case VERB_OTHER: break;
	}
	buf_clear(&r->line);
}

/* The head of a line of the server's, without its line feed. */
static void reply_line(struct smtprelay *r, struct span head)
{
	static const struct span chunking = SPAN("CHUNKING");
	struct span word = span_trim(span_from(head, 4));
	uint64_t code;

	if (head.n < 3 || !span_uint(span_head(head, 3), 599, &code)) {
		step_aside(r);
		return;
	}
	if (r->verb == VERB_HELO && span_ieq(word, chunking))
		r->chunking = true;
	if (head.n == 3 || head.p[3] != '-')
		reply_done(r, (unsigned)code);
}

/* The server speaks when it is not its turn. */
static void out_of_turn(struct smtprelay *r)
{
	if (r->mode == RELAY_CONTENT && r->lone_dot) {
		r->mode = RELAY_REPLY;
		r->verb = VERB_CONTENT;
	} else {
		step_aside(r);
	}
}

/* Up to the end of a line. */
static size_t take_reply(struct smtprelay *r, struct span in)
{
	size_t lf = span_find(in, '\n'), n = lf < in.n ? lf + 1 : in.n;
	size_t kept = smaller(n, sizeof r->reply - r->reply_n);

	if (r->mode != RELAY_REPLY && r->mode != RELAY_ASIDE)
		out_of_turn(r);
	buf_add(&r->to_client, in.p, n);
	if (r->mode != RELAY_REPLY)
		return n;
	memcpy(r->reply + r->reply_n, in.p, kept);
	r->reply_n += (unsigned)kept;
	if (lf < in.n) {
		struct span head = span_make(r->reply, r->reply_n);
		r->reply_n = 0;
		reply_line(r, span_head(head, span_find(head, '\n')));
	}
	return n;
}

size_t smtprelay_from_server(struct smtprelay *r, struct span in)
{
	size_t used = 0, n = 1;

	while (n && used < in.n) {
		size_t most = room(&r->to_client), needed = r->mode == RELAY_ASIDE ? 0 : REPLY_ROOM;
		/* The header of the retry comes with the reply to DATA. */
		bool full = most <= needed || (r->mode == RELAY_REPLY && room(&r->to_server) < HEADER_ROOM);
		n = full ? 0 : take_reply(r, span_head(span_from(in, used), most - needed));
		used += n;
	}
	return used;
}

bool smtprelay_in_tls(const struct smtprelay *r)
{
	return r->mode == RELAY_ASIDE && r->verb == VERB_STARTTLS;
}

/* --- questions -------------------------------------------------------------------- */

bool smtprelay_asks(const struct smtprelay *r, struct smtprelay_question *q)
{
	bool rcpt = r->verb == VERB_RCPT;

	if (r->mode != RELAY_QUESTION)
		return false;
	*q = (struct smtprelay_question){
		.stage = rcpt ? "RCPT" : "DATA", .helo = buf_span(&r->helo), .sender = buf_span(&r->sender),
		.recipient = rcpt ? address_of(r->argument) : span_of(""), .transaction = r->transaction };
	return true;
}

static void refuse(struct smtprelay *r, const struct answer *a, const char *code, const char *enhanced)
{
	char text[600];
	struct buf reply = BUF_ON(text);

	answer_reply(&reply, a, code, enhanced);
	buf_addspan(&r->to_client, buf_span(&reply));
	buf_adds(&r->to_client, "\r\n");
	after_line(r, true);
}

void smtprelay_answered(struct smtprelay *r, const struct answer *a)
{
	bool rcpt = r->verb == VERB_RCPT;

	r->judged = !rcpt && (a->kind == ANSWER_PASS || a->kind == ANSWER_HEADER);
	switch (a->kind) {
	case ANSWER_HEADER: buf_adds(rcpt ? &r->header_next : &r->header, a->text); forward(r); break;
	case ANSWER_PASS: forward(r); break;
	case ANSWER_DEFER: refuse(r, a, r->options->code, r->options->enhanced); break;
	case ANSWER_REJECT: refuse(r, a, rcpt ? "553" : "554", "5.7.1"); break;
	}
}
