// Tests without a framework: TEST(name) { CHECK(condition); } and run_tests for a main.
#pragma once

#include <cstdio>
#include <exception>
#include <functional>
#include <string>
#include <vector>

namespace sino::test {

struct Test {
  const char* name;
  std::function<void()> body;
};
inline std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}
struct Registered {
  Registered(const char* name, std::function<void()> body) { tests().push_back({name, std::move(body)}); }
};
inline int& failures() {
  static int count = 0;
  return count;
}

#define TEST(name)                                                      \
  static void name();                                                   \
  static const ::sino::test::Registered registered_##name(#name, name); \
  static void name()
#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      std::printf("%s:%d: CHECK(%s) failed\n", __FILE__, __LINE__, #condition); \
      ::sino::test::failures()++;                                               \
    }                                                                           \
  } while (0)

// Runs the tests whose name contains `word`; returns what main returns. A run of nothing fails.
inline int run_tests(const std::string& word, const std::function<void()>& after_each = [] {}) {
  int run = 0, failed = 0;
  for (const Test& test : tests()) {
    if (std::string(test.name).find(word) == std::string::npos) continue;
    const int before = failures();
    try {
      test.body();
    } catch (const std::exception& error) {
      std::printf("%s threw: %s\n", test.name, error.what());
      failures()++;
    }
    after_each();
    run++;
    failed += failures() > before;
    std::printf("%s %s\n", failures() > before ? "FAILED" : "ok    ", test.name);
  }
  std::printf("%d passed, %d failed\n", run - failed, failed);
  return failed > 0 || run == 0;
}

}  // namespace sino::test
