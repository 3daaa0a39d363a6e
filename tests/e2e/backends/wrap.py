"""Writes go.mod of a module that requires another one as that builds itself; prints where the other's source lies.

usage: wrap.py DOWNLOAD.json HASH GO      (DOWNLOAD.json: what `go mod download -json` said)
"""
import json
import subprocess
import sys


def main(download, want, go):
    with open(download) as f:
        module = json.load(f)
    if module["Sum"] != want:
        sys.exit("the hash of %s is %s, not %s" % (module["Path"], module["Sum"], want))
    own = json.loads(subprocess.check_output([go, "mod", "edit", "-json", module["Dir"] + "/go.mod"]))
    lines = ["module tangotrace.test/backend", "go " + own["Go"], "require %s %s" % (module["Path"], module["Version"])]
    for replace in own.get("Replace") or []:
        new, old = replace["New"], replace["Old"]
        if not new["Path"].startswith("."):  # nested modules are not in the zip: the required version is, then
            lines.append("replace %s => %s %s" % (" ".join(filter(None, (old["Path"], old.get("Version")))),
                                                  new["Path"], new["Version"]))
    lines += ["exclude %s %s" % (e["Path"], e["Version"]) for e in own.get("Exclude") or []]
    with open("go.mod", "w") as f:
        f.write("\n\n".join(lines) + "\n")
    print(module["Dir"])


if __name__ == "__main__":
    main(*sys.argv[1:])
