#include "native/test/check.h"

int main(int count, char** arguments) {
  int run = 0, failed = 0;
  for (const auto& test : sino::test::tests()) {
    if (count > 1 && std::string(test.name).find(arguments[1]) == std::string::npos) continue;
    const int before = sino::test::failures();
    try {
      test.body();
    } catch (const std::exception& error) {
      std::printf("%s threw: %s\n", test.name, error.what());
      sino::test::failures()++;
    }
    run++;
    if (sino::test::failures() > before) failed++;
    std::printf("%s %s\n", sino::test::failures() > before ? "FAILED" : "ok    ", test.name);
  }
  std::printf("%d passed, %d failed\n", run - failed, failed);
  return failed > 0 || run == 0;
}
