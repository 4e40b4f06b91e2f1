"""What HCS does wrong, and what becomes of the task: its state, and a message that names code, meaning and what to do. A swarm of our own, one
Windows node under Wine on emulated HCS."""
from lib.hosts import wait_until
from lib.skepd import Skepd
from lib.wine import WindowsScenario

WAIT = ("cmd", "/c", "pause >nul")


class Faults(WindowsScenario):
    needs_skepd = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_registry()
        cls.manager = Skepd(cls.net.host("manager")).start().init()
        cls.node = cls.make_windows().start()
        cls.join_windows()
        cls.count = 0

    def tearDown(self):
        self.node.faults()
        super().tearDown()

    def run_with(self, *faults, command=WAIT, restart="none"):
        """A service of one task while these faults last; its name."""
        type(self).count += 1
        name = f"s{self.count}"
        self.node.faults(*faults)
        self.manager.create_service(name, self.app, *command, on="win", options=("--restart-condition", restart, "--restart-delay", "1s"))
        self.addCleanup(self.manager.docker, "service", "rm", name)
        return name

    def wait_state(self, name, *states, timeout_s=90):
        def look():
            tasks = self.manager.tasks(name)
            return tasks and tasks[0]["Status"]["State"] in states and tasks[0]
        return wait_until(look, timeout_s, f"the task of {name} is one of {states}")

    def check_refused(self, fault, code, words, *states):
        task = self.wait_state(self.run_with(fault), *(states or ("rejected", "failed")))
        self.assertIn(code, task["Status"]["Err"].lower())
        self.assertIn(words, task["Status"]["Err"])

    def test_a_build_that_does_not_fit(self):
        self.check_refused("create fail=0xc0370101", "0xc0370101", "use hyperv isolation, or an image of the host's build")

    def test_access_denied(self):
        self.check_refused("create fail=0x80070005", "0x80070005", "administrator")

    def test_a_damaged_layer(self):
        self.check_refused("create fail=0xc0370112", "0xc0370112", "pull it again")

    def test_a_start_that_fails_at_once(self):
        self.check_refused("start fail=0xc0370106", "0xc0370106", "ended by itself")

    def test_an_exit_before_the_start_was_answered(self):
        task = self.wait_state(self.run_with("start exit-first=3"), "failed", "rejected")
        self.assertNotEqual(task["Status"]["Err"], "")

    def test_what_failed_for_a_moment_runs_at_the_next_try(self):
        name = self.run_with("create count=1 fail=0x80370109 but-done", restart="any")
        self.wait_state(name, "running")
        failed = self.manager.tasks(name)[-1]
        self.assertEqual(failed["Status"]["State"], "failed")
        self.assertIn("0x80370109 (HCS_E_CONNECTION_TIMEOUT)", failed["Status"]["Err"])

    def test_an_exit_that_is_never_announced(self):
        name = self.run_with("create-process lose-exit", "start lose-exit", command=("cmd", "/c", "exit 5"))
        task = self.wait_state(name, "failed")
        self.assertEqual(task["Status"]["ContainerStatus"]["ExitCode"], 5)

    def test_a_service_that_is_lost_for_a_moment(self):
        name = self.run_with()
        task = self.wait_state(name, "running")
        self.node.faults("properties count=1 disconnect")
        second = self.run_with("properties count=1 disconnect")
        self.wait_state(second, "running")
        self.assertEqual(self.manager.tasks(name)[0]["ID"], task["ID"])
        self.assertEqual(self.manager.tasks(name)[0]["Status"]["State"], "running")
