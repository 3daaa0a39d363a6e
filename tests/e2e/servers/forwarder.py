"""A device whose attributes are forwarded: the values lie on other devices, which the database names (__root_att)."""
from tango.server import Device, attribute, run


class Forwarder(Device):
    ampli = attribute(name="ampli", forwarded=True)
    throws = attribute(name="throws", forwarded=True)
    number = attribute(name="number", forwarded=True)


if __name__ == "__main__":
    run((Forwarder,))
