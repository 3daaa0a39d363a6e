// The main function of a device server in C++.
#pragma once
#include <iostream>
#include <tango/tango.h>

int main(int argc, char **argv) {
  try {
    Tango::Util *util = Tango::Util::init(argc, argv);
    util->server_init(false);
    std::cout << "Ready to accept request" << std::endl;
    util->server_run();
  } catch (const CORBA::Exception &e) {
    Tango::Except::print_exception(e);
    return 1;
  }
  return 0;
}
