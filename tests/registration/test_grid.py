import numpy as np

from stainapp.registration.grid import Grid

ROWS, COLUMNS, SPACING = 7, 9, 12.5


def numbered() -> Grid:
    return Grid(np.arange(ROWS * COLUMNS).reshape(ROWS, COLUMNS), SPACING)


def test_the_nodes_around_a_rectangle_are_those_nearest_to_its_points() -> None:
    grid, rng = numbered(), np.random.default_rng(0)
    size = np.array([COLUMNS, ROWS]) * SPACING

    for _ in range(30):
        low, high = np.sort(rng.uniform(-2 * size, 2 * size, (2, 2)), axis=0)
        x, y = (np.linspace(a, b, 200) for a, b in zip(low, high, strict=True))
        points = np.stack(np.meshgrid(x, y), axis=2).reshape(-1, 2)
        around = grid.around(*low.tolist(), *high.tolist())
        assert set(around.ravel().tolist()) == set(grid.nearest(points).tolist())


def test_beyond_its_far_edges_a_grid_goes_on_as_it_ends() -> None:
    grid = numbered()
    columns, rows = np.arange(5, COLUMNS + 3), np.arange(3, ROWS + 2)

    part = grid.part(columns, rows)

    y, x = np.meshgrid(rows * SPACING, columns * SPACING, indexing="ij")
    expected = grid.at(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(part.shape)
    assert np.array_equal(part, expected)
