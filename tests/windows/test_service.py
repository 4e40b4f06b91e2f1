"""skepd.exe in Windows' table of services: registered, started, asked, stopped, taken out; under Wine."""
import unittest

from lib.hosts import Network, wait_until
from lib.wine import WineSkepd, need_wine, windows_path


class Service(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        need_wine()
        cls.net = Network()
        cls.addClassCleanup(cls.net.close)
        cls.skepd = WineSkepd(cls.net.host("win"), "--runtime", "emulated")
        cls.flags = cls.skepd.argv(())[2:]

    def state(self):
        said = self.skepd.wine("sc", "query", "skep-test", check=False).stdout
        return next((line.split()[3] for line in said.splitlines() if "STATE" in line), said)

    def events_file(self):
        return self.skepd.wine("reg", "query", r"HKLM\SYSTEM\CurrentControlSet\Services\EventLog\Application\skep-test", "/v", "EventMessageFile",
                               check=False).stdout

    def test_1_registered_with_its_flags(self):
        said = self.skepd.wine(self.skepd.program, "--register-service", "--service-name", "skep-test", *self.flags, "--label", 'site="north hall"')
        self.assertIn("service skep-test registered", said.stdout)
        again = self.skepd.wine(self.skepd.program, "--register-service", "--service-name=skep-test", check=False)
        self.assertEqual(again.returncode, 73, again.stderr)
        self.assertIn("register the service skep-test", again.stderr)
        self.assertIn("skepd.exe", self.events_file())
        line = self.skepd.wine("reg", "query", r"HKLM\SYSTEM\CurrentControlSet\Services\skep-test", "/v", "ImagePath").stdout
        self.assertIn('"--run-service" "--service-name" "skep-test"', line)
        self.assertIn(r'"site=\"north hall\""', line)

    def test_2_started_it_answers(self):
        self.skepd.wine("net", "start", "skep-test")
        wait_until(lambda: self.state() == "RUNNING", 30, "the service runs")
        said = self.skepd.skep("info").stdout
        self.assertIn('site="north hall"', said)
        self.assertIn(self.skepd.name, said)

    def test_3_the_directories_are_its_own(self):
        second = self.skepd.wine(self.skepd.program, *self.flags, check=False)
        self.assertEqual(second.returncode, 73, second.stderr)
        self.assertIn("is in use by another skepd (process ", second.stderr)

    def test_4_the_pipe_is_its_own(self):
        flags = list(self.flags)
        flags[flags.index("--state-dir") + 1] = windows_path(self.skepd.dir + "/other")
        flags[flags.index("--run-dir") + 1] = windows_path(self.skepd.dir + "/other-run")
        second = self.skepd.wine(self.skepd.program, *flags, check=False)
        self.assertEqual(second.returncode, 73, second.stderr)
        self.assertIn("another daemon listens at", second.stderr)

    def test_5_stopped_and_started_again(self):
        self.skepd.wine("net", "stop", "skep-test")
        wait_until(lambda: self.state() == "STOPPED", 30, "the service has stopped")
        self.assertNotEqual(self.skepd.skep("info", check=False).returncode, 0)
        self.skepd.wine("net", "start", "skep-test")
        wait_until(lambda: self.state() == "RUNNING", 30, "the service runs")
        self.skepd.skep("info")

    def test_6_taken_out_while_it_runs(self):
        said = self.skepd.wine(self.skepd.program, "--unregister-service", "--service-name", "skep-test")
        self.assertIn("service skep-test unregistered", said.stdout)
        gone = self.skepd.wine(self.skepd.program, "--unregister-service", "--service-name", "skep-test", check=False)
        self.assertEqual(gone.returncode, 66, gone.stderr)
        self.assertNotIn("skepd.exe", self.events_file())

    def test_7_run_service_is_not_for_people(self):
        said = self.skepd.wine(self.skepd.program, "--run-service", "--service-name", "skep-test", check=False)
        self.assertNotEqual(said.returncode, 0)
        self.assertIn("--run-service is for the service control manager", said.stderr)
