"""What a model cannot know, from how it was taught: for cards whose author has said nothing."""

from stainapp.models.card import Arch, ModelCard
from stainapp.runs.methods import method_info
from stainapp.runs.recipe import Recipe

BY_PAIRING = {
    "unpaired": "Learnt without pairs: no pixel was ever compared with the truth, and it draws "
    "what its target usually looks like. What only the target shows may be missing or made up.",
    "paired": "Learnt from pairs: what differs between the two sections, or lies where they do "
    "not meet, it has learnt as well.",
    "self": "Made from the grey of a slide: what differed in hue alone is lost.",
}
BY_LINE = (
    "Learnt from volumes whose numbers were made grey levels of 0 to 255 as the card's training "
    "says; pictures that became such in another way may be stained wrongly."
)
SAMPLED = (
    "It samples: with more than one step it draws one of the pictures that are likely, by "
    "noise fixed to the place on the slide. A view repeats exactly; another seed shows another."
)
COLOURS_ALONE = (
    "It maps colours and knows no shapes: it can invent and draw nothing, and two structures of "
    "one colour stay of one colour."
)


def limits_of(recipe: Recipe, arch: Arch, teacher: ModelCard | None = None) -> tuple[str, ...]:
    """Return sentences on what was seen and on how, each true of any such training.

    Args:
        recipe: says how it was taught.
        arch: of the network.
        teacher: whose pictures it learnt from, and whose own limits it has.
    """
    origins = (*recipe.data.source, *recipe.data.target)
    slides = {one.slide for one in origins if one.slide and one.split != "validation"}
    seen = f"from {_counted(len(slides))}" if slides else "from the images of its data set alone"
    pixelwise, info = arch.family == "pixel", method_info(recipe.method)
    return (
        f"Learnt {seen}: on other tissue, stainings and scanners it may be wrong.",
        _distilled(teacher, pixelwise=pixelwise)
        if teacher
        else info.limit or BY_PAIRING[recipe.data.pairing],
        *([SAMPLED] if "bridge" in info.families else []),
        *([COLOURS_ALONE] if pixelwise else []),
        *([BY_LINE] if recipe.data.volume_target else []),
        *(f"Of its teacher: {one}" for one in (teacher.limits if teacher else ())),
    )


def _distilled(teacher: ModelCard, *, pixelwise: bool) -> str:
    shapes = ", and what that draws by shape is missing" if pixelwise else ""
    return (
        f"Distilled from {teacher.name} ({teacher.id}): its figures compare it with that model's "
        f"pictures and with no real section{shapes}."
    )


def _counted(number: int) -> str:
    return "one slide" if number == 1 else f"{number} slides"
