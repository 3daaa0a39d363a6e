"""The harm test (test_harm.py) with PyTango servers and clients on the wheels: other ABIs, no stack protector in omniORB, so
other exits. `make check` goes through each build shortly, make check-long at the length of the main test and through other
suites of Debian, servers and clients, C++ and PyTango, in roots of their own (TT_MATRIX_SUITES, test_matrix.py).
"""
import bed as beds
import plans
from agent import need_agent
from harness import scaled
from test_calls import system
from test_harm import attach_detach_kill
from test_matrix import SUITES

CALLS = scaled("TT_HARM_BUILD_CALLS", 5000)
ATTACH = scaled("TT_HARM_BUILD_ATTACH", 2)
KILL = scaled("TT_HARM_BUILD_KILL", 1)


# a busy host stops everybody for more than the 3 s of Tango at times (once 30 s, with 20 programs per CPU); a call that
# hangs is found all the same, and stalls are measured by processes.fleet
PATIENT = ["--timeout", "120000"]


def kinds(cpp_root, python, python_root):
    """Clients in C++ and on that PyTango (Load.KINDS)."""
    return [("cpp", False, PATIENT, plans.WAYS, cpp_root), ("cpp-callback", False, PATIENT, plans.CALLBACK, cpp_root),
            ("python", python, PATIENT, plans.WAYS, python_root),
            ("python-callback", python, PATIENT, plans.CALLBACK, python_root),
            ("python-shared", python, ["--shared"] + PATIENT, (), python_root)]


def wheel_test(wheel):
    def test(bed):
        need_agent()
        python = beds.wheel_python(wheel)
        attach_detach_kill(bed, system(bed, None, python), kinds(None, python, None), CALLS, ATTACH, KILL)
    return test


def suite_test(suite):
    def test(bed):
        need_agent()
        root = beds.suite_root(suite)
        attach_detach_kill(bed, system(bed, None, root=root), kinds(root, beds.PYTHON, root), CALLS, ATTACH, KILL)
    return test


globals().update({"test_" + wheel.replace(".", "_"): wheel_test(wheel) for wheel in beds.WHEELS})
globals().update({"test_" + suite: suite_test(suite) for suite in SUITES})
