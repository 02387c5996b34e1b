"""Where everything lies in the phantom's tissue: pure functions of seed and position.

Nothing is stored. Pieces of tissue, crypts, vessels, fat cells and nuclei sit on jittered
lattices whose random numbers are hashed from the cell's indices, so any place can be asked
for without the rest, in any order, and always answers the same. Lengths are micrometres.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats: TypeAlias = NDArray[np.floating[Any]]
Ints: TypeAlias = NDArray[np.integer[Any]]

MUCOSA_UM = 420.0
"""Depth at which the mucosa ends and the thin muscle below it begins."""
SUBMUCOSA_UM = MUCOSA_UM + 45.0
MUSCLE_UM = SUBMUCOSA_UM + 620.0

CRYPT, VESSEL, FAT = 0, 1, 2
LYMPHOCYTE, OVAL, SPINDLE, EPITHELIAL = 0, 1, 2, 3

ROUND_PITCH_UM = 92.0
"""Hexagonal lattice of crypts, vessels and fat cells."""
NUCLEUS_PITCH_UM = 9.0
"""Square lattice of the nuclei outside crypts."""
CRYPT_SLOTS = 64
"""Labels kept free for the nuclei of one crypt."""
CRYPT_NUCLEI = 36
CRYPT_GOBLETS = 14
_ROW_UM = ROUND_PITCH_UM * np.sqrt(3) / 2


@dataclass(frozen=True, slots=True)
class Rounds:
    """Crypts, vessels and fat cells, all as wobbly circles; arrays of one length."""

    x: Floats
    y: Floats
    kind: Ints
    radius: Floats
    wobble: Floats
    """``(n, 4)``: cosine and sine amplitude of the second and the third harmonic."""
    cell: Ints
    """Index of the lattice cell."""

    def pick(self, chosen: NDArray[np.bool_] | Ints) -> "Rounds":
        return Rounds(
            self.x[chosen], self.y[chosen], self.kind[chosen], self.radius[chosen],
            self.wobble[chosen], self.cell[chosen],
        )  # fmt: skip

    def edge(self, angle: Floats) -> Floats:
        """Radius in the direction ``angle``, which broadcasts against ``(n, 1)``."""
        w = self.wobble[:, :, None]
        shape = w[:, 0] * np.cos(2 * angle) + w[:, 1] * np.sin(2 * angle)
        shape += w[:, 2] * np.cos(3 * angle) + w[:, 3] * np.sin(3 * angle)
        radius: Floats = self.radius[:, None] * (1 + shape)
        return radius


@dataclass(frozen=True, slots=True)
class Spots:
    """Nuclei or goblet cells; arrays of one length."""

    x: Floats
    y: Floats
    kind: Ints
    angle: Floats
    variant: Ints
    label: Ints


class Tissue:
    """The anatomy of one section of ``width_um`` x ``height_um``."""

    def __init__(self, seed: int, width_um: float, height_um: float) -> None:
        self.seed = seed
        self.width_um, self.height_um = width_um, height_um
        self._columns = max(1, round(width_um / 5000))
        self._rows = max(1, round(height_um / 5000))
        self._nucleus_columns = int(width_um / NUCLEUS_PITCH_UM) + 1
        self._nucleus_rows = int(height_um / NUCLEUS_PITCH_UM) + 1
        self._round_columns = int(width_um / ROUND_PITCH_UM) + 2

    @cached_property
    def _table(self) -> Floats:
        values = np.random.default_rng(self.seed).standard_normal((256, 256))
        table: Floats = ndimage.spline_filter(values, order=3, mode="grid-wrap")
        return table

    @cached_property
    def _pieces(self) -> Floats:
        """Five random numbers for each piece of tissue; a few hundred on the largest slide."""
        row, column = np.divmod(np.arange(self._columns * self._rows), self._columns)
        return np.stack([self.random(salt, column, row) for salt in range(5)])

    def noise(self, x: Floats, y: Floats, wavelength_um: float, salt: int) -> Floats:
        """Smooth noise with standard deviation about 0.7, within -2..2."""
        # Each field's lattice is turned by its own angle, or corners would all lie upright.
        c, s = np.cos(0.4 + salt) / wavelength_um, np.sin(0.4 + salt) / wavelength_um
        places = np.stack((c * y - s * x + 17.3 * salt, c * x + s * y + 41.9 * salt))
        found = ndimage.map_coordinates(
            self._table, places, order=3, mode="grid-wrap", prefilter=False
        )
        clipped: Floats = np.clip(found, -2, 2)
        return clipped

    def random(self, salt: int, first: Ints, second: Ints | int = 0) -> Floats:
        """Uniform numbers in 0..1 hashed from integers (splitmix64, Steele et al. 2014)."""
        h = np.asarray(first).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        h ^= np.asarray(second).astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
        h += np.uint64((self.seed * 0x165667B19E3779F9 + salt * 0x27D4EB2F165667C5) % 2**64)
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        uniform: Floats = ((h ^ (h >> np.uint64(31))) >> np.uint64(11)) * 2.0**-53
        return uniform

    def depth(self, x: Floats, y: Floats) -> Floats:
        """Distance inside the tissue's outline; negative on bare glass. 1-D arrays.

        Each piece keeps to its own cell of a coarse lattice, so only that one is asked.
        """
        cell_w, cell_h = self.width_um / self._columns, self.height_um / self._rows
        column = np.clip(np.floor(x / cell_w).astype(np.int64), 0, self._columns - 1)
        row = np.clip(np.floor(y / cell_h).astype(np.int64), 0, self._rows - 1)
        r = self._pieces[:, row * self._columns + column]
        size = min(cell_w, cell_h)
        dx = x - (column + 0.47 + 0.06 * r[0]) * cell_w
        dy = y - (row + 0.47 + 0.06 * r[1]) * cell_h
        turn = np.pi * r[2]
        a, b = size * (0.30 + 0.05 * r[3]), size * (0.25 + 0.07 * r[4])
        along = dx * np.cos(turn) + dy * np.sin(turn)
        across = dy * np.cos(turn) - dx * np.sin(turn)
        radius = np.sqrt(a * b)
        depth = radius * (1 - np.hypot(along / a, across / b))
        depth += 0.10 * radius * self.noise(x, y, 0.22 * size, 1)
        depth += min(75.0, 0.03 * size) * self.noise(x, y, 330.0, 2)
        depth += min(14.0, 0.01 * size) * self.noise(x, y, 95.0, 3)
        uneven: Floats = depth * (1 + 0.10 * self.noise(x, y, 800.0, 4))
        return uneven

    def follicle(self, x: Floats, y: Floats, depth: Floats) -> Floats:
        """How much a place lies in a lymphoid follicle, 0..1."""
        lump = np.clip((self.noise(x, y, 420.0, 5) - 0.95) * 5, 0, 1)
        layer = np.clip((130 - np.abs(depth - MUCOSA_UM + 60)) / 50, 0, 1)
        both: Floats = lump * layer
        return both

    def fat(self, x: Floats, y: Floats) -> Floats:
        """Positive where the submucosa is fatty."""
        return self.noise(x, y, 620.0, 6) - 0.45

    def rounds(self, left: float, top: float, right: float, bottom: float) -> Rounds:
        """All round structures whose centre lies in the rectangle or within one cell of it."""
        j = np.arange(int(max(top / _ROW_UM - 2, 0)), int(max(bottom, 0) / _ROW_UM) + 2)
        i = np.arange(
            int(max(left / ROUND_PITCH_UM - 2, 0)), int(max(right, 0) / ROUND_PITCH_UM) + 2
        )
        i = i[i < self._round_columns]
        column, row = (a.ravel() for a in np.meshgrid(i, j))
        return self._rounds_at(column, row)

    def _rounds_at(self, column: Ints, row: Ints) -> Rounds:
        r = [self.random(salt, column, row) for salt in range(10, 18)]
        x = (column + 0.5 * (row % 2) + 0.13 * (r[0] - 0.5)) * ROUND_PITCH_UM
        y = row * _ROW_UM + 0.13 * (r[1] - 0.5) * ROUND_PITCH_UM
        depth = self.depth(x, y)
        deep = depth > SUBMUCOSA_UM + 50
        crypt = (depth > 52) & (depth < MUCOSA_UM - 38) & (r[2] < 0.97)
        crypt &= self.follicle(x, y, depth) < 0.3
        fat = deep & (depth < MUSCLE_UM - 50) & (self.fat(x, y) > 0)
        vessel = deep & ~fat & (r[2] < 0.09)
        kind = np.select([crypt, fat, vessel], [CRYPT, FAT, VESSEL], -1)
        radius = np.choose(kind.clip(0), [36 + 5 * r[3], 14 + 20 * r[3] ** 2, 42 + 4 * r[3]])
        # Neighbouring crypts are cut at a similar slant, so they are drawn out alike.
        slant = 3 * self.noise(x, y, 500.0, 7) + r[4]
        stretch = np.choose(kind.clip(0), [0.04 + 0.13 * r[5], 0.22 * r[5], 0.05 * r[5]])
        third = 2 * np.pi * r[6]
        wobble = np.stack(
            [stretch * np.cos(2 * slant), stretch * np.sin(2 * slant),
             0.045 * np.cos(third), 0.045 * np.sin(third)], axis=1,
        )  # fmt: skip
        cell = row * self._round_columns + column
        return Rounds(x, y, kind, radius, wobble, cell).pick(kind >= 0)

    def nuclei(self, left: float, top: float, right: float, bottom: float, rounds: Rounds) -> Spots:
        """The nuclei outside crypts whose lattice cell touches the rectangle.

        ``rounds`` are those of the same rectangle or of a larger one.
        """
        first = [int(max(v, 0) / NUCLEUS_PITCH_UM) for v in (left, top)]
        last = [int(max(v, 0) / NUCLEUS_PITCH_UM) + 1 for v in (right, bottom)]
        i = np.arange(first[0], min(last[0], self._nucleus_columns))
        j = np.arange(first[1], min(last[1], self._nucleus_rows))
        column, row = (a.ravel() for a in np.meshgrid(i, j))
        r = [self.random(salt, column, row) for salt in range(20, 25)]
        x = (column + 0.5 + 0.6 * (r[0] - 0.5)) * NUCLEUS_PITCH_UM
        y = (row + 0.5 + 0.6 * (r[1] - 0.5)) * NUCLEUS_PITCH_UM
        depth = self.depth(x, y)
        follicle = self.follicle(x, y, depth)
        there = r[2] < np.maximum(occupancy(depth), 0.95 * follicle)
        x, y, depth, follicle = x[there], y[there], depth[there], follicle[there]
        label = 1 + row[there] * self._nucleus_columns + column[there]
        free = ~self._inside(rounds, x, y)
        chance = r[3][there]
        lymphocyte = (follicle > 0.2) | ((depth < MUCOSA_UM) & (chance < 0.55))
        spindle = (depth > MUCOSA_UM) & (chance < 0.9)
        surface = depth < 20
        kind = np.select([surface, lymphocyte, spindle], [EPITHELIAL, LYMPHOCYTE, SPINDLE], OVAL)
        angle = np.where(spindle, self.fibre_angle(x, y), 2 * np.pi * chance)
        variant = (r[4][there] * 2**20).astype(np.int64)
        return Spots(x[free], y[free], kind[free], angle[free], variant[free], label[free])

    def fibre_angle(self, x: Floats, y: Floats) -> Floats:
        """Direction in which fibres and the nuclei between them run, in radians."""
        return 0.35 + 1.3 * (self.fibre_turn(x, y) > 0.5)

    def fibre_turn(self, x: Floats, y: Floats) -> Floats:
        """Share of the fibres that run across, 0..1; the others run along."""
        share: Floats = np.clip(2.5 * self.noise(x, y, 260.0, 8) + 0.5, 0, 1)
        return share

    def _inside(self, rounds: Rounds, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Whether points lie in a round structure: only the lattice cells around can hold them."""
        inside = np.zeros(len(x), bool)
        if not len(rounds.cell) or not len(x):
            return inside
        row = np.rint(y / _ROW_UM).astype(np.int64)
        first = int(rounds.cell.min())
        index = np.full(int(rounds.cell.max()) - first + 1, -1)
        index[rounds.cell - first] = np.arange(len(rounds.cell))
        for dj in (-1, 0, 1):
            shift = 0.5 * ((row + dj) % 2)
            column = np.rint(x / ROUND_PITCH_UM - shift).astype(np.int64)
            for di in (-1, 0, 1):
                cell = (row + dj) * self._round_columns + column + di - first
                known = (cell >= 0) & (cell < len(index)) & (column + di >= 0) & ~inside
                at = np.flatnonzero(known)
                n = index[cell[at]]
                at, n = at[n >= 0], n[n >= 0]
                dx, dy = x[at] - rounds.x[n], y[at] - rounds.y[n]
                distance = np.hypot(dx, dy)
                close = distance < 1.3 * rounds.radius[n] + 2.5
                at, n, distance = at[close], n[close], distance[close]
                edge = rounds.pick(n).edge(np.arctan2(dy[close], dx[close])[:, None])[:, 0]
                inside[at] |= distance < edge + 2.5
        return inside

    def crypt_nuclei(self, crypts: Rounds) -> Spots:
        """The ring of nuclei near the base of each crypt's cells."""
        spots = self._around(crypts, CRYPT_NUCLEI, 0.84, 0.05, 30)
        base = 1 + self._nucleus_columns * self._nucleus_rows
        slot = np.arange(CRYPT_NUCLEI)[None] + crypts.cell[:, None] * CRYPT_SLOTS
        kind = np.full(spots.kind.shape, EPITHELIAL)
        return Spots(spots.x, spots.y, kind, spots.angle, spots.variant, base + slot.ravel())

    def goblets(self, crypts: Rounds) -> Spots:
        """The mucin vacuoles between each crypt's nuclei and its lumen."""
        return self._around(crypts, CRYPT_GOBLETS, 0.55, 0.05, 40)

    def _around(self, crypts: Rounds, count: int, at: float, spread: float, salt: int) -> Spots:
        k = np.arange(count)[None]
        cell = crypts.cell[:, None]
        r = [self.random(salt + n, cell * 64 + k, n) for n in range(3)]
        start = 2 * np.pi * self.random(salt + 3, cell)
        angle = start + 2 * np.pi * (k + 0.5 * (r[0] - 0.5)) / count
        radius = crypts.edge(angle) * (at + 2 * spread * (r[1] - 0.5))
        x = crypts.x[:, None] + radius * np.cos(angle)
        y = crypts.y[:, None] + radius * np.sin(angle)
        variant = (r[2] * 2**20).astype(np.int64)
        none = np.zeros(x.size, np.int64)
        return Spots(x.ravel(), y.ravel(), none, angle.ravel(), variant.ravel(), none)

    def marker_positive(self, label: Ints) -> NDArray[np.bool_]:
        """Whether nuclei carry the marker: many in some crypts, few elsewhere; 0 never does."""
        base = 1 + self._nucleus_columns * self._nucleus_rows
        crypt = (label - base) // CRYPT_SLOTS
        share = np.where(label < base, 0.06, 0.75 * self.random(50, crypt.clip(0)) ** 2)
        return (label > 0) & (self.random(51, label) < share)


def occupancy(depth: Floats) -> Floats:
    """Share of the nucleus lattice that is filled at a depth, outside follicles."""
    depths = [-1, 4, 5, 12, 13, 18, MUCOSA_UM, MUCOSA_UM + 5, SUBMUCOSA_UM, SUBMUCOSA_UM + 20,
              MUSCLE_UM - 40, MUSCLE_UM + 20]  # fmt: skip
    shares = [0, 0, 0.95, 0.95, 0.1, 0.48, 0.42, 0.28, 0.28, 0.07, 0.08, 0.17]
    return np.interp(depth, depths, shares)
