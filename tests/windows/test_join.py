"""A Windows host in a swarm of dockerd's: skepd.exe under Wine, its containers on emulated HCS, which are real processes of Wine."""
from lib.dockerd import Dockerd
from lib.hosts import wait_until
from lib.wine import WindowsScenario

ON_WINDOWS = ("--constraint", "node.platform.os==windows")
ONCE = (*ON_WINDOWS, "--restart-condition", "none")
WAIT = "pause >nul"


class JoinDockerd(WindowsScenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_registry()
        cls.manager = Dockerd(cls.net.host("manager")).start().init()
        cls.node = cls.make_windows("--label", "site=north").start()

    def only_task(self, service):
        return self.manager.tasks(service)[0]

    def wait_state(self, service, state, timeout_s=60):
        def look():
            tasks = self.manager.tasks(service)
            return tasks and tasks[0]["Status"]["State"] == state and tasks[0]
        return wait_until(look, timeout_s, f"the task of {service} is {state}")

    def cmd(self, service, line, *options):
        self.manager.create_service(service, self.app, "cmd", "/c", line, options=options or ONCE)

    def logs(self, service):
        return self.manager.docker("service", "logs", "--raw", service).stdout

    def test_1_joins_and_is_ready(self):
        said = self.node.join(self.manager)
        self.assertIn("This node joined a swarm as a worker.", said.stdout)
        node = self.manager.wait_node("win")
        self.assertEqual(node["Description"]["Platform"], {"Architecture": "x86_64", "OS": "windows"})
        labels = node["Description"]["Engine"]["Labels"]
        self.assertEqual(labels["site"], "north")
        self.assertEqual(labels["skep.os.build"], "20348.2322")
        self.assertEqual(labels["skep.isolation.default"], "process")

    def test_2_info_on_both_sides(self):
        self.assertIn("windows", self.node.skep("info").stdout)
        listed = self.manager.docker("node", "inspect", "--pretty", "win").stdout
        self.assertRegex(listed, r"Operating System:\s+windows")

    def test_3_a_service_runs_and_its_output_is_read(self):
        self.cmd("talker", f"echo hello from %OS%& {WAIT}", *ON_WINDOWS)
        self.wait_state("talker", "running")
        wait_until(lambda: "hello from Windows_NT" in self.logs("talker"), 20, "the service's output is there")
        self.assertIn("talker.1", self.node.skep("ps").stdout)

    def test_4_exit_codes(self):
        self.cmd("fine", "exit 0")
        self.wait_state("fine", "complete")
        self.cmd("seven", "exit 7")
        task = self.wait_state("seven", "failed")
        self.assertEqual(task["Status"]["ContainerStatus"]["ExitCode"], 7)
        self.assertIn("task: non-zero exit (7)", task["Status"]["Err"])

    def test_4b_a_config_without_a_target_is_in_the_root_and_a_secret_where_docker_has_it(self):
        for kind, content in (("config", "greeting=hello"), ("secret", "open sesame")):
            path = f"{self.manager.dir}/{kind}.txt"
            with open(path, "w") as file:
                file.write(content)
            self.manager.docker(kind, "create", f"the-{kind}", path)
        line = r"type C:\the-config& echo.& type C:\ProgramData\Docker\secrets\the-secret"
        self.cmd("reader", line, "--config", "the-config", "--secret", "the-secret", *ONCE)
        self.wait_state("reader", "complete")
        wait_until(lambda: self.logs("reader").split() == ["greeting=hello", "open", "sesame"], 20, "the service has read both")
        self.manager.docker("service", "rm", "reader")

    def test_5_killed_and_started_again_nothing_is_lost(self):
        before = self.only_task("talker")
        shown = self.node.skep("ps", "-q", "--no-trunc").stdout
        self.node.kill()
        self.node.start()
        self.manager.wait_node("win", timeout_s=60)
        self.assertEqual(self.node.skep("ps", "-q", "--no-trunc").stdout, shown)
        self.assertEqual(self.only_task("talker")["ID"], before["ID"])
        self.assertEqual(self.only_task("talker")["Status"]["State"], "running")
        self.assertEqual(self.logs("talker").count("hello from"), 1)

    def test_6_removed_it_stops(self):
        self.manager.docker("service", "rm", "talker")
        wait_until(lambda: "talker" not in self.node.skep("ps", "-a").stdout, 60, "the container is gone")

    def test_7_an_image_for_linux_is_refused(self):
        image = self.registry.push("linux/app")
        self.manager.create_service("penguin", image, "true", options=ONCE)
        task = self.wait_state("penguin", "rejected")
        self.assertRegex(task["Status"]["Err"], r"linux.*windows|windows.*linux")

    def test_8_stopped_and_started_it_comes_back(self):
        self.assertEqual(self.node.stop(), 0)
        self.manager.wait_node("win", "down", timeout_s=60)
        self.node.start()
        self.manager.wait_node("win", timeout_s=60)

    def test_9_leaves(self):
        self.node.skep("leave")
        self.manager.wait_node("win", "down", timeout_s=60)
        wait_until(lambda: "inactive" in self.node.skep("info").stdout, 10, "the node is in no swarm")
