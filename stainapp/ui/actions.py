"""Every action of the window: its words, its menu, its key. The help sheet is made from it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """One thing the user can do."""

    name: str
    """What the code calls it, and its icon's name where it has one."""
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    checkable: bool = False
    group: str = ""
    """Actions of one group exclude each other."""
    separated: bool = False
    """Whether a line stands above it in its menu."""
    hint: str = ""


LAYOUT_GROUP = "layout"
THEME_GROUP = "theme"
DEVICE_GROUP = "device"
TOOL_GROUP = "tool"
RECTANGLE = "Draw a rectangle: drag from corner to corner"
ELLIPSE = "Draw an ellipse: drag from corner to corner"
POLYGON = "Draw a polygon: click its points; Enter or a double click ends it"
FREEHAND = "Draw by hand: hold the button and go around"
BRUSH = "Paint a region; Shift adds to the selected one from anywhere, Alt erases from it"
POINTS = "Set points: click them one by one; Alt and a click takes one away"
RULER = "Measure a length: drag, or click corner by corner and end with Enter"

ACTIONS: tuple[ActionSpec, ...] = (
    ActionSpec("open", "File", "&Open slide…", ("Ctrl+O",), hint="Open a whole-slide image"),
    ActionSpec("open-sample-phantom", "File", "Open sample: &digital phantom (H&&E)"),
    ActionSpec("open-sample-ihc", "File", "Open sample: real &IHC image"),
    ActionSpec("open-session", "File", "Open s&ession…", ("Ctrl+Shift+O",), separated=True),
    ActionSpec(
        "save-session",
        "File",
        "Sa&ve session as…",
        ("Ctrl+Shift+S",),
        hint="Keep slide, field, choices and regions in a file that can move with the slide",
    ),
    ActionSpec(
        "reopen-session",
        "File",
        "Start with the &last session",
        checkable=True,
        hint="Open the window as it was left when it is started without a slide",
    ),
    ActionSpec("reload", "File", "&Reload slide", ("Ctrl+R",), separated=True),
    ActionSpec("info", "File", "Slide in&formation…", ("Ctrl+I",)),
    ActionSpec("associated", "File", "&Label and macro images…"),
    ActionSpec("save-picture", "File", "Save &picture of the view…", ("Ctrl+S",), separated=True),
    ActionSpec("export", "File", "&Export stained slide…", ("Ctrl+E",)),
    ActionSpec("quit", "File", "&Quit", ("Ctrl+Q",), separated=True),
    ActionSpec("fit", "View", "&Fit slide", ("0", "Home"), hint="Show the whole slide"),
    ActionSpec("zoom-in", "View", "Zoom &in", ("+", "=", "Shift+Up")),
    ActionSpec("zoom-out", "View", "Zoom &out", ("-", "Shift+Down")),
    ActionSpec("1x", "View", "1x", ("1",), separated=True),
    ActionSpec("4x", "View", "4x", ("2",)),
    ActionSpec("10x", "View", "10x", ("3",)),
    ActionSpec("20x", "View", "20x", ("4",)),
    ActionSpec("40x", "View", "40x", ("5",)),
    ActionSpec("go-to", "View", "&Go to coordinates…", ("Ctrl+G",), separated=True),
    ActionSpec("rotate", "View", "&Rotate right", ("Ctrl+Right",), hint="Turn by 15 degrees"),
    ActionSpec("rotate-left", "View", "Rotate &left", ("Ctrl+Left",)),
    ActionSpec("upright", "View", "&Upright", ("Ctrl+Up",)),
    ActionSpec("single", "View", "&Single pane", ("Ctrl+1",), True, LAYOUT_GROUP, separated=True),
    ActionSpec("side-by-side", "View", "Side &by side", ("Ctrl+2",), True, LAYOUT_GROUP),
    ActionSpec("curtain", "View", "&Curtain", ("Ctrl+3", "K"), True, LAYOUT_GROUP),
    ActionSpec("fade", "View", "F&ade", ("Ctrl+4",), True, LAYOUT_GROUP),
    ActionSpec("less-virtual", "View", "Less of the upper picture", ("[",)),
    ActionSpec("more-virtual", "View", "More of the upper picture", ("]",)),
    ActionSpec("show-real", "View", "Show the r&eal slide", (), checkable=True, separated=True),
    ActionSpec("reference", "View", "Show the re&ference", ("Y",), checkable=True),
    ActionSpec("minimap", "View", "&Minimap", ("Ctrl+M",), checkable=True, separated=True),
    ActionSpec("scale-bar", "View", "Scale &bar", ("Ctrl+B",), checkable=True),
    ActionSpec("theme-system", "View", "Theme of the system", (), True, THEME_GROUP, True),
    ActionSpec("theme-light", "View", "Light theme", (), True, THEME_GROUP),
    ActionSpec("theme-dark", "View", "Dark theme", (), True, THEME_GROUP),
    ActionSpec("virtual", "Stain", "&Virtual stain", ("T",), checkable=True),
    ActionSpec("peek", "Stain", "&Peek at the real stain", (), checkable=True),
    ActionSpec("apply", "Stain", "&Show the chosen model", ("Ctrl+Return",), separated=True),
    ActionSpec("dismiss", "Stain", "&Remove the virtual stain"),
    ActionSpec("template", "Stain", "&Normalise to an image…"),
    ActionSpec(
        "normalise",
        "Stain",
        "Normalise &to this slide…",
        hint="Teach a model that shows other slides in the colours of this one",
    ),
    ActionSpec("scale", "Stain", "Set the s&cale…", separated=True),
    ActionSpec("import", "Stain", "&Import a model…", separated=True),
    ActionSpec("device-auto", "Stain", "Best device", (), True, DEVICE_GROUP, True),
    ActionSpec("device-cpu", "Stain", "Processor (CPU)", (), True, DEVICE_GROUP),
    ActionSpec("device-cuda", "Stain", "NVIDIA GPU (CUDA)", (), True, DEVICE_GROUP),
    ActionSpec("device-mps", "Stain", "Apple GPU (MPS)", (), True, DEVICE_GROUP),
    ActionSpec("tool-move", "Regions", "&Move and select", ("M",), True, TOOL_GROUP),
    ActionSpec(
        "tool-rectangle", "Regions", "Draw &rectangle", ("R",), True, TOOL_GROUP, hint=RECTANGLE
    ),
    ActionSpec("tool-ellipse", "Regions", "Draw &ellipse", ("O",), True, TOOL_GROUP, hint=ELLIPSE),
    ActionSpec("tool-polygon", "Regions", "Draw &polygon", ("P",), True, TOOL_GROUP, hint=POLYGON),
    ActionSpec(
        "tool-freehand", "Regions", "Draw by &hand", ("F",), True, TOOL_GROUP, hint=FREEHAND
    ),
    ActionSpec("tool-brush", "Regions", "&Brush", ("B",), True, TOOL_GROUP, hint=BRUSH),
    ActionSpec("tool-points", "Regions", "Poi&nts", (".",), True, TOOL_GROUP, hint=POINTS),
    ActionSpec("tool-ruler", "Regions", "Ru&ler", ("L",), True, TOOL_GROUP, hint=RULER),
    ActionSpec("brush-larger", "Regions", "Larger brush", ("Ctrl+]",), separated=True),
    ActionSpec("brush-smaller", "Regions", "Smaller brush", ("Ctrl+[",)),
    ActionSpec("undo", "Regions", "&Undo", ("Ctrl+Z",), separated=True),
    ActionSpec("redo", "Regions", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y")),
    ActionSpec("select-regions", "Regions", "&Select all regions", ("Ctrl+A",), separated=True),
    ActionSpec("go-to-region", "Regions", "&Go to the selected region", ("Z",)),
    ActionSpec("duplicate-regions", "Regions", "D&uplicate the selected", ("Ctrl+D", "Shift+D")),
    ActionSpec("lock-regions", "Regions", "Loc&k or unlock the selected", ("Shift+L",)),
    ActionSpec("colour-regions", "Regions", "&Colour of the selected regions…"),
    ActionSpec("delete-regions", "Regions", "&Delete selected regions", ("Del", "Backspace")),
    ActionSpec(
        "join-regions",
        "Regions",
        "&Join selected areas",
        separated=True,
        hint="One region of all that the selected areas cover",
    ),
    ActionSpec(
        "cut-regions",
        "Regions",
        "Cut out o&f the largest",
        hint="Make holes: the smaller of the selected areas are taken out of the largest",
    ),
    ActionSpec(
        "split-regions", "Regions", "Spl&it into parts", hint="A region for each part of one"
    ),
    ActionSpec("fill-regions", "Regions", "Fill h&oles"),
    ActionSpec("classes", "Regions", "Cl&asses…", ("Ctrl+K",), separated=True),
    ActionSpec("show-regions", "Regions", "S&how regions", ("H",), True, separated=True),
    ActionSpec("import-regions", "Regions", "&Import regions (GeoJSON)…", separated=True),
    ActionSpec("export-regions", "Regions", "&Export regions (GeoJSON)…"),
    ActionSpec(
        "train-regions",
        "Regions",
        "Fine-&tune on these regions…",
        hint="Teach a model on the selected regions, or on all; paired where there is a reference",
        separated=True,
    ),
    ActionSpec(
        "open-reference",
        "Compare",
        "&Reference slide…",
        ("Ctrl+Shift+O",),
        hint="Lay another real slide, such as the next section's, over this one",
    ),
    ActionSpec("last-reference", "Compare", "&Show the last reference again"),
    ActionSpec("remove-reference", "Compare", "Re&move the reference"),
    ActionSpec("register-again", "Compare", "Register &again", separated=True),
    ActionSpec("cancel-registration", "Compare", "&Cancel the registration"),
    ActionSpec(
        "reject-registration",
        "Compare",
        "Re&ject this registration",
        hint="It does not fit: take the reference off the slide and forget where it lay",
    ),
    ActionSpec("restore-registration", "Compare", "Take the rejected registration &back"),
    ActionSpec(
        "landmarks",
        "Compare",
        "Place &landmarks…",
        ("Ctrl+Shift+L",),
        separated=True,
        hint="Mark the same places on both slides, and register by them",
    ),
    ActionSpec(
        "compare-regions",
        "Compare",
        "&Compare the regions",
        ("Ctrl+Shift+C",),
        separated=True,
        hint="Measure virtual against real in the selected regions, or in all",
    ),
    ActionSpec(
        "difference",
        "Compare",
        "&Difference of optical density",
        ("D",),
        checkable=True,
        hint="How much denser the virtual stain is than the reference, else than the real slide",
    ),
    ActionSpec(
        "reader-study",
        "Compare",
        "Reader s&tudy…",
        hint="Can readers tell virtual from real? Fields of the regions, identities hidden",
    ),
    ActionSpec("save-transform", "Compare", "Sa&ve transform as…", separated=True),
    ActionSpec("load-transform", "Compare", "L&oad transform…"),
    ActionSpec("train", "Train", "&New training…", ("Ctrl+T",), hint="Teach a model on slides"),
    ActionSpec("commands", "Help", "&Find a command…", ("Ctrl+L",)),
    ActionSpec("keys", "Help", "&Keys", ("F1", "?")),
    ActionSpec("about", "Help", "&About stainapp"),
)

MOUSE = (
    ("Hold `", "Peek at the real stain"),
    ("Drag, or hold Space and drag", "Pan"),
    ("Arrow keys", "Pan by a step"),
    ("Wheel, pinch", "Zoom about the cursor"),
    ("Double click", "Zoom in there"),
    ("Click a region", "Select it; with Shift, one more or less"),
    ("Drag the selected region", "Move it; at a handle, reshape it"),
    ("Double click its outline", "Add a point"),
    ("Alt and click a point", "Remove the point"),
    ("Enter, double click", "End the polygon or ruler that is being drawn"),
    ("Shift while drawing", "A square, a circle, a line at 45°; the brush adds to the selected"),
    ("Alt with the brush", "Erase from the selected region"),
    ("Esc", "Drop what is being drawn, then the tool, then the selection"),
    ("Drag the divider", "Move the curtain"),
    ("Drop a file on the window", "Open a slide, or import a model"),
)


def make_actions(
    window: QMainWindow, slots: Mapping[str, Callable[..., object]]
) -> dict[str, QAction]:
    """Make all actions, put them into the window's menus and connect them by name."""
    actions: dict[str, QAction] = {}
    menus: dict[str, QMenu] = {}
    groups: dict[str, QActionGroup] = {}
    for spec in ACTIONS:
        menu = menus.get(spec.menu) or window.menuBar().addMenu(f"&{spec.menu}")
        menus[spec.menu] = menu
        if spec.separated:
            menu.addSeparator()
        action = QAction(spec.text, window)
        action.setShortcuts([QKeySequence(key) for key in spec.keys])
        action.setCheckable(spec.checkable)
        action.setObjectName(spec.name)
        action.setToolTip(tool_tip(spec))
        if spec.group:
            group = groups.setdefault(spec.group, QActionGroup(window))
            group.addAction(action)
        action.triggered.connect(slots[spec.name])
        menu.addAction(action)
        actions[spec.name] = action
    return actions


def tool_tip(spec: ActionSpec) -> str:
    words = spec.hint or plain(spec.text)
    return f"{words} ({spec.keys[0]})" if spec.keys else words


def plain(text: str) -> str:
    """Return an action's text without its mnemonic and dots."""
    return text.replace("&&", "\0").replace("&", "").replace("\0", "&").rstrip("…")


def keys_html() -> str:
    """Return the help sheet of keys, menu by menu."""
    parts = []
    for menu in dict.fromkeys(spec.menu for spec in ACTIONS):
        rows = [
            (", ".join(spec.keys), plain(spec.text))
            for spec in ACTIONS
            if spec.menu == menu and spec.keys
        ]
        parts.append(_table(menu, rows))
    parts.append(_table("Held keys, mouse and trackpad", list(MOUSE)))
    return "".join(parts)


def _table(heading: str, rows: list[tuple[str, str]]) -> str:
    body = "".join(
        f"<tr><td width='190'><b>{keys.replace('<', '&lt;')}</b></td>"
        f"<td>{words.replace('&', '&amp;')}</td></tr>"
        for keys, words in rows
    )
    return f"<h3>{heading}</h3><table cellpadding='2'>{body}</table>"
