"""A card of any version tells its recipe in the names of today."""

from tasks.registry.card import read_card
from tasks.registry.recipe_names import UNNAMED_OPTIMIZER, recipe_of
from tasks.registry.registry import READY
from tasks.training.recipes import RECIPES


def test_the_card_that_ships_differs_from_the_recipe_by_its_optimizer_alone() -> None:
    card = read_card(READY / "card.json")
    assert "turn" in card.recipe  # written before the fields were renamed
    assert recipe_of(card.recipe) == RECIPES["standard"].to_dict() | {
        "optimizer": UNNAMED_OPTIMIZER
    }


def test_a_card_of_today_tells_its_recipe_as_it_is() -> None:
    recipe = RECIPES["quick"].to_dict()
    assert recipe_of(recipe) == recipe


def test_a_card_without_a_recipe_tells_nothing() -> None:
    assert recipe_of({}) == {}
