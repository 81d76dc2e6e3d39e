"""Every reason for which a batch may look odd: one code and its meaning, listed here alone."""

from enum import StrEnum


class HoldReason(StrEnum):
    """What is odd about a batch; the values are the codes that are kept and shown."""

    BLANK = "blank"
    NO_DIGITS = "no_digits"
    INVERTED = "inverted"
    TURNED = "turned"
    MIRRORED = "mirrored"
    PRINT = "print"
    CUT = "cut"
    REPEATED = "repeated"
    SHAPE = "shape"
    CONTRAST = "contrast"
    STROKE_WIDTH = "stroke_width"
    SIZE = "size"
    BRIGHTNESS = "brightness"
    NOISE = "noise"
    BLUR = "blur"
    DIGITS_MIX = "digits_mix"
    CONTROL_DIGITS = "control_digits"
    REVIEW_SHARE = "review_share"
    REJECT_SHARE = "reject_share"


MEANINGS: dict[HoldReason, str] = {
    HoldReason.BLANK: "many more pictures without ink than usual",
    HoldReason.NO_DIGITS: "much more ink that is not one digit: letters, scribbles, stripes",
    HoldReason.INVERTED: "light ink on a dark page where it was dark ink on a light one, or back",
    HoldReason.TURNED: "pictures show digits once they are turned",
    HoldReason.MIRRORED: "pictures show digits once they are mirrored",
    HoldReason.PRINT: "much more print beside the ink, or much less: lines, another form, stripes",
    HoldReason.CUT: "many more pictures whose ink reaches their edge",
    HoldReason.REPEATED: "many files that are the same, byte for byte",
    HoldReason.SHAPE: "ink that is much wider for its height, or narrower",
    HoldReason.CONTRAST: "ink that is much fainter or darker",
    HoldReason.STROKE_WIDTH: "strokes that are much thinner or thicker for the size of the digits",
    HoldReason.SIZE: "pictures, ink or files of another size",
    HoldReason.BRIGHTNESS: "a page that is much darker or lighter",
    HoldReason.NOISE: "a page that is much noisier, or much smoother",
    HoldReason.BLUR: "edges of the ink that are much softer",
    HoldReason.DIGITS_MIX: "digits that are much more frequent, or rarer",
    HoldReason.CONTROL_DIGITS: "control digits, drawn in the batch's own look, are read badly",
    HoldReason.REVIEW_SHARE: "many more pictures for review, or much less confidence",
    HoldReason.REJECT_SHARE: "many more pictures that are rejected",
}
