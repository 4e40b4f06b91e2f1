"""What a manager of a swarm is asked, dockerd or skepd: both answer the docker command."""
import json

from lib.hosts import wait_until


class SwarmManager:
    """Beside lib.daemon.Daemon, which gives `docker()`, `api()`, `host` and `name`."""

    # Swarm

    def init(self, *options):
        self.docker("swarm", "init", "--advertise-addr", self.host.ip, *options)
        return self

    @property
    def address(self):
        return f"{self.host.ip}:2377"

    def token(self, role="worker"):
        return self.docker("swarm", "join-token", "-q", role).stdout.strip()

    def nodes(self):
        return self.api("GET", "/nodes")

    def node(self, name):
        """The node object with this host name (the newest, where a host joined more than once)."""
        found = [node for node in self.nodes() if node["Description"].get("Hostname") == name]
        if not found:
            raise AssertionError(f"no node called {name} in the swarm")
        return max(found, key=lambda node: node["CreatedAt"])

    def node_state(self, name):
        return self.node(name)["Status"]["State"]

    def wait_node(self, name, state="ready", timeout_s=20):
        return wait_until(lambda: self.node_state(name) == state and self.node(name), timeout_s, f"node {name} is {state}")

    def is_leader(self):
        return any(node.get("ManagerStatus", {}).get("Leader") and node["Description"].get("Hostname") == self.name for node in self.nodes())

    # Services

    def create_service(self, name, image, *command, on=None, replicas=1, options=()):
        """docker service create --detach; @on pins it to the node with that host name."""
        pin = ["--constraint", f"node.hostname=={on}"] if on else []
        count = ["--replicas", str(replicas)] if replicas is not None else []
        return self.docker("service", "create", "--quiet", "--detach", "--no-resolve-image", "--name", name, *count, *pin, *options, image,
                           *command).stdout.strip()

    def update_service(self, name, *options):
        return self.docker("service", "update", "--quiet", "--detach", "--no-resolve-image", *options, name)

    def tasks(self, service):
        """The service's tasks, newest first."""
        ask = json.dumps({"service": [service]}).replace('"', "%22").replace(" ", "")
        return sorted(self.api("GET", f"/tasks?filters={ask}"), key=lambda task: task["CreatedAt"], reverse=True)

    def states(self, service):
        return sorted(task["Status"]["State"] for task in self.tasks(service))

    def running(self, service):
        return [task for task in self.tasks(service) if task["Status"]["State"] == "running" and task["DesiredState"] == "running"]

    def wait_running(self, service, count, timeout_s=60):
        """Wait until exactly @count tasks run and are meant to, and no other task that is meant to run exists. Returns them."""
        def settled():
            tasks = self.tasks(service)
            wanted = [task for task in tasks if task["DesiredState"] in ("running", "ready")]
            good = [task for task in wanted if task["Status"]["State"] == "running"]
            if len(good) == count and len(wanted) == count:
                return good or True
            raise AssertionError(self.explain(tasks))
        return wait_until(settled, timeout_s, f"{count} tasks of {service} run", every_s=0.2)

    def wait_task(self, service, claim, timeout_s, what):
        """Wait until a task of the service satisfies claim(task); returns it."""
        def found():
            tasks = self.tasks(service)
            for task in tasks:
                if claim(task):
                    return task
            raise AssertionError(self.explain(tasks))
        return wait_until(found, timeout_s, f"a task of {service} {what}", every_s=0.2)

    @staticmethod
    def explain(tasks):
        rows = [f"{task.get('Slot', 0)} {task['DesiredState']}/{task['Status']['State']} {task['Status'].get('Err') or task['Status'].get('Message', '')}"
                for task in tasks[:12]]
        return f"{len(tasks)} tasks: " + "; ".join(rows)

    def remove_service(self, *names):
        self.docker("service", "rm", *names)

    def picture(self):
        """What a person would look at first, for the dump of a failed test."""
        text = self.docker("node", "ls", check=False, timeout=15).stdout
        services = self.docker("service", "ls", "-q", check=False, timeout=15).stdout.split()
        if services:
            text += self.docker("service", "ps", "--no-trunc", *services, check=False, timeout=15).stdout
        return text

    def certificate_pem(self):
        return self.docker("swarm", "ca").stdout

    def exit_code(self, task):
        return task["Status"].get("ContainerStatus", {}).get("ExitCode", 0)

