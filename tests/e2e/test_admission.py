"""The real corefleetd refuses, samples, asks for less and says why; and its account balances after all of it."""

import os
import signal
import subprocess
import time
import urllib.request

import grpc

from tests.support import programs
from tests.support.admission import AdmissionCase
from tests.support.device import Refused, random_crash
from tests.support.server import Server, until

PB_ALL, PB_NONE, PB_LOG_ONLY = 1, 2, 3  # proto Want
NEW, RESUMING, COMPLETE = 1, 2, 3  # proto BeginCrashResponse.State


class Admission(AdmissionCase):
    def test_the_kill_switch_needs_no_restart(self):
        self.start()
        device = self.device("switch")
        under_way, other = random_crash(), random_crash()
        begun = device.begin(under_way)
        self.write('kill_switch: true kill_switch_delay_seconds: 30 kill_switch_message: "moving house"')
        until(lambda: self.metric("corefleet_admission_kill_switch") == 1, "the switch is on", 15)
        refused = self.refused(lambda: device.begin(other), "KILL_SWITCH")
        self.assertEqual(refused.code, grpc.StatusCode.RESOURCE_EXHAUSTED)
        self.assertEqual(refused.message, "moving house")
        self.assertTrue(30 <= refused.delay <= 45, refused)
        self.assertEqual(refused.pushback_ms, round(refused.delay * 1000))
        self.assertEqual(device.begin(under_way).state, RESUMING, "what is under way goes on")
        device.send(begun, under_way)
        self.assertTrue(device.finish(begun.session).crash)
        self.assertEqual(device.begin(under_way).state, COMPLETE, "what is stored is said to be")
        # A broken file changes nothing, and is said.
        self.write("kill_switch: perhaps")
        until(lambda: self.metric("corefleet_admission_rules_good") == 0, "the broken file is noticed", 15)
        self.refused(lambda: device.begin(other), "KILL_SWITCH")
        self.assertIn("the rules file is broken", self.server.log())
        with urllib.request.urlopen(f"http://{self.server.addresses['http']}/readyz", timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        self.write("kill_switch: false")
        os.kill(self.server.pid(), signal.SIGHUP)
        until(lambda: self.metric("corefleet_admission_kill_switch") == 0, "the switch is off", 15)
        self.assertTrue(device.bring(other))
        self.assertEqual(self.assert_balance(4), [4, 2, 2, 0, 0])

    def test_a_sample_has_a_weight_and_is_the_same_when_asked_again(self):
        self.start()
        self.use('rule { name: "fifth" match { device: "sampled-*" } sample { one_in: 5 } }', 1)
        taken = 0
        for number in range(60):
            device, crash = self.device(f"sampled-{number}"), random_crash(log_bytes=100)
            try:
                begun = device.begin(crash)
                self.assertEqual((begun.rule, begun.weight), ("fifth", 5))
                taken += 1
                self.assertEqual(device.begin(crash).session, begun.session)
            except Refused as refused:
                self.assertEqual((refused.reason, refused.rule, refused.delay), ("SAMPLED_OUT", "fifth", None))
                self.assertEqual(refused.code, grpc.StatusCode.PERMISSION_DENIED)
                self.refused(lambda: device.begin(crash), "SAMPLED_OUT")
        # 12 are expected; less than 1 in 10,000 runs has so many or so few.
        self.assertTrue(1 <= taken <= 27, taken)
        self.assertEqual(self.assert_balance(60 + 60 - taken)[1:], [0, 2 * (60 - taken), 0, taken])

    def test_a_sample_says_what_it_stands_for(self):
        self.start()
        self.use('rule { name: "fifth" sample { one_in: 5 } }', 1)
        device, sample = self.device("sampled"), None
        for _ in range(300):  # one in 10^29 runs finds none
            try:
                crash = random_crash(log_bytes=100)
                sample = device.bring(crash, hints={"os_version": "14", "source": "pstore"})
                break
            except Refused:
                continue
        self.assertTrue(sample)
        self.use("", 0)
        plain = device.bring(random_crash(log_bytes=100))
        info = self.server.analysed(sample)
        self.server.analysed(plain)
        self.assertEqual(info["terms"], {"want": "ALL", "rule": "fifth", "weight": 5})
        self.assertEqual((info["device_word"]["os_version"], info["device_word"]["source"]), ("14", "pstore"))
        self.assertEqual(info["here_bytes"], info["raw_bytes"])
        text = self.server.ok("info", sample).decode()
        self.assertRegex(text, r"(?m)^rule +fifth$")
        self.assertRegex(text, r"(?m)^weight +5: ")
        self.assertRegex(text, r"(?m)^os version +14$")
        self.assertNotRegex(text, r"(?m)^(wanted|here) ")
        self.assertNotRegex(self.server.ok("info", plain).decode(), r"(?m)^(rule|weight|wanted|here) ")
        lines = self.server.ok("list").decode().splitlines()
        self.assertRegex(lines[0], r" WEIGHT +PANIC$")
        self.assertRegex(lines[1], r" 1 +\S+$")
        self.assertRegex(lines[2], r" 5 +\S+$")
        until(lambda: self.metric("corefleet_crashes_weighted") == 6, "one counts five times", 15)
        self.assertEqual(self.metric("corefleet_crashes"), 2)

    def test_the_log_first_and_all_later(self):
        self.start()
        self.use('rule { name: "logs" log_only { ask_again_seconds: 3600 } }', 1)
        device, crash = self.device("parts"), random_crash(log_bytes=100_000, other_bytes=200_000)
        begun = device.begin(crash)
        self.assertEqual((begun.want, begun.rule, begun.ask_again.seconds), (PB_LOG_ONLY, "logs", 3600))
        self.assertEqual({missing.region for missing in begun.missing}, {0, 1})
        self.assertEqual(device.send(begun, crash), 3)
        part = device.finish(begun.session).crash
        info = self.server.analysed(part)
        self.assertEqual(info["terms"], {"want": "LOG_ONLY", "rule": "logs", "weight": 1})
        here = sum(len(content) for _, _, content in crash[:2])
        self.assertEqual((int(info["here_bytes"]), int(info["raw_bytes"])), (here, here + 200_000))
        self.assertIn(("NOT_SENT", "Kunknown 44"), [(each["code"], each["region"]) for each in info["defects"]])
        text = self.server.ok("info", part).decode()
        self.assertRegex(text, r"(?m)^rule +logs$")
        self.assertRegex(text, r"(?m)^wanted +LOG_ONLY")
        self.assertRegex(text, r"(?m)^here +97\.7 KiB of 293\.0 KiB; ")
        self.assertIn("NOT_SENT Kunknown 44: 200000 of its 200000 bytes are not here", text)
        self.assertRegex(self.server.ok("list").decode(), r"(?m) HERE +PANIC$(.|\n)* log 33% +\S+$")
        still = device.begin(crash)
        self.assertEqual((still.state, still.want, len(still.missing)), (COMPLETE, PB_LOG_ONLY, 0))
        self.use("", 0)
        more = device.begin(crash)
        self.assertEqual((more.state, more.want, more.session, more.crash), (RESUMING, PB_ALL, begun.session, part))
        self.assertEqual([(each.region, each.count) for each in more.missing], [(2, 4)])
        device.send(more, crash)
        self.assertEqual(device.finish(more.session).crash, part)
        self.assertEqual(device.begin(crash).want, PB_NONE)
        self.assertEqual(self.server.ok("cat", part, "Kunknown"), crash[2][2])
        self.assertEqual(self.server.ok("cat", part, "Kprb_data"), crash[0][2])
        until(lambda: not self.server.info(part)["defects"] or not any(
            each["code"] == "NOT_SENT" for each in self.server.info(part)["defects"]), "it is read again", 30)
        whole = self.server.info(part)
        self.assertEqual((whole["terms"]["want"], whole["terms"]["rule"], whole["revision"]), ("ALL", "", 1))
        self.assertEqual(whole["here_bytes"], whole["raw_bytes"])
        self.assertNotIn(" HERE ", self.server.ok("list").decode())
        self.assertEqual(self.assert_balance(1), [1, 1, 0, 0, 0])

    def test_a_quota_by_build_and_panic(self):
        self.start()
        self.use('rule { name: "some" match { panic: "fault at" } quota { full_per_day: 2 } }\n'
                 'rule { name: "none" match { panic: "known" } quota { full_per_day: 1 then_refuse {} } }', 2)
        device = self.device("quota")
        def want(build, panic):
            return device.begin(random_crash(other_bytes=100), {"build_id": build, "panic": panic}).want
        wants = [want("b1", f"fault at ffff80001234567{number}") for number in range(4)]
        self.assertEqual(wants, [PB_ALL, PB_ALL, PB_LOG_ONLY, PB_LOG_ONLY])
        self.assertEqual(want("b2", "fault at ffff800012345678"), PB_ALL)
        self.assertEqual(want("b1", "known"), PB_ALL)
        refused = self.refused(lambda: want("b1", "known"), "QUOTA")
        self.assertEqual((refused.rule, refused.delay), ("none", None))
        self.assertEqual(self.assert_balance(7), [7, 0, 1, 0, 6])

    def test_a_device_that_is_too_fast_is_told_when_to_come_back(self):
        self.start("--device_burst=3", "--device_crashes_per_hour=1800")
        device = self.device("looping")
        for _ in range(3):
            self.assertTrue(device.bring(random_crash()))
        crash = random_crash()
        refused = self.refused(lambda: device.begin(crash), "DEVICE_RATE")
        self.assertEqual(refused.limit, "device_crashes_per_hour")
        self.assertTrue(0 < refused.delay <= 2.2, "one in two seconds, and a tenth")
        self.assertTrue(self.device("another").bring(random_crash()), "nobody else pays for it")
        # Kept to the word: it gets in.
        time.sleep(refused.delay)
        self.assertTrue(device.bring(crash))
        self.assertEqual(self.assert_balance(6), [6, 5, 1, 0, 0])

    def test_the_fleets_queue_lets_everybody_in(self):
        self.start("--fleet_crashes_per_second=5", "--fleet_burst=1s")
        waiting = [(self.device(f"fleet-{number}"), random_crash(log_bytes=50), 0.0) for number in range(30)]
        begin, offers, latest = time.monotonic(), 0, 0.0
        while waiting:
            device, crash, due = min(waiting, key=lambda each: each[2])
            waiting.remove((device, crash, due))
            time.sleep(max(0, begin + due - time.monotonic()))
            offers += 1
            try:
                device.begin(crash)
                latest = time.monotonic() - begin
            except Refused as refused:
                self.assertEqual((refused.reason, refused.limit), ("FLEET_RATE", "fleet_crashes_per_second"))
                waiting.append((device, crash, time.monotonic() - begin + refused.delay))
        # 30 crashes at 5 a second, 5 at once: 5 s, and what a busy machine adds.
        self.assertGreaterEqual(latest, 4.5)
        self.assertLess(latest, 15)
        self.assertLess(offers, 30 * 4)
        self.assertEqual(self.assert_balance(offers), [offers, 0, offers - 30, 0, 30])

    def test_what_is_in_flight_keeps_others_out_and_is_never_shed_itself(self):
        self.start("--bytes_in_flight=1048576")
        first, second = self.device("first"), self.device("second")
        under_way, other = random_crash(other_bytes=900_000), random_crash()
        begun = first.begin(under_way)
        refused = self.refused(lambda: second.begin(other), "BYTES_IN_FLIGHT")
        self.assertEqual(refused.limit, "bytes_in_flight")
        self.assertTrue(0 < refused.delay < 5, refused)
        self.assertEqual(first.begin(under_way).state, RESUMING, "it is let in whatever is in flight")
        # Its device brings nothing, so it stops counting; who keeps to the word gets in.
        refusals = 1
        while refusals < 10:
            time.sleep(refused.delay)
            try:
                self.assertTrue(second.bring(other))
                break
            except Refused as again:
                refused, refusals = again, refusals + 1
        self.assertLess(refusals, 5)
        first.send(begun, under_way)
        self.assertTrue(first.finish(begun.session).crash, "and it may still finish")
        self.assert_balance(2 + refusals)

    def test_what_a_device_lost_is_in_the_account(self):
        self.start()
        device = self.device("lossy")
        device.bring(random_crash(), lost={"spool_age": 3, "made up": 2})
        device.bring(random_crash(), lost={"spool_age": 3, "made up": 2})
        self.assertEqual(self.assert_balance(7), [7, 2, 0, 5, 0])
        self.assertEqual(self.metric("corefleet_ingest_expired_total", reason="device_spool_age"), 3)
        self.assertEqual(self.metric("corefleet_ingest_expired_total", reason="device_other"), 2)
        # Refusals are said at the end, too, and the account is in the database and not in the process.
        self.write("kill_switch: true")
        until(lambda: self.metric("corefleet_admission_kill_switch") == 1, "the switch is on", 15)
        self.refused(lambda: device.begin(random_crash()), "KILL_SWITCH")
        self.server.restart()
        self.assertEqual(self.assert_balance(8), [8, 2, 1, 5, 0])

    def test_check_rules_says_what_it_understood_or_the_line(self):
        def check():
            return subprocess.run([programs.COREFLEETD, f"--check_rules={self.rules_path}"], capture_output=True,
                                  text=True, timeout=30, check=False)
        self.write('rule { name: "lab" match { device: "lab-*" } accept {} }\n')
        checked = check()
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))
        self.assertEqual(checked.stdout, "kill switch: off\n1. lab: device lab-* -> accept\n"
                                         "every other crash -> accept\n")
        self.write('# fine\n\nrule { name: "lab" acept {} }\n')
        checked = check()
        self.assertEqual((checked.returncode, checked.stdout), (1, ""))
        self.assertIn(f"{self.rules_path}:3:", checked.stderr)
        # A server does not start with rules that it does not understand.
        server = Server(flags=[f"--rules={self.rules_path}"])
        self.addCleanup(server.close)
        with self.assertRaises(AssertionError):
            server.start()
        self.assertIn(f"{self.rules_path}:3:", server.log())
