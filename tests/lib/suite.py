"""Runs one unittest file and ends with the line that tests/run.sh adds up: "N passed, N failed, N skipped".

    suite.py FILE [TEST]…      TEST is Class or Class.method, as for unittest

Each test is named as it begins and timed as it ends; a skip is printed as "skip: REASON"."""
import importlib.util
import os
import sys
import time
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Result(unittest.TestResult):
    """Counts, and prints one line per test."""

    def __init__(self):
        super().__init__()
        self.passed = 0
        self.begun = {}

    def startTest(self, test):
        super().startTest(test)
        self.begun[test] = time.monotonic()
        print(f"run   {test.id()}", flush=True)

    def line(self, word, test):
        begun = self.begun.get(test)
        seconds = f"{time.monotonic() - begun:.1f} s" if begun else ""
        print(f"{word:5} {test.id()}  {seconds}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1
        self.line("ok", test)

    def addSubTest(self, test, subtest, outcome):
        super().addSubTest(test, subtest, outcome)
        if outcome is not None:
            self.show(subtest, self.failures if issubclass(outcome[0], test.failureException) else self.errors)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.show(test, self.failures)

    def addError(self, test, err):
        super().addError(test, err)
        self.show(test, self.errors)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.line("FAIL", test)
        print("passed, though marked as expected to fail", flush=True)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        print(f"skip: {reason}", flush=True)

    def show(self, test, where):
        self.line("FAIL", test)
        print(where[-1][1], flush=True)


def load(path, names):
    sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
    sys.path.insert(0, TESTS)
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    loader = unittest.defaultTestLoader
    return loader.loadTestsFromNames(names, module) if names else loader.loadTestsFromModule(module)


def main(argv):
    if len(argv) < 2:
        print(__doc__)
        return 64
    result = Result()
    try:
        suite = load(argv[1], argv[2:])
    except unittest.SkipTest as skip:
        print(f"skip: {skip}\n0 passed, 0 failed, 1 skipped")
        return 0
    suite.run(result)
    failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
    print(f"{result.passed} passed, {failed} failed, {len(result.skipped)} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
