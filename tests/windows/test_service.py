"""skepd.exe in Windows' table of services: registered, started, asked, stopped, taken out; under Wine."""
import os

from lib.dockerd import Dockerd
from lib.hosts import wait_until
from lib.wine import BUILD, WindowsScenario, WineSkepd, windows_path

CONTROL = os.path.join(BUILD, "tests", "service_control.exe")
PRESHUTDOWN, DRAIN, INVALID_PARAMETER = "15", "128", 87


def state_of(skepd, service):
    said = skepd.wine("sc", "query", service, check=False).stdout
    return next((line.split()[3] for line in said.splitlines() if "STATE" in line), said)


class Service(WindowsScenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.skepd = WineSkepd(cls.net.host("win"), "--runtime", "emulated")
        cls.flags = cls.skepd.argv(())[2:]

    def state(self):
        return state_of(self.skepd, "skep-test")

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


class GoingDown(WindowsScenario):
    """The host goes down, or somebody sends the control that does the same: the node's tasks are stopped first, and the manager hears of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_registry()
        cls.manager = Dockerd(cls.net.host("manager")).start().init()
        cls.node = cls.make_windows()
        cls.node.wine(cls.node.program, "--register-service", "--service-name", "skep-down", *cls.node.argv(())[2:])
        cls.node.wine("net", "start", "skep-down")
        wait_until(lambda: cls.node.skep("info", check=False).returncode == 0, 30, "the service answers")
        cls.join_windows()

    def state(self):
        return state_of(self.node, "skep-down")

    def control(self, code):
        return self.node.wine(CONTROL, "skep-down", code, check=False).stdout.split()

    def run_service(self, name):
        self.manager.create_service(name, self.app, "cmd", "/c", "pause >nul", options=("--constraint", "node.platform.os==windows"))
        wait_until(lambda: [t["Status"]["State"] for t in self.manager.tasks(name)] == ["running"], 60, f"{name} runs")
        return self.manager.tasks(name)[0]["ID"]

    def task_state(self, name, task):
        return next(t["Status"]["State"] for t in self.manager.tasks(name) if t["ID"] == task)

    def test_1_the_host_waits_for_it(self):
        self.assertEqual(self.control("preshutdown-ms")[0], "120000")

    def test_2_preshutdown_is_the_control_manager_s_alone(self):
        """Windows sends it when it goes down. Wine's passes on none, and does not know it when asked to."""
        answer = int(self.control(PRESHUTDOWN)[0])
        print(f"Wine's service control manager answers {answer} to the control of preshutdown")
        if answer == 0:
            wait_until(lambda: self.state() == "STOPPED", 60, "the service has stopped")
            self.node.wine("net", "start", "skep-down")
        self.assertEqual(self.state(), "RUNNING")

    def test_3_stopped_alone_it_leaves_containers_running(self):
        task = self.run_service("stays")
        self.node.wine("net", "stop", "skep-down")
        wait_until(lambda: self.state() == "STOPPED", 30, "the service has stopped")
        self.assertEqual(self.task_state("stays", task), "running")
        self.node.wine("net", "start", "skep-down")
        wait_until(lambda: self.node.skep("info", check=False).returncode == 0, 30, "the service answers")
        self.manager.wait_node("win", timeout_s=60)
        self.assertEqual(self.task_state("stays", task), "running")
        self.assertIn("stays.1", self.node.skep("ps").stdout)

    def test_4_drained_its_tasks_stop_first_and_the_manager_hears_of_it(self):
        task = self.manager.tasks("stays")[0]["ID"]
        self.assertEqual(self.control(DRAIN), ["0"])
        wait_until(lambda: self.state() == "STOPPED", 60, "the service has stopped")
        self.assertEqual(self.task_state("stays", task), "shutdown")
        self.manager.wait_node("win", "down", timeout_s=60)

    def test_5_started_again_it_runs_what_it_is_given(self):
        self.node.wine("net", "start", "skep-down")
        self.manager.wait_node("win", timeout_s=60)
        wait_until(lambda: any(t["Status"]["State"] == "running" for t in self.manager.tasks("stays")), 60, "the service's next task runs")
        self.node.wine(self.node.program, "--unregister-service", "--service-name", "skep-down")
