"""What tests of admission share: a server with a rules file, devices, and the account of all offers."""

import os
import pathlib
import re
import shutil
import tempfile
import unittest
import urllib.request

from tests.support.device import Device, Refused
from tests.support.server import Server, until


class AdmissionCase(unittest.TestCase):
    def setUp(self):
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="corefleet-admission-"))
        self.addCleanup(shutil.rmtree, self.scratch, ignore_errors=True)
        self.rules_path = self.scratch / "rules.textproto"
        self.write("# every crash is welcome\n")

    def write(self, text):
        fresh = self.scratch / "fresh"
        fresh.write_text(text)
        os.replace(fresh, self.rules_path)

    def start(self, *flags):
        self.server = Server(flags=[f"--rules={self.rules_path}", *flags])
        self.addCleanup(self.server.close)
        return self.server.start()

    def device(self, name):
        device = Device(self.server.addresses["ingest"], name)
        self.addCleanup(device.close)
        return device

    def metric(self, name, **labels):
        """One sample of /metrics, or the sum over the labels that are not given."""
        with urllib.request.urlopen(f"http://{self.server.addresses['http']}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        total, found = 0.0, False
        for line in text.splitlines():
            match = re.match(rf"{name}(?:\{{(.*)\}})? (\S+)$", line)
            if match and all(f'{key}="{value}"' in (match[1] or "") for key, value in labels.items()):
                total, found = total + float(match[2]), True
        self.assertTrue(found, f"{name} {labels} is not in /metrics")
        return total

    def use(self, rules, count):
        """Writes the rules and waits until the server has taken `count` of them up, by itself."""
        self.write(rules)
        until(lambda: self.metric("corefleet_admission_rules") == count, "the rules are taken up", 15)

    def account(self):
        """offered, accepted, refused, expired, pending, of one scrape."""
        with urllib.request.urlopen(f"http://{self.server.addresses['http']}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        def total(name):
            return sum(float(value) for value in re.findall(rf"^corefleet_ingest_{name}(?:\{{.*\}})? (\S+)$", text, re.M))
        return [total(name) for name in ("offered_total", "accepted_total", "refused_total", "expired_total", "pending")]

    def assert_balance(self, offered):
        def settled():
            account = self.account()
            return account if account[0] == offered else None
        found = until(settled, f"{offered} offers are counted", 15)
        self.assertEqual(found[0], sum(found[1:]), found)
        return found

    def refused(self, call, reason):
        with self.assertRaises(Refused) as caught:
            call()
        self.assertEqual(caught.exception.reason, reason, caught.exception)
        return caught.exception
