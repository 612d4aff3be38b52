"""Colours: every light one has a dark one that can be read on its ground."""

from dataclasses import asdict

from tapebook.theme import DARK, LIGHT, in_the_dark, price_axis


def luminance(colour):
    """WCAG 2.1, relative luminance."""
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_every_colour_of_a_light_figure_has_one_for_the_dark():
    exchanged = in_the_dark()
    named = [v for v in asdict(LIGHT).values() if isinstance(v, str)]
    assert set(exchanged) >= {*named, *LIGHT.series, *(colour for _, colour in LIGHT.scale)}
    assert exchanged[LIGHT.surface] == DARK.surface
    for colour in (LIGHT.ink, LIGHT.muted, LIGHT.gain, LIGHT.loss, LIGHT.warn):
        assert contrast(exchanged[colour], DARK.surface) >= 4.5, colour
        assert contrast(colour, LIGHT.surface) >= 4.5, colour
    for colour in LIGHT.series:
        assert contrast(exchanged[colour], DARK.surface) >= 3.0, colour


def test_a_price_axis_has_whole_prices_inside_its_range():
    for low, high in ((18.0, 130.0), (0.3, 0.9), (95.0, 104.0), (1.0, 5_000.0)):
        ticks = price_axis(low, high)["tickvals"]
        assert all(low <= value <= high for value in ticks)
        assert 1 <= len(ticks) <= 14
    assert price_axis(5.0, 5.0) == {"type": "log"}
    assert price_axis(-1.0, 5.0) == {"type": "log"}
