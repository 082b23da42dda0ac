#include "check.h"

#include "learn/logline.h"
#include "learn/maillog.h"
#include "learn/sessions.h"
#include "learn/tally.h"

#define NOW 1795255200		/* 2026-11-21 10:00:00 UTC */

/* --- Heads of lines ---------------------------------------------------------------------- */

static void heads(void **state)
{
	static const struct {
		const char *line;
		int64_t at;
		const char *program, *pid, *text;
	} rows[] = {
		{ "Nov 21 09:59:58 mx postfix/smtpd[123]: connect from x", NOW - 2, "postfix/smtpd", "123", "connect from x" },
		{ "Nov  1 10:00:00 mx sendmail[9]: x", NOW - 20 * 86400, "sendmail", "9", "x" },
		{ "Dec 31 10:00:00 mx exim: x", NOW - 325 * 86400, "exim", "", "x" },
		{ "Nov 22 09:00:00 mx exim: x", NOW + 23 * 3600, "exim", "", "x" },
		{ "<22>Nov 21 10:00:00 mx smtpd[1]: x", NOW, "smtpd", "1", "x" },
		{ "Nov 21 10:00:00 <mail.info> mx smtpd[1]: x", NOW, "smtpd", "1", "x" },
		{ "2026-11-21T10:00:00.123456+00:00 mx postfix/smtpd[1]: x", NOW, "postfix/smtpd", "1", "x" },
		{ "2026-11-21T11:00:00+01:00 mx postfix/smtpd[1]: x", NOW, "postfix/smtpd", "1", "x" },
		{ "2026-11-21T02:00:00-0800 mx postfix/smtpd[1]: x", NOW, "postfix/smtpd", "1", "x" },
		{ "2026-11-21T10:00:00Z mx postfix/smtpd[1]: x", NOW, "postfix/smtpd", "1", "x" },
		{ "<22>1 2026-11-21T10:00:00Z mx postfix/smtpd 12 - - x y", NOW, "postfix/smtpd", "12", "x y" },
		{ "<22>1 2026-11-21T10:00:00Z mx postfix/smtpd 12 ID [a b=\"c\"] x y", NOW, "postfix/smtpd", "12", "x y" },
		{ "2026-11-21 10:00:00 1xUiyV-0006NA-26 <= a@b", NOW, "", "", "1xUiyV-0006NA-26 <= a@b" },
		{ "2026-11-21 12:00:00.500 +0200 [12] x", NOW, "", "", "[12] x" },
		{ "@400000006b016baa1dcd6500 tcpserver: status: 1/40", NOW, "", "", "tcpserver: status: 1/40" },
		/* None of them */
		{ "", 0, "", "", NULL }, { "Nov", 0, "", "", NULL }, { "Nov 21 25:00:00 mx x[1]: y", 0, "", "", NULL },
		{ "Nov 40 10:00:00 mx x[1]: y", 0, "", "", NULL }, { "Nix 21 10:00:00 mx x[1]: y", 0, "", "", NULL },
		{ "Nov 21 10:00:00 mx no tag", 0, "", "", NULL }, { "Nov 21 10:00:00", 0, "", "", NULL },
		{ "2026-13-21T10:00:00Z mx x: y", 0, "", "", NULL }, { "2026-11-21T10:00:00Zmx x: y", 0, "", "", NULL },
		{ "0000-11-21T10:00:00Z mx x: y", 0, "", "", NULL },
		{ "@400000006920 x", 0, "", "", NULL }, { "@ffffffffffffffffffffffff x", 0, "", "", NULL },
		{ "@000000000000000000000000 x", 0, "", "", NULL }, { "<22>", 0, "", "", NULL }, { "<22", 0, "", "", NULL },
		{ "<999>Nov 21 10:00:00 mx smtpd[1]: x", 0, "", "", NULL }, { "c4e8 smtp connected", 0, "", "", NULL },
	};
	struct logclock clock;
	struct logline l;

	(void)state;
	logclock_init(&clock, NOW);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		bool good = logline_parse(&clock, span_of(rows[i].line), &l);
		if (good != (rows[i].text != NULL))
			fail_msg("%s: %d", rows[i].line, good);
		if (!good)
			continue;
		if (l.at != rows[i].at)
			fail_msg("%s: at %lld, %lld off", rows[i].line, (long long)l.at, (long long)(l.at - rows[i].at));
		assert_span(l.program, rows[i].program);
		assert_span(l.pid, rows[i].pid);
		assert_span(l.text, rows[i].text);
	}
}

/* --- Formats ------------------------------------------------------------------------------- */

struct seen {
	char text[2000];
	struct buf out;
};

static void note(void *arg, const struct maillog_event *e)
{
	struct seen *s = arg;

	buf_adds(&s->out, e->what == MAILLOG_ACCEPTED ? "+" : "-");
	netaddr_add(&s->out, &e->peer.client);
	if (e->peer.name.n)
		buf_addc(&s->out, '=');
	buf_addspan(&s->out, e->peer.name);
	buf_addc(&s->out, ' ');
}

/* The lines, each with the head in front; returns how many were bad. */
static unsigned feed(const char *format, const char *head, const char *lines, struct seen *s)
{
	char text[20000];
	struct span rest = span_of(lines), line;
	struct maillog *m = maillog_new(format ? maillog_find(format) : NULL, NOW, note, s);
	unsigned bad = 0;

	assert_non_null(m);
	s->out = buf_on(s->text, sizeof s->text);
	while (span_cut(&rest, '\n', &line)) {
		struct buf b = BUF_ON(text);
		buf_adds(&b, head);
		buf_addspan(&b, line);
		bad += maillog_line(m, buf_span(&b)) == MAILLOG_BAD;
	}
	maillog_free(&m);
	return bad;
}

struct row {
	const char *lines, *events;
	unsigned bad;
};

static void check_rows(const char *format, const char *head, const struct row *rows, size_t count)
{
	struct seen s;

	for (size_t i = 0; i < count; i++)
		for (int automatic = 0; automatic < 2; automatic++) {
			unsigned bad = feed(automatic ? NULL : format, head, rows[i].lines, &s);
			if (strcmp(buf_str(&s.out), rows[i].events) != 0 || bad != rows[i].bad)
				fail_msg("%s: \"%s\", %u bad", rows[i].lines, buf_str(&s.out), bad);
		}
}

static void postfix(void **state)
{
	static const struct row rows[] = {
		{ "smtpd[1]: 9EC2: client=mx.sender.example[192.0.2.77]\ncleanup[2]: 9EC2: message-id=<x>\n"
		  "qmgr[3]: 9EC2: from=<a@b>, size=320, nrcpt=1 (queue active)\n"
		  "lmtp[4]: 9EC2: to=<b@c>, relay=x[y], delay=0.02, delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)\n"
		  "lmtp[4]: 9EC2: to=<c@c>, relay=x[y], delay=0.02, delays=0/0/0/0, dsn=2.0.0, status=sent (250 ok)\n"
		  "qmgr[3]: 9EC2: removed\n", "+192.0.2.77=mx.sender.example ", 0 },
		{ "smtpd[1]: A1: client=unknown[2001:db8::7]:4242\nsmtp[4]: A1: to=<b@c>, dsn=2.0.0, status=sent (x)\n", "+2001:db8::7 ", 0 },
		{ "smtpd[1]: A1: client=m.example[192.0.2.1], sasl_method=PLAIN, sasl_username=me\n"
		  "smtp[4]: A1: to=<b@c>, dsn=2.0.0, status=sent (x)\n", "", 0 },
		{ "smtpd[1]: A1: client=m.example[192.0.2.1]\nsmtp[4]: A1: to=<b@c>, dsn=5.0.0, status=bounced (x)\nqmgr[1]: A1: removed\n"
		  "smtp[4]: A1: to=<b@c>, dsn=2.0.0, status=sent (x)\n", "", 0 },
		{ "pickup[1]: A1: uid=0 from=<root>\nlocal[4]: A1: to=<b@c>, dsn=2.0.0, status=sent (x)\n", "", 0 },
		{ "smtpd[1]: lost connection after CONNECT from unknown[192.0.2.1]\n", "-192.0.2.1 ", 0 },
		{ "submission/smtpd[1]: lost connection after DATA (12 bytes) from m.example[192.0.2.1]\n", "-192.0.2.1=m.example ", 0 },
		{ "smtpd[1]: lost connection after RSET from unknown[192.0.2.1]\nsmtpd[1]: lost connection after QUIT from unknown[192.0.2.1]\n"
		  "smtpd[1]: lost connection after STARTTLS from unknown[192.0.2.1]\n", "", 0 },
		{ "smtpd[1]: improper command pipelining after HELO from unknown[192.0.2.1]: MAIL FROM:<a@b> from x[192.0.2.9]\\r\\n\n", "-192.0.2.1 ", 0 },
		{ "postscreen[1]: PREGREET 11 after 0.1 from [192.0.2.1]:4242: EHLO from [192.0.2.9]\n", "-192.0.2.1 ", 0 },
		{ "postscreen[1]: HANGUP after 0 from [2001:db8::1]:4242 in tests before SMTP handshake\n", "-2001:db8::1 ", 0 },
		{ "postscreen[1]: PASS NEW [192.0.2.1]:4242\nsmtpd[1]: NOQUEUE: reject: RCPT from unknown[192.0.2.80]: 454 4.7.1\n", "", 0 },
		{ "smtpd[1]: A1: client=nonsense\nsmtpd[1]: lost connection after CONNECT from unknown[unknown]\n"
		  "postscreen[1]: PREGREET\npostscreen[1]: PREGREET x\n", "", 3 },
		{ "smtpd[1]: A1: client=m.example[192.0.2.1]\ncleanup[2]: A1: reject: header Subject: x, status=sent (y) from m.example[192.0.2.1]\n", "", 0 },
		{ "smtpd[1]: : client=m.example[192.0.2.1]\nsmtpd[1]:\nsmtpd[1]: x\n", "", 0 },
	};
	static const struct row iso[] = {
		{ "2026-11-21T10:00:00+00:00 mx postfix/smtpd[1]: lost connection after EHLO from unknown[192.0.2.1]\n", "-192.0.2.1 ", 0 } };

	(void)state;
	check_rows("postfix", "Nov 21 09:00:00 mx postfix/", rows, sizeof rows / sizeof *rows);
	check_rows("postfix", "", iso, 1);
}

static void sendmail(void **state)
{
	static const struct row rows[] = {
		{ "6ALB: from=<a@b>, size=18, class=0, nrcpts=1, msgid=<x@y>, proto=ESMTP, daemon=MTA, relay=mx.sender.example [192.0.2.1]\n"
		  "6ALB: to=<b@c>, delay=00:00:00, mailer=local, pri=30018, dsn=2.0.0, stat=Sent\n"
		  "6ALB: to=<c@c>, delay=00:00:00, mailer=local, pri=30018, dsn=2.0.0, stat=Sent (ok)\n", "+192.0.2.1=mx.sender.example ", 0 },
		{ "6A: from=<a@b>, size=18, nrcpts=1, msgid=<x@y>, proto=SMTP, daemon=MTA, relay=dial.example [192.0.2.1] (may be forged)\n"
		  "6A: to=<b@c>, dsn=2.0.0, stat=Sent\n", "+192.0.2.1 ", 0 },
		{ "6A: from=<a@b>, size=18, nrcpts=1, msgid=<x@y>, proto=SMTP, daemon=MTA, relay=[IPv6:2001:db8::1]\n6A: to=<b@c>, stat=Sent\n",
		  "+2001:db8::1 ", 0 },
		{ "6A: from=<\"x, relay=v.example [192.0.2.9]\"@b>, size=18, msgid=<x@y>, proto=ESMTP, relay=m.example [192.0.2.1]\n"
		  "6A: to=<b@c>, dsn=4.0.0, stat=Deferred: x\n6A: to=<b@c>, dsn=2.0.0, stat=Sent\n", "+192.0.2.1=m.example ", 0 },
		{ "6A: from=<a@b>, size=1, msgid=<x@y>, proto=ESMTPSA, daemon=MTA, relay=m.example [192.0.2.1]\n6A: to=<b@c>, stat=Sent\n", "", 0 },
		{ "6A: from=<a@b>, size=0, class=0, nrcpts=0, proto=ESMTP, daemon=MTA, relay=m.example [192.0.2.1]\n6A: to=<b@c>, stat=Sent\n", "", 0 },
		{ "6A: from=root, size=1, msgid=<x>, relay=root@localhost\n6A: to=<b@c>, stat=Sent\n", "", 0 },
		{ "6A: m.example [192.0.2.1] did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA\n", "-192.0.2.1=m.example ", 0 },
		{ "6A: lost input channel from m.example [192.0.2.1] (may be forged) to MTA after mail\n", "-192.0.2.1 ", 0 },
		{ "6A: rejecting commands from [192.0.2.1] [192.0.2.1] due to pre-greeting traffic after 1 seconds\n", "-192.0.2.1 ", 0 },
		{ "rejecting commands from m.example [192.0.2.1] due to pre-greeting traffic after 1 seconds\n", "-192.0.2.1=m.example ", 0 },
		{ "6A: rejecting server HELO from m.example [192.0.2.1] due to traffic before response\n", "-192.0.2.1=m.example ", 0 },
		{ "6A: dial.example [192.0.2.1] (may be forged) did not issue MAIL/EXPN/VRFY/ETRN during connection to MTA\n", "-192.0.2.1 ", 0 },
		{ "6A: ruleset=check_rcpt, arg1=<\"[192.0.2.9] did not issue MAIL/EXPN/VRFY/ETRN during connection\"@x>, relay=m [192.0.2.1], reject=x\n", "", 0 },
		{ "6A: lost input channel from nobody to MTA after mail\nstarting daemon (8.17.1.9): SMTP\n6A:\n", "", 1 },
	};

	(void)state;
	check_rows("sendmail", "Nov 21 09:00:00 mx sm-mta[12]: ", rows, sizeof rows / sizeof *rows);
}

static void exim(void **state)
{
	static const struct row rows[] = {
		{ "1xUiyV-0006NA-26 <= a@b H=mx.sender.example (helo) [192.0.2.1]:4242 P=esmtp S=225\n", "+192.0.2.1=mx.sender.example ", 0 },
		{ "1xUiyV-0006NA-26 <= a@b H=mx.sender.example [192.0.2.1] P=esmtps X=TLS S=225\n", "+192.0.2.1=mx.sender.example ", 0 },
		{ "1xUiyV-0006NA-26 <= a@b H=(helo.example) [2001:db8::5]:4242 P=esmtp S=227 T=\"x A=y\"\n", "", 0 },
		{ "1xUiyV-0006NA-26 <= a@b H=(helo.example) [2001:db8::5]:4242 P=esmtp S=227\n", "+2001:db8::5 ", 0 },
		{ "1xUiyV-0006NA-26 <= a@b H=([10.1.1.1]) [192.0.2.1] P=smtp S=1\n", "+192.0.2.1 ", 0 },
		{ "1xUiyV-0006NA-26 <= \"a H=v.example [192.0.2.9] \\\" x\"@b H=[192.0.2.1] P=smtp S=1\n", "+192.0.2.1 ", 0 },
		{ "1xUiyV-0006NA-26 <= a@b H=(h) [198.51.100.1]:4242 P=esmtpa A=plain:tester S=229\n1xUiyV-0006NA-26 <= a@b U=root P=local S=1\n", "", 0 },
		{ "1x => b <b@c> R=x T=y H=m.example [192.0.2.1]\n1x Completed\nH=(h) [192.0.2.3] F=<a@b> rejected RCPT <b@c>\n", "", 0 },
		{ "unexpected disconnection while reading SMTP command from (x.example) [192.0.2.9]:4242 D=0s\n", "-192.0.2.9 ", 0 },
		{ "unexpected disconnection while reading SMTP command from m.example [192.0.2.9] (error: Connection reset)\n", "-192.0.2.9=m.example ", 0 },
		{ "SMTP connection from (x.example) [192.0.2.9]:4242 lost while reading message data (after header)\n", "-192.0.2.9 ", 0 },
		{ "SMTP connection from [192.0.2.9]:4242 (TCP/IP connection count = 1)\n", "", 0 },
		{ "SMTP protocol synchronization error (next input sent too soon: pipelining was not advertised): rejected \"RCPT TO:<b@c>\" "
		  "H=(x.example) [192.0.2.9]:4242 next input=\"DATA\\r\\n\"\n", "-192.0.2.9 ", 0 },
		{ "SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from H=[192.0.2.9]:4242 "
		  "input=\"EHLO x\"\n", "-192.0.2.9 ", 0 },
		{ "SMTP protocol synchronization error (x): rejected \"RCPT TO:<b\" H=v.example [192.0.2.7]>\" H=[192.0.2.9] next input=\"\"\n", "", 1 },
		{ "1xUiyV-0006NA-26 <= a@b H=nonsense P=esmtp\nunexpected disconnection while reading SMTP command from nobody\n1x <=\n <= \n", "", 2 },
	};
	static const struct row syslog[] = {
		{ "1xUiyV-00000006NAx-26ab <= a@b H=[192.0.2.1] P=smtp S=1\n", "+192.0.2.1 ", 0 },
		{ "2026-11-21 09:00:00 1xUiyV-0006NA-26 <= a@b H=[192.0.2.1] P=smtp S=1\n", "+192.0.2.1 ", 0 } };

	(void)state;
	check_rows("exim", "2026-11-21 09:00:00 ", rows, sizeof rows / sizeof *rows);
	check_rows("exim", "2026-11-21 09:00:00.123 +0100 [4242] ", rows, sizeof rows / sizeof *rows);
	check_rows("exim", "Nov 21 09:00:00 mx exim[12]: ", syslog, 2);
}

#define BEGIN "tcpserver: pid 25397 from 192.0.2.1\ntcpserver: ok 25397 mx.test:127.0.0.1:25 m.example:192.0.2.1::50380\n"
#define QMAIL "qmail-smtpd: pid 25397 "

static void qmail(void **state)
{
	static const struct row rows[] = {
		{ BEGIN QMAIL "Accept::RCPT::Rcpthosts_Rcptto: P:ESMTP S:m.example:192.0.2.1 H:h F:a@b T:c@d\ntcpserver: end 25397 status 0\n",
		  "+192.0.2.1 ", 0 },
		{ BEGIN "tcpserver: end 25397 status 256\n", "-192.0.2.1 ", 0 },
		{ BEGIN "tcpserver: end 25397 status 0\n", "", 0 }, { BEGIN "tcpserver: end 25397 status 11\n", "", 0 },
		{ BEGIN QMAIL "Accept::RCPT::Rcpthosts_Rcptto: P:ESMTP\ntcpserver: end 25397 status 256\n", "-192.0.2.1 ", 0 },
		{ BEGIN QMAIL "Accept::ORIG::Valid_Auth: P:ESMTPA\n" QMAIL "Accept::RCPT::x:\ntcpserver: end 25397 status 0\n", "", 0 },
		{ BEGIN QMAIL "Accept::SNDR::Relay_Client: P:SMTP\n" QMAIL "Accept::RCPT::x:\ntcpserver: end 25397 status 256\n", "", 0 },
		{ BEGIN QMAIL "Reject::RCPT::Failed_Rcptto: P:ESMTP S:m\ntcpserver: end 25397 status 0\n", "", 0 },
		{ "sslserver: pid 7 from 2001:db8::1\nsslserver: end 7 status 256\n", "-2001:db8::1 ", 0 },
		{ "1167609600.123456 tcpserver: pid 7 from 192.0.2.1\n1167609601.123456 tcpserver: end 7 status 256\n", "-192.0.2.1 ", 0 },
		{ "tcpserver: pid 7 from nowhere\ntcpserver: pid\ntcpserver: pid 7\ntcpserver: end 7 status 256\ntcpserver: end\n"
		  "tcpserver: status: 1/40\nqmail-smtpd: x\nqmail-smtpd: pid 7\n", "", 2 },
	};

	(void)state;
	check_rows("qmail", "@400000006b016baa1dcd6500 ", rows, sizeof rows / sizeof *rows);
	check_rows("qmail", "2026-11-21 09:00:00.123456789 ", rows, sizeof rows / sizeof *rows);
	check_rows("qmail", "Nov 21 09:00:00 mx smtpd: ", rows, sizeof rows / sizeof *rows);
}

#define ID "c4e824b4c12b1ce6 smtp "

static void opensmtpd(void **state)
{
	static const struct row rows[] = {
		{ ID "connected address=192.0.2.1 host=m.example\n" ID "message msgid=fcfecfbd size=429 nrcpt=1 proto=ESMTP\n"
		  ID "envelope evpid=x from=<a> to=<b>\n" ID "message msgid=fcfecfbe size=4 nrcpt=1 proto=ESMTP\n" ID "disconnected reason=disconnect\n",
		  "+192.0.2.1 +192.0.2.1 ", 0 },
		{ ID "connected address=2001:db8::1 host=<unknown>\n" ID "disconnected reason=disconnect\n", "-2001:db8::1 ", 0 },
		{ ID "connected address=192.0.2.1 host=x\n" ID "disconnected reason=\"io-error: Connection reset by peer\"\n", "-192.0.2.1 ", 0 },
		{ ID "connected address=192.0.2.1 host=x\n" ID "disconnected reason=quit\n", "", 0 },
		{ ID "connected address=192.0.2.1 host=x\n" ID "disconnected  reason=blocked\n" ID "message msgid=1\n", "", 0 },
		{ ID "connected address=192.0.2.1 host=x\n" ID "authentication user=me result=ok\n" ID "message msgid=1 size=1\n"
		  ID "disconnected reason=disconnect\n", "", 0 },
		{ ID "connected address=192.0.2.1 host=x\n" ID "authentication user=x result=ok result=permfail\n" ID "message msgid=1 size=1\n",
		  "+192.0.2.1 ", 0 },
		{ ID "event=connected address=192.0.2.1 host=x\n" ID "event=message msgid=1 size=1\n" ID "event=closed reason=quit\n", "+192.0.2.1 ", 0 },
		{ ID "connected address=local host=localhost\n" ID "message msgid=1 size=1\n", "", 0 },
		{ ID "connected\n" ID "connected adress=192.0.2.1\n" ID "\n" ID "disconnected reason=quit\n", "", 2 },
		{ "c4e824b4c12b1ce6 mda delivery evpid=x\ninfo: OpenSMTPD 6.8.0p2 starting\n", "", 0 },
	};

	(void)state;
	check_rows("opensmtpd", "Nov 21 09:00:00 mx smtpd[12]: ", rows, sizeof rows / sizeof *rows);
}

static void odd_lines(void **state)
{
	static char text[40000];
	struct seen s;
	struct maillog *m = maillog_new(NULL, NOW, note, &s);
	uint64_t seed = 3;
	static const char head[] = "Nov 21 09:00:00 mx postfix/smtpd[1]: ";

	(void)state;
	s.out = buf_on(s.text, sizeof s.text);
	memset(text, 'x', sizeof text);
	memcpy(text, head, sizeof head - 1);
	assert_int_equal(maillog_line(m, span_make(text, sizeof text)), MAILLOG_OTHER);
	assert_int_equal(maillog_line(m, span_make("\0\0\xff", 3)), MAILLOG_BAD);
	assert_int_equal(maillog_line(m, span_make("", 0)), MAILLOG_OTHER);
	for (unsigned round = 0; round < 3000; round++) {
		for (unsigned k = 0; k < 300; k++)
			text[sizeof head - 1 + k] = (char)check_random(&seed);
		maillog_line(m, span_make(text, sizeof head + 299));
	}
	assert_string_equal(buf_str(&s.out), "");
	assert_null(maillog_find("no-such"));
	maillog_free(&m);
}

/* --- What is kept ----------------------------------------------------------------------------- */

static void sessions(void **state)
{
	struct sessions *s = sessions_new();
	char text[32];
	struct peer p = { .name = span_of("m.example") };

	(void)state;
	assert_non_null(s);
	assert_null(sessions_open(s, 'x', span_of("")));
	assert_null(sessions_open(s, 'x', span_make("0123456789012345678901234567890123456789012345678901234567890123456789", 70)));
	for (unsigned i = 0; i < SESSIONS_MAX * 2; i++) {
		snprintf(text, sizeof text, "%u", i);
		struct session *new = sessions_open(s, 'x', span_of(text));
		assert_non_null(new);
		session_set_peer(new, &p);
		if (i % 3 == 0)
			sessions_drop(s, sessions_find(s, 'x', span_of(text)));
	}
	/* The newest two thirds of 1.5 tables are there. */
	snprintf(text, sizeof text, "%d", SESSIONS_MAX * 2 - 2);
	assert_non_null(sessions_find(s, 'x', span_of(text)));
	assert_null(sessions_find(s, 'y', span_of(text)));
	assert_null(sessions_find(s, 'x', span_of("1")));
	sessions_open(s, 'x', span_of(text))->ours = true;
	sessions_open(s, 'x', span_of(text));
	assert_false(sessions_find(s, 'x', span_of(text))->ours);
	sessions_free(&s);
	assert_null(s);
}

static void tallies(void **state)
{
	struct tally t = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		struct peer p = { { 4, { 192, (uint8_t)(i >> 9), (uint8_t)(i >> 1), 0 } }, span_of(i % 2 ? "b.example" : "") };
		tally_add(&t, &p, i % 2, (int64_t)i);
	}
	assert_int_equal(t.count, 50000);
	assert_int_equal(t.rows[7].good, 1);
	assert_int_equal(t.rows[7].bad, 1);
	assert_int_equal(t.rows[7].at, 15);
	assert_string_equal(t.rows[7].name, "b.example");
	struct peer p = { t.rows[7].client, span_of("c.example") };
	tally_add(&t, &p, true, 3);
	assert_string_equal(t.rows[7].name, "b.example");
	assert_int_equal(t.rows[7].at, 15);
	tally_free(&t);
	assert_int_equal(t.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads), cmocka_unit_test(postfix), cmocka_unit_test(sendmail), cmocka_unit_test(exim),
		cmocka_unit_test(qmail), cmocka_unit_test(opensmtpd), cmocka_unit_test(odd_lines), cmocka_unit_test(sessions),
		cmocka_unit_test(tallies),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
