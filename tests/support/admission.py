"""What tests of admission share: a server with a rules file, devices, and the account of all offers."""

import os
import pathlib
import shutil
import tempfile
import unittest

from tests.support import account
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
        found = account.metric(self.server, name, **labels)
        self.assertIsNotNone(found, f"{name} {labels} is not in /metrics")
        return found

    def use(self, rules, count):
        """Writes the rules and waits until the server has taken `count` of them up, by itself."""
        self.write(rules)
        until(lambda: self.metric("corefleet_admission_rules") == count, "the rules are taken up", 15)

    def account(self):
        """offered, accepted, refused, expired, pending, of one scrape."""
        return account.account(self.server)

    def assert_balance(self, offered):
        def settled():
            counted = self.account()
            return counted if counted[0] == offered else None
        found = until(settled, f"{offered} offers are counted", 15)
        self.assertEqual(found[0], sum(found[1:]), found)
        return found

    def refused(self, call, reason):
        with self.assertRaises(Refused) as caught:
            call()
        self.assertEqual(caught.exception.reason, reason, caught.exception)
        return caught.exception
