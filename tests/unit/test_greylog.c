#include "check.h"

#include "learn/greylog.h"

/* 2026-11-21T12:00:00Z */
#define NOW INT64_C(1795262400)

/* "-" deferred or "+" accepted, address, name, sender, recipient, and the second within the hour. */
static void note(void *arg, const struct greylog_event *e)
{
	struct buf *out = arg;

	buf_addc(out, e->deferred ? '-' : '+');
	netaddr_add(out, &e->peer.client);
	buf_addf(out, "(%.*s)%.*s>%.*s@%lld ", SPAN_ARG(e->peer.name), SPAN_ARG(e->sender), SPAN_ARG(e->recipient),
		 (long long)(e->at % 3600));
}

struct row {
	const char *lines, *wanted;
};

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char text[2000];
		struct buf out = BUF_ON(text);
		struct greylog *g = greylog_new(NOW, note, &out);
		struct span rest = span_of(rows[i].lines), line;

		assert_non_null(g);
		while (span_cut(&rest, '\n', &line))
			greylog_line(g, line);
		if (strcmp(buf_str(&out), rows[i].wanted) != 0)
			fail_msg("row %zu: got \"%s\", wanted \"%s\"", i, buf_str(&out), rows[i].wanted);
		greylog_free(&g);
	}
}
#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof *(rows))

#define P "Nov 21 09:00:05 mx postfix/smtpd[12]: "
#define Q "Nov 21 09:00:07 mx postfix/"
#define TAIL "Recipient address rejected: Greylisted, see http://postgrey.example/help; from=<a@x.example> to=<b@y.example> proto=ESMTP helo=<mx>\n"

static void postfix(void **state)
{
	static const struct row rows[] = {
		{ P "NOQUEUE: reject: RCPT from mx.x.example[192.0.2.1]: 450 4.2.0 <b@y.example>: " TAIL,
		  "-192.0.2.1(mx.x.example)a@x.example>b@y.example@5 " },
		{ P "9EC2FA7E2A0: reject: RCPT from unknown[2001:db8::1]: 451 4.7.1 <b@y.example>: " TAIL,
		  "-2001:db8::1()a@x.example>b@y.example@5 " },
		{ P "NOQUEUE: milter-reject: RCPT from unknown[192.0.2.1]: 451 4.7.1 Greylisting in action, please come back in 00:05:00; "
		  "from=<> to=<b@y.example> proto=ESMTP helo=<mx>\n", "-192.0.2.1()>b@y.example@5 " },
		/* Refused for good, for another reason, or cut short. */
		{ P "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 550 5.7.1 <b@y.example>: " TAIL, "" },
		{ P "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 450 4.1.1 <b@y.example>: unverified; from=<a> to=<b> helo=<greylist>\n", "" },
		{ P "NOQUEUE: reject: RCPT from unknown[192.0.2.1]: 450 4.2.0 <b@y.example>: Greylisted; from=<a\n", "" },
		{ P "NOQUEUE: reject: RCPT from nowhere: 450 Greylisted; from=<a> to=<b>\n", "" },
		/* Accepted: at the time of its arrival, to whom it was meant. */
		{ P "9EC2FA7E2A0: client=mx.x.example[192.0.2.1]\n" Q "qmgr[3]: 9EC2FA7E2A0: from=<a@x.example>, size=42, nrcpt=2\n"
		  Q "local[4]: 9EC2FA7E2A0: to=<bob@y.example>, orig_to=<b@y.example>, relay=local, status=sent (delivered)\n"
		  Q "smtp[4]: 9EC2FA7E2A0: to=<c@y.example>, relay=x[10.0.0.1]:25, status=deferred (later)\n",
		  "+192.0.2.1(mx.x.example)a@x.example>b@y.example@5 +192.0.2.1(mx.x.example)a@x.example>c@y.example@5 " },
		{ P "9EC2FA7E2A0: client=h[192.0.2.1], sasl_method=PLAIN, sasl_username=u\n" Q "qmgr[3]: 9EC2FA7E2A0: from=<a>, size=42\n"
		  Q "local[4]: 9EC2FA7E2A0: to=<b>, status=sent (x)\n", "" },
		{ Q "qmgr[3]: 9EC2FA7E2A0: from=<a>, size=42\n" Q "local[4]: 9EC2FA7E2A0: to=<b>, status=sent (x)\n", "" },
	};

	(void)state;
	CHECK(rows);
}

#define S "Nov 21 09:00:05 mx sendmail[12]: xAL900xx000012: "
#define FROM S "from=<a@x.example>, size=0, class=0, nrcpts=0, proto=ESMTP, daemon=MTA, relay=mx.x.example [192.0.2.1]\n"

static void sendmail(void **state)
{
	static const struct row rows[] = {
		{ S "Milter: to=<b@y.example>, reject=451 4.7.1 Greylisting in action, please come back in 00:05:00\n" FROM,
		  "-192.0.2.1(mx.x.example)a@x.example>b@y.example@5 " },
		{ FROM S "Milter: to=<b@y.example>, reject=451 4.7.1 Greylisted\n", "-192.0.2.1(mx.x.example)a@x.example>b@y.example@5 " },
		{ S "ruleset=check_rcpt, arg1=<b@y.example>, relay=mx.x.example [192.0.2.1], reject=451 4.7.1 <b@y.example>... Greylisted\n" FROM,
		  "-192.0.2.1(mx.x.example)a@x.example>b@y.example@5 " },
		{ S "Milter: to=<b@y.example>, reject=550 5.7.1 greylist\n" FROM, "" },
		{ S "Milter: to=<b@y.example>, reject=451 4.7.1 Try later\n" FROM, "" },
		{ FROM S "to=<b@y.example>,<c@y.example>, delay=00:00:01, mailer=local, stat=Sent\n",
		  "+192.0.2.1(mx.x.example)a@x.example>b@y.example@5 +192.0.2.1(mx.x.example)a@x.example>c@y.example@5 " },
		{ S "to=<b>, stat=Sent\n", "" }, { S "to=<, stat=Sent\n", "" }, { FROM S "to=<\n" S "to=<b, stat=\n", "" },
		/* No more than are remembered. */
		{ S "Milter: to=<1>, reject=451 greylisted\n" S "Milter: to=<2>, reject=451 greylisted\n" S "Milter: to=<3>, reject=451 greylisted\n"
		  S "Milter: to=<4>, reject=451 greylisted\n" S "Milter: to=<5>, reject=451 greylisted\n" FROM,
		  "-192.0.2.1(mx.x.example)a@x.example>1@5 -192.0.2.1(mx.x.example)a@x.example>2@5 -192.0.2.1(mx.x.example)a@x.example>3@5 "
		  "-192.0.2.1(mx.x.example)a@x.example>4@5 " },
	};

	(void)state;
	CHECK(rows);
}

#define E "2026-11-21 09:00:05 +0000 "

static void exim(void **state)
{
	static const struct row rows[] = {
		{ E "H=mx.x.example (helo) [192.0.2.1] F=<a@x.example> temporarily rejected RCPT <b@y.example>: Greylisted, come back\n",
		  "-192.0.2.1(mx.x.example)a@x.example>b@y.example@5 " },
		{ E "[44] H=(a [1.2.3.4]) [192.0.2.1]:4242 X=TLS1.3:x:256 CV=no F=<> temporarily rejected RCPT b@y.example: greylisted\n",
		  "-192.0.2.1()>b@y.example@5 " },
		{ "Nov 21 09:00:05 mx exim[3]: H=mx.x.example [192.0.2.1] F=<a> temporarily rejected RCPT <b>: greylisted\n",
		  "-192.0.2.1(mx.x.example)a>b@5 " },
		{ E "H=mx.x.example [192.0.2.1] F=<a> rejected RCPT <b>: greylisted\n", "" },
		{ E "H=mx.x.example [192.0.2.1] F=<a> temporarily rejected RCPT <b>: DNS\n", "" },
		{ E "H=nobody F=<a> temporarily rejected RCPT <b>: greylisted\n", "" },
		{ E "1xUiyV-00000006NAx-26ab <= a@x.example H=mx.x.example (h) [192.0.2.1] P=esmtp S=123\n"
		  E "1xUiyV-00000006NAx-26ab => bob <b@y.example> R=local T=file\n" E "1xUiyV-00000006NAx-26ab -> c@y.example R=dns T=smtp\n",
		  "+192.0.2.1(mx.x.example)a@x.example>b@y.example@5 +192.0.2.1(mx.x.example)a@x.example>c@y.example@5 " },
		{ E "1xUiyV-00000006NAx-26ab <= a@x.example H=h [192.0.2.1] P=esmtpa A=plain:u S=123\n" E "1xUiyV-00000006NAx-26ab => b R=local\n", "" },
		{ E "1xUiyV-00000006NAx-26ab => b R=local\n", "" },
	};

	(void)state;
	CHECK(rows);
}

static void listers(void **state)
{
	static const struct row rows[] = {
		{ "Nov 21 09:00:05 mx postgrey[9]: action=greylist, reason=new, client_name=mx.x.example, client_address=192.0.2.1, "
		  "sender=a@x.example, recipient=b@y.example\n", "-192.0.2.1(mx.x.example)a@x.example>b@y.example@5 " },
		{ "Nov 21 09:00:05 mx postgrey[9]: 9EC2: action=pass, reason=triplet found, delay=310, client_name=unknown, "
		  "client_address=192.0.2.1/32, recipient=b\n", "" },
		{ "Nov 21 09:00:05 mx postgrey[9]: 9EC2: action=pass, reason=triplet found, delay=310, client_name=unknown, "
		  "client_address=192.0.2.1, recipient=b\n", "+192.0.2.1()>b@5 " },
		{ "Nov 21 09:00:05 mx sqlgrey: grey: new: 203.0.113(203.0.113.5), a@x -> u@y\n"
		  "Nov 21 09:00:06 mx sqlgrey: grey: early reconnect: 203.0.113(203.0.113.5), a@x -> u@y\n"
		  "Nov 21 09:00:09 mx sqlgrey: grey: reconnect ok: 203.0.113(203.0.113.5), a@x -> u@y (00:05:10)\n",
		  "-203.0.113.5()a@x>u@y@5 -203.0.113.5()a@x>u@y@6 +203.0.113.5()a@x>u@y@9 " },
		{ "Nov 21 09:00:05 mx milter-greylist: xAL9: addr mx.x.example[192.0.2.1] from <a@x> to <u@y> delayed for 00:30:00 (ACL 12)\n",
		  "-192.0.2.1(mx.x.example)a@x>u@y@5 " },
		{ "Nov 21 09:00:05 mx greylagd[4]: verdict=defer reason=new wait=60 client=192.0.2.1 name=mx.x.example identity=x.example "
		  "helo=mx from=<a@x.example> to=<b@y.example>\n"
		  "2026-11-21T09:00:07+0000 greylagd: verdict=pass reason=retried delayed=61 client=2001:db8::1 identity=x from=<> to=<b@y.example>\n"
		  "2026-11-21T09:00:08+0000 greylagd: verdict=reject reason=block-rule client=192.0.2.1 from=<> to=<b>\n",
		  "-192.0.2.1(mx.x.example)a@x.example>b@y.example@5 +2001:db8::1()>b@y.example@7 " },
		{ "Nov 21 09:00:05 mx jgreylist[1]: 192.0.2.1: GREY first time\nNov 21 09:00:05 mx jgreylist[1]: 192.0.2.1: OK known\n",
		  "-192.0.2.1()>@5 +192.0.2.1()>@5 " },
	};

	(void)state;
	CHECK(rows);
}

static void lines_of_s_qmail(void **state)
{
	static const struct row rows[] = {
		{ "2026-11-21 09:00:05.123456789 qmail-smtpd: pid 7 Deferred::SNDR::Grey_Listed: P:ESMTP S:m.example:192.0.2.1 H:h F:a@b T:c@d\n",
		  "-192.0.2.1()a@b>c@d@5 " },
		{ "2026-11-21 09:00:05.123456789 qmail-smtpd: pid 7 Accept::RCPT::Rcpthosts_Rcptto: P:ESMTP S:m.example:2001:db8::1 H:h F:a@b T:c@d\n",
		  "+2001:db8::1()a@b>c@d@5 " },
		{ "2026-11-21 09:00:05.123456789 qmail-smtpd: pid 7 Reject::RCPT::Failed_Rcptto: P:ESMTP S:m:192.0.2.1 H:h F:a@b T:c@d\n", "" },
	};

	(void)state;
	CHECK(rows);
}

static void nothing_of_interest(void **state)
{
	static const struct row rows[] = {
		{ "\n\n \nx\nNov 21\nNov 21 09:00:05 mx postfix/smtpd[1]:\nNov 21 09:00:05 mx postfix/smtpd[1]: :\n", "" },
		{ "Nov 21 09:00:05 mx sendmail[1]: :::\nNov 21 09:00:05 mx cron[1]: action=greylist, client_address=192.0.2.1, recipient=b\n", "" },
		{ E "H=\n" E "H= F=<\n" E " <= \n" E "x <= a H= P=\n" E "x => R=\n", "" },
		{ "Nov 21 09:00:05 mx sqlgrey: grey: new: (), ->\nNov 21 09:00:05 mx sqlgrey: grey: new: (192.0.2.1), \n", "" },
		{ "Nov 21 09:00:05 mx milter-greylist: addr [192.0.2.1] from  to  delayed for \n", "" },
	};

	(void)state;
	CHECK(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(postfix), cmocka_unit_test(sendmail), cmocka_unit_test(exim), cmocka_unit_test(listers),
		cmocka_unit_test(lines_of_s_qmail), cmocka_unit_test(nothing_of_interest),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
