// A CORBA program that is not Tango: it maps libomniORB and libstdc++, calls one object COUNT times, and waits.
// usage: corba REFERENCE FIFO COUNT    "up" once the ORB is there, then a line from FIFO, "done" after the calls
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <omniORB4/CORBA.h>
#include <string>
#include <unistd.h>

int main(int argc, char **argv) {
  CORBA::ORB_var orb = CORBA::ORB_init(argc, argv);
  if (argc < 4) {
    return 2;
  }
  CORBA::Object_var object = orb->string_to_object(argv[1]);
  std::puts("up");
  std::fflush(stdout);
  std::string line;
  std::ifstream gate(argv[2]);
  std::getline(gate, line);
  int there = 0;
  for (int i = 0; i < std::atoi(argv[3]); i++) {
    try {
      there += !object->_non_existent();
    } catch (const CORBA::Exception &e) {
      std::puts(e._name());
    }
  }
  std::printf("done %d\n", there);
  std::fflush(stdout);
  pause();
  return 0;
}
