#include "native/test/testing.h"

int main(int count, char** arguments) { return sino::test::run_tests(count > 1 ? arguments[1] : ""); }
