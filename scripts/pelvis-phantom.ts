/**
 * A drawn pelvis with two hip replacements, at the height of the femoral heads: polygons painted in order, each with its HU
 * and a texture. Everything is a fixed function of position, so the picture is the same on every machine.
 * Lengths in mm, x to the patient's left (image right), y to the front (image up).
 */

type Point = readonly [x: number, y: number];

interface Paint {
  hu: number;
  /** Strength of the texture, HU, and the size of its grain, mm. */
  texture?: readonly [hu: number, grainMm: number];
}

interface Shape extends Paint {
  outline: readonly Point[];
}

export type Metal = "titanium" | "iron";

export interface PelvisImage {
  size: number;
  pixelMm: number;
  /** Anatomy with the plastic liners of the sockets, without metal; HU, row-major. */
  hu: Float32Array<ArrayBuffer>;
  /** Share of every pixel that the metal fills. */
  metals: Record<Metal, Float32Array<ArrayBuffer>>;
}

export const fieldOfViewMm = 400;

// ---------------------------------------------------------------- outlines

function ellipse(x: number, y: number, rx: number, ry: number, turnDeg = 0, points = 96): Point[] {
  const c = Math.cos((turnDeg * Math.PI) / 180);
  const s = Math.sin((turnDeg * Math.PI) / 180);
  return Array.from({ length: points }, (_, i) => {
    const a = (2 * Math.PI * i) / points;
    const [u, v] = [rx * Math.cos(a), ry * Math.sin(a)];
    return [x + c * u - s * v, y + s * u + c * v];
  });
}

/** A closed smooth curve through the points (Catmull–Rom). */
function smooth(points: readonly Point[], steps = 12): Point[] {
  const at = (i: number) => points[(i + points.length) % points.length]!;
  return points.flatMap((_, i) => {
    const [p0, p1, p2, p3] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    return Array.from({ length: steps }, (_, k): Point => {
      const t = k / steps;
      const mix = (axis: 0 | 1) =>
        0.5 *
        (2 * p1[axis] +
          t * (p2[axis] - p0[axis]) +
          t * t * (2 * p0[axis] - 5 * p1[axis] + 4 * p2[axis] - p3[axis]) +
          t * t * t * (3 * p1[axis] - p0[axis] - 3 * p2[axis] + p3[axis]));
      return [mix(0), mix(1)];
    });
  });
}

/** The outline moved inwards (counter-clockwise outlines) by `mm`. */
function inset(outline: readonly Point[], mm: number): Point[] {
  const n = outline.length;
  const area = outline.reduce((sum, [x, y], i) => {
    const [u, v] = outline[(i + 1) % n]!;
    return sum + x * v - u * y;
  }, 0);
  const side = area > 0 ? 1 : -1;
  return outline.map(([x, y], i) => {
    const [ax, ay] = outline[(i + n - 1) % n]!;
    const [bx, by] = outline[(i + 1) % n]!;
    const length = Math.hypot(bx - ax, by - ay) || 1;
    return [x - (side * mm * (by - ay)) / length, y + (side * mm * (bx - ax)) / length];
  });
}

const mirrored = (outline: readonly Point[]): Point[] => outline.map(([x, y]) => [-x, y]);
const moved = (outline: readonly Point[], dx: number, dy: number): Point[] => outline.map(([x, y]) => [x + dx, y + dy]);

// ---------------------------------------------------------------- anatomy

const fat: Paint = { hu: -105, texture: [14, 5] };
const muscle: Paint = { hu: 52, texture: [16, 3.5] };
const marrow: Paint = { hu: 190, texture: [150, 1.6] };
const cortex: Paint = { hu: 1150, texture: [120, 3] };

/** Cortex outside, marrow with trabeculae inside. */
function bone(outline: readonly Point[], cortexMm: number): Shape[] {
  return [
    { outline, ...cortex },
    { outline: inset(outline, cortexMm), ...marrow },
  ];
}

function walled(outline: readonly Point[], wallMm: number, wall: Paint, inside: Paint): Shape[] {
  return [
    { outline, ...wall },
    { outline: inset(outline, wallMm), ...inside },
  ];
}

const bodyHalf: Point[] = [
  [0, 101],
  [45, 106],
  [95, 98],
  [138, 72],
  [166, 30],
  [173, -14],
  [162, -58],
  [132, -92],
  [88, -111],
  [42, -113],
  [14, -104],
  [0, -93],
];
const body = smooth([...bodyHalf, ...mirrored(bodyHalf.slice(1, -1)).reverse()]);

/** One side; x counts away from the middle. */
function muscles(): Shape[] {
  const gluteusMaximus = smooth([
    [16, -82],
    [44, -98],
    [86, -98],
    [122, -80],
    [147, -46],
    [153, -18],
    [141, -20],
    [118, -46],
    [92, -62],
    [58, -68],
    [26, -72],
  ]);
  const gluteusMedius = smooth([
    [126, 4],
    [140, -2],
    [152, 8],
    [148, 32],
    [132, 52],
    [116, 52],
    [116, 28],
  ]);
  const tensor = ellipse(141, 56, 13, 6.5, -48);
  const iliopsoas = smooth([
    [66, 46],
    [80, 36],
    [98, 38],
    [104, 50],
    [92, 62],
    [74, 60],
  ]);
  const rectusFemoris = ellipse(112, 62, 9, 7, 20);
  const sartorius = ellipse(112, 79, 13, 5.5, -30);
  const pectineus = ellipse(46, 66, 15, 7, 25);
  const obturatorInternus = smooth([
    [49, 30],
    [56, 8],
    [58, -16],
    [52, -40],
    [44, -46],
    [46, -20],
    [45, 4],
    [43, 26],
  ]);
  const piriformis = smooth([
    [58, -50],
    [82, -48],
    [110, -34],
    [116, -26],
    [96, -36],
    [74, -56],
    [60, -60],
  ]);
  const rectusAbdominis = ellipse(26, 90, 22, 6, -4);
  const outlines = [
    gluteusMaximus,
    gluteusMedius,
    tensor,
    iliopsoas,
    rectusFemoris,
    sartorius,
    pectineus,
    obturatorInternus,
    piriformis,
    rectusAbdominis,
  ];
  return outlines.map((outline) => ({ outline, ...muscle }));
}

/** Hip bone around the socket, femoral head and trochanter, of one side. */
function hip(): Shape[] {
  const anteriorColumn = smooth([
    [46, 40],
    [58, 44],
    [74, 36],
    [90, 30],
    [94, 24],
    [80, 25],
    [68, 19],
    [60, 6],
    [54, 12],
    [50, 28],
  ]);
  const medialWall = smooth([
    [53, 16],
    [61, 12],
    [61, -16],
    [54, -18],
    [51, 0],
  ]);
  const posteriorColumn = smooth([
    [54, -14],
    [61, -18],
    [70, -28],
    [86, -32],
    [96, -28],
    [93, -40],
    [80, -50],
    [64, -50],
    [52, -38],
  ]);
  const head = ellipse(88, -2, 23.5, 23.5);
  const neckAndTrochanter = smooth([
    [100, 12],
    [116, 10],
    [130, 6],
    [141, -4],
    [142, -20],
    [132, -30],
    [120, -26],
    [110, -16],
    [100, -16],
  ]);
  return [
    ...bone(anteriorColumn, 2.2),
    ...bone(posteriorColumn, 2.4),
    { outline: medialWall, ...cortex },
    { outline: neckAndTrochanter, ...cortex },
    { outline: head, ...cortex },
    { outline: inset(neckAndTrochanter, 2.4), ...marrow },
    { outline: inset(head, 1.8), hu: 310, texture: [130, 1.6] },
  ];
}

function vessels(): Shape[] {
  return [
    { outline: ellipse(70, 72, 5.2, 5.2), hu: 165 },
    { outline: ellipse(58, 71, 6.8, 5.8), hu: 120 },
    { outline: ellipse(73.8, 74.6, 1.5, 0.9, -40), hu: 950 }, // calcified plaque
    { outline: ellipse(40, 34, 3.4, 2.6, 30), hu: 75 }, // lymph nodes by the pelvic wall
    { outline: ellipse(38, 8, 2.4, 2), hu: 70 },
    { outline: ellipse(41, -8, 1.4, 1.4), hu: 620 }, // phlebolith
    { outline: ellipse(63, 88, 4.2, 3), hu: 60 },
  ];
}

function organs(): Shape[] {
  const bladder = ellipse(1, 38, 37, 25, -2);
  const vesicles = smooth([
    [-34, 2],
    [-18, 8],
    [0, 5],
    [18, 8],
    [34, 1],
    [20, -6],
    [0, -3],
    [-20, -6],
  ]);
  const rectum = ellipse(-3, -42, 21, 18, 8);
  const sacrum = smooth([
    [-17, -70],
    [0, -66],
    [17, -70],
    [15, -79],
    [0, -86],
    [-15, -79],
  ]);
  const bowel = [
    [-54, 84, 12, 8],
    [-30, 74, 11, 8],
    [34, 78, 13, 8],
    [8, 76, 12, 8],
  ] as const;
  return [
    ...bowel.flatMap(([x, y, rx, ry]) =>
      walled(ellipse(x, y, rx, ry, x), 2, { hu: 48, texture: [10, 3] }, { hu: 24, texture: [18, 2.5] }),
    ),
    { outline: ellipse(34, 80, 6, 3), hu: -930 },
    { outline: ellipse(-31, 76, 3.2, 1.8), hu: -910 },
    ...walled(bladder, 3, { hu: 40 }, { hu: 6, texture: [3, 6] }),
    { outline: ellipse(-29.5, 30, 4.4, 3.4, 40), hu: 58 }, // a small tumour on the bladder's wall
    { outline: ellipse(22, 24, 2.6, 1.8), hu: 380 }, // bladder stone
    { outline: vesicles, hu: 44, texture: [18, 3] },
    ...walled(rectum, 3.2, { hu: 46, texture: [8, 3] }, { hu: 18, texture: [45, 3] }),
    { outline: ellipse(-5, -34, 9, 5.5, 6), hu: -960 },
    ...bone(sacrum, 1.6),
    { outline: ellipse(0, -76, 5, 2.6), hu: 20 }, // spinal canal's end
    { outline: ellipse(9, -72.6, 1.2, 1.2), hu: 900 }, // bone island
  ];
}

function anatomy(): Shape[] {
  const side = [...muscles(), ...hip(), ...vessels()];
  const other = side.map((shape) => ({ ...shape, outline: moved(mirrored(shape.outline), 1.5, -1) }));
  return [
    { outline: body, hu: 15, texture: [10, 2] },
    { outline: inset(body, 2.2), ...fat },
    ...side,
    ...other,
    ...organs(),
  ];
}

// ---------------------------------------------------------------- implants

interface Implant {
  metal: Metal;
  outline: readonly Point[];
}

const socket: Point = [86, -2];

/** The neck, from the head into the femur's, cut obliquely. */
function neck([x, y]: Point, halfWidth: number, reach: number): Point[] {
  return smooth([
    [x + 8, y + halfWidth],
    [x + 0.7 * reach, y + halfWidth - 1],
    [x + reach, y - 1],
    [x + reach - 2, y - halfWidth - 2],
    [x + 0.6 * reach, y - halfWidth - 2],
    [x + 8, y - halfWidth],
  ]);
}

/** Cemented plastic sockets; a steel head on a titanium neck on one side, a titanium head and a screw on the other. */
function implants(): { plastic: Shape[]; metal: Implant[] } {
  const [x, y] = socket;
  const other = (outline: readonly Point[]) => moved(mirrored(outline), 1.5, -1);
  const liner = ellipse(x, y, 23.5, 23.5);
  const screw = smooth(
    [
      [x - 19, y - 20],
      [x - 16, y - 23],
      [x - 25, y - 38],
      [x - 28, y - 36],
    ],
    6,
  );
  return {
    plastic: [liner, other(liner)].map((outline) => ({ outline, hu: -70 })),
    metal: [
      { metal: "titanium", outline: neck(socket, 5.5, 37) },
      { metal: "iron", outline: ellipse(x + 1, y, 11, 11) },
      { metal: "titanium", outline: other(ellipse(x + 1, y, 14, 14)) },
      { metal: "titanium", outline: other(screw) },
    ],
  };
}

// ---------------------------------------------------------------- painting

/** A number from 0 to 1 for every lattice point, by integer mixing alone. */
function lattice(i: number, j: number): number {
  let h = Math.imul(i, 0x27d4eb2d) ^ Math.imul(j, 0x165667b1);
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 4294967296;
}

/** Smooth noise from −1 to 1 with grains of one unit. */
function grain(x: number, y: number): number {
  const [i, j] = [Math.floor(x), Math.floor(y)];
  const ease = (t: number) => t * t * (3 - 2 * t);
  const [u, v] = [ease(x - i), ease(y - j)];
  const row = (k: number) => lattice(i, k) * (1 - u) + lattice(i + 1, k) * u;
  return 2 * (row(j) * (1 - v) + row(j + 1) * v) - 1;
}

/** Calls paint(index, x, y) for every sample inside the outline (even–odd rule), row by row. */
function fill(
  outline: readonly Point[],
  samples: number,
  stepMm: number,
  paint: (i: number, x: number, y: number) => void,
) {
  const half = (samples - 1) / 2;
  const ys = outline.map(([, y]) => y);
  const firstRow = Math.max(0, Math.ceil(half - Math.max(...ys) / stepMm));
  const lastRow = Math.min(samples - 1, Math.floor(half - Math.min(...ys) / stepMm));
  for (let row = firstRow; row <= lastRow; row++) {
    const y = (half - row) * stepMm;
    const crossings: number[] = [];
    for (let k = 0; k < outline.length; k++) {
      const [ax, ay] = outline[k]!;
      const [bx, by] = outline[(k + 1) % outline.length]!;
      if (ay > y !== by > y) crossings.push(ax + ((y - ay) / (by - ay)) * (bx - ax));
    }
    crossings.sort((a, b) => a - b);
    for (let k = 0; k + 1 < crossings.length; k += 2) {
      const first = Math.max(0, Math.ceil(half + crossings[k]! / stepMm));
      const last = Math.min(samples - 1, Math.floor(half + crossings[k + 1]! / stepMm));
      for (let column = first; column <= last; column++) paint(row * samples + column, (column - half) * stepMm, y);
    }
  }
}

function paintShape(image: Float32Array, samples: number, stepMm: number, { outline, hu, texture }: Shape): void {
  const [strength, size] = texture ?? [0, 1];
  fill(outline, samples, stepMm, (i, x, y) => {
    image[i] =
      strength === 0
        ? hu
        : hu + strength * (0.7 * grain(x / size, y / size) + 0.3 * grain(x / (3 * size) + 50, y / (3 * size)));
  });
}

/** Means of factor × factor samples. */
function averaged(samples: Float32Array, side: number, factor: number): Float32Array<ArrayBuffer> {
  const size = side / factor;
  const image = new Float32Array(size * size);
  for (let row = 0; row < side; row++)
    for (let column = 0; column < side; column++)
      image[Math.floor(row / factor) * size + Math.floor(column / factor)]! += samples[row * side + column]!;
  return image.map((sum) => sum / (factor * factor));
}

/** Draws the pelvis: `size` pixels a side, each the mean of `perPixel`² samples. */
export function drawPelvis(size: number, perPixel: number): PelvisImage {
  const side = size * perPixel;
  const stepMm = fieldOfViewMm / side;
  const { plastic, metal } = implants();
  const hu = new Float32Array(side * side).fill(-1000);
  for (const shape of [...anatomy(), ...plastic]) paintShape(hu, side, stepMm, shape);
  const metalShare = (name: Metal) => {
    const share = new Float32Array(side * side);
    for (const part of metal) {
      const value = part.metal === name ? 1 : 0; // later parts replace earlier ones
      fill(part.outline, side, stepMm, (i) => {
        share[i] = value;
      });
    }
    return averaged(share, side, perPixel);
  };
  return {
    size,
    pixelMm: fieldOfViewMm / size,
    hu: averaged(hu, side, perPixel),
    metals: { titanium: metalShare("titanium"), iron: metalShare("iron") },
  };
}
