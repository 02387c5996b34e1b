"""Areas and lengths as a person says them: on tissue where the scale is known, else in pixels."""

from stainapp.session.regions import Region

MM2_FROM = 1e4
"""Areas from this many square micrometres are given in square millimetres."""
MM_FROM = 1e3


def size_words(region: Region, mpp: float | None) -> str:
    """Return a region's area, a line's length, or how many points there are."""
    if region.shape == "points":
        count = len(region.points)
        return f"{count:,} point" if count == 1 else f"{count:,} points"
    if region.shape == "line":
        return length_words(region.length_px, mpp)
    return area_words(region.area_px, mpp)


def area_words(area_px: float, mpp: float | None) -> str:
    """Return an area with its unit."""
    if mpp is None:
        return f"{area_px:,.0f} px²"
    area_um2 = area_px * mpp**2
    if area_um2 >= MM2_FROM:
        return f"{area_um2 / 1e6:,.{2 if area_um2 >= 1e5 else 3}f} mm²"
    return f"{area_um2:,.0f} µm²"


def length_words(length_px: float, mpp: float | None) -> str:
    """Return a length with its unit."""
    if mpp is None:
        return f"{length_px:,.0f} px"
    length_um = length_px * mpp
    if length_um >= MM_FROM:
        return f"{length_um / 1e3:,.2f} mm"
    return f"{length_um:,.{1 if length_um < 100 else 0}f} µm"
