"""A real dockerd (Debian's docker.io) on a host, with its own containerd, data root, socket and cgroup."""
import json
import os

from lib.daemon import Daemon
from lib.hosts import wait_until
from lib.swarm_manager import SwarmManager

DOCKERD = "/usr/sbin/dockerd"


class Dockerd(SwarmManager, Daemon):
    kind = "dockerd"
    own_mounts = True  # its mounts go with its processes

    def __init__(self, host, *options):
        super().__init__(host)
        self.options = options
        self.config = os.path.join(self.dir, "daemon.json")
        with open(self.config, "w") as file:
            json.dump({}, file)

    def argv(self, extra):
        return [DOCKERD, "--config-file", self.config, "--data-root", f"{self.dir}/data", "--exec-root", f"{self.dir}/exec",
                "--pidfile", f"{self.dir}/pid", "-H", f"unix://{self.socket}", "--cgroup-parent", f"/{self.host.cgroup}",
                *self.options, *extra]

    def join(self, manager, role="worker"):
        self.docker("swarm", "join", "--advertise-addr", self.host.ip, "--token", manager.token(role), manager.address)
        return self


def swarm(net, managers=1, names="abcdefg", kind=Dockerd):
    """Managers with one swarm between them, the first of which began it."""
    daemons = [kind(net.host(f"manager-{names[i]}")) for i in range(managers)]
    for daemon in daemons:
        daemon.start()
    daemons[0].init()
    for daemon in daemons[1:]:
        daemon.join(daemons[0], role="manager")
    if managers > 1:
        wait_until(lambda: sum(node.get("ManagerStatus", {}).get("Reachability") == "reachable" for node in daemons[0].nodes()) == managers,
                   20, f"{managers} managers are reachable")
    return daemons
