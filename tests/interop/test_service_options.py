"""What `docker service create` can ask for, asked of dockerd and of skepd in one swarm: both containers must tell the same story."""
import io
import json
import os
import struct
import sys
import tarfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from lib.dockerd import Dockerd
from lib.hosts import run, wait_until
from lib.images import busybox_layer, tar_entry
from lib.scenario import Scenario, sleeper

HIVE = {"files": {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nbee:x:1000:1000:bee:/home:/bin/sh\n",
                  "etc/group": "root:x:0:\nbee:x:1000:\nhive:x:2000:bee\n"}}

# What a program may and a file carries.
LOOK = r"""#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char line[200], caps[40] = "", colour[40] = "";
    FILE *file = fopen("/proc/self/status", "r");
    while (fgets(line, sizeof line, file))
        sscanf(line, "CapEff: %39s", caps);
    if (argc < 2 || getxattr(argv[1], "user.colour", colour, sizeof colour - 1) < 0)
        strcpy(colour, "none");
    printf("uid %d, %d, effective capabilities %s, colour %s\n", (int)getuid(), (int)geteuid(), caps, colour);
}
"""

ECHO = r"""#include <netinet/in.h>
#include <sys/socket.h>
int main(void)
{
    struct sockaddr_in mine = {.sin_family = AF_INET, .sin_port = htons(53)}, peer;
    socklen_t size = sizeof peer;
    char text[100];
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (bind(fd, (struct sockaddr *)&mine, sizeof mine) < 0)
        return 1;
    for (ssize_t got; (got = recvfrom(fd, text, sizeof text, 0, (struct sockaddr *)&peer, &size)) >= 0; size = sizeof peer)
        sendto(fd, text, (size_t)got, 0, (struct sockaddr *)&peer, size);
    return 1;
}
"""


class ServiceOptions(Scenario):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.make_swarm()
        cls.peer = Dockerd(cls.net.host("docker-a")).start().join(cls.manager)
        cls.node = cls.make_node("skep-a", images=False)
        for node in (cls.peer, cls.node):
            node.load_image(cls.image("hive:1", **HIVE))
        cls.manager.wait_node("docker-a")
        cls.count = 0

    def on_both(self, script, *options, state="complete", timeout_s=30, image="hive:1"):
        """Run @script (a shell's) on both nodes with the same options. Returns {node: (status, output)}."""
        story = {}
        names = {}
        for node in ("docker-a", "skep-a"):
            type(self).count += 1
            names[node] = f"option-{self.count}"
            command = ["sh", "-c", script] if isinstance(script, str) else script
            self.manager.create_service(names[node], image, *command, on=node, options=["--restart-condition", "none", *options])
        for node, name in names.items():
            states = state if isinstance(state, tuple) else (state,)
            task = self.manager.wait_task(name, lambda task, states=states: task["Status"]["State"] in states, timeout_s, f"is {state} on {node}")
            output = wait_until(lambda name=name: self.manager.docker("service", "logs", "--raw", name), 10, "the output")
            story[node] = (task["Status"], output.stdout + output.stderr)
        self.manager.remove_service(*names.values())
        return story

    def assert_same(self, script, *options, expect=None, **more):
        """The output is equal on both nodes, and @expect (a pattern) is in it."""
        story = self.on_both(script, *options, **more)
        self.assertEqual(story["skep-a"][1], story["docker-a"][1])
        if expect is not None:
            self.assertRegex(story["skep-a"][1], expect)
        return story

    def test_user_groups_and_directory(self):
        self.assert_same("id; pwd; echo $HOME", "--user", "bee", "--group", "hive", "--workdir", "/tmp", expect=r"uid=1000\(bee\)[^\n]*hive")

    def test_numeric_user(self):
        self.assert_same("id -u; id -g", "--user", "1234:5678", expect="1234\n5678")

    def test_environment_and_templates(self):
        story = self.on_both('echo "$A|$SLOT|$SERVICE|$NODE"; hostname; cat /etc/hostname', "--env", "A=x y", "--env", "SLOT={{.Task.Slot}}",
                             "--env", "SERVICE={{.Service.Name}}", "--env", "NODE={{.Node.Hostname}}", "--hostname", "bee-{{.Task.Slot}}")
        for node, (_, output) in story.items():
            self.assertRegex(output, rf"^x y\|1\|option-\d+\|{node}\nbee-1\nbee-1\n$", node)

    def test_capabilities(self):
        self.assert_same("grep -E '^Cap(Inh|Prm|Eff|Bnd)|^Seccomp:|^NoNewPrivs' /proc/self/status", expect="00000000a80425fb")

    def test_capabilities_added_and_dropped(self):
        self.assert_same("grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status", "--cap-add", "NET_ADMIN", "--cap-drop", "CHOWN")

    def test_masked_and_read_only_paths(self):
        self.assert_same("cat /proc/kcore 2>&1 | head -c 10; ls /proc/acpi /sys/firmware 2>&1; echo 1 2>&1 >/proc/sys/kernel/hostname; "
                         "awk '$2 ~ /^.(proc|sys|dev)/ { print $2 }' /proc/mounts | sort | grep -vE 'cgroup|/proc/interrupts'")  # masked since moby 26

    def test_devices(self):
        self.assert_same("ls -l /dev | awk '$NF != \"/proc/kcore\" { print $1, $5, $6, $NF }' | sort")

    def test_read_only_root(self):
        self.assert_same("touch /x 2>&1; touch /scratch/y && echo scratch", "--read-only", "--mount", "type=tmpfs,destination=/scratch", expect="Read-only")

    def test_tmpfs_size_and_mode(self):
        self.assert_same("awk '$2 == \"/scratch\" { print $3 }' /proc/mounts; stat -c %a /scratch; dd if=/dev/zero of=/scratch/x bs=1M count=9 2>/dev/null; ls -l /scratch/x | awk '{ print $5 }'",
                         "--mount", "type=tmpfs,destination=/scratch,tmpfs-size=4194304,tmpfs-mode=1750", expect="4194304")

    def test_bind_mount(self):
        shared = os.path.join(self.net.dir, "shared")
        os.makedirs(shared, exist_ok=True)
        with open(os.path.join(shared, "note"), "w") as file:
            file.write("from the host\n")
        self.assert_same("cat /in/note; touch /in/x 2>&1 || true", "--mount", f"type=bind,source={shared},destination=/in,readonly",
                         expect="from the host\n.*Read-only")

    def test_volume_keeps_its_content(self):
        self.assert_same("echo first >/store/x; cat /store/x", "--mount", "type=volume,source=jar,destination=/store", expect="first")
        self.assert_same("cat /store/x", "--mount", "type=volume,source=jar,destination=/store", expect="first")

    def test_impossible_mounts_are_refused_alike(self):
        story = self.on_both("true", "--mount", "type=bind,source=/no/such/place,destination=/in", state=("rejected", "failed"))
        for node, (status, _) in story.items():
            self.assertRegex(status["Err"], r"invalid mount config.*bind source path does not exist|invalid bind mount source|no such|does not exist", node)
        self.assertEqual(story["skep-a"][0]["State"], story["docker-a"][0]["State"])

    def test_secrets_and_configs(self):
        self.create_blob("secret", "honey", "sweet\n")
        self.create_blob("secret", "jar", "sweet too\n")
        self.create_blob("config", "frame", "eight {{ .Service.Name }}\n")
        self.assert_same("cat /run/secrets/honey /run/secrets/jar /frame; stat -c '%a %u %g %F' /run/secrets/honey /run/secrets/jar /frame; "
                         "awk '$2 ~ /secrets/ { print $2, $3 }' /proc/mounts | sort; touch /run/secrets/honey 2>&1 || true",
                         "--secret", "honey", "--secret", "source=jar,target=jar,uid=1000,gid=2000,mode=0400", "--config", "frame",
                         expect="sweet\nsweet too\neight")

    def create_blob(self, kind, name, data):
        path = os.path.join(self.net.dir, name)
        with open(path, "w") as file:
            file.write(data)
        self.manager.docker(kind, "create", name, path)

    def test_limits(self):
        self.assert_same("if [ -e /sys/fs/cgroup/memory ]; then cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us pids/pids.max; "
                         "else cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/cpu.max /sys/fs/cgroup/pids.max; fi",
                         "--limit-memory", "64M", "--limit-cpu", "0.5", "--limit-pids", "20", expect="67108864")

    def test_ulimits_and_sysctls(self):
        self.assert_same("ulimit -n; cat /proc/sys/net/ipv4/ip_unprivileged_port_start", "--ulimit", "nofile=100:200",
                         "--sysctl", "net.ipv4.ip_unprivileged_port_start=500", expect="500")

    def test_out_of_memory_is_said(self):
        story = self.on_both("dd if=/dev/zero of=/scratch/x bs=1M count=100", "--limit-memory", "16M",
                             "--mount", "type=tmpfs,destination=/scratch", state="failed", timeout_s=60)
        for node, (status, _) in story.items():
            self.assertEqual(status["ContainerStatus"]["ExitCode"], 137, node)
            self.assertRegex(status["Err"], r"non-zero exit \(137\)", node)
        self.assertIn("OOMKilled", story["skep-a"][0]["Err"], "where dockerd leaves a person guessing")

    def test_exit_codes(self):
        for script, code in (("exit 42", 42), ("sh -c 'kill -9 $$'; exit $?", 137)):
            story = self.on_both(script, state="failed")
            for node, (status, _) in story.items():
                self.assertEqual(status["ContainerStatus"]["ExitCode"], code, node)
            self.assertEqual(story["skep-a"][0]["Err"], story["docker-a"][0]["Err"])

    def test_commands_that_cannot_run(self):
        for command in (["/no/such"], ["no-such"], ["/etc/passwd"], ["/etc"]):
            with self.subTest(command=command):
                story = self.on_both(command, state=("failed", "rejected"))
                self.assertEqual(story["skep-a"][0]["State"], story["docker-a"][0]["State"])
                self.assertRegex(story["skep-a"][0]["Err"], r"starting container failed|no such|not found|denied|directory")

    def test_tty(self):
        self.assert_same("test -t 1 && echo a terminal; tty", "--tty", expect="a terminal")

    def test_init_reaps(self):
        """PID 1 is the init, and an orphan that ended is gone; without --init, PID 1 is the command and leaves it a zombie."""
        script = ("(sleep 0.2 &); (sleep 1; cat /proc/1/comm; grep -h ^State:.Z /proc/[0-9]*/status | wc -l) & exec sleep 2")
        for options, first, zombies in ((["--init"], r"(docker-)?init|tini|catatonit", 0), ([], "sleep", 1)):
            for node, (_, output) in self.on_both(script, *options).items():
                self.assertRegex(output, rf"^({first})\n{zombies}\n$", f"{node} {options}")

    def test_dns_and_hosts(self):
        self.assert_same("grep -v '^#' /etc/resolv.conf | grep . | sort; grep bee /etc/hosts", "--dns", "192.0.2.53", "--dns-search", "hive.example", "--dns-option",
                         "ndots:2", "--host", "bee:192.0.2.7", expect="192.0.2.53")

    def test_network_host(self):
        story = self.on_both("ip -o -4 addr show eth0 | awk '{ print $4 }'", "--network", "host")
        self.assertEqual(story["skep-a"][1].strip(), f"{self.node.host.ip}/24")
        self.assertEqual(story["docker-a"][1].strip(), f"{self.peer.host.ip}/24")

    def test_bridge_reaches_its_neighbour(self):
        """Both on the default bridge: an address, a route out, a name of its own in /etc/hosts."""
        for node, (_, output) in self.on_both("ip -o -4 addr show eth0 | wc -l; ip route | grep -c ^default; grep -c \"$(hostname)\" /etc/hosts; "
                                              f"ping -c1 -W2 {self.manager.host.ip} >/dev/null && echo out").items():
            self.assertEqual(output, "1\n1\n1\nout\n", node)

    def test_published_port(self):
        serve = sleeper(first="mkdir -p /tmp/www; echo served >/tmp/www/index.html; httpd -p 80 -h /tmp/www")
        for number, (node, host) in enumerate((("docker-a", self.peer.host), ("skep-a", self.node.host))):
            name = f"port-{number}"
            self.manager.create_service(name, "hive:1", *serve, on=node, options=["--publish", "mode=host,published=8080,target=80"])
            task = self.manager.wait_running(name, 1)[0]
            ports = task["Status"]["PortStatus"]["Ports"]
            self.assertEqual({(port["TargetPort"], port["PublishedPort"], port["PublishMode"]) for port in ports}, {(80, 8080, "host")}, node)
            asked = ["curl", "-s", "--max-time", "3", f"http://{host.ip}:8080/index.html"]
            self.assertEqual(wait_until(lambda asked=asked: self.manager.host.run(asked).stdout, 5, "an answer"), "served\n", node)
            self.manager.remove_service(name)
            wait_until(lambda asked=asked: self.manager.host.run(asked, check=False).returncode != 0, 15, f"the port is closed on {node}")

    def test_published_port_chosen_by_the_node(self):
        self.manager.create_service("any-port", "hive:1", *sleeper(), on="skep-a", options=["--publish", "mode=host,target=80"])
        task = self.manager.wait_running("any-port", 1)[0]
        self.assertGreater(task["Status"]["PortStatus"]["Ports"][0]["PublishedPort"], 1023)
        self.manager.remove_service("any-port")

    def test_stop_signal(self):
        for number, node in enumerate(("docker-a", "skep-a")):
            name = f"signal-{number}"
            script = 'trap "echo got USR1; exit 4" USR1; while :; do sleep 1000 & wait $!; done'
            self.manager.create_service(name, "hive:1", "sh", "-c", script, on=node, options=["--stop-signal", "SIGUSR1"])
            old = self.manager.wait_running(name, 1)[0]["ID"]
            self.manager.update_service(name, "--force")
            task = self.manager.wait_task(name, lambda task, old=old: task["ID"] == old and task["Status"]["State"] == "shutdown", 20, "is shut down")
            self.assertEqual(self.manager.exit_code(task), 4, node)
            self.manager.remove_service(name)

    def test_health_check(self):
        """RUNNING only once healthy; unhealthy ends the task."""
        check = ["--health-cmd", "test -e /tmp/well", "--health-interval", "500ms", "--health-retries", "3", "--health-timeout", "2s"]
        for number, node in enumerate(("docker-a", "skep-a")):
            name = f"health-{number}"
            self.manager.create_service(name, "hive:1", *sleeper(3, "sleep 1; touch /tmp/well; sleep 4; rm /tmp/well"), on=node,
                                        options=["--restart-condition", "none", *check])
            self.manager.wait_task(name, lambda task: task["Status"]["State"] == "starting", 10, f"is starting on {node}")
            self.manager.wait_task(name, lambda task: task["Status"]["State"] == "running", 20, f"runs on {node}")
            task = self.manager.wait_task(name, lambda task: task["Status"]["State"] == "failed", 30, f"has failed on {node}")
            self.assertIn("unhealthy", task["Status"]["Err"], node)
            self.manager.remove_service(name)

    def test_health_check_of_the_image(self):
        """As the one of the service: RUNNING only once healthy; unhealthy ends the task. --no-healthcheck takes it away."""
        check = {"Healthcheck": {"Test": ["CMD-SHELL", "test -e /tmp/well"], "Interval": 500_000_000, "Timeout": 2_000_000_000, "Retries": 3}}
        self.load("checked:1", config=check)
        ended = {}
        for number, node in enumerate(("docker-a", "skep-a")):
            name = f"checked-{number}"
            self.manager.create_service(name, "checked:1", *sleeper(3, "sleep 1; touch /tmp/well; sleep 3; rm /tmp/well"), on=node,
                                        options=["--restart-condition", "none"])
            begun = time.monotonic()
            self.manager.wait_task(name, lambda task: task["Status"]["State"] == "starting", 10, f"is starting on {node}")
            self.manager.wait_task(name, lambda task: task["Status"]["State"] == "running", 20, f"runs on {node}")
            self.assertGreater(time.monotonic() - begun, 1, "not before it is healthy")
            task = self.manager.wait_task(name, lambda task: task["Status"]["State"] == "failed", 30, f"has failed on {node}")
            self.assertIn("unhealthy", task["Status"]["Err"], node)
            ended[node] = task["Status"]["Err"], self.manager.exit_code(task)
            self.manager.remove_service(name)
        self.assertEqual(ended["skep-a"], ended["docker-a"])
        for node, (status, _) in self.on_both("exit 0", "--no-healthcheck", image="checked:1").items():
            self.assertEqual(status["State"], "complete", node)

    def test_unhealthy_from_the_start(self):
        """Never RUNNING, on either node."""
        self.load("ill:1", config={"Healthcheck": {"Test": ["CMD", "false"], "Interval": 300_000_000, "Retries": 2}})
        story = self.on_both(sleeper(3), state="failed", image="ill:1")
        for node, (status, _) in story.items():
            self.assertIn("unhealthy", status["Err"], node)
        self.assertEqual(story["skep-a"][0]["Message"], story["docker-a"][0]["Message"])

    def test_published_udp_port(self):
        self.load("echo:1", files={"bin/echo-udp": (self.compiled("echo-udp", ECHO), 0o755)})
        ask = ("import socket, sys; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(1); s.connect((sys.argv[1], 8053)); "
               "s.send(b'bee'); print(s.recv(100).decode())")
        for number, (node, host) in enumerate((("docker-a", self.peer.host), ("skep-a", self.node.host))):
            name = f"udp-{number}"
            self.manager.create_service(name, "echo:1", "echo-udp", on=node, options=["--publish", "mode=host,published=8053,target=53,protocol=udp"])
            task = self.manager.wait_running(name, 1)[0]
            ports = task["Status"]["PortStatus"]["Ports"]
            self.assertEqual({(port["Protocol"], port["TargetPort"], port["PublishedPort"]) for port in ports}, {("udp", 53, 8053)}, node)
            asked = [sys.executable, "-c", ask, host.ip]
            self.assertEqual(wait_until(lambda asked=asked: self.manager.host.run(asked).stdout, 10, "an answer"), "bee\n", node)
            self.manager.remove_service(name)
            wait_until(lambda asked=asked: self.manager.host.run(asked, check=False).returncode != 0, 15, f"the port is closed on {node}")

    def compiled(self, name, source):
        """A static program's bytes."""
        path = os.path.join(self.net.dir, name)
        with open(path + ".c", "w") as file:
            file.write(source)
        run(["cc", "-D_GNU_SOURCE", "-static", "-O1", "-o", path, path + ".c"])
        with open(path, "rb") as file:
            return file.read()

    def load(self, reference, **more):
        """An image on both nodes."""
        for node in (self.peer, self.node):
            node.load_image(self.image(reference, **more))

    def test_layers_seen_from_inside(self):
        """Whiteouts, opaque directories, kinds that change, hard links, modes, owners, extended attributes and file capabilities."""
        self.load("layers:1", layers=[busybox_layer(), *self.layers()])
        script = ("cd /l; find . | sort; find . -type f -exec stat -c '%n %a %u:%g %h %s' {} + | sort; find . -type d -exec stat -c '%n %a %u:%g' {} + | sort; "
                  "cat keep/a whole/new swap-dir swap-file/x links/two; readlink to; test links/two -ef links/three && echo same; "
                  "echo x >>links/two; cat links/three; ./suid modes; ./capable modes; rm -r whole && mkdir whole && ls whole; echo new >gone/x; cat gone/x")
        story = self.assert_same(script, "--user", "0:0", image="layers:1", expect=r"kept\nnew\na file now\nin a directory now\nlinked\n")
        output = story["skep-a"][1]
        for path in ("./gone/x", "./whole/old", "./whole/deep", "./tree", "./links/one", "./swap-dir/old"):
            self.assertNotIn(path + "\n", output)
        self.assertNotIn(".wh.", output)
        self.assert_same("/l/suid /l/modes; /l/capable /l/modes", "--user", "1000:1000", image="layers:1",
                         expect=r"^uid 1000, 0, effective capabilities [0-9a-f]+, colour gold\nuid 1000, 1000, effective capabilities 0000000000002000, colour gold\n$")

    def layers(self):
        """Two layers, the second of which takes away from the first."""
        look = self.compiled("look", LOOK)
        lower, upper = io.BytesIO(), io.BytesIO()
        with tarfile.open(fileobj=lower, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in ("l", "l/keep", "l/gone", "l/whole", "l/whole/deep", "l/tree", "l/tree/deep", "l/swap-dir", "l/links"):
                tar_entry(tar, name, kind=tarfile.DIRTYPE, mode=0o755)
            for name in ("keep/a", "gone/x", "gone/y", "whole/old", "whole/deep/old", "tree/deep/old", "swap-dir/old", "swap-file"):
                tar_entry(tar, "l/" + name, b"kept\n", uid=1000, gid=2000, mode=0o640)
            tar_entry(tar, "l/links/one", b"linked\n")
            for name in ("two", "three"):
                tar_entry(tar, "l/links/" + name, kind=tarfile.LNKTYPE, link="l/links/one")
            tar_entry(tar, "l/to", kind=tarfile.SYMTYPE, link="../l/keep/a", mode=0o777)
            tar_entry(tar, "l/modes", b"", mode=0o1644, pax={"SCHILY.xattr.user.colour": "gold"})
            tar_entry(tar, "l/group", kind=tarfile.DIRTYPE, mode=0o2775, gid=2000)
            tar_entry(tar, "l/suid", look, mode=0o4755)
            # struct vfs_cap_data, version 2, effective: CAP_NET_RAW is bit 13
            raw = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
            tar_entry(tar, "l/capable", look, mode=0o755, pax={"SCHILY.xattr.security.capability": raw.decode("utf-8", "surrogateescape")})
        with tarfile.open(fileobj=upper, mode="w", format=tarfile.PAX_FORMAT) as tar:
            tar_entry(tar, "l/gone/.wh.x", b"")
            tar_entry(tar, "l/.wh.tree", b"")
            tar_entry(tar, "l/links/.wh.one", b"")
            tar_entry(tar, "l/whole", kind=tarfile.DIRTYPE, mode=0o700)
            tar_entry(tar, "l/whole/.wh..wh..opq", b"")
            tar_entry(tar, "l/whole/new", b"new\n")
            tar_entry(tar, "l/swap-dir", b"a file now\n")
            tar_entry(tar, "l/swap-file", kind=tarfile.DIRTYPE, mode=0o755)
            tar_entry(tar, "l/swap-file/x", b"in a directory now\n")
        return lower.getvalue(), upper.getvalue()

    def test_labels_and_name(self):
        for number, (node, daemon) in enumerate((("docker-a", self.peer), ("skep-a", self.node))):
            name = f"labelled-{number}"
            self.manager.create_service(name, "hive:1", *sleeper(), on=node, options=["--container-label", "colour=gold", "--label", "only=service"])
            task = self.manager.wait_running(name, 1)[0]
            container = json.loads(daemon.docker("inspect", task["Status"]["ContainerStatus"]["ContainerID"]).stdout)[0]
            labels = container["Config"]["Labels"]
            self.assertEqual(container["Name"], f"/{name}.1.{task['ID']}", node)
            self.assertEqual(labels["colour"], "gold", node)
            self.assertNotIn("only", labels, node)
            self.assertEqual({key: value for key, value in labels.items() if "swarm" in key},
                             {"com.docker.swarm.node.id": task["NodeID"], "com.docker.swarm.service.id": task["ServiceID"],
                              "com.docker.swarm.service.name": name, "com.docker.swarm.task": "", "com.docker.swarm.task.id": task["ID"],
                              "com.docker.swarm.task.name": f"{name}.1.{task['ID']}"}, node)
            self.manager.remove_service(name)

    def test_zz_nothing_is_left(self):
        self.node.assert_clean()


if __name__ == "__main__":
    unittest.main()
