// Turns and reflections of the image under which a scan maps onto itself: view w sees the turned image just as view v sees the
// image. Whoever works out where the pixels of a tile meet view v has then done so for the turned tile and view w as well.
//
// A parallel beam is mirrored, left to right: view 180° − θ sees the mirrored image as view θ sees the image. (It has more
// symmetries, which would save no more where positions are one instruction.) Fan beams are turned by 180°, on square images by 90°; a
// reflection would need reversed bins. The image must be centred on the axis. Nothing is asked of the detector.
#pragma once

#include <cstdint>
#include <vector>

#include "native/geometry/geometry.h"

namespace sino {

// (x, y) → (xx·x + xy·y, yx·x + yy·y), every entry −1, 0 or 1.
struct Turn {
  int xx, xy, yx, yy;
  bool swaps() const { return xx == 0; }  // rows become columns
};

// Views that lead, and for each turn the views that follow them, each list in the order of `order`.
struct ViewFamily {
  int64_t views;           // that lead
  std::vector<int> turns;  // indices into Symmetry::turns, the identity first
  int64_t first;           // place in `order` of the leaders; followers by turns[i] begin at first + i·views
};

struct Symmetry {
  std::vector<Turn> turns;                // a group, the identity first
  std::vector<std::vector<int>> product;  // [g][h]: the index of "h, then g"
  std::vector<int64_t> order;             // all views, each once
  std::vector<ViewFamily> families;
  int64_t members() const;  // of the largest family
};

Symmetry no_symmetry(const Geometry& g);
// The symmetry of the scan, or none where it would save little: hardly two views to a family, or an image so small that
// tiles of `tile` pixels overlap much when they are turned.
Symmetry symmetry_of(const Geometry& g, int64_t tile);

// A scan as one of fewer views and more slices: view v sees the image turned by turns[j] as view[v·turns + j] of the whole scan
// sees the image itself.
struct TurnedScan {
  Geometry geometry;  // of the leaders
  std::vector<Turn> turns;
  std::vector<int64_t> view;  // or −1, where the scan has no such view
};
// By as many turns as the scan has views for, to a tenth.
TurnedScan turned_scan(const Geometry& g);

// Pixels [0, rows) × [0, columns), of which every other one is the image by a turn.
struct Domain {
  int64_t rows, columns;
};
Domain fundamental_domain(const Grid& grid, const Symmetry& symmetry);

}  // namespace sino
