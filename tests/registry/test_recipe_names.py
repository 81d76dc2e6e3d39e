"""A card of any version tells its recipe in the names of today."""

from tasks.registry.card import read_card
from tasks.registry.recipe_names import UNNAMED_OPTIMIZER, recipe_of
from tasks.registry.registry import READY
from tasks.training.recipes import RECIPES

CONVOLUTIONS = [
    {"filters": 24, "kernel": 5, "stride": 2, "pool": 1, "padding": "valid"},
    {"filters": 48, "kernel": 3, "stride": 2, "pool": 1, "padding": "same"},
    {"filters": 64, "kernel": 3, "stride": 1, "pool": 1, "padding": "valid"},
]
EARLIER = {  # the recipe of version 20261125-190546-fffe, as its card has it
    **{"name": "standard", "convolutions": CONVOLUTIONS, "dropout": 0.15, "epochs": 24},
    **{"batch_size": 256, "learning_rate": 0.0025, "turn": 0.0, "stretch": 0.0, "shift": 1},
    **{"units": 88, "smoothing": 0.03, "weight_decay": 0.02, "average": 0.999},
    "simulation": {"bent": 2, "digits": 160_000, "no_digits": 48_000},
}


def test_an_earlier_card_differs_from_the_recipe_by_its_optimizer_alone() -> None:
    assert recipe_of(EARLIER) == RECIPES["standard"].to_dict() | {"optimizer": UNNAMED_OPTIMIZER}


def test_the_card_that_ships_has_the_recipe_as_it_is() -> None:
    assert recipe_of(read_card(READY / "card.json").recipe) == RECIPES["standard"].to_dict()


def test_a_card_of_today_tells_its_recipe_as_it_is() -> None:
    recipe = RECIPES["quick"].to_dict()
    assert recipe_of(recipe) == recipe


def test_a_card_without_a_recipe_tells_nothing() -> None:
    assert recipe_of({}) == {}
