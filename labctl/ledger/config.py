"""The rules as a station file has them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from labctl import plugins
from labctl.errors import UsageError
from labctl.ledger.rules import BUDGETS, Budget, Rules
from labctl.quantities import parse

Amount = Annotated[float, Field(ge=0)]


class RulesConfig(BaseModel):
    """``rules:`` of a station or sample; what is left out is not ruled here."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    formed_first: tuple[str, ...] = ()
    pulses: Amount | None = None
    cycles: Amount | None = None
    touchdowns: Amount | None = None
    energy: Amount | None = None
    compliance_time: Amount | None = None

    @field_validator(*BUDGETS, mode="before")
    @classmethod
    def _si(cls, value: Any, info: ValidationInfo) -> Any:
        try:
            return None if value is None else parse(value, BUDGETS[str(info.field_name)])
        except UsageError as error:
            raise ValueError(str(error)) from None

    @field_validator("formed_first")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        known = plugins.names("procedures")
        for name in names:
            if name.replace("_", "-") not in known:  # a misspelt name would be a rule that never holds
                raise ValueError(f"there is no procedure {name!r}{plugins.suggestion(name, known)}")
        return tuple(name.replace("_", "-") for name in names)

    def of(self, owner: str) -> Rules:
        """The same as Rules of `owner`."""
        budgets = {name: getattr(self, name) for name in BUDGETS}
        found = tuple(Budget(name, value, owner) for name, value in budgets.items() if value is not None)
        return Rules(found, tuple((name, owner) for name in self.formed_first))
