"""A real Prometheus scrapes the real server; every panel of every dashboard and every rule gets data back."""

import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request

from tests.support import corpus, programs
from tests.support.server import Server, until

DEPLOY = programs.REPOSITORY / "deploy"
# What Grafana puts in for its own variables.
VARIABLES = {"$__rate_interval": "20s", "$__interval": "5s", "$__range": "1m"}


def prometheus_tool(name):
    return programs.tool(name, "prometheus-amd64", f"usr/bin/{name}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def panels():
    """(dashboard, title, query) of every query of every panel, rows' inner panels too."""
    def walk(some):
        for panel in some:
            yield panel
            yield from walk(panel.get("panels", []))
    for path in sorted((DEPLOY / "grafana/dashboards").glob("*.json")):
        for panel in walk(json.loads(path.read_text())["panels"]):
            for target in panel.get("targets", []):
                yield path.name, panel["title"], target["expr"]


class Metrics(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = pathlib.Path(tempfile.mkdtemp(prefix="corefleet-metrics-"))
        cls.addClassCleanup(shutil.rmtree, cls.scratch, ignore_errors=True)
        cls.server = Server.of_class(cls)
        cls.port = free_port()
        # The very files of deploy/, for this server and a faster scrape.
        (cls.scratch / "rules.yml").write_text((DEPLOY / "prometheus/rules.yml").read_text())
        config = (DEPLOY / "prometheus/prometheus.yml").read_text()
        config = config.replace("127.0.0.1:7480", cls.server.addresses["http"]).replace("15s", "1s")
        (cls.scratch / "prometheus.yml").write_text(config)
        cls.log = open(cls.scratch / "prometheus.log", "wb")
        cls.prometheus = subprocess.Popen(
            [prometheus_tool("prometheus"), f"--config.file={cls.scratch}/prometheus.yml",
             f"--storage.tsdb.path={cls.scratch}/tsdb", f"--web.listen-address=127.0.0.1:{cls.port}"],
            stdin=subprocess.DEVNULL, stdout=cls.log, stderr=cls.log)
        cls.addClassCleanup(cls.stop_prometheus)
        until(lambda: cls.query("up == 1"), "Prometheus scrapes corefleetd", 60)
        cls.make_something_to_see()

    @classmethod
    def stop_prometheus(cls):
        cls.prometheus.terminate()
        cls.prometheus.wait(30)
        cls.log.close()

    @classmethod
    def query(cls, expression):
        """The series that an instant query gives."""
        url = f"http://127.0.0.1:{cls.port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return json.load(answer)["data"]["result"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # Prometheus is still starting
                return []
            raise AssertionError(f"{expression}: {error.read().decode()}") from error
        except OSError:
            return []

    @classmethod
    def make_something_to_see(cls):
        """Crashes of several builds and taints over some scrapes, a question that fails."""
        for case in corpus.cases():
            folder = corpus.write_folder(case.regions(), cls.scratch, case.name)
            cls.server.upload(folder)
        for number in range(4):
            files, _ = corpus.variant(corpus.case("a47-null-oops"), number + 1)
            cls.server.upload(corpus.write_folder(files, cls.scratch, f"more-{number}"))
            cls.server.cli("info", "0123abcd")
            time.sleep(1.5)

    def test_every_panel_has_data(self):
        found = list(panels())
        self.assertGreater(len(found), 10)
        for dashboard, title, query in found:
            with self.subTest(dashboard=dashboard, panel=title):
                for variable, value in VARIABLES.items():
                    query = query.replace(variable, value)
                self.assertNotIn("$", query)
                series = until(lambda query=query: self.query(query), f"{title}: {query}", 15)
                for one in series:
                    self.assertNotEqual(one["value"][1], "NaN", query)

    def test_the_figures_are_right(self):
        """What the dashboard says is what the archive says."""
        listed = self.server.json("list", "-n", "1000")
        self.assertEqual(len(listed), len(corpus.cases()) + 4)
        def value(expression):
            return float(self.query(expression)[0]["value"][1])
        until(lambda: value("sum(corefleet_crashes)") == len(listed), "the count of crashes", 20)
        self.assertEqual(value("sum(corefleet_build_crashes)"), len(listed))
        tainted_o = sum("O" in crash["taint"].get("letters", "") for crash in listed)
        self.assertEqual(value('sum(corefleet_taint_crashes{letter="O"})'), tainted_o)
        untainted = sum(crash["taint"].get("mask", "0") == "0" for crash in listed)
        self.assertEqual(value("sum(corefleet_untainted_crashes)"), untainted)
        self.assertEqual(value("sum(corefleet_crashes_received_total)"), len(listed))

    def test_every_rule_can_fire(self):
        """Each alert's metrics exist: the comparison taken away, there is data."""
        rules = (DEPLOY / "prometheus/rules.yml").read_text()
        expressions = re.findall(r"^\s+expr: (.*)$", rules, re.MULTILINE)
        self.assertGreater(len(expressions), 3)
        for expression in expressions:
            with self.subTest(expression):
                left = re.split(r" (?:==|!=|<|>) ", expression)[0].replace("[15m]", "[1m]")
                self.assertTrue(self.query(left), left)

    def test_no_device_is_a_label(self):
        with urllib.request.urlopen(f"http://{self.server.addresses['http']}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        self.assertNotIn("device=", text)
        self.assertIn("# HELP corefleet_crashes ", text)

    def test_promtool_accepts_the_files_and_the_page(self):
        checked = programs.run(prometheus_tool("promtool"), "check", "config", DEPLOY / "prometheus/prometheus.yml")
        self.assertEqual(checked.code, 0, checked)
        with urllib.request.urlopen(f"http://{self.server.addresses['http']}/metrics", timeout=10) as answer:
            page = programs.run(prometheus_tool("promtool"), "check", "metrics", stdin=answer.read())
        self.assertEqual(page.code, 0, page)


if __name__ == "__main__":
    unittest.main()
