"""The same `docker service` commands against a dockerd and against a skepd, each a swarm of one node: what becomes of the tasks must be the
same, step by step: slots, order, states, exit codes, what the update says of itself, and the counts of `docker service ls`."""
import concurrent.futures
import json
import re
import shlex
import time
import unittest

from lib.dockerd import Dockerd
from lib.hosts import wait_until
from lib.scenario import Scenario, sleeper
from lib.skepd import Skepd

OVER = {"complete", "failed", "shutdown", "rejected", "orphaned", "remove"}
QUIET_S = 2  # nothing has changed for so long: longer than any pause of a story that is not seen in a state
STUCK_S = 20  # and for so long, though it is still at something: it will not get on
STEP_S = 120
LONGEST_S = 600
AT_ONCE = 4
AGAIN = 2

# A story is a service and what is done to it. SLEEP is a command that runs until it is asked to end. Where a failure ends an update its delay is
# long enough for the failure to be seen before the next slot's turn.
STORIES = {
    "scaled": ["create --replicas 2 hive:1 SLEEP", "scale 4", "scale 1", "scale 3", "scale 0", "rm"],
    "updated": ["create --replicas 2 --update-parallelism 1 --update-delay 300ms --update-monitor 500ms hive:1 SLEEP",
                "update --image hive:2", "update --env-add COLOUR=amber", "update --force", "rollback", "rollback"],
    "updated-two-at-a-time": ["create --replicas 3 --update-parallelism 2 --update-monitor 500ms hive:1 SLEEP", "update --image hive:2"],
    "updated-all-at-once": ["create --replicas 2 --update-parallelism 0 --update-monitor 500ms hive:1 SLEEP", "update --image hive:2"],
    "updated-start-first": ["create --replicas 2 --update-order start-first --update-monitor 500ms hive:1 SLEEP", "update --image hive:2",
                            "update --rollback-order start-first --rollback-monitor 500ms --env-add A=1", "rollback"],
    "updated-and-scaled": ["create --replicas 2 --update-monitor 500ms hive:1 SLEEP", "update --image hive:2 --replicas 3",
                           "update --image hive:1 --replicas 1"],
    "left-alone": ["create --replicas 2 --update-monitor 500ms hive:1 SLEEP", "update --label-add colour=amber",
                   "update --constraint-add node.role==manager", "update --update-parallelism 2", "update --restart-max-attempts 4"],
    "labelled": ["create --replicas 2 --update-monitor 500ms hive:1 SLEEP", "update --container-label-add colour=amber"],
    "fails-and-pauses": ["create --replicas 2 --update-delay 3s --update-monitor 1s --restart-delay 300ms --restart-max-attempts 1 hive:1 SLEEP",
                         "update --args 'sh -c \"exit 3\"'", "update --args '{SLEEP}'"],
    "fails-and-goes-on": ["create --replicas 2 --update-delay 3s --update-monitor 1s --update-failure-action continue --restart-condition none hive:1 SLEEP",
                          "update --args 'sh -c \"exit 3\"'"],
    "fails-and-is-rolled-back": ["create --replicas 2 --update-delay 3s --update-monitor 1s --update-failure-action rollback --rollback-monitor 500ms "
                                 "--restart-delay 300ms --restart-condition none hive:1 SLEEP", "update --args 'sh -c \"exit 3\"'"],
    "fails-within-the-ratio": ["create --replicas 2 --update-monitor 1s --update-max-failure-ratio 1 --restart-condition none hive:1 SLEEP",
                               "update --args 'sh -c \"exit 3\"'"],
    "rolled-back-and-fails": ["create --replicas 2 --restart-condition none --rollback-delay 3s --rollback-monitor 1s --update-monitor 500ms hive:1 sh -c 'exit 5'",
                              "update --args '{SLEEP}'", "rollback"],
    "no-such-image": ["create --replicas 1 --restart-max-attempts 1 --restart-delay 300ms 127.0.0.1:1/none:1 true"],
    "updated-to-no-image": ["create --replicas 2 --update-delay 3s --update-monitor 1s --update-failure-action rollback --rollback-monitor 500ms "
                            "--restart-condition none hive:1 SLEEP", "update --image 127.0.0.1:1/none:1"],
    "never-again": ["create --replicas 2 --update-delay 3s --restart-condition none hive:1 sh -c 'exit 4'", "update --force", "scale 3"],
    "ends-well-once": ["create --replicas 1 --restart-condition on-failure --restart-delay 300ms hive:1 true", "update --force"],
    "fails-again": ["create --replicas 2 --restart-condition on-failure --restart-max-attempts 2 --restart-delay 300ms hive:1 sh -c 'exit 4'"],
    "ends-again": ["create --replicas 1 --restart-condition any --restart-max-attempts 3 --restart-delay 200ms hive:1 true", "update --force"],
    "more-than-is-kept": ["create --replicas 1 --update-monitor 100ms hive:1 SLEEP", *["update --force"] * 6],
    "killed": ["create --replicas 1 --restart-max-attempts 1 --restart-delay 300ms hive:1 sh -c 'kill -9 $$'"],
    "nowhere": ["create --replicas 2 --constraint node.labels.zone==b hive:1 SLEEP", "scale 1", "update --image hive:2",
                "update --constraint-rm node.labels.zone==b"],
    "constrained-away": ["create --replicas 2 --update-monitor 500ms hive:1 SLEEP", "update --constraint-add node.labels.zone==b"],
    "too-big": ["create --replicas 1 --reserve-cpu 1000 hive:1 SLEEP", "rollback"],
    "everywhere": ["create --mode global --update-monitor 500ms --restart-delay 300ms hive:1 SLEEP", "update --image hive:2", "rollback",
                   "update --constraint-add node.labels.zone==b", "update --constraint-rm node.labels.zone==b", "rm"],
    "everywhere-once": ["create --mode global --restart-condition on-failure hive:1 true", "update --force"],
    "everywhere-fails": ["create --mode global --restart-max-attempts 2 --restart-delay 200ms hive:1 sh -c 'exit 6'", "update --force"],
    "job": ["create --mode replicated-job --replicas 3 --max-concurrent 2 hive:1 sh -c 'sleep 0.2'", "update --force", "scale 2"],
    "job-cut-short": ["create --mode replicated-job --replicas 2 hive:1 SLEEP", "update --args true", "rm"],
    "job-fails": ["create --mode replicated-job --restart-max-attempts 1 --restart-delay 300ms hive:1 sh -c 'exit 7'"],
    "job-never-again": ["create --mode replicated-job --restart-condition none hive:1 sh -c 'exit 7'"],
    "job-everywhere": ["create --mode global-job --restart-delay 300ms hive:1 true", "update --force"],
    "job-everywhere-cut-short": ["create --mode global-job hive:1 SLEEP", "update --args true"],
}


def words_of(step):
    for word in shlex.split(step):
        yield from sleeper() if word == "SLEEP" else [word.replace("{SLEEP}", shlex.join(sleeper()))]


def command(service, step):
    verb, *rest = words_of(step)
    if verb == "create":
        return ["service", "create", "--detach", "--quiet", "--no-resolve-image", "--name", service, *rest]
    if verb == "update":
        return ["service", "update", "--detach", "--quiet", "--no-resolve-image", *rest, service]
    if verb == "scale":
        return ["service", "scale", "--detach", f"{service}={rest[0]}"]
    return ["service", verb, *(["--detach", "--quiet"] if verb == "rollback" else []), service]


def without_ids(text):
    return re.sub(r"\b[a-z0-9]{25}\b", "ID", text)


def tell_task(task):
    """One line. What an image's registry says is in each daemon's own words."""
    status, spec = task["Status"], task["Spec"]
    container = spec["ContainerSpec"]
    why = "…" if status["State"] == "rejected" else status.get("Err", "")
    what = f"{container['Image']} {' '.join(container.get('Env', []))} force={spec.get('ForceUpdate', 0)} iteration={task.get('JobIteration', {}).get('Index', '-')}"
    return (f"{task['DesiredState']}/{status['State']} exit={status.get('ContainerStatus', {}).get('ExitCode', '-')} \"{status.get('Message', '')}\" "
            f"\"{without_ids(why)}\" {what}")


class Teller:
    """Does a story with one daemon, and writes down what became of it."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.pool = concurrent.futures.ThreadPoolExecutor(AT_ONCE)

    def tasks(self, service):
        ask = json.dumps({"service": [service]}).replace('"', "%22").replace(" ", "")
        try:
            return self.daemon.api("GET", f"/tasks?filters={ask}")
        except AssertionError as err:
            if "not found" in str(err):
                return []  # the service is gone, its tasks may be on their way
            raise

    def slots(self, service):
        """{slot: its tasks' lines, oldest first}"""
        slots = {}
        for task in sorted(self.tasks(service), key=lambda task: (task.get("Slot", 0), task["CreatedAt"])):
            slots.setdefault(task.get("Slot", 0), []).append(tell_task(task))
        return slots

    def service(self, service):
        found = [one for one in self.daemon.api("GET", "/services") if one["ID"] == service]
        return found[0] if found else {}

    def is_settled(self, service, slots):
        state = self.service(service).get("UpdateStatus", {}).get("State")
        if state in ("updating", "rollback_started"):
            return False
        for line in sum(slots.values(), []):
            desired, now = line.split(" ")[0].split("/")
            waits = now == "pending" and "no suitable node" in line
            if now not in OVER and (desired, now) != ("running", "running") and not waits:
                return False
        return True

    def settle(self, service):
        end = time.monotonic() + STEP_S
        seen, changed, settled = None, time.monotonic(), None
        while time.monotonic() < end and time.monotonic() - changed < STUCK_S:
            now = self.slots(service)
            if now != seen:
                seen, changed, settled = now, time.monotonic(), None
            if not self.is_settled(service, now):
                settled = None
            elif settled is None:
                settled = time.monotonic()
            elif time.monotonic() - settled >= QUIET_S:
                return seen
            time.sleep(0.2)
        return {"never settles": sum(sorted(seen.values()), [])}  # whose turn came first is chance

    def counts(self, service):
        rows = self.daemon.docker("service", "ls", "--format", "{{.Name}} {{.Mode}} {{.Replicas}}").stdout.splitlines()
        return next((row for row in rows if row.split()[0] == service), "")

    def tell(self, name):
        """A line for each thing that there is to say, so that a difference is easily read."""
        lines, service = [], None
        for step in STORIES[name]:
            done = self.daemon.docker(*command(name, step), check=False)
            service = service or done.stdout.strip()
            lines.append(f"$ {step}")
            if done.returncode != 0:
                lines.append(f"  says: {without_ids(done.stderr.strip())}")
            if step.startswith("create"):
                wait_until(lambda service=service: self.slots(service), STEP_S, f"{name} has a task")
            slots = self.settle(service)
            update = self.service(service).get("UpdateStatus", {})
            lines += [f"  update: {update.get('State')} \"{without_ids(update.get('Message', ''))}\"", f"  counts: {self.counts(name)}"]
            lines.append(f"  slots: {' '.join(map(str, slots))}")
            for tasks in sorted(slots.values()):  # whose turn comes first in an update is chance with dockerd, and the lowest slot's with ours
                lines += [f"  {'-' if at else '*'} {line}" for at, line in enumerate(tasks)]
        self.daemon.docker("service", "rm", name, check=False)
        return lines


class Histories(Scenario):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.daemons = [Dockerd(cls.net.host("docker-a")).start(), Skepd(cls.net.host("skep-a")).start()]
        for daemon in cls.daemons:
            for reference in ("hive:1", "hive:2"):
                daemon.load_image(cls.image(reference))
            daemon.init()
            daemon.wait_node(daemon.name)
        cls.tellers = [Teller(daemon) for daemon in cls.daemons]
        cls.told = {name: [teller.pool.submit(teller.tell, name) for teller in cls.tellers] for name in STORIES}
        for teller in cls.tellers:
            cls.addClassCleanup(teller.pool.shutdown, cancel_futures=True)


    # Where ours is another on purpose: docs/manager.md, "Jobs". When the stories are told, as what goes on for ever keeps the machine busy.

    def wait_for_stories(self):
        concurrent.futures.wait([future for pair in self.told.values() for future in pair])

    def test_a_job_that_may_not_start_again_is_given_up(self):
        self.wait_for_stories()
        theirs, ours = self.daemons
        for mode, slots in (("replicated-job", 2), ("global-job", 1)):
            ids = [daemon.create_service(mode, "hive:1", "sh", "-c", "exit 7", replicas=2 if slots == 2 else None,
                                         options=["--mode", mode, "--restart-max-attempts", "1", "--restart-delay", "200ms"]) for daemon in self.daemons]
            wait_until(lambda mode=mode, slots=slots: len(theirs.tasks(mode)) > 2 * slots, STEP_S, f"dockerd goes on and on with a {mode}")
            theirs.remove_service(mode)
            self.assertEqual([len(tasks) for tasks in Teller(ours).settle(ids[1]).values()], [2] * slots)
            ours.remove_service(mode)

    def test_a_job_is_not_rolled_back(self):
        self.wait_for_stories()
        for daemon in self.daemons:
            daemon.create_service("undone", "hive:1", "true", replicas=None, options=["--mode", "replicated-job"])
            daemon.update_service("undone", "--force")
        theirs, ours = self.daemons
        theirs.docker("service", "rollback", "--detach", "undone")
        self.assertEqual(theirs.api("GET", "/services/undone")["UpdateStatus"]["State"], "rollback_started")  # and nothing ever ends it
        refused = ours.docker("service", "rollback", "--detach", "undone", check=False)
        self.assertIn("jobs cannot be rolled back", refused.stderr)


def _make_test(name):
    def test(self):
        """Told again, alone, where they differ: on a busy machine a failure may be seen after a delay that was to be longer than it."""
        stories = [future.result(LONGEST_S) for future in self.told[name]]
        for _ in range(AGAIN):
            if stories[0] == stories[1]:
                break
            self.wait_for_stories()
            again = [teller.pool.submit(teller.tell, name) for teller in self.tellers]
            stories = [future.result(LONGEST_S) for future in again]
        theirs, ours = stories
        self.assertEqual("\n".join(theirs), "\n".join(ours), f"{name}: - is dockerd's, + is skepd's")
    return test


for _name in STORIES:
    setattr(Histories, "test_" + _name.replace("-", "_"), _make_test(_name))


if __name__ == "__main__":
    unittest.main()
