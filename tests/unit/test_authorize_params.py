"""`authorize_params`: what an operator may add where the browser is sent."""

from typing import Final

import pytest

from providers.authorize_params import params_of

PARAMS: Final = params_of("display", "ui_locales")


def test_parameters_are_read_and_written_alike() -> None:
    """Otherwise the documentation shows a default that means something else."""
    value = PARAMS.read("display=popup ui_locales=de%20fr")

    assert value == (("display", "popup"), ("ui_locales", "de fr"))
    assert PARAMS.read(PARAMS.write(value)) == value


@pytest.mark.parametrize("name", ["redirect_uri", "state", "scope", "client_id", "code_challenge", "Display", ""])
def test_a_parameter_of_the_protocol_cannot_be_set(name: str) -> None:
    """Otherwise a line of configuration sends codes to another address."""
    with pytest.raises(ValueError, match="is not one of: display, ui_locales"):
        PARAMS.read(f"{name}=x")


@pytest.mark.parametrize("given", ["display", "display=", "display=%0d%0a", "display=%ff%00"])
def test_a_parameter_without_a_proper_value_is_refused(given: str) -> None:
    """Otherwise a typing error, or a line break, is sent to the provider."""
    with pytest.raises(ValueError, match="needs a value"):
        PARAMS.read(given)


def test_a_parameter_written_twice_is_refused() -> None:
    """Otherwise one of the two is silently ignored."""
    with pytest.raises(ValueError, match="twice"):
        PARAMS.read("display=popup display=page")
