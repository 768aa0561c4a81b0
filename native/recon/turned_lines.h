// Lines of k-space, each of the slice as it lay at that line's time, and their adjoint: any number of positions for the price of one.
//
// Quantity. K(v, u) = e^{−2πi(v·down/R + u·right/C)} Σ_p image(p)·e^{−2πi·q·(p − middle)}·e^{−2πi·k·middle}, k = (v/R, u/C) in cycles per pixel, q =
//   k turned by −turn: what native/ops/kspace.h has for a slice that is turned, then moved. Instead of turning the image for every
//   position, its transform is read between its samples: J. A. Fessler, B. P. Sutton, IEEE TSP 51(2), 2003, with the Kaiser–Bessel window of P. J.
//   Beatty et al., IEEE TMI 24(6), 2005, on a grid half as fine again.
// Order. Lines v = −rows/2 …, columns u = −columns/2 …; complex float32 sums, relative error about 1e-5.
// A coarser image of the same field: rows × columns samples of a field of `field_rows` × `field_columns` pixels, the middle of its k-space.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

namespace sino {

// Where the slice lay: turned by degrees counter-clockwise about its middle, then moved by pixels of the field.
struct Position {
  double turn = 0, down = 0, right = 0;
};

class TurnedLines {
 public:
  using Complex = std::complex<float>;
  using Values = std::vector<Complex>;
  TurnedLines(int64_t rows, int64_t columns, int64_t field_rows, int64_t field_columns);

  int64_t rows() const { return y_.count; }
  int64_t columns() const { return x_.count; }
  void place(const Position* positions);  // one per line
  void forward(const Values& image, Values& lines);
  void adjoint(const Values& lines, Values& image);  // divided by rows·columns: undoes forward where nothing turned
  // d/dposition of Re Σ conj(weights)·forward(image), added to `gradient`; `lines` is forward(image).
  void gradient(const Values& image, const Values& lines, const Values& weights, Position* gradient);

 private:
  static constexpr int kSpan = 6;
  struct Axis {
    Axis(int64_t count, int64_t field);
    double weight(double cells) const;
    int64_t count, field, cells;
    double beta, middle;             // of the image, in samples
    std::vector<float> table, even;  // the window; 1 / its transform
    std::vector<float> cosines, sines;
    std::vector<int> radices;
  };
  struct Sample {
    int32_t cell_y, cell_x;
    float y[kSpan], x[kSpan];
    Complex phase;
    float q_y, q_x;  // cycles per sample
  };
  void transform(const Axis& axis, int64_t width, bool back);
  void turn_over(int64_t from_rows, int64_t from_columns);
  Axis y_, x_;
  std::vector<Sample> samples_;
  std::vector<float> re_, im_, re2_, im2_;
  Values scaled_, lines_y_, lines_x_;
};

}  // namespace sino
