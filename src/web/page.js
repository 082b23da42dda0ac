"use strict";
/* Whatever comes from mail is put into the page as text, never as markup. */
const POLL_MS = 3000, HISTORY_MS = 60000, SPARK = 120, KEPT = 250, SHOWN = 25, MORE = 75;
const VERDICTS = ["defer", "reject", "observe", "pass"];
const VERDICT_TEXT = { defer: "deferred", reject: "rejected", observe: "observed", pass: "passed" };
const NEVER = "9999-";

const $ = id => document.getElementById(id);
const page = { csrf: "", mayAct: false, started: "", after: 0, recent: [], samples: [], paused: false, shown: SHOWN, days: 1, history: null,
               away: false, timer: 0, polling: false, fresh: new Set() };

function el(tag, set, ...children) {
  const e = tag.startsWith("svg:") ? document.createElementNS("http://www.w3.org/2000/svg", tag.slice(4))
                                   : document.createElement(tag);
  for (const [name, value] of Object.entries(set || {}))
    if (name === "onclick") e.addEventListener("click", value);
    else e.setAttribute(name, value);
  e.append(...children);   /* strings become text nodes */
  return e;
}
const fill = (e, ...children) => e.replaceChildren(...children);
function say(id, text) {
  const e = $(id);
  if (e.textContent !== text) e.textContent = text;
}

/* --- Words and numbers ---------------------------------------------------------------- */

const number = new Intl.NumberFormat("en");
const small = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const count = n => number.format(n);
const brief = n => n < 100000 ? number.format(n) : small.format(n);

function duration(s) {
  if (s < 60) return `${Math.round(s)} s`;
  if (s < 3600) return s % 60 && s < 600 ? `${Math.floor(s / 60)} min ${Math.round(s % 60)} s` : `${Math.round(s / 60)} min`;
  if (s < 86400) return s % 3600 >= 60 ? `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min` : `${Math.floor(s / 3600)} h`;
  return s % 86400 >= 3600 ? `${Math.floor(s / 86400)} d ${Math.floor(s % 86400 / 3600)} h` : `${Math.floor(s / 86400)} d`;
}
function micros(us) {
  return us < 1000 ? `${us} µs` : us < 1000000 ? `${+(us / 1000).toPrecision(3)} ms` : `${+(us / 1000000).toPrecision(3)} s`;
}
function bytes(n) {
  let unit = 0;
  for (; n >= 1000 && unit < 4; unit++) n /= 1000;
  return `${unit ? n.toPrecision(3) : n} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}
function percent(part, all) {
  if (!all) return "–";
  const p = 100 * part / all;
  return `${p && p < 10 ? p.toFixed(p < 1 ? 2 : 1) : Math.round(p)} %`;
}
function clock(epoch) {
  const t = new Date(epoch * 1000), today = new Date().toDateString() === t.toDateString();
  return today ? t.toLocaleTimeString("en-GB") : `${t.toLocaleDateString("en-GB", { day: "numeric", month: "short" })} ${t.toLocaleTimeString("en-GB").slice(0, 5)}`;
}
function when(iso) {
  if (!iso) return "";
  if (iso.startsWith(NEVER)) return "no end";
  const t = new Date(iso);
  return el("time", { datetime: iso, title: t.toLocaleString() },
            `${t.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" })} ${t.toLocaleTimeString("en-GB").slice(0, 5)}`);
}

/* --- Asking --------------------------------------------------------------------------- */

class Refused extends Error {}

async function ask(path, body) {
  const options = { cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(body ? 20000 : 8000) };
  if (body) Object.assign(options, { method: "POST", body: JSON.stringify(body),
                                     headers: { "Content-Type": "application/json", "X-CSRF-Token": page.csrf } });
  const response = await fetch(path, options);
  if (response.status === 401) location.assign("login");
  const answer = await response.json();
  if (!response.ok) throw new Refused(answer.error || `status ${response.status}`);
  return answer;
}
function because(error) {
  return error instanceof Refused ? error.message : "greylag-web does not answer";
}

/* --- State ---------------------------------------------------------------------------- */

function showAway(problem) {
  $("away").hidden = !problem;
  if (problem) say("away", problem.startsWith("greylag-web") ? `${problem}; trying again.` : `greylagd does not answer; trying again. (${problem})`);
  if (!!problem === page.away) return;
  page.away = !!problem;
  if (!problem) say("live", "greylagd answers again");
  $("daemon").className = problem ? "pill bad" : "pill good";
}

function showStatus(s, now) {
  const store = s.store, server = s.server;
  say("daemon", `greylagd ${s.version}, up ${duration(s.uptime_s)}`);
  $("daemon").className = "pill good";
  $("mode").hidden = s.mode !== "observe";
  say("mode", "observes only: nothing is deferred");
  $("amnesty").hidden = !s.amnesty_until;
  say("amnesty", s.amnesty_until ? `nothing is delayed until ${new Date(s.amnesty_until).toLocaleString("en-GB")}` : "");
  say("answer", micros(s.latency_us.p99));
  say("answer-sub", `99 % within; half within ${micros(s.latency_us.p50)}`);
  const good = store.health === "good";
  say("store", good ? store.driver : "trouble");
  $("store").className = good ? "" : "bad";
  say("store-sub", good ? `good, ${brief(store.records)} records, ${bytes(store.disk_bytes || store.memory_bytes)}` : store.health);
  say("waiting", brief(store.waiting));
  say("waiting-sub", `${count(server.in_flight)} requests in flight, ${count(server.connections)} connections`);
  say("about", `${count(s.requests)} requests since ${new Date(s.started).toLocaleString("en-GB")}. Configuration ${s.config}. Times are this browser's.`);
  page.samples.push({ t: performance.now(), n: s.requests });
  if (page.samples.length > SPARK + 1) page.samples.shift();
  drawSpark();
}

function drawSpark() {
  const s = page.samples, rates = [];
  for (let i = 1; i < s.length; i++) rates.push(Math.max(0, (s[i].n - s[i - 1].n) * 1000 / (s[i].t - s[i - 1].t)));
  const last = rates.slice(-3), rate = last.length ? last.reduce((a, b) => a + b, 0) / last.length : 0;
  say("rate", !last.length ? "–" : rate >= 10 ? brief(Math.round(rate)) : rate.toFixed(1));
  const svg = $("spark"), width = svg.clientWidth || 100, top = Math.max(...rates, 1);
  svg.setAttribute("viewBox", `0 0 ${width} 18`);
  const step = width / Math.min(SPARK - 1, Math.max(rates.length - 1, 20));
  const path = rates.map((r, i) => `${i ? "L" : "M"}${(width - (rates.length - 1 - i) * step).toFixed(1)} ${(16.5 - 15 * r / top).toFixed(1)}`).join("");
  fill(svg, el("svg:path", { d: path || "M0 16.5" }));
}

function takeState(state) {
  page.csrf = state.csrf || "";
  if (page.started !== state.status.started) {
    if (page.started) state.recent = [];   /* it began anew: asked for again, from the start */
    Object.assign(page, { started: state.status.started, recent: [], after: 0, samples: [] });
  }
  $("logout").hidden = !state.csrf;
  page.mayAct = state.may_act;
  $("act-form").hidden = $("to-act").hidden = !state.may_act;
  $("act-not").hidden = state.may_act;
  say("act-not", state.read_only ? "This page only shows: its control socket of greylagd is read-only." :
    "This page only shows: greylag-web was started without a token (greylag-web(8)).");
  showStatus(state.status, state.now);
  page.fresh = new Set(page.after ? state.recent.map(r => r.number) : []);
  keepRecent(state.recent);
  if (!page.paused && (state.recent.length || !$("recent-rows").tBodies[0].rows.length)) showRecent();
  document.querySelector("main").hidden = false;
}

/* Passes do not wash out what was deferred, here as in greylagd. */
function keepRecent(rows) {
  if (!rows.length) return;
  page.after = rows[rows.length - 1].number;
  const all = page.recent.concat(rows);
  page.recent = [...all.filter(isShown).slice(-KEPT), ...all.filter(r => !isShown(r)).slice(-KEPT)].sort((a, b) => a.number - b.number);
}

async function poll() {
  if (page.polling) return;
  clearTimeout(page.timer);
  page.polling = true;
  let next = document.hidden ? 10 * POLL_MS : POLL_MS;
  try {
    const before = page.started;
    takeState(await ask(`api/state?after=${page.after}`));
    showAway("");
    if (before && before !== page.started) next = 100;
    if (!before) { loadHistory(); loadList(); }
  } catch (error) {
    showAway(because(error));
  }
  page.polling = false;
  page.timer = setTimeout(poll, next);
}

/* --- History -------------------------------------------------------------------------- */

const sumOf = reasons => Object.values(reasons || {}).reduce((a, b) => a + b, 0);

async function loadHistory() {
  try {
    page.history = await ask(`api/history?days=${page.days}`);
    showHistory();
  } catch (error) {
    page.history = null;
    say("history-note", because(error));
  }
}

function periods(h) {
  const all = new Map();
  for (let t = h.since; t <= h.until; t += h.step_s) all.set(t, { time: t, sums: [0, 0, 0, 0] });
  for (const row of h.rows) {
    const p = all.get(row.time);
    if (p) p.sums = VERDICTS.map(v => sumOf(row.verdicts[v]));
  }
  return [...all.values()];
}

function periodName(h, t) {
  const d = new Date(t * 1000);
  return h.step_s < 86400 ? d.toLocaleString("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" })
                          : d.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
}
function tickName(h, t) {
  const d = new Date(t * 1000);
  if (h.step_s < 86400) return d.toLocaleTimeString("en-GB").slice(0, 5);
  return d.toLocaleDateString("en-GB", page.days > 100 ? { month: "short", timeZone: "UTC" } : { day: "numeric", month: "short", timeZone: "UTC" });
}

function niceTop(n) {
  const power = 10 ** Math.floor(Math.log10(Math.max(n, 1)));
  return Math.max(power > 1 ? 0 : 3, (power > 1 ? [1.2, 1.5, 1.8, 2.4, 3, 4.5, 6, 7.5, 9, 12] : [3, 6, 9, 12]).map(f => f * power).find(f => f >= n));
}

function drawChart(h, rows) {
  const svg = $("chart"), W = svg.clientWidth || 600, H = svg.clientHeight || 190, left = 44, bottom = 18, top = 8;
  const most = niceTop(Math.max(...rows.map(r => r.sums.reduce((a, b) => a + b, 0)))), y = n => H - bottom - (H - bottom - top) * n / most;
  const step = (W - left) / rows.length, parts = [], every = Math.ceil(rows.length / Math.max(2, Math.floor((W - left) / 76)));
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  for (let i = 0; i <= 3; i++) {
    const n = most * i / 3;
    parts.push(el("svg:line", { class: "gridline", x1: left, x2: W, y1: y(n), y2: y(n) }));
    parts.push(el("svg:text", { x: left - 7, y: y(n) + 4, "text-anchor": "end" }, small.format(n)));
  }
  rows.forEach((row, i) => {
    const x = left + i * step, gap = step > 6 ? Math.min(4, step * .18) : step > 3 ? .8 : 0, g = el("svg:g");
    let below = 0;
    row.sums.forEach((n, v) => {
      if (!n) return;
      const height = Math.max(y(below) - y(below + n), .8);
      g.append(el("svg:rect", { class: VERDICTS[v], x: x + gap / 2, y: y(below) - height, width: step - gap, height }));
      below += n;
    });
    g.append(el("svg:rect", { class: "hit", x, y: top, width: step, height: H - bottom - top },
      el("svg:title", null, `${periodName(h, row.time)}: ${row.sums.map((n, v) => `${count(n)} ${VERDICT_TEXT[VERDICTS[v]]}`).join(", ")}`)));
    parts.push(g);
    if (i % every === 0 && x + 30 < W)
      parts.push(el("svg:text", { x: x + (page.days > 100 ? 0 : step / 2), y: H - 4, "text-anchor": i ? "middle" : "start" }, tickName(h, row.time)));
  });
  fill(svg, ...parts);
}

function bar(name, n, most, kind, title) {
  const i = el("i", { class: kind });
  i.style.width = `${most ? 100 * n / most : 0}%`;
  return el("tr", n ? {} : { class: "none" }, el("td", { title: title || name }, name), el("td", null, n ? i : ""), el("td", null, count(n)));
}

function showHistory() {
  const h = page.history, rows = periods(h), reasons = [], delays = new Map();
  let delayed = 0, delayed_s = 0;
  const total = [0, 0, 0, 0];
  for (const r of rows) r.sums.forEach((n, v) => { total[v] += n; });
  const sums = new Map();
  for (const row of h.rows) {
    delayed += row.delayed || 0;
    delayed_s += row.delayed_s || 0;
    for (const b of row.delays) delays.set(b.under ?? Infinity, (delays.get(b.under ?? Infinity) || 0) + b.count);
    for (const v of VERDICTS) for (const [reason, n] of Object.entries(row.verdicts[v] || {}))
      sums.set(`${v} ${reason}`, (sums.get(`${v} ${reason}`) || 0) + n);
  }
  for (const [key, n] of sums) reasons.push([...key.split(" "), n]);
  reasons.sort((a, b) => b[2] - a[2]);
  const all = total.reduce((a, b) => a + b, 0), name = { 1: "24 hours", 3: "3 days", 30: "30 days", 365: "year" }[page.days];
  for (const e of document.querySelectorAll(".range")) e.textContent = `last ${name}`;
  say("deferred", percent(total[0], all));
  say("deferred-sub", `${count(total[0])} of ${count(all)} requests`);
  say("delay", delayed ? duration(Math.round(delayed_s / delayed)) : "–");
  say("delay-sub", delayed ? `of ${count(delayed)} ${delayed === 1 ? "mail" : "mails"} let in after a retry` : "no mail was let in after a retry");
  say("history-note", all ? "" : "Nothing was asked in this time.");
  drawChart(h, rows);
  fill($("history-table").querySelector("tbody"), ...rows.filter(r => r.sums.some(n => n)).reverse().map(r =>
    el("tr", null, el("td", null, periodName(h, r.time)), ...r.sums.map(n => el("td", null, count(n))))));
  fill($("reasons").tBodies[0], ...reasons.slice(0, 12).map(([v, reason, n]) => bar(reason, n, reasons[0][2], v, `${VERDICT_TEXT[v]}, ${reason}`)));
  showDelays(delays);
}

/* The history's bounds, and what to call what lies under each. */
const DELAYS = [[60, "under 1 min"], [120, "1 to 2 min"], [300, "2 to 5 min"], [600, "5 to 10 min"], [900, "10 to 15 min"], [1800, "15 to 30 min"],
  [3600, "30 to 60 min"], [7200, "1 to 2 h"], [14400, "2 to 4 h"], [28800, "4 to 8 h"], [86400, "8 to 24 h"], [Infinity, "over a day"]];

function showDelays(delays) {
  const most = Math.max(...delays.values(), 1);
  for (const under of delays.keys()) if (!DELAYS.some(d => d[0] === under)) DELAYS.push([under, `under ${duration(under)}`]);
  fill($("delays").tBodies[0], ...DELAYS.map(([under, name]) => bar(name, delays.get(under) || 0, most, "defer")));
}

/* --- Recent decisions ----------------------------------------------------------------- */

const isShown = r => r.verdict !== "pass" || r.reason === "retried" || r.reason.startsWith("store-") || r.reason === "malformed" || r.reason === "overload";

function matches(r, text) {
  return !text || ["verdict", "reason", "client", "name", "identity", "helo", "from", "to", "rule", "queue"]
    .some(f => (r[f] || "").toLowerCase().includes(text));
}

function detail(r) {
  if (r.wait !== undefined) return `${r.reason}, wait ${duration(r.wait)}`;
  return r.delayed !== undefined ? `${r.reason} after ${duration(r.delayed)}` : r.reason;
}

function recentRow(r) {
  const who = r.name || r.client || "–", more = [r.name ? r.client : "", r.identity && r.identity !== r.client ? `as ${r.identity}` : "", r.rule ? `rule ${r.rule}` : ""].filter(t => t);
  const kind = r.verdict === "observe" ? `would ${r.would}` : VERDICT_TEXT[r.verdict];
  return el("tr", page.fresh.has(r.number) ? { class: "new" } : {},
    el("td", null, el("time", { datetime: new Date(r.time * 1000).toISOString() }, clock(r.time))),
    el("td", null, el("span", { class: `verdict ${r.verdict}` }, kind), el("small", null, detail(r))),
    el("td", null, who, el("small", null, more.join(", "))),
    el("td", null, r.from === undefined ? "" : r.from || "<>", " ", el("span", { class: "arrow" }, "→ "), r.to || "–", r.stage ? el("small", null, `at ${r.stage}`) : ""),
    el("td", null, el("button", { type: "button", class: "quiet", "data-number": r.number, "aria-label": `Why: ${r.reason}, ${r.from || "<>"} to ${r.to || "nobody"}`, onclick: () => whyOf(r) }, "Why")));
}

function showRecent() {
  const kind = $("recent-kind").value, text = $("recent-filter").value.trim().toLowerCase(), body = $("recent-rows").tBodies[0];
  const rows = page.recent.filter(r => (kind === "shown" ? isShown(r) : !kind || r.verdict === kind) && matches(r, text));
  const focused = document.activeElement?.dataset?.number;
  fill(body, ...rows.slice(-page.shown).reverse().map(recentRow));
  if (focused) body.querySelector(`[data-number="${focused}"]`)?.focus();
  $("recent-more").hidden = rows.length <= page.shown;
  $("recent-none").hidden = rows.length > 0;
  say("recent-none", page.recent.length ? "None of the recent ones is of this kind." : "Nothing has been asked yet.");
  say("fresh", `${count(rows.length)} of the last ${count(page.recent.length)}`);
  showTop();
}

function showTop() {
  const field = $("top-field").value, sums = new Map();
  for (const r of page.recent) {
    const deferred = r.verdict === "defer" || r.verdict === "reject" || r.would === "defer";
    if (r[field] && (deferred || field === "client" || field === "rule")) sums.set(r[field], (sums.get(r[field]) || 0) + 1);
  }
  const top = [...sums].sort((a, b) => b[1] - a[1]).slice(0, 12), kind = field === "client" || field === "rule" ? "pass" : "defer";
  fill($("top").tBodies[0], ...top.map(([name, n]) => bar(name, n, top[0][1], kind)));
}

/* --- Why ------------------------------------------------------------------------------ */

function fact(name, ...value) {
  return [el("dt", null, name), el("dd", null, ...value)];
}

function evidenceText(e) {
  if (!e.found) return [`${e.what}: never seen`];
  const held = e.held_until ? [", held until ", when(e.held_until)] : [];
  if (e.passed_at) return [`${e.what}: passed since `, when(e.passed_at), e.expired ? ", expired " : ", kept until ", when(e.expires), ...held];
  return [`${e.what}: first seen `, when(e.first_seen), `, deferred ${e.blocked === 1 ? "once" : `${count(e.blocked)} times`}, `, e.expired ? "lapsed " : "a retry passes until ", when(e.expires), ...held];
}

function showWhy(question, answer) {
  const facts = [];
  const verdict = answer.verdict === "observe" ? `would ${answer.would}` : VERDICT_TEXT[answer.verdict] || answer.verdict;
  facts.push(...fact("Now", el("span", { class: `verdict ${answer.verdict}` }, verdict), `, ${answer.reason}: ${answer.meaning}`));
  if (answer.identity) facts.push(...fact("Identity", answer.identity, ` (${answer.identity_kind}${answer.dynamic ? ", the name looks dynamic" : ""})`));
  facts.push(...fact("Rule", answer.entry ? `${answer.rule_file}, ${answer.entry}` : answer.rule_line ? `${answer.rule_file}:${answer.rule_line}` : "none"));
  for (const l of answer.lookups || []) facts.push(...fact("Look-up", `${l.kind} ${l.what === l.kind ? "" : l.what}: ${l.answer}`));
  for (const e of (answer.evidence || []).filter(e => e && (e.found || !["correspondent", "expected"].includes(e.what)))) facts.push(...fact("Evidence", ...evidenceText(e)));
  if (answer.passes_at) facts.push(...fact("Retry", "passes from ", when(answer.passes_at), `, in ${duration(answer.wait_s)}`));
  facts.push(...fact("Reply", answer.reply));
  fill($("why-facts"), ...fact("Question", `${question.client}${question.name ? ` ${question.name}` : ""}, ${question.sender || "<>"} → ${question.recipient || "nobody"}${question.stage ? ` at ${question.stage}` : ""}`), ...facts);
  const changed = Object.values(question).some(v => /\.\.\.$|\\x[0-9a-f]{2}/i.test(v));
  say("why-note", changed ? "A text was cut or its bytes were written as \\x.., so this may not be the same question." : "This is what would be decided now; the first attempt may have changed it.");
  showActs(question, answer);
}

/* What one may do about it: each fills in the form, where it can still be changed. */
function showActs(question, answer) {
  const identity = answer.identity || question.client, kind = /[/:]|^[0-9.]+$/.test(identity) ? "client" : "name";
  const offer = (label, values) => el("button", { type: "button", class: "quiet", onclick: () => prepare(values) }, label);
  fill($("why-acts"), ...(page.mayAct ? [
    offer(`Allow ${identity}…`, { action: "allow", kind, value: identity }),
    offer(`Block ${identity}…`, { action: "block", kind, value: identity }),
    offer("Allow this recipient…", { action: "allow", kind: "recipient", value: question.recipient }),
    offer(`Forget ${identity}…`, { action: "forget", kind: "client", value: identity }),
    offer("Expect mail…", { action: "expect", value: question.recipient, for: "15m" })] : []));
}

async function why(question) {
  fill($("why-facts"));
  fill($("why-acts"));
  say("why-note", "Asking …");
  if (!$("why").open) $("why").showModal();
  try {
    showWhy(question, await ask("api/why", question));
  } catch (error) {
    say("why-note", `No answer: ${because(error)}`);
  }
}
const whyOf = r => why({ client: r.client || "", name: r.name || "", helo: r.helo || "", sender: r.from || "", recipient: r.to || "", stage: r.stage || "" });

/* --- Actions -------------------------------------------------------------------------- */

const KINDS = { allow: ["client", "name", "sender", "recipient", "domain"], block: ["client", "name", "sender", "recipient", "domain"],
                forget: ["client", "sender", "recipient"], expect: [] };
const EXAMPLES = { client: "192.0.2.0/24", name: "example.org", sender: "alice@example.org", recipient: "bob@example.net", domain: "example.com" };
const BUTTON = { allow: "Allow", block: "Block", forget: "Look what would be forgotten", expect: "Expect" };

function fitForm(keep) {
  const f = $("act-form").elements, action = f.action.value, was = keep || f.kind.value;
  for (const label of $("act-form").querySelectorAll("[data-for]")) label.hidden = !label.dataset.for.split(" ").includes(action);
  fill(f.kind, ...KINDS[action].map(k => el("option", { value: k }, k)));
  if (KINDS[action].includes(was)) f.kind.value = was;
  say("value-label", action === "expect" ? "Recipient" : action === "forget" ? "Pattern" : "Value");
  f.value.placeholder = action === "expect" ? EXAMPLES.recipient : EXAMPLES[f.kind.value];
  f.for.placeholder = action === "expect" ? "15m" : "ever";
  f.for.required = action === "expect";
  askAgain(null);
}

/* Forgetting shows first how much it would be. */
function askAgain(number) {
  const action = $("act-form").elements.action.value;
  $("act-form").dataset.sure = number === null ? "" : "yes";
  say("act-go", number === null ? BUTTON[action] : number === 1 ? "Forget 1 record" : `Forget ${count(number)} records`);
}

function prepare(values) {
  const f = $("act-form").elements;
  if ($("why").open) $("why").close();
  $("act-form").reset();
  f.action.value = values.action;
  fitForm(values.kind);
  for (const [name, value] of Object.entries(values)) if (name !== "action" && name !== "kind") f[name].value = value;
  tell("Check it, then press the button.");
  $("act").scrollIntoView({ block: "center" });
  $("act-go").focus();
}

function tell(text, bad) {
  $("act-said").className = bad ? "bad" : "";
  say("act-said", text);
}

function outcome(body, rows) {
  const last = rows[rows.length - 1] || {}, first = rows[0] || {};
  if (body.action === "forget") return last.forgotten === 1 ? "1 record forgotten." : `${count(last.forgotten || 0)} records forgotten.`;
  const until = (first.until || "").startsWith(NEVER) ? "without end" : first.until ? `until ${new Date(first.until).toLocaleString("en-GB")}` : "";
  return `${first.value || body.value}: ${first.outcome === "present" ? "already there" : first.outcome || "done"} ${until}`.trim() + ".";
}

async function act(event) {
  event.preventDefault();
  const f = $("act-form").elements, body = {};
  for (const name of ["action", "kind", "value", "from", "for", "comment"])
    if (f[name].value.trim() && !f[name].closest("label").hidden) body[name] = f[name].value.trim();
  const look = body.action === "forget" && !$("act-form").dataset.sure;
  if (look) body.dry_run = true;
  $("act-go").disabled = true;
  tell("…");
  try {
    const answer = await ask("api/action", body), sum = answer.rows[answer.rows.length - 1] || {};
    if (look && sum.forgotten) {
      tell(sum.forgotten > 50 ? "These are many: really?" : "Really?");
      askAgain(sum.forgotten);
    } else {
      tell(look ? "No record matches." : outcome(body, answer.rows));
      if (!look) { f.value.value = ""; fitForm(); loadList(); }
    }
  } catch (error) {
    tell(because(error), true);
    askAgain(null);
  }
  $("act-go").disabled = false;
  $("act-go").focus();
}

/* --- Living lists --------------------------------------------------------------------- */

function listRow(list, r) {
  const note = r.cause ? `${r.cause}, held ${r.strikes} times` : r.domains ? `forwards for about ${r.domains} domains? ${r.name}` :
    [r.author, r.comment].filter(t => t).join(": ");
  const cells = [el("td", null, r.value, el("small", null, r.kind)), el("td", null, when(r.until) || "–"), el("td", null, note)];
  const last = el("td");
  if (page.mayAct && r.list !== "proposed")
    last.append(el("button", { type: "button", class: "quiet", "aria-label": `Remove ${r.value} from ${r.list}`, onclick: event => unlist(event.target, r) }, "Remove"));
  return el("tr", null, ...cells, last);
}

async function unlist(button, r) {
  if (!button.dataset.sure) {
    button.dataset.sure = "yes";
    button.textContent = "Really?";
    setTimeout(() => { delete button.dataset.sure; button.textContent = "Remove"; }, 4000);
    return;
  }
  button.disabled = true;
  try {
    const answer = await ask("api/action", { action: "unlist", list: r.list, kind: r.kind, value: r.value });
    await loadList();
    say("list-note", answer.rows[0]?.outcome === "absent" ? `${r.value} is not on ${r.list} any more.` : `${r.value} was removed from ${r.list}.`);
  } catch (error) {
    button.disabled = false;
    say("list-note", because(error));
  }
}

async function loadList() {
  const list = $("list-name").value.trim() || "allow";
  try {
    const answer = await ask(`api/lists?list=${encodeURIComponent(list)}&pattern=${encodeURIComponent($("list-pattern").value.trim())}`);
    fill($("list-rows").tBodies[0], ...answer.rows.map(r => listRow(list, r)));
    say("list-note", answer.more ? `The first ${count(answer.rows.length)}; there are more.` : answer.rows.length ? "" : `Nothing is on ${list}.`);
  } catch (error) {
    fill($("list-rows").tBodies[0]);
    say("list-note", because(error));
  }
}

/* --- Start ---------------------------------------------------------------------------- */

function start() {
  $("days").addEventListener("change", event => { page.days = +event.target.value; loadHistory(); });
  for (const id of ["recent-kind", "recent-filter"]) $(id).addEventListener("input", () => { page.fresh.clear(); page.shown = SHOWN; showRecent(); });
  $("recent-more").addEventListener("click", () => {
    page.shown += MORE;
    showRecent();
    $("recent-rows").tBodies[0].rows[page.shown - MORE]?.querySelector("button").focus();
  });
  $("top-field").addEventListener("input", showTop);
  $("pause").addEventListener("click", () => {
    page.paused = !page.paused;
    $("pause").setAttribute("aria-pressed", page.paused);
    say("pause", page.paused ? "Paused" : "Pause");
    if (!page.paused) showRecent();
  });
  $("why-close").addEventListener("click", () => $("why").close());
  $("why-form").addEventListener("submit", event => { event.preventDefault(); why(Object.fromEntries(new FormData(event.target))); });
  $("lists-form").addEventListener("submit", event => { event.preventDefault(); loadList(); });
  $("list-name").addEventListener("change", loadList);
  $("act-form").addEventListener("submit", act);
  $("act-form").addEventListener("input", event => { if (["action", "kind"].includes(event.target.name)) fitForm(); else askAgain(null); });
  $("logout").addEventListener("click", async () => { await ask("logout", {}).catch(() => {}); location.assign("login"); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
  new ResizeObserver(() => { if (page.history) drawChart(page.history, periods(page.history)); drawSpark(); }).observe($("chart"));
  setInterval(() => { if (!document.hidden && !page.away) loadHistory(); }, HISTORY_MS);
  fitForm();
  poll();
}
start();
