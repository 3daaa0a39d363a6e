// Asynchronous calls of cppTango by callback, pulled and pushed, a call that times out, and calls of a Group.
// usage: asynch URL FIFO     (URL: a Thrower)
// Says "up", waits for a line from FIFO, then logs what it did: WHAT OPERATION REASON, tab between.
#include <atomic>
#include <fstream>
#include <iostream>
#include <mutex>
#include <string>
#include <tango/tango.h>
#include <unistd.h>

namespace {

std::mutex lock;

void log(const std::string &what, const std::string &operation, const std::string &reason = "") {
  std::lock_guard<std::mutex> hold(lock);
  std::cout << what << '\t' << operation << '\t' << reason << std::endl;
}

struct Callback : Tango::CallBack {
  std::atomic<int> done{0};

  static std::string reason(bool failed, const Tango::DevErrorList &errors) {
    return failed && errors.length() ? std::string(errors[0].reason.in()) : "";
  }
  void cmd_ended(Tango::CmdDoneEvent *event) override {
    log("reply", event->cmd_name, reason(event->err, event->errors));
    done++;
  }
  void attr_read(Tango::AttrReadEvent *event) override {
    log("reply", event->attr_names[0], reason(event->err, event->errors));
    done++;
  }
  void attr_written(Tango::AttrWrittenEvent *event) override {
    log("reply", event->attr_names[0], event->err ? std::string(event->errors.errors[0].reason.in()) : "");
    done++;
  }
};

Tango::DeviceData argument(Tango::DevLong value) {
  Tango::DeviceData data;
  data << value;
  return data;
}

// Sends one of each and waits until all have come back.
void by_callback(Tango::DeviceProxy &proxy, bool pull) {
  Callback callback;
  Tango::DeviceData two = argument(2), four = argument(4);
  std::string twice = "Twice", refuse = "RethrowDev", number = "number";
  Tango::DeviceAttribute value("number", 4.5);
  proxy.command_inout_asynch(twice, two, callback);
  log("command", twice);
  proxy.command_inout_asynch(refuse, four, callback);
  log("command", refuse, "?");
  proxy.read_attribute_asynch(number, callback);
  log("read", number);
  proxy.write_attribute_asynch(value, callback);
  log("write", number);
  for (int i = 0; i < 500 && callback.done < 4; i++) {
    if (pull)
      proxy.get_asynch_replies(100);
    else
      usleep(10000);
  }
}

void times_out(Tango::DeviceProxy &proxy) {
  Tango::DeviceData long_time = argument(400);
  std::string name = "SleepMs";
  proxy.set_timeout_millis(100);
  long id = proxy.command_inout_asynch(name, long_time);
  try {
    proxy.command_inout_reply(id, 2000);
    log("command", name);
  } catch (Tango::DevFailed &e) {
    log("reply", name, e.errors[0].reason.in());
    log("command", name, e.errors[0].reason.in());
  }
  proxy.set_timeout_millis(3000);
  usleep(500000);
}

void as_group(Tango::Group &group) {
  Tango::GroupAttrReplyList read = group.read_attribute("number");
  log("group", "read number", read.has_failed() ? "failed" : "");
  log("read", "number");
  log("reply", "number");
  group.command_inout("Twice", argument(7));
  log("group", "Twice");
  log("command", "Twice");
  log("reply", "Twice");
  group.ping();
  log("group", "ping");
}

} // namespace

int main(int argc, char **argv) {
  if (argc < 3)
    return 2;
  try {
    std::string url = argv[1], line;
    Tango::DeviceProxy proxy(url);
    Tango::Group group("all");
    group.add(url);
    group.ping();
    proxy.ping();
    std::cout << "up" << std::endl;
    std::ifstream gate(argv[2]);
    std::getline(gate, line);
    by_callback(proxy, true);
    Tango::ApiUtil::instance()->set_asynch_cb_sub_model(Tango::PUSH_CALLBACK);
    by_callback(proxy, false);
    Tango::ApiUtil::instance()->set_asynch_cb_sub_model(Tango::PULL_CALLBACK);
    times_out(proxy);
    as_group(group);
  } catch (Tango::DevFailed &e) {
    Tango::Except::print_exception(e);
    return 1;
  }
  return 0;
}
