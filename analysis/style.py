"""One name, one colour, one dash and one marker for each method, used by every figure and by the report.

The eight methods of tables 3 and 5 take the colours of Okabe and Ito, which stay apart under the common
colour deficiencies, with a violet in place of their yellow: on white that is hard to see, and darkened it
meets the orange. Those that are near each other in grey have another dash. Variants of a method take a darker
or lighter shade of its colour with a dash of their own, and every method has its marker, so that no line of a
figure is told by colour alone.
"""

from __future__ import annotations

import colorsys
import zlib
from dataclasses import dataclass

# matplotlib's name -> SVG dash array
DASHES = {"solid": "", "dashed": "6 3", "dotted": "2 2", "dashdot": "7 2 2 2"}


@dataclass(frozen=True)
class Style:
    """How a method is shown: its name in print, hex colour, matplotlib line style and marker."""

    name: str
    color: str
    dash: str = "solid"
    marker: str = "o"


BLACK, ORANGE, SKY, GREEN, VIOLET, BLUE, VERMILLION, PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#A64DFF", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip

STYLES: dict[str, Style] = {
    "random": Style("Random Search", BLACK, "solid", "o"),
    "remaade": Style("ReMAADE", VERMILLION, "solid", "s"),
    "remaade_medium": Style("ReMAADE (medium term)", VERMILLION, "solid", "s"),
    "remaade_ppo": Style("ReMAADE with PPO", "#F2A07B", "dashed", "D"),
    "remaade_ppo_steps": Style("ReMAADE with PPO, four steps", "#E2603A", "dashdot", "D"),
    "remaade_ranked": Style("ReMAADE, rank advantage", "#7A1200", "dashdot", "P"),
    "remaade_tuned": Style("ReMAADE (tuned)", "#A84A00", "dotted", "X"),
    "remaade_ppo_tuned": Style("ReMAADE with PPO, four steps (tuned)", "#6B2F00", "dotted", "d"),
    "reinforce": Style("Plain REINFORCE", "#7F7F7F", "dashed", "^"),
    "reinforce_tuned": Style("Plain REINFORCE (tuned)", "#555555", "dotted", "^"),
    "reinforce_made": Style("REINFORCE with MADE", "#B8960C", "dashed", "v"),
    "reinforce_made_tuned": Style("REINFORCE with MADE (tuned)", "#7D6608", "dotted", "v"),
    "reinforce_nade": Style("REINFORCE with NADE", "#A9A9E8", "dashed", "<"),
    "reinforce_nade_tuned": Style("REINFORCE with NADE (tuned)", "#6C6CC4", "dotted", "<"),
    "reinforce_lstm": Style("REINFORCE with LSTM", "#66C2A5", "dashed", ">"),
    "reinforce_lstm_tuned": Style("REINFORCE with LSTM (tuned)", "#3C8D73", "dotted", ">"),
    "regularized_evolution": Style("Reg Evolution", BLUE, "dashed", "^"),
    "regularized_evolution_small": Style("Reg Evolution (population 30)", "#4FA3D9", "dashed", "v"),
    "local_search": Style("Local search", "#4B2E83", "dashdot", "*"),
    "tpe": Style("TPE", ORANGE, "solid", "v"),
    "tpe_hyperopt": Style("TPE (hyperopt)", "#9C6C00", "dotted", "v"),
    "bohb": Style("BOHB", VIOLET, "dashdot", "D"),
    "bohb_hpbandster": Style("BOHB (hpbandster)", "#6A1FB0", "dotted", "D"),
    "bananas": Style("BANANAS", GREEN, "dashed", "P"),
    "bananas_medium": Style("BANANAS (medium term)", GREEN, "dashed", "P"),
    "nasbot": Style("NASBOT", SKY, "dashdot", "<"),
    "nasbot_medium": Style("NASBOT (medium term)", SKY, "dashdot", "<"),
    "nasbot_as_run": Style("NASBOT, distance as commonly run", "#2F7FAF", "dotted", "<"),
    "alphax": Style("Alpha X", PURPLE, "dotted", ">"),
    "graph_gp": Style("Graph GP", "#C2185B", "dashed", "p"),
}
# Labels of tables 3 and 5, whose colours must stay apart for colour-blind readers.
PRINCIPAL = ("random", "remaade", "regularized_evolution", "tpe", "bohb", "bananas", "nasbot", "alphax")


def style(label: str) -> Style:
    """The style of a config label; a label that is not listed gets one of its own, the same in every
    session."""
    if label in STYLES:
        return STYLES[label]
    code = zlib.crc32(label.encode())
    red, green, blue = colorsys.hls_to_rgb((code % 360) / 360, 0.35 + 0.2 * ((code >> 9) % 100) / 100, 0.55)
    color = "#{:02X}{:02X}{:02X}".format(*(round(255 * channel) for channel in (red, green, blue)))
    return Style(label, color, list(DASHES)[1 + (code >> 16) % 3], "ox^v<>sDPX*"[(code >> 18) % 11])


DARK_GROUND = "#14181c"  # of the report in the dark
LEGIBLE = 3.0  # contrast that a line needs (WCAG 2.2, 1.4.11)


def contrast(one: str, other: str) -> float:
    """The contrast of two hex colours by WCAG: 1 (equal) to 21 (black on white)."""
    a, b = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (a + 0.05) / (b + 0.05)


def _luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def on_dark(color: str) -> str:
    """The colour, as much lighter as it must be to be seen on `DARK_GROUND`; black becomes nearly white."""
    red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    hue, light, saturation = colorsys.rgb_to_hls(red, green, blue)
    if saturation == 0:
        light = max(light, 1 - light - 0.1)
    while contrast(color, DARK_GROUND) < 1.4 * LEGIBLE and light < 0.98:
        light += 0.02
        channels = colorsys.hls_to_rgb(hue, light, saturation)
        color = "#{:02X}{:02X}{:02X}".format(*(round(255 * channel) for channel in channels))
    return color


def order(labels: list[str]) -> list[str]:
    """`labels` in the order of `STYLES`, unlisted ones last by name."""
    known = list(STYLES)
    return sorted(labels, key=lambda label: (known.index(label) if label in known else len(known), label))
