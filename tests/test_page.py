# SPDX-License-Identifier: GPL-2.0
"""report.html: complete, harmless whatever the kernel said, and usable in a browser by
everybody.  The browser's part needs chromium and chromium-driver."""
import json
import pathlib
import re
import resource
import shutil
import unittest

import goodrun
from goodrun import BUG
from judged import Judged
from support import RUNNER, TempDir, sh

CONTRACT = "hmm_notifier_contract"
FAILS = {"rule.hlist_block_eagain.holds", "rule.interval_block_false.holds",
         "rule.block_hlist_eagain_end.holds"}
RULE = {"rule.hlist_nonblock_eagain.holds": "", "rule.hlist_block_eagain.holds": "",
        "rule.hlist_end_block_enomem.holds": f" # XFAIL known bug: {BUG}",
        "rule.two_pass_block_true.holds": " # SKIP no CONFIG_THIS",
        "rule.interval_block_false.holds": "", "rule.block_hlist_eagain_end.holds": "",
        "release.true.holds": ""}
MMAP = {f"change.munmap_{kind}.takes_effect": "" for kind in ("hlist_0", "second_end_eagain")}
PROGRAMS = {CONTRACT: RULE, "hmm_notifier_mmap": MMAP, "hmm_notifier_x": {"alone.holds": ""}}
HOSTILE = "</pre><script>document.title='owned'</script>&amp; \x1b[31m \u202e\udcff <b>"

# Text and what is behind it, by WCAG 2: the contrast of each element that has text
CONTRAST = """
const lum = c => { const v = c.map(x => (x /= 255) <= .04045 ? x / 12.92 :
    ((x + .055) / 1.055) ** 2.4); return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
const rgb = s => s.match(/[\\d.]+/g).map(Number);
const behind = e => { for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3]) return c; }
    return null; };
const out = [];
for (const e of document.querySelectorAll('body *')) {
    if (![...e.childNodes].some(n => n.nodeType == 3 && n.data.trim())) continue;
    const [a, b] = [rgb(getComputedStyle(e).color), behind(e)].map(c => c && lum(c.slice(0, 3)));
    out.push([e.tagName + '.' + e.className, b === null ? 0 :
        (Math.max(a, b) + .05) / (Math.min(a, b) + .05)]); }
return out;"""


def ktap(programs):
    """Some of them fail, and say why."""
    lines = []
    for line in goodrun.ktap(programs):
        name = line.split()[-1]
        if name in FAILS and "ok" in line.split():
            lines.append(f"# # x.c:1:holds:Expected 1 (1) == seen (0) {HOSTILE}")
            line = line.replace("# ok", "# not ok")
        lines.append(line)
    return lines


def cpu_seconds():
    """Of the programs that ended: the machine may be busy with others."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run(where, programs=None, flood=0):
    programs = programs or PROGRAMS
    records = []
    for record in goodrun.kmsg({f"{p}:{t}": rest for p, tests in programs.items()
                                for t, rest in tests.items() if "SKIP" not in rest}):
        records.append(record)
        if record[1].startswith("hmm_notifier: begin"):
            records += [(6, "</script><script>alert(1)</script> & <b>")] * (1 + flood)
    files = {"ktap.log": "\n".join(ktap(programs)) + "\n", "boot.json": json.dumps(goodrun.BOOT),
             "kmsg.log": "\n".join(goodrun.kmsg_lines(records)) + "\n",
             **goodrun.describe(programs)}
    for name, text in files.items():
        (where / name).write_text(text, errors="surrogateescape")
    done = sh(*RUNNER, "judge", where)
    assert done.returncode == 1, done.stdout
    return (where / "report.html").read_text()


class Page(unittest.TestCase):
    def test_each_test_is_there_with_its_command(self):
        text = run(TempDir(self).path)
        for program, tests in PROGRAMS.items():
            for name in tests:
                self.assertEqual(len(re.findall(
                    rf"aria-label=\"[\w ]+: {program}:{re.escape(name)}\"", text)), 1, name)
                self.assertIn(f"./run_tests.sh --test &#39;{program}:{name}&#39;</pre>", text)
        self.assertEqual(set(re.findall('href="#(t[0-9]+)"', text)),
                         set(re.findall('<article id="(t[0-9]+)"', text)))

    def test_what_failed_stands_under_its_cause(self):
        """As on the terminal, not by the words of the checks"""
        self.assertRegex(run(TempDir(self).path),
                         f"<p>1 == seen [^\n]* does not hold: {len(FAILS)} tests</p>")

    def test_what_was_said_is_text(self):
        text = run(TempDir(self).path)
        self.assertNotRegex(text, r"<script|<b>|\x1b|\u202e")
        self.assertIn("&lt;/script&gt;", text)
        self.assertNotRegex(text, r"(?i)\b(src|href)=\"?(https?:|//)|@import|url\(")

    def test_kernel_that_is_tested_stands_in_the_command(self):
        j = Judged(self)
        meta = json.loads((j.dir / "meta.json").read_text())
        (j.dir / "meta.json").write_text(json.dumps({**meta, "again": "./run_tests.sh --kernel 'tree:/a b<i>'"}))
        sh(*RUNNER, "judge", j.dir)
        self.assertIn("--kernel &#39;tree:/a b&lt;i&gt;&#39; --test",
                      (j.dir / "report.html").read_text())

    def test_other_campaigns_beside_it(self):
        where = TempDir(self).path
        (where / "run").mkdir()
        self.assertNotIn("The last make", run(where / "run"))
        mutant = {"name": "m-<1>", "what": "killed", "killers": ["a:b", "c:d", "e:f"],
                  "upstream": {"hmm-tests": "hang"}, "spec": "source:7.2"}
        for name, text in (("mutants", json.dumps([mutant, 3])), ("coverage", "[" * 9999)):
            (where / name).mkdir()
            (where / name / "table.json").write_text(text)
        text = run(where / "run")
        for cell in ("m-&lt;1&gt;", "killed", "a:b and 2 more", "hmm-tests: hang", "source:7.2"):
            self.assertIn(f'<td class="text">{cell}</td>', text)
        self.assertNotIn("The last make coverage", text)
        (where / "coverage/table.json").write_text('[{"function": "f", "lines": "9/10"}]')
        self.assertIn('<td class="text">9/10</td>', run(where / "run"))

    def test_flood_has_bounds_and_says_where_the_rest_is(self):
        many = {CONTRACT: {**RULE, **{f"rule.hlist_block_e{i}.holds": "" for i in range(1000)}}}
        where = TempDir(self).path
        text = run(where, many, flood=200)
        self.assertLess(len(text.encode()), 5 << 20)
        files = re.findall(r'lines more: <a href="([^"]+)"', text)
        self.assertGreater(len(files), 1000)
        self.assertTrue((where / files[0]).is_file())
        began = cpu_seconds()
        sh(*RUNNER, "judge", where)
        self.assertLess(cpu_seconds() - began, 20)

    def test_without_jinja2_the_run_is_judged_all_the_same(self):
        j = Judged(self)
        self.assertTrue((j.dir / "report.html").exists())
        code = ("import sys; sys.modules['jinja2'] = None; sys.path[0] = sys.argv.pop(1);"
                "from runner import judge; sys.exit(judge.main(sys.argv[1:]))")
        done = sh(RUNNER[0], "-c", code, pathlib.Path(RUNNER[-1]).parent, j.dir)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("no report.html: python3-jinja2 is not installed\n", done.stdout)
        self.assertFalse((j.dir / "report.html").exists())


class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        for program, package in (("chromium", "chromium"), ("chromedriver", "chromium-driver")):
            if not shutil.which(program):
                raise unittest.SkipTest(f"{package} is not installed")
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for arg in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1200,900"):
            options.add_argument(arg)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        cls.driver = webdriver.Chrome(service=Service(shutil.which("chromedriver")),
                                      options=options)
        cls.addClassCleanup(cls.driver.quit)

    def setUp(self):
        self.dir = TempDir(self).path
        run(self.dir)
        self.driver.get((self.dir / "report.html").as_uri())

    def tearDown(self):
        self.assertEqual([e["message"] for e in self.driver.get_log("browser")], [])

    def script(self, text):
        return self.driver.execute_script(text)

    def scheme(self, name):
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": name}]})

    def test_says_what_failed_and_runs_nothing(self):
        self.assertRegex(self.driver.title, "^FAIL: ")
        self.assertEqual(self.script("return document.scripts.length"), 0)
        shown = [a for a in self.driver.find_elements("css selector", "article")
                 if a.is_displayed()]
        self.assertEqual(len(shown), len(FAILS))

    def test_tab_reaches_each_failed_cell_and_enter_opens_it(self):
        from selenium.webdriver.common.keys import Keys
        wanted = set(self.script(
            "return [...document.querySelectorAll('td a.fail')].map(a => a.title)"))
        self.assertEqual(wanted, {f"{CONTRACT}:{name}" for name in FAILS})
        reached = {}
        for _ in range(100):
            self.driver.switch_to.active_element.send_keys(Keys.TAB)
            what = self.script("const a = document.activeElement;"
                               "return a.matches('td a.fail') ? [a.title, a.hash] : null")
            if what:
                reached[what[0]] = what[1]
                outline = self.script(
                    "return getComputedStyle(document.activeElement).outlineStyle")
                self.assertEqual(outline, "solid")
        self.assertEqual(set(reached), wanted)
        for name, anchor in reached.items():
            shown = self.script(f"location.hash = '{anchor}';"
                                f"return document.querySelector('{anchor}').innerText")
            for text in (name, "Expected 1 (1) == seen (0)", "mm/mmu_notifier.c:487",
                         f"./run_tests.sh --test '{name}'"):
                self.assertIn(text, shown)

    def test_cell_of_what_passed_opens_its_test(self):
        link = self.driver.find_element("css selector", "td a.pass")
        article = self.driver.find_element("css selector", f"article{self.hash(link)}")
        self.assertFalse(article.is_displayed())
        link.click()
        self.assertTrue(article.is_displayed())

    @staticmethod
    def hash(link):
        return "#" + link.get_attribute("href").partition("#")[2]

    def test_contrast(self):
        seen = {}
        for scheme in ("light", "dark"):
            self.scheme(scheme)
            self.script("document.querySelectorAll('details').forEach(d => d.open = true)")
            found = self.script(CONTRAST)
            self.assertGreater(len(found), 50)
            self.assertEqual([f for f in found if f[1] < 4.5], [], scheme)
            seen[scheme] = self.script("return getComputedStyle(document.body).backgroundColor")
        self.assertNotEqual(seen["light"], seen["dark"])

    def test_results_differ_by_more_than_colour(self):
        signs = self.script("return [...document.querySelectorAll('td a')]"
                            ".map(a => a.className + ' ' + a.textContent)")
        self.assertEqual(len({s.split()[0] for s in signs}), 4)
        self.assertEqual(len(set(signs)), 4)

    def test_fits_a_phone(self):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": 360, "height": 740, "deviceScaleFactor": 2, "mobile": True})
        self.addCleanup(self.driver.execute_cdp_cmd, "Emulation.clearDeviceMetricsOverride", {})
        self.driver.refresh()
        self.script("document.querySelectorAll('details').forEach(d => d.open = true)")
        self.assertEqual(self.script("return innerWidth"), 360)
        self.assertLessEqual(self.script("return document.documentElement.scrollWidth"), 360)


if __name__ == "__main__":
    unittest.main()
