"""Certificates, and who signs them, made by openssl."""
import os
import subprocess

from harness import check


def openssl(*args, **kw):
    done = subprocess.run(["openssl"] + list(args), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True, **kw)
    check(done.returncode == 0, "openssl " + args[0], done.stdout)


class Authority:
    def __init__(self, bed, name):
        self.bed, self.name, self.key, self.cert = bed, name, bed.path(name + ".key"), bed.path(name + ".pem")
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.cert, "-subj",
                "/CN=" + name, "-days", "2")

    def issue(self, name, start="20200101000000Z", end="20390101000000Z", to=None, extensions="subjectAltName=DNS:localhost"):
        """(certificate, key) as `name`, of localhost unless the extensions say otherwise, into the files of `to`."""
        base = to or self.bed.path(name)
        folder = self.bed.path("ca-" + self.name)
        os.makedirs(folder, exist_ok=True)
        for path, text in (("index.txt", ""), ("serial", "%04X" % (1000 + len(os.listdir(folder)) * 7))):
            with open(os.path.join(folder, path), "w") as f:
                f.write(text)
        config = os.path.join(folder, "config")
        with open(config, "w") as f:
            f.write("[ca]\ndefault_ca=c\n[c]\ndatabase=%s/index.txt\nserial=%s/serial\nnew_certs_dir=%s\npolicy=p\ndefault_md=sha256\n"
                    "unique_subject=no\n[p]\ncommonName=supplied\n[e]\n%s\n" % (folder, folder, folder, extensions))
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", base + ".key.new", "-out", base + ".csr", "-subj", "/CN=" + name)
        openssl("ca", "-batch", "-config", config, "-cert", self.cert, "-keyfile", self.key, "-in", base + ".csr", "-out",
                base + ".pem.new", "-startdate", start, "-enddate", end, "-extensions", "e", "-notext")
        os.rename(base + ".key.new", base + ".key")
        os.rename(base + ".pem.new", base + ".pem")
        return base + ".pem", base + ".key"
