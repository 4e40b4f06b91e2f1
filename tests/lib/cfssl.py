"""CloudFlare's CFSSL as a swarm's external CA, on a host's own address: it alone holds the key of its root. `signed`: how many
certificates it has been asked for."""
import json
import os
import signal
import subprocess

from lib.hosts import read, run, wait_until

CFSSL = "/usr/bin/cfssl"
YEARS = str(20 * 365)


class ExternalCA:
    def __init__(self, host, port=8888):
        self.host, self.port = host, port
        self.dir = os.path.join(host.dir, f"cfssl-{port}")
        os.makedirs(self.dir, mode=0o700)
        self.url = f"https://{host.ip}:{port}/api/v1/cfssl/sign"
        self.root = f"{self.dir}/root.pem"
        self.process = None
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        run(["openssl", "req", "-x509", *key, "-keyout", f"{self.dir}/root.key", "-out", self.root, "-days", YEARS, "-subj", "/CN=hive-ca",
             "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"])
        run(["openssl", "req", *key, "-keyout", f"{self.dir}/tls.key", "-out", f"{self.dir}/tls.csr", "-subj", "/CN=cfssl"])
        with open(f"{self.dir}/tls.ext", "w") as file:
            file.write(f"subjectAltName=IP:{host.ip}\nextendedKeyUsage=serverAuth\n")
        run(["openssl", "x509", "-req", "-in", f"{self.dir}/tls.csr", "-CA", self.root, "-CAkey", f"{self.dir}/root.key", "-CAcreateserial",
             "-days", YEARS, "-out", f"{self.dir}/tls.pem", "-extfile", f"{self.dir}/tls.ext"])
        usages = ["digital signature", "key encipherment", "server auth", "client auth"]
        with open(f"{self.dir}/config.json", "w") as file:
            json.dump({"signing": {"default": {"usages": usages, "expiry": "2160h"},
                                   "profiles": {"CA": {"usages": ["cert sign", "crl sign"], "expiry": "8760h", "ca_constraint": {"is_ca": True}}}}}, file)

    def start(self, *trusted):
        """Only who shows a certificate of one of the @trusted roots (PEM) is served."""
        with open(f"{self.dir}/clients.pem", "w") as file:
            file.write("\n".join(pem.strip() for pem in trusted) + "\n")
        with open(f"{self.dir}/log", "ab") as log:
            self.process = subprocess.Popen(self.host.inside([
                CFSSL, "serve", "-address", self.host.ip, "-port", str(self.port), "-ca", self.root, "-ca-key", f"{self.dir}/root.key",
                "-config", f"{self.dir}/config.json", "-tls-cert", f"{self.dir}/tls.pem", "-tls-key", f"{self.dir}/tls.key",
                "-mutual-tls-ca", f"{self.dir}/clients.pem"]), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        wait_until(lambda: "listening" in self.log() or "start" in self.log().lower(), 10, "cfssl listens")
        return self

    def log(self):
        return read(f"{self.dir}/log")

    @property
    def signed(self):
        return self.log().count("signed certificate with serial number")

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)
            self.process = None
