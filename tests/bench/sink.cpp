// A receiver of OTLP/HTTP that throws everything away: what exporting costs the sender, and as little as may be beside.
// Prints its port; a thread for each connection. Ends with its standard input.
#include <arpa/inet.h>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

static void serve(int fd) {
  const std::string answer = "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";
  std::string data;
  char buffer[65536];
  for (ssize_t n; (n = read(fd, buffer, sizeof(buffer))) > 0;) {
    data.append(buffer, size_t(n));
    for (size_t end; (end = data.find("\r\n\r\n")) != std::string::npos;) {
      const char *length = strcasestr(data.c_str(), "\r\nContent-Length:");
      size_t whole = end + 4 + (length ? strtoul(length + 17, nullptr, 10) : 0);
      while (data.size() < whole && (n = read(fd, buffer, sizeof(buffer))) > 0) {
        data.append(buffer, size_t(n));
      }
      if (data.size() < whole || write(fd, answer.data(), answer.size()) < 0) {
        close(fd);
        return;
      }
      data.erase(0, whole);
    }
  }
  close(fd);
}

int main() {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (listener < 0 || bind(listener, reinterpret_cast<sockaddr *>(&address), size) || listen(listener, 64) ||
      getsockname(listener, reinterpret_cast<sockaddr *>(&address), &size)) {
    perror("sink");
    return 1;
  }
  std::cout << ntohs(address.sin_port) << std::endl;
  std::thread([] {
    for (char c; read(0, &c, 1) > 0;) {
    }
    _exit(0);
  }).detach();
  for (int fd; (fd = accept(listener, nullptr, nullptr)) >= 0;) {
    std::thread(serve, fd).detach();
  }
  return 0;
}
