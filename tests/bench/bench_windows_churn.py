"""skepd.exe under Wine while tasks come and go on emulated HCS: does what it holds stay level? Prints a table; nothing here passes or fails.

    sudo python3 tests/bench/bench_windows_churn.py [--cycles 10000] [--replicas 8] [--looks 10]

A service whose tasks end at once and are restarted at once, in a swarm of ours. Memory is the process' RSS as Linux has it; Wine tells no
number of handles, so open file descriptors of the process and of Wine's server stand for them, and threads are counted."""
import argparse
import os
import re
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
os.environ.setdefault("SKEP_BUILD", "build/release")

from lib.hosts import Network, processes, read, wait_until
from lib.images import windows_base_layer
from lib.registry import Registry
from lib.skepd import Skepd
from lib.wine import WineSkepd


def metric(node, name):
    text = node.host.call(lambda: urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://{node.metrics}/metrics", timeout=30).read())
    return float(re.search(rf"^{name} (\S+)$", text.decode(), re.M)[1])


def count(pid, what):
    return len(os.listdir(f"/proc/{pid}/{what}"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=10000)
    parser.add_argument("--replicas", type=int, default=8)
    parser.add_argument("--looks", type=int, default=10)
    arguments = parser.parse_args()
    with Network() as net:
        place = net.host("manager")
        registry = Registry(place, ip=place.ip).start()
        image = registry.push("win/app", layers=[windows_base_layer()], os="windows", os_version="10.0.20348.2113", architecture="amd64")
        manager = Skepd(place).start().init("--task-history-limit", "1")
        node = WineSkepd(net.host("win"), "--insecure-registry", registry.address, "--log-level", "error").start()
        node.join(manager)
        manager.wait_node("win")
        manager.create_service("churn", image, "cmd", "/c", "exit 0", on="win", replicas=arguments.replicas, options=("--restart-delay", "0s"))
        pid = node.pid
        server = next(pid for pid, line in processes() if "wineserver" in line and node.prefix in read(f"/proc/{pid}/environ"))
        begun = time.monotonic()
        print(f"{'cycles':>8} {'RSS MiB':>8} {'files':>6} {'threads':>8} {'server files':>13} {'server MiB':>11} {'seconds':>8}")
        for look in range(arguments.looks + 1):
            until = arguments.cycles * look // arguments.looks
            wait_until(lambda: metric(node, "skep_node_assigned_tasks_total") >= until, 3600, f"{until} tasks", every_s=1)
            rss = [int(re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{one}/status"))[1]) / 1024 for one in (pid, server)]
            print(f"{metric(node, 'skep_node_assigned_tasks_total'):8.0f} {rss[0]:8.1f} {count(pid, 'fd'):6} {count(pid, 'task'):8} {count(server, 'fd'):13} "
                  f"{rss[1]:11.1f} {time.monotonic() - begun:8.0f}", flush=True)


if __name__ == "__main__":
    main()
