"""Tags on all that has an ARN."""

from typing import Any

from longshore.emulator.control.account import OURS, Account, Params
from longshore.emulator.errors import invalid
from longshore.emulator.protocol import Caller, Handler, NotOursError


class Tags:
    """`AddTags`, `ListTags`, `DeleteTags`, of the resources that are ours."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._world = account.world

    def handlers(self) -> dict[str, Handler]:
        """By operation."""
        return {"AddTags": self.add, "ListTags": self.list_tags, "DeleteTags": self.delete}

    def add(self, _: Caller, params: Params) -> dict[str, Any]:
        """Add or replace tags."""
        arn = self._known(params)
        self._account.tag(arn, params["Tags"])
        return {"Tags": self._of(arn)}

    def list_tags(self, _: Caller, params: Params) -> dict[str, Any]:
        """All tags: fifty at most, so there is one page."""
        return {"Tags": self._of(self._known(params))}

    def delete(self, _: Caller, params: Params) -> dict[str, Any]:
        """Remove tags by their keys."""
        arn = self._known(params)
        for key in params["TagKeys"]:
            self._world.tags[arn].pop(key, None)
        return {}

    def _known(self, params: Params) -> str:
        arn: str = params["ResourceArn"]
        if arn not in self._world.tags:
            if arn.rsplit(":", maxsplit=1)[-1].split("/", maxsplit=1)[0] in OURS:
                raise invalid(f'Could not find resource "{arn}".')
            raise NotOursError
        return arn

    def _of(self, arn: str) -> list[dict[str, str]]:
        return [{"Key": key, "Value": value} for key, value in self._world.tags[arn].items()]
