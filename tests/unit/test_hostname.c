#include "core/hostname.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { STATIC, DYNAMIC };

struct host {
	const char *name;
	const char *address;	/* "" : unknown */
	int expected;
};

/* Lines of access networks and rented machines. */
static const struct host lines[] = {
	/* Germany */
	{ "p5089abcd.dip0.t-ipconnect.de", "80.137.171.205", DYNAMIC },
	{ "p200300e1f7123456789abcdef0123456.dip0.t-ipconnect.de", "2003:e1:f712:3456:789a:bcde:f012:3456", DYNAMIC },
	{ "p4fd01234.dip.t-dialin.net", "79.208.18.52", DYNAMIC },
	{ "ip5f5a1234.dynamic.kabel-deutschland.de", "95.90.18.52", DYNAMIC },
	{ "ip1f1298ab.dynamic.kabel-deutschland.de", "31.18.152.171", DYNAMIC },
	{ "dslb-088-064-001-002.088.064.pools.vodafone-ip.de", "88.64.1.2", DYNAMIC },
	{ "ip-037-201-012-034.um10.pools.vodafone-ip.de", "37.201.12.34", DYNAMIC },
	{ "business-24-134-12-34.pool2.vodafone-ip.de", "24.134.12.34", DYNAMIC },
	{ "hsi-kbw-46-223-12-34.hsi14.kabel-badenwuerttemberg.de", "46.223.12.34", DYNAMIC },
	{ "ip-178-201-12-34.hsi08.unitymediagroup.de", "178.201.12.34", DYNAMIC },
	{ "b2b-37-24-12-34.unitymedia.biz", "37.24.12.34", DYNAMIC },
	{ "x4db51234.dyn.telefonica.de", "77.181.18.52", DYNAMIC },
	{ "i59f4abcd.versanet.de", "89.244.171.205", DYNAMIC },
	{ "ppp-88-217-12-34.dynamic.mnet-online.de", "88.217.12.34", DYNAMIC },
	{ "port-92-193-12-34.dynamic.qsc.de", "92.193.12.34", DYNAMIC },
	{ "ppp-93-104-12-34.dynamic.mnet-online.de", "", DYNAMIC },
	{ "aftr-62-216-12-34.dynamic.mnet-online.de", "62.216.12.34", DYNAMIC },
	{ "dyndsl-037-138-012-034.ewe-ip-backbone.de", "37.138.12.34", DYNAMIC },
	{ "xdsl-78-34-12-34.netcologne.de", "78.34.12.34", DYNAMIC },
	{ "muedsl-82-207-12-34.citykom.de", "82.207.12.34", DYNAMIC },
	{ "static.88-198-12-34.clients.your-server.de", "88.198.12.34", DYNAMIC },
	{ "static.34.12.198.88.clients.your-server.de", "88.198.12.34", DYNAMIC },
	{ "h2345678.stratoserver.net", "81.169.12.34", DYNAMIC },
	{ "s15439876.onlinehome-server.info", "217.160.12.34", DYNAMIC },
	{ "vmi123456.contaboserver.net", "173.212.12.34", DYNAMIC },
	{ "vmd98765.contaboserver.net", "173.249.12.34", DYNAMIC },
	/* France */
	{ "lfbn-lyo-1-1234-56.w2-7.abo.wanadoo.fr", "2.7.123.56", DYNAMIC },
	{ "atoulouse-654-1-12-34.w86-199.abo.wanadoo.fr", "86.199.12.34", DYNAMIC },
	{ "lfbn-idf1-1-987-12.w82-125.abo.wanadoo.fr", "", DYNAMIC },
	{ "lns-bzn-1-82-64-12-34.adsl.proxad.net", "82.64.12.34", DYNAMIC },
	{ "82-64-12-34.subs.proxad.net", "82.64.12.34", DYNAMIC },
	{ "2a01-e0a-1b2-c3d0-1-2-3-4.subs.proxad.net", "2a01:e0a:1b2:c3d0:1:2:3:4", DYNAMIC },
	{ "34.12.23.93.rev.sfr.net", "93.23.12.34", DYNAMIC },
	{ "i19-les03-th2-31-36-12-34.sfr.lns.abo.bbox.fr", "31.36.12.34", DYNAMIC },
	{ "176-142-12-34.abo.bbox.fr", "176.142.12.34", DYNAMIC },
	{ "62-210-12-34.rev.poneytelecom.eu", "62.210.12.34", DYNAMIC },
	{ "vps-1a2b3c4d.vps.ovh.net", "51.75.12.34", DYNAMIC },
	{ "vps123456.ovh.net", "51.254.12.34", DYNAMIC },
	{ "34.ip-51-75-12.eu", "51.75.12.34", STATIC },	/* the organisation is one /24 itself */
	{ "ip34.ip-51-75-12.example.eu", "51.75.12.34", DYNAMIC },
	/* Italy */
	{ "host-79-12-34-56.business.telecomitalia.it", "79.12.34.56", DYNAMIC },
	{ "host34-12-dynamic.56-79-r.retail.telecomitalia.it", "79.56.12.34", DYNAMIC },
	{ "host-87-12-34-56.retail.telecomitalia.it", "", DYNAMIC },
	{ "net-93-66-12-34.cust.vodafonedsl.it", "93.66.12.34", DYNAMIC },
	{ "dynamic-adsl-78-12-34-56.clienti.tiscali.it", "78.12.34.56", DYNAMIC },
	{ "93-44-12-34.ip95.fastwebnet.it", "93.44.12.34", DYNAMIC },
	{ "ppp-12-34.20-151.libero.it", "151.20.12.34", DYNAMIC },
	{ "adsl-ull-12-34.51-151.net24.it", "151.51.12.34", DYNAMIC },
	/* Poland */
	{ "abcd123.neoplus.adsl.tpnet.pl", "83.12.34.56", DYNAMIC },
	{ "public-gprs123456.centertel.pl", "37.47.12.34", DYNAMIC },
	{ "user-46-112-12-34.play-internet.pl", "46.112.12.34", DYNAMIC },
	{ "apn-95-40-12-34.dynamic.gprs.plus.pl", "95.40.12.34", DYNAMIC },
	{ "89-64-12-34.dynamic.chello.pl", "89.64.12.34", DYNAMIC },
	{ "dynamic-78-8-12-34.ssp.dialog.net.pl", "78.8.12.34", DYNAMIC },
	{ "ip-5-172-255-10.multi.internet.cyfrowypolsat.pl", "5.172.255.10", DYNAMIC },
	{ "staticline-31-183-12-34.toya.net.pl", "31.183.12.34", DYNAMIC },
	/* Russia and neighbours */
	{ "ppp91-76-12-34.pppoe.mtu-net.ru", "91.76.12.34", DYNAMIC },
	{ "broadband-46-242-12-34.ip.moscow.rt.ru", "46.242.12.34", DYNAMIC },
	{ "95-24-12-34.broadband.corbina.ru", "95.24.12.34", DYNAMIC },
	{ "host-95-83-12-34.bbcustomer.zsttk.net", "95.83.12.34", DYNAMIC },
	{ "node-34-12-29-89.domolink.tula.net", "89.29.12.34", DYNAMIC },
	{ "dynamicip-94-180-12-34.pppoe.kzn.ertelecom.ru", "94.180.12.34", DYNAMIC },
	{ "5x164x12x34.dynamic.perm.ertelecom.ru", "5.164.12.34", DYNAMIC },
	{ "pppoe.178-66-12-34.dynamic.avangarddsl.ru", "178.66.12.34", DYNAMIC },
	{ "34-12-94-178.pool.ukrtel.net", "178.94.12.34", DYNAMIC },
	{ "176.8.12.34.dynamic.kyivstar.net", "", DYNAMIC },
	/* Iberia, Benelux, Britain, Nordics, Central Europe */
	{ "34.red-83-45-12.dynamicip.rima-tde.net", "83.45.12.34", DYNAMIC },
	{ "34.red-80-58-12.staticip.rima-tde.net", "80.58.12.34", DYNAMIC },
	{ "84.77.12.34.dyn.user.ono.com", "84.77.12.34", DYNAMIC },
	{ "cm-85-152-12-34.telecable.es", "85.152.12.34", DYNAMIC },
	{ "bl12-34-56.dsl.telepac.pt", "85.244.34.56", DYNAMIC },
	{ "a83-132-12-34.cpe.netcabo.pt", "83.132.12.34", DYNAMIC },
	{ "34.12-66-87.adsl-dyn.isp.belgacom.be", "87.66.12.34", DYNAMIC },
	{ "ptr-abcdef1234.18120a2.ip6.access.telenet.be", "", STATIC },	/* says nothing that can be read */
	{ "d54c1a2b3.access.telenet.be", "84.193.162.179", DYNAMIC },
	{ "ip5650abcd.adsl-surfen.hetnet.nl", "86.80.171.205", DYNAMIC },
	{ "84-104-12-34.cable.dynamic.v4.ziggo.nl", "84.104.12.34", DYNAMIC },
	{ "2a02-a442-1234-1-abcd-ef01-2345-6789.fixed6.kpn.net", "2a02:a442:1234:1:abcd:ef01:2345:6789", DYNAMIC },
	{ "cpc1-heme3-0-0-cust287.9-1.cable.virginm.net", "82.28.41.32", DYNAMIC },
	{ "host86-134-12-34.range86-134.btcentralplus.com", "86.134.12.34", DYNAMIC },
	{ "5ec1a2b3.skybroadband.com", "94.193.162.179", DYNAMIC },
	{ "host-92-26-12-34.as13285.net", "92.26.12.34", DYNAMIC },
	{ "c-5eeb1234-74736162.cust.telenor.se", "94.235.18.52", DYNAMIC },
	{ "h-98-128-12-34.a785.priv.bahnhof.se", "98.128.12.34", DYNAMIC },
	{ "0x50a1b2c3.static.example.dk", "80.161.178.195", DYNAMIC },
	{ "ti0012a400-1234.bb.online.no", "", STATIC },
	{ "dsl-hkibng12-50dcab-12.dhcp.inet.fi", "80.220.171.12", DYNAMIC },
	{ "chello084112012034.4.11.vie.surfer.at", "84.112.12.34", DYNAMIC },
	{ "84-112-12-34.cable.dynamic.surfer.at", "84.112.12.34", DYNAMIC },
	{ "34.12.203.62.dynamic.wline.res.cust.swisscom.ch", "62.203.12.34", DYNAMIC },
	{ "xdsl-31-165-12-34.adslplus.ch", "31.165.12.34", DYNAMIC },
	{ "ip-89-176-12-34.bb.vodafone.cz", "89.176.12.34", DYNAMIC },
	{ "84-236-12-34.pool.digikabel.hu", "84.236.12.34", DYNAMIC },
	{ "adsl-89-217-12-34.dinamic.example.rs", "89.217.12.34", DYNAMIC },
	{ "athedsl-123456.home.otenet.gr", "", DYNAMIC },
	{ "ppp-94-66-12-34.home.otenet.gr", "94.66.12.34", DYNAMIC },
	/* Turkey, Middle East, Africa */
	{ "88.231.12.34.dynamic.ttnet.com.tr", "88.231.12.34", DYNAMIC },
	{ "88.249.12.34.static.ttnet.com.tr", "88.249.12.34", DYNAMIC },
	{ "host-82-222-12-34.reverse.superonline.net", "82.222.12.34", DYNAMIC },
	{ "bzq-79-181-12-34.red.bezeqint.net", "79.181.12.34", DYNAMIC },
	{ "adsl-188-158-12-34.sepanta.example.ir", "188.158.12.34", DYNAMIC },
	{ "host-41.235.12.34.tedata.net", "41.235.12.34", DYNAMIC },
	{ "dsl-41-164-12-34.telkomadsl.co.za", "41.164.12.34", DYNAMIC },
	{ "197-89-12-34.dsl.mweb.co.za", "197.89.12.34", DYNAMIC },
	/* Brazil and Latin America */
	{ "177-12-34-56.user.vivozap.com.br", "177.12.34.56", DYNAMIC },
	{ "20158001002.user.veloxzone.com.br", "201.58.1.2", DYNAMIC },
	{ "201058001002.user.veloxzone.com.br", "201.58.1.2", DYNAMIC },
	{ "187-12-34-56.user3p.veloxzone.com.br", "187.12.34.56", DYNAMIC },
	{ "c9abcdef.virtua.com.br", "201.171.205.239", DYNAMIC },
	{ "bd211234.virtua.com.br", "189.33.18.52", DYNAMIC },
	{ "187.12.34.56.static.host.gvt.net.br", "187.12.34.56", DYNAMIC },
	{ "201-68-12-34.dsl.telesp.net.br", "201.68.12.34", DYNAMIC },
	{ "189-72-12-34.cbace700.dsl.brasiltelecom.net.br", "189.72.12.34", DYNAMIC },
	{ "customer-187-210-12-34.uninet-ide.com.mx", "187.210.12.34", DYNAMIC },
	{ "dsl-189-180-12-34-dyn.prod-infinitum.com.mx", "189.180.12.34", DYNAMIC },
	{ "fixed-187-188-12-34.totalplay.net", "187.188.12.34", DYNAMIC },
	{ "201.141.12.34.cable.dyn.cableonline.com.mx", "201.141.12.34", DYNAMIC },
	{ "customer-mty-12-34.megared.net.mx", "", STATIC },
	{ "customer-12-34.megared.net.mx", "", DYNAMIC },
	{ "190-48-12-34.speedy.com.ar", "190.48.12.34", DYNAMIC },
	{ "host34.190-30-12.telecom.net.ar", "190.30.12.34", DYNAMIC },
	{ "34-12-89-200.fibertel.com.ar", "200.89.12.34", DYNAMIC },
	{ "pc-34-12-161-190.cm.vtr.net", "190.161.12.34", DYNAMIC },
	{ "cable190-248-12-34.une.net.co", "190.248.12.34", DYNAMIC },
	{ "static-186-154-12-34.static.etb.net.co", "186.154.12.34", DYNAMIC },
	{ "client-190.236.12.34.speedy.net.pe", "190.236.12.34", DYNAMIC },
	{ "190-38-12-34.dyn.dsl.cantv.net", "190.38.12.34", DYNAMIC },
	/* India, China, Vietnam, Japan, Korea and neighbours */
	{ "abts-north-dynamic-034.12.161.122.airtelbroadband.in", "122.161.12.34", DYNAMIC },
	{ "abts-tn-static-034.12.164.122.airtelbroadband.in", "122.164.12.34", DYNAMIC },
	{ "triband-mum-59.182.12.34.mtnl.net.in", "59.182.12.34", DYNAMIC },
	{ "static-34.12.248.111-tataidc.co.in", "111.248.12.34", DYNAMIC },
	{ "segment-119-226.sify.net", "", STATIC },
	{ "34.12.45.117.broad.sh.sh.dynamic.163data.com.cn", "117.45.12.34", DYNAMIC },
	{ "34.12.80.218.broad.xw.sh.dynamic.163data.com.cn", "", DYNAMIC },
	{ "adsl-pool.jlccptt.net.cn", "222.168.12.34", DYNAMIC },
	{ "114-34-12-56.hinet-ip.hinet.net", "114.34.12.56", DYNAMIC },
	{ "114-24-12-34.dynamic-ip.hinet.net", "114.24.12.34", DYNAMIC },
	{ "static.vnpt.vn", "14.160.12.34", DYNAMIC },
	{ "dynamic.vnpt.vn", "113.161.12.34", DYNAMIC },
	{ "dynamic-ip-adsl.viettel.vn", "171.224.12.34", DYNAMIC },
	{ "adsl.viettel.vn", "115.72.12.34", DYNAMIC },
	{ "localhost.vnpt.example", "123.16.12.34", DYNAMIC },
	{ "p1234-ipad01marunouchi.tokyo.ocn.ne.jp", "", DYNAMIC },
	{ "p4165-ipngn200412osakachuo.osaka.ocn.ne.jp", "153.202.12.34", DYNAMIC },
	{ "ntttkyo123456.tkyo.nt.ftth.ppp.infoweb.ne.jp", "", DYNAMIC },
	{ "softbank126001002003.bbtec.net", "126.1.2.3", DYNAMIC },
	{ "kd111222112133.ppp-bb.dion.ne.jp", "111.222.112.133", DYNAMIC },
	{ "fl1-118-109-12-34.tky.mesh.ad.jp", "118.109.12.34", DYNAMIC },
	{ "pdf5f1234.tokynt01.ap.so-net.ne.jp", "223.95.18.52", DYNAMIC },
	{ "zaq31fb1234.rev.zaq.ne.jp", "49.251.18.52", DYNAMIC },
	{ "121-83-12-34f1.hyg1.eonet.ne.jp", "121.83.12.34", DYNAMIC },
	{ "ppp-171-96-12-34.revip8.asianet.co.th", "171.96.12.34", DYNAMIC },
	{ "34.12.subnet125-160-12.speedy.telkom.net.id", "125.160.12.34", DYNAMIC },
	{ "180.190.12.34.pldt.example.ph", "180.190.12.34", DYNAMIC },
	/* USA, Canada, Australia */
	{ "c-24-16-12-34.hsd1.wa.comcast.net", "24.16.12.34", DYNAMIC },
	{ "c-24-16-12-34.hsd1.wa.comcast.net", "", DYNAMIC },
	{ "cpe-76-90-12-34.socal.res.rr.com", "76.90.12.34", DYNAMIC },
	{ "075-128-012-034.res.spectrum.com", "75.128.12.34", DYNAMIC },
	{ "pool-96-240-12-34.nycmny.fios.verizon.net", "96.240.12.34", DYNAMIC },
	{ "static-96-240-12-34.nycmny.fios.verizon.net", "96.240.12.34", DYNAMIC },
	{ "adsl-75-18-12-34.dsl.pltn13.sbcglobal.net", "75.18.12.34", DYNAMIC },
	{ "99-5-12-34.lightspeed.sntcca.sbcglobal.net", "99.5.12.34", DYNAMIC },
	{ "ip68-9-12-34.ri.ri.cox.net", "68.9.12.34", DYNAMIC },
	{ "wsip-70-168-12-34.ri.ri.cox.net", "70.168.12.34", DYNAMIC },
	{ "h34.12.213.151.dynamic.ip.windstream.net", "151.213.12.34", DYNAMIC },
	{ "71-34-12-56.ptld.qwest.net", "71.34.12.56", DYNAMIC },
	{ "ool-18b91234.dyn.optonline.net", "24.185.18.52", DYNAMIC },
	{ "user-0c2h5ab.cable.mindspring.com", "", DYNAMIC },
	{ "rrcs-24-172-12-34.central.biz.rr.com", "24.172.12.34", DYNAMIC },
	{ "mobile-166-137-12-34.mycingular.net", "166.137.12.34", DYNAMIC },
	{ "172-58-12-34.t-mobile.example.com", "172.58.12.34", DYNAMIC },
	{ "customer.sttlwax1.pop.starlinkisp.net", "", DYNAMIC },
	{ "cpe00fc8d1a2b3c-cm00fc8d1a2b3a.sdns.net.rogers.com", "99.250.12.34", DYNAMIC },
	{ "modemcable034.12-56-74.mc.videotron.ca", "74.56.12.34", DYNAMIC },
	{ "bras-base-mtrlpq02-1234567890.dsl.bell.ca", "73.150.2.210", DYNAMIC },
	{ "d75-157-12-34.bchsia.telus.net", "75.157.12.34", DYNAMIC },
	{ "s0106a0b1c2d3e4f5.vc.shawcable.net", "", STATIC },
	{ "cpe-1-128-12-34.bpb-r-033.vic.bigpond.net.au", "1.128.12.34", DYNAMIC },
	{ "ppp121-44-12-34.lns20.syd7.internode.on.net", "121.44.12.34", DYNAMIC },
	{ "118-92-12-34.dsl.dyn.ihug.co.nz", "118.92.12.34", DYNAMIC },
	/* Rented machines */
	{ "ec2-54-12-34-56.compute-1.amazonaws.com", "54.12.34.56", DYNAMIC },
	{ "ec2-18-185-12-34.eu-central-1.compute.amazonaws.com", "18.185.12.34", DYNAMIC },
	{ "34.12.154.104.bc.googleusercontent.com", "104.154.12.34", DYNAMIC },
	{ "li123-45.members.linode.com", "97.107.12.45", DYNAMIC },
	{ "45-33-12-34.ip.linodeusercontent.com", "45.33.12.34", DYNAMIC },
	{ "45.32.12.34.vultrusercontent.com", "45.32.12.34", DYNAMIC },
	{ "ip-184-168-12-34.ip.secureserver.net", "184.168.12.34", DYNAMIC },
	{ "192-185-12-34.unifiedlayer.com", "192.185.12.34", DYNAMIC },
	{ "srv123456.hstgr.cloud", "82.180.12.34", DYNAMIC },
	{ "vps-12345.example.net", "198.51.100.9", DYNAMIC },
	/* Spellings */
	{ "dyn-1-2-3-4.isp5.example", "1.2.3.4", DYNAMIC },
	{ "dyn-1-2-3-4.isp5.example", "", DYNAMIC },
	{ "203.0.113.7.isp.example", "203.0.113.7", DYNAMIC },
	{ "203_0_113_7.isp.example", "203.0.113.7", DYNAMIC },
	{ "a203x0x113x7.isp.example", "203.0.113.7", DYNAMIC },
	{ "203000113007.isp.example", "203.0.113.7", DYNAMIC },
	{ "007113000203.isp.example", "203.0.113.7", DYNAMIC },
	{ "203-000.113-007.isp.example", "203.0.113.7", DYNAMIC },
	{ "cb007107.isp.example", "203.0.113.7", DYNAMIC },
	{ "077100cb.isp.example", "203.0.113.7", DYNAMIC },
	{ "cb-00-71-07.isp.example", "203.0.113.7", DYNAMIC },
	{ "n3405803783.isp.example", "203.0.113.7", DYNAMIC },
	{ "CB007107.ISP.EXAMPLE.", "203.0.113.7", DYNAMIC },
	{ "7-113-0.a.isp.example", "203.0.113.7", DYNAMIC },
	{ "203-0-113.net.isp.example", "203.0.113.7", DYNAMIC },
	{ "20010db8000a000b0000000000000001.isp.example", "2001:db8:a:b::1", DYNAMIC },
	{ "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.b.0.0.0.a.0.0.0.8.b.d.0.1.0.0.2.isp.example", "2001:db8:a:b::1", DYNAMIC },
	{ "2001-db8-a-b--1.isp.example", "2001:db8:a:b::1", DYNAMIC },
	{ "ip6.2001.db8.a.b.isp.example", "2001:db8:a:b::1", DYNAMIC },
	{ "021a2bfffe3c4d5e.v6.isp.example", "2001:db8:a:b:21a:2bff:fe3c:4d5e", DYNAMIC },
	{ "4.3.2.1.in-addr.arpa", "1.2.3.4", DYNAMIC },
	{ "unassigned.isp.example", "203.0.113.7", DYNAMIC },
	{ "dhcpclient7.isp.example", "203.0.113.7", DYNAMIC },
	{ "pc12.home.isp.example", "203.0.113.7", DYNAMIC },
	{ "a.pppoe.isp.example", "", DYNAMIC },
	/* A mail word does not help a name with the address and a line's word. */
	{ "mail-203-0-113-7.dyn.isp.example", "203.0.113.7", DYNAMIC },
	{ "mail.static.203-0-113-7.isp.example", "203.0.113.7", DYNAMIC },
	{ "smtp-203-0-113-7.clients.isp.example", "203.0.113.7", DYNAMIC },
};

/* Mail servers. */
static const struct host servers[] = {
	{ "mail-ej1-f54.google.com", "209.85.218.54", STATIC },
	{ "mail-sor-f41.google.com", "209.85.220.41", STATIC },
	{ "mail-ej1-x634.google.com", "2a00:1450:4864:20::634", STATIC },
	{ "mail-eopbgr10051.outbound.protection.outlook.com", "40.107.1.51", STATIC },
	{ "mail-db5eur01on0044.outbound.protection.outlook.com", "104.47.2.44", STATIC },
	{ "mail-am6eur05olkn2013.outbound.protection.outlook.com", "40.92.91.13", STATIC },
	{ "mail-vi1eur05on20701.outbound.protection.outlook.com", "2a01:111:f400:7d00::701", STATIC },
	{ "bay004-omc1s12.hotmail.com", "65.54.190.23", STATIC },
	{ "sonic312-24.consmr.mail.ne1.yahoo.com", "66.163.191.205", STATIC },
	{ "nm21-vm6.bullet.mail.ir2.yahoo.com", "212.82.96.96", STATIC },
	{ "a48-92.smtp-out.amazonses.com", "54.240.48.92", STATIC },
	{ "a8-31.smtp-out.amazonses.com", "54.240.8.31", STATIC },
	{ "b224-15.smtp-out.eu-central-1.amazonses.com", "69.169.224.15", STATIC },
	{ "e234-12.smtp-out.ap-southeast-1.amazonses.com", "23.251.234.12", STATIC },
	{ "o1.ptr2625.example.com", "167.89.12.34", STATIC },
	{ "o1.sg.crunchbase.com", "167.89.93.77", STATIC },
	{ "o11.sgmail.github.com", "167.89.101.202", STATIC },
	{ "wrqvnpnc.outbound-mail.sendgrid.net", "149.72.90.12", STATIC },
	{ "149-72-90-12.outbound-mail.sendgrid.net", "149.72.90.12", STATIC },
	{ "m198-140.mailgun.net", "198.61.254.140", STATIC },
	{ "m43-7.mailgun.net", "69.72.43.7", STATIC },
	{ "rs224.mailgun.us", "209.61.151.224", STATIC },
	{ "mail104.suw15.mcsv.net", "198.2.180.104", STATIC },
	{ "mail177-12.suw61.mandrillapp.com", "198.2.177.12", STATIC },
	{ "systemalerts3.mailchimp.com", "205.201.134.254", STATIC },
	{ "mta-70-12-34.sparkpostmail.com", "147.253.212.34", STATIC },
	{ "mta67c.sparkpostmail.com", "156.70.12.34", STATIC },
	{ "mta195a-ord.mtasv.net", "104.245.209.195", STATIC },
	{ "sc-ord-mta116.mtasv.net", "50.31.156.116", STATIC },
	{ "st43p00im-ztbu10073601.me.com", "17.58.63.184", STATIC },
	{ "pv50p00im-ztdg10021201.me.com", "17.58.6.43", STATIC },
	{ "ms-10029.dsmtp.icloud.example", "17.57.12.34", STATIC },
	{ "mout.gmx.net", "212.227.15.18", STATIC },
	{ "mout.web.de", "212.227.17.11", STATIC },
	{ "mout.kundenserver.de", "212.227.126.131", STATIC },
	{ "mailout04.t-online.de", "194.25.134.18", STATIC },
	{ "mo4-p00-ob.smtp.rzone.de", "85.215.255.20", STATIC },
	{ "f123.i.mail.ru", "94.100.181.12", STATIC },
	{ "fallback1.mail.ru", "185.5.136.1", STATIC },
	{ "smtp29.i.mail.ru", "94.100.177.89", STATIC },
	{ "forward102a.mail.yandex.net", "178.154.239.85", STATIC },
	{ "forward500b.mail.yandex.net", "2a02:6b8:c02:901:0:1472:0:b8", STATIC },
	{ "smtp-15.smtpout.orange.fr", "80.12.242.15", STATIC },
	{ "out.smtpout.orange.fr", "193.252.22.213", STATIC },
	{ "smtp5-g21.free.fr", "212.27.42.5", STATIC },
	{ "smtpfb2-g21.free.fr", "212.27.42.10", STATIC },
	{ "msa.laposte.example.net", "160.92.124.96", STATIC },
	{ "10.mo64.mail-out.ovh.net", "46.105.54.10", STATIC },
	{ "resqmta-ch2-01v.sys.comcast.net", "69.252.207.33", STATIC },
	{ "resdmta-c1p-023.sys.comcast.net", "96.102.19.53", STATIC },
	{ "cdptpa-cmomta02.email.rr.com", "107.14.166.231", STATIC },
	{ "eastrmfepo102.cox.net", "68.230.241.214", STATIC },
	{ "mta4.srv.hcvlny.cv.net", "167.206.4.199", STATIC },
	{ "smtp80.ord1d.emailsrvr.com", "184.106.54.80", STATIC },
	{ "sender4-of-o51.zoho.com", "136.143.188.51", STATIC },
	{ "sender11-op-o12.zoho.eu", "31.186.226.12", STATIC },
	{ "mta.e.exacttarget.example", "13.111.12.34", STATIC },
	{ "mta12.s7.exacttarget.com", "136.147.12.34", STATIC },
	{ "smtp10-ia4-sp2.mta.salesforce.com", "13.110.74.201", STATIC },
	{ "bid0912.bf03.hubspotemail.net", "139.180.12.34", STATIC },
	{ "ke.d.sender-sib.com", "77.32.148.15", STATIC },
	{ "ao.d.mailin.fr", "185.107.232.12", STATIC },
	{ "eu-smtp-delivery-1.mimecast.com", "185.58.85.151", STATIC },
	{ "us-smtp-1.mimecast.com", "205.139.110.120", STATIC },
	{ "mx0a-001b2d01.pphosted.com", "148.163.156.1", STATIC },
	{ "mx0b-00082601.pphosted.com", "67.231.153.30", STATIC },
	{ "mail1.bemta25.messagelabs.com", "195.245.230.1", STATIC },
	{ "mail6.bemta12.messagelabs.com", "216.82.251.12", STATIC },
	{ "outbound-ip8a.ess.barracuda.com", "209.222.82.175", STATIC },
	{ "out-b.example.hes.trendmicro.eu", "18.185.115.12", STATIC },
	{ "repost01.tmes.trendmicro.com", "18.208.22.64", STATIC },
	{ "out-18.smtp.github.com", "192.30.252.201", STATIC },
	{ "github-smtp2-ext8.iad.github.net", "192.30.252.199", STATIC },
	{ "mailc-aa.linkedin.com", "108.174.3.123", STATIC },
	{ "mail17-26-ac.linkedin.com", "108.174.6.170", STATIC },
	{ "66-220-144-152.mail-mail.facebook.com", "66.220.144.152", STATIC },
	{ "69-171-232-140.mail-mail.facebook.com", "69.171.232.140", STATIC },
	{ "spring-chicken-az.twitter.com", "199.16.156.166", STATIC },
	{ "spruce-goose-av.x.com", "199.59.150.91", STATIC },
	{ "mailsea.docusign.net", "209.46.117.173", STATIC },
	{ "outbyoip4.pod17.use1.zdsys.com", "188.172.137.4", STATIC },
	{ "o11.mailer.shopify.com", "149.72.235.154", STATIC },
	{ "a27-34.smtp-out.us-west-2.amazonses.com", "54.240.27.34", STATIC },
	{ "delivery.mailspamprotection.com", "146.66.121.212", STATIC },
	{ "ext-smtp11.eu.battle.net", "80.239.186.47", STATIC },
	{ "out203-205-221-155.mail.qq.com", "203.205.221.155", STATIC },
	{ "smtpbg150.qq.com", "18.132.163.193", STATIC },
	{ "m15-112.163.com", "220.181.15.112", STATIC },
	{ "out28-101.mail.aliyun.com", "115.124.28.101", STATIC },
	{ "mail3-166.sinamail.sina.com.cn", "202.108.3.166", STATIC },
	{ "smtpa31.poczta.onet.pl", "213.180.142.31", STATIC },
	{ "mx4.wp.pl", "212.77.101.12", STATIC },
	{ "smtp-31.italiaonline.it", "213.209.10.31", STATIC },
	{ "smtpcmd0987.aruba.it", "62.149.156.87", STATIC },
	{ "smtp302.alice.it", "82.57.200.118", STATIC },
	{ "smtp.retail.telecomitalia.it", "217.169.121.12", STATIC },
	{ "relay5-d.mail.gandi.net", "217.70.183.197", STATIC },
	{ "out5-smtp.messagingengine.com", "66.111.4.29", STATIC },
	{ "mail-4316.protonmail.ch", "185.70.43.16", STATIC },
	{ "mailrelay.tugraz.at", "129.27.2.202", STATIC },
	{ "bendel.debian.org", "82.195.75.100", STATIC },
	{ "vger.kernel.org", "23.128.96.18", STATIC },
	{ "lists.sourceforge.net", "216.105.38.7", STATIC },
	/* Small servers at Hetzner, OVH and elsewhere, with names of their own */
	{ "mail.example.org", "88.198.12.34", STATIC },
	{ "mx1.kleinefirma.example", "2a01:4f8:c0c:1234::1", STATIC },
	{ "server.verein.example", "51.75.12.34", STATIC },
	{ "vps.example.org", "51.75.12.34", STATIC },
	{ "vps1.example.org", "51.75.12.34", STATIC },
	{ "zeus.example.de", "188.40.12.34", STATIC },
	{ "web7.hoster.example", "192.0.2.7", STATIC },
	{ "example.org", "192.0.2.7", STATIC },
	{ "203-0-113-7.mail.example.org", "203.0.113.7", STATIC },
	{ "mail-209-85-208-51.example", "209.85.208.51", STATIC },
	{ "mail-209-85-208-51.out.example", "209.85.208.51", STATIC },
	{ "outbound-209-85-1-1.mail.example", "209.85.1.1", STATIC },
	{ "mx-cb007107.relay.example.net", "203.0.113.7", STATIC },
	/* A mail word against a line's word, no address */
	{ "smtp.dyn.isp.example", "203.0.113.7", STATIC },
	{ "mail.dsl.isp.example", "203.0.113.7", STATIC },
	{ "relay.customer.isp.example", "", STATIC },
	{ "mx.home.example.org", "203.0.113.7", STATIC },
	{ "mail.203-0-113.isp.example", "203.0.113.7", STATIC },
	/* Words inside other words, and as the organisation itself */
	{ "homer.example.org", "", STATIC },
	{ "reservations.hotel.example", "", STATIC },
	{ "poolside.resort.example", "", STATIC },
	{ "clientmail.example", "", STATIC },
	{ "hostname1.example", "", STATIC },
	{ "user.example", "192.0.2.1", STATIC },
	{ "dynamic.example", "192.0.2.1", STATIC },
	{ "dsl.co.uk", "192.0.2.1", STATIC },
	{ "a.dsl.co.uk", "192.0.2.1", STATIC },
	{ "dyn.dsl.co.uk", "192.0.2.1", DYNAMIC },
	{ "a.pool.com.br", "192.0.2.1", STATIC },
	{ "www.dynamics.example", "192.0.2.1", STATIC },
	{ "dynamics.crm.example", "192.0.2.1", STATIC },
	{ "natalie.example.org", "192.0.2.1", STATIC },
	{ "apnic.registry.example", "192.0.2.1", STATIC },
	{ "customs.gov.example", "192.0.2.1", STATIC },
	{ "mobility.firm.example", "192.0.2.1", STATIC },
	{ "fiberglass.shop.example", "192.0.2.1", STATIC },
	{ "research.lab.example", "192.0.2.1", STATIC },
	{ "statics.example.org", "192.0.2.1", STATIC },
	{ "broadcast.radio.example", "192.0.2.1", STATIC },
	{ "modemoiselle.example.org", "192.0.2.1", STATIC },
	{ "usergroup.example.org", "192.0.2.1", STATIC },
	/* Names that the replays of this project use */
	{ "h123.org45.example", "11.0.4.5", STATIC },
	{ "h123.org45.example", "2a00::7b:1", STATIC },
	{ "h1.org1.example", "11.0.1.1", STATIC },
	{ "mx12345.gmail.example", "11.0.48.57", STATIC },
	{ "mx12345.gmail.example", "2a00::3039", STATIC },
	{ "mx48-57.gmail.example", "11.0.48.57", STATIC },
	{ "mail.site7.example", "11.0.0.7", STATIC },
	{ "m3.snow4.example", "11.0.3.4", STATIC },
	{ "mx.lists3.example", "11.0.0.3", STATIC },
	{ "fwd.alumni.example", "11.0.0.3", STATIC },
	/* Pieces of an address that prove nothing */
	{ "m1-1-1.rack.example", "10.1.1.1", STATIC },
	{ "db0.row1.rack2.example", "10.0.1.2", STATIC },
	{ "node113-7.example.org", "203.0.113.7", STATIC },
	{ "node203-0.example.org", "203.0.113.7", STATIC },
	{ "203-113-0-7.example.org", "203.0.113.7", STATIC },
	{ "203-0-abc-113-7.example.org", "203.0.113.7", STATIC },
	{ "1203-0-1137.example.org", "203.0.113.7", STATIC },
	{ "host0000000000000001.example.org", "2001:db8::1", STATIC },
	{ "a-0-0-0.example.org", "2001:db8::1", STATIC },
	{ "n11012.example.org", "11.0.1.2", STATIC },
};

static void check(const struct host *table, size_t n)
{
	unsigned wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct netaddr client = { 0 };
		if (*table[i].address)
			assert_true(netaddr_parse(span_of(table[i].address), &client));
		if (!hostname_valid(span_of(table[i].name))) {
			print_error("not valid: %s\n", table[i].name);
			wrong++;
		}
		if (hostname_dynamic(span_of(table[i].name), &client) != (table[i].expected == DYNAMIC)) {
			print_error("%s [%s] is not %s\n", table[i].name, table[i].address,
				    table[i].expected ? "dynamic" : "static");
			wrong++;
		}
	}
	assert_int_equal(wrong, 0);
}

static void test_lines(void **state)
{
	(void)state;
	check(lines, sizeof lines / sizeof *lines);
}

static void test_servers(void **state)
{
	(void)state;
	check(servers, sizeof servers / sizeof *servers);
	assert_true(sizeof lines / sizeof *lines + sizeof servers / sizeof *servers >= 250);
}

/* Upper case and a final dot change no answer. */
static void test_case(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char text[300];
		struct buf b = BUF_ON(text);
		struct netaddr client = { 0 };
		netaddr_parse(span_of(lines[i].address), &client);
		buf_adds(&b, lines[i].name);
		for (size_t k = 0; k < b.n; k++)
			if (text[k] >= 'a' && text[k] <= 'z')
				text[k] = (char)(text[k] - 32);
		buf_addc(&b, '.');
		assert_int_equal(hostname_dynamic(buf_span(&b), &client), lines[i].expected);
	}
}

static void test_valid(void **state)
{
	static const char *const good[] = {
		"a.b", "mail.example.org", "mail.example.org.", "_dmarc.example.org", "x-1.y_2.example",
		"1.2.3.example", "xn--bcher-kva.example", "A.B", "3com.example", "a.1b",
	};
	static const char *const bad[] = {
		"", ".", "..", "localhost", "localhost.", ".example.org", "mail..example.org", "a.b..",
		"192.0.2.1", "[192.0.2.1]", "2001:db8::1", "a.b.1", "mail example.org", "a.b\n", "b\303\274.example",
		"unknown", "a/b.example", "a.example,b.example",
	};
	char text[300];

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(hostname_valid(span_of(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (hostname_valid(span_of(bad[i])))
			fail_msg("valid: %s", bad[i]);
	assert_false(hostname_valid(span_make("a\0.example", 10)));
	memset(text, 'a', sizeof text);
	text[63] = '.';
	assert_true(hostname_valid(span_make(text, 70)));
	text[63] = 'a';
	text[64] = '.';
	assert_false(hostname_valid(span_make(text, 70)));
	for (size_t i = 1; i < sizeof text; i += 2)
		text[i] = '.';
	text[64] = 'a';
	assert_true(hostname_valid(span_make(text, 253)));
	assert_true(hostname_valid(span_make(text, 254)));	/* 253 and a final dot */
	assert_false(hostname_valid(span_make(text, 255)));
}

/* Any bytes of any length, with any address: no crash, under the sanitizers too. */
static void test_hostile(void **state)
{
	static const char alphabet[] = "0123456789abcdefxyz.-_\0\377 dsl.pool.mail.";
	uint64_t x = 88172645463325252u;
	char text[400];

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		struct netaddr client = { 0 };
		client.family = round % 3 == 0 ? 0 : round % 3 == 1 ? 4 : 6;
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		size_t n = x % sizeof text;
		for (size_t i = 0; i < n; i++) {
			x ^= x << 13, x ^= x >> 7, x ^= x << 17;
			text[i] = alphabet[(x >> 20) % (sizeof alphabet - 1)];
		}
		memcpy(client.bytes, &x, client.family == 4 ? 4 : 8);
		hostname_dynamic(span_make(text, n), &client);
		hostname_valid(span_make(text, n));
	}
	struct netaddr none = { 0 };
	assert_false(hostname_dynamic(span_make(NULL, 0), &none));
	memset(text, '1', sizeof text);
	assert_false(hostname_dynamic(span_make(text, sizeof text), &none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_hostile),
	};
	return cmocka_run_group_tests_name("hostname", tests, NULL, NULL);
}
