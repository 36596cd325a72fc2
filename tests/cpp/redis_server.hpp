// A redis-server of the test's own: on a free port of 127.0.0.1, ended with the
// test however that ends.
#ifndef TWAT_TESTS_REDIS_SERVER_HPP
#define TWAT_TESTS_REDIS_SERVER_HPP

#include <arpa/inet.h>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <netinet/in.h>
#include <string>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.hpp"

class RedisServer {
public:
    RedisServer()
    {
        // Another process may take a free port before the server does.
        for (int attempt = 0; attempt < 10; attempt++) {
            port_ = free_port();
            if (spawn()) return;
        }
        CHECK(!"redis-server starts");
    }
    ~RedisServer() { kill(); }
    RedisServer(const RedisServer&) = delete;
    RedisServer& operator=(const RedisServer&) = delete;

    std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_) + "/0"; }

    // kill -9: what it held is lost.
    void kill()
    {
        if (process_ <= 0) return;
        ::kill(process_, SIGKILL);
        waitpid(process_, nullptr, 0);
        process_ = -1;
    }
    void stop() { ::kill(process_, SIGSTOP); }
    void go_on() { ::kill(process_, SIGCONT); }

    // Again on the same port, empty.
    void restart()
    {
        kill();
        CHECK(spawn());
    }

private:
    static sockaddr_in loopback(std::uint16_t port)
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        address.sin_port = htons(port);
        return address;
    }

    static std::uint16_t free_port()
    {
        int probe = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address = loopback(0);
        socklen_t size = sizeof address;
        CHECK(bind(probe, reinterpret_cast<sockaddr*>(&address), size) == 0);
        CHECK(getsockname(probe, reinterpret_cast<sockaddr*>(&address), &size) == 0);
        close(probe);
        return ntohs(address.sin_port);
    }

    // Whether it runs and answers.
    bool spawn()
    {
        std::string port = std::to_string(port_), place = scratch("");
        const char* command[] = {"redis-server", "--port", port.c_str(), "--bind", "127.0.0.1", "--save", "",
                                 "--appendonly", "no", "--dir", place.c_str(), nullptr};
        process_ = fork();
        CHECK(process_ >= 0);
        if (process_ == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), 1);
            execvp(command[0], const_cast<char* const*>(command));
            _exit(not_found);
        }
        for (int waited = 0; waited < 2000; waited++) {
            int status = 0;
            if (waitpid(process_, &status, WNOHANG) == process_) {
                process_ = -1;
                if (WIFEXITED(status) && WEXITSTATUS(status) == not_found) {
                    std::fprintf(stderr, "missing: redis-server (Debian, Ubuntu: apt-get install redis-server; "
                                         "Fedora: dnf install redis; macOS: brew install redis)\n");
                    std::exit(1);
                }
                return false;
            }
            if (answers()) return true;
            usleep(10000);
        }
        return false;
    }

    bool answers() const
    {
        int probe = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in address = loopback(port_);
        char answer[7] = {};
        bool pong = connect(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
                    write(probe, "PING\r\n", 6) == 6 && read(probe, answer, 7) == 7 && answer[0] == '+';
        close(probe);
        return pong;
    }

    static constexpr int not_found = 113;
    std::uint16_t port_ = 0;
    pid_t process_ = -1;
};

#endif
