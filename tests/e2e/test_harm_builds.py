"""The harm test (test_harm.py) with PyTango servers and clients on the wheels: other ABIs, no stack protector in omniORB, so
other exits. `make check` goes through each build shortly, make check-long at the length of the main test.
"""
import bed as beds
import plans
from agent import need_agent
from harness import scaled
from test_calls import system
from test_harm import attach_detach_kill

CALLS = scaled("TT_HARM_BUILD_CALLS", 8000)
ATTACH = scaled("TT_HARM_BUILD_ATTACH", 3)
KILL = scaled("TT_HARM_BUILD_KILL", 2)


def harm(wheel):
    def test(bed):
        need_agent()
        python = beds.wheel_python(wheel)
        # a busy host stops everybody for more than the 3 s of Tango at times (once 30 s, with 20 programs per CPU); a call that
        # hangs is found all the same, and stalls are measured by processes.fleet
        patient = ["--timeout", "120000"]
        kinds = [("cpp", False, patient, plans.WAYS), ("cpp-callback", False, patient, plans.CALLBACK),
                 ("python", python, patient, plans.WAYS), ("python-callback", python, patient, plans.CALLBACK),
                 ("python-shared", python, ["--shared"] + patient, ())]
        attach_detach_kill(bed, system(bed, None, python), kinds, CALLS, ATTACH, KILL)
    return test


globals().update({"test_" + wheel.replace(".", "_"): harm(wheel) for wheel in beds.WHEELS})
