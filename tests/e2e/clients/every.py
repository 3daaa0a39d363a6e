"""Calls functions of the client API one by one and logs the span that each should make.

usage: every.py DEVICE FIFO   (DEVICE: a TangoTest, through the database)
Says "up", waits for a line from FIFO, then logs: SPAN NAME, OPERATION, REASON, tab between.
"""
import sys
import time

import tango

device, fifo = sys.argv[1:3]
proxy = tango.DeviceProxy(device)
database = tango.Database()
attribute = tango.AttributeProxy(device + "/ampli")
group = tango.Group("g")
group.add(device)
proxy.ping()
proxy.command_query("DevVoid")
database.get_info()
proxy.poll_attribute("double_scalar", 100)
time.sleep(0.5)
print("up", flush=True)
with open(fifo) as gate:
    gate.readline()


def call(span, operation, function, *arguments):
    reason = ""
    try:
        function(*arguments)
    except tango.DevFailed as e:
        reason = e.args[0].reason
    print("%s\t%s\t%s" % (span, operation, reason), flush=True)


def proxied(name, operation, *arguments, method=None):
    call("Tango::DeviceProxy::" + name, operation, getattr(proxy, method or name), *arguments)


proxied("ping", "ping")
proxied("state", "state")
proxied("status", "status")
proxied("name", "name")
proxied("adm_name", "adm_name")
proxied("description", "description")
proxied("info", "info")
proxied("black_box", "black_box", 3)
proxied("command_query", "command_query", "DevVoid")
proxied("command_list_query", "command_list_query")
proxied("get_attribute_config", "get_attribute_config ampli", ["ampli"])
proxied("get_attribute_list", "get_attribute_config all attributes")
proxied("attribute_query", "get_attribute_config ampli", "ampli")
proxied("attribute_list_query", "get_attribute_config all attributes")
proxied("attribute_history", "attribute_history double_scalar", "double_scalar", 2)
proxied("command_history", "command_history", "DevVoid", 2)
proxied("get_pipe_config", "get_pipe_config", ["string_long_short_ro"])
proxied("read_pipe", "read_pipe", "string_long_short_ro")
proxied("polling_status", "polling_status")
proxied("is_attribute_polled", "is_attribute_polled", "ampli")
proxied("get_attribute_poll_period", "get_attribute_poll_period", "ampli")
proxied("poll_attribute", "poll_attribute", "ampli", 3000)
proxied("stop_poll_attribute", "stop_poll_attribute", "ampli")
proxied("get_logging_target", "get_logging_target")
proxied("set_logging_level", "set_logging_level", 2)
proxied("get_logging_level", "get_logging_level")
proxied("lock", "lock", 10)
proxied("is_locked", "is_locked")
proxied("unlock", "unlock", False)
proxied("import_info", "import_info")
call("Tango::DeviceProxy::read_attribute", "read ampli", attribute.read)
call("Tango::DeviceProxy::ping", "ping", attribute.ping)
call("Tango::Database::get_device_info", "get_device_info", database.get_device_info, device)
call("Tango::Database::get_device_exported", "get_device_exported", database.get_device_exported, "*")
call("Tango::Database::get_server_list", "get_server_list", database.get_server_list, "*")
call("Tango::Database::import_device", "import_device", database.import_device, device)
call("Tango::Database::get_device_property", "get_device_property", database.get_device_property, device, ["none"])
call("Tango::Database::import_device", "import_device", database.import_device, "no/such/device")
# PyTango's Group sends and collects itself
call("Tango::Group::read_attribute_asynch", "read ampli", group.read_attribute, "ampli")
print("Tango::Group::read_attribute_reply\treply\t", flush=True)
call("Tango::Group::command_inout_asynch", "DevVoid", group.command_inout, "DevVoid")
print("Tango::Group::command_inout_reply\treply\t", flush=True)
call("Tango::Group::ping", "ping", group.ping)
number = []
call("Tango::DeviceProxy::subscribe_event", "subscribe_event",
     lambda: number.append(proxy.subscribe_event("double_scalar", tango.EventType.CHANGE_EVENT, lambda event: None)))
if number:
    call("Tango::DeviceProxy::unsubscribe_event", "unsubscribe_event", proxy.unsubscribe_event, number[0])
