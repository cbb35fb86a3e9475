"""Runs one end-to-end module and writes {test: "" or why it failed} as JSON.

    /usr/bin/python3 -m tests.support.e2e tests.e2e.test_samples RESULTS.json
"""

import json
import pathlib
import sys
import unittest


class Recorder(unittest.TextTestResult):
    """Remembers how each test ended. A test with failed subtests is one failed test."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.ended = {}

    def startTest(self, test):
        super().startTest(test)
        self.ended[test.id()] = ""

    def addError(self, test, err):
        super().addError(test, err)
        self.ended[test.id()] = self.errors[-1][1]

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.ended[test.id()] = self.failures[-1][1]

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.ended[test.id()] = f"{subtest}: {self._exc_info_to_string(err, test)}"

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.ended[test.id()] = f"skipped, which proves nothing: {reason}"

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.ended[test.id()] = "unexpected success"


def main():
    module, results = sys.argv[1], pathlib.Path(sys.argv[2])
    suite = unittest.defaultTestLoader.loadTestsFromName(module)
    result = unittest.TextTestRunner(sys.stderr, verbosity=2, resultclass=Recorder).run(suite)
    results.write_text(json.dumps(result.ended, indent=1))
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
