// Carries out a plan of mixed Tango calls from several threads and logs every answer.
// usage: mix PLAN LOG [--shared] [--wait FIFO] [--timeout MS] [--repeat FILE] [--while FILE]
//   --shared  the threads share their proxies (else each has its own)
//   --wait    after the threads have made their proxies, write "up" to stdout and read one line from FIFO
//   --repeat  carries out the plan again and again as long as FILE exists; every answer must be that of the first
//             round, else exit code 3. Each thread tells its rounds on stdout: "round THREAD CALLS".
//   --while   the same, but all of it is logged, and nothing compared
#include "plan.hpp"

#include <atomic>

#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <sys/syscall.h>
#include <tango/tango.h>
#include <thread>
#include <unistd.h>

namespace {

struct Options {
  bool shared = false;
  const char *fifo = nullptr;
  const char *repeat = nullptr;
  const char *going = nullptr; // --while
  int timeout = 0;
};

using Proxies = std::map<std::string, std::shared_ptr<Tango::DeviceProxy>>;

std::string text_of(Tango::DeviceAttribute &att) {
  Tango::DevDouble d;
  Tango::DevLong l;
  Tango::DevBoolean b;
  std::string s;
  std::ostringstream out;
  switch (att.get_type()) { // throws what the server answered for this attribute
  case Tango::DEV_DOUBLE:
    att >> d;
    out << d;
    break;
  case Tango::DEV_LONG:
    att >> l;
    out << l;
    break;
  case Tango::DEV_BOOLEAN:
    att >> b;
    out << int(b);
    break;
  case Tango::DEV_STRING:
    att >> s;
    out << s;
    break;
  default:
    out << "type " << att.get_type();
  }
  return out.str();
}

std::string answer_of(Tango::DeviceAttribute &att) {
  if (att.has_failed()) {
    throw Tango::DevFailed(att.get_err_stack());
  }
  return text_of(att);
}

std::string read(Tango::DeviceProxy &proxy, Call &call) {
  Tango::DeviceAttribute att = proxy.read_attribute(call.name);
  return answer_of(att);
}

std::string read_many(Tango::DeviceProxy &proxy, Call &call) {
  std::vector<std::string> names;
  std::istringstream list(call.name);
  for (std::string name; std::getline(list, name, ',');) {
    names.push_back(name);
  }
  std::unique_ptr<std::vector<Tango::DeviceAttribute>> atts(proxy.read_attributes(names));
  std::string answer;
  for (auto &att : *atts) {
    answer += answer_of(att) + ";";
  }
  return answer;
}

Tango::DeviceAttribute to_write(Call &call) {
  if (call.type == "long") {
    return Tango::DeviceAttribute(call.name, Tango::DevLong(std::stol(call.argument)));
  }
  return Tango::DeviceAttribute(call.name, Tango::DevDouble(std::stod(call.argument)));
}

std::string write(Tango::DeviceProxy &proxy, Call &call) {
  Tango::DeviceAttribute att = to_write(call);
  proxy.write_attribute(att);
  return "";
}

std::string write_read(Tango::DeviceProxy &proxy, Call &call) {
  Tango::DeviceAttribute att = to_write(call);
  Tango::DeviceAttribute answer = proxy.write_read_attribute(att);
  return answer_of(answer);
}

Tango::DeviceData argument_of(const Call &call) {
  Tango::DeviceData in;
  if (call.type == "long") {
    in << Tango::DevLong(std::stol(call.argument));
  } else if (call.type == "double") {
    in << Tango::DevDouble(std::stod(call.argument));
  } else if (call.type != "void") {
    in << call.argument.c_str();
  }
  return in;
}

template <typename T> std::string extracted(Tango::DeviceData &out) {
  T value;
  std::ostringstream answer;
  out >> value;
  answer << value;
  return answer.str();
}

// Every command here answers with the type of its argument.
std::string text_of(Tango::DeviceData &out, const Call &call) {
  if (call.type == "void") {
    return "";
  }
  return call.type == "long"     ? extracted<Tango::DevLong>(out)
         : call.type == "double" ? extracted<Tango::DevDouble>(out)
                                 : extracted<std::string>(out);
}

std::string command(Tango::DeviceProxy &proxy, Call &call) {
  if (call.type == "void") {
    proxy.command_inout(call.name);
    return "";
  }
  Tango::DeviceData in = argument_of(call), out = proxy.command_inout(call.name, in);
  return text_of(out, call);
}

// ---- the same asynchronously: the reply is waited for, asked for again and again, or comes by a callback that is pulled

long send_command(Tango::DeviceProxy &proxy, Call &call) {
  Tango::DeviceData in = argument_of(call);
  return call.type == "void" ? proxy.command_inout_asynch(call.name) : proxy.command_inout_asynch(call.name, in);
}

std::string waited_command(Tango::DeviceProxy &proxy, Call &call) {
  Tango::DeviceData out = proxy.command_inout_reply(send_command(proxy, call), 0); // 0: without end
  return text_of(out, call);
}

std::string waited_read(Tango::DeviceProxy &proxy, Call &call) {
  std::unique_ptr<Tango::DeviceAttribute> att(proxy.read_attribute_reply(proxy.read_attribute_asynch(call.name), 0));
  return answer_of(*att);
}

// An exception for every time that it asks too early.
template <typename F> auto polled(F &&ask) -> decltype(ask()) {
  for (;;) {
    try {
      return ask();
    } catch (const Tango::AsynReplyNotArrived &) {
      usleep(200);
    }
  }
}

std::string polled_command(Tango::DeviceProxy &proxy, Call &call) {
  long id = send_command(proxy, call);
  Tango::DeviceData out = polled([&] { return proxy.command_inout_reply(id); });
  return text_of(out, call);
}

std::string polled_read(Tango::DeviceProxy &proxy, Call &call) {
  long id = proxy.read_attribute_asynch(call.name);
  std::unique_ptr<Tango::DeviceAttribute> att(polled([&] { return proxy.read_attribute_reply(id); }));
  return answer_of(*att);
}

struct Pulled : Tango::CallBack {
  explicit Pulled(const Call &for_call) : call(for_call) {}
  void cmd_ended(Tango::CmdDoneEvent *event) override {
    settle(event->err, event->errors, [&] { return text_of(event->argout, call); });
  }
  void attr_read(Tango::AttrReadEvent *event) override {
    settle(event->err, event->errors, [&] { return answer_of((*event->argout)[0]); });
  }
  // Pulls until the reply is there, whatever it is: the library keeps a pointer to this object until then.
  std::string answer(Tango::DeviceProxy &proxy) {
    while (!done) {
      try {
        proxy.get_asynch_replies(100);
      } catch (const Tango::DevFailed &) { // nothing yet
      }
    }
    if (errors.length()) {
      throw Tango::DevFailed(errors);
    }
    return text;
  }

private:
  template <typename F> void settle(bool failed, const Tango::DevErrorList &why, F &&take) {
    try {
      if (failed) {
        errors = why;
      } else {
        text = take();
      }
    } catch (const Tango::DevFailed &e) {
      errors = e.errors;
    }
    done = true;
  }
  const Call &call;
  bool done = false;
  Tango::DevErrorList errors;
  std::string text;
};

std::string callback_command(Tango::DeviceProxy &proxy, Call &call) {
  Pulled callback(call);
  Tango::DeviceData in = argument_of(call);
  if (call.type == "void") {
    proxy.command_inout_asynch(call.name, callback);
  } else {
    proxy.command_inout_asynch(call.name, in, callback);
  }
  return callback.answer(proxy);
}

std::string callback_read(Tango::DeviceProxy &proxy, Call &call) {
  Pulled callback(call);
  proxy.read_attribute_asynch(call.name, callback);
  return callback.answer(proxy);
}

std::string ping(Tango::DeviceProxy &proxy, Call &) {
  proxy.ping();
  return "";
}

std::string state(Tango::DeviceProxy &proxy, Call &) { return Tango::DevStateName[proxy.state()]; }

std::string status(Tango::DeviceProxy &proxy, Call &) { return proxy.status(); }

std::string carry_out(Tango::DeviceProxy &proxy, Call &call) {
  static const std::map<std::string, std::string (*)(Tango::DeviceProxy &, Call &)> table = {
      {"read", read},
      {"reads", read_many},
      {"write", write},
      {"write_read", write_read},
      {"command", command},
      {"ping", ping},
      {"state", state},
      {"status", status},
      {"waited_read", waited_read},
      {"waited_command", waited_command},
      {"polled_read", polled_read},
      {"polled_command", polled_command},
      {"callback_read", callback_read},
      {"callback_command", callback_command},
  };
  return table.at(call.operation)(proxy, call);
}

std::shared_ptr<Tango::DeviceProxy> proxy_of(Proxies &proxies, std::string device, const Options &options) {
  auto &proxy = proxies[device];
  if (!proxy) {
    proxy = std::make_shared<Tango::DeviceProxy>(device);
    if (options.timeout) {
      proxy->set_timeout_millis(options.timeout);
    }
  }
  return proxy;
}

std::string one_line(std::string text) {
  for (char &c : text) {
    if (c == '\n' || c == '\t') {
      c = ' ';
    }
  }
  return text;
}

struct Outcome {
  std::string reason, answer;
  bool operator!=(const Outcome &other) const { return reason != other.reason || answer != other.answer; }
};

Outcome outcome_of(Call &call, Proxies &proxies, const Options &options) {
  Outcome outcome;
  try {
    outcome.answer = one_line(carry_out(*proxy_of(proxies, call.device, options), call));
  } catch (const Tango::DevFailed &e) {
    outcome.reason = e.errors[0].reason.in();
    outcome.answer = one_line(e.errors[e.errors.length() - 1].desc.in());
  }
  return outcome;
}

std::mutex print_lock;
std::atomic<long> mismatches{0};

void repeat_rounds(size_t number, std::vector<Call> &calls, const std::vector<Outcome> &first, Proxies &proxies,
                   const Options &options) {
  while (access(options.repeat, F_OK) == 0) {
    for (size_t i = 0; i < calls.size(); i++) {
      Outcome again = outcome_of(calls[i], proxies, options);
      if (again != first[i] && mismatches++ < 5) {
        std::lock_guard<std::mutex> guard(print_lock);
        std::cerr << calls[i].operation << ' ' << calls[i].name << ": first '" << first[i].reason << "' '"
                  << first[i].answer << "', then '" << again.reason << "' '" << again.answer << "'" << std::endl;
      }
    }
    std::lock_guard<std::mutex> guard(print_lock);
    std::cout << "round " << number << ' ' << calls.size() << std::endl;
  }
}

void run_thread(size_t number, std::vector<Call> &calls, Proxies &proxies, const Options &options,
                std::string &log) {
  std::ostringstream out;
  std::vector<Outcome> first;
  long tid = syscall(SYS_gettid);
  do {
    first.clear();
    for (size_t i = 0; i < calls.size(); i++) {
      int64_t start = now_ns();
      first.push_back(outcome_of(calls[i], proxies, options));
      out << number << '\t' << tid << '\t' << i << '\t' << calls[i].operation << '\t' << calls[i].device << '\t'
          << calls[i].name << '\t' << start << '\t' << now_ns() << '\t' << first[i].reason << '\t' << first[i].answer
          << '\n';
    }
  } while (options.going && access(options.going, F_OK) == 0);
  log = out.str();
  if (options.repeat) {
    repeat_rounds(number, calls, first, proxies, options);
  }
}

void make_proxies(const Plan &plan, std::vector<Proxies> &proxies, const Options &options) {
  for (size_t i = 0; i < plan.size(); i++) {
    for (const Call &call : plan[i]) {
      try {
        proxy_of(proxies[options.shared ? 0 : i], call.device, options);
      } catch (const Tango::DevFailed &) {
        continue; // the call itself will meet this error again, and log it
      }
    }
  }
}

} // namespace

int main(int argc, char **argv) {
  Options options;
  if (argc < 3) {
    std::cerr << "usage: mix PLAN LOG [--shared] [--wait FIFO] [--timeout MS] [--repeat FILE] [--while FILE]\n";
    return 2;
  }
  for (int i = 3; i < argc; i++) {
    if (!strcmp(argv[i], "--shared")) {
      options.shared = true;
    } else if (!strcmp(argv[i], "--wait") && i + 1 < argc) {
      options.fifo = argv[++i];
    } else if (!strcmp(argv[i], "--repeat") && i + 1 < argc) {
      options.repeat = argv[++i];
    } else if (!strcmp(argv[i], "--while") && i + 1 < argc) {
      options.going = argv[++i];
    } else if (!strcmp(argv[i], "--timeout") && i + 1 < argc) {
      options.timeout = std::stoi(argv[++i]);
    }
  }
  Plan plan = read_plan(argv[1]);
  std::vector<Proxies> proxies(plan.size());
  if (options.fifo) {
    make_proxies(plan, proxies, options);
    std::cout << "up" << std::endl;
    std::ifstream gate(options.fifo);
    std::string line;
    std::getline(gate, line);
  } else if (options.shared) {
    make_proxies(plan, proxies, options); // a shared map may only be read by the threads
  }
  std::vector<std::string> logs(plan.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < plan.size(); i++) {
    threads.emplace_back(run_thread, i, std::ref(plan[i]), std::ref(proxies[options.shared ? 0 : i]),
                         std::cref(options), std::ref(logs[i]));
  }
  for (auto &thread : threads) {
    thread.join();
  }
  std::ofstream log(argv[2]);
  for (const auto &text : logs) {
    log << text;
  }
  return mismatches ? 3 : log.good() ? 0 : 1;
}
