"""B10: what the server does when it is killed, stopped, without disk or without database while crashes arrive."""

import collections
import time

from tests.durability.storm import storm
from tests.support.server import until

SEED = 10
PATIENCE = 120  # seconds until a server that takes nothing any more is a failure


class Safety(storm.Round):
    """A storm of tests/durability with every kind of fault equally often, each once the server is well again."""

    def __init__(self, settings):
        super().__init__(SEED, 0, outage_seconds=30)
        self.each = settings.faults_of_each
        self.lasted = collections.defaultdict(list)      # {kind: seconds that the cause was there}
        self.well_after = collections.defaultdict(list)  # {kind: seconds from then until a crash was acknowledged}
        self.result = {}

    def run(self):
        self.result = super().run()
        self.result.update(lasted=dict(self.lasted), well_after=dict(self.well_after))
        return self.result

    def _faults(self):
        plan = [fault for fault, _ in self._kinds() for _ in range(self.each)]
        plan = [fault for fault in plan if fault != self._long_database_outage] + [self._long_database_outage]
        self.pick.shuffle(plan)
        for fault in plan:
            self._wait_for_an_acknowledgement()
            time.sleep(self.pick.uniform(0.02, 0.4))
            began = time.monotonic()
            yield fault
            ended = time.monotonic()
            self._wait_for_an_acknowledgement()
            name = storm.name_of(fault)
            self.lasted[name].append(ended - began)
            self.well_after[name].append(time.monotonic() - ended)

    def _wait_for_an_acknowledgement(self):
        before = len(self.devices.acknowledged)
        until(lambda: len(self.devices.acknowledged) > before, "a crash is acknowledged", PATIENCE, every=0.01)
