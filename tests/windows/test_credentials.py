"""Credential specs of group managed service accounts in a swarm of our own: from a file, the registry and a config, as Docker's command has
them; and what emulated HCS is then given, with process isolation, in a utility VM of ours, and in one of HCS' own (schema 1)."""
import json
import os

from lib.hosts import wait_until
from lib.skepd import Skepd
from lib.wine import WindowsScenario

SPECS = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\Virtualization\Containers\CredentialSpecs"
WAIT = ("cmd", "/c", "pause >nul")


def spec(name):
    return json.dumps({"CmsPlugins": ["ActiveDirectory"], "DomainJoinConfig": {"MachineAccountName": name}, "ActiveDirectoryConfig": {}})


class Credentials(WindowsScenario):
    needs_skepd = True

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_registry()
        cls.old_app = cls.push_windows("win/old", "10.0.14393.5000")
        cls.manager = Skepd(cls.net.host("manager")).start().init()
        cls.node = cls.make_windows(has_hyperv=True).start()
        cls.join_windows()
        os.makedirs(os.path.join(cls.node.state, "CredentialSpecs"))
        with open(os.path.join(cls.node.state, "CredentialSpecs", "web.json"), "w", encoding="utf-8") as file:
            file.write(spec("of-file"))

    def setUp(self):
        self.requests = os.path.join(self.node.hcs, "requests.jsonl")
        open(self.requests, "w", encoding="utf-8").close()  # there: the emulator writes down what it is given

    def given(self, call):
        with open(self.requests, encoding="utf-8") as file:
            return [line["document"] for line in map(json.loads, file) if line["call"] == call]

    def run_with(self, name, *options, image=None, on="win"):
        self.manager.create_service(name, image or self.app, *WAIT, on=on, options=("--restart-condition", "none", *options))
        self.addCleanup(self.manager.docker, "service", "rm", name)

    def wait_state(self, name, *states):
        def look():
            tasks = self.manager.tasks(name)
            return tasks and tasks[0]["Status"]["State"] in (*states, "rejected", "failed") and tasks[0]
        task = wait_until(look, 120, f"the task of {name} is one of {states}")
        self.assertIn(task["Status"]["State"], states, task["Status"])
        return task

    def guard_operations(self):
        return [(given["Settings"]["Operation"], given["Settings"]["OperationDetails"]) for given in self.given("modify-service")]

    def account(self, text):
        return json.loads(text)["DomainJoinConfig"]["MachineAccountName"]

    def test_a_file_with_process_isolation(self):
        self.run_with("file", "--credential-spec", "file://web.json", "--isolation", "process")
        self.wait_state("file", "running")
        added = [details for operation, details in self.guard_operations() if operation == "AddInstance"]
        self.assertEqual([(self.account(details["CredentialSpec"]), details["Transport"]) for details in added], [("of-file", "LRPC")])
        guard = self.given("create")[-1]["Container"]["ContainerCredentialGuard"]
        self.assertEqual((self.account(guard["CredentialSpec"]), guard["Transport"]), ("of-file", "LRPC"))
        self.assertTrue(guard["Cookie"])

    def test_a_config_with_hyperv_isolation(self):
        self.manager.docker("config", "create", "spec", "-", input=spec("of-config"))
        self.addCleanup(self.manager.docker, "config", "rm", "spec")
        self.run_with("config", "--credential-spec", "config://spec", "--isolation", "hyperv")
        self.wait_state("config", "running")
        machine, container = self.given("create")
        self.assertEqual(len(machine["VirtualMachine"]["Devices"]["HvSocket"]["HvSocketConfig"]["ServiceTable"]), 1)
        hosted = container["HostedSystem"]["Container"]
        self.assertEqual(self.account(hosted["ContainerCredentialGuard"]["CredentialSpec"]), "of-config")
        self.assertEqual(hosted["ContainerCredentialGuard"]["Transport"], "HvSocket")
        self.assertNotIn("MappedDirectories", hosted)  # the config is used, not mounted
        self.manager.docker("service", "scale", "--detach", "config=0")
        wait_until(lambda: self.guard_operations()[-1][0] == "RemoveInstance", 60, "the credential guard is removed")

    def test_the_registry_with_schema_1(self):
        self.node.wine("reg", "add", SPECS, "/v", "web", "/t", "REG_SZ", "/d", spec("of-registry"), "/f")
        self.run_with("registry", "--credential-spec", "registry://web", "--isolation", "hyperv", image=self.old_app)
        self.wait_state("registry", "running")
        self.assertEqual(self.account(self.given("create")[-1]["Credentials"]), "of-registry")

    def test_what_is_none_is_refused(self):
        self.run_with("outside", "--credential-spec", r"file://..\node\key.pem")
        self.assertIn("below CredentialSpecs", self.wait_state("outside", "rejected", "failed")["Status"]["Err"])
        self.run_with("absent", "--credential-spec", "registry://absent")
        self.assertIn("registry://absent", self.wait_state("absent", "rejected", "failed")["Status"]["Err"])
        self.assertEqual(self.given("create"), [])

    def test_a_linux_node_refuses_it(self):
        image = self.registry.push("linux/app")
        self.run_with("penguin", "--credential-spec", "file://web.json", image=image, on="manager")
        self.assertIn("credential specs are for containers of Windows", self.wait_state("penguin", "rejected")["Status"]["Err"])
