"""What a model cannot know, from how it was taught: for cards whose author has said nothing."""

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


BY_METHOD = {
    "i2sb": "It samples: with more than one step it draws one of the pictures that are likely, by "
    "noise fixed to the place on the slide. A view repeats exactly; another seed shows another.",
}


def limits_of(recipe: Recipe) -> tuple[str, ...]:
    """Return sentences on what was seen and on how, each true of any such training."""
    origins = (*recipe.data.source, *recipe.data.target)
    slides = {one.slide for one in origins if one.slide and one.split != "validation"}
    seen = f"from {_counted(len(slides))}" if slides else "from the images of its data set alone"
    limits = (
        f"Learnt {seen}: on other tissue, stainings and scanners it may be wrong.",
        method_info(recipe.method).limit or BY_PAIRING[recipe.data.pairing],
        *([BY_METHOD[recipe.method]] if recipe.method in BY_METHOD else []),
    )
    return (*limits, BY_LINE) if recipe.data.volume_target else limits


def _counted(number: int) -> str:
    return "one slide" if number == 1 else f"{number} slides"
