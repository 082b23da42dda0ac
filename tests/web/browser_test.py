#!/usr/bin/python3
"""The dashboard in a real Chromium, against a real greylagd. Debian's own Python, which has
Selenium. With SHOTS=FOLDER in the environment it leaves pictures there."""
import contextlib
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from harness import LIMIT, Asker, Skip, Tests, check, equal, wait_for
from web import TOKEN, Web

try:
    from selenium import webdriver
    from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
except ImportError:
    webdriver = None

test = Tests(__doc__)
test.parser.add_argument("--web", default="build/src/web/greylag-web")
HOSTILE = "\"><img/src=x/onerror=document.title='owned'>@evil.example"


class Page:
    """A browser on a greylag-web on a greylagd."""

    def __init__(self, t, config="", token=TOKEN):
        if not webdriver or not pathlib.Path("/usr/bin/chromedriver").exists():
            raise Skip("no chromium-driver and python3-selenium")
        self.t, self.daemon = t, t.daemon(config)
        self.web = Web(t.args.web, t.folder, self.daemon.control, token=token)
        t.at_end(self.web.stop)
        self.asker = Asker(self.daemon.socket)
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-proxy-server",
                     "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1", f"--user-data-dir={t.folder / 'profile'}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.b = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
        t.at_end(self.b.quit)
        self.b.set_page_load_timeout(LIMIT)
        self.size(1280, 1000)
        self.b.get(self.web.url)
        if token:
            self.find("input[name=token]").send_keys(token + Keys.ENTER)
        self.wait(lambda: self.find("main").is_displayed() and self.text("#daemon").startswith("greylagd"), "the page")

    def ask(self, **words):
        return self.asker.ask(**words)

    def size(self, width, height):
        self.b.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                               {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})
        self.wait(lambda: self.b.execute_script("return innerWidth") == width, f"the page to be {width} px wide")

    def dark(self, yes):
        self.b.execute_cdp_cmd("Emulation.setEmulatedMedia",
                               {"features": [{"name": "prefers-color-scheme", "value": "dark" if yes else "light"}]})

    def find(self, selector):
        return self.b.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector):
        return self.b.execute_script("return document.querySelector(arguments[0])?.textContent ?? ''", selector)

    def wait(self, condition, what):
        def holds():
            with contextlib.suppress(NoSuchElementException, StaleElementReferenceException):  # between two pages
                return condition()
        return wait_for(holds, what)

    def keys(self, *keys):
        webdriver.ActionChains(self.b).send_keys(*keys).perform()

    def focused(self):
        return self.b.execute_script("const e = document.activeElement; return `${e.closest('section, dialog')?.id ?? ''} ${e.id} ${e.textContent.trim().slice(0, 40)}`")

    def shot(self, name):
        if os.environ.get("SHOTS"):
            self.b.save_screenshot(f"{os.environ['SHOTS']}/{name}.png")

    def complaints(self):
        return [e["message"] for e in self.b.get_log("browser") if "503" not in e["message"] and "ERR_CONNECTION" not in e["message"]]


@test
def load_and_live_update(t):
    p = Page(t)
    equal(p.b.title, "greylag")
    check("Nothing has been asked yet" in p.text("#recent"), "empty at first")
    p.ask(client_name="mx.example.org", sender="alice@example.org", recipient="bob@example.net")
    p.wait(lambda: "alice@example.org" in p.text("#recent-rows"), "the new decision, without a reload")
    row = p.text("#recent-rows tbody tr")
    for word in ("deferred", "new, wait 1 min", "mx.example.org", "as example.org", "bob@example.net"):
        check(word in row, f"{word} in {row}")
    p.b.execute_script("loadHistory()")
    p.wait(lambda: p.text("#deferred") == "100 %", "the figures")
    check(p.b.execute_script("return document.querySelectorAll('#chart rect.defer').length") == 1, "a bar")
    check("new" in p.text("#reasons"), "reasons")
    for _ in range(300):
        p.ask(client_address="192.0.2.99", recipient="x@example.net", sasl_username="me", sasl_method="PLAIN")
    p.wait(lambda: p.b.execute_script("return page.recent.length") > 200, "many passes")
    check("alice@example.org" in p.text("#recent-rows"), "do not wash out what was deferred")
    p.find("#recent-filter").send_keys("nobody-at-all")
    check("None of the recent ones" in p.text("#recent"), "filter")
    equal(p.complaints(), [], "the browser's console")


@test
def hostile_texts(t):
    p = Page(t)
    p.ask(sender=HOSTILE, helo_name="<script>document.title='owned'</script>", recipient="bob@example.net")
    p.ask(client_name="</td><b>x", sender="\u202emoc.elgoog@example.org", recipient="<b>@example.net", queue_id="<i>")
    p.wait(lambda: "evil.example" in p.text("#recent-rows"), "the row")
    check("<img/src=x/onerror=" in p.text("#recent-rows"), "as text")
    p.b.execute_script("document.querySelector('#recent-rows tbody tr:last-child button').click()")
    p.wait(lambda: "Identity" in p.text("#why-facts") or "No answer" in p.text("#why-note"), "why")
    p.shot("hostile")
    equal(p.b.title, "greylag")
    equal(p.b.execute_script("return document.querySelectorAll('main img, main script, main i:not([class]), main b, dialog img').length"), 0, "no markup")
    equal(p.complaints(), [])


@test
def allow_by_keyboard(t):
    p = Page(t)
    p.ask(client_address="198.51.100.9", sender="alice@example.org", recipient="bob@example.net")
    p.wait(lambda: "alice@example.org" in p.text("#recent-rows"), "the row")
    p.b.execute_script("document.body.focus()")
    for _ in range(60):
        p.keys(Keys.TAB)
        if p.focused() == "recent  Why":
            break
    equal(p.focused(), "recent  Why")
    p.keys(Keys.ENTER)
    p.wait(lambda: "never seen" in p.text("#why-facts") or "first seen" in p.text("#why-facts"), "evidence")
    check("defer" in p.text("#why-facts") and "192" not in p.text("#why-acts") and "198.51.100.0/24" in p.text("#why-acts"), "offers")
    p.shot("why")
    for _ in range(10):
        p.keys(Keys.TAB)
        if "Allow 198.51.100.0/24" in p.focused():
            break
    p.keys(Keys.ENTER)
    p.wait(lambda: p.focused() == "act act-go Allow", "the form, filled in")
    p.keys(Keys.ENTER)
    p.wait(lambda: "198.51.100.0/24: added" in p.text("#act-said"), "the outcome")
    p.wait(lambda: "198.51.100.0/24" in p.text("#list-rows"), "and the list")
    check(p.ask(client_address="198.51.100.9", sender="new@example.org").startswith("DUNNO"), "it counts at once")
    equal(p.complaints(), [])


@test
def wrong_value_and_forget(t):
    p = Page(t)
    p.ask(client_name="mx.example.org")
    form = lambda name: p.find(f"#act-form [name={name}]")
    form("value").send_keys("nonsense" + Keys.ENTER)
    p.wait(lambda: p.find("#act-said").get_attribute("class") == "bad" and p.text("#act-said") not in ("", "…"), "a refusal, in words")
    p.b.execute_script("const a = document.querySelector('#act-form [name=action]'); a.value = 'forget'; a.dispatchEvent(new Event('input', {bubbles: true}))")
    form("value").clear()
    form("value").send_keys("example.org" + Keys.ENTER)
    p.wait(lambda: p.text("#act-go") == "Forget 1 record", "how much it would be")
    p.keys(Keys.ENTER)
    p.wait(lambda: p.text("#act-said") == "1 record forgotten.", "done")


@test
def greylagd_away(t):
    p = Page(t)
    p.ask(sender="alice@example.org")
    p.daemon.stop()
    p.wait(lambda: p.find("#away").is_displayed() and "greylagd does not answer" in p.text("#away"), "a word about it")
    equal(p.find("#away").get_attribute("role"), "alert")
    p.shot("away")
    p.daemon.start()
    p.wait(lambda: not p.find("#away").is_displayed(), "recovery")
    with Asker(p.daemon.socket) as a:
        a.ask(sender="carol@example.org")
    p.wait(lambda: "carol@example.org" in p.text("#recent-rows"), "decisions of the new one")
    p.web.stop()
    p.wait(lambda: "greylag-web does not answer" in p.text("#away"), "the other end")


@test
def every_width(t):
    p = Page(t)
    long = "x" * 180
    p.ask(client_name=f"{'a' * 60}.{'b' * 60}.example.org", sender=f"{long}@example.org", recipient=f"{long}@example.net", helo_name=long)
    p.ask(client_address="2001:db8:1234:5678:9abc:def0:1234:5678", sender=HOSTILE)
    t.greylag(p.daemon, "allow", "name", f"{'a' * 60}.{'b' * 60}.example.org", "--comment", "c" * 200)
    p.b.refresh()
    p.wait(lambda: long in p.text("#recent-rows") and "ccc" in p.text("#list-rows"), "long values")
    for width in (320, 360, 414, 640, 641, 800, 1080, 1280, 1920):
        p.size(width, 900)
        p.wait(lambda: p.b.execute_script("return document.documentElement.scrollWidth") <= width, f"all to fit into {width} px")
    for dark in (False, True):
        p.dark(dark)
        for width, height in ((360, 3200), (1280, 1400)):
            p.size(width, height)
            time.sleep(0.3)
            p.shot(f"{'dark' if dark else 'light'}-{width}")
    small = p.b.execute_script("""return [...document.querySelectorAll('button, input, select, a[href]')].filter(e => {
        const box = e.getBoundingClientRect(); return box.width && box.height < 24; }).map(e => e.outerHTML.slice(0, 80))""")
    equal(small, [], "what is to be pressed is large enough")
    p.size(360, 700)
    unnamed = p.b.execute_script("""return [...document.querySelectorAll('main input, main select, main button')].filter(e =>
        !(e.labels?.length && [...e.labels].some(l => l.textContent.trim())) && !e.getAttribute('aria-label') && !e.textContent.trim()).map(e => e.outerHTML)""")
    equal(unnamed, [], "all have names")


@test
def shows_only(t):
    p = Page(t, token=None)
    check(not p.find("#act-form").is_displayed() and p.find("#act-not").is_displayed(), "no actions")
    check(not p.find("#logout").is_displayed(), "nobody has logged in")
    p.find("#why-form [name=client]").send_keys("192.0.2.1")
    p.find("#why-form [name=sender]").send_keys("alice@example.org")
    p.find("#why-form [name=recipient]").send_keys("bob@example.net" + Keys.ENTER)
    p.wait(lambda: "Evidence" in p.text("#why-facts"), "why")
    equal(p.text("#why-acts"), "")


@test
def logout(t):
    p = Page(t)
    p.find("#logout").click()
    p.wait(lambda: p.b.current_url.endswith("/login"), "the login")
    p.find("input[name=token]").send_keys("not-the-token-at-all" + Keys.ENTER)
    p.wait(lambda: "That is not the token" in p.b.page_source, "a word")
    p.shot("login")


if __name__ == "__main__":
    test.main()
